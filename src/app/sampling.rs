//! References that are painted or clicked on a scene, and previews of what is being done to
//! them: the prior and the plots follow the hand before the step is made.

use nunatak_domain::class::{ClassId, Rgb};
use nunatak_domain::label::Gesture;
use nunatak_domain::layer::SceneId;
use nunatak_domain::scene::ColorRole;
use nunatak_domain::spectra::{ReferenceSet, SpectralReference};
use nunatak_jobs::JobId;
use serde::{Deserialize, Serialize};

use crate::command::{CommandError, ReferenceEdit};
use crate::event::{Event, JobReport};
use crate::reader::{Ask, Request, SampleAsk};
use crate::references::References;
use crate::session::Session;
use crate::work::{self, Done};

/// Pixels of a scene that become a reference, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRequest {
    pub scene: SceneId,
    /// Which reference, from 0; `None` makes a new one.
    #[serde(default)]
    pub reference: Option<usize>,
    pub gesture: Gesture,
    #[serde(default)]
    pub mode: SampleMode,
    /// A new reference is called after its class, or numbered, where there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// `None` leaves the class as it is.
    #[serde(default)]
    pub class: Option<ClassId>,
}

/// What the gesture's pixels do to those that the reference has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleMode {
    #[default]
    Add,
    Erase,
    Replace,
}

/// References that are shown and not made.
#[derive(Default)]
pub(crate) struct Preview {
    /// Answers to older questions come too late.
    newest: u64,
    shown: bool,
    /// Makes what is shown.
    job: Option<JobId>,
}

/// What a sampling job found.
pub(crate) struct Sampled {
    request: SampleRequest,
    before: Option<SpectralReference>,
    measured: work::sample_reference::Measured,
}

impl Session {
    pub(crate) fn sample_reference(&mut self, request: SampleRequest) -> Result<Vec<Event>, CommandError> {
        let (job, before) = self.sample_job(&request)?;
        let title = self.sample_title(&request);
        let events = self.start_open(title, move |monitor| {
            let measured = work::sample_reference::run(&job, monitor)?;
            Ok(Done::Sampled(Box::new(Sampled { request, before, measured })))
        });
        self.preview.newest += 1;
        self.preview.job = events.iter().find_map(|event| match event {
            Event::JobStarted { job, .. } => Some(*job),
            _ => None,
        });
        Ok(events)
    }

    /// Shows what a sample would make of the references as soon as its pixels are read; a newer
    /// question replaces an older one. Nothing is made until `Command::SampleReference`.
    ///
    /// # Errors
    /// As the command.
    pub fn preview_sample(&mut self, request: &SampleRequest) -> Result<(), CommandError> {
        let (job, _) = self.sample_job(request)?;
        self.preview.newest += 1;
        let ask = SampleAsk { token: self.preview.newest, request: request.clone(), job };
        self.pool.ask(Ask::Sample, Request::Sample(Box::new(ask)));
        Ok(())
    }

    /// Shows what an edit would make of the references, without making it: for a slider that is
    /// still held.
    ///
    /// # Errors
    /// As `Command::EditReferences`.
    pub fn preview_reference(&mut self, edit: ReferenceEdit) -> Result<Vec<Event>, CommandError> {
        let mut next = self.references.with_set(self.document.project.references.clone());
        next.edit(edit)?;
        self.preview.newest += 1;
        Ok(self.show_references(next))
    }

    /// Shows the references as they are.
    pub fn end_preview(&mut self) -> Vec<Event> {
        self.preview.newest += 1;
        self.preview.job = None;
        if !self.preview.shown {
            return Vec::new();
        }
        self.references = self.references_of_document();
        self.preview.shown = false;
        self.references_changed()
    }

    /// The job that would have made what is shown has failed.
    pub(crate) fn preview_failed(&mut self, job: JobId) -> Vec<Event> {
        if self.preview.job == Some(job) { self.end_preview() } else { Vec::new() }
    }

    /// The document's references are shown again.
    pub(crate) const fn preview_over(&mut self) {
        self.preview.newest += 1;
        self.preview.shown = false;
        self.preview.job = None;
    }

    pub(crate) fn previewed(
        &mut self,
        token: u64,
        request: &SampleRequest,
        measured: work::sample_reference::Measured,
    ) -> Vec<Event> {
        if token != self.preview.newest {
            return Vec::new();
        }
        let Ok(set) = self.with_sample(request, measured) else { return Vec::new() };
        let next = self.references.with_set(set);
        self.show_references(next)
    }

    fn show_references(&mut self, next: References) -> Vec<Event> {
        self.references = next;
        self.preview.shown = true;
        self.references_changed()
    }

