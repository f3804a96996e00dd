//! Words of the verbs that judge and classify, and the `Command` that each stands for.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use nunatak_app::Command;
use nunatak_domain::job::{
    AccuracyConfig, ClassifyConfig, ClassifyMethod, ConvertSpectraConfig, IndexConfig, ReplayConfig, SampleAllocation,
    SampleConfig, SeparabilityConfig, SieveConfig,
};
use nunatak_domain::spectra::Resampling;

use crate::args::{ConnectivityArg, WriteArgs, list};
use crate::values::{self, Bands, Shares};

/// Make a class map of a raster by its spectra
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  nunatak classify --method sam references.csv scene.tif class.tif --max-angle 0.1
  nunatak classify --method max-likelihood --training fields.gpkg scene.tif class.tif")]
pub(crate) struct ClassifyArgs {
    /// What a pixel's class is chosen by
    #[arg(long, value_enum)]
    method: MethodArg,
    /// References (CSV or any library of spectra; left out with --training), raster, class map to write
    #[arg(value_names = ["REFERENCES", "RASTER", "OUT.tif"], num_args = 2..=3, required = true)]
    files: Vec<PathBuf>,
    /// Take the classes from labelled pixels: a raster, or points, lines or polygons
    #[arg(long, value_name = "LABELS")]
    training: Option<PathBuf>,
    /// Field of the labels that holds the class [default: a well-known one, or the only one]
    #[arg(long, requires = "training")]
    field: Option<String>,
    /// Unclassified above this spectral angle in radians (sam)
    #[arg(long, value_name = "RADIANS", value_parser = values::positive)]
    max_angle: Option<f64>,
    /// Unclassified above this distance (min-distance, mahalanobis)
    #[arg(long, value_name = "DISTANCE", value_parser = values::positive)]
    max_distance: Option<f64>,
    /// Unclassified where fewer of the class's own pixels lie as far out, 0 to 1 (max-likelihood)
    #[arg(long, value_name = "SHARE", value_parser = values::positive)]
    min_probability: Option<f64>,
    /// Also write the angle, distance or log-likelihood of the chosen class
    #[arg(long, value_name = "S.tif")]
    score: Option<PathBuf>,
    /// Bands of the raster for the bands of the references [default: found by name or wavelength]
    #[arg(long, value_parser = values::bands)]
    bands: Option<Bands>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Tell how well references or labelled classes can be told apart
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  nunatak separability references.csv --raster scene.tif
  nunatak separability fields.gpkg --raster scene.tif --json | jq .pairs[0]")]
pub(crate) struct SeparabilityArgs {
    /// References, a library of spectra, a project, or labels (raster or vector)
    #[arg(value_name = "REFERENCES|LABELS")]
    classes: PathBuf,
    /// The raster that labels lie on; with references, whose pixels they are to win
    #[arg(long)]
    raster: Option<PathBuf>,
    /// Field of the labels that holds the class [default: a well-known one, or the only one]
    #[arg(long)]
    field: Option<String>,
    /// Bands of the raster [default: those of the references, or all]
    #[arg(long, value_parser = values::bands, requires = "raster")]
    bands: Option<Bands>,
}

/// Compute a spectral index or band maths
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  nunatak index ndvi scene.tif ndvi.tif
  nunatak index \"(b8-b4)/(b8+b4)\" scene.tif ndvi.tif")]
