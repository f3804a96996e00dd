//! What each command does: at once where that is quick, else by a job on a lane.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::edit::{self, Edit};
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::layer::{LayerId, LayerRole, LayerSource, SceneId};
use nunatak_domain::map::{MAX_LIVE_REFERENCES, MAX_RESIDENT_BANDS};
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::BandStatistics;
use nunatak_domain::style::{Stretch, StretchMethod, Style};
use nunatak_jobs::{JobError, JobId, JobMonitor, Lane, Runner};

use crate::command::{Command, CommandError, ReferenceEdit, StretchExtent};
use crate::event::{Event, JobStatus};
use crate::guard::Files;
use crate::layers::NewLayer;
use crate::references::References;
use crate::session::{Jobs, Saving, Session};
use crate::work::{self, Done};

impl Session {
    /// Does what is quick at once and starts a job for the rest.
    ///
    /// # Errors
    /// The command makes no sense now (unknown layer, no model, file exists); nothing changed.
    pub fn dispatch(&mut self, command: Command) -> Result<Vec<Event>, CommandError> {
        let files = Files::of(&command)?;
        let recipe = command.clone();
        match command {
            Command::OpenScene { path } => {
                let title = format!("Open {}", name(&path));
                let map = Arc::clone(&self.map_crs);
                Ok(self.start(Target::Open, title, move |monitor| work::open::scene(&path, &map, monitor)))
            }
            Command::OpenModel { path } => {
                let title = format!("Open {}", name(&path));
                Ok(self.start(Target::Open, title, move |_| work::open::model(&path)))
            }
            Command::OpenReferences { path } => {
                let title = format!("Open {}", name(&path));
                Ok(self.start(Target::Open, title, move |_| work::open::references(&path)))
            }
            Command::UseModelReferences => self.use_model_references(),
            Command::EditReferences { edit } => self.edit_references(edit),
            Command::SampleReference(request) => self.sample_reference(request),
            Command::OpenSpectra { path } => {
                let title = format!("Open {}", name(&path));
                Ok(self.start(Target::Open, title, move |_| work::reference_spectra::library(&path)))
            }
            Command::ImportSpectra { path, scene, pick, method } => self.import_spectra(&path, scene, pick, method),
            Command::AddLabels { scene, name } => self.add_labels(scene, name.as_deref()),
            Command::RemoveLabels { labels } => self.make(edit::remove_labels(self.project(), labels)?),
            Command::RenameLabels { labels, name } => self.make(edit::rename_labels(self.project(), labels, &name)?),
            Command::DuplicateLabels { labels } => self.make(edit::duplicate_labels(self.project(), labels)?),
            Command::Paint { labels, gesture, rule } => self.paint(labels, gesture, rule),
            Command::BeginStroke { labels, brush, rule, at } => self.begin_stroke(labels, brush, rule, at),
            Command::ExtendStroke { positions } => self.extend_stroke(&positions),
            Command::EndStroke => self.end_stroke(),
            Command::AbortStroke => self.abort_stroke(),
            Command::FilterLabels { labels, filter } => self.filter_labels(labels, filter),
            Command::EditClasses { edit } => self.edit_classes(edit),
            Command::Undo => self.undo(),
            Command::Redo => self.redo(),
            Command::GoToStep { position } => self.go_to(position),
            Command::SaveReferences { path, overwrite } => {
                let set = self.document.project.references.clone();
                let bands = self.reference_bands();
                let title = format!("Save {}", name(&path));
                let saved = Arc::new(AtomicBool::new(false));
                let (done, target) = (Arc::clone(&saved), path.clone());
                // A prior that reads the file may be asked for next: both take their turns.
                let (job, events) = self.compute_job(title, move |_, monitor| {
                    files.check()?;
                    let report = work::save::references(&set, &bands, &path, overwrite, &recipe, monitor)?;
                    done.store(true, Ordering::Release);
                    Ok(report)
                });
                self.saving.insert(target, Saving { job, saved });
                Ok(events)
            }
            Command::ImportLabels { file, scene, labels, name } => self.import_labels(&file, scene, labels, name),
            Command::LabelsFromScene { scene, onto } => self.labels_from_scene(scene, onto),
            Command::ExportLabels(export) => self.export_labels(export, files, recipe),
            Command::LabelStatistics { labels } => self.label_statistics(labels),
            Command::ImportClasses { from, field } => self.import_classes(from, field),
            Command::ExportClasses { path, overwrite } => self.export_classes(path, overwrite, files),
            Command::SaveProject { path, overwrite, view } => self.save_project(path, overwrite, view),
            Command::OpenProject { path, access } => self.open_project(path, access),
            Command::CloseProject => self.close_project(),
            Command::RelinkScenes { folder } => self.relink_scenes(folder),
            Command::ListVersions => self.list_versions(),
            Command::RestoreVersion { save } => self.restore_version(save),
            Command::PackProject { out, with_scenes, overwrite } => self.pack_project(out, with_scenes, overwrite),
            Command::UnpackProject { archive, into } => {
                let title = format!("Unpack {}", name(&archive));
                Ok(self.start_files(title, move |monitor| work::project::unpack(&archive, &into, monitor)))
            }
            Command::VerifyProject { path } => {
                let title = format!("Verify {}", name(&path));
                Ok(self.start_open(title, move |monitor| work::project::verify(&path, monitor)))
            }
            Command::DiscardUnsaved { path } => self.discard_unsaved(path),
            Command::RemoveLayer { layer } => self.remove_layer(layer),
            Command::MoveLayer { layer, to } => {
                self.layers.move_to(layer, to)?;
                Ok(self.layers_changed())
            }
            Command::RenameLayer { layer, name } => {
                if let Some(labels) = self.layers.get(layer).and_then(|layer| layer.source.labels()) {
                    return self.make(edit::rename_labels(self.project(), labels, &name)?);
                }
                self.layers.get_mut(layer)?.name = name;
                Ok(vec![Event::LayersChanged])
            }
            Command::SetVisible { layer, visible } => {
                self.layers.get_mut(layer)?.visible = visible;
                Ok(vec![Event::LayersChanged])
            }
            Command::SetOpacity { layer, opacity } => {
                if !opacity.is_finite() {
                    return Err(CommandError("opacity is a number from 0 to 1".to_owned()));
                }
                self.layers.get_mut(layer)?.opacity = opacity.clamp(0.0, 1.0);
                Ok(vec![Event::LayersChanged])
            }
            Command::SetBlend { layer, blend } => {
                self.layers.get_mut(layer)?.blend = blend;
                Ok(vec![Event::LayersChanged])
            }
            Command::SetStyle { layer, style } => {
                self.layers.set_style(layer, style)?;
                Ok(vec![Event::LayersChanged])
            }
            Command::Stretch { layer, method, extent } => self.stretch(layer, method, extent),
            Command::ShowPrior { scene } => self.show_prior(scene),
            Command::ShowClasses { scene, method } => self.show_classes(scene, method),
            Command::AddIndex { scene, formula, name } => self.add_index(scene, &formula, name),
            Command::Judge(request) => self.judge(request),
            Command::SaveJudgement { html, csv, overwrite } => {
                self.save_judgement((html, csv, overwrite), recipe, files)
            }
            Command::SetDevice { device } => {
                self.device.choice = device;
                self.device.text = device.to_string();
                self.find_device();
                Ok(Vec::new())
            }
            Command::Info { path, statistics } => {
                let title = format!("Info {}", name(&path));
                Ok(self.start(Target::Open, title, move |monitor| work::open::info(&path, statistics, monitor)))
            }
            Command::Predict(config) => {
                let device = self.device_for(config.device);
                let title = format!("Predict {}", name(&config.raster));
                Ok(self.compute(title, move |compute, monitor| {
                    files.check()?;
                    work::predict::run(compute, device, &config, &recipe, monitor)
                }))
            }
            Command::PredictLayer { scene, class, bands } => {
                let target = work::predict_layer::Target { class, bands, ..Default::default() };
                self.predict_layer(scene, target)
            }
            Command::ExplainLayer { scene, class, window, pixel, bands } => self
                .predict_layer(scene, work::predict_layer::Target { class, bands, window, pixel, only_gradcam: true }),
            Command::Thumbnail { layer, out } => self.thumbnail(layer, out),
            Command::Explain(config) => {
                let device = self.device_for(config.device);
                let title = format!("Explain {}", name(&config.raster));
                Ok(self.compute(title, move |compute, monitor| {
                    files.check()?;
                    work::explain::run(compute, device, &config, &recipe, monitor)
                }))
            }
            Command::Prior(config) => {
                let title = format!("Prior {}", name(&config.raster));
                let saving = self.saving.get(&config.references).map(|saving| Arc::clone(&saving.saved));
                Ok(self.compute(title, move |_, monitor| {
                    if saving.is_some_and(|saved| !saved.load(Ordering::Acquire)) {
                        return Err(not_saved(&config.references).into());
                    }
                    files.check()?;
                    work::prior::run(&config, &recipe, monitor)
                }))
            }
            Command::Polygonize(config) => {
                let title = format!("Polygonize {}", name(&config.raster));
                Ok(self.start(Target::Files, title, move |monitor| {
                    files.check()?;
                    work::export::polygonize(&config, &recipe, monitor)
                }))
            }
            Command::Render(config) => {
                let Some(painter) = self.painter.clone() else {
                    return Err(CommandError("this session cannot draw pictures: it has no painter".to_owned()));
                };
                work::render::check(&config)?;
                let title = format!("Render {}", name(&config.out));
                Ok(self.start(Target::Files, title, move |monitor| {
                    files.check()?;
                    work::render::run(&painter, &config, &recipe, monitor)
                }))
            }
            Command::Convert(config) => {
                let title = format!("Convert {}", name(&config.raster));
                Ok(self.start(Target::Files, title, move |monitor| {
                    files.check()?;
                    work::export::convert(&config, &recipe, monitor)
                }))
            }
            Command::Classify(_)
            | Command::Separability(_)
            | Command::Index(_)
            | Command::Accuracy(_)
            | Command::Sample(_)
            | Command::Sieve(_)
            | Command::ShowSpectra { .. }
            | Command::ConvertSpectra(_)
            | Command::Replay(_) => Ok(self.analyse(command, files)),
            Command::ExportModel { path, overwrite } => {
                let model = self.model.as_ref().ok_or_else(no_model)?;
                let source = model.path.clone();
                let title = format!("Export {}", name(&path));
                Ok(self.start(Target::Files, title, move |monitor| {
                    files.check()?;
                    work::save::model(&source, &path, overwrite, &recipe, monitor)
                }))
            }
            Command::CancelJob { job } => {
                if !self.runner.cancel(job) {
                    return Err(CommandError(format!("there is no job {}", job.0)));
                }
                Ok(Vec::new())
            }
        }
    }

