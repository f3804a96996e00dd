//! `project.json`: what a project consists of, readable by people.

use std::path::{Path, PathBuf};

use nunatak_domain::class::ClassScheme;
use nunatak_domain::geo::{Crs, Georeference};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::{Layer, SceneId};
use nunatak_domain::spectra::ReferenceSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::references::{ReferenceEntry, entries, references};
use super::scenes::{Fingerprint, ProjectScene, find, noted};

pub(super) const MANIFEST_FILE: &str = "project.json";
const FORMAT: &str = "nunatak project";
/// Version of the format that this program writes.
const VERSION: u64 = 1;
/// `MIGRATIONS[n]` makes version n + 2 of version n + 1.
const MIGRATIONS: &[Migration] = &[];

type Migration = fn(&mut Value);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u64,
    program: String,
    pub(super) name: String,
    /// Counts up with every save.
    pub(super) save: u64,
    /// Seconds since 1970, UTC.
    pub(super) saved: u64,
    pub(super) autosave: bool,
    pub(super) journal: JournalEntry,
    pub(super) next_labels: LabelsId,
    pub(super) scenes: Vec<SceneEntry>,
    pub(super) classes: ClassScheme,
    references: ReferencesEntry,
    pub(super) labels: Vec<LabelsEntry>,
    /// `Layer`s; one that a later program wrote differently is left out, not the whole project.
    layers: Vec<Value>,
    pub(super) view: Value,
}

