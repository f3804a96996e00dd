//! Makes an output again from the recipe that it carries, and says whether it is the same.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nunatak_domain::job::{DeviceChoice, ReplayConfig};
use nunatak_domain::notice::Notice;
use nunatak_domain::recipe::{Recipe, RecipeInput};
use nunatak_jobs::{JobError, Monitor};
use serde_json::{Value, json};

use super::{Compute, Done, Facts, Part, io_error, seconds};
use crate::command::Command;
use crate::session::SharedPainter;
use crate::work_dir::Fresh;

/// What a replay needs of the session.
pub(crate) struct Replay {
    pub(crate) config: ReplayConfig,
    pub(crate) folder: Fresh,
    /// Of commands that name none.
    pub(crate) device: DeviceChoice,
    pub(crate) painter: Option<SharedPainter>,
}

pub(crate) fn run(replay: &Replay, compute: &mut Compute, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let config = &replay.config;
    let output = &config.output;
    let recipe = nunatak_io::read_recipe(output).map_err(io_error)?.ok_or_else(|| {
        let next_step = "Only files that this program wrote carry one, inside or beside them (.recipe.json)";
        Notice::error(format!("the file carries no recipe: {}", output.display())).next_step(next_step)
    })?;
    let (recipe, inputs) = checked(recipe, output, monitor)?;
    let mut command: Command = serde_json::from_value(recipe.command.clone()).map_err(|error| {
        Notice::error(format!("its recipe is of no command that this version knows: {}", output.display()))
            .details(error.to_string())
    })?;
    let folder = replay.folder.make().map_err(Notice::error)?;
    let made = redirect(&mut command, config, &folder)?;
    let part = Part { monitor, from: 0.1, to: 0.9, what: "" };
    let done = perform(replay, &command, compute, &part);
    let compared = done.and_then(|()| {
        let part = Part { monitor, from: 0.9, to: 1.0, what: "" };
        nunatak_io::compare(output, &made, &part).map_err(io_error)
    });
    // What is left would only fill the disk until the program ends.
    let _ = std::fs::remove_dir_all(&folder);
    let found = compared?;
    let facts = Facts::default()
        .with("identical", found.identical)
        .with("compared", found.what)
        .with("n", found.n)
        .with("n_different", found.n_different)
        .with("differences", found.remarks)
        .with("made_by", recipe.program)
        .with("inputs", inputs)
        .with("seconds", seconds(start));
    Ok(facts.report(config.out.iter().cloned().collect()))
}

/// The recipe with paths that exist, and what became of each input. Paths are looked up from the
/// current folder, then from the output's.
fn checked(mut recipe: Recipe, output: &Path, monitor: &dyn Monitor) -> Result<(Recipe, Vec<Value>), JobError> {
    let beside = output.parent().unwrap_or(Path::new(""));
    let mut rows = Vec::new();
    let given = recipe.inputs.clone();
    let mut index = 0;
    while index < given.len() {
        let input = &given[index];
        let n_parts =
            given[index + 1..].iter().take_while(|other| other.role == format!("{} part", input.role)).count();
        let path = found(&input.path, beside);
        if path != Path::new(&input.path) {
            replace(&mut recipe.command, &input.path, &path.to_string_lossy());
        }
        let hashed = input.sha256.is_some() || input.sha256_of_samples.is_some();
        if hashed && !path.exists() {
            let text = format!("{} is not there any more: {}", input.role, input.path);
            return Err(Notice::error(text).next_step("Put it back, or run from the folder that it lies in").into());
        }
        let now = nunatak_io::recipe_inputs(&input.role, &path, monitor).map_err(io_error)?;
        for (offset, before) in given[index..=index + n_parts].iter().enumerate() {
            let state = state(before, now.get(offset));
            if state == "changed" {
                let text = format!("{} has changed since: {}", before.role, before.path);
                monitor.warn(Notice::warning(text));
            }
            rows.push(json!({ "name": before.role, "path": before.path, "state": state }));
        }
        index += n_parts + 1;
    }
    Ok((recipe, rows))
}

fn found(path: &str, beside: &Path) -> PathBuf {
    let (own, moved) = (PathBuf::from(path), beside.join(path));
    if !own.exists() && moved.exists() { moved } else { own }
}

fn state(before: &RecipeInput, now: Option<&RecipeInput>) -> &'static str {
    let hash = |input: &RecipeInput| input.sha256.clone().or_else(|| input.sha256_of_samples.clone());
    match (hash(before), now.and_then(hash)) {
        (Some(before), Some(now)) if before == now => "same",
        (Some(_), _) => "changed",
        (None, _) => "not hashed",
    }
}

/// Texts that are this path become the other one.
fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *text = to.to_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, from, to)),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| replace(value, from, to)),
        _ => {}
    }
}

