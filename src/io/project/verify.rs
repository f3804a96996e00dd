//! Whether a project is whole, without changing anything.

use std::path::Path;

use nunatak_jobs::Monitor;
use serde::Serialize;

use super::folder::{manifest_path, read_manifest, versions};
use super::journal::{JournalReader, scan};
use super::manifest::ManifestError;
use super::replay::StepList;
use super::scenes::SceneState;
use crate::error::IoError;
use crate::hash::sha256_file;

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    pub name: String,
    pub n_label_layers: usize,
    pub n_scenes: usize,
    pub n_versions: usize,
    /// Steps that undo and redo can reach.
    pub n_steps: usize,
    /// Those that opening would play onto the last save.
    pub n_steps_after_save: usize,
    /// One sentence each; empty for a whole project.
    pub problems: Vec<String>,
}

/// Reads everything that a project consists of: manifest, label files and their hashes, every
/// step of the journal, scenes, versions.
///
/// # Errors
/// There is no manifest at all, or the job was cancelled.
pub fn verify(folder: &Path, monitor: &dyn Monitor) -> Result<VerifyReport, IoError> {
    let folder = if folder.is_file() { folder.parent().unwrap_or(folder) } else { folder };
    let mut report = VerifyReport::default();
    let older = versions(folder);
    report.n_versions = older.len();
    let manifest = match read_manifest(&manifest_path(folder))? {
        Ok(manifest) => manifest,
        Err(ManifestError::Newer(reason) | ManifestError::Damaged(reason)) => {
            report.problems.push(format!("the project file cannot be read: {reason}"));
            return Ok(report);
        }
    };
    report.name.clone_from(&manifest.name);
    (report.n_label_layers, report.n_scenes) = (manifest.labels.len(), manifest.scenes.len());
    for (save, entry) in std::iter::once(&manifest).chain(&older).flat_map(|m| m.labels.iter().map(|e| (m.save, e))) {
        monitor.check()?;
        let path = folder.join(&entry.file);
        match entry.read(folder, monitor).and_then(|_| sha256_file(&path, monitor)) {
            Ok(hash) if hash == entry.sha256 => {}
            Ok(_) => report.problems.push(format!("{} was changed after save {save}", entry.file)),
            Err(IoError::Cancelled) => return Err(IoError::Cancelled),
            Err(error) => report.problems.push(format!("save {save}: {error}")),
        }
    }
    for scene in &manifest.scenes {
        monitor.check()?;
        let found = scene.find(folder);
        match found.state {
            SceneState::Missing { .. } => report.problems.push(format!("scene {} is missing", scene.path)),
            SceneState::Changed => report.problems.push(format!("scene {} has another content", scene.path)),
            SceneState::Moved { .. } => {
                report.problems.push(format!("scene {} is at {} now", scene.path, found.path.display()));
            }
            SceneState::Found | SceneState::Unchecked => {}
        }
    }
    verify_journal(folder, &manifest.journal, &mut report, monitor)?;
    Ok(report)
}

fn verify_journal(
    folder: &Path,
    entry: &super::manifest::JournalEntry,
    report: &mut VerifyReport,
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    let path = folder.join(&entry.file);
    let scanned = match scan(&path, 0, 0) {
        Ok(scanned) => scanned,
        Err(error) => {
            report.problems.push(error.to_string());
            return Ok(());
        }
    };
    if scanned.id != entry.id {
        report.problems.push("the journal belongs to another project".to_owned());
    }
    if scanned.end < entry.end {
        report.problems.push("the journal ends before the last save".to_owned());
    }
    if let Some(cut) = &scanned.cut {
        report.problems.push(format!("the last {} bytes of the journal cannot be read: {}", cut.bytes, cut.reason));
    }
    let mut list = StepList::default();
    for record in &scanned.records {
        if !list.add(record) {
            report.problems.push("the journal lacks a step".to_owned());
            break;
        }
    }
    report.n_steps = list.steps.len();
    report.n_steps_after_save = list.steps.iter().filter(|(_, at)| *at >= entry.end).count();
    let reader = JournalReader::new(&path);
    for (title, at) in &list.steps {
        monitor.check()?;
        if let Err(error) = reader.read(*at) {
            report.problems.push(format!("the step {title} cannot be read: {error}"));
        }
    }
    Ok(())
}
