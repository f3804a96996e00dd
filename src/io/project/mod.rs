//! Projects: a folder `name.nunatak/` that a kill, a full disk or a damaged file cannot empty.
//!
//! ```text
//! project.json     manifest: scenes, classes, references, layers, how far the journal was
//! journal.bin      every step as it happened, append-only
//! labels/          GeoTIFFs, one per label layer and save that changed it
//! versions/        manifests of earlier saves; they refer to the label files of their time
//! thumbnails/      pictures for lists
//! lock             who writes
//! ```
//!
//! The state is always *a manifest and its label files, then the journal from there on*. A save
//! writes label files under names that nothing refers to yet and renames the manifest last, so
//! the old state is whole until the new one is. Every step is in the journal before the user
//! can make the next one.

mod archive;
mod codec;
mod folder;
mod journal;
mod label_file;
mod lock;
mod manifest;
mod open;
mod references;
mod replay;
mod save;
mod scenes;
#[cfg(test)]
mod tests;
mod verify;

pub use archive::{Packed, pack, unpack};
pub use folder::{ProjectFolder, VersionInfo};
pub use journal::{Appended, EncodedStep, Journal, JournalPlace, JournalReader};
pub use lock::{LockHolder, is_in_use};
pub use open::{Access, OpenedProject, open_project};
pub use save::{ProjectSnapshot, SaveKind, Saved};
pub use scenes::{Fingerprint, ProjectScene, SceneState, relink};
pub use verify::{VerifyReport, verify};