    fn use_model_references(&mut self) -> Result<Vec<Event>, CommandError> {
        let model = self.model.as_ref().ok_or_else(no_model)?;
        let next = References::of_model(&model.record)?;
        self.replace_references("Use the model's references", next)
    }

    fn edit_references(&mut self, edit: ReferenceEdit) -> Result<Vec<Event>, CommandError> {
        let set = &self.document.project.references;
        let title = edit.title(set);
        let mut next = self.references.with_set(set.clone());
        next.edit(edit)?;
        self.replace_references(title, next)
    }

    /// Other references, as a step of the history.
    pub(crate) fn replace_references(
        &mut self,
        title: impl Into<String>,
        next: References,
    ) -> Result<Vec<Event>, CommandError> {
        self.end_drawing();
        let edit = Edit::references(title, &self.document.project.references, next.set());
        let position = self.document.history.position();
        self.scales.retain(|(from, _)| *from <= position);
        if edit.is_empty() {
            self.scales.push((position, next.scale().clone()));
            self.references = next;
            self.preview_over();
            return Ok(self.references_changed());
        }
        self.scales.push((position + 1, next.scale().clone()));
        self.make(edit)
    }

    /// Class maps of the prior follow the names and colours of the references.
    pub(crate) fn references_changed(&mut self) -> Vec<Event> {
        let scheme = self.references.set().scheme();
        let priors: Vec<LayerId> = self
            .layers
            .all()
            .iter()
            .filter(|layer| matches!(layer.source, LayerSource::Prior { .. }))
            .map(|layer| layer.id)
            .collect();
        for id in priors {
            if let Ok(layer) = self.layers.get_mut(id)
                && let Style::Classes { scheme: old, .. } = &mut layer.style
            {
                old.clone_from(&scheme);
            }
        }
        self.classify_anew();
        vec![Event::ReferencesChanged]
    }

