//! The line of a POSIX shell that does the same as a command: "copy as command".
//!
//! Bands are counted from 1 on the command line, as GDAL's tools do.

use std::path::{Path, PathBuf};

use nunatak_domain::job::{
    Connectivity, ConvertConfig, DeviceChoice, ExplainConfig, PolygonizeConfig, PredictConfig, PredictMode,
    PriorConfig, RenderConfig, SimilarityMode,
};
use nunatak_domain::layer::SceneId;

use crate::command::Command;

/// What a line needs to know of the session.
pub(crate) struct Context<'a> {
    /// The file of a scene.
    pub(crate) scene: &'a dyn Fn(SceneId) -> Option<PathBuf>,
    pub(crate) model: Option<&'a Path>,
    pub(crate) device: DeviceChoice,
}

/// `None` where the command line has no such verb (layers, styles, the session's own state).
pub(crate) fn shell_line(command: &Command, context: &Context<'_>) -> Option<String> {
    let line = match command {
        Command::Info { path, statistics } => Line::new("info").path(path).flag("--stats", *statistics),
        Command::Predict(config) => predict(config),
        Command::Explain(config) => explain(config),
        // The session's own files have no name: on the command line they go to a folder.
        Command::PredictLayer { scene, class } => explain(&ExplainConfig {
            model: context.model?.to_owned(),
            raster: (context.scene)(*scene)?,
            out_dir: "explained".into(),
            class: *class,
            window: None,
            bands: None,
            device: context.device,
            overwrite: false,
        }),
        // Factors have no option: they belong to a model's references.
        Command::Prior(config) if config.normalisation.is_some() => return None,
        Command::Prior(config) => prior(config),
        Command::Polygonize(config) => polygonize(config),
        Command::Render(config) => render(config)?,
        Command::Convert(config) => convert(config),
        _ => return None,
    };
    Some(line.0)
}

fn predict(config: &PredictConfig) -> Line {
    Line::new("predict")
        .path(&config.model)
        .path(&config.raster)
        .path(&config.out)
        .path_option("--probabilities", config.probabilities.as_deref())
        .path_option("--margin", config.margin.as_deref())
        .path_option("--entropy", config.entropy.as_deref())
        .option("--mode", (config.mode == PredictMode::Compat).then(|| "compat".to_owned()))
        .device(config.device)
        .option("--tile", (config.tile_px != 256).then(|| config.tile_px.to_string()))
        .bands(config.bands.as_deref())
        .flag("--cog", config.cog)
        .flag("--resume", config.resume)
        .flag("--overwrite", config.overwrite)
}

fn explain(config: &ExplainConfig) -> Line {
    let window = config.window.map(|w| format!("{},{},{},{}", w.col, w.row, w.width, w.height));
    Line::new("explain")
        .path(&config.model)
        .path(&config.raster)
        .path(&config.out_dir)
        .option("--class", config.class.map(|class| class.to_string()))
        .option("--window", window)
        .bands(config.bands.as_deref())
        .device(config.device)
        .flag("--overwrite", config.overwrite)
}

fn prior(config: &PriorConfig) -> Line {
    Line::new("prior")
        .path(&config.references)
        .path(&config.raster)
        .path(&config.out)
        .path_option("--classes", config.classes.as_deref())
        .option("--mode", (config.mode == SimilarityMode::Compat).then(|| "compat".to_owned()))
        .bands(config.bands.as_deref())
        .flag("--overwrite", config.overwrite)
}

fn polygonize(config: &PolygonizeConfig) -> Line {
    let classes = config.classes.as_ref().map(|ids| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    Line::new("polygonize")
        .path(&config.raster)
        .path(&config.out)
        .option("--connectivity", (config.connectivity == Connectivity::Eight).then(|| "8".to_owned()))
        .option("--min-area", (config.min_area != 0.0).then(|| config.min_area.to_string()))
        .option("--simplify", (config.simplify != 0.0).then(|| config.simplify.to_string()))
        .option("--classes", classes)
        .flag("--overwrite", config.overwrite)
}

fn render(config: &RenderConfig) -> Option<Line> {
    let (first, overlays) = config.rasters.split_first()?;
    // `=` because a western or southern corner begins with a minus sign.
    let bbox = config.bbox.map(|b| format!("--bbox={},{},{},{}", b.min_x, b.min_y, b.max_x, b.max_y));
    let line = Line::new("render")
        .path(first)
        .path(&config.out)
        .option("--size", Some(format!("{}x{}", config.width_px, config.height_px)))
        .flag(bbox.as_deref().unwrap_or_default(), bbox.is_some())
        .option("--crs", config.crs.clone())
        .bands(config.bands.as_deref());
    let opacity = (config.overlay_opacity != 1.0).then(|| config.overlay_opacity.to_string());
    let line = overlays.iter().fold(line, |line, overlay| line.path_option("--overlay", Some(overlay)));
    Some(line.option("--overlay-opacity", opacity).flag("--overwrite", config.overwrite))
}

fn convert(config: &ConvertConfig) -> Line {
    Line::new("convert")
        .path(&config.raster)
        .path(&config.out)
        .flag("--cog", config.cog)
        .bands(config.bands.as_deref())
        .flag("--overwrite", config.overwrite)
}

/// A command line that grows.
struct Line(String);

impl Line {
    fn new(verb: &str) -> Self {
        Self(format!("nunatak {verb}"))
    }

    fn word(mut self, word: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&quoted(word));
        self
    }

    /// A file whose name begins with `-` must not be read as an option.
    fn path(self, path: &Path) -> Self {
        let text = path.to_string_lossy();
        if text.starts_with('-') { self.word(&format!("./{text}")) } else { self.word(&text) }
    }

    fn flag(self, name: &str, set: bool) -> Self {
        if set { self.word(name) } else { self }
    }

    fn option(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.word(name).word(&value),
            None => self,
        }
    }

    fn path_option(self, name: &str, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.word(name).path(path),
            None => self,
        }
    }

    fn bands(self, bands: Option<&[usize]>) -> Self {
        self.option(
            "--bands",
            bands.map(|bands| bands.iter().map(|band| (band + 1).to_string()).collect::<Vec<_>>().join(",")),
        )
    }

    fn device(self, device: DeviceChoice) -> Self {
        self.option("--device", (device != DeviceChoice::Auto).then(|| device.to_string()))
    }
}

