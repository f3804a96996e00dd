//! What a command writes is looked at before its job begins: nothing is overwritten that
//! nobody asked to overwrite, and no input is written over.
//!
//! Names are judged at once; what needs the disk is the job's first step, for a disk may take
//! its time and the window must not wait.

use std::path::{Path, PathBuf};

use nunatak_domain::notice::Notice;
use nunatak_jobs::JobError;

use crate::command::{Command, CommandError};

/// Files that a command reads and writes.
pub(crate) struct Files {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    overwrite: bool,
    /// The job makes the outputs' folder itself.
    makes_folder: bool,
}

impl Files {
    /// # Errors
    /// An output without a name, or two of one name.
    pub(crate) fn of(command: &Command) -> Result<Self, CommandError> {
        let files = files(command);
        for (index, output) in files.outputs.iter().enumerate() {
            if output.as_os_str().is_empty() {
                return Err(CommandError("an output needs a name".to_owned()));
            }
            if files.outputs[..index].contains(output) {
                return Err(CommandError(format!("two outputs have the same name: {}", output.display())));
            }
        }
        Ok(files)
    }

    /// Looks at the disk.
    ///
    /// # Errors
    /// An output is there already, is an input, or its folder is not there.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        for output in &self.outputs {
            let refuse = |text: &str, path: &Path, next_step: &str| {
                Err(JobError::Failed(Notice::error(format!("{text}: {}", path.display())).next_step(next_step)))
            };
            if self.inputs.iter().any(|input| same_file(input, output)) {
                return refuse("a file cannot be input and output at once", output, "Choose another name");
            }
            if output.is_dir() {
                return refuse("a folder of that name exists", output, "Choose another name");
            }
            if output.exists() && !self.overwrite {
                let text = "file exists, choose another name or allow --overwrite";
                return refuse(text, output, "Choose another name, or allow it to be replaced");
            }
            if !self.makes_folder
                && let Some(folder) = output.parent().filter(|path| !path.as_os_str().is_empty() && !path.is_dir())
            {
                return refuse("there is no such folder", folder, "Make it first, or choose another one");
            }
        }
        Ok(())
    }
}

fn files(command: &Command) -> Files {
    let of = |inputs: &[&PathBuf], outputs: Vec<PathBuf>, overwrite: bool| Files {
        inputs: inputs.iter().map(|path| (*path).clone()).collect(),
        outputs,
        overwrite,
        makes_folder: matches!(command, Command::Explain(_)),
    };
    match command {
        Command::Predict(c) => {
            let optional = [&c.probabilities, &c.margin, &c.entropy].into_iter().flatten().cloned();
            of(&[&c.model, &c.raster], std::iter::once(c.out.clone()).chain(optional).collect(), c.overwrite)
        }
        Command::Explain(c) => {
            let names = ["class.tif", "attention.tif", "gradcam.tif"];
            of(&[&c.model, &c.raster], names.iter().map(|name| c.out_dir.join(name)).collect(), c.overwrite)
        }
        Command::Prior(c) => {
            let outputs = std::iter::once(c.out.clone()).chain(c.classes.clone()).collect();
            of(&[&c.references, &c.raster], outputs, c.overwrite)
        }
        Command::Polygonize(c) => of(&[&c.raster], vec![c.out.clone()], c.overwrite),
        Command::Render(c) => of(&c.rasters.iter().collect::<Vec<_>>(), vec![c.out.clone()], c.overwrite),
        Command::Convert(c) => of(&[&c.raster], vec![c.out.clone()], c.overwrite),
        Command::Classify(c) => {
            let inputs: Vec<_> = [&c.references, &c.training].into_iter().flatten().chain([&c.raster]).collect();
            of(&inputs, std::iter::once(c.out.clone()).chain(c.score.clone()).collect(), c.overwrite)
        }
        Command::Index(c) => of(&[&c.raster], vec![c.out.clone()], c.overwrite),
        Command::Accuracy(c) => of(&[&c.truth, &c.map], c.html.iter().chain(&c.csv).cloned().collect(), c.overwrite),
        Command::Sample(c) => of(&[&c.map], vec![c.out.clone()], c.overwrite),
        Command::Sieve(c) => of(&[&c.map], vec![c.out.clone()], c.overwrite),
        Command::ConvertSpectra(c) => {
            let inputs: Vec<_> = [&c.to_bands, &c.bands].into_iter().flatten().chain([&c.spectra]).collect();
            of(&inputs, vec![c.out.clone()], c.overwrite)
        }
        Command::Replay(c) => of(&[&c.output], c.out.iter().cloned().collect(), c.overwrite),
        Command::ExportModel { path, overwrite } => of(&[], vec![path.clone()], *overwrite),
        Command::ExportLabels(export) => of(&[], vec![export.out.clone()], export.overwrite),
        Command::ExportClasses { path, overwrite } => of(&[], vec![path.clone()], *overwrite),
        Command::PackProject { out, overwrite, .. } => of(&[], vec![out.clone()], *overwrite),
        Command::SaveJudgement { html, csv, overwrite } => {
            of(&[], html.iter().chain(csv).cloned().collect(), *overwrite)
        }
        Command::SaveReferences { path, overwrite } => of(&[], vec![path.clone()], *overwrite),
        _ => of(&[], Vec::new(), false),
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "inputs of a test need not survive a kill")]
mod tests {
    use super::*;

    fn convert(raster: &Path, out: &Path, overwrite: bool) -> Command {
        let json = serde_json::json!({ "command": "convert", "raster": raster, "out": out, "overwrite": overwrite });
        serde_json::from_value(json).expect("a command")
    }

    fn check(command: &Command) -> Result<(), String> {
        let files = Files::of(command).map_err(|error| error.to_string())?;
        files.check().map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_overwritten_by_chance() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, out) = (folder.path().join("a.tif"), folder.path().join("b.tif"));
        std::fs::write(&input, "a").expect("written");
        assert_eq!(check(&convert(&input, &out, false)), Ok(()));

        std::fs::write(&out, "b").expect("written");

        assert!(check(&convert(&input, &out, false)).is_err_and(|text| text.starts_with("file exists")));
        assert_eq!(check(&convert(&input, &out, true)), Ok(()));
        assert!(check(&convert(&input, &input, true)).is_err_and(|text| text.contains("input and output at once")));
        assert!(check(&convert(&input, folder.path(), true)).is_err_and(|text| text.contains("a folder of that name")));
        let nowhere = check(&convert(&input, &folder.path().join("no/c.tif"), true));
        assert!(nowhere.is_err_and(|text| text.starts_with("there is no such folder")));
        assert!(Files::of(&convert(&input, Path::new(""), true)).is_err(), "a name is judged at once");
    }
}
