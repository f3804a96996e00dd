//! The session: what is open, what runs, what to draw.
//!
//! Invariant: it changes only through `dispatch`, `want`, `probe` and `poll`, on one thread,
//! and none of them waits for a disk, GDAL, Burn or a lock that such work holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use nunatak_domain::geo::{Crs, GeoBounds, GeoPos, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::history::History;
use nunatak_domain::inspect::Probe;
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::layer::{Layer, LayerId, LayerRole, LayerSource, Scene, SceneId};
use nunatak_domain::map::{MapFrame, MapPainter, MapView, Swipe, TileKey};
use nunatak_domain::model::{ModelRecord, Normalisation};
use nunatak_domain::project::Project;
use nunatak_domain::spectra::{Prior, ReferenceSet};
use nunatak_jobs::{Lane, Latest, Runner, Wake};

use crate::command::Command;
use crate::document::Document;
use crate::event::{Event, JobStatus};
use crate::frame::Stage;
use crate::judging::Judging;
use crate::label_view::LabelView;
use crate::layers::Layers;
use crate::library::{Health, OpenLibrary};
use crate::placement::Atlas;
use crate::projects::Keep;
use crate::reader::{Answer, Ask, ProbeRequest, ProbeTarget, Reader, Request, TileRequest};
use crate::references::{ReferenceScale, References};
use crate::results::Results;
use crate::sampling::Preview;
use crate::tiles::TileStore;
use crate::work::{Compute, Done};
use crate::work_dir::WorkDir;

/// Threads that read tiles.
const TILE_THREADS: usize = 2;

/// What a front end decides before a session starts.
pub struct SessionOptions {
    /// Called from worker threads when `poll` has news (the window asks for a repaint).
    pub wake: Arc<dyn Fn() + Send + Sync>,
    pub device: DeviceChoice,
    /// Where results go that nobody named; made when needed, removed with the session.
    pub work_dir: Option<PathBuf>,
    /// Draws pictures for `Render`; without one that command is refused with a sentence.
    pub painter: Option<Box<dyn MapPainter>>,
    /// Decoded tiles kept in memory.
    pub tile_cache_bytes: usize,
    /// Folder for work that nobody has named yet: the first step begins a project there. `None`
    /// keeps such work in memory.
    pub untitled: Option<PathBuf>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            wake: Arc::new(|| {}),
            device: DeviceChoice::Auto,
            work_dir: None,
            painter: None,
            tile_cache_bytes: 512 << 20,
            untitled: None,
        }
    }
}

/// The model the session uses.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenModel {
    pub path: PathBuf,
    pub record: ModelRecord,
    /// Missing, unused, renamed tensors: one sentence each.
    pub remarks: Vec<String>,
}

/// The state behind every front end; changes only through `dispatch`, `want`, `probe`, `poll`.
pub struct Session {
    pub(crate) layers: Layers,
    pub(crate) atlas: Atlas,
    /// A copy of the atlas's CRS for jobs that open scenes; locked only to copy it.
    pub(crate) map_crs: Arc<Mutex<Option<Crs>>>,
    /// Counts the times that scenes were placed anew.
    pub(crate) generation: u64,
    pub(crate) tiles: TileStore,
    pub(crate) model: Option<OpenModel>,
    pub(crate) document: Document,
    /// Where the document is kept.
    pub(crate) keep: Keep,
    pub(crate) untitled: Option<PathBuf>,
    pub(crate) wake: Wake,
    pub(crate) label_view: LabelView,
    pub(crate) judging: Judging,
    /// Of the document's.
    pub(crate) references: References,
    /// Of what is done to the references and not made yet.
    pub(crate) preview: Preview,
    pub(crate) library: Option<OpenLibrary>,
    pub(crate) health: Health,
    /// Scale of the references from so many steps of the history on.
    pub(crate) scales: Vec<(usize, ReferenceScale)>,
    pub(crate) device: DeviceBadge,
    pub(crate) painter: Option<SharedPainter>,
    pub(crate) jobs: Jobs,
    /// References on their way to a file.
    pub(crate) saving: BTreeMap<PathBuf, Saving>,
    /// What the session's own files were made from.
    pub(crate) results: Results,
    /// Sentences that were said of scenes' tiles, so that each is said once.
    pub(crate) said: BTreeSet<(SceneId, String)>,
    // Order matters: the workers end before the folder they may write to is removed.
    pub(crate) pool: TileWorkers,
    pub(crate) runner: Runner<Done>,
    /// Quick reads that somebody waits for.
    pub(crate) open_lane: Lane<()>,
    /// What writes and computes nothing, strictly one after the other.
    pub(crate) files_lane: Lane<()>,
    /// Networks, priors, and the references that a prior is to read.
    pub(crate) compute_lane: Lane<Compute>,
    pub(crate) work_dir: WorkDir,
}

