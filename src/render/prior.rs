//! The prior of tiles, computed on the GPU once per tile and set of references into textures
//! of two bands (similarity, class) that are drawn like any other tile. So panning, zooming
//! and styling a prior cost what they cost for imagery, and only an edit of the references
//! computes again.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytemuck::{Pod, Zeroable};
use nunatak_domain::map::{MAX_LIVE_REFERENCES, TileKey, TilePixels};
use nunatak_domain::spectra::{Prior, PriorTables};
use wgpu::util::DeviceExt as _;

use crate::pipelines::PriorPipeline;
use crate::renderer::bindings;
use crate::textures::TileTexture;

/// Largest prior that is computed while drawing; beyond it, the prior is a job on the CPU.
pub const MAX_PRIOR_BANDS: usize = 16;
pub const MAX_PRIOR_REFERENCES: usize = MAX_LIVE_REFERENCES;

/// Four references side by side.
const QUAD: usize = 4;
const MAX_QUADS: usize = MAX_PRIOR_REFERENCES / QUAD;
const TABLE_LEN: usize = MAX_QUADS * MAX_PRIOR_BANDS + MAX_PRIOR_REFERENCES * MAX_QUADS + MAX_QUADS;

/// Twin of `Prior` in `shaders/prior.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct PriorUniform {
    n_bands: u32,
    n_references: u32,
    padding: [u32; 2],
    tables: [[f32; QUAD]; TABLE_LEN],
}

/// Array layers of a prior's texture.
pub(crate) const SIMILARITY_LAYER: usize = 0;
pub(crate) const CLASS_LAYER: usize = 1;

/// Textures of this many bytes are kept although they are not in the picture.
const IDLE_BYTES: u64 = 128 << 20;

pub(crate) struct PriorTiles {
    pipeline: PriorPipeline,
    /// Per tile and address of the prior.
    entries: BTreeMap<(TileKey, usize), PriorTile>,
    uniforms: Vec<(Weak<Prior>, wgpu::Buffer)>,
    jobs: Vec<Job>,
    /// Tiles computed per frame; the others show what they showed.
    per_frame: usize,
    frame: u64,
    waiting: bool,
    n_computed: u64,
}

struct PriorTile {
    /// What it was computed from. A `Weak` keeps an address from being used again.
    prior: Weak<Prior>,
    pixels: Weak<TilePixels>,
    textures: PriorTextures,
    last_drawn: u64,
}

#[derive(Clone)]
pub(crate) struct PriorTextures {
    /// Both array layers.
    pub view: wgpu::TextureView,
    targets: [wgpu::TextureView; 2],
    pub size: [u32; 2],
}

/// A tile to compute before the map is composed.
struct Job {
    group: wgpu::BindGroup,
    targets: [wgpu::TextureView; 2],
}

impl PriorTiles {
    pub(crate) fn new(device: &wgpu::Device, per_frame: usize) -> Self {
        Self {
            pipeline: PriorPipeline::new(device),
            entries: BTreeMap::new(),
            uniforms: Vec::new(),
            jobs: Vec::new(),
            per_frame,
            frame: 0,
            waiting: false,
            n_computed: 0,
        }
    }

    /// Tiles computed so far.
    pub(crate) fn n_computed(&self) -> u64 {
        self.n_computed
    }

    pub(crate) fn begin_frame(&mut self) {
        self.frame += 1;
        self.waiting = false;
        self.jobs.clear();
    }

