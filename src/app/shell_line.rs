//! What does the same as a command in a POSIX shell: "copy as command". A line where a verb's
//! options can say it all, else a script of commands that `nunatak run -` reads.
//!
//! Bands are counted from 1 on the command line, as GDAL's tools do.

use std::path::{Path, PathBuf};

use nunatak_domain::job::{
    Connectivity, ConvertConfig, DeviceChoice, ExplainConfig, PolygonizeConfig, PredictConfig, PredictMode,
    PriorConfig, RenderConfig, SimilarityMode, SmallPolygons,
};
use nunatak_domain::layer::{LayerId, LayerRole, SceneId};
use nunatak_domain::spectra::ReferenceSet;

use crate::analysis_lines::analysis_line;
use crate::command::{Command, ReferenceEdit};
use crate::results::Origin;

/// What a line needs to know of the session.
pub(crate) struct Context<'a> {
    /// The file of a scene.
    pub(crate) scene: &'a dyn Fn(SceneId) -> Option<PathBuf>,
    pub(crate) model: Option<&'a Path>,
    pub(crate) device: DeviceChoice,
    /// The file of a layer's scene.
    pub(crate) layer: &'a dyn Fn(LayerId) -> Option<PathBuf>,
    pub(crate) references: &'a ReferenceSet,
    /// The references came with the model and are on its scale.
    pub(crate) model_scale: bool,
    /// The session's own file, which is gone with it.
    pub(crate) keeps: &'a dyn Fn(&Path) -> bool,
    /// What makes such a file again.
    pub(crate) origin: &'a dyn Fn(&Path) -> Option<Origin>,
}

/// `None` for what only makes sense in the session (order of layers, jobs). A command that reads
/// one of the session's own files begins with what makes that file.
pub(crate) fn shell_line(command: &Command, context: &Context<'_>) -> Option<String> {
    let mut steps = Steps::default();
    let command = steps.portable(command, context)?;
    let last = one_line(&command, context)?;
    Some(steps.lines().chain([last]).collect::<Vec<_>>().join(" && "))
}

fn one_line(command: &Command, context: &Context<'_>) -> Option<String> {
    let line = match command {
        Command::Info { path, statistics } => Line::new("info").path(path).flag("--stats", *statistics),
        Command::Predict(config) => predict(config),
        Command::Explain(config) => explain(config),
        // The session's own files have no name: on the command line they go to a folder.
        Command::PredictLayer { scene, class, bands } => explain(&ExplainConfig {
            model: context.model?.to_owned(),
            raster: (context.scene)(*scene)?,
            out_dir: "explained".into(),
            class: *class,
            window: None,
            pixel: None,
            bands: bands.clone(),
            device: context.device,
            overwrite: false,
        }),
        Command::ExplainLayer { scene, class, window, pixel, bands } => explain(&ExplainConfig {
            model: context.model?.to_owned(),
            raster: (context.scene)(*scene)?,
            out_dir: "explained".into(),
            class: *class,
            window: *window,
            pixel: *pixel,
            bands: bands.clone(),
            device: context.device,
            overwrite: false,
        }),
        // Factors have no option: they belong to a model's references.
        Command::Prior(config) if config.normalisation.is_some() => return None,
        Command::Prior(config) => prior(config),
        Command::Polygonize(config) => polygonize(config),
        // Options know no stretches, colormaps, priors and dividers.
        Command::Render(config) if !config.looks.is_empty() => {
            return Some(script(std::slice::from_ref(command)));
        }
        Command::Render(config) => render(config)?,
        Command::Convert(config) => convert(config),
        Command::ExportModel { .. } => {
            let open = Command::OpenModel { path: context.model?.to_owned() };
            return Some(script(&[open, command.clone()]));
        }
        Command::SaveReferences { .. } => {
            let mut commands = references(context)?;
            commands.push(command.clone());
            return Some(script(&commands));
        }
        Command::ShowPrior { scene } => {
            let mut commands = vec![Command::OpenScene { path: (context.scene)(*scene)? }];
            commands.extend(references(context)?);
            commands.push(Command::ShowPrior { scene: SceneId(1) });
            return Some(script(&commands));
        }
        Command::SetStyle { layer, style } => {
            let open = Command::OpenScene { path: (context.layer)(*layer)? };
            return Some(script(&[open, Command::SetStyle { layer: LayerId(1), style: style.clone() }]));
        }
        other => analysis_line(other)?,
    };
    Some(line.0)
}

