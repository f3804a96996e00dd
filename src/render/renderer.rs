//! `MapRenderer`: a `MapFrame` in, pixels out.
//!
//! `prepare` composes the whole map on a canvas of its own, only when something changed;
//! `paint` copies the canvas into whatever pass it is given. So a repaint of the window
//! around an unchanged map costs one triangle, and blending never depends on what lies
//! under the map.

use std::ops::Range;

use nunatak_domain::layer::LayerId;
use nunatak_domain::map::{DrawLayer, DrawTile, MapFrame};
use nunatak_domain::style::Style;

use crate::canvas::{Canvas, CompositeUniform, FrameBuffer, spaced};
use crate::frame::{channels, composed, composites, left_px, same_picture};
use crate::geometry::{self, CanvasWindow, Geometry};
use crate::look::{LayerUniform, Look, Looks};
use crate::pipelines::{Pipelines, Target};
use crate::prior::{CLASS_LAYER, PriorTiles, SIMILARITY_LAYER};
use crate::textures::{TileTextures, UploadLimits, UploadStats};

/// Draws maps with one device.
pub struct MapRenderer {
    pipelines: Pipelines,
    textures: TileTextures,
    priors: PriorTiles,
    buffers: Buffers,
    looks: Looks,
    geometry: Geometry,
    canvas: Option<Canvas>,
    present: Option<wgpu::BindGroup>,
    /// What the canvas shows.
    shown: Option<(MapFrame, CanvasWindow)>,
    outcome: Prepared,
    n_composed: u64,
}

/// What `prepare` has to say.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Tiles of the frame wait for their upload: ask for another repaint soon.
    pub pending: bool,
    /// Layers that cannot be drawn as asked, and why (one sentence each).
    pub refused: Vec<(LayerId, String)>,
}

struct Buffers {
    vertices: FrameBuffer,
    indices: FrameBuffer,
    layers: FrameBuffer,
    palette: FrameBuffer,
    composites: FrameBuffer,
}

/// One layer of a frame, ready to be encoded.
struct PlannedLayer {
    look: Look,
    tiles: Vec<PlannedTile>,
    left_px: u32,
    /// `None` where its tiles go straight onto the canvas.
    composite: Option<usize>,
}

struct PlannedTile {
    group: wgpu::BindGroup,
    indices: Range<u32>,
    /// Texels are smaller than screen pixels.
    minified: bool,
}

/// Bindings of a frame.
struct Bound {
    layer: wgpu::BindGroup,
    vertices: wgpu::Buffer,
    indices: wgpu::Buffer,
    composites: wgpu::Buffer,
    /// Bytes from one uniform to the next.
    stride: usize,
}

impl MapRenderer {
    /// For a pass whose target has `target_format`. Formats without sRGB encoding (egui's
    /// choice) get the colours as they are, the others are given linear light.
    pub fn new(device: &wgpu::Device, target_format: wgpu::TextureFormat) -> Self {
        let software = device.adapter_info().device_type == wgpu::DeviceType::Cpu;
        let limits = if software { UploadLimits::software() } else { UploadLimits::default() };
        Self::with_target(device, Target::Screen(target_format), limits)
    }

    pub(crate) fn with_target(device: &wgpu::Device, target: Target, limits: UploadLimits) -> Self {
        let uniform = wgpu::BufferUsages::UNIFORM;
        Self {
            pipelines: Pipelines::new(device, target),
            textures: TileTextures::new(limits),
            priors: PriorTiles::new(device, limits.prior_tiles_per_frame),
            buffers: Buffers {
                vertices: FrameBuffer::new(wgpu::BufferUsages::VERTEX),
                indices: FrameBuffer::new(wgpu::BufferUsages::INDEX),
                layers: FrameBuffer::new(uniform),
                palette: FrameBuffer::new(wgpu::BufferUsages::STORAGE),
                composites: FrameBuffer::new(uniform),
            },
            looks: Looks::default(),
            geometry: Geometry::default(),
            canvas: None,
            present: None,
            shown: None,
            outcome: Prepared::default(),
            n_composed: 0,
        }
    }

