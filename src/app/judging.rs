//! How good a map is against a truth: what is compared, the answer, and its keeping up with labels.
//!
//! Invariant: an answer is stale from the moment a label layer or a class that it was made from
//! differs from what the job was given; it is made again in the background.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::label::{LabelLayer, LabelsId};
use nunatak_domain::layer::{LayerId, LayerRole, LayerSource, SceneId};
use nunatak_domain::metrics::{AreaAccuracy, ConfusionMatrix};
use nunatak_domain::scene::{BandInfo, DataType};
use nunatak_jobs::JobId;
use serde::{Deserialize, Serialize};

use crate::command::{Command, CommandError};
use crate::event::Event;
use crate::guard::Files;
use crate::session::Session;
use crate::work::judge::{Given, Request, Side};
use crate::work::{self, Done};

/// Labels rest for so long before the answer is made again: a brush makes several steps a second.
const PAUSE: Duration = Duration::from_millis(400);

/// What is compared with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeRequest {
    pub truth: JudgeTruth,
    /// A class map from a file, or a label layer; its grid is the one that counts.
    pub map: LayerId,
    /// Only there; everywhere where it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
    /// Accuracy and areas by Olofsson et al. (2014): the truth is a sample drawn at random in
    /// each mapped class.
    #[serde(default)]
    pub area_adjusted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JudgeTruth {
    /// A label layer or a class map on the map.
    Layer { layer: LayerId },
    /// Class raster, points, lines or polygons.
    File {
        path: PathBuf,
        /// That holds the class, of vectors.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
}

/// Square blocks of the map's grid that a training has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    pub block_px: usize,
    /// Of the blocks, in (0, 1].
    pub share: f64,
    pub seed: u64,
}

/// How good the map is.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub request: JudgeRequest,
    /// Names of what was compared.
    pub truth: String,
    pub map: String,
    /// Rows are the truth, columns the map; ids are the map's.
    pub matrix: ConfusionMatrix,
    pub classes: ClassScheme,
    /// Classes of the truth that have another id on the map: truth, map, name.
    pub by_name: Vec<(ClassId, ClassId, String)>,
    /// What a reader must know, one sentence each.
    pub remarks: Vec<String>,
    pub areas: Option<AreaJudgement>,
    /// A pixel of each pair of classes that occurs, in the middle of the longest run of it.
    pub examples: BTreeMap<(ClassId, ClassId), [usize; 2]>,
    /// Whose grid the pixels are counted on.
    pub scene: SceneId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AreaJudgement {
    pub accuracy: AreaAccuracy,
    /// `ha`, or `px` where the map has no CRS.
    pub unit: &'static str,
    /// Sample points until the overall accuracy is known to ± 3 %; `None` where none suffice.
    pub points_missing: Option<u64>,
}

/// The comparison in force.
#[derive(Default)]
pub(crate) struct Judging {
    asked: Option<JudgeRequest>,
    found: Option<Arc<Judgement>>,
    /// What the newest job was given of the document.
    given: Vec<(LabelsId, LabelLayer)>,
    classes: ClassScheme,
    /// The document's count of changes at the last look.
    seen: u64,
    stale: bool,
    /// When the labels last changed and no job has begun since.
    changed: Option<Instant>,
    running: Option<JobId>,
    /// The map's pixels, so that a stroke of the truth does not read them again.
    kept: Option<Given>,
}

impl Session {
    /// The newest answer of `Command::Judge`.
    pub fn judgement(&self) -> Option<&Judgement> {
        self.judging.found.as_deref()
    }

    /// Labels or classes have changed since, or a newer answer is on its way.
    pub fn judgement_stale(&self) -> bool {
        self.judging.stale || self.judging.running.is_some()
    }