/// What has to be made before a command, under names in the current folder.
#[derive(Default)]
struct Steps(Vec<Step>);

struct Step {
    maker: ExplainConfig,
    /// Roles that are read, each once.
    roles: Vec<LayerRole>,
}

impl Steps {
    /// The command with general names in place of the session's files. `None` if nobody knows
    /// how to make one of them.
    fn portable(&mut self, command: &Command, context: &Context<'_>) -> Option<Command> {
        let mut command = command.clone();
        match &mut command {
            Command::Polygonize(config) => self.replace(&mut config.raster, context)?,
            Command::Convert(config) => self.replace(&mut config.raster, context)?,
            Command::Prior(config) => self.replace(&mut config.raster, context)?,
            Command::Classify(config) => self.replace(&mut config.raster, context)?,
            Command::Index(config) => self.replace(&mut config.raster, context)?,
            Command::Accuracy(config) => self.replace(&mut config.map, context)?,
            Command::Sample(config) => self.replace(&mut config.map, context)?,
            Command::Sieve(config) => self.replace(&mut config.map, context)?,
            Command::Info { path, .. } => self.replace(path, context)?,
            Command::Render(config) => {
                for raster in &mut config.rasters {
                    self.replace(raster, context)?;
                }
            }
            _ => {}
        }
        Some(command)
    }

    fn replace(&mut self, path: &mut PathBuf, context: &Context<'_>) -> Option<()> {
        if !(context.keeps)(path) {
            return Some(());
        }
        let Origin { maker, role } = (context.origin)(path).filter(|origin| !(context.keeps)(&origin.maker.raster))?;
        let index = self.0.iter().position(|step| step.maker == maker).unwrap_or_else(|| {
            self.0.push(Step { maker, roles: Vec::new() });
            self.0.len() - 1
        });
        let step = &mut self.0[index];
        if !step.roles.contains(&role) {
            step.roles.push(role);
        }
        *path = made(role, index)?;
        Some(())
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().enumerate().flat_map(|(index, step)| step.lines(index))
    }
}

impl Step {
    fn lines(&self, index: usize) -> Vec<String> {
        let maker = &self.maker;
        let wanted = |role: LayerRole| self.roles.contains(&role).then(|| made(role, index)).flatten();
        let predicted = [LayerRole::ClassMap, LayerRole::Probabilities, LayerRole::Entropy, LayerRole::Margin];
        let mut lines = Vec::new();
        if predicted.into_iter().any(|role| self.roles.contains(&role)) {
            let config = PredictConfig {
                model: maker.model.clone(),
                raster: maker.raster.clone(),
                out: numbered("class", index, ".tif"),
                probabilities: wanted(LayerRole::Probabilities),
                margin: wanted(LayerRole::Margin),
                entropy: wanted(LayerRole::Entropy),
                mode: PredictMode::Exact,
                device: maker.device,
                tile_px: None,
                bands: maker.bands.clone(),
                cog: false,
                resume: false,
                overwrite: false,
            };
            lines.push(predict(&config).0);
        }
        if self.roles.iter().any(|role| !predicted.contains(role)) {
            lines.push(explain(&ExplainConfig { out_dir: numbered("explained", index, ""), ..maker.clone() }).0);
        }
        lines
    }
}