/// Sends all outputs of a command to `folder`, and the one that is made again to where it is to
/// be kept; that one's new path.
fn redirect(command: &mut Command, config: &ReplayConfig, folder: &Path) -> Result<PathBuf, JobError> {
    let refuse = |text: &str| JobError::from(Notice::error(format!("{text}: {}", config.output.display())));
    let name = config.output.file_name().ok_or_else(|| refuse("this is no file"))?;
    if let Some(out) = &config.out
        && out.extension() != config.output.extension()
    {
        return Err(refuse("what is made again has the same format, so its name needs the same ending as"));
    }
    if let Command::Explain(explain) = command {
        if config.out.is_some() {
            return Err(refuse("explain writes several files at once: run it again instead of keeping one"));
        }
        explain.out_dir = folder.to_owned();
        return Ok(folder.join(name));
    }
    let mut outputs = outputs_of(command);
    let index = match outputs.iter().position(|path| path.file_name() == Some(name)) {
        Some(index) => index,
        None if outputs.len() == 1 => 0,
        // It has been renamed: its ending may tell.
        None => {
            let same = |path: &&mut PathBuf| path.extension() == config.output.extension();
            match outputs.iter().filter(|path| same(path)).count() {
                1 => outputs.iter().position(|path| path.extension() == config.output.extension()).unwrap_or(0),
                _ => return Err(refuse("the command writes several files and none of this name")),
            }
        }
    };
    for (at, output) in outputs.iter_mut().enumerate() {
        let kept = config.out.as_ref().filter(|_| at == index);
        **output = match kept {
            Some(out) => out.clone(),
            None => folder.join(output.file_name().ok_or_else(|| refuse("its recipe names no output"))?),
        };
    }
    let made = outputs[index].clone();
    if config.overwrite {
        allow_overwriting(command);
    }
    Ok(made)
}

fn outputs_of(command: &mut Command) -> Vec<&mut PathBuf> {
    match command {
        Command::Predict(c) => {
            let more = [&mut c.probabilities, &mut c.margin, &mut c.entropy].into_iter().flatten();
            std::iter::once(&mut c.out).chain(more).collect()
        }
        Command::Prior(c) => std::iter::once(&mut c.out).chain(&mut c.classes).collect(),
        Command::Classify(c) => std::iter::once(&mut c.out).chain(&mut c.score).collect(),
        Command::Accuracy(c) => c.html.iter_mut().chain(&mut c.csv).collect(),
        Command::Polygonize(c) => vec![&mut c.out],
        Command::Convert(c) => vec![&mut c.out],
        Command::Render(c) => vec![&mut c.out],
        Command::Index(c) => vec![&mut c.out],
        Command::Sample(c) => vec![&mut c.out],
        Command::Sieve(c) => vec![&mut c.out],
        Command::ConvertSpectra(c) => vec![&mut c.out],
        _ => Vec::new(),
    }
}

fn allow_overwriting(command: &mut Command) {
    match command {
        Command::Predict(c) => c.overwrite = true,
        Command::Prior(c) => c.overwrite = true,
        Command::Classify(c) => c.overwrite = true,
        Command::Accuracy(c) => c.overwrite = true,
        Command::Polygonize(c) => c.overwrite = true,
        Command::Convert(c) => c.overwrite = true,
        Command::Render(c) => c.overwrite = true,
        Command::Index(c) => c.overwrite = true,
        Command::Sample(c) => c.overwrite = true,
        Command::Sieve(c) => c.overwrite = true,
        Command::ConvertSpectra(c) => c.overwrite = true,
        _ => {}
    }
}

fn perform(replay: &Replay, command: &Command, compute: &mut Compute, monitor: &dyn Monitor) -> Result<(), JobError> {
    let device = |own: DeviceChoice| if own == DeviceChoice::Auto { replay.device } else { own };
    let done = match command {
        Command::Predict(config) => super::predict::run(compute, device(config.device), config, command, monitor),
        Command::Explain(config) => super::explain::run(compute, device(config.device), config, command, monitor),
        Command::Prior(config) => super::prior::run(config, command, monitor),
        Command::Classify(config) => super::classify::run(config, command, monitor),
        Command::Accuracy(config) => super::accuracy::run(config, command, monitor),
        Command::Polygonize(config) => super::export::polygonize(config, command, monitor),
        Command::Convert(config) => super::export::convert(config, command, monitor),
        Command::Index(config) => super::index::run(config, command, monitor),
        Command::Sample(config) => super::sample::run(config, command, monitor),
        Command::Sieve(config) => super::sieve::run(config, command, monitor),
        Command::ConvertSpectra(config) => super::spectra::convert(config, command, monitor),
        Command::Render(config) => match &replay.painter {
            Some(painter) => super::render::run(painter, config, command, monitor),
            None => Err(Notice::error("this session cannot draw pictures: it has no painter").into()),
        },
        _ => Err(Notice::error("its recipe is of a command that only makes sense in the window").into()),
    };
    done.map(drop)
}