/// Only jobs on the `files` lane take the lock.
pub(crate) type SharedPainter = Arc<Mutex<Box<dyn MapPainter>>>;

/// Reads tiles for the map, with file handles of its own.
pub(crate) type TileWorkers = Latest<Ask, Request, Answer>;

pub(crate) fn tile_workers(wake: &Wake) -> TileWorkers {
    let serve = |reader: &mut Reader, _: &Ask, request| reader.serve(request);
    Latest::new("tiles", TILE_THREADS, Arc::clone(wake), Reader::default, serve)
}

/// What computes, as far as it is known.
pub(crate) struct DeviceBadge {
    pub(crate) choice: DeviceChoice,
    pub(crate) text: String,
    /// A front end looked at the badge: it is worth finding out.
    pub(crate) asked: std::cell::Cell<bool>,
    pub(crate) known: bool,
}

/// Jobs that wait or run.
#[derive(Default)]
pub(crate) struct Jobs {
    /// Oldest first.
    pub(crate) list: Vec<JobStatus>,
    pub(crate) started: BTreeMap<nunatak_jobs::JobId, std::time::Instant>,
}

/// A job that saves references, and whether it has.
pub(crate) struct Saving {
    pub(crate) job: nunatak_jobs::JobId,
    pub(crate) saved: Arc<std::sync::atomic::AtomicBool>,
}

impl Session {
    pub fn new(options: SessionOptions) -> Self {
        let SessionOptions { wake, device, work_dir, painter, tile_cache_bytes, untitled } = options;
        let untitled = untitled.map(|folder| folder.canonicalize().unwrap_or(folder));
        Self {
            layers: Layers::default(),
            atlas: Atlas::default(),
            map_crs: Arc::default(),
            generation: 0,
            tiles: TileStore::new(tile_cache_bytes),
            model: None,
            document: Document::default(),
            keep: Keep::default(),
            untitled,
            wake: Arc::clone(&wake),
            label_view: LabelView::default(),
            judging: Judging::default(),
            references: References::default(),
            preview: Preview::default(),
            library: None,
            health: Health::default(),
            scales: Vec::new(),
            device: DeviceBadge { choice: device, text: device.to_string(), asked: false.into(), known: false },
            painter: painter.map(|painter| Arc::new(Mutex::new(painter))),
            jobs: Jobs::default(),
            saving: BTreeMap::new(),
            results: Results::default(),
            said: BTreeSet::new(),
            pool: tile_workers(&wake),
            runner: Runner::new(wake),
            open_lane: Lane::new("open", || ()),
            files_lane: Lane::new("files", || ()),
            compute_lane: Lane::new("compute", Compute::default),
            work_dir: WorkDir::new(work_dir),
        }
    }

    /// Asks for tiles, most wanted first; replaces what was asked before and not yet begun.
    pub fn want(&mut self, tiles: &[TileKey]) {
        let requests: Vec<_> = tiles
            .iter()
            .filter_map(|key| Some((Ask::Tile(*key), Request::Tile(Box::new(self.tile_request(*key)?)))))
            .collect();
        self.pool.want(requests);
    }

    fn tile_request(&self, key: TileKey) -> Option<TileRequest> {
        let scene = self.layers.scene(key.scene)?;
        let place = self.atlas.place(key.scene)?;
        let computed = match key.layer() {
            Some(layer) => Some(Arc::clone(self.layers.computed(layer)?)),
            None => None,
        };
        TileRequest::new(key, &scene.info, place, &self.tiles, self.generation, computed)
    }

