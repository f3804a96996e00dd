//! News from workers and jobs, and what they change in the session.

use std::sync::Arc;
use std::time::Instant;

use nunatak_domain::grid::TileId;
use nunatak_domain::layer::{Layer, SceneId};
use nunatak_domain::map::TileKey;
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::{Arrival, JobError, JobEvent, JobId};

use crate::command::CommandError;
use crate::event::{Event, JobOutcome, JobReport};
use crate::layers::NewLayer;
use crate::library::OpenLibrary;
use crate::reader::{Answer, Ask};
use crate::references::{ReferenceScale, References};
use crate::session::Session;
use crate::tiles::Quality;
use crate::work::Done;

impl Session {
    /// News from workers since the last call. Never blocks.
    pub fn poll(&mut self) -> Vec<Event> {
        if self.device.asked.get() && !self.device.known {
            self.find_device();
        }
        let mut events = Vec::new();
        let arrivals = self.pool.drain();
        let before = events.len();
        let mut tiles = false;
        for arrival in arrivals {
            tiles |= matches!(arrival.key, Ask::Tile(_));
            self.arrived(arrival, &mut events);
        }
        if tiles {
            events.insert(before, Event::TilesArrived);
        }
        for event in self.runner.drain() {
            self.job_event(event, &mut events);
        }
        self.judge_anew();
        self.count_seconds();
        events.extend(self.keep_safe(Instant::now()));
        events
    }

    fn arrived(&mut self, arrival: Arrival<Ask, Answer>, events: &mut Vec<Event>) {
        match (arrival.key, arrival.answer) {
            (Ask::Tile(key), Ok(Answer::Tile { pixels, mesh, generation, computed })) => {
                if self.layers.scene(key.scene).is_none() {
                    return;
                }
                if let Some((pixels, quality)) = pixels {
                    let now = key.layer().and_then(|layer| self.layers.computed(layer));
                    let current = match (&computed, now) {
                        (Some(then), Some(now)) => Arc::ptr_eq(then, now),
                        _ => true,
                    };
                    let quality = if current { quality } else { Quality::Stale };
                    self.tiles.insert_pixels(key, pixels, quality);
                }
                if let Some(mesh) = mesh.filter(|_| generation == self.generation) {
                    self.tiles.insert_mesh(key.scene, key.tile, mesh);
                }
            }
            (Ask::Probe(_), Ok(Answer::Probe(answer))) => events.push(Event::Probed(answer)),
            (Ask::Tile(key), Err(why)) => self.tile_failed(key, why, events),
            (Ask::Sample, Ok(Answer::Sample { token, request, measured })) => {
                events.extend(self.previewed(token, &request, measured));
            }
            (Ask::Probe(_) | Ask::Sample, Err(why)) => log::warn!("{why}"),
            (Ask::Tile(_) | Ask::Probe(_) | Ask::Sample, Ok(_)) => {}
        }
    }

    /// The tile stays empty; each sentence is said once per scene.
    fn tile_failed(&mut self, key: TileKey, why: String, events: &mut Vec<Event>) {
        self.tiles.fail(key);
        let Some(scene) = self.layers.scene(key.scene) else { return };
        let TileId { level, col, row } = key.tile;
        if self.said.insert((key.scene, why.clone())) {
            let text = format!("A part of {} cannot be shown", scene.info.name());
            let notice = Notice::error(text)
                .details(format!("tile {col}, {row} of level {level}: {why}"))
                .next_step("Look whether the file is complete and still there, then open it again");
            events.push(Event::Notice(notice));
        }
    }

    fn job_event(&mut self, event: JobEvent<Done>, events: &mut Vec<Event>) {
        match event {
            JobEvent::Started { id, at } => {
                if self.jobs.list.iter().any(|status| status.job == id) {
                    self.jobs.started.insert(id, at);
                }
            }
            JobEvent::Progress { id, done, note } => {
                let Some(status) = self.jobs.list.iter_mut().find(|status| status.job == id) else { return };
                status.done = done;
                status.note.clone_from(&note);
                // Only the newest of several in one poll is worth painting.
                events.retain(|event| !matches!(event, Event::JobProgress { job, .. } if *job == id));
                events.push(Event::JobProgress { job: id, done, note });
            }
            JobEvent::Warned { notice, .. } => events.push(Event::Notice(notice)),
            JobEvent::Ended { id, outcome } => self.job_ended(id, outcome, events),
        }
    }