    /// The prior's textures of a tile, computed with this frame if they are not yet; what the
    /// tile showed before where the frame's share is used up; `None` if that is nothing.
    pub(crate) fn ensure(
        &mut self,
        device: &wgpu::Device,
        key: TileKey,
        tile: &TileTexture,
        prior: &Arc<Prior>,
    ) -> Option<PriorTextures> {
        let address = Arc::as_ptr(prior) as usize;
        if let Some(entry) = self.entries.get_mut(&(key, address))
            && entry.pixels.ptr_eq(tile.pixels())
        {
            entry.last_drawn = self.frame;
            return Some(entry.textures.clone());
        }
        if self.jobs.len() >= self.per_frame.max(1) {
            self.waiting = true;
            let (_, shown) = self.entries.range_mut((key, 0)..=(key, usize::MAX)).next()?;
            shown.last_drawn = self.frame;
            return Some(shown.textures.clone());
        }
        let textures = self.reusable(key, tile.size).unwrap_or_else(|| PriorTextures::new(device, tile.size));
        let uniform = self.uniform(device, prior);
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("prior"),
            layout: &self.pipeline.layout,
            entries: &bindings([uniform.as_entire_binding(), wgpu::BindingResource::TextureView(&tile.view)]),
        });
        self.jobs.push(Job { group, targets: textures.targets.clone() });
        self.n_computed += 1;
        let entry = PriorTile {
            prior: Arc::downgrade(prior),
            pixels: tile.pixels().clone(),
            textures: textures.clone(),
            last_drawn: self.frame,
        };
        self.entries.insert((key, address), entry);
        Some(textures)
    }

    /// Encodes what this frame computes; before anything that draws it.
    pub(crate) fn encode(&mut self, encoder: &mut wgpu::CommandEncoder) {
        for job in self.jobs.drain(..) {
            let attachment = |view| {
                let ops =
                    wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store };
                Some(wgpu::RenderPassColorAttachment { view, depth_slice: None, resolve_target: None, ops })
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("prior"),
                color_attachments: &job.targets.each_ref().map(attachment),
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline.pipeline);
            pass.set_bind_group(0, &job.group, &[]);
            pass.draw(0..3, 0..1);
        }
    }

    /// Forgets what no longer exists or has not been drawn for the longest time. Returns whether
    /// tiles still wait to be computed.
    pub(crate) fn end_frame(&mut self) -> bool {
        let frame = self.frame;
        self.uniforms.retain(|(prior, _)| prior.strong_count() > 0);
        self.entries.retain(|_, entry| {
            entry.last_drawn == frame || (entry.prior.strong_count() > 0 && entry.pixels.strong_count() > 0)
        });
        let mut idle: Vec<_> =
            self.entries.iter().filter(|(_, e)| e.last_drawn < frame).map(|(key, e)| (e.last_drawn, *key)).collect();
        idle.sort_unstable_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (_, key) in idle {
            bytes += self.entries.get(&key).map_or(0, |entry| entry.textures.bytes());
            if bytes > IDLE_BYTES {
                self.entries.remove(&key);
            }
        }
        self.waiting
    }

    /// Takes the textures of an entry of the same tile that this frame has not drawn.
    fn reusable(&mut self, key: TileKey, size: [u32; 2]) -> Option<PriorTextures> {
        let frame = self.frame;
        let mut entries = self.entries.range((key, 0)..=(key, usize::MAX));
        let found = *entries.find(|(_, entry)| entry.last_drawn < frame && entry.textures.size == size)?.0;
        self.entries.remove(&found).map(|entry| entry.textures)
    }

    fn uniform(&mut self, device: &wgpu::Device, prior: &Arc<Prior>) -> wgpu::Buffer {
        let known = self.uniforms.iter().position(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(prior)));
        let index = known.unwrap_or_else(|| {
            let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("prior"),
                contents: bytemuck::bytes_of(&packed(prior.tables())),
                usage: wgpu::BufferUsages::UNIFORM,
            });
            self.uniforms.push((Arc::downgrade(prior), buffer));
            self.uniforms.len() - 1
        });
        self.uniforms[index].1.clone()
    }
}

impl PriorTextures {
    fn new(device: &wgpu::Device, size: [u32; 2]) -> Self {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("prior"),
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 2 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::R32Float,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        });
        let target = |layer: usize| {
            texture.create_view(&wgpu::TextureViewDescriptor {
                dimension: Some(wgpu::TextureViewDimension::D2),
                base_array_layer: layer as u32,
                array_layer_count: Some(1),
                ..Default::default()
            })
        };
        let view = texture.create_view(&wgpu::TextureViewDescriptor {
            dimension: Some(wgpu::TextureViewDimension::D2Array),
            ..Default::default()
        });
        Self { view, targets: [target(SIMILARITY_LAYER), target(CLASS_LAYER)], size }
    }

    fn bytes(&self) -> u64 {
        8 * u64::from(self.size[0]) * u64::from(self.size[1])
    }
}

/// # Errors
/// One sentence for priors that are too large for the shader's tables.
pub(crate) fn check_size(prior: &Prior) -> Result<(), String> {
    if prior.n_bands() > MAX_PRIOR_BANDS {
        return Err(format!(
            "the prior of {} bands is too large to follow on the map (at most {MAX_PRIOR_BANDS}): export it instead",
            prior.n_bands()
        ));
    }
    if prior.n_references() > MAX_PRIOR_REFERENCES {
        return Err(format!(
            "the prior of {} references is too large to follow on the map (at most {MAX_PRIOR_REFERENCES}): \
             export it or disable some",
            prior.n_references()
        ));
    }
    Ok(())
}

/// The prior's tables as rows of quads: product `[quad, band]`, shift `[candidate, quad]`,
/// thresholds `[quad]`, filled up with zeros, which add nothing to a distance.
fn packed(tables: &PriorTables) -> PriorUniform {
    let (n, n_bands) = (tables.n_references, tables.n_bands);
    let n_quads = n.div_ceil(QUAD);
    let quad_of = |quad: usize, value: &dyn Fn(usize) -> f32| -> [f32; QUAD] {
        std::array::from_fn(|lane| Some(quad * QUAD + lane).filter(|&k| k < n).map_or(0.0, value))
    };
    let product = (0..n_quads)
        .flat_map(|quad| (0..n_bands).map(move |band| quad_of(quad, &|k| tables.product[k * n_bands + band])));
    let shift =
        (0..n).flat_map(|candidate| (0..n_quads).map(move |quad| quad_of(quad, &|k| tables.shift[candidate * n + k])));
    let thresholds = (0..n_quads).map(|quad| quad_of(quad, &|k| tables.thresholds[k]));
    let mut uniform = PriorUniform {
        n_bands: n_bands as u32,
        n_references: n as u32,
        padding: [0; 2],
        tables: [[0.0; QUAD]; TABLE_LEN],
    };
    for (place, row) in uniform.tables.iter_mut().zip(product.chain(shift).chain(thresholds)) {
        *place = row;
    }
    uniform
}
