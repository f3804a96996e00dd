// The SF-CNM prior of a tile's pixels: once per tile and set of references, into a texture that
// raster.wgsl then draws like any other. The same closed form as
// src/domain/spectra/sf_cnm_blocks.rs; the definition is in sf_cnm.rs.

const MAX_BANDS: u32 = 16u;
// Four references side by side; the last ones are filled up with zeros.
const MAX_QUADS: u32 = 16u;

// Twin of `PriorUniform` in src/render/prior.rs.
struct Prior {
    n_bands: u32,
    n_references: u32,
    padding_0: u32,
    padding_1: u32,
    // Product [quad, band], shift [candidate, quad], thresholds [quad].
    tables: array<vec4<f32>, MAX_QUADS * MAX_BANDS + 4u * MAX_QUADS * MAX_QUADS + MAX_QUADS>,
}

@group(0) @binding(0) var<uniform> prior: Prior;
@group(0) @binding(1) var pixels: texture_2d_array<f32>;

// As in common.wgsl.
const NODATA_BELOW: f32 = -3.4e38;
const NODATA: f32 = -3.4028234e38;

struct Nearest {
    // 0 where no reference is near enough, else its index + 1.
    class_id: u32,
    similarity: f32,
    has_value: bool,
}

fn sum_of(v: vec4<f32>) -> f32 {
    return v.x + v.y + v.z + v.w;
}

fn max_of(v: vec4<f32>) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

fn nearest_reference(texel: vec2<i32>) -> Nearest {
    let n_bands = min(prior.n_bands, MAX_BANDS);
    let n = min(prior.n_references, 4u * MAX_QUADS);
    let n_quads = (n + 3u) / 4u;
    let shifts = n_quads * n_bands;
    let thresholds = shifts + n * n_quads;

    // W times the pixel.
    var response: array<vec4<f32>, MAX_QUADS>;
    for (var quad = 0u; quad < n_quads; quad++) {
        response[quad] = vec4(0.0);
    }
    for (var band = 0u; band < n_bands; band++) {
        let value = textureLoad(pixels, texel, band, 0).r;
        if value <= NODATA_BELOW {
            return Nearest(0u, 0.0, false);
        }
        for (var quad = 0u; quad < n_quads; quad++) {
            response[quad] += value * prior.tables[quad * n_bands + band];
        }
    }

    var best = 0u;
    var nearest = 3.0e38;
    for (var candidate = 0u; candidate < n; candidate++) {
        let row = shifts + candidate * n_quads;
        var sum = vec4(0.0);
        for (var quad = 0u; quad < n_quads; quad++) {
            sum += abs(response[quad] + prior.tables[row + quad]);
        }
        var distance = sum_of(sum);
        // Up to 1 the sum is the distance; beyond, the distance as it is defined.
        if distance > 1.0 {
            var total = vec4(0.0);
            var largest = vec4(0.0);
            for (var quad = 0u; quad < n_quads; quad++) {
                let unit = select(vec4(0.0), vec4(1.0), vec4(4u * quad) + vec4(0u, 1u, 2u, 3u) == vec4(candidate));
                let magnitude = abs(response[quad] + prior.tables[row + quad] + unit);
                total += magnitude;
                largest = max(largest, magnitude);
            }
            let m = max_of(largest);
            distance = (sum_of(total) - m) + abs(m - 1.0);
        }
        if distance < nearest {
            nearest = distance;
            best = candidate;
        }
    }

    let threshold = prior.tables[thresholds + best / 4u][best % 4u];
    if nearest < threshold {
        return Nearest(best + 1u, clamp(1.0 - nearest / threshold, 0.0, 1.0), true);
    }
    return Nearest(0u, 0.0, true);
}

// One triangle that covers the tile.
@vertex
fn vs_prior(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2(f32((index << 1u) & 2u), f32(index & 2u));
    return vec4(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0);
}

struct Layers {
    // In [0, 1], or nodata.
    @location(0) similarity: f32,
    // Index of the reference + 1, or nodata where none is near enough.
    @location(1) class_id: f32,
}

@fragment
fn fs_prior(@builtin(position) position: vec4<f32>) -> Layers {
    let found = nearest_reference(vec2<i32>(position.xy));
    return Layers(
        select(NODATA, found.similarity, found.has_value),
        select(NODATA, f32(found.class_id), found.class_id != 0u),
    );
}