    /// Uploads what is missing and composes the map, `frame.view` in size; does nothing where
    /// the canvas already shows this frame. Submits its own commands: call it before the pass
    /// that `paint` draws into is submitted.
    pub fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, frame: &MapFrame) -> Prepared {
        let limit = device.limits().max_texture_dimension_2d;
        let mut window = CanvasWindow::whole(&frame.view);
        window.width = window.width.min(limit);
        window.height = window.height.min(limit);
        self.prepare_window(device, queue, frame, window)
    }

    /// Draws the map over the viewport of `pass`, whose size in pixels should be that of the view.
    pub fn paint(&self, pass: &mut wgpu::RenderPass<'_>) {
        if let Some(present) = &self.present {
            pass.set_pipeline(&self.pipelines.present);
            pass.set_bind_group(0, present, &[0]);
            pass.draw(0..3, 0..1);
        }
    }

    /// What went to video memory so far.
    pub fn upload_stats(&self) -> UploadStats {
        UploadStats { prior_tiles: self.priors.n_computed(), ..self.textures.stats() }
    }

    /// How often the map was composed anew.
    pub fn n_composed(&self) -> u64 {
        self.n_composed
    }

    pub(crate) fn prepare_window(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        frame: &MapFrame,
        window: CanvasWindow,
    ) -> Prepared {
        let unchanged = self.shown.as_ref().is_some_and(|(shown, at)| *at == window && same_picture(shown, frame));
        if unchanged && !self.outcome.pending {
            return self.outcome.clone();
        }
        self.outcome = Prepared::default();
        if window.width == 0 || window.height == 0 {
            (self.present, self.shown) = (None, None);
            return self.outcome.clone();
        }
        let layers = self.plan(device, queue, frame, window);
        let composed = layers.iter().any(|layer| layer.composite.is_some());
        let size = [window.width, window.height];
        let fits = |canvas: &Canvas| canvas.size == size && (canvas.composed() || !composed);
        let mut canvas = self.canvas.take().filter(fits).unwrap_or_else(|| Canvas::new(device, size, composed));
        let composites = composites(frame, window);
        let bound = self.bind(device, queue, &composites);
        let mut encoder = device.create_command_encoder(&Default::default());
        self.priors.encode(&mut encoder);
        self.encode(device, &mut encoder, &layers, &mut canvas, &bound);
        queue.submit([encoder.finish()]);
        let shown = &canvas.sides[canvas.current];
        self.present = Some(self.composite_group(device, &bound.composites, shown, shown));
        self.canvas = Some(canvas);
        self.shown = Some((frame.clone(), window));
        self.outcome.pending = self.textures.end_frame() | self.priors.end_frame();
        self.n_composed += 1;
        self.outcome.clone()
    }

    /// Uploads tiles and collects looks and geometry of the layers that are drawn.
    fn plan(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        frame: &MapFrame,
        window: CanvasWindow,
    ) -> Vec<PlannedLayer> {
        self.looks.clear();
        self.geometry.clear();
        self.textures.begin_frame();
        self.priors.begin_frame();
        let mut planned = Vec::new();
        for (index, layer) in frame.layers.iter().enumerate().filter(|(_, layer)| layer.opacity > 0.0) {
            let look = match self.looks.push(layer) {
                Ok(look) => look,
                Err(reason) => {
                    self.outcome.refused.push((layer.layer, reason));
                    continue;
                }
            };
            let mut tiles = Vec::with_capacity(layer.tiles.len());
            let mut refused = None;
            for tile in &layer.tiles {
                match self.plan_tile(device, queue, layer, tile, frame, window) {
                    Ok(Some(tile)) => tiles.push(tile),
                    Ok(None) => {}
                    Err(reason) => refused = Some(reason),
                }
            }
            if let Some(reason) = refused {
                self.outcome.refused.push((layer.layer, reason));
            }
            planned.push(PlannedLayer {
                look,
                tiles,
                left_px: left_px(layer, frame, window),
                composite: composed(layer).then_some(index),
            });
        }
        planned
    }

    /// Bindings and indices of a tile; `None` while it waits for its upload or lies outside.
    fn plan_tile(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        layer: &DrawLayer,
        tile: &DrawTile,
        frame: &MapFrame,
        window: CanvasWindow,
    ) -> Result<Option<PlannedTile>, String> {
        let channels = channels(layer, tile)?;
        for [part, _] in channels {
            let (key, pixels) = &tile.parts[part];
            if !self.textures.ensure(device, queue, *key, pixels) {
                return Ok(None);
            }
        }
        let Some((views, array_layers, size)) = self.tile_views(device, layer, tile, channels) else {
            return Ok(None);
        };
        let packed = array_layers.iter().rev().fold(0, |packed, array_layer| (packed << 10) | *array_layer as u32);
        let indices = self.geometry.push(tile, size, packed, &frame.view, window);
        if indices.is_empty() {
            return Ok(None);
        }
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("tile"),
            layout: &self.pipelines.tile_layout,
            entries: &bindings(views.each_ref().map(wgpu::BindingResource::TextureView)),
        });
        Ok(Some(PlannedTile { group, indices, minified: geometry::minified(tile, size, &frame.view) }))
    }

    /// For each channel what is bound and its array layer, and the size in texels.
    fn tile_views(
        &mut self,
        device: &wgpu::Device,
        layer: &DrawLayer,
        tile: &DrawTile,
        channels: [[usize; 2]; 3],
    ) -> Option<([wgpu::TextureView; 3], [usize; 3], [u32; 2])> {
        let texture = |channel: [usize; 2]| self.textures.get(tile.parts[channel[0]].0);
        let [first, second, third] = [texture(channels[0])?, texture(channels[1])?, texture(channels[2])?];
        if let Some(prior) = &layer.prior {
            let found = self.priors.ensure(device, tile.parts[0].0, first, prior)?;
            let array_layer = if matches!(layer.style, Style::Classes { .. }) { CLASS_LAYER } else { SIMILARITY_LAYER };
            return Some((std::array::from_fn(|_| found.view.clone()), [array_layer; 3], found.size));
        }
        let views = [&first.view, &second.view, &third.view].map(Clone::clone);
        Some((views, channels.map(|[_, array_layer]| array_layer), first.size))
    }

    fn bind(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, composites: &[CompositeUniform]) -> Bound {
        let step = device.limits().min_uniform_buffer_offset_alignment as usize;
        let stride = size_of::<LayerUniform>().next_multiple_of(step);
        let buffers = &mut self.buffers;
        let palette: &[[u32; 2]] = if self.looks.palette.is_empty() { &[[0; 2]] } else { &self.looks.palette };
        let layers = buffers.layers.write(device, queue, &spaced(&self.looks.uniforms, stride));
        let palette = buffers.palette.write(device, queue, bytemuck::cast_slice(palette));
        let layer = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("layer"),
            layout: &self.pipelines.layer_layout,
            entries: &bindings([
                uniform_binding::<LayerUniform>(layers),
                self.pipelines.colormaps.as_entire_binding(),
                palette.as_entire_binding(),
            ]),
        });
        Bound {
            layer,
            vertices: buffers.vertices.write(device, queue, bytemuck::cast_slice(&self.geometry.vertices)).clone(),
            indices: buffers.indices.write(device, queue, bytemuck::cast_slice(&self.geometry.indices)).clone(),
            composites: buffers.composites.write(device, queue, &spaced(composites, stride)).clone(),
            stride,
        }
    }

    /// Opaque layers go onto the canvas one after the other; a layer with opacity or blending
    /// is drawn apart and then composed, so that its tiles count once wherever they meet.
    fn encode(
        &self,
        device: &wgpu::Device,
        encoder: &mut wgpu::CommandEncoder,
        layers: &[PlannedLayer],
        canvas: &mut Canvas,
        bound: &Bound,
    ) {
        let mut pass = begin(encoder, &canvas.sides[canvas.current]);
        for layer in layers.iter().filter(|layer| !layer.tiles.is_empty()) {
            let Some(composite) = layer.composite else {
                self.draw_tiles(&mut pass, layer, canvas.size, bound);
                continue;
            };
            drop(pass);
            let mut apart = begin(encoder, &canvas.layer);
            self.draw_tiles(&mut apart, layer, canvas.size, bound);
            drop(apart);
            let below = &canvas.sides[canvas.current];
            let group = self.composite_group(device, &bound.composites, below, &canvas.layer);
            canvas.current = 1 - canvas.current;
            pass = begin(encoder, &canvas.sides[canvas.current]);
            pass.set_pipeline(&self.pipelines.composite);
            pass.set_bind_group(0, &group, &[(composite * bound.stride) as u32]);
            pass.draw(0..3, 0..1);
        }
    }

    fn draw_tiles(&self, pass: &mut wgpu::RenderPass<'_>, layer: &PlannedLayer, size: [u32; 2], bound: &Bound) {
        if layer.left_px >= size[0] {
            return;
        }
        pass.set_scissor_rect(layer.left_px, 0, size[0] - layer.left_px, size[1]);
        pass.set_bind_group(0, &bound.layer, &[(layer.look.uniform * bound.stride) as u32]);
        pass.set_vertex_buffer(0, bound.vertices.slice(..));
        pass.set_index_buffer(bound.indices.slice(..), wgpu::IndexFormat::Uint32);
        for tile in &layer.tiles {
            pass.set_pipeline(self.pipelines.raster(layer.look.kind, tile.minified));
            pass.set_bind_group(1, &tile.group, &[]);
            pass.draw_indexed(tile.indices.clone(), 0, 0..1);
        }
        pass.set_scissor_rect(0, 0, size[0], size[1]);
    }

    fn composite_group(
        &self,
        device: &wgpu::Device,
        composites: &wgpu::Buffer,
        below: &wgpu::TextureView,
        above: &wgpu::TextureView,
    ) -> wgpu::BindGroup {
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("composite"),
            layout: &self.pipelines.composite_layout,
            entries: &bindings([
                uniform_binding::<CompositeUniform>(composites),
                wgpu::BindingResource::TextureView(below),
                wgpu::BindingResource::TextureView(above),
            ]),
        })
    }
}

/// A pass over a cleared texture.
pub(crate) fn begin<'a>(encoder: &'a mut wgpu::CommandEncoder, view: &wgpu::TextureView) -> wgpu::RenderPass<'a> {
    encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("map"),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
        })],
        ..Default::default()
    })
}

pub(crate) fn bindings<const N: usize>(resources: [wgpu::BindingResource<'_>; N]) -> [wgpu::BindGroupEntry<'_>; N] {
    let mut binding = 0;
    resources.map(|resource| {
        binding += 1;
        wgpu::BindGroupEntry { binding: binding - 1, resource }
    })
}

fn uniform_binding<T>(buffer: &wgpu::Buffer) -> wgpu::BindingResource<'_> {
    let size = std::num::NonZeroU64::new(size_of::<T>() as u64);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: 0, size })
}
