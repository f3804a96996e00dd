//! CLEAN UP: sieve, majority, morphology and replacing classes on a whole label layer.

use egui::{ComboBox, DragValue, Ui};
use nunatak_app::{Command, Session};
use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::label::post::{Element, LabelFilter, Morphology};
use nunatak_domain::label::{Connectivity, LabelsId, Target};

use crate::widgets;
use crate::wishes::Wishes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sieve,
    RemoveSmall,
    Majority,
    Morphology(Morphology),
    Replace,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Sieve,
        Self::RemoveSmall,
        Self::Majority,
        Self::Morphology(Morphology::Dilate),
        Self::Morphology(Morphology::Erode),
        Self::Morphology(Morphology::Open),
        Self::Morphology(Morphology::Close),
        Self::Replace,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Sieve => "Sieve: small regions join a neighbour",
            Self::RemoveSmall => "Minimum area: small regions go",
            Self::Majority => "Majority: smooth borders",
            Self::Morphology(Morphology::Dilate) => "Dilate: grow a class",
            Self::Morphology(Morphology::Erode) => "Erode: shrink a class",
            Self::Morphology(Morphology::Open) => "Open: take specks of a class away",
            Self::Morphology(Morphology::Close) => "Close: fill gaps of a class",
            Self::Replace => "Replace one class by another",
        }
    }
}

pub(crate) struct FiltersPanel {
    pub open: bool,
    kind: Kind,
    min_px: u64,
    window_px: usize,
    radius_px: u32,
    class: Option<ClassId>,
    /// `None` takes the label away.
    to: Option<ClassId>,
    only_unlabelled: bool,
    eight: bool,
}

impl Default for FiltersPanel {
    fn default() -> Self {
        Self {
            open: false,
            kind: Kind::Sieve,
            min_px: 25,
            window_px: 3,
            radius_px: 1,
            class: None,
            to: None,
            only_unlabelled: false,
            eight: false,
        }
    }
}

pub(crate) fn filters_ui(
    ui: &mut Ui,
    session: &Session,
    state: &mut FiltersPanel,
    labels: Option<LabelsId>,
    wishes: &mut Wishes,
) {
    let mut open = state.open;
    widgets::section(
        ui,
        "Clean up",
        &mut open,
        |_| {},
        |ui| {
            let Some(labels) = labels.and_then(|id| session.project().labels(id)) else {
                widgets::empty(ui, "Filters of a label layer are here once there is one.");
                return;
            };
            let width = ui.available_width();
            ComboBox::from_id_salt("filter").selected_text(state.kind.label()).width(width).truncate().show_ui(
                ui,
                |ui| {
                    for kind in Kind::ALL {
                        ui.selectable_value(&mut state.kind, kind, kind.label());
                    }
                },
            );
            parameters(ui, &session.project().classes, state);
            let filter = state.filter(&session.project().classes);
            let text = format!("Apply to {}", labels.name);
            if widgets::primary_button(ui, filter.is_some(), &text).clicked()
                && let Some(filter) = filter
            {
                wishes.commands.push(Command::FilterLabels { labels: labels.id, filter });
            }
        },
    );
    state.open = open;
}

fn parameters(ui: &mut Ui, scheme: &ClassScheme, state: &mut FiltersPanel) {
    widgets::line(ui, |ui| match state.kind {
        Kind::Sieve | Kind::RemoveSmall => {
            ui.label("Fewer than");
            ui.add(DragValue::new(&mut state.min_px).range(2..=10_000_000).suffix(" px"))
                .accessible_name("Smallest region");
            ui.checkbox(&mut state.eight, "Corners connect");
        }
        Kind::Majority => {
            ui.label("Window");
            ui.add(DragValue::new(&mut state.window_px).range(3..=51).suffix(" px")).accessible_name("Majority window");
            state.window_px |= 1;
        }
        Kind::Morphology(operation) => {
            class_combo(ui, "filter class", scheme, &mut state.class);
            ui.label("by");
            ui.add(DragValue::new(&mut state.radius_px).range(1..=100).suffix(" px")).accessible_name("Radius");
            if matches!(operation, Morphology::Dilate | Morphology::Close) {
                ui.checkbox(&mut state.only_unlabelled, "Unlabelled only");
            }
        }
        Kind::Replace => {
            class_combo(ui, "filter class", scheme, &mut state.class);
            ui.label("by");
            let name = state.to.map_or_else(|| "No label".to_owned(), |id| scheme.name(id));
            ComboBox::from_id_salt("filter to").selected_text(name).width(100.0).truncate().show_ui(ui, |ui| {
                ui.selectable_value(&mut state.to, None, "No label");
                for class in &scheme.classes {
                    ui.selectable_value(&mut state.to, Some(class.id), &class.name);
                }
            });
        }
    });
}

fn class_combo(ui: &mut Ui, salt: &str, scheme: &ClassScheme, class: &mut Option<ClassId>) {
    *class = class.filter(|id| scheme.get(*id).is_some()).or_else(|| scheme.classes.first().map(|class| class.id));
    let name = class.map_or_else(|| "No class".to_owned(), |id| scheme.name(id));
    ComboBox::from_id_salt(salt).selected_text(name).width(100.0).truncate().show_ui(ui, |ui| {
        for other in &scheme.classes {
            ui.selectable_value(class, Some(other.id), &other.name);
        }
    });
}

impl FiltersPanel {
    /// `None` where something is missing.
    fn filter(&self, scheme: &ClassScheme) -> Option<LabelFilter> {
        let connectivity = if self.eight { Connectivity::Eight } else { Connectivity::Four };
        let class = || self.class.filter(|id| scheme.get(*id).is_some());
        Some(match self.kind {
            Kind::Sieve => LabelFilter::Sieve { min_px: self.min_px, connectivity },
            Kind::RemoveSmall => LabelFilter::RemoveSmall { min_px: self.min_px, connectivity },
            Kind::Majority => LabelFilter::Majority { size_px: self.window_px },
            Kind::Morphology(operation) => {
                let onto = if self.only_unlabelled { Target::Unlabelled } else { Target::Any };
                let element = Element::Disc { radius_px: self.radius_px };
                LabelFilter::Morphology { class: class()?, operation, element, onto }
            }
            Kind::Replace => {
                let from = class()?;
                LabelFilter::Replace { from, to: Some(self.to).filter(|to| *to != Some(from))? }
            }
        })
    }
}
