//! Everything that can be asked for. A script is one of these per line, as JSON.

use std::path::PathBuf;

use nunatak_domain::geo::{GeoBounds, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{
    AccuracyConfig, ClassifyConfig, ClassifyMethod, ConvertConfig, ConvertSpectraConfig, DeviceChoice, ExplainConfig,
    IndexConfig, PolygonizeConfig, PredictConfig, PriorConfig, RenderConfig, ReplayConfig, SampleConfig,
    SeparabilityConfig, SieveConfig,
};
use nunatak_domain::label::post::LabelFilter;
use nunatak_domain::label::{Brush, Gesture, LabelsId, PaintRule};
use nunatak_domain::layer::{Blend, LayerId, SceneId};
use nunatak_domain::spectra::{ReferenceSet, Resampling, SpectralReference};
use nunatak_domain::style::{StretchMethod, Style};
use nunatak_jobs::JobId;
use serde::{Deserialize, Serialize};

use crate::editing::ClassEdit;
use crate::judging::JudgeRequest;
use crate::label_files::{ClassSource, LabelExport, LabelFile};
use crate::projects::{ProjectAccess, ProjectView};
use crate::sampling::SampleRequest;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens a raster and puts a layer on top of the map. Scenes and layers are numbered
    /// from 1 in the order they come, each on its own: a script may rely on it.
    OpenScene {
        path: PathBuf,
    },
    /// Reads a network's weights and record; it becomes the session's model.
    OpenModel {
        path: PathBuf,
    },
    /// Replaces the session's references by those of a CSV file.
    OpenReferences {
        path: PathBuf,
    },
    /// Takes the references that came with the model.
    UseModelReferences,
    EditReferences {
        edit: ReferenceEdit,
    },
    /// Pixels of a gesture become a reference, or are added to or taken from one.
    SampleReference(SampleRequest),
    /// Reads a library of spectra to pick from.
    OpenSpectra {
        path: PathBuf,
    },
    /// Adds spectra of a library to the references, on the bands of a scene.
    ImportSpectra {
        path: PathBuf,
        scene: SceneId,
        /// By position from 0; all where it is empty.
        #[serde(default)]
        pick: Vec<usize>,
        #[serde(default)]
        method: Resampling,
    },
    /// Adds an empty label layer to a scene; label layers are numbered from 0 in the order they
    /// come, and numbers are not used twice.
    AddLabels {
        scene: SceneId,
        #[serde(default)]
        name: Option<String>,
    },
    RemoveLabels {
        labels: LabelsId,
    },
    RenameLabels {
        labels: LabelsId,
        name: String,
    },
    DuplicateLabels {
        labels: LabelsId,
    },
    /// A whole gesture at once; a stroke gives the same labels as `BeginStroke` and those after it.
    Paint {
        labels: LabelsId,
        gesture: Gesture,
        rule: PaintRule,
    },
    BeginStroke {
        labels: LabelsId,
        brush: Brush,
        rule: PaintRule,
        at: PixelPos,
    },
    ExtendStroke {
        positions: Vec<PixelPos>,
    },
    EndStroke,
    AbortStroke,
    /// Sieve, majority filter, morphology, … of a whole label layer.
    FilterLabels {
        labels: LabelsId,
        filter: LabelFilter,
    },
    EditClasses {
        edit: ClassEdit,
    },
    /// Takes the last step back; in mid-stroke, takes the stroke back.
    Undo,
    Redo,
    /// Undoes or redoes until so many steps are done.
    GoToStep {
        position: usize,
    },
    SaveReferences {
        path: PathBuf,
        #[serde(default)]
        overwrite: bool,
    },

    /// Labels of a class raster or a vector file, brought onto the grid of a scene: one step with
    /// the new classes and a new layer, or on top of `labels`.
    ImportLabels {
        file: LabelFile,
        scene: SceneId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        labels: Option<LabelsId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A class map on the map as labels, on the grid of `onto`: by default of the raster that has
    /// the same one.
    LabelsFromScene {
        scene: SceneId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        onto: Option<SceneId>,
    },
    ExportLabels(LabelExport),
    /// Pixels and areas per class; of all label layers where none is named.
    LabelStatistics {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        labels: Option<LabelsId>,
    },
    ImportClasses {
        from: ClassSource,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
    /// As `.csv` or `.qml`.
    ExportClasses {
        path: PathBuf,
        #[serde(default)]
        overwrite: bool,
    },

    /// Saves the project: where it is, or as `path` (`….nunatak`), where it then goes on. A
    /// project that is replaced stays beside it under another name.
    SaveProject {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<PathBuf>,
        #[serde(default)]
        overwrite: bool,
        /// Where the map looks; as before where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        view: Option<ProjectView>,
    },
    /// Opens a project's folder, or a packed one, in place of what is open.
    OpenProject {
        path: PathBuf,
        #[serde(default)]
        access: ProjectAccess,
    },
    /// Empties the session. The project has every step in its journal.
    CloseProject,
    /// Looks in a folder for scenes of the project that are missing, by their content; a file is
    /// taken for the scene of its size.
    RelinkScenes {
        folder: PathBuf,
    },
    ListVersions,
    /// Classes, references and labels as an earlier save has them: one step.
    RestoreVersion {
        save: u64,
    },
    /// The project as one file, for sending.
    PackProject {
        out: PathBuf,
        #[serde(default)]
        with_scenes: bool,
        #[serde(default)]
        overwrite: bool,
    },
    UnpackProject {
        archive: PathBuf,
        into: PathBuf,
    },
    /// Reads every part of a project without opening it.
    VerifyProject {
        path: PathBuf,
    },
    /// Removes work of an earlier session that nobody named.
    DiscardUnsaved {
        path: PathBuf,
    },

    RemoveLayer {
        layer: LayerId,
    },
    /// `to` counts from the bottom.
    MoveLayer {
        layer: LayerId,
        to: usize,
    },
    RenameLayer {
        layer: LayerId,
        name: String,
    },
    SetVisible {
        layer: LayerId,
        visible: bool,
    },
    /// In [0, 1].
    SetOpacity {
        layer: LayerId,
        opacity: f32,
    },
    SetBlend {
        layer: LayerId,
        blend: Blend,
    },
    SetStyle {
        layer: LayerId,
        style: Style,
    },
    /// Computes the limits of the layer's stretch anew (in the background) and sets them.
    Stretch {
        layer: LayerId,
        method: StretchMethod,
        #[serde(default)]
        extent: StretchExtent,
    },
    /// Adds a layer that shows the prior of a scene against the session's references.
    ShowPrior {
        scene: SceneId,
    },

    /// Adds a layer of the classes of a scene's pixels by the session's references, which follows
    /// them; `sf-cnm` is `ShowPrior`.
    ShowClasses {
        scene: SceneId,
        method: ClassifyMethod,
    },
    /// Adds a layer of a spectral index, by its id in the catalogue or as a formula over bands.
    AddIndex {
        scene: SceneId,
        formula: String,
        #[serde(default)]
        name: Option<String>,
    },

    /// Compares a map with a truth on the map's grid; the answer follows label layers.
    Judge(JudgeRequest),
    /// Writes the newest comparison as a page and as a table.
    SaveJudgement {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<PathBuf>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        csv: Option<PathBuf>,
        #[serde(default)]
        overwrite: bool,
    },

    SetDevice {
        device: DeviceChoice,
    },
    Info {
        path: PathBuf,
        #[serde(default)]
        statistics: bool,
    },
    Predict(PredictConfig),
    /// Predict and explain an open scene with the session's model and put class map,
    /// attention, Grad-CAM and probabilities on the map; files go to the session's folder.
    PredictLayer {
        scene: SceneId,
        #[serde(default)]
        class: Option<usize>,
        /// Scene band for each band of the model (0-based); `None` takes them in order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bands: Option<Vec<usize>>,
    },
    /// Grad-CAM of a pixel or a part of an open scene with the session's model, put on the map;
    /// the fields mean what they mean in `Explain`.
    ExplainLayer {
        scene: SceneId,
        #[serde(default)]
        class: Option<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<PixelRect>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pixel: Option<[usize; 2]>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bands: Option<Vec<usize>>,
    },
    /// A small PNG of a layer as it is drawn, quietly: nothing is said where it fails.
    Thumbnail {
        layer: LayerId,
        out: PathBuf,
    },
    Explain(ExplainConfig),
    Prior(PriorConfig),
    Polygonize(PolygonizeConfig),
    Render(RenderConfig),
    Convert(ConvertConfig),
    Classify(ClassifyConfig),
    Separability(SeparabilityConfig),
    Index(IndexConfig),
    Accuracy(AccuracyConfig),
    /// Draws a stratified random sample of a class map.
    Sample(SampleConfig),
    Sieve(SieveConfig),
    /// Reports what is in a library of spectra.
    ShowSpectra {
        path: PathBuf,
    },
    ConvertSpectra(ConvertSpectraConfig),
    /// Makes an output again from its recipe and compares the two.
    Replay(ReplayConfig),
    /// Writes the session's model as safetensors with its record.
    ExportModel {
        path: PathBuf,
        #[serde(default)]
        overwrite: bool,
    },
    CancelJob {
        job: JobId,
    },
}

/// Changes of the reference set; the prior follows at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReferenceEdit {
    Add {
        reference: SpectralReference,
    },
    Remove {
        index: usize,
    },
    Replace {
        index: usize,
        reference: SpectralReference,
    },
    /// Factor on the threshold, > 0.
    SetWeight {
        index: usize,
        weight: f64,
    },
    SetEnabled {
        index: usize,
        enabled: bool,
    },
    Clear,
}

impl ReferenceEdit {
    /// For the history.
    pub(crate) fn title(&self, set: &ReferenceSet) -> String {
        let name = |index: usize| set.references.get(index).map_or("reference", |reference| reference.name.as_str());
        match self {
            Self::Add { reference } => format!("Add reference {}", reference.name),
            Self::Remove { index } => format!("Remove reference {}", name(*index)),
            Self::Replace { index, .. } => format!("Change reference {}", name(*index)),
            Self::SetWeight { index, .. } => format!("Weight of {}", name(*index)),
            Self::SetEnabled { index, enabled: true } => format!("Switch {} on", name(*index)),
            Self::SetEnabled { index, enabled: false } => format!("Switch {} off", name(*index)),
            Self::Clear => "Clear the references".to_owned(),
        }
    }
}

/// Which pixels statistics are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StretchExtent {
    /// Stored statistics, or a bounded sample of the whole raster.
    #[default]
    Whole,
    /// This part of the map, in the map's CRS.
    View { bounds: GeoBounds },
}