/// Quoted for a POSIX shell where that is needed.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use nunatak_domain::geo::GeoBounds;
    use nunatak_domain::grid::PixelRect;

    use super::*;

    fn shell_line(command: &Command) -> Option<String> {
        let scene = |_: SceneId| Some(PathBuf::from("a scene.tif"));
        let model = Some(Path::new("m.pth"));
        super::shell_line(command, &Context { scene: &scene, model, device: DeviceChoice::Cpu })
    }

    fn line(json: &str) -> String {
        let command: Command = serde_json::from_str(json).expect("a command");
        shell_line(&command).expect("a line")
    }

    #[test]
    fn defaults_are_left_out() {
        assert_eq!(
            line(r#"{"command":"predict","model":"m.pth","raster":"a.tif","out":"o.tif"}"#),
            "nunatak predict m.pth a.tif o.tif"
        );
        assert_eq!(line(r#"{"command":"info","path":"a.tif"}"#), "nunatak info a.tif");
    }

    #[test]
    fn every_option_of_predict_is_said() {
        let config = PredictConfig {
            model: "m.safetensors".into(),
            raster: "a.tif".into(),
            out: "o.tif".into(),
            probabilities: Some("p.tif".into()),
            margin: Some("m.tif".into()),
            entropy: Some("e.tif".into()),
            mode: PredictMode::Compat,
            device: DeviceChoice::Gpu(Some(1)),
            tile_px: 128,
            bands: Some(vec![2, 1, 0]),
            cog: true,
            resume: true,
            overwrite: true,
        };

        assert_eq!(
            shell_line(&Command::Predict(config)).as_deref(),
            Some(
                "nunatak predict m.safetensors a.tif o.tif --probabilities p.tif --margin m.tif --entropy e.tif \
                 --mode compat --device gpu:1 --tile 128 --bands 3,2,1 --cog --resume --overwrite"
            )
        );
    }

    #[test]
    fn names_are_quoted_for_a_posix_shell() {
        assert_eq!(
            line(r#"{"command":"info","path":"it's a scene.tif","statistics":true}"#),
            r"nunatak info 'it'\''s a scene.tif' --stats"
        );
        assert_eq!(line(r#"{"command":"info","path":"-o.tif"}"#), "nunatak info ./-o.tif");
        assert_eq!(line(r#"{"command":"info","path":"$HOME.tif"}"#), "nunatak info '$HOME.tif'");
    }

    #[test]
    fn the_other_verbs_follow_their_forms() {
        let explain = Command::Explain(ExplainConfig {
            model: "m.pth".into(),
            raster: "a.tif".into(),
            out_dir: "out".into(),
            class: Some(2),
            window: Some(PixelRect::new(1, 2, 3, 4)),
            bands: None,
            device: DeviceChoice::Cpu,
            overwrite: false,
        });
        let render = Command::Render(RenderConfig {
            rasters: vec!["a.tif".into(), "c.tif".into(), "d.tif".into()],
            out: "o.png".into(),
            width_px: 1200,
            height_px: 800,
            bbox: Some(GeoBounds { min_x: -10.5, min_y: 0.0, max_x: 1.0, max_y: 2.0 }),
            crs: Some("EPSG:32633".to_owned()),
            bands: Some(vec![3, 2, 1]),
            overlay_opacity: 0.5,
            looks: Vec::new(),
            overwrite: false,
        });

        assert_eq!(
            shell_line(&explain).as_deref(),
            Some("nunatak explain m.pth a.tif out --class 2 --window 1,2,3,4 --device cpu")
        );
        assert_eq!(
            shell_line(&render).as_deref(),
            Some(
                "nunatak render a.tif o.png --size 1200x800 --bbox=-10.5,0,1,2 --crs EPSG:32633 --bands 4,3,2 \
                 --overlay c.tif --overlay d.tif --overlay-opacity 0.5"
            )
        );
        assert_eq!(
            line(
                r#"{"command":"polygonize","raster":"c.tif","out":"o.shp","connectivity":"8","min_area":900,"simplify":2.5,"classes":[1,2]}"#
            ),
            "nunatak polygonize c.tif o.shp --connectivity 8 --min-area 900 --simplify 2.5 --classes 1,2"
        );
        assert_eq!(
            line(
                r#"{"command":"prior","references":"r.csv","raster":"a.tif","out":"o.tif","classes":"c.tif","mode":"compat"}"#
            ),
            "nunatak prior r.csv a.tif o.tif --classes c.tif --mode compat"
        );
        assert_eq!(
            line(r#"{"command":"convert","raster":"a.tif","out":"o.tif","cog":true,"bands":[0]}"#),
            "nunatak convert a.tif o.tif --cog --bands 1"
        );
    }

    #[test]
    fn what_only_a_session_knows_has_no_line() {
        assert_eq!(shell_line(&Command::UseModelReferences), None);
    }

    #[test]
    fn predicting_a_layer_is_explaining_its_file() {
        assert_eq!(
            line(r#"{"command":"predict_layer","scene":3,"class":1}"#),
            "nunatak explain m.pth 'a scene.tif' explained --class 1 --device cpu"
        );
    }
}