    /// Whether a layer can be a side of a comparison.
    pub fn can_judge(&self, layer: LayerId) -> bool {
        self.layers.get(layer).is_some_and(|layer| match layer.source {
            LayerSource::Labels { .. } => true,
            LayerSource::Scene { scene } => {
                // Many class maps come without names and colours: any whole numbers may be classes.
                let bands = self.layers.scene(scene).map(|scene| scene.info.bands.as_slice());
                let whole = |band: &BandInfo| !matches!(band.data_type, DataType::Float32 | DataType::Float64);
                layer.role == LayerRole::ClassMap
                    || (layer.role == LayerRole::Imagery && matches!(bands, Some([band]) if whole(band)))
            }
            _ => false,
        })
    }

    pub(crate) fn judge(&mut self, request: JudgeRequest) -> Result<Vec<Event>, CommandError> {
        self.judging.kept = None;
        let job = self.judge_request(&request, false)?;
        let title = format!("Judge {}", job.map.name);
        self.judging.asked = Some(request);
        self.given_now();
        let events = self.start_files(title, move |monitor| work::judge::run(&job, monitor));
        self.judging.running = events.iter().find_map(|event| match event {
            Event::JobStarted { job, .. } => Some(*job),
            _ => None,
        });
        Ok(events)
    }