/// The journal, and how far it was when this was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JournalEntry {
    pub(super) file: String,
    pub(super) id: String,
    pub(super) end: u64,
    pub(super) position: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SceneEntry {
    id: SceneId,
    /// From the project's folder.
    pub(super) path: String,
    last_seen: PathBuf,
    width: usize,
    height: usize,
    #[serde(default)]
    content: Option<Fingerprint>,
    #[serde(default)]
    crs: Option<Crs>,
    georeference: Georeference,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LabelsEntry {
    pub(super) id: LabelsId,
    pub(super) name: String,
    pub(super) scene: SceneId,
    pub(super) width: usize,
    pub(super) height: usize,
    /// From the project's folder.
    pub(super) file: String,
    pub(super) sha256: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ReferencesEntry {
    bands: Vec<String>,
    references: Vec<ReferenceEntry>,
}

/// What a save puts into the manifest beside label files and journal.
pub(super) struct Contents<'a> {
    pub(super) name: &'a str,
    pub(super) classes: &'a ClassScheme,
    pub(super) references: &'a ReferenceSet,
    pub(super) next_labels: LabelsId,
    pub(super) scenes: &'a [ProjectScene],
    pub(super) layers: &'a [Layer],
    pub(super) view: &'a Value,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ManifestError {
    Newer(String),
    Damaged(String),
}

impl Manifest {
    pub(super) fn new(
        folder: &Path,
        contents: &Contents,
        (save, saved, autosave): (u64, u64, bool),
        journal: JournalEntry,
        labels: Vec<LabelsEntry>,
    ) -> Self {
        let layers = contents.layers.iter().map(|layer| serde_json::to_value(layer).expect("plain values"));
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: concat!("nunatak ", env!("CARGO_PKG_VERSION")).to_owned(),
            name: contents.name.to_owned(),
            save,
            saved,
            autosave,
            journal,
            next_labels: contents.next_labels,
            scenes: contents.scenes.iter().map(|scene| SceneEntry::new(folder, scene)).collect(),
            classes: contents.classes.clone(),
            references: ReferencesEntry {
                bands: contents.references.bands.clone(),
                references: entries(&contents.references.references),
            },
            labels,
            layers: layers.collect(),
            view: contents.view.clone(),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, ManifestError> {
        let value = serde_json::from_str(text).map_err(|error| ManifestError::Damaged(error.to_string()))?;
        let value = migrated(value, MIGRATIONS)?;
        serde_json::from_value(value).map_err(|error| ManifestError::Damaged(error.to_string()))
    }

    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain values");
        text.push('\n');
        text
    }

    /// Scenes and the look of the map from a manifest whose labels are damaged.
    pub(super) fn take_view(&mut self, other: &Self) {
        self.name.clone_from(&other.name);
        self.save = other.save;
        self.scenes.clone_from(&other.scenes);
        self.layers.clone_from(&other.layers);
        self.view.clone_from(&other.view);
    }

    pub(super) fn references(&self) -> ReferenceSet {
        ReferenceSet {
            references: references(self.references.references.clone()),
            bands: self.references.bands.clone(),
        }
    }

    /// Layers of the map, and a sentence for each that cannot be read.
    pub(super) fn layers(&self) -> (Vec<Layer>, Vec<String>) {
        let (mut layers, mut problems) = (Vec::new(), Vec::new());
        for value in &self.layers {
            match serde_json::from_value(value.clone()) {
                Ok(layer) => layers.push(layer),
                Err(error) => {
                    let name = value.get("name").and_then(Value::as_str).unwrap_or("without a name");
                    problems.push(format!("the map layer {name} was left out: {error}"));
                }
            }
        }
        (layers, problems)
    }
}

impl LabelsEntry {
    pub(super) const fn rect(&self) -> PixelRect {
        PixelRect::whole(self.width, self.height)
    }
}

impl SceneEntry {
    fn new(folder: &Path, scene: &ProjectScene) -> Self {
        let last_seen = match scene.content {
            Some(_) => std::path::absolute(&scene.path).unwrap_or_else(|_| scene.path.clone()),
            None => scene.path.clone(),
        };
        Self {
            id: scene.id,
            path: noted(folder, &scene.path, scene.content.is_some()),
            last_seen,
            width: scene.width,
            height: scene.height,
            content: scene.content.clone(),
            crs: scene.crs.clone(),
            georeference: scene.georeference.clone(),
        }
    }

    /// The scene, looked for on the disk.
    pub(super) fn find(&self, folder: &Path) -> ProjectScene {
        let (path, state) = find(folder, &self.path, &self.last_seen, self.content.as_ref());
        ProjectScene {
            id: self.id,
            path,
            width: self.width,
            height: self.height,
            crs: self.crs.clone(),
            georeference: self.georeference.clone(),
            content: self.content.clone(),
            state,
        }
    }
}

/// Brings a manifest to the newest version, one step at a time.
fn migrated(mut value: Value, migrations: &[Migration]) -> Result<Value, ManifestError> {
    let newest = migrations.len() as u64 + 1;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(ManifestError::Damaged("it is not a project of this program".to_owned()));
    }
    let version = value.get("version").and_then(Value::as_u64).filter(|&version| version > 0);
    let Some(version) = version else {
        return Err(ManifestError::Damaged("it does not say its version".to_owned()));
    };
    if version > newest {
        let program = value.get("program").and_then(Value::as_str).unwrap_or("a newer program");
        return Err(ManifestError::Newer(format!(
            "it was saved by {program} in format {version}, and this program reads up to {newest}: update the program"
        )));
    }
    for migrate in &migrations[version as usize - 1..] {
        migrate(&mut value);
    }
    value["version"] = newest.into();
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_older_format_is_brought_up_step_by_step() {
        let migrations: [Migration; 2] = [
            |value| value["title"] = value["name"].take(),
            |value| value["title"] = format!("{} (3)", value["title"].as_str().unwrap()).into(),
        ];

        let of = |version| json!({"format": FORMAT, "version": version, "name": "a", "title": "b"});
        assert_eq!(migrated(of(1), &migrations).unwrap()["title"], "a (3)");
        assert_eq!(migrated(of(2), &migrations).unwrap()["title"], "b (3)");
        assert_eq!(migrated(of(3), &migrations).unwrap()["title"], "b");
        assert_eq!(migrated(of(1), &migrations).unwrap()["version"], 3);
    }

    #[test]
    fn a_newer_format_is_refused_with_a_sentence() {
        let text = json!({"format": FORMAT, "version": 9, "program": "nunatak 4.0.0"}).to_string();

        let sentence = "it was saved by nunatak 4.0.0 in format 9, and this program reads up to 1: update the program";
        assert_eq!(Manifest::parse(&text).unwrap_err(), ManifestError::Newer(sentence.to_owned()));
    }

    #[test]
    fn other_json_is_no_project() {
        assert!(matches!(Manifest::parse("{\"version\": 1}"), Err(ManifestError::Damaged(_))));
        assert!(matches!(Manifest::parse("{\"format\": \"nunatak pro"), Err(ManifestError::Damaged(_))));
    }
}
