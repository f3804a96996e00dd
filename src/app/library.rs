//! Libraries of spectra that one picks from, and the health of the references.

use std::path::{Path, PathBuf};

use nunatak_domain::geo::GeoBounds;
use nunatak_domain::layer::SceneId;
use nunatak_domain::notice::Notice;
use nunatak_domain::spectra::{ReferenceHealth, ReferenceSet, Resampling, SpectralLibrary, TargetBand, target_bands};

use crate::command::CommandError;
use crate::event::{Event, JobReport};
use crate::session::Session;
use crate::work::{self, Done};

/// A library that was read for a look.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenLibrary {
    pub path: PathBuf,
    pub library: SpectralLibrary,
}

/// What is known of the references' health, and for which of them.
#[derive(Default)]
pub(crate) struct Health {
    found: Option<ReferenceHealth>,
    /// Answers to older questions come too late.
    newest: u64,
}

impl Session {
    /// The library that was read last.
    pub const fn library(&self) -> Option<&OpenLibrary> {
        self.library.as_ref()
    }

    /// Of the enabled references; `None` before it was asked for.
    pub const fn health(&self) -> Option<&ReferenceHealth> {
        self.health.found.as_ref()
    }

    /// Finds the references' health anew in the background; wins are counted on the part of the
    /// scene inside of `view` (the map's CRS). The answer is `Event::HealthChanged`.
    pub fn examine_references(&mut self, scene: Option<SceneId>, view: Option<GeoBounds>) {
        let view = scene.zip(view).and_then(|(id, bounds)| {
            let info = &self.layers.scene(id)?.info;
            let window = self.atlas.place(id)?.window_of(&bounds)?;
            Some((self.references.prior_on(info)?, info.path.clone(), window))
        });
        let request = work::reference_spectra::HealthRequest { set: self.references.set().clone(), view };
        self.health.newest += 1;
        let token = self.health.newest;
        self.runner.start(&self.open_lane, move |(), monitor| {
            Ok(Done::Health(token, Box::new(work::reference_spectra::health(&request, monitor)?)))
        });
    }

    pub(crate) fn examined(&mut self, token: u64, found: ReferenceHealth) -> Vec<Event> {
        if token != self.health.newest {
            return Vec::new();
        }
        self.health.found = Some(found);
        vec![Event::HealthChanged]
    }

    /// Bands that an imported spectrum needs to fit the references there are on a scene.
    ///
    /// # Errors
    /// There is no such scene, or it lacks bands of the references.
    pub fn import_bands(&self, scene: SceneId) -> Result<Vec<TargetBand>, CommandError> {
        let no_scene = || CommandError(format!("there is no scene {}", scene.0));
        let info = &self.layers.scene(scene).ok_or_else(no_scene)?.info;
        let bands = self.sample_bands(scene).ok_or_else(|| {
            CommandError(format!("the references have other bands than {}: clear them first", info.name()))
        })?;
        let all = target_bands(info);
        Ok(bands.into_iter().map(|band| all[band].clone()).collect())
    }

    pub(crate) fn import_spectra(
        &mut self,
        path: &Path,
        scene: SceneId,
        pick: Vec<usize>,
        method: Resampling,
    ) -> Result<Vec<Event>, CommandError> {
        let bands = self.import_bands(scene)?;
        let title = format!("Import {}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
        let path = path.to_owned();
        Ok(self.start_open(title, move |_| work::reference_spectra::import(&path, &pick, &bands, method)))
    }

    /// # Errors
    /// The references have other bands by now.
    pub(crate) fn take_imported(
        &mut self,
        imported: ReferenceSet,
        remarks: Vec<String>,
    ) -> Result<(JobReport, Vec<Event>), CommandError> {
        let mut set = self.document.project.references.clone();
        if set.n_bands() != 0 && set.n_bands() != imported.n_bands() {
            return Err(CommandError("the references have other bands by now: import the spectra again".to_owned()));
        }
        if set.references.is_empty() {
            set.bands = imported.bands;
        }
        let n = imported.references.len();
        set.references.extend(imported.references);
        let next = self.references.with_set(set);
        let title = if n == 1 { "Import a spectrum".to_owned() } else { format!("Import {n} spectra") };
        let mut events = self.replace_references(title, next)?;
        if !remarks.is_empty() {
            let text = if n == 1 { "1 spectrum imported".to_owned() } else { format!("{n} spectra imported") };
            events.push(Event::Notice(Notice::info(text).details(remarks.join("\n"))));
        }
        let facts = vec![("references".to_owned(), n.into())];
        Ok((JobReport { facts, ..JobReport::default() }, events))
    }

    /// Centres of the references' bands, from the first open scene that has them.
    pub(crate) fn reference_bands(&self) -> Vec<TargetBand> {
        let set = &self.document.project.references;
        let found = self.layers.scenes().values().find_map(|scene| {
            let all = target_bands(&scene.info);
            Some(set.bands_in(&scene.info)?.into_iter().map(|band| all[band].clone()).collect())
        });
        let named = |name: &String| TargetBand { name: name.clone(), ..TargetBand::default() };
        found.unwrap_or_else(|| set.bands.iter().map(named).collect())
    }
}
