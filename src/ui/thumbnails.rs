//! Thumbnails of recent rasters: small PNGs in the program's data folder, read on threads of
//! their own and shown on the start page. As many are kept as there are recent files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{ColorImage, Context, TextureHandle, TextureOptions};

const FOLDER: &str = "thumbnails";

pub(crate) struct Thumbnails {
    /// `None` where nothing is remembered from one start to the next, as in tests.
    pub(crate) folder: Option<PathBuf>,
    /// By raster; `None` while it is being read and where there is none.
    known: BTreeMap<PathBuf, Option<TextureHandle>>,
    sender: Sender<(PathBuf, ColorImage)>,
    read: Receiver<(PathBuf, ColorImage)>,
}

impl Thumbnails {
    pub(crate) fn new(remembering: bool) -> Self {
        let (sender, read) = unbounded();
        let folder = eframe::storage_dir("nunatak").map(|folder| folder.join(FOLDER));
        Self { folder: folder.filter(|_| remembering), known: BTreeMap::new(), sender, read }
    }

    /// Where the thumbnail of a raster lies.
    pub(crate) fn file(&self, raster: &Path) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name_of(raster)))
    }

    /// The raster's thumbnail was or will be written anew.
    pub(crate) fn forget(&mut self, raster: &Path) {
        self.known.remove(raster);
    }

    /// The thumbnail, once it has been read; the first call asks for it.
    pub(crate) fn texture(&mut self, ctx: &Context, raster: &Path) -> Option<&TextureHandle> {
        for (raster, image) in self.read.try_iter() {
            let texture = ctx.load_texture(raster.to_string_lossy(), image, TextureOptions::LINEAR);
            self.known.insert(raster, Some(texture));
        }
        if !self.known.contains_key(raster) {
            self.known.insert(raster.to_owned(), None);
            self.ask(ctx, raster);
        }
        self.known.get(raster)?.as_ref()
    }

    fn ask(&self, ctx: &Context, raster: &Path) {
        let own = raster.join("thumbnails").join("project.png");
        let project = raster.extension().is_some_and(|ending| ending == "nunatak");
        let Some(file) = self.file(raster).map(|file| if project { own } else { file }) else { return };
        let (raster, sender, ctx) = (raster.to_owned(), self.sender.clone(), ctx.clone());
        let worker = std::thread::Builder::new().name("thumbnail".to_owned());
        let spawned = worker.spawn(move || {
            // A raster that was never shown has none.
            let Some(image) = std::fs::read(file).ok().and_then(|bytes| decoded(&bytes)) else { return };
            // The window may be gone by now.
            drop(sender.send((raster, image)));
            ctx.request_repaint();
        });
        if let Err(error) = spawned {
            log::warn!("no thread for a thumbnail: {error}");
        }
    }

    /// Removes the thumbnails of files that are not recent any more.
    pub(crate) fn prune(&self, recent: &[PathBuf]) {
        let Some(folder) = &self.folder else { return };
        let wanted: Vec<String> = recent.iter().map(|path| name_of(path)).collect();
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".png") && !wanted.contains(&name) {
                // What cannot be removed is tried again at the next start.
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }
}

/// A name that depends on the path alone (FNV-1a, 64 bits).
fn name_of(raster: &Path) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = raster.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, mix);
    format!("{hash:016x}.png")
}

fn decoded(png: &[u8]) -> Option<ColorImage> {
    let icon = eframe::icon_data::from_png_bytes(png).ok()?;
    Some(ColorImage::from_rgba_unmultiplied([icon.width as usize, icon.height as usize], &icon.rgba))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_published_hash() {
        // FNV-1a of "a" is af63dc4c8601ec8c (Fowler, Noll, Vo: test vectors).
        assert_eq!(name_of(Path::new("a")), "af63dc4c8601ec8c.png");
    }

    #[test]
    fn only_recent_files_keep_their_thumbnails() {
        let folder = tempfile::tempdir().expect("a folder");
        let thumbnails = Thumbnails { folder: Some(folder.path().to_owned()), ..Thumbnails::new(false) };
        for raster in ["a.tif", "b.tif"] {
            let file = thumbnails.file(Path::new(raster)).expect("a name");
            std::fs::File::create(file).expect("created");
        }

        thumbnails.prune(&["b.tif".into()]);

        assert!(!thumbnails.file(Path::new("a.tif")).expect("a name").exists());
        assert!(thumbnails.file(Path::new("b.tif")).expect("a name").exists());
    }
}
