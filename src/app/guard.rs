//! Commands that write are looked at before their job starts: nothing is overwritten that
//! nobody asked to overwrite, and no input is written over.

use std::path::{Path, PathBuf};

use crate::command::{Command, CommandError};

/// # Errors
/// An output is there already, is an input, is named twice, or its folder is not there.
pub(crate) fn check_outputs(command: &Command) -> Result<(), CommandError> {
    let Files { inputs, outputs, overwrite } = files(command);
    for (index, output) in outputs.iter().enumerate() {
        if output.as_os_str().is_empty() {
            return Err(CommandError("an output needs a name".to_owned()));
        }
        if outputs[..index].contains(output) {
            return Err(CommandError(format!("two outputs have the same name: {}", output.display())));
        }
        if inputs.iter().any(|input| same_file(input, output)) {
            return Err(CommandError(format!("a file cannot be input and output at once: {}", output.display())));
        }
        if output.is_dir() {
            return Err(CommandError(format!("a folder of that name exists: {}", output.display())));
        }
        if output.exists() && !overwrite {
            let path = output.display();
            return Err(CommandError(format!("file exists, choose another name or allow --overwrite: {path}")));
        }
        // `explain` makes its folder itself.
        if !matches!(command, Command::Explain(_))
            && let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        {
            return Err(CommandError(format!("there is no such folder: {}", folder.display())));
        }
    }
    Ok(())
}

struct Files {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    overwrite: bool,
}

fn files(command: &Command) -> Files {
    let of = |inputs: &[&PathBuf], outputs: Vec<PathBuf>, overwrite: bool| Files {
        inputs: inputs.iter().map(|path| (*path).clone()).collect(),
        outputs,
        overwrite,
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
        Command::ExportModel { path, overwrite } => of(&[], vec![path.clone()], *overwrite),
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

    #[test]
    fn nothing_is_overwritten_by_chance() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, out) = (folder.path().join("a.tif"), folder.path().join("b.tif"));
        std::fs::write(&input, "a").expect("written");
        assert!(check_outputs(&convert(&input, &out, false)).is_ok());

        std::fs::write(&out, "b").expect("written");

        assert!(check_outputs(&convert(&input, &out, false)).is_err());
        assert!(check_outputs(&convert(&input, &out, true)).is_ok());
        assert!(check_outputs(&convert(&input, &input, true)).is_err(), "input and output");
        assert!(check_outputs(&convert(&input, &folder.path().join("no/c.tif"), true)).is_err(), "no folder");
    }
}
