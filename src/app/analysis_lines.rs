//! Command lines of the verbs that classify and judge.

use nunatak_domain::job::{
    AccuracyConfig, ClassifyConfig, Connectivity, ConvertSpectraConfig, IndexConfig, ReplayConfig, SampleAllocation,
    SampleConfig, SeparabilityConfig, SieveConfig,
};
use nunatak_domain::spectra::Resampling;

use crate::command::Command;
use crate::shell_line::Line;
use crate::work::classify::method_name;

/// `None` for commands of other files.
pub(crate) fn analysis_line(command: &Command) -> Option<Line> {
    Some(match command {
        Command::Classify(config) => classify(config),
        Command::Separability(config) => separability(config),
        Command::Index(config) => index(config),
        Command::Accuracy(config) => accuracy(config),
        Command::Sample(config) => sample(config),
        Command::Sieve(config) => sieve(config),
        Command::ShowSpectra { path } => Line::new("spectra show").path(path),
        Command::ConvertSpectra(config) => convert_spectra(config),
        Command::Replay(config) => replay(config),
        _ => return None,
    })
}

fn number<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn classify(config: &ClassifyConfig) -> Line {
    let line = Line::new("classify").option("--method", Some(method_name(config.method).to_owned()));
    let line = config.references.as_deref().into_iter().fold(line, Line::path);
    line.path(&config.raster)
        .path(&config.out)
        .path_option("--training", config.training.as_deref())
        .option("--field", config.field.clone())
        .option("--max-angle", number(config.max_angle))
        .option("--max-distance", number(config.max_distance))
        .option("--min-probability", number(config.min_probability))
        .path_option("--score", config.score.as_deref())
        .bands(config.bands.as_deref())
        .flag("--overwrite", config.overwrite)
}

fn separability(config: &SeparabilityConfig) -> Line {
    Line::new("separability")
        .path(&config.classes)
        .path_option("--raster", config.raster.as_deref())
        .option("--field", config.field.clone())
        .bands(config.bands.as_deref())
}

fn index(config: &IndexConfig) -> Line {
    Line::new("index").word(&config.index).path(&config.raster).path(&config.out).flag("--overwrite", config.overwrite)
}

fn accuracy(config: &AccuracyConfig) -> Line {
    Line::new("accuracy")
        .path(&config.truth)
        .path(&config.map)
        .option("--field", config.field.clone())
        .option("--values", config.values.clone())
        .flag("--area-adjusted", config.area_adjusted)
        .path_option("--html", config.html.as_deref())
        .path_option("--csv", config.csv.as_deref())
        .flag("--overwrite", config.overwrite)
}

fn sample(config: &SampleConfig) -> Line {
    let allocation = match config.allocation {
        SampleAllocation::Equal => Some("equal"),
        SampleAllocation::Proportional => None,
        SampleAllocation::Neyman => Some("neyman"),
    };
    let expected: Vec<String> = config.expected_accuracy.iter().map(f64::to_string).collect();
    let expected = expected.join(",");
    Line::new("sample")
        .path(&config.map)
        .path(&config.out)
        .option("--n", number(config.n))
        .option("--target-error", number(config.target_error))
        .option("--allocation", allocation.map(str::to_owned))
        .option("--min-per-class", number(Some(config.min_per_class).filter(|n| *n != 50)))
        .option("--expected-accuracy", Some(expected).filter(|text| text != "0.8"))
        .option("--seed", number(Some(config.seed).filter(|seed| *seed != 1)))
        .option("--values", config.values.clone())
        .flag("--overwrite", config.overwrite)
}

fn sieve(config: &SieveConfig) -> Line {
    Line::new("sieve")
        .path(&config.map)
        .path(&config.out)
        .option("--min-size", number(Some(config.min_size).filter(|px| *px > 0)))
        .option("--connectivity", (config.connectivity == Connectivity::Eight).then(|| "8".to_owned()))
        .option("--majority", number(Some(config.majority).filter(|px| *px > 0)))
        .flag("--overwrite", config.overwrite)
}

fn convert_spectra(config: &ConvertSpectraConfig) -> Line {
    let (method, tolerance) = match config.method {
        Resampling::Nearest { tolerance_nm } => (Some("nearest"), Some(tolerance_nm).filter(|nm| *nm != 15.0)),
        Resampling::Linear => (Some("linear"), None),
        Resampling::Gaussian => (None, None),
    };
    Line::new("spectra convert")
        .path(&config.spectra)
        .path(&config.out)
        .path_option("--to-bands", config.to_bands.as_deref())
        .path_option("--bands", config.bands.as_deref())
        .option("--method", method.map(str::to_owned))
        .option("--tolerance", number(tolerance))
        .flag("--overwrite", config.overwrite)
}

fn replay(config: &ReplayConfig) -> Line {
    Line::new("replay")
        .path(&config.output)
        .path_option("--out", config.out.as_deref())
        .flag("--overwrite", config.overwrite)
}