    fn remove_layer(&mut self, layer: LayerId) -> Result<Vec<Event>, CommandError> {
        if let Some(labels) = self.layers.get(layer).and_then(|layer| layer.source.labels()) {
            // Labels are work: taking them away is a step that can be undone.
            return self.make(edit::remove_labels(self.project(), labels)?);
        }
        self.take_layer(layer)?;
        Ok(self.layers_changed())
    }

    /// Takes a layer off the map, with its scene if nothing else shows it.
    pub(crate) fn take_layer(&mut self, layer: LayerId) -> Result<(), CommandError> {
        if let Some(scene) = self.layers.remove(layer)? {
            self.tiles.forget_scene(scene);
            self.said.retain(|(id, _)| *id != scene);
        }
        Ok(())
    }

    fn stretch(
        &mut self,
        layer: LayerId,
        method: StretchMethod,
        extent: StretchExtent,
    ) -> Result<Vec<Event>, CommandError> {
        let unknown = || CommandError(format!("there is no layer {}", layer.0));
        let found = self.layers.get(layer).ok_or_else(unknown)?;
        let bands = found.style.bands();
        if matches!(found.style, Style::Classes { .. }) {
            return Err(CommandError("a class map has no stretch".to_owned()));
        }
        if matches!(found.source, LayerSource::Index { .. }) {
            return self.stretch_index(layer, method, extent);
        }
        if matches!(found.source, LayerSource::Prior { .. }) {
            // A similarity is in [0, 1] by definition.
            self.layers.get_mut(layer)?.style = similarity_style(&found.style.clone());
            return Ok(vec![Event::LayersChanged]);
        }
        let scene = self.scene_of(found.source).ok_or_else(unknown)?;
        let window = match extent {
            StretchExtent::Whole => {
                let known: Option<Vec<(usize, BandStatistics)>> =
                    bands.iter().map(|&band| Some((band, scene.info.bands.get(band)?.statistics.clone()?))).collect();
                if let Some(known) = known.filter(|known| known.iter().all(|(_, s)| suffices(s, method))) {
                    self.apply_stretch(layer, method, &known);
                    return Ok(vec![Event::LayersChanged]);
                }
                None
            }
            StretchExtent::View { bounds } => {
                let place = self.atlas.place(scene.id);
                let window = place.and_then(|place| place.window_of(&bounds));
                Some(window.ok_or_else(|| CommandError("the layer is not in the view".to_owned()))?)
            }
        };
        let path = scene.info.path.clone();
        let title = format!("Stretch {}", found.name);
        Ok(self.start(Target::Open, title, move |monitor| {
            let statistics = work::open::band_statistics(&path, &bands, window, monitor)?;
            Ok(Done::Stretched { layer, method, whole: window.is_none(), statistics })
        }))
    }