/// Why a command was refused; nothing has changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(pub String);

#[cfg(test)]
mod tests {
    use nunatak_domain::class::{ClassId, ClassScheme, Rgb};
    use nunatak_domain::job::{Connectivity, PictureReferences, PictureSwipe, PredictMode, SimilarityMode};
    use nunatak_domain::model::Normalisation;
    use nunatak_domain::style::Stretch;

    use super::*;
    use crate::judging::{HeldOut, JudgeTruth};
    use crate::sampling::SampleMode;

    /// One of each, with as many fields set as there are.
    fn every_command() -> Vec<Command> {
        let (layer, scene) = (LayerId(3), SceneId(2));
        let reference = SpectralReference {
            class: Some(ClassId(4)),
            weight: 1.5,
            ..SpectralReference::new("firn", Rgb([1, 2, 3]), vec![0.25, 0.5])
        };
        let stretch = Stretch { min: -1.0, max: 2.5, gamma: 1.2 };
        let styles = [
            Style::Rgb { bands: [3, 2, 1], stretch: [stretch; 3], method: StretchMethod::Sigma { n: 2.0 } },
            Style::Colormap {
                band: 0,
                stretch,
                method: StretchMethod::PERCENT_2_98,
                colormap: nunatak_domain::colormap::ColormapName::Turbo,
            },
            Style::Classes { band: 0, scheme: ClassScheme::numbered(3) },
        ];
        let edits = [
            ReferenceEdit::Add { reference: reference.clone() },
            ReferenceEdit::Remove { index: 1 },
            ReferenceEdit::Replace { index: 1, reference: reference.clone() },
            ReferenceEdit::SetWeight { index: 0, weight: 2.0 },
            ReferenceEdit::SetEnabled { index: 0, enabled: false },
            ReferenceEdit::Clear,
        ];
        let bounds = GeoBounds { min_x: -1.0, min_y: 2.0, max_x: 3.0, max_y: 4.5 };
        let jobs = [
            Command::Predict(PredictConfig {
                model: "m.safetensors".into(),
                raster: "a.tif".into(),
                out: "c.tif".into(),
                probabilities: Some("p.tif".into()),
                margin: Some("m.tif".into()),
                entropy: Some("e.tif".into()),
                mode: PredictMode::Compat,
                device: DeviceChoice::Gpu(Some(1)),
                tile_px: Some(128),
                bands: Some(vec![2, 1, 0]),
                cog: true,
                resume: true,
                overwrite: true,
            }),
            Command::Explain(ExplainConfig {
                model: "m.pth".into(),
                raster: "a.tif".into(),
                out_dir: "out".into(),
                class: Some(2),
                window: Some(PixelRect::new(1, 2, 3, 4)),
                pixel: Some([2, 3]),
                bands: Some(vec![0]),
                device: DeviceChoice::Cpu,
                overwrite: true,
            }),
            Command::Prior(PriorConfig {
                references: "r.csv".into(),
                raster: "a.tif".into(),
                out: "s.tif".into(),
                classes: Some("c.tif".into()),
                mode: SimilarityMode::Compat,
                normalisation: Some(Normalisation::ScaleOffset { scale: vec![0.5; 2], offset: vec![0.0; 2] }),
                bands: Some(vec![1, 0]),
                overwrite: true,
            }),
            Command::Polygonize(PolygonizeConfig {
                raster: "c.tif".into(),
                out: "c.gpkg".into(),
                connectivity: Connectivity::Eight,
                min_area: 900.0,
                small: nunatak_domain::job::SmallPolygons::Drop,
                simplify: 15.0,
                classes: Some(vec![1, 2]),
                overwrite: true,
            }),
            Command::Render(RenderConfig {
                rasters: vec!["a.tif".into(), "c.tif".into()],
                out: "o.png".into(),
                width_px: 1200,
                height_px: 800,
                bbox: Some(bounds),
                crs: Some("EPSG:32633".to_owned()),
                bands: Some(vec![3, 2, 1]),
                overlay_opacity: 0.5,
                looks: Vec::new(),
                references: Some(PictureReferences {
                    references: vec![reference.clone()],
                    bands: vec!["nir".to_owned()],
                    normalisation: None,
                }),
                swipe: Some(PictureSwipe { at: 0.5, raster: 1 }),
                overwrite: true,
            }),
            Command::Convert(ConvertConfig {
                raster: "a.tif".into(),
                out: "b.tif".into(),
                cog: true,
                bands: Some(vec![0]),
                overwrite: true,
            }),
        ];
        let plain = [
            Command::OpenScene { path: "a.tif".into() },
            Command::OpenModel { path: "m.pth".into() },
            Command::OpenReferences { path: "r.csv".into() },
            Command::UseModelReferences,
            Command::SaveReferences { path: "r.csv".into(), overwrite: true },
            Command::RemoveLayer { layer },
            Command::MoveLayer { layer, to: 2 },
            Command::RenameLayer { layer, name: "Ice".to_owned() },
            Command::SetVisible { layer, visible: false },
            Command::SetOpacity { layer, opacity: 0.25 },
            Command::SetBlend { layer, blend: Blend::Multiply },
            Command::Stretch { layer, method: StretchMethod::MinMax, extent: StretchExtent::Whole },
            Command::Stretch { layer, method: StretchMethod::Manual, extent: StretchExtent::View { bounds } },
            Command::ShowPrior { scene },
            Command::ShowClasses { scene, method: ClassifyMethod::MaxLikelihood },
            Command::AddIndex { scene, formula: "(b2 - b1) / b1".to_owned(), name: Some("Ratio".to_owned()) },
            Command::OpenSpectra { path: "a.sli".into() },
            Command::ImportSpectra {
                path: "a.sli".into(),
                scene,
                pick: vec![2, 0],
                method: Resampling::Nearest { tolerance_nm: 10.0 },
            },
            Command::SampleReference(SampleRequest {
                scene,
                reference: Some(1),
                gesture: Gesture::Rectangle { from: PixelPos::new(1.0, 2.0), to: PixelPos::new(3.0, 4.0) },
                mode: SampleMode::Erase,
                name: Some("Ice".to_owned()),
                class: Some(ClassId(4)),
            }),
            Command::Judge(JudgeRequest {
                truth: JudgeTruth::File { path: "t.gpkg".into(), field: Some("class".to_owned()) },
                map: layer,
                held_out: Some(HeldOut { block_px: 64, share: 0.25, seed: 7 }),
                area_adjusted: true,
            }),
            Command::SaveJudgement { html: Some("a.html".into()), csv: Some("a.csv".into()), overwrite: true },
            Command::SetDevice { device: DeviceChoice::Gpu(None) },
            Command::Info { path: "a.tif".into(), statistics: true },
            Command::PredictLayer { scene, class: Some(1), bands: Some(vec![3, 2]) },
            Command::ExplainLayer {
                scene,
                class: Some(1),
                window: Some(PixelRect::new(1, 2, 3, 4)),
                pixel: Some([2, 3]),
                bands: Some(vec![3, 2]),
            },
            Command::Thumbnail { layer, out: "t.png".into() },
            Command::ExportModel { path: "m.safetensors".into(), overwrite: true },
            Command::AddLabels { scene, name: Some("Ice".to_owned()) },
            Command::RemoveLabels { labels: LabelsId(2) },
            Command::RenameLabels { labels: LabelsId(2), name: "Firn".to_owned() },
            Command::DuplicateLabels { labels: LabelsId(2) },
            Command::Paint {
                labels: LabelsId(2),
                gesture: Gesture::Rectangle { from: PixelPos::new(0.25, 1.5), to: PixelPos::new(9.0, 8.0) },
                rule: PaintRule { class: Some(ClassId(4)), onto: nunatak_domain::label::Target::Unlabelled },
            },
            Command::BeginStroke {
                labels: LabelsId(2),
                brush: Brush::default(),
                rule: PaintRule { class: Some(ClassId(4)), onto: nunatak_domain::label::Target::Unlabelled },
                at: PixelPos::new(3.5, 4.25),
            },
            Command::ExtendStroke { positions: vec![PixelPos::new(5.0, 6.0)] },
            Command::EndStroke,
            Command::AbortStroke,
            Command::FilterLabels { labels: LabelsId(2), filter: LabelFilter::Majority { size_px: 3 } },
            Command::EditClasses { edit: ClassEdit::Merge { id: ClassId(1), into: ClassId(2) } },
            Command::Undo,
            Command::Redo,
            Command::GoToStep { position: 3 },
            Command::CancelJob { job: JobId(7) },
        ];
        let styled = styles.into_iter().map(|style| Command::SetStyle { layer, style });
        let edited = edits.into_iter().map(|edit| Command::EditReferences { edit });
        plain.into_iter().chain(styled).chain(edited).chain(jobs).collect()
    }

    #[test]
    fn every_command_survives_a_script_line() {
        for command in every_command() {
            let line = serde_json::to_string(&command).expect("a line");

            let back: Command = serde_json::from_str(&line).expect("a command");

            assert_eq!(command, back, "{line}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn what_may_be_left_out_has_a_default() {
        let short: Command =
            serde_json::from_str(r#"{"command":"stretch","layer":1,"method":{"kind":"percentile","low":1,"high":99}}"#)
                .expect("a command");
        let Command::Stretch { extent, .. } = short else { panic!("a stretch") };
        assert_eq!(extent, StretchExtent::Whole);
        assert!(serde_json::from_str::<Command>(r#"{"command":"fly"}"#).is_err());
    }
}
