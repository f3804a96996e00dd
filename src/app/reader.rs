//! What the tile workers do: read tiles and places of scenes, each with handles of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nunatak_domain::geo::{Crs, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::inspect::{LayerProbe, Probe, ProbeAnswer};
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::map::{TileKey, TileMesh, TilePixels};
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::spectra::Prior;
use nunatak_io::{GdalSource, Transformer};
use nunatak_jobs::Silent;

use crate::answers::Computed;
use crate::placement::{Grid, Place};
use crate::sampling::SampleRequest;
use crate::tiles::{Quality, TileStore, bands_of_group};
use crate::work::{self, sample_reference::Measured};

/// Open files per worker; a map of more scenes opens and closes them in turn.
const MAX_OPEN: usize = 24;

/// A tile whose blocks hold more values than this (about 0.1 s) is read as a draft first.
const QUICK_VALUES: u64 = 24 << 20;

/// A tile of more (about 10 s) stays a draft: finer tiles and overviews are the way there.
const SLOW_VALUES: u64 = 2 << 30;

/// Largest distance between a tile's mesh and the true position, in pixels of the tile.
/// A tile pixel is at most one screen pixel wide, so this is below half a screen pixel.
const MESH_TOLERANCE_PX: f64 = 0.25;

/// What can be asked of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    Tile(TileKey),
    /// By tag.
    Probe(u64),
    Sample,
}

pub(crate) enum Request {
    Tile(Box<TileRequest>),
    Probe(Box<ProbeRequest>),
    Sample(Box<SampleAsk>),
}

/// A sample to look at before it is made.
pub(crate) struct SampleAsk {
    pub(crate) token: u64,
    pub(crate) request: SampleRequest,
    pub(crate) job: work::sample_reference::Request,
}

#[derive(Clone, Debug)]
pub(crate) struct TileRequest {
    pub(crate) path: PathBuf,
    pub(crate) scene: SceneId,
    /// Scene pixels that the tile shows.
    pub(crate) window: PixelRect,
    /// Size of the tile in pixels of its level.
    pub(crate) size_px: (usize, usize),
    /// `None` if the pixels are there already.
    pub(crate) bands: Option<Vec<usize>>,
    /// Read every pixel however long it takes; else a draft may come first.
    pub(crate) exact: bool,
    /// `None` if the mesh is there already.
    pub(crate) grid: Option<Arc<Grid>>,
    /// Makes the tile of the pixels, and comes back with the answer.
    pub(crate) computed: Option<Arc<Computed>>,
    /// The pixels, where they are there already.
    pub(crate) held: Option<(Arc<TilePixels>, Quality)>,
    /// Comes back with the answer: meshes of an older map are thrown away.
    pub(crate) generation: u64,
}

