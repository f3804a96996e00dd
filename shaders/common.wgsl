// What raster.wgsl draws with: the layer's look, the tile's pixels, the vertex stage. Compiled in
// front of it by src/render/shaders.rs.

// Twin of `LayerUniform` in src/render/look.rs.
struct Layer {
    // Stretch per channel: value -> pow(clamp((value - low) * scale, 0, 1), power).
    low: vec4<f32>,
    scale: vec4<f32>,
    power: vec4<f32>,
    // Which of `colormaps`.
    colormap: u32,
    // Range of `palette`.
    palette_start: u32,
    palette_len: u32,
    padding: u32,
}

const KIND_RGB: u32 = 0u;
const KIND_COLORMAP: u32 = 1u;
const KIND_CLASSES: u32 = 2u;

// One pipeline per kind of style: software adapters execute both sides of every branch.
override KIND: u32 = KIND_RGB;

// A class id and its colour, 0xAABBGGRR.
struct PaletteEntry {
    id: u32,
    color: u32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
// 256 colours per colormap, 0xAABBGGRR.
@group(0) @binding(1) var<storage, read> colormaps: array<u32>;
// Sorted by id within a layer's range.
@group(0) @binding(2) var<storage, read> palette: array<PaletteEntry>;

// Bands of the tile; three times the same texture where the tile holds all bands.
@group(1) @binding(0) var pixels_0: texture_2d_array<f32>;
@group(1) @binding(1) var pixels_1: texture_2d_array<f32>;
@group(1) @binding(2) var pixels_2: texture_2d_array<f32>;

// Nodata arrives as the lowest float32, because WGSL may assume that there is no NaN.
const NODATA_BELOW: f32 = -3.4e38;

fn has_value(value: f32) -> bool {
    return value > NODATA_BELOW;
}

struct Vertex {
    @location(0) clip: vec2<f32>,
    // In texels of the tile.
    @location(1) texel: vec2<f32>,
    // Array layers of the three channels, 10 bits each.
    @location(2) channels: u32,
}

struct Fragment {
    @builtin(position) position: vec4<f32>,
    @location(0) texel: vec2<f32>,
    @location(1) @interpolate(flat) channels: u32,
}

@vertex
fn vs_tile(vertex: Vertex) -> Fragment {
    return Fragment(vec4(vertex.clip, 0.0, 1.0), vertex.texel, vertex.channels);
}

fn channel_layer(channels: u32, channel: u32) -> u32 {
    return (channels >> (10u * channel)) & 1023u;
}

// The texel under a position, kept inside the tile.
fn nearest_texel(texel: vec2<f32>) -> vec2<i32> {
    let last = vec2<i32>(textureDimensions(pixels_0)) - 1;
    return clamp(vec2<i32>(floor(texel)), vec2(0), last);
}

fn stretched(value: f32, channel: u32) -> f32 {
    let t = clamp((value - layer.low[channel]) * layer.scale[channel], 0.0, 1.0);
    return pow(t, layer.power[channel]);
}

fn colormap_color(t: f32) -> vec4<f32> {
    let entry = u32(round(clamp(t, 0.0, 1.0) * 255.0));
    return unpack4x8unorm(colormaps[256u * layer.colormap + entry]);
}

// Transparent where the palette does not know the class.
fn class_color(id: u32) -> vec4<f32> {
    var low = layer.palette_start;
    var high = layer.palette_start + layer.palette_len;
    while low < high {
        let middle = (low + high) / 2u;
        if palette[middle].id < id {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    if low < layer.palette_start + layer.palette_len && palette[low].id == id {
        return unpack4x8unorm(palette[low].color);
    }
    return vec4(0.0);
}
