//! Predicts and explains an open scene and puts the results on the map.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::job::{DeviceChoice, PredictConfig, PredictMode};
use nunatak_domain::layer::LayerRole;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::style::{Stretch, StretchMethod, Style};
use nunatak_jobs::{JobError, Monitor};
use nunatak_ml::explain::ExplainOptions;

use super::explain::{Files, class_label, explain_files, target_class};
use super::predict::{counted, open_both, predict_files};
use super::{Compute, Done, Facts, Part, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;
use crate::event::JobReport;
use crate::layers::NewLayer;

/// What the session knew when it was asked.
pub(crate) struct Request {
    pub(crate) scene: SceneInfo,
    pub(crate) model: PathBuf,
    pub(crate) class: Option<usize>,
    /// Empty, the session's own.
    pub(crate) folder: PathBuf,
    pub(crate) device: DeviceChoice,
}

/// Share of the progress bar that prediction takes; Grad-CAM walks the scene two times more.
const PREDICT_SHARE: f32 = 0.35;

pub(crate) fn run(compute: &mut Compute, request: &Request, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let (model, mut source) = open_both(&request.model, &request.scene.path, None, monitor)?;
    let class = target_class(&model, request.class)?;
    let engine = compute.engine(request.device)?;
    let file = |name: &str| request.folder.join(name);
    let config = PredictConfig {
        model: request.model.clone(),
        raster: request.scene.path.clone(),
        out: file("class.tif"),
        probabilities: Some(file("probabilities.tif")),
        margin: None,
        entropy: Some(file("entropy.tif")),
        mode: PredictMode::Exact,
        device: request.device,
        tile_px: 256,
        bands: None,
        cog: false,
        resume: false,
        overwrite: true,
    };
    let command = Command::Predict(config.clone());
    let mut recipe = recipe(&command, &[("model", &config.model), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("device".to_owned(), engine.describe().into());

    let part = Part { monitor, from: 0.0, to: PREDICT_SHARE, what: "class map" };
    let result = predict_files(engine, &model, &mut source, &config, recipe.clone(), &part);
    let (mut outputs, report) = unless_cancelled(monitor, result)?;
    recipe.facts.insert("gradcam_class".to_owned(), class_label(&model, class).into());
    let files = Files { class: None, attention: file("attention.tif"), gradcam: file("gradcam.tif"), overwrite: true };
    let options = ExplainOptions { class, ..ExplainOptions::default() };
    let part = Part { monitor, from: PREDICT_SHARE, to: 1.0, what: "explanation" };
    let result = explain_files(engine, &model, &mut source, &files, &options, &recipe, &part);
    outputs.extend(unless_cancelled(monitor, result)?.0);

    let facts = Facts::default()
        .with("device", engine.describe())
        .with("classes", counted(&model.record, &report.counts))
        .with("nodata_px", report.n_nodata)
        .with("gradcam_class", class_label(&model, class))
        .with("tiles", report.n_windows)
        .with("seconds", seconds(start));
    let classes = &model.record.classes.classes;
    let target = classes.get(class).map_or_else(|| format!("class {class}"), |class| class.name.clone());
    let of = source.info().name();
    let heat =
        |name: &str, role, colormap| Look { name: format!("{name} – {of}"), role, colormap: Some(colormap), band: 0 };
    let looks = [
        ("gradcam.tif", heat(&format!("Grad-CAM of {target}"), LayerRole::GradCam, ColormapName::Turbo)),
        ("attention.tif", heat("Attention", LayerRole::Attention, ColormapName::Inferno)),
        ("entropy.tif", heat("Entropy", LayerRole::Entropy, ColormapName::Magma)),
        (
            "probabilities.tif",
            Look { band: class, ..heat("Probabilities", LayerRole::Probabilities, ColormapName::Viridis) },
        ),
        ("class.tif", Look { name: format!("Class map – {of}"), role: LayerRole::ClassMap, colormap: None, band: 0 }),
    ];
    let layers = looks.into_iter().map(|(name, look)| look.layer(&file(name))).collect::<Result<_, _>>()?;
    Ok(Done::Layers { report: JobReport { outputs, facts: facts.0, info: None }, layers })
}

/// How a result is shown.
struct Look {
    name: String,
    role: LayerRole,
    /// `None` for class maps.
    colormap: Option<ColormapName>,
    band: usize,
}

impl Look {
    /// The class map is shown at once, the rest waits in the list.
    fn layer(self, path: &Path) -> Result<(SceneInfo, NewLayer), JobError> {
        let info = nunatak_io::describe(path).map_err(io_error)?;
        let style = match self.colormap {
            Some(colormap) => {
                Style::Colormap { band: self.band, stretch: Stretch::UNIT, method: StretchMethod::Manual, colormap }
            }
            None => Style::initial(&info),
        };
        let visible = self.role == LayerRole::ClassMap;
        Ok((info, NewLayer { name: self.name, style, role: self.role, visible, opacity: 1.0 }))
    }
}
