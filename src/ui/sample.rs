//! Where the sample scene and its model lie: beside the program or in the source tree.

use std::path::{Path, PathBuf};

const FOLDER: &str = "sample_scenes/rachel_carson";

/// A scene with the model that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub scene: PathBuf,
    pub model: PathBuf,
}

/// Looks beside the program, above it (a build folder), in `share/nunatak`, and in the current folder.
pub(crate) fn find() -> Option<Sample> {
    let program = std::env::current_exe().unwrap_or_default();
    let current = std::env::current_dir().unwrap_or_default();
    let manifest = option_env!("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let installed = program.ancestors().nth(2).map(|prefix| prefix.join("share/nunatak"));
    let roots = program.ancestors().skip(1).chain(current.ancestors()).chain(manifest.ancestors());
    installed.iter().map(PathBuf::as_path).chain(roots).find_map(|root| in_folder(&root.join(FOLDER)))
}

fn in_folder(folder: &Path) -> Option<Sample> {
    let scene = folder.join("scene.tif");
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"))
        .collect();
    models.sort();
    let model = models.into_iter().next()?;
    scene.is_file().then_some(Sample { scene, model })
}