    fn job_ended(&mut self, job: JobId, outcome: Result<Done, JobError>, events: &mut Vec<Event>) {
        self.jobs.started.remove(&job);
        self.saving.retain(|_, saving| saving.job != job);
        if matches!(outcome, Err(JobError::Panicked(_))) {
            // A lost GPU is no longer what computes.
            self.device.known = false;
        }
        if outcome.is_err() {
            events.extend(self.preview_failed(job));
        }
        let again = self.results.ended(job, outcome.is_ok());
        self.end_move(job, outcome.is_ok(), events);
        let outcome = match outcome {
            Ok(done) if self.is_stale(job, &done) => Err(JobError::Cancelled),
            outcome => outcome,
        };
        let index = self.jobs.list.iter().position(|status| status.job == job);
        let title = index.map(|index| self.jobs.list.remove(index).title);
        let outcome = match outcome {
            Ok(done) => JobOutcome::Done { report: self.done(job, done, events) },
            Err(JobError::Cancelled) => {
                events.extend(again.map(Event::Notice));
                JobOutcome::Cancelled
            }
            Err(error) => JobOutcome::Failed { notice: notice_of(error, title.as_deref()) },
        };
        self.judge_ended(job);
        match (title, outcome) {
            (Some(title), outcome) => events.push(Event::JobEnded { job, title, outcome }),
            // Nobody saw this job, but its failure matters.
            (None, JobOutcome::Failed { notice }) => events.push(Event::Notice(notice)),
            (None, _) => {}
        }
    }

    /// Takes a result into the session.
    fn done(&mut self, job: JobId, done: Done, events: &mut Vec<Event>) -> JobReport {
        match done {
            Done::Scene(info, prepared) => {
                self.atlas.prepare(*prepared);
                let layer = NewLayer::of(&info);
                let (scene, layer) = self.layers.add_scene(*info, layer);
                events.extend(self.layers_changed());
                events.push(Event::SceneOpened { scene, layer });
                self.remarks_of(scene, events);
                JobReport::default()
            }
            Done::Model(model) => {
                events.extend(model.remarks.iter().map(|remark| Event::Notice(Notice::info(remark.clone()))));
                self.model = Some(*model);
                events.push(Event::ModelChanged);
                JobReport::default()
            }
            Done::References(set) => {
                events.extend(set.remarks().into_iter().map(|remark| Event::Notice(Notice::warning(remark))));
                let next = References::new(set, ReferenceScale::Physical);
                let done = self.replace_references("Open references", next);
                self.taken(done.map(|events| (JobReport::default(), events)), events)
            }
            Done::Stretched { layer, method, whole, statistics } => {
                self.apply_stretch(layer, method, &statistics);
                let scene = self.layers.get(layer).map(|layer| layer.source.scene());
                if let Some(scene) = scene.filter(|_| whole).and_then(|id| self.layers.scene_mut(id)) {
                    for (band, found) in statistics {
                        scene.info.bands[band].statistics = Some(found);
                    }
                }
                events.push(Event::LayersChanged);
                JobReport::default()
            }
            Done::Layers { report, mut layers } => {
                number(&mut layers, self.layers.all());
                for (info, layer) in layers {
                    self.results.made(job, &info.path, layer.role);
                    let (scene, layer) = self.layers.add_scene(info, layer);
                    events.push(Event::SceneOpened { scene, layer });
                }
                events.extend(self.layers_changed());
                report
            }
            Done::Device { choice, text, remarks } => {
                if choice == self.device.choice {
                    self.device.text = text;
                    remarks.iter().for_each(|remark| log::info!("{remark}"));
                }
                JobReport::default()
            }
            Done::Sampled(sampled) => {
                let done = self.take_sampled(*sampled);
                self.taken(done, events)
            }
            Done::Library(path, library) => {
                self.library = Some(OpenLibrary { path, library });
                events.push(Event::LibraryOpened);
                JobReport::default()
            }
            Done::Imported(set, remarks) => {
                let done = self.take_imported(set, remarks);
                self.taken(done, events)
            }
            Done::Health(token, found) => {
                events.extend(self.examined(token, *found));
                JobReport::default()
            }
            Done::Selected(selected) => {
                let done = self.take_selected(*selected);
                self.taken(done, events)
            }
            Done::Reworked(reworked) => {
                let done = self.take_reworked(*reworked);
                self.taken(done, events)
            }
            Done::Step { step, at, edit } => {
                let done = self.take_step(step, at, edit);
                self.taken(done.map(|events| (JobReport::default(), events)), events)
            }
            Done::Judged(found) => {
                let (judgement, kept, report) = *found;
                if self.judged(job, judgement, kept) {
                    events.push(Event::Judged);
                }
                report
            }
            Done::Labels(imported) => {
                let done = self.take_labels(*imported);
                self.taken(done, events)
            }
            Done::Classes(scheme) => {
                let done = self.replace_classes(scheme);
                self.taken(done.map(|events| (JobReport::default(), events)), events)
            }
            Done::Project(done) => self.take_project(*done, events),
            Done::Report(report) => report,
        }
    }

