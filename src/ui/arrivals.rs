//! What events change in the window.

use nunatak_app::{Command, Event, JobOutcome, JobReport};
use nunatak_domain::geo::GeoPos;
use nunatak_domain::inspect::Probe;
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::notice::Notice;

use crate::map::CURSOR_TAG;
use crate::panels::{self, Pin};
use crate::saved::Workspace;
use crate::shell::Shell;
use crate::theme;
use crate::toasts::ToastAction;

/// Two clicks of a double click are not further apart.
const DOUBLE_CLICK_SECS: f64 = 0.6;

impl Shell {
    pub(crate) fn arrived(&mut self, event: Event) {
        match event {
            Event::SceneOpened { scene, layer } => {
                self.map.chosen = Some(layer);
                self.remember_scene(scene, layer);
                self.map.show_if_hidden = Some(layer);
                self.ask_again();
            }
            Event::LayersChanged | Event::ReferencesChanged | Event::ClassesChanged => self.ask_again(),
            Event::LabelsChanged { .. } => self.classes.counts.invalidate(),
            Event::HistoryChanged | Event::Judged | Event::HealthChanged => {}
            Event::LibraryOpened => self.import.ask(&self.session),
            Event::ProjectChanged => self.remember_project(),
            Event::ProjectOpened { path, .. } => self.project_opened(&path),
            Event::VersionsListed { versions } => self.projects.list(versions),
            Event::ModelChanged => {
                self.model.class = None;
                if let Some(model) = self.session.model() {
                    let path = model.path.clone();
                    let _ = self.saved.remember(&path);
                    self.saved.workspace = Workspace::Explain;
                }
            }
            Event::Probed(answer) => self.inspector.answered(answer, CURSOR_TAG),
            Event::JobEnded { title, outcome, .. } => self.job_ended(&title, outcome),
            Event::Notice(notice) => self.toasts.push(notice),
            Event::TilesArrived | Event::JobStarted { .. } | Event::JobProgress { .. } => {}
        }
    }

    fn remember_scene(&mut self, scene: SceneId, layer: LayerId) {
        let Some(scene) = self.session.scene(scene) else { return };
        let path = scene.info.path.clone();
        let Some(listed) = self.saved.remember(&path) else { return };
        if let Some(out) = self.thumbnails.file(&listed) {
            self.thumbnails.forget(&listed);
            self.dispatch(Command::Thumbnail { layer, out });
        }
    }

    fn job_ended(&mut self, title: &str, outcome: JobOutcome) {
        match outcome {
            JobOutcome::Done { report } => self.job_done(title, &report),
            JobOutcome::Cancelled => self.toasts.push(Notice::info(format!("{title}: stopped"))),
            JobOutcome::Failed { notice } => {
                self.predict_when_ready = false;
                self.toasts.push(notice);
            }
        }
    }

    fn job_done(&mut self, title: &str, report: &JobReport) {
        let Some(first) = report.outputs.first() else { return };
        let on_map = self.session.layers().iter().any(|layer| {
            let scene = self.session.scene(layer.source.scene());
            scene.is_some_and(|scene| report.outputs.contains(&scene.info.path))
        });
        let folder = first.parent().map(std::path::Path::to_owned).unwrap_or_default();
        if on_map || self.session.keeps(first) {
            let notice = Notice::info(format!("{title}: the results are on the map"));
            self.toasts.push_success(notice, vec![ToastAction::Export]);
            return;
        }
        let name = first.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let beside = match report.outputs.len() - 1 {
            0 => String::new(),
            1 => " and one file beside it".to_owned(),
            n => format!(" and {n} files beside it"),
        };
        self.saved.export_dir = Some(folder.clone());
        let notice = Notice::info(format!("{name} written{beside}"));
        self.toasts.push_success(notice, vec![ToastAction::ShowFolder(folder)]);
    }

    /// Probes everything that is shown again: layers or references are others now.
    pub(crate) fn ask_again(&mut self) {
        self.map.asked = None;
        let pins: Vec<(u64, GeoPos)> = self.inspector.pins.iter().map(|pin| (pin.tag, pin.geo)).collect();
        let cursor = self.map.cursor.map(|geo| (CURSOR_TAG, geo));
        for (tag, geo) in pins.into_iter().chain(cursor) {
            self.session.probe(Probe { tag, geo });
        }
    }

    /// Pins what was clicked on the map; a double click takes the pin of its first click back.
    pub(crate) fn take_pin(&mut self, time: f64) {
        if std::mem::take(&mut self.map.double_clicked)
            && self.inspector.pins.last().is_some_and(|pin| time - pin.pinned_at < DOUBLE_CLICK_SECS)
        {
            self.inspector.pins.pop();
        }
        let Some(geo) = self.map.clicked.take() else { return };
        // Where no raster is there is nothing to pin.
        let mut visible = self.session.layers().iter().filter(|layer| layer.visible);
        if !visible.any(|layer| self.session.layer_reaches(layer.id, geo)) {
            return;
        }
        let tag = self.inspector.next_tag;
        self.inspector.next_tag += 1;
        let used = |color| self.inspector.pins.iter().any(|pin| pin.color == color);
        let color = (0..6).map(theme::pin).find(|color| !used(*color)).unwrap_or_else(|| theme::pin(tag as usize));
        self.inspector.selected = Some(tag);
        self.inspector.pins.push(Pin { tag, geo, color, name: String::new(), answer: None, pinned_at: time });
        self.session.probe(Probe { tag, geo });
    }

    pub(crate) fn predict_if_ready(&mut self) {
        if self.predict_when_ready
            && self.session.model().is_some()
            && let Some(scene) = panels::target_scene(&self.session, self.map.chosen)
        {
            self.predict_when_ready = false;
            self.predict(scene);
        }
    }
}