    /// # Errors
    /// The reference is gone.
    pub(crate) fn take_sampled(&mut self, sampled: Sampled) -> Result<(JobReport, Vec<Event>), CommandError> {
        let Sampled { request, before, measured } = sampled;
        let now = request.reference.and_then(|index| self.document.project.references.references.get(index));
        let pixels = |reference: Option<&SpectralReference>| reference.and_then(|found| found.sample.clone());
        if pixels(now) != pixels(before.as_ref()) {
            // Another stroke ended meanwhile: this one goes on top of it.
            return Ok((JobReport::default(), self.sample_reference(request)?));
        }
        let facts = vec![("pixels".to_owned(), measured.sample.n.into())];
        let title = self.sample_title(&request);
        let next = self.references.with_set(self.with_sample(&request, measured)?);
        let events = self.replace_references(title, next)?;
        Ok((JobReport { facts, ..JobReport::default() }, events))
    }

    fn sample_title(&self, request: &SampleRequest) -> String {
        let known = request.reference.and_then(|index| self.document.project.references.references.get(index));
        match (known, request.mode) {
            (None, _) => "Sample a reference".to_owned(),
            (Some(known), SampleMode::Add) => format!("Add pixels to {}", known.name),
            (Some(known), SampleMode::Erase) => format!("Take pixels from {}", known.name),
            (Some(known), SampleMode::Replace) => format!("Sample {} anew", known.name),
        }
    }

    /// Everything that the job needs, and the reference as it is.
    fn sample_job(
        &self,
        request: &SampleRequest,
    ) -> Result<(work::sample_reference::Request, Option<SpectralReference>), CommandError> {
        let no_scene = || CommandError(format!("there is no scene {}", request.scene.0));
        let info = &self.layers.scene(request.scene).ok_or_else(no_scene)?.info;
        let set = &self.document.project.references;
        let before = match request.reference {
            Some(index) => Some(set.references.get(index).cloned().ok_or_else(|| {
                CommandError(format!("there is no reference {}: there are {}", index + 1, set.references.len()))
            })?),
            None if request.mode == SampleMode::Erase => {
                return Err(CommandError("choose the reference that pixels are taken from".to_owned()));
            }
            None => None,
        };
        if let Some(class) = request.class.filter(|id| self.document.project.classes.get(*id).is_none()) {
            return Err(CommandError(format!("there is no class {}", class.0)));
        }
        let sample = before.as_ref().and_then(|reference| reference.sample.clone());
        if request.mode != SampleMode::Replace
            && let Some(reference) = &before
        {
            let elsewhere = sample.as_ref().is_some_and(|sample| sample.scene != Some(request.scene));
            if elsewhere || sample.is_none() {
                let why = if elsewhere { "was painted on another scene" } else { "has no pixels" };
                return Err(CommandError(format!("{} {why}: sample it anew, or make a new one", reference.name)));
            }
        }
        let bands = self.sample_bands(request.scene).ok_or_else(|| {
            CommandError(format!(
                "the references have {} bands, which {} does not have by name or wavelength",
                set.n_bands(),
                info.name()
            ))
        })?;
        let before_pixels = before.as_ref().zip(sample).map(|(reference, sample)| (reference.spectrum.clone(), sample));
        let job = work::sample_reference::Request {
            path: info.path.clone(),
            scene: request.scene,
            gesture: request.gesture.clone(),
            mode: request.mode,
            before: before_pixels,
            normalisation: self.references.normalisation_of(info, &bands),
            bands,
        };
        Ok((job, before))
    }

    /// The scene's band for each band of the references; all but alpha for the first one.
    pub(crate) fn sample_bands(&self, scene: SceneId) -> Option<Vec<usize>> {
        let info = &self.layers.scene(scene)?.info;
        let set = &self.document.project.references;
        if set.references.is_empty() {
            return Some((0..info.n_bands()).filter(|&band| info.bands[band].color != ColorRole::Alpha).collect());
        }
        set.bands_in(info)
    }

    fn with_sample(
        &self,
        request: &SampleRequest,
        measured: work::sample_reference::Measured,
    ) -> Result<ReferenceSet, CommandError> {
        let project = &self.document.project;
        let mut set = project.references.clone();
        let work::sample_reference::Measured { mean, sample } = measured;
        let class = request.class.and_then(|id| project.classes.get(id));
        match request.reference {
            Some(index) => {
                let gone = || CommandError("the reference is gone".to_owned());
                let reference = set.references.get_mut(index).ok_or_else(gone)?;
                reference.spectrum = mean;
                reference.sample = Some(sample);
                if let Some(name) = &request.name {
                    reference.name.clone_from(name);
                }
                reference.class = request.class.or(reference.class);
            }
            None => {
                let n = set.references.len() + 1;
                let of_class = class.map(|class| class.name.clone());
                let name = request.name.clone().or(of_class).unwrap_or_else(|| format!("Reference {n}"));
                // The first colour of the set is black, which is for no class.
                let color = class.map_or_else(|| Rgb::distinct(n), |class| class.color);
                if set.references.is_empty()
                    && let (Some(scene), Some(bands)) =
                        (self.layers.scene(request.scene), self.sample_bands(request.scene))
                {
                    set.bands = bands.iter().map(|&band| scene.info.bands[band].name.clone()).collect();
                }
                let sample = Some(sample);
                let class = request.class;
                set.references.push(SpectralReference { class, sample, ..SpectralReference::new(name, color, mean) });
            }
        }
        Ok(set)
    }
}