    pub(crate) fn save_judgement(
        &mut self,
        (html, csv, overwrite): (Option<PathBuf>, Option<PathBuf>, bool),
        recipe: Command,
        files: Files,
    ) -> Result<Vec<Event>, CommandError> {
        let none = || CommandError("there is no comparison yet: judge a map first".to_owned());
        let found = Arc::clone(self.judging.found.as_ref().ok_or_else(none)?);
        if self.judgement_stale() {
            return Err(CommandError("the comparison is being made again: save it when it is done".to_owned()));
        }
        if html.is_none() && csv.is_none() {
            return Err(CommandError("say which file the comparison goes to: html or csv".to_owned()));
        }
        let file = |source: LayerSource| match source {
            LayerSource::Scene { scene } => self.layers.scene(scene).map(|scene| scene.info.path.clone()),
            _ => None,
        };
        let of_layer = |layer: LayerId| file(self.layers.get(layer)?.source);
        let truth = match &found.request.truth {
            JudgeTruth::File { path, .. } => Some(path.clone()),
            JudgeTruth::Layer { layer } => of_layer(*layer),
        };
        let inputs: Vec<(&'static str, PathBuf)> = [("truth", truth), ("map", of_layer(found.request.map))]
            .into_iter()
            .filter_map(|(role, path)| Some((role, path?)))
            .collect();
        Ok(self.start_files(format!("Save accuracy of {}", found.map), move |monitor| {
            files.check()?;
            work::judge::save(&found, (html.as_deref(), csv.as_deref(), overwrite), (&recipe, &inputs), monitor)
        }))
    }

    /// Looks whether labels have changed and starts anew once they rest. Part of `poll`.
    pub(crate) fn judge_anew(&mut self) {
        let Some(request) = self.judging.asked.clone() else { return };
        if self.judging.seen != self.document.changes {
            self.judging.seen = self.document.changes;
            let project = &self.document.project;
            let same =
                |(id, layer): &(LabelsId, LabelLayer)| project.labels(*id).is_some_and(|labels| labels.layer == *layer);
            let judging = &mut self.judging;
            let classes = judging.given.is_empty() || judging.classes == project.classes;
            if !(classes && judging.given.iter().all(same)) {
                judging.stale = true;
                judging.changed = Some(Instant::now());
            }
        }
        let rested = self.judging.changed.is_some_and(|changed| changed.elapsed() >= PAUSE);
        if !rested || self.judging.running.is_some() || self.drawing() {
            return;
        }
        self.judging.changed = None;
        let Ok(job) = self.judge_request(&request, true) else {
            // A side is gone; what was found stays, as what it is: old.
            return;
        };
        self.given_now();
        let running = self.runner.start(&self.files_lane, move |(), monitor| work::judge::run(&job, monitor));
        self.judging.running = Some(running);
    }

    /// Takes an answer in; one that was overtaken by another question is dropped.
    pub(crate) fn judged(&mut self, job: JobId, judgement: Judgement, kept: Option<Given>) -> bool {
        let current = self.judging.running == Some(job);
        if current {
            // Labels that changed meanwhile keep it stale.
            self.judging.stale = self.judging.changed.is_some();
            self.judging.found = Some(Arc::new(judgement));
            self.judging.kept = kept;
        }
        current
    }

    pub(crate) fn judge_ended(&mut self, job: JobId) {
        if self.judging.running == Some(job) {
            self.judging.running = None;
        }
    }

    fn given_now(&mut self) {
        let project = &self.document.project;
        let judging = &mut self.judging;
        let sides = judging.asked.iter().flat_map(|request| {
            let truth = match &request.truth {
                JudgeTruth::Layer { layer } => Some(*layer),
                JudgeTruth::File { .. } => None,
            };
            truth.into_iter().chain([request.map])
        });
        let layers = &self.layers;
        let labels = sides.filter_map(|layer| project.labels(layers.get(layer)?.source.labels()?));
        judging.given = labels.map(|labels| (labels.id, labels.layer.clone())).collect();
        judging.classes.clone_from(&project.classes);
        judging.seen = self.document.changes;
        judging.changed = None;
    }

    fn judge_request(&mut self, request: &JudgeRequest, again: bool) -> Result<Request, CommandError> {
        if let Some(held_out) = request.held_out {
            if held_out.block_px == 0 || !(held_out.share > 0.0 && held_out.share <= 1.0) {
                return Err(CommandError(
                    "held-out blocks need a side above 0 and a share above 0, at most 1".to_owned(),
                ));
            }
            if request.area_adjusted {
                let text = "area-adjusted accuracy is of the whole map: take either held-out areas or the sample";
                return Err(CommandError(text.to_owned()));
            }
        }
        let (map, scene) = self.side(request.map)?;
        let info = self.layers.scene(scene).ok_or_else(|| no_layer(request.map))?.info.clone();
        let truth = match &request.truth {
            JudgeTruth::Layer { layer } if *layer == request.map => {
                return Err(CommandError("a map says nothing about itself: choose another layer as truth".to_owned()));
            }
            JudgeTruth::Layer { layer } => self.side(*layer)?.0,
            JudgeTruth::File { path, field } => {
                let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                Side { name, path: path.clone(), given: None, field: field.clone() }
            }
        };
        let folder = truth.given.is_some().then(|| self.work_dir.fresh("truth"));
        let mut map = map;
        if again && map.given.is_none() {
            map.given.clone_from(&self.judging.kept);
        }
        Ok(Request { ask: request.clone(), truth, map, scene, info, folder, again })
    }

    fn side(&self, layer: LayerId) -> Result<(Side, SceneId), CommandError> {
        let found = self.layers.get(layer).ok_or_else(|| no_layer(layer))?;
        if !self.can_judge(layer) {
            let text = format!("{} is neither a class map in a file nor a label layer", found.name);
            return Err(CommandError(text));
        }
        let scene = found.source.scene();
        let info = &self.layers.scene(scene).ok_or_else(|| no_layer(layer))?.info;
        let labels = found.source.labels().and_then(|labels| self.document.project.labels(labels));
        let given = labels.map(|labels| Given {
            layer: Arc::new(labels.layer.clone()),
            classes: self.document.project.classes.clone(),
            on: Arc::new(info.clone()),
        });
        Ok((Side { name: found.name.clone(), path: info.path.clone(), given, field: None }, scene))
    }
}

fn no_layer(layer: LayerId) -> CommandError {
    CommandError(format!("there is no layer {}", layer.0))
}

impl Done {
    pub(crate) fn judged(judgement: Judgement, kept: Option<Given>, report: crate::event::JobReport) -> Self {
        Self::Judged(Box::new((judgement, kept, report)))
    }
}