/// What a result of the `index`-th step is called.
fn made(role: LayerRole, index: usize) -> Option<PathBuf> {
    let explained = |name: &str| numbered("explained", index, "").join(name);
    Some(match role {
        LayerRole::ClassMap => numbered("class", index, ".tif"),
        LayerRole::Probabilities => numbered("probabilities", index, ".tif"),
        LayerRole::Entropy => numbered("entropy", index, ".tif"),
        LayerRole::Margin => numbered("margin", index, ".tif"),
        LayerRole::Attention => explained("attention.tif"),
        LayerRole::GradCam => explained("gradcam.tif"),
        _ => return None,
    })
}

/// `class.tif`, then `class-2.tif`.
fn numbered(stem: &str, index: usize, ending: &str) -> PathBuf {
    if index == 0 { format!("{stem}{ending}").into() } else { format!("{stem}-{}{ending}", index + 1).into() }
}

/// What brings a fresh session to the same references.
fn references(context: &Context<'_>) -> Option<Vec<Command>> {
    let mut commands = Vec::new();
    if context.model_scale {
        commands.push(Command::OpenModel { path: context.model?.to_owned() });
        commands.push(Command::UseModelReferences);
        commands.push(Command::EditReferences { edit: ReferenceEdit::Clear });
    }
    let all = context.references.references.iter().cloned();
    commands.extend(all.map(|reference| Command::EditReferences { edit: ReferenceEdit::Add { reference } }));
    Some(commands)
}