    /// Sets the limits of the bands that the style (still) shows.
    pub(crate) fn apply_stretch(&mut self, layer: LayerId, method: StretchMethod, of: &[(usize, BandStatistics)]) {
        let Ok(layer) = self.layers.get_mut(layer) else { return };
        let limits = |band: usize, old: Stretch| {
            let found = of.iter().find(|(known, _)| *known == band);
            found
                .map_or(old, |(_, stats)| Stretch { gamma: old.gamma, ..Stretch::from_statistics(Some(stats), method) })
        };
        match &mut layer.style {
            Style::Rgb { bands, stretch, method: shown } => {
                *stretch = std::array::from_fn(|i| limits(bands[i], stretch[i]));
                *shown = method;
            }
            Style::Colormap { band, stretch, method: shown, .. } => {
                *stretch = limits(*band, *stretch);
                *shown = method;
            }
            Style::Classes { .. } => {}
        }
    }

    pub(crate) fn show_prior(&mut self, scene: SceneId) -> Result<Vec<Event>, CommandError> {
        let info = &self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info;
        let (n_scene, name) = (info.n_bands(), info.name());
        let prior = self.references.prior().map_err(CommandError)?;
        let set = self.references.set();
        let bands = set.bands_in(info).ok_or_else(|| {
            CommandError(format!(
                "the references have {} bands and {name} has {n_scene}: name the bands of the references as {name} \
                 does, or by their wavelengths in nm",
                set.n_bands()
            ))
        })?;
        let why = if n_scene > MAX_RESIDENT_BANDS {
            Some(format!("{name} has more than {MAX_RESIDENT_BANDS} bands"))
        } else if prior.n_references() > MAX_LIVE_REFERENCES {
            Some(format!("there are more than {MAX_LIVE_REFERENCES} references"))
        } else {
            None
        };
        if let Some(why) = why {
            let request = work::prior::LayerRequest {
                scene: info.clone(),
                set: set.clone(),
                normalisation: self.references.fixed_normalisation().cloned(),
                bands,
                folder: self.work_dir.fresh("prior"),
            };
            let mut events =
                self.compute(format!("Prior {name}"), move |_, monitor| work::prior::layer(&request, monitor));
            let text = format!("The prior of {name} is computed once, because {why}");
            let next_step = "Ask for it again after the references have changed";
            events.push(Event::Notice(Notice::info(text).next_step(next_step)));
            return Ok(events);
        }
        let mismatch = self.references.scale_mismatch(info);
        let layer = NewLayer {
            name: format!("Prior of {name}"),
            style: similarity_style(&Style::Classes { band: 0, scheme: self.references.set().scheme() }),
            role: LayerRole::Prior,
            visible: true,
            opacity: 1.0,
        };
        self.layers.add(LayerSource::Prior { scene }, layer);
        let mut events = self.layers_changed();
        events.extend(mismatch.map(|text| {
            let next_step = "Scale the raster or the references so that both hold the same unit";
            Event::Notice(Notice::warning(text).next_step(next_step))
        }));
        Ok(events)
    }

