mod damage;
mod folder;
mod kill;
mod random;

use std::path::Path;
use std::sync::Arc;

use nunatak_domain::class::{Class, ClassId, ClassScheme};
use nunatak_domain::edit::{Edit, add_labels};
use nunatak_domain::geo::{GeoTransform, Georeference};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::history::History;
use nunatak_domain::label::{LabelLayer, LabelPen, LabelsId, PaintRule, Target};
use nunatak_domain::layer::SceneId;
use nunatak_domain::project::Project;
use nunatak_jobs::Silent;

use super::*;
use crate::atomic;

const BUDGET: usize = 1 << 20;

/// A session as the application holds it.
struct Desk {
    folder: ProjectFolder,
    journal: Journal,
    project: Project,
    history: History,
    saved: Saved,
    scenes: Vec<ProjectScene>,
}

impl Desk {
    /// A new project with classes 1 to 5 and a label layer of 700 × 600, saved.
    fn new(path: &Path) -> Self {
        let mut project =
            Project { classes: ClassScheme { classes: (1..6).map(Class::numbered).collect() }, ..Project::default() };
        add_labels(&project, "Snow & ice", SceneId(1), LabelLayer::new(700, 600)).apply(&mut project).unwrap();
        let scenes = vec![scene()];
        let place = JournalPlace { path: path.into(), id: String::new(), end: 0, position: 0 };
        let snapshot = snapshot(&project, &scenes, place);
        let (folder, journal, saved) = ProjectFolder::create_project(path, snapshot, &Silent).unwrap();
        Self { folder, journal, project, history: History::new(BUDGET), saved, scenes }
    }

    fn open(path: &Path) -> (Self, Vec<String>) {
        let opened = open_project(path, Access::Write, BUDGET, &Silent).unwrap();
        let (folder, journal) = opened.writer.unwrap();
        let desk = Self {
            folder,
            journal,
            project: opened.project,
            history: opened.history,
            saved: opened.saved,
            scenes: opened.scenes,
        };
        (desk, opened.remarks)
    }

    fn paint(&mut self, rect: PixelRect, class: u32) {
        let layer = &mut self.project.labels[0].layer;
        let mut pen = LabelPen::default();
        for row in rect.row..rect.bottom() {
            let rule = PaintRule { class: Some(ClassId(class)), onto: Target::Any };
            pen.paint_row(layer, row, rect.col..rect.right(), rule);
        }
        let change = pen.lift(layer);
        self.note(Edit::labels(LabelsId(0), "Brush", change));
    }

    /// Makes an edit and notes it.
    fn make(&mut self, edit: Edit) {
        edit.apply(&mut self.project).unwrap();
        self.note(edit);
    }

    fn note(&mut self, edit: Edit) {
        if edit.is_empty() {
            return;
        }
        let appended = self.journal.append_step(self.history.position(), &edit);
        appended.written.unwrap();
        self.history.push(Arc::new(edit), appended.at);
    }

    fn go_to(&mut self, position: usize) {
        use nunatak_domain::history::Travel;
        loop {
            match self.history.step_towards(position, &mut self.project).unwrap() {
                Travel::Done(_) => self.journal.append_position(self.history.position()).written.unwrap(),
                Travel::AtEnd => break,
                Travel::Fetch { step, at } => {
                    let edit = self.journal.read(at).unwrap();
                    self.history.supply(step, at, Arc::new(edit));
                }
            }
        }
    }

    fn save(&mut self) {
        let snapshot = snapshot(&self.project, &self.scenes, self.journal.place().unwrap());
        self.saved = self.folder.save(&snapshot, &self.saved, SaveKind::Asked, &Silent).unwrap();
        self.history.mark_saved(self.history.position(), self.history.last_step_at());
    }

    fn count(&self) -> u64 {
        self.project.labels[0].layer.counts().values().sum()
    }
}

fn snapshot(project: &Project, scenes: &[ProjectScene], journal: JournalPlace) -> ProjectSnapshot {
    ProjectSnapshot {
        name: "Test".to_owned(),
        project: project.clone(),
        scenes: scenes.to_vec(),
        layers: Vec::new(),
        view: serde_json::json!({"zoom": 3}),
        journal,
    }
}

fn scene() -> ProjectScene {
    ProjectScene {
        id: SceneId(1),
        path: "/vsicurl/https://example.org/scene.tif".into(),
        width: 700,
        height: 600,
        crs: None,
        georeference: Georeference::Affine { transform: GeoTransform([500_000.0, 30.0, 0.0, 4_000_000.0, 0.0, -30.0]) },
        content: None,
        state: SceneState::Unchecked,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// A copy of a project, as a kill at this moment would leave it.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