    /// What to draw for a view, with loaded ancestors in place of missing tiles.
    pub fn frame(&self, view: &MapView, swipe: Option<Swipe>) -> MapFrame {
        let Self { layers, atlas, tiles, references, label_view, document, .. } = self;
        let labels = Some((label_view, &document.project));
        Stage { layers, atlas, tiles, references, labels, coarse_first: true }.frame(view, swipe)
    }

    /// Asks for everything at a place; the answer is `Event::Probed`. A newer question with
    /// the same tag replaces an older one that has not been begun.
    pub fn probe(&mut self, probe: Probe) {
        let targets = self.layers.all().iter().rev().filter_map(|layer| self.probe_target(layer, probe.geo)).collect();
        let request = ProbeRequest { probe, lon_lat: self.lon_lat(probe.geo), targets };
        self.pool.ask(Ask::Probe(probe.tag), Request::Probe(Box::new(request)));
    }

    fn probe_target(&self, layer: &Layer, geo: GeoPos) -> Option<ProbeTarget> {
        let scene = self.layers.scene(layer.source.scene())?;
        let pixel = self.atlas.place(scene.id)?.pixel_at(geo)?;
        // Ten class probabilities are no ten-band spectrum.
        let spectral = matches!(layer.role, LayerRole::Imagery | LayerRole::Prior);
        let prior = if spectral { self.references.prior_on(&scene.info) } else { None };
        let computed = self.layers.computed(layer.id).cloned();
        Some(ProbeTarget { layer: layer.id, scene: scene.id, path: scene.info.path.clone(), pixel, prior, computed })
    }

    /// Bottom to top.
    pub fn layers(&self) -> &[Layer] {
        self.layers.all()
    }

    pub fn layer(&self, id: LayerId) -> Option<&Layer> {
        self.layers.get(id)
    }

    pub fn scene(&self, id: SceneId) -> Option<&Scene> {
        self.layers.scene(id)
    }

    pub fn model(&self) -> Option<&OpenModel> {
        self.model.as_ref()
    }

    pub fn references(&self) -> &ReferenceSet {
        self.references.set()
    }

    /// Classes, references and label layers: what undo can bring back.
    pub const fn project(&self) -> &Project {
        &self.document.project
    }

    pub const fn history(&self) -> &History {
        &self.document.history
    }

    /// A stroke has begun and not ended.
    pub const fn drawing(&self) -> bool {
        self.document.stroke.is_some()
    }

    /// Where a place of the map lies on a scene's pixels, also outside of the scene.
    pub fn pixel_of(&self, scene: SceneId, geo: GeoPos) -> Option<PixelPos> {
        self.atlas.place(scene)?.pixel_from_geo(geo)
    }

    /// Where a pixel of a scene lies on the map.
    pub fn geo_of(&self, scene: SceneId, pixel: PixelPos) -> Option<GeoPos> {
        self.atlas.place(scene)?.geo_from_pixel(pixel)
    }

    /// Stored values of a scene's pixel on the scale of the references: what a new reference
    /// is made of. As they are where there is no such scene.
    pub fn reference_values(&self, scene: SceneId, stored: &[f64]) -> Vec<f64> {
        self.scene(scene).map_or_else(|| stored.to_vec(), |scene| self.references.scaled(&scene.info, stored))
    }

    /// What brings stored values of any scene to the references' scale; `None` where the
    /// references are physical values and each scene's own scale and offset do.
    pub fn reference_normalisation(&self) -> Option<Normalisation> {
        self.references.fixed_normalisation().cloned()
    }

    /// The references' prior, or why there is none (one sentence).
    ///
    /// # Errors
    /// Too few references.
    pub fn prior(&self) -> Result<&Arc<Prior>, String> {
        self.references.prior()
    }

    /// A result that nobody named: it is gone with the session.
    pub fn keeps(&self, path: &std::path::Path) -> bool {
        self.work_dir.holds(path)
    }

    /// Waiting and running jobs, oldest first.
    pub fn jobs(&self) -> &[JobStatus] {
        &self.jobs.list
    }

