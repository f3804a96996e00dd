//! What layers are composed on: two textures to read from and write to in turn, one for the
//! layer that is added, and the small buffers of a frame.

use bytemuck::{Pod, Zeroable};
use nunatak_domain::layer::Blend;

use crate::pipelines::CANVAS_FORMAT;

/// Twin of `Composite` in `shaders/composite.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct CompositeUniform {
    pub opacity: f32,
    pub blend: u32,
    pub left_px: f32,
    pub padding: u32,
}

impl CompositeUniform {
    pub(crate) fn new(opacity: f32, blend: Blend, left_px: u32) -> Self {
        let blend = Blend::ALL.iter().position(|candidate| *candidate == blend).unwrap_or(0) as u32;
        Self { opacity: opacity.clamp(0.0, 1.0), blend, left_px: left_px as f32, padding: 0 }
    }
}

pub(crate) struct Canvas {
    pub size: [u32; 2],
    /// The map so far is in `sides[current]`.
    pub sides: [wgpu::TextureView; 2],
    pub current: usize,
    /// The layer that is added, before its opacity.
    pub layer: wgpu::TextureView,
}

impl Canvas {
    /// `composed`: with textures for translucent or blended layers; without, all three views
    /// are the same texture.
    pub(crate) fn new(device: &wgpu::Device, size: [u32; 2], composed: bool) -> Self {
        let first = canvas_texture(device, size);
        let (second, layer) = if composed {
            (canvas_texture(device, size), canvas_texture(device, size))
        } else {
            (first.clone(), first.clone())
        };
        Self { size, sides: [first, second], current: 0, layer }
    }

    pub(crate) fn composed(&self) -> bool {
        self.sides[0] != self.sides[1]
    }
}

fn canvas_texture(device: &wgpu::Device, size: [u32; 2]) -> wgpu::TextureView {
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("canvas"),
        size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: CANVAS_FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING,
        view_formats: &[],
    });
    texture.create_view(&Default::default())
}

/// A buffer that grows with what is written to it.
pub(crate) struct FrameBuffer {
    usage: wgpu::BufferUsages,
    buffer: Option<wgpu::Buffer>,
}

impl FrameBuffer {
    pub(crate) const fn new(usage: wgpu::BufferUsages) -> Self {
        Self { usage, buffer: None }
    }

    pub(crate) fn write(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, bytes: &[u8]) -> &wgpu::Buffer {
        let size = (bytes.len() as u64).next_power_of_two().max(256);
        let buffer = match self.buffer.take() {
            Some(buffer) if buffer.size() >= size => buffer,
            _ => device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("frame"),
                size,
                usage: self.usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
        };
        queue.write_buffer(&buffer, 0, bytes);
        self.buffer.insert(buffer)
    }
}

/// Uniforms at the distance that dynamic offsets ask for.
pub(crate) fn spaced<T: Pod>(uniforms: &[T], stride: usize) -> Vec<u8> {
    let mut bytes = vec![0; uniforms.len().max(1) * stride];
    for (uniform, place) in uniforms.iter().zip(bytes.chunks_mut(stride)) {
        place[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(uniform));
    }
    bytes
}
