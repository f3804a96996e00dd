//! The pipelines, one per pair of entry points in `shaders/`, and the layouts they share.

use nunatak_domain::colormap::ColormapName;
use wgpu::util::DeviceExt as _;

use crate::geometry::Vertex;
use crate::look::Kind;
use crate::shaders;

/// What layers and the map are composed in: display-referred, premultiplied. Half floats, so
/// that several translucent layers do not round to visible steps.
pub(crate) const CANVAS_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// Where the finished map goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Over what the target holds.
    Screen(wgpu::TextureFormat),
    /// `Rgba8Unorm` with straight alpha, replaced.
    Picture,
}

pub(crate) struct Pipelines {
    /// Per kind of style; magnified and minified (the same for classes).
    raster: [[wgpu::RenderPipeline; 2]; 3],
    pub composite: wgpu::RenderPipeline,
    pub present: wgpu::RenderPipeline,
    /// Uniform, colormaps, palette.
    pub layer_layout: wgpu::BindGroupLayout,
    /// Three textures of a tile.
    pub tile_layout: wgpu::BindGroupLayout,
    /// Uniform, below, above.
    pub composite_layout: wgpu::BindGroupLayout,
    pub colormaps: wgpu::Buffer,
}

impl Pipelines {
    pub(crate) fn new(device: &wgpu::Device, target: Target) -> Self {
        let layer_layout = layout(device, "layer", &[uniform(), storage(), storage()]);
        let tile_layout = layout(device, "tile", &[texture_array(), texture_array(), texture_array()]);
        let composite_layout = layout(device, "composite", &[uniform(), texture_2d(), texture_2d()]);
        let raster_module = module(device, "raster", shaders::RASTER);
        let composite_module = module(device, "composite", shaders::COMPOSITE);

        let tiles = pipeline_layout(device, &[&layer_layout, &tile_layout]);
        let screens = pipeline_layout(device, &[&composite_layout]);
        let canvas = wgpu::ColorTargetState::from(CANVAS_FORMAT);
        let vertices = [Some(vertex_layout())];
        let (present_entry, present_target) = match target {
            Target::Picture => ("fs_straight", wgpu::TextureFormat::Rgba8Unorm.into()),
            Target::Screen(format) => {
                let entry = if format.is_srgb() { "fs_present_linear" } else { "fs_present" };
                let blend = Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING);
                (entry, wgpu::ColorTargetState { format, blend, write_mask: wgpu::ColorWrites::ALL })
            }
        };
        let tile_pipeline = |module: &wgpu::ShaderModule, entry: &str, constants: &[(&str, f64)]| {
            pipeline(device, &tiles, module, ["vs_tile", entry], constants, &vertices, &[Some(canvas.clone())])
        };
        let raster = |kind: Kind, smooth: bool| {
            let constants = [("KIND", f64::from(kind as u32)), ("SMOOTH", f64::from(u8::from(smooth)))];
            tile_pipeline(&raster_module, "fs_raster", &constants)
        };
        let screen_pipeline = |entry: &str, target: wgpu::ColorTargetState| {
            pipeline(device, &screens, &composite_module, ["vs_screen", entry], &[], &[], &[Some(target)])
        };
        let classes = raster(Kind::Classes, false);
        Self {
            raster: [
                [raster(Kind::Rgb, false), raster(Kind::Rgb, true)],
                [raster(Kind::Colormap, false), raster(Kind::Colormap, true)],
                [classes.clone(), classes],
            ],
            composite: screen_pipeline("fs_composite", canvas.clone()),
            present: screen_pipeline(present_entry, present_target),
            layer_layout,
            tile_layout,
            composite_layout,
            colormaps: colormap_buffer(device),
        }
    }
}

impl Pipelines {
    pub(crate) fn raster(&self, kind: Kind, smooth: bool) -> &wgpu::RenderPipeline {
        &self.raster[kind as usize][usize::from(smooth)]
    }
}

/// Computes a tile's prior.
pub(crate) struct PriorPipeline {
    pub pipeline: wgpu::RenderPipeline,
    /// Uniform, the tile's pixels.
    pub layout: wgpu::BindGroupLayout,
}

impl PriorPipeline {
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let layout = layout(device, "prior", &[uniform, texture_array()]);
        let module = module(device, "prior", shaders::PRIOR);
        let target = || Some(wgpu::ColorTargetState::from(wgpu::TextureFormat::R32Float));
        let layouts = pipeline_layout(device, &[&layout]);
        let entries = ["vs_prior", "fs_prior"];
        let pipeline = pipeline(device, &layouts, &module, entries, &[], &[], &[target(), target()]);
        Self { pipeline, layout }
    }
}

/// All colormaps one after the other, in the order of `ColormapName::ALL`.
fn colormap_buffer(device: &wgpu::Device) -> wgpu::Buffer {
    let colors: Vec<[u8; 4]> = ColormapName::ALL.iter().flat_map(|name| name.table()).collect();
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("colormaps"),
        contents: bytemuck::cast_slice(&colors),
        usage: wgpu::BufferUsages::STORAGE,
    })
}

fn module(device: &wgpu::Device, label: &str, source: &'static str) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    })
}

fn vertex_layout() -> wgpu::VertexBufferLayout<'static> {
    const ATTRIBUTES: [wgpu::VertexAttribute; 3] =
        wgpu::vertex_attr_array![0 => Float32x2, 1 => Float32x2, 2 => Uint32];
    wgpu::VertexBufferLayout {
        array_stride: size_of::<Vertex>() as u64,
        step_mode: wgpu::VertexStepMode::Vertex,
        attributes: &ATTRIBUTES,
    }
}

fn pipeline_layout(device: &wgpu::Device, groups: &[&wgpu::BindGroupLayout]) -> wgpu::PipelineLayout {
    let groups: Vec<_> = groups.iter().map(|group| Some(*group)).collect();
    device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &groups,
        immediate_size: 0,
    })
}

fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::PipelineLayout,
    module: &wgpu::ShaderModule,
    [vertex_entry, fragment_entry]: [&str; 2],
    constants: &[(&str, f64)],
    buffers: &[Option<wgpu::VertexBufferLayout<'_>>],
    targets: &[Option<wgpu::ColorTargetState>],
) -> wgpu::RenderPipeline {
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(fragment_entry),
        layout: Some(layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some(vertex_entry),
            compilation_options: Default::default(),
            buffers,
        },
        // Scenes may be mirrored, so both faces are drawn.
        primitive: wgpu::PrimitiveState { cull_mode: None, ..Default::default() },
        depth_stencil: None,
        multisample: Default::default(),
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some(fragment_entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            targets,
        }),
        multiview_mask: None,
        cache: None,
    })
}

fn layout(device: &wgpu::Device, label: &str, types: &[wgpu::BindingType]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0u32..)
        .zip(types)
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: *ty,
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries })
}

fn uniform() -> wgpu::BindingType {
    wgpu::BindingType::Buffer { ty: wgpu::BufferBindingType::Uniform, has_dynamic_offset: true, min_binding_size: None }
}

fn storage() -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: true },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}

fn texture_2d() -> wgpu::BindingType {
    texture(wgpu::TextureViewDimension::D2)
}

fn texture_array() -> wgpu::BindingType {
    texture(wgpu::TextureViewDimension::D2Array)
}

/// Read with `textureLoad` only.
fn texture(view_dimension: wgpu::TextureViewDimension) -> wgpu::BindingType {
    let sample_type = wgpu::TextureSampleType::Float { filterable: false };
    wgpu::BindingType::Texture { sample_type, view_dimension, multisampled: false }
}