impl TileRequest {
    /// What of a tile is not there yet; `None` if the tile lies outside of its scene.
    pub(crate) fn new(
        key: TileKey,
        info: &SceneInfo,
        place: &Place,
        tiles: &TileStore,
        generation: u64,
        computed: Option<Arc<Computed>>,
    ) -> Option<Self> {
        let (width, height) = (info.width, info.height);
        let draft = tiles.is_draft(&key);
        let has_pixels = key.has_scene_pixels() || computed.is_some();
        let missing_bands = has_pixels && (draft || tiles.quality(&key).is_none());
        let source = TileKey { group: 0, ..key };
        let held = computed.as_ref().and_then(|_| Some((Arc::clone(tiles.pixels(&source)?), tiles.quality(&source)?)));
        let bands = match &computed {
            Some(computed) => computed.bands.clone(),
            None => bands_of_group(info.n_bands(), key.group),
        };
        let missing_mesh = tiles.mesh(key.scene, key.tile).is_none();
        Some(Self {
            path: info.path.clone(),
            scene: key.scene,
            window: key.tile.window(width, height)?,
            size_px: key.tile.size_px(width, height)?,
            bands: missing_bands.then_some(bands),
            exact: tiles.quality(&key) == Some(Quality::Draft),
            computed,
            held,
            grid: missing_mesh.then(|| Arc::clone(&place.grid)),
            generation,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ProbeRequest {
    pub(crate) probe: Probe,
    pub(crate) lon_lat: Option<(f64, f64)>,
    /// Top layer first.
    pub(crate) targets: Vec<ProbeTarget>,
}

/// One layer that reaches the place.
#[derive(Clone, Debug)]
pub(crate) struct ProbeTarget {
    pub(crate) layer: LayerId,
    pub(crate) scene: SceneId,
    pub(crate) path: PathBuf,
    pub(crate) pixel: PixelPos,
    /// Set where the pixels can be compared with the references.
    pub(crate) prior: Option<Arc<Prior>>,
    /// Set where the layer shows what is computed of the pixel.
    pub(crate) computed: Option<Arc<Computed>>,
}

pub(crate) enum Answer {
    Tile {
        pixels: Option<(TilePixels, Quality)>,
        mesh: Option<TileMesh>,
        generation: u64,
        computed: Option<Arc<Computed>>,
    },
    Probe(ProbeAnswer),
    Sample {
        token: u64,
        request: SampleRequest,
        measured: Measured,
    },
}

/// Open files of one worker.
#[derive(Default)]
pub(crate) struct Reader {
    /// With the time of the last use.
    sources: BTreeMap<SceneId, (u64, GdalSource)>,
    clock: u64,
    /// Making one costs as much as hundreds of tiles' meshes.
    transformers: Vec<Transformer>,
}

impl Reader {
    /// # Errors
    /// One sentence: the file cannot be opened or read, or the tile cannot be placed.
    pub(crate) fn serve(&mut self, request: Request) -> Result<Answer, String> {
        match request {
            Request::Tile(request) => self.tile(&request),
            Request::Probe(request) => Ok(Answer::Probe(self.probe(&request))),
            Request::Sample(ask) => {
                let SampleAsk { token, request, job } = *ask;
                let source = self.source(job.scene, &job.path)?;
                let measured =
                    work::sample_reference::measure(&job, source, &Silent).map_err(|error| error.to_string())?;
                Ok(Answer::Sample { token, request, measured })
            }
        }
    }

    pub(crate) fn tile(&mut self, request: &TileRequest) -> Result<Answer, String> {
        let mesh = request.grid.as_ref().map(|grid| self.mesh(grid, request)).transpose()?;
        let pixels = match &request.bands {
            None => None,
            Some(bands) => {
                let (pixels, quality) = match &request.held {
                    Some((held, quality)) => (Arc::clone(held), *quality),
                    None => {
                        let source = self.source(request.scene, &request.path)?;
                        let (raster, quality) = read(source, request, bands)?;
                        (Arc::new(TilePixels { bands: bands.clone(), raster }), quality)
                    }
                };
                let pixels = match &request.computed {
                    Some(computed) => {
                        let raster = computed.of_pixels(&pixels.bands, &pixels.raster);
                        TilePixels { bands: (0..raster.bands).collect(), raster }
                    }
                    None => Arc::unwrap_or_clone(pixels),
                };
                Some((pixels, quality))
            }
        };
        Ok(Answer::Tile { pixels, mesh, generation: request.generation, computed: request.computed.clone() })
    }

    fn mesh(&mut self, grid: &Grid, request: &TileRequest) -> Result<TileMesh, String> {
        let TileRequest { window, size_px, .. } = *request;
        if let Some(mesh) = grid.exact_mesh(window) {
            return Ok(mesh);
        }
        let Some((source, map)) = &grid.warp else { return Err("the tile has no place".to_owned()) };
        let transformer = self.transformer(source, map)?;
        Ok(nunatak_io::warp_mesh(transformer, &grid.transform, window, size_px, MESH_TOLERANCE_PX, grid.x_near))
    }

    fn transformer(&mut self, from: &Crs, to: &Crs) -> Result<&Transformer, String> {
        let known = self.transformers.iter().position(|known| known.from == *from && known.to == *to);
        let index = match known {
            Some(index) => index,
            None => {
                self.transformers.push(Transformer::new(from, to).map_err(|error| error.to_string())?);
                self.transformers.len() - 1
            }
        };
        Ok(&self.transformers[index])
    }

    /// Layers that cannot be read are left out.
    fn probe(&mut self, request: &ProbeRequest) -> ProbeAnswer {
        // `None` for scenes that cannot be read.
        let mut read: BTreeMap<SceneId, Option<Vec<Option<f64>>>> = BTreeMap::new();
        let mut layers = Vec::new();
        for target in &request.targets {
            let known = read.entry(target.scene).or_insert_with(|| {
                self.pixel(target).inspect_err(|why| log::warn!("failed to read a pixel's values: {why}")).ok()
            });
            let Some(values) = known.clone() else { continue };
            let whole: Option<Vec<f64>> = values.iter().copied().collect();
            let references = target.prior.as_ref().zip(whole).map(|(prior, spectrum)| prior.pixel(&spectrum));
            let values = target.computed.as_ref().map_or_else(|| values.clone(), |computed| computed.of_pixel(&values));
            let &ProbeTarget { layer, scene, pixel, .. } = target;
            layers.push(LayerProbe { layer, scene, pixel, values, references });
        }
        ProbeAnswer { probe: request.probe, lon_lat: request.lon_lat, layers }
    }

    fn pixel(&mut self, target: &ProbeTarget) -> Result<Vec<Option<f64>>, String> {
        let source = self.source(target.scene, &target.path)?;
        nunatak_io::probe(source, target.pixel).map_err(|error| error.to_string())
    }

    fn source(&mut self, scene: SceneId, path: &Path) -> Result<&mut GdalSource, String> {
        self.clock += 1;
        if !self.sources.contains_key(&scene) {
            if self.sources.len() >= MAX_OPEN
                && let Some(oldest) = self.sources.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id)
            {
                self.sources.remove(&oldest);
            }
            let source = nunatak_io::open(path).map_err(|error| error.to_string())?;
            self.sources.insert(scene, (self.clock, source));
        }
        let (used, source) = self.sources.get_mut(&scene).expect("it was there or has been inserted");
        *used = self.clock;
        Ok(source)
    }
}

/// The tile's pixels, or a draft of them where all would take long.
fn read(source: &mut GdalSource, request: &TileRequest, bands: &[usize]) -> Result<(Raster, Quality), String> {
    let &TileRequest { window, size_px: (width, height), exact, .. } = request;
    let info = source.info();
    // Blocks of interleaved bands are decoded with all of them.
    let n_decoded = if info.interleave.as_deref() == Some("PIXEL") { info.n_bands() } else { bands.len() };
    let block = (info.block.0 * info.block.1 * n_decoded).max(1) as u64;
    let values = source.blocks_touched(window, width, height).saturating_mul(block);
    if exact || values <= QUICK_VALUES {
        let raster = source.read(window, bands, width, height).map_err(|error| error.to_string())?;
        return Ok((raster, Quality::Exact));
    }
    let max_blocks = (QUICK_VALUES / block).max(1);
    let raster = source.read_coarse(window, bands, (width, height), max_blocks).map_err(|error| error.to_string())?;
    Ok((raster, if values <= SLOW_VALUES { Quality::Draft } else { Quality::Coarse }))
}
