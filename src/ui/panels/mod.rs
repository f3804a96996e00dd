//! One file per panel. A panel draws from the session and its own small state and says what it
//! wants in `Wishes`; it changes nothing itself.

mod bands;
mod class_counts;
mod classes;
mod export;
mod export_options;
mod filters;
mod health;
mod history;
mod import_spectra;
mod indices;
mod inspector;
mod judge;
mod judge_table;
mod layer_row;
mod layers;
mod model;
mod references;
mod status;
mod style;
mod tools;
mod top_bar;

pub(crate) use bands::{BandsDialog, misfit};
pub(crate) use classes::{ClassesPanel, classes_ui};
pub(crate) use export::{ExportPanel, export_ui, view_picture};
pub(crate) use filters::{FiltersPanel, filters_ui};
pub(crate) use health::{HealthPanel, health_ui};
pub(crate) use history::{HistoryPanel, history_ui};
pub(crate) use import_spectra::ImportDialog;
pub(crate) use indices::IndexDialog;
pub(crate) use inspector::{InspectorPanel, Pin, inspector_ui};
pub(crate) use judge::{JudgePanel, judge_ui};
pub(crate) use layer_row::remove_command;
pub(crate) use layers::{LayersPanel, layers_ui};
pub(crate) use model::{ModelPanel, model_ui, target_scene};
pub(crate) use references::{Beside, ReferencesPanel, references_ui};
pub(crate) use status::{StatusBar, status_ui};
pub(crate) use tools::tools_ui;
pub(crate) use top_bar::top_bar_ui;