    fn predict_layer(
        &mut self,
        scene: SceneId,
        target: work::predict_layer::Target,
    ) -> Result<Vec<Event>, CommandError> {
        let info = self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info.clone();
        let model = self.model.as_ref().ok_or_else(no_model)?.path.clone();
        let device = self.device.choice;
        let title = format!("{} {}", if target.only_gradcam { "Explain" } else { "Predict" }, info.name());
        let maker = target.as_explain(&model, &info.path, device);
        let folder = self.results.folder_for(&maker, target.only_gradcam, &self.jobs, &mut self.work_dir);
        let request = work::predict_layer::Request { scene: info, model, target, folder: folder.clone(), device };
        let only_gradcam = request.target.only_gradcam;
        let (job, events) =
            self.compute_job(title, move |compute, monitor| work::predict_layer::run(compute, &request, monitor));
        self.results.begun(job, maker, only_gradcam, folder);
        Ok(events)
    }

    /// No job that anybody sees.
    fn thumbnail(&mut self, layer: LayerId, out: std::path::PathBuf) -> Result<Vec<Event>, CommandError> {
        let unknown = || CommandError(format!("there is no layer {}", layer.0));
        let layer = self.layers.get(layer).ok_or_else(unknown)?;
        let path = self.layers.scene(layer.source.scene()).ok_or_else(unknown)?.info.path.clone();
        let style = layer.style.clone();
        self.runner.start(&self.files_lane, move |(), monitor| {
            if let Err(error) = work::thumbnail::write(&path, &style, &out, monitor) {
                log::warn!("failed to write a thumbnail: {error:?}: {}", out.display());
            }
            Ok(Done::Report(crate::event::JobReport::default()))
        });
        Ok(Vec::new())
    }

