//! Words of the command line, and the `Command` that each verb stands for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nunatak_app::Command;
use nunatak_domain::geo::GeoBounds;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{
    Connectivity, ConvertConfig, DeviceChoice, ExplainConfig, PolygonizeConfig, PredictConfig, PredictMode,
    PriorConfig, RenderConfig, SimilarityMode, SmallPolygons,
};

use crate::analysis_args::{
    AccuracyArgs, ClassifyArgs, IndexArgs, ReplayArgs, SampleArgs, SeparabilityArgs, SieveArgs, SpectraVerb,
};
use crate::project_args::{LabelsArgs, ProjectArgs, VerifyArgs};
use crate::values::{self, Bands, Classes, Size};

/// Turns satellite rasters into maps: networks, spectra and explanations.
///
/// Without a verb the window opens, with the rasters, models (.pth, .safetensors) and
/// reference spectra (.csv) that are named.
#[derive(Debug, Parser)]
#[command(
    name = "nunatak",
    version,
    max_term_width = 100,
    after_help = "Examples:
  nunatak                                   open the window
  nunatak scene.tif model.safetensors       open it with a scene and a model
  nunatak info scene.tif                    what is known of a raster
  nunatak predict model.pth scene.tif class.tif
  nunatak polygonize class.tif class.gpkg --min-area 900

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.
Bands count from 1."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    #[command(flatten)]
    pub(crate) window: WindowArgs,

    #[command(flatten)]
    pub(crate) global: GlobalArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WindowArgs {
    /// Rasters, models and reference spectra to open in the window
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,

    /// Apply the model to the scene at once
    #[arg(long)]
    pub(crate) predict: bool,

    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalArgs {
    /// Print results, progress and notices as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print no progress and no remarks; warnings and errors stay
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print the details of notices and what the program does
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Threads for computing on the CPU [default: all]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct DeviceArgs {
    /// What networks run on: auto, cpu, gpu or gpu:N (see `nunatak devices`)
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: DeviceChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Info(InfoArgs),
    Predict(PredictArgs),
    Explain(ExplainArgs),
    Prior(PriorArgs),
    Polygonize(PolygonizeArgs),
    Render(RenderArgs),
    Convert(ConvertArgs),
    Classify(ClassifyArgs),
    Separability(SeparabilityArgs),
    Index(IndexArgs),
    Accuracy(AccuracyArgs),
    Sample(SampleArgs),
    Sieve(SieveArgs),
    #[command(subcommand)]
    Spectra(SpectraVerb),
    Replay(ReplayArgs),
    Labels(LabelsArgs),
    Project(ProjectArgs),
    Verify(VerifyArgs),
    Run(RunArgs),
    /// List the adapters that networks can run on
    Devices,
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  nunatak completions bash > ~/.local/share/bash-completion/completions/nunatak")]
    Completions {
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write the pages of all verbs to a folder
    #[command(after_help = "Example:\n  nunatak man ~/.local/share/man/man1")]
    Man {
        dir: Option<PathBuf>,
    },
}

/// Print what is known of a raster or a model
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  nunatak info scene.tif --stats\n  nunatak info --json model.pth | jq .record.classes"
)]
pub(crate) struct InfoArgs {
    /// Raster (a file, a URL, or one of GDAL's names) or model
    #[arg(required_unless_present = "devices")]
    pub(crate) raster: Option<PathBuf>,
    /// Compute statistics of the bands where the file has none
    #[arg(long)]
    pub(crate) stats: bool,
    /// List the adapters that networks can run on
    #[arg(long, conflicts_with = "raster")]
    pub(crate) devices: bool,
}

/// Make a class map of a raster with a network
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  nunatak predict model.safetensors scene.tif class.tif --entropy entropy.tif")]
pub(crate) struct PredictArgs {
    /// Network: .pth or .safetensors
    model: PathBuf,
    /// Scene: a file, a URL, or one of GDAL's names
    raster: PathBuf,
    /// Class map to write, a GeoTIFF
    #[arg(value_name = "OUT.tif")]
    out: PathBuf,
    /// Also write the probability of each class
    #[arg(long, value_name = "P.tif")]
    probabilities: Option<PathBuf>,
    /// Also write highest minus second highest probability
    #[arg(long, value_name = "M.tif")]
    margin: Option<PathBuf>,
    /// Also write the entropy of the probabilities, 0 to 1
    #[arg(long, value_name = "E.tif")]
    entropy: Option<PathBuf>,
    /// exact: no seams; compat: the original's averaged windows, for comparison
    #[arg(long, value_enum, default_value_t)]
    mode: PredictModeArg,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Side of a window in pixels, without its halo; changes speed and memory only [default: the model's]
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u16).range(16..=4096))]
    tile: Option<u16>,
    /// Bands of the raster for the bands of the model [default: the first ones, in order]
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    /// Write a cloud-optimised GeoTIFF with overviews
    #[arg(long)]
    cog: bool,
    /// Go on where a run with the same settings stopped: one that was killed, or one that was stopped
    /// with Ctrl-C and had --resume itself
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// Write class map, attention and Grad-CAM of a raster to a folder
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak explain model.pth scene.tif out --class 2")]
pub(crate) struct ExplainArgs {
    /// Network: .pth or .safetensors
    model: PathBuf,
    /// Scene: a file, a URL, or one of GDAL's names
    raster: PathBuf,
    /// Folder for class.tif, attention.tif and gradcam.tif
    out_dir: PathBuf,
    /// Class that Grad-CAM explains, as its value in the class map [default: the model's second]
    #[arg(long, value_name = "N")]
    class: Option<usize>,
    /// Explain this part of the raster only
    #[arg(long, value_name = "COL,ROW,WIDTH,HEIGHT", value_parser = values::window)]
    window: Option<PixelRect>,
    /// Explain the class of this pixel [default class: the one that the model gives it]
    #[arg(long, value_name = "COL,ROW", value_parser = values::pixel)]
    pixel: Option<[usize; 2]>,
    /// Bands of the raster for the bands of the model [default: the first ones, in order]
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// Compare each pixel with reference spectra (SF-CNM)
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak prior references.csv scene.tif prior.tif --classes nearest.tif")]
pub(crate) struct PriorArgs {
    /// Reference spectra as CSV
    #[arg(value_name = "REFERENCES.csv")]
    references: PathBuf,
    /// Scene: a file, a URL, or one of GDAL's names
    raster: PathBuf,
    /// Similarity to write, 0 to 1
    #[arg(value_name = "OUT.tif")]
    out: PathBuf,
    /// Also write the number of the nearest reference, 0 where none is near enough
    #[arg(long, value_name = "C.tif")]
    classes: Option<PathBuf>,
    /// default: depends on the pixel alone; compat: stretched over the raster as in the original
    #[arg(long, value_enum, default_value_t)]
    mode: SimilarityModeArg,
    /// Bands of the raster for the bands of the references [default: found by name or wavelength, else
    /// the first ones, in order]
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Turn a class map into polygons
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak polygonize class.tif class.gpkg --connectivity 8 --min-area 900")]
pub(crate) struct PolygonizeArgs {
    /// Raster of whole numbers
    #[arg(value_name = "CLASS.tif")]
    raster: PathBuf,
    /// File to write: .shp, .gpkg or .geojson
    #[arg(value_name = "OUT.shp|.gpkg|.geojson")]
    out: PathBuf,
    /// Pixels touch by edges (4) or also by corners (8)
    #[arg(long, value_enum, default_value_t)]
    connectivity: ConnectivityArg,
    /// Merge polygons smaller than this into their largest neighbour, in square metres
    #[arg(long, value_name = "AREA", default_value_t = 0.0, value_parser = values::positive)]
    min_area: f64,
    /// Leave small polygons out instead: they become holes
    #[arg(long, requires = "min_area")]
    drop_small: bool,
    /// Straighten outlines by up to this distance, in units of the CRS
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.0, value_parser = values::positive)]
    simplify: f64,
    /// Only these classes [default: all but 0]
    #[arg(long, value_name = "CLASSES", value_parser = values::classes)]
    classes: Option<Classes>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Draw a raster, with others on top, as a PNG
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  nunatak render scene.tif map.png --size 1200x800 --bands 4,3,2 --overlay class.tif --overlay-opacity 0.6")]
pub(crate) struct RenderArgs {
    /// Scene at the bottom; its CRS is the map's unless --crs is given
    raster: PathBuf,
    /// Picture to write
    #[arg(value_name = "OUT.png")]
    out: PathBuf,
    /// Width and height of the picture in pixels
    #[arg(long, value_name = "WxH", default_value = "1200x800", value_parser = values::size)]
    size: Size,
    /// Part of the map to show, in the map's CRS [default: all of it]
    #[arg(long, value_name = "MINX,MINY,MAXX,MAXY", value_parser = values::bbox, allow_hyphen_values = true)]
    bbox: Option<GeoBounds>,
    /// CRS of the map, for example EPSG:32647 [default: the scene's]
    #[arg(long)]
    crs: Option<String>,
    /// Bands for red, green and blue, or one band
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    /// Raster to draw on top, for example a class map; may be repeated
    #[arg(long, value_name = "FILE")]
    overlay: Vec<PathBuf>,
    /// Opacity of the overlays, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = values::share)]
    overlay_opacity: f32,
    #[command(flatten)]
    write: WriteArgs,
}

/// Copy a raster as GeoTIFF, whole or some of its bands
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak convert scene.jp2 scene.tif --cog --bands 4,3,2")]
pub(crate) struct ConvertArgs {
    /// Any raster that GDAL opens
    raster: PathBuf,
    /// File to write, a GeoTIFF
    #[arg(value_name = "OUT.tif")]
    out: PathBuf,
    /// Write a cloud-optimised GeoTIFF with overviews
    #[arg(long)]
    cog: bool,
    /// Bands to copy, in this order [default: all]
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Replay a script: one command per line, as JSON
#[derive(Clone, Debug, Args)]
#[command(after_help = "Blank lines and lines that begin with # are skipped; paths are relative to the
current folder; the first line that fails ends the run.

Example lines:
  {\"command\": \"predict\", \"model\": \"model.pth\", \"raster\": \"scene.tif\", \"out\": \"class.tif\"}
  {\"command\": \"polygonize\", \"raster\": \"class.tif\", \"out\": \"class.gpkg\", \"connectivity\": \"8\"}

Keys are those of the verbs with _ for -, and bands count from 0: info {path, statistics};
predict {model, raster, out, probabilities, margin, entropy, mode, device, tile_px, bands, cog, resume};
explain {model, raster, out_dir, class, window: {col, row, width, height}, pixel: [col, row], bands, device};
prior {references, raster, out, classes, mode, bands}; convert {raster, out, cog, bands};
polygonize {raster, out, connectivity, min_area, small: \"merge\" or \"drop\", simplify, classes};
render {rasters: [bottom, …], out, width_px, height_px, bbox: {min_x, min_y, max_x, max_y}, crs, bands,
overlay_opacity}; classify {method, references or training, field, raster, out, score, max_angle,
max_distance, min_probability, bands}; separability {classes, raster, field, bands}; index {index, raster,
out}; accuracy {truth, map, field, values, area_adjusted, html, csv}; sample {map, out, n, target_error,
allocation, min_per_class, expected_accuracy: […], seed, values}; sieve {map, out, min_size,
connectivity, majority}; show_spectra {path}; convert_spectra {spectra, out, to_bands, bands,
method: {kind}}; replay {output, out}; each that writes takes overwrite. \"Copy as command\" in the window writes the others.

With --json each line's result is one line of JSON on stdout:
  line      its number in the script
  command   what was done, with the defaults filled in
  outputs   the files written, where there are any
  …         what the verb reports with --json: classes, device, tiles, seconds, …
  jobs      a list of such reports, where a line started several jobs
Progress and notices are lines of JSON on stderr.")]
pub(crate) struct RunArgs {
    /// File with the commands, or - for standard input
    #[arg(value_name = "SCRIPT.jsonl")]
    pub(crate) script: PathBuf,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WriteArgs {
    /// Replace files that exist
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum PredictModeArg {
    #[default]
    Exact,
    Compat,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum SimilarityModeArg {
    #[default]
    Default,
    Compat,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ConnectivityArg {
    #[default]
    #[value(name = "4")]
    Four,
    #[value(name = "8")]
    Eight,
}

impl From<ConnectivityArg> for Connectivity {
    fn from(connectivity: ConnectivityArg) -> Self {
        match connectivity {
            ConnectivityArg::Four => Self::Four,
            ConnectivityArg::Eight => Self::Eight,
        }
    }
}

pub(crate) fn list(bands: Option<Bands>) -> Option<Vec<usize>> {
    bands.map(|bands| bands.0)
}

impl From<PredictArgs> for Command {
    fn from(args: PredictArgs) -> Self {
        Self::Predict(PredictConfig {
            model: args.model,
            raster: args.raster,
            out: args.out,
            probabilities: args.probabilities,
            margin: args.margin,
            entropy: args.entropy,
            mode: match args.mode {
                PredictModeArg::Exact => PredictMode::Exact,
                PredictModeArg::Compat => PredictMode::Compat,
            },
            device: args.device.device,
            tile_px: args.tile.map(usize::from),
            bands: list(args.bands),
            cog: args.cog,
            resume: args.resume,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<ExplainArgs> for Command {
    fn from(args: ExplainArgs) -> Self {
        Self::Explain(ExplainConfig {
            model: args.model,
            raster: args.raster,
            out_dir: args.out_dir,
            class: args.class,
            window: args.window,
            pixel: args.pixel,
            bands: list(args.bands),
            device: args.device.device,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<PriorArgs> for Command {
    fn from(args: PriorArgs) -> Self {
        Self::Prior(PriorConfig {
            references: args.references,
            raster: args.raster,
            out: args.out,
            classes: args.classes,
            mode: match args.mode {
                SimilarityModeArg::Default => SimilarityMode::Default,
                SimilarityModeArg::Compat => SimilarityMode::Compat,
            },
            normalisation: None,
            bands: list(args.bands),
            overwrite: args.write.overwrite,
        })
    }
}

impl From<PolygonizeArgs> for Command {
    fn from(args: PolygonizeArgs) -> Self {
        Self::Polygonize(PolygonizeConfig {
            raster: args.raster,
            out: args.out,
            connectivity: args.connectivity.into(),
            min_area: args.min_area,
            small: if args.drop_small { SmallPolygons::Drop } else { SmallPolygons::Merge },
            simplify: args.simplify,
            classes: args.classes.map(|classes| classes.0),
            overwrite: args.write.overwrite,
        })
    }
}

impl From<RenderArgs> for Command {
    fn from(args: RenderArgs) -> Self {
        let mut rasters = vec![args.raster];
        rasters.extend(args.overlay);
        Self::Render(RenderConfig {
            rasters,
            out: args.out,
            width_px: args.size.width_px,
            height_px: args.size.height_px,
            bbox: args.bbox,
            crs: args.crs,
            bands: list(args.bands),
            overlay_opacity: args.overlay_opacity,
            looks: Vec::new(),
            references: None,
            swipe: None,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<ConvertArgs> for Command {
    fn from(args: ConvertArgs) -> Self {
        Self::Convert(ConvertConfig {
            raster: args.raster,
            out: args.out,
            cog: args.cog,
            bands: list(args.bands),
            overwrite: args.write.overwrite,
        })
    }
}
