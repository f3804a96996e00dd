//! What panels ask for during a frame; the shell fulfils it afterwards, in one place.

use nunatak_app::{Command, ReferenceEdit};
use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::layer::LayerId;
use nunatak_domain::notice::Notice;

use crate::action::Action;
use crate::dialogs::Ask;

#[derive(Default)]
pub(crate) struct Wishes {
    pub commands: Vec<Command>,
    pub actions: Vec<Action>,
    pub dialogs: Vec<Ask>,
    pub notices: Vec<Notice>,
    /// Bring this part of the map into view.
    pub look_at: Option<GeoBounds>,
    /// Open the export panel for this layer.
    pub export: Option<LayerId>,
    /// Show what an edit of the references would do, while a slider is held.
    pub preview: Option<ReferenceEdit>,
    /// Take the tool that picks spectra: for this reference or a new one; whether it takes away.
    pub pick: Option<(Option<usize>, bool)>,
    /// Grad-CAM of the pixel here.
    pub explain: Option<GeoPos>,
}

impl Wishes {
    pub(crate) fn copy(&mut self, ui: &egui::Ui, what: &str, text: String) {
        ui.ctx().copy_text(text);
        self.notices.push(Notice::info(format!("{what} copied")));
    }
}