    /// A config's own device wins over the session's.
    fn device_for(&self, own: DeviceChoice) -> DeviceChoice {
        if own == DeviceChoice::Auto { self.device.choice } else { own }
    }

    /// Finds out in the background what computes; no job that anybody sees.
    pub(crate) fn find_device(&mut self) {
        self.device.known = true;
        let choice = self.device.choice;
        self.runner.start(&self.compute_lane, move |compute, _| {
            let engine = compute.engine(choice)?;
            let (text, remarks) = (engine.describe().to_owned(), engine.remarks().to_vec());
            Ok(Done::Device { choice, text, remarks })
        });
    }

    pub(crate) fn compute(
        &mut self,
        title: String,
        job: impl FnOnce(&mut work::Compute, &JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
    ) -> Vec<Event> {
        self.compute_job(title, job).1
    }

    fn compute_job(
        &mut self,
        title: String,
        job: impl FnOnce(&mut work::Compute, &JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
    ) -> (JobId, Vec<Event>) {
        let id = self.runner.start(&self.compute_lane, job);
        (id, self.jobs.enter(id, title))
    }

    /// A quick read that somebody waits for.
    pub(crate) fn start_open(
        &mut self,
        title: String,
        job: impl FnOnce(&JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
    ) -> Vec<Event> {
        self.start(Target::Open, title, job)
    }

    pub(crate) fn start_files(
        &mut self,
        title: String,
        job: impl FnOnce(&JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
    ) -> Vec<Event> {
        self.start(Target::Files, title, job)
    }

    fn start(
        &mut self,
        target: Target,
        title: String,
        job: impl FnOnce(&JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
    ) -> Vec<Event> {
        let lane = match target {
            Target::Open => &self.open_lane,
            Target::Files => &self.files_lane,
        };
        let id = start_plain(&mut self.runner, lane, job);
        self.jobs.enter(id, title)
    }
}

/// Lanes without a state.
#[derive(Clone, Copy)]
enum Target {
    Open,
    Files,
}

fn start_plain(
    runner: &mut Runner<Done>,
    lane: &Lane<()>,
    job: impl FnOnce(&JobMonitor<Done>) -> Result<Done, JobError> + Send + 'static,
) -> JobId {
    runner.start(lane, move |(), monitor| job(monitor))
}

impl Jobs {
    fn enter(&mut self, job: JobId, title: String) -> Vec<Event> {
        let (note, waiting) = (String::new(), title.clone());
        self.list.push(JobStatus { job, title, done: 0.0, note, elapsed_s: 0.0, left_s: None });
        vec![Event::JobStarted { job, title: waiting }]
    }
}

/// The similarity in [0, 1], in the colormap shown so far.
fn similarity_style(old: &Style) -> Style {
    let colormap = match old {
        Style::Colormap { colormap, .. } => *colormap,
        Style::Rgb { .. } | Style::Classes { .. } => ColormapName::Viridis,
    };
    Style::Colormap { band: 0, stretch: Stretch::UNIT, method: StretchMethod::Manual, colormap }
}

/// Stored statistics know no percentiles.
fn suffices(statistics: &BandStatistics, method: StretchMethod) -> bool {
    !matches!(method, StretchMethod::Percentile { .. }) || statistics.percentiles.len() == 101
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}

fn no_model() -> CommandError {
    CommandError("there is no model yet: open one first".to_owned())
}

/// Its save failed or was cancelled: an older file of that name must not pass for it.
fn not_saved(references: &Path) -> Notice {
    let text = format!("the references were not saved, so nothing was compared with them: {}", references.display());
    Notice::error(text).next_step("Save the references first, under another name or with leave to replace the file")
}

fn no_scene(scene: SceneId) -> CommandError {
    CommandError(format!("there is no scene {}", scene.0))
}
