//! Predicts and explains an open scene and puts the results on the map.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{DeviceChoice, ExplainConfig, PredictConfig, PredictMode};
use nunatak_domain::layer::LayerRole;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::style::{Stretch, StretchMethod, Style};
use nunatak_jobs::{JobError, Monitor};
use nunatak_ml::explain::ExplainOptions;

use super::explain::{Files, class_label, explain_files, explained_class, target_class};
use super::predict::{counted, counts_of, open_both, predict_files};
use super::{Compute, Done, Facts, Part, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;
use crate::event::JobReport;
use crate::layers::NewLayer;
use crate::work_dir::Fresh;

/// What the session knew when it was asked.
pub(crate) struct Request {
    pub(crate) scene: SceneInfo,
    pub(crate) model: PathBuf,
    pub(crate) target: Target,
    /// The session's own; a run that was stopped may have left a part of its class map there.
    pub(crate) folder: Fresh,
    pub(crate) device: DeviceChoice,
}

/// What of the scene is explained, and from which bands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) class: Option<usize>,
    pub(crate) bands: Option<Vec<usize>>,
    pub(crate) window: Option<PixelRect>,
    pub(crate) pixel: Option<[usize; 2]>,
    /// The rest is on the map already.
    pub(crate) only_gradcam: bool,
}

impl Target {
    /// The same on the command line, into a folder of a general name.
    pub(crate) fn as_explain(&self, model: &Path, raster: &Path, device: DeviceChoice) -> ExplainConfig {
        ExplainConfig {
            model: model.to_owned(),
            raster: raster.to_owned(),
            out_dir: "explained".into(),
            class: self.class,
            window: self.window,
            pixel: self.pixel,
            bands: self.bands.clone(),
            device,
            overwrite: false,
        }
    }
}

/// Share of the progress bar that prediction takes; Grad-CAM walks the scene two times more.
const PREDICT_SHARE: f32 = 0.35;

pub(crate) fn run(compute: &mut Compute, request: &Request, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    if request.target.only_gradcam {
        return gradcam(compute, request, monitor);
    }
    let bands = &request.target.bands;
    let (model, mut source) = open_both(&request.model, &request.scene.path, bands.as_deref(), monitor)?;
    let class = target_class(&model, request.target.class)?;
    let engine = compute.engine(request.device)?;
    let folder = request.folder.make().map_err(Notice::error)?;
    let file = |name: &str| folder.join(name);
    let config = PredictConfig {
        model: request.model.clone(),
        raster: request.scene.path.clone(),
        out: file("class.tif"),
        probabilities: Some(file("probabilities.tif")),
        margin: None,
        entropy: Some(file("entropy.tif")),
        mode: PredictMode::Exact,
        device: request.device,
        tile_px: None,
        bands: bands.clone(),
        cog: false,
        resume: true,
        overwrite: true,
    };
    let command = Command::Predict(config.clone());
    let mut recipe = recipe(&command, &[("model", &config.model), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("device".to_owned(), engine.describe().into());

    let part = Part { monitor, from: 0.0, to: PREDICT_SHARE, what: "class map" };
    let (mut outputs, report) = if finished(&config, &recipe) {
        (Vec::new(), counts_of(&config.out, &model.record, monitor)?)
    } else {
        let result = predict_files(engine, &model, &mut source, &config, recipe.clone(), &part);
        unless_cancelled(monitor, result)?
    };
    recipe.facts.insert("gradcam_class".to_owned(), class_label(&model, class).into());
    let files =
        Files { class: None, attention: Some(file("attention.tif")), gradcam: file("gradcam.tif"), overwrite: true };
    let tile_px = model.record.tile.side_px();
    let options = ExplainOptions { class, bands: bands.clone(), tile_px, ..ExplainOptions::default() };
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

/// An earlier run of the same recipe was stopped after its class map.
fn finished(config: &PredictConfig, recipe: &Recipe) -> bool {
    let rest = [&config.probabilities, &config.entropy];
    rest.into_iter().flatten().all(|path| path.exists())
        && config.out.exists()
        && nunatak_io::read_recipe(&config.out).is_ok_and(|found| found.as_ref() == Some(recipe))
}

/// Grad-CAM of a pixel or a part of the scene, as one layer.
fn gradcam(compute: &mut Compute, request: &Request, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let Target { bands, window, pixel, .. } = request.target.clone();
    let (model, mut source) = open_both(&request.model, &request.scene.path, bands.as_deref(), monitor)?;
    let engine = compute.engine(request.device)?;
    let folder = request.folder.make().map_err(Notice::error)?;
    let explain = request.target.as_explain(&request.model, &request.scene.path, request.device);
    let config = ExplainConfig { out_dir: folder.clone(), overwrite: true, ..explain };
    let class = explained_class(engine, &model, &mut source, &config)?;
    let command = Command::Explain(config.clone());
    let mut recipe = recipe(&command, &[("model", &config.model), ("raster", &config.raster)], monitor)?;
    recipe.facts.insert("device".to_owned(), engine.describe().into());
    recipe.facts.insert("gradcam_class".to_owned(), class_label(&model, class).into());
    let path = folder.join("gradcam.tif");
    let files = Files { class: None, attention: None, gradcam: path.clone(), overwrite: true };
    let tile_px = model.record.tile.side_px();
    let options = ExplainOptions { class, pixel, area: window, bands, tile_px };
    let result = explain_files(engine, &model, &mut source, &files, &options, &recipe, monitor);
    let (outputs, _) = unless_cancelled(monitor, result)?;

    let facts = Facts::default()
        .with("device", engine.describe())
        .with("gradcam_class", class_label(&model, class))
        .with("seconds", seconds(start));
    let name = model.record.classes.classes.get(class).map_or_else(|| class.to_string(), |class| class.name.clone());
    let of = request.scene.name();
    let place = match (pixel, window) {
        (Some([col, row]), _) => format!(" at {col}, {row}"),
        (None, Some(part)) => format!(" in {} × {} px", part.width, part.height),
        (None, None) => String::new(),
    };
    let name = format!("Grad-CAM of {name}{place} – {of}");
    let (info, layer) =
        Look { name, role: LayerRole::GradCam, colormap: Some(ColormapName::Turbo), band: 0 }.layer(&path)?;
    let layers = vec![(info, NewLayer { visible: true, opacity: 0.7, ..layer })];
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