/// Commands as a script on standard input. JSON has no line of its own that ends it.
fn script(commands: &[Command]) -> String {
    let mut text = "nunatak run - <<'END'\n".to_owned();
    for command in commands {
        text.push_str(&serde_json::to_string(command).expect("commands are plain data"));
        text.push('\n');
    }
    text.push_str("END");
    text
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
        .option("--tile", config.tile_px.map(|tile_px| tile_px.to_string()))
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
        .option("--pixel", config.pixel.map(|[col, row]| format!("{col},{row}")))
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
        .flag("--drop-small", config.small == SmallPolygons::Drop && config.min_area != 0.0)
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
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(verb: &str) -> Self {
        Self(format!("nunatak {verb}"))
    }

    pub(crate) fn word(mut self, word: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&quoted(word));
        self
    }

    /// A file whose name begins with `-` must not be read as an option.
    pub(crate) fn path(self, path: &Path) -> Self {
        let text = path.to_string_lossy();
        if text.starts_with('-') { self.word(&format!("./{text}")) } else { self.word(&text) }
    }

    pub(crate) fn flag(self, name: &str, set: bool) -> Self {
        if set { self.word(name) } else { self }
    }

    pub(crate) fn option(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.word(name).word(&value),
            None => self,
        }
    }

    pub(crate) fn path_option(self, name: &str, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.word(name).path(path),
            None => self,
        }
    }

    pub(crate) fn bands(self, bands: Option<&[usize]>) -> Self {
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
    use nunatak_domain::class::Rgb;
    use nunatak_domain::geo::GeoBounds;
    use nunatak_domain::grid::PixelRect;
    use nunatak_domain::spectra::SpectralReference;

    use super::*;

    fn shell_line(command: &Command) -> Option<String> {
        let scene = |_: SceneId| Some(PathBuf::from("a scene.tif"));
        let model = Some(Path::new("m.pth"));
        let layer = |_: LayerId| Some(PathBuf::from("a scene.tif"));
        let origin = |path: &Path| {
            let role = match path.file_name()?.to_str()? {
                "class.tif" => LayerRole::ClassMap,
                "entropy.tif" => LayerRole::Entropy,
                "gradcam.tif" => LayerRole::GradCam,
                _ => return None,
            };
            let maker = ExplainConfig {
                model: "m.pth".into(),
                raster: if path.starts_with("session/2") { "other.tif".into() } else { "a scene.tif".into() },
                out_dir: "anywhere".into(),
                class: Some(1),
                window: None,
                pixel: None,
                bands: None,
                device: DeviceChoice::Auto,
                overwrite: false,
            };
            Some(Origin { maker, role })
        };
        let ice = SpectralReference::new("ice", Rgb([1, 2, 3]), vec![0.5, 0.25]);
        let references = ReferenceSet { references: vec![ice], bands: Vec::new() };
        let context = Context {
            scene: &scene,
            model,
            device: DeviceChoice::Cpu,
            layer: &layer,
            references: &references,
            model_scale: false,
            keeps: &|path| path.starts_with("session"),
            origin: &origin,
        };
        super::shell_line(command, &context)
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
            tile_px: Some(128),
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
            pixel: Some([2, 3]),
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
            references: None,
            swipe: None,
            overwrite: false,
        });

        assert_eq!(
            shell_line(&explain).as_deref(),
            Some("nunatak explain m.pth a.tif out --class 2 --window 1,2,3,4 --pixel 2,3 --device cpu")
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

    /// The lines of a script, which a fresh session understands as they are.
    fn script_of(json: &str) -> Vec<serde_json::Value> {
        let text = line(json);
        let inside = text.strip_prefix("nunatak run - <<'END'\n").and_then(|text| text.strip_suffix("END"));
        let lines = inside.expect("a script").lines();
        lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn what_options_cannot_say_is_a_script() {
        let style = r#"{"kind":"colormap","band":0,"stretch":{"min":-1.0,"max":2.5,"gamma":1.2},"method":{"kind":"manual"},"colormap":"turbo"}"#;
        let picture = format!(
            r#"{{"command":"render","rasters":["a.tif"],"out":"o.png","width_px":9,"height_px":8,"looks":[{{"style":{style},"opacity":0.5}}]}}"#
        );
        assert_eq!(
            script_of(&picture)[0]["looks"][0]["style"],
            serde_json::from_str::<serde_json::Value>(style).expect("JSON")
        );

        let styled = script_of(&format!(r#"{{"command":"set_style","layer":7,"style":{style}}}"#));
        assert_eq!((&styled[0]["command"], &styled[0]["path"]), (&"open_scene".into(), &"a scene.tif".into()));
        assert_eq!(styled[1]["layer"], 1);

        let model = script_of(r#"{"command":"export_model","path":"m.safetensors"}"#);
        assert_eq!((&model[0]["path"], &model[1]["path"]), (&"m.pth".into(), &"m.safetensors".into()));

        let prior = script_of(r#"{"command":"show_prior","scene":3}"#);
        assert_eq!(prior[1]["edit"]["reference"]["spectrum"], serde_json::json!([0.5, 0.25]));
        assert_eq!(prior[2]["scene"], 1);
        assert_eq!(script_of(r#"{"command":"save_references","path":"r.csv"}"#).len(), 2);
    }

    #[test]
    fn a_line_that_reads_the_sessions_files_makes_them_first() {
        assert_eq!(
            line(r#"{"command":"polygonize","raster":"session/1/class.tif","out":"c.gpkg"}"#),
            "nunatak predict m.pth 'a scene.tif' class.tif && nunatak polygonize class.tif c.gpkg"
        );
        assert_eq!(
            line(r#"{"command":"convert","raster":"session/1/gradcam.tif","out":"g.tif","cog":true}"#),
            "nunatak explain m.pth 'a scene.tif' explained --class 1 && \
             nunatak convert explained/gradcam.tif g.tif --cog"
        );
        let render = r#"{"command":"render","out":"o.png","width_px":9,"height_px":8,
            "rasters":["a.tif","session/1/entropy.tif","session/2/class.tif","session/1/class.tif"]}"#;
        assert_eq!(
            line(render),
            "nunatak predict m.pth 'a scene.tif' class.tif --entropy entropy.tif && \
             nunatak predict m.pth other.tif class-2.tif && \
             nunatak render a.tif o.png --size 9x8 --overlay entropy.tif --overlay class-2.tif --overlay class.tif"
        );
        let unknown = r#"{"command":"convert","raster":"session/3/similarity.tif","out":"s.tif"}"#;
        assert_eq!(shell_line(&serde_json::from_str(unknown).expect("a command")), None);
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