    /// Jobs, opening scenes, or wanted tiles that have not arrived.
    pub fn busy(&self) -> bool {
        self.runner.busy() || self.pool.busy()
    }

    /// Name, backend and memory of what computes, for example `CPU (flex, 2 threads)`; the
    /// choice (`auto`) until that has been found out.
    pub fn device(&self) -> String {
        self.device.asked.set(true);
        self.device.text.clone()
    }

    /// `None` while the map shows bare pixels.
    pub fn map_crs(&self) -> Option<&Crs> {
        self.atlas.crs()
    }

    /// Whether the layer's scene has a pixel at a place of the map.
    pub fn layer_reaches(&self, layer: LayerId, geo: GeoPos) -> bool {
        let place = self.layers.get(layer).and_then(|layer| self.atlas.place(layer.source.scene()));
        place.is_some_and(|place| place.pixel_at(geo).is_some())
    }

    /// Column and row of a scene's pixel at a place of the map.
    pub fn scene_pixel(&self, scene: SceneId, geo: GeoPos) -> Option<[usize; 2]> {
        let pixel = self.atlas.place(scene)?.pixel_at(geo)?;
        Some([pixel.col as usize, pixel.row as usize])
    }

    /// The window of a scene's pixels inside bounds of the map.
    pub fn scene_window(&self, scene: SceneId, bounds: &GeoBounds) -> Option<PixelRect> {
        self.atlas.place(scene)?.window_of(bounds)
    }

    /// Around all visible layers, in the map's CRS.
    pub fn bounds(&self) -> Option<GeoBounds> {
        let visible = self.layers.all().iter().filter(|layer| layer.visible);
        visible.filter_map(|layer| self.layer_bounds(layer.id)).reduce(|a, b| a.union(&b))
    }

    pub fn layer_bounds(&self, layer: LayerId) -> Option<GeoBounds> {
        let scene = self.layers.get(layer)?.source.scene();
        Some(self.atlas.place(scene)?.bounds())
    }

    /// Ground size of one pixel of the layer's scene in units of the map.
    pub fn layer_pixel_size(&self, layer: LayerId) -> Option<f64> {
        let place = self.atlas.place(self.layers.get(layer)?.source.scene())?;
        place.pixel_size_near(place.bounds().center())
    }

    /// WGS 84 degrees of a place on the map; microseconds.
    pub fn lon_lat(&self, geo: GeoPos) -> Option<(f64, f64)> {
        self.atlas.lon_lat(geo)
    }

    /// The line of a shell that does the same as `command`, where the command line can.
    pub fn command_line(&self, command: &Command) -> Option<String> {
        let scene_of = |id: SceneId| self.layers.scene(id).map(|scene| scene.info.path.clone());
        let layer_of = |id: LayerId| scene_of(self.layers.get(id)?.source.scene());
        crate::shell_line::shell_line(
            command,
            &crate::shell_line::Context {
                scene: &scene_of,
                model: self.model.as_ref().map(|model| model.path.as_path()),
                device: self.device.choice,
                layer: &layer_of,
                references: self.references.set(),
                model_scale: self.references.fixed_normalisation().is_some(),
                keeps: &|path| self.work_dir.holds(path),
                origin: &|path| self.results.origin(path).cloned(),
            },
        )
    }

    /// Places scenes anew after the list of layers changed, and says what is to be said.
    pub(crate) fn layers_changed(&mut self) -> Vec<Event> {
        self.compute_restored();
        let (notices, moved) = self.atlas.update(self.layers.all(), self.layers.scenes());
        if moved {
            *self.map_crs.lock().unwrap_or_else(PoisonError::into_inner) = self.atlas.crs().cloned();
            self.generation += 1;
            self.tiles.forget_meshes();
            self.pool.forgive(|_| true);
        }
        std::iter::once(Event::LayersChanged).chain(notices.into_iter().map(Event::Notice)).collect()
    }

    /// The scene of a layer that shows pixels or a prior.
    pub(crate) fn scene_of(&self, source: LayerSource) -> Option<&Scene> {
        self.layers.scene(source.scene())
    }
}
