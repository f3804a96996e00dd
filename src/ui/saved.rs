//! What the window remembers from one start to the next: recent files, theme, layout.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::keymap::Keymap;
use crate::tools::ToolOptions;

const KEY: &str = "nunatak";
const MAX_RECENT: usize = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ThemeChoice {
    #[default]
    System,
    Dark,
    Light,
}

/// The right side of the window, arranged for a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workspace {
    /// Layers and inspector.
    #[default]
    Look,
    /// Classes, label layers and history.
    Annotate,
    /// Model, references and inspector.
    Explain,
    /// How good a map is.
    Judge,
    /// What leaves the program.
    Export,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    /// Rasters and models, newest first.
    pub recent: Vec<PathBuf>,
    pub theme: ThemeChoice,
    pub workspace: Workspace,
    pub side_panel: bool,
    pub inspector_open: bool,
    /// In points; `None` until the splitter was drawn.
    pub inspector_height: Option<f32>,
    /// Where the last file was written.
    pub export_dir: Option<PathBuf>,
    pub tools: ToolOptions,
    pub keys: Keymap,
}

impl Default for Saved {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            theme: ThemeChoice::System,
            workspace: Workspace::Look,
            side_panel: true,
            inspector_open: true,
            inspector_height: None,
            export_dir: None,
            tools: ToolOptions::default(),
            keys: Keymap::default(),
        }
    }
}

impl Saved {
    pub(crate) fn load(storage: Option<&dyn eframe::Storage>) -> Self {
        storage.and_then(|storage| eframe::get_value(storage, KEY)).unwrap_or_default()
    }

    pub(crate) fn store(&self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, KEY, self);
    }

    /// Puts a file at the head of the recent ones. Results in the temporary folder are gone with
    /// the session and are left out; names that are no files (addresses) stay as they are.
    /// Returns the name that is listed now.
    pub(crate) fn remember(&mut self, path: &Path) -> Option<PathBuf> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.starts_with(std::env::temp_dir()) {
            return None;
        }
        self.recent.retain(|known| *known != path);
        self.recent.insert(0, path.clone());
        self.recent.truncate(MAX_RECENT);
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_files_are_listed_once_newest_first() {
        let mut saved = Saved::default();
        for name in ["a.tif", "b.tif", "a.tif"] {
            saved.remember(Path::new(name));
        }

        assert_eq!(saved.recent, [PathBuf::from("a.tif"), PathBuf::from("b.tif")]);
    }
}
