//! Wrong words: what clap cannot see by itself becomes an error in clap's form.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error, Parser};
use nunatak_app::Command;
use nunatak_domain::job::DeviceChoice;

use crate::args::Cli;
use crate::values::{FileKind, can_be_opened};

/// Reads the arguments and checks the files of the window.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Error> {
    let cli = Cli::try_parse_from(arguments)?;
    let files = &cli.window.files;
    if cli.verb.is_some() {
        if !files.is_empty() || cli.window.predict || cli.window.device.device != DeviceChoice::default() {
            return Err(conflict("a verb stands first, and its files and options after it"));
        }
        return Ok(cli);
    }
    if let Some(unknown) = files.iter().find(|file| !can_be_opened(file)) {
        return Err(not_a_file(unknown));
    }
    if let Some(script) = files.iter().find(|file| file.extension().is_some_and(|e| e == "jsonl")) {
        return Err(conflict(&format!("a script is replayed by `nunatak run {}`", script.display())));
    }
    let has = |kind| files.iter().any(|file| FileKind::of(file) == kind);
    if cli.window.predict && !(has(FileKind::Raster) && has(FileKind::Model)) {
        return Err(conflict("--predict needs a raster and a model"));
    }
    Ok(cli)
}

/// What opens the files of the window, in their order.
pub(crate) fn open_commands(files: &[PathBuf]) -> Vec<Command> {
    let open = |file: &PathBuf| {
        let path = file.clone();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if path.ends_with("project.json") || matches!(ending.as_deref(), Some("nunatak" | "zip")) {
            return Command::OpenProject { path, access: nunatak_app::ProjectAccess::Write };
        }
        match FileKind::of(file) {
            FileKind::Raster => Command::OpenScene { path },
            FileKind::Model => Command::OpenModel { path },
            FileKind::References => Command::OpenReferences { path },
        }
    };
    files.iter().map(open).collect()
}

fn conflict(text: &str) -> Error {
    Cli::command().error(ErrorKind::ArgumentConflict, text)
}

/// A bare word is taken for a misspelt verb, all else for a file that is not there.
fn not_a_file(name: &Path) -> Error {
    let word = name.to_string_lossy();
    if word.contains(['.', '/', '\\']) {
        return Cli::command().error(ErrorKind::ValueValidation, format!("there is no such file: {word}"));
    }
    let mut command = Cli::command();
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let usage = command.render_usage();
    let mut error = Error::new(ErrorKind::InvalidSubcommand).with_cmd(&command);
    error.insert(ContextKind::InvalidSubcommand, ContextValue::String(word.to_string()));
    if let Some(near) = nearest(&word, verbs) {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
    }
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    error
}