    /// What a result did to the document, or why it came too late.
    pub(crate) fn taken(
        &self,
        done: Result<(JobReport, Vec<Event>), CommandError>,
        events: &mut Vec<Event>,
    ) -> JobReport {
        match done {
            Ok((report, more)) => {
                events.extend(more);
                report
            }
            Err(error) => {
                events.push(Event::Notice(Notice::warning(error.to_string())));
                JobReport::default()
            }
        }
    }

    fn remarks_of(&self, scene: SceneId, events: &mut Vec<Event>) {
        let Some(scene) = self.layers.scene(scene) else { return };
        events.extend(scene.info.remarks.iter().map(|remark| Event::Notice(Notice::info(remark.clone()))));
    }

    fn count_seconds(&mut self) {
        let now = Instant::now();
        for status in &mut self.jobs.list {
            let Some(started) = self.jobs.started.get(&status.job) else { continue };
            status.elapsed_s = now.saturating_duration_since(*started).as_secs_f32();
            // The first percent says more about start-up than about speed.
            let known = status.done > 0.01 && status.done < 1.0;
            status.left_s = known.then(|| status.elapsed_s * (1.0 - status.done) / status.done);
        }
    }
}

/// Results of a second run beside those of the first: `Class map – a.tif` becomes
/// `Class map 2 – a.tif`, and all of one run have one number.
fn number(new: &mut [(SceneInfo, NewLayer)], known: &[Layer]) {
    let numbered = |name: &str, n: u32| match (n, name.split_once(" – ")) {
        (1, _) => name.to_owned(),
        (_, Some((what, of))) => format!("{what} {n} – {of}"),
        (_, None) => format!("{name} {n}"),
    };
    let free = |n: &u32| new.iter().all(|(_, layer)| known.iter().all(|old| old.name != numbered(&layer.name, *n)));
    let n = (1..=u32::MAX).find(free).unwrap_or(1);
    new.iter_mut().for_each(|(_, layer)| layer.name = numbered(&layer.name, n));
}

fn notice_of(error: JobError, title: Option<&str>) -> Notice {
    let what = title.unwrap_or("A job");
    match error {
        JobError::Failed(notice) => notice,
        JobError::Panicked(message) => Notice::error(format!("{what} was stopped by an internal error"))
            .details(message)
            .next_step("Try again; if it happens twice, report it with the details"),
        JobError::Cancelled => Notice::info(format!("{what} was cancelled")),
    }
}