pub(crate) struct IndexArgs {
    /// Id of an index, or a formula: bands by number (b8), role (nir) or name
    #[arg(value_name = "INDEX|FORMULA", required_unless_present = "list")]
    index: Option<String>,
    /// Scene: a file, a URL, or one of GDAL's names
    #[arg(required_unless_present = "list")]
    raster: Option<PathBuf>,
    /// Raster of float32 to write, a GeoTIFF
    #[arg(value_name = "OUT.tif", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// List the indices that have a name
    #[arg(long, conflicts_with_all = ["index", "raster", "out"])]
    pub(crate) list: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// Judge a class map by a truth
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  nunatak accuracy truth.tif class.tif --html accuracy.html --csv accuracy.csv
  nunatak accuracy points.gpkg class.tif --field class --area-adjusted")]
pub(crate) struct AccuracyArgs {
    /// What is there: a class raster, or points, lines or polygons with a class
    truth: PathBuf,
    /// What the map says
    #[arg(value_name = "MAP.tif")]
    map: PathBuf,
    /// Field of a vector truth that holds the class [default: a well-known one, or the only one]
    #[arg(long)]
    field: Option<String>,
    /// What values of both files mean; nothing for no class
    #[arg(long, value_name = "4=wetland,0=,…")]
    values: Option<String>,
    /// Areas and accuracies with standard errors, the truth being a stratified random sample
    /// (Olofsson et al. 2014)
    #[arg(long)]
    area_adjusted: bool,
    /// Also write a page
    #[arg(long, value_name = "R.html")]
    html: Option<PathBuf>,
    /// Also write the matrix and a row per class
    #[arg(long, value_name = "R.csv")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Draw a stratified random sample of a class map, to be labelled blind
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  nunatak sample class.tif points.gpkg --target-error 0.02 --min-per-class 50")]
pub(crate) struct SampleArgs {
    #[arg(value_name = "MAP.tif")]
    map: PathBuf,
    /// Points with an empty field `class` to write
    #[arg(value_name = "OUT.gpkg|.geojson|.csv")]
    out: PathBuf,
    /// Number of points [default: 400]
    #[arg(long, conflicts_with = "target_error")]
    n: Option<u64>,
    /// As many points as an overall accuracy within this takes (half the 95 % interval), for example 0.02
    #[arg(long, value_name = "SHARE", value_parser = values::positive)]
    target_error: Option<f64>,
    /// How points are shared out among the classes
    #[arg(long, value_enum, default_value_t)]
    allocation: AllocationArg,
    /// Points of each class at least, with proportional
    #[arg(long, value_name = "N", default_value_t = 50)]
    min_per_class: u64,
    /// User's accuracy that is expected, of all classes or one per class
    #[arg(long, value_name = "SHARES", default_value = "0.8", value_parser = values::shares)]
    expected_accuracy: Shares,
    /// The same seed draws the same points, and a larger sample holds the smaller one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What values of the map mean; nothing for no class
    #[arg(long, value_name = "4=wetland,0=,…")]
    values: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Take small regions out of a class map
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  nunatak sieve class.tif clean.tif --min-size 25 --connectivity 8 --majority 3")]
pub(crate) struct SieveArgs {
    #[arg(value_name = "MAP.tif")]
    map: PathBuf,
    /// Class map to write, a GeoTIFF
    #[arg(value_name = "OUT.tif")]
    out: PathBuf,
    /// Regions of fewer pixels become part of their largest neighbour
    #[arg(long, value_name = "PX", default_value_t = 0)]
    min_size: u64,
    /// Pixels touch by edges (4) or also by corners (8)
    #[arg(long, value_enum, default_value_t)]
    connectivity: ConnectivityArg,
    /// Then give each pixel the most frequent class of the square around it, of this odd side
    #[arg(long, value_name = "PX", default_value_t = 0)]
    majority: usize,
    #[command(flatten)]
    write: WriteArgs,
}

/// Make an output again from its recipe, and tell whether it is the same
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak replay class.tif\n\nExit code 1 also where the result differs.")]
pub(crate) struct ReplayArgs {
    /// Any file that this program wrote
    output: PathBuf,
    /// Keep what is made
    #[arg(long, value_name = "NEW")]
    out: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Show and convert libraries of spectra
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SpectraVerb {
    /// Print what is in a library of spectra
    #[command(after_help = "Example:\n  nunatak spectra show library.sli --json")]
    Show {
        /// ENVI .sli, CSV, ASD text, ECOSTRESS, USGS splib07, SVC, SED, ArcGIS JSON, …
        file: PathBuf,
    },
    Convert(ConvertSpectraArgs),
}

/// Write spectra in another format, or on other bands
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  nunatak spectra convert soil.spectrum.txt soil.csv
  nunatak spectra convert library.sli s2.csv --to-bands scene.tif --method gaussian")]
pub(crate) struct ConvertSpectraArgs {
    #[arg(value_name = "IN")]
    spectra: PathBuf,
    #[arg(value_name = "OUT.sli|.csv")]
    out: PathBuf,
    /// Resample to the bands of this raster
    #[arg(long, value_name = "RASTER", conflicts_with = "bands")]
    to_bands: Option<PathBuf>,
    /// Resample to the bands of this table: columns wavelength and fwhm
    #[arg(long, value_name = "FILE")]
    bands: Option<PathBuf>,
    /// How a band's value comes about; gaussian needs widths and is linear without
    #[arg(long, value_enum, default_value_t)]
    method: ResamplingArg,
    /// Farthest channel that nearest may take, in nm
    #[arg(long, value_name = "NM", default_value_t = 15.0, value_parser = values::positive)]
    tolerance: f64,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodArg {
    Sam,
    MinDistance,
    MaxLikelihood,
    Mahalanobis,
    SfCnm,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum AllocationArg {
    Equal,
    #[default]
    Proportional,
    Neyman,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ResamplingArg {
    Nearest,
    Linear,
    #[default]
    Gaussian,
}

impl From<ClassifyArgs> for Command {
    fn from(args: ClassifyArgs) -> Self {
        let mut files = args.files;
        let out = files.pop().unwrap_or_default();
        let raster = files.pop().unwrap_or_default();
        Self::Classify(ClassifyConfig {
            method: match args.method {
                MethodArg::Sam => ClassifyMethod::Sam,
                MethodArg::MinDistance => ClassifyMethod::MinDistance,
                MethodArg::MaxLikelihood => ClassifyMethod::MaxLikelihood,
                MethodArg::Mahalanobis => ClassifyMethod::Mahalanobis,
                MethodArg::SfCnm => ClassifyMethod::SfCnm,
            },
            references: files.pop(),
            training: args.training,
            field: args.field,
            raster,
            out,
            score: args.score,
            max_angle: args.max_angle,
            max_distance: args.max_distance,
            min_probability: args.min_probability,
            bands: list(args.bands),
            overwrite: args.write.overwrite,
        })
    }
}

impl From<SeparabilityArgs> for Command {
    fn from(args: SeparabilityArgs) -> Self {
        let SeparabilityArgs { classes, raster, field, bands } = args;
        Self::Separability(SeparabilityConfig { classes, raster, field, bands: list(bands) })
    }
}

impl From<IndexArgs> for Command {
    fn from(args: IndexArgs) -> Self {
        Self::Index(IndexConfig {
            index: args.index.unwrap_or_default(),
            raster: args.raster.unwrap_or_default(),
            out: args.out.unwrap_or_default(),
            overwrite: args.write.overwrite,
        })
    }
}

impl From<AccuracyArgs> for Command {
    fn from(args: AccuracyArgs) -> Self {
        Self::Accuracy(AccuracyConfig {
            truth: args.truth,
            map: args.map,
            field: args.field,
            values: args.values,
            area_adjusted: args.area_adjusted,
            html: args.html,
            csv: args.csv,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<SampleArgs> for Command {
    fn from(args: SampleArgs) -> Self {
        Self::Sample(SampleConfig {
            map: args.map,
            out: args.out,
            n: args.n,
            target_error: args.target_error,
            allocation: match args.allocation {
                AllocationArg::Equal => SampleAllocation::Equal,
                AllocationArg::Proportional => SampleAllocation::Proportional,
                AllocationArg::Neyman => SampleAllocation::Neyman,
            },
            min_per_class: args.min_per_class,
            expected_accuracy: args.expected_accuracy.0,
            seed: args.seed,
            values: args.values,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<SieveArgs> for Command {
    fn from(args: SieveArgs) -> Self {
        Self::Sieve(SieveConfig {
            map: args.map,
            out: args.out,
            min_size: args.min_size,
            connectivity: args.connectivity.into(),
            majority: args.majority,
            overwrite: args.write.overwrite,
        })
    }
}

impl From<ReplayArgs> for Command {
    fn from(args: ReplayArgs) -> Self {
        Self::Replay(ReplayConfig { output: args.output, out: args.out, overwrite: args.write.overwrite })
    }
}

impl From<SpectraVerb> for Command {
    fn from(verb: SpectraVerb) -> Self {
        let args = match verb {
            SpectraVerb::Show { file } => return Self::ShowSpectra { path: file },
            SpectraVerb::Convert(args) => args,
        };
        Self::ConvertSpectra(ConvertSpectraConfig {
            spectra: args.spectra,
            out: args.out,
            to_bands: args.to_bands,
            bands: args.bands,
            method: match args.method {
                ResamplingArg::Nearest => Resampling::Nearest { tolerance_nm: args.tolerance },
                ResamplingArg::Linear => Resampling::Linear,
                ResamplingArg::Gaussian => Resampling::Gaussian,
            },
            overwrite: args.write.overwrite,
        })
    }
}