/// The verb that two edits at most turn `word` into.
fn nearest(word: &str, verbs: Vec<String>) -> Option<String> {
    verbs
        .into_iter()
        .map(|verb| (edits(word, &verb), verb))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, verb)| verb)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use nunatak_app::{Session, SessionOptions};

    use super::*;
    use crate::args::Verb;

    fn parse_line(line: &str) -> Result<Cli, Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn command_of(line: &str) -> Command {
        match parse_line(line).expect("a valid line").verb {
            Some(Verb::Info(args)) => Command::Info { path: args.raster.expect("a raster"), statistics: args.stats },
            Some(Verb::Predict(args)) => args.into(),
            Some(Verb::Explain(args)) => args.into(),
            Some(Verb::Prior(args)) => args.into(),
            Some(Verb::Polygonize(args)) => args.into(),
            Some(Verb::Render(args)) => args.into(),
            Some(Verb::Convert(args)) => args.into(),
            Some(Verb::Classify(args)) => args.into(),
            Some(Verb::Separability(args)) => args.into(),
            Some(Verb::Index(args)) => args.into(),
            Some(Verb::Accuracy(args)) => args.into(),
            Some(Verb::Sample(args)) => args.into(),
            Some(Verb::Sieve(args)) => args.into(),
            Some(Verb::Spectra(verb)) => verb.into(),
            Some(Verb::Replay(args)) => args.into(),
            other => panic!("no command: {other:?}"),
        }
    }

    #[test]
    fn clap_accepts_its_own_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_line_of_a_command_gives_the_command_back() {
        let session = Session::new(SessionOptions::default());
        let lines = [
            "nunatak info a.tif --stats",
            "nunatak predict m.pth a.tif o.tif --probabilities p.tif --margin d.tif --entropy e.tif --mode compat \
             --device gpu:1 --tile 128 --bands 3,2,1 --cog --resume --overwrite",
            "nunatak explain m.pth a.tif out --class 2 --window 1,2,3,4 --bands 1,2 --device cpu",
            "nunatak prior r.csv a.tif o.tif --classes c.tif --mode compat --bands 2,1 --overwrite",
            "nunatak polygonize c.tif o.shp --connectivity 8 --min-area 900 --simplify 2.5 --classes 1,2",
            "nunatak render a.tif o.png --size 640x480 --bbox=-10.5,0,1,2 --crs EPSG:32647 --bands 4,3,2 --overlay c.tif \
             --overlay d.tif --overlay-opacity 0.5 --overwrite",
            "nunatak convert a.tif o.tif --cog --bands 1",
            "nunatak classify --method sam r.csv a.tif o.tif --max-angle 0.1 --score s.tif --bands 2,1 --overwrite",
            "nunatak classify --method max-likelihood --training l.gpkg --field c a.tif o.tif --min-probability 0.05",
            "nunatak classify --method mahalanobis --training l.tif a.tif o.tif --max-distance 3.5",
            "nunatak separability r.csv --raster a.tif --bands 1,2",
            "nunatak separability l.gpkg --raster a.tif --field c",
            "nunatak index ndvi a.tif o.tif",
            "nunatak accuracy t.gpkg m.tif --field c --values 4=wetland,0= --area-adjusted --html r.html --csv r.csv",
            "nunatak sample m.tif p.gpkg --n 100 --allocation neyman --expected-accuracy 0.7,0.9 --seed 7",
            "nunatak sample m.tif p.csv --target-error 0.02 --min-per-class 75",
            "nunatak sieve m.tif o.tif --min-size 25 --connectivity 8 --majority 3",
            "nunatak spectra show l.sli",
            "nunatak spectra convert l.sli o.csv --to-bands a.tif --method nearest --tolerance 20",
            "nunatak spectra convert l.sli o.csv --bands b.csv --method linear --overwrite",
            "nunatak replay o.tif --out again.tif --overwrite",
        ];
        for line in lines {
            let command = command_of(line);
            let again = session.command_line(&command).expect("a line for every verb");
            assert_eq!(command_of(&again), command, "{again}");
        }
    }

    #[test]
    fn a_negative_corner_needs_no_equals_sign() {
        let Command::Render(config) = command_of("nunatak render a.tif o.png --bbox -10,-5,10,5") else {
            panic!("render")
        };
        assert_eq!(config.bbox.map(|bbox| bbox.min_x), Some(-10.0));
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        assert!(parse_line("nunatak --json info a.tif").expect("valid").global.json);
        assert!(parse_line("nunatak info --json a.tif").expect("valid").global.json);
    }

    #[test]
    fn a_misspelt_verb_is_answered_with_the_right_one() {
        let error = parse_line("nunatak predictt").expect_err("no such verb");

        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("predictt") && text.contains("'predict'"), "{text}");
    }

    #[test]
    fn a_missing_file_is_no_verb() {
        let error = parse_line("nunatak missing.tif").expect_err("no such file");

        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("there is no such file: missing.tif"), "{error}");
    }

    #[test]
    fn predict_in_the_window_needs_a_model() {
        let scene = std::env::current_exe().expect("the test program").display().to_string();
        let error = parse_line(&format!("nunatak --predict {scene}")).expect_err("no model");
        assert!(error.to_string().contains("--predict needs a raster and a model"), "{error}");
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("predictt", "predict"), 1);
        assert_eq!(edits("", "run"), 3);
        assert_eq!(nearest("wxyz", vec!["run".to_owned(), "info".to_owned()]), None);
    }
}
