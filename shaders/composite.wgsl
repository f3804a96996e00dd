// Puts a layer onto what lies below it, and the finished map onto the screen. Colours are
// display-referred (what a PNG holds) and premultiplied by alpha.

// Twin of `CompositeUniform` in src/render/canvas.rs.
struct Composite {
    // In [0, 1].
    opacity: f32,
    // BLEND_*
    blend: u32,
    // The layer is shown from this column on (swipe).
    left_px: f32,
    padding: u32,
}

const BLEND_NORMAL: u32 = 0u;
const BLEND_MULTIPLY: u32 = 1u;
const BLEND_SCREEN: u32 = 2u;
const BLEND_LIGHTEN: u32 = 3u;

@group(0) @binding(0) var<uniform> composite: Composite;
@group(0) @binding(1) var below: texture_2d<f32>;
@group(0) @binding(2) var above: texture_2d<f32>;

struct Fragment {
    @builtin(position) position: vec4<f32>,
    @location(0) share: vec2<f32>,
}

// One triangle that covers the viewport.
@vertex
fn vs_screen(@builtin(vertex_index) index: u32) -> Fragment {
    let corner = vec2(f32((index << 1u) & 2u), f32(index & 2u));
    return Fragment(vec4(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0), corner);
}

// Porter-Duff "over" with a blend function (W3C Compositing and Blending, level 1, section 5):
// with premultiplied s and b: s(1 - ab) + b(1 - as) + as ab B(cb, cs).
@fragment
fn fs_composite(fragment: Fragment) -> @location(0) vec4<f32> {
    let at = vec2<i32>(fragment.position.xy);
    let b = textureLoad(below, at, 0);
    if fragment.position.x < composite.left_px {
        return b;
    }
    let s = textureLoad(above, at, 0) * composite.opacity;
    var both = s.rgb * b.a;
    switch composite.blend {
        case BLEND_MULTIPLY: { both = s.rgb * b.rgb; }
        case BLEND_SCREEN: { both = s.rgb * b.a + b.rgb * s.a - s.rgb * b.rgb; }
        case BLEND_LIGHTEN: { both = max(s.rgb * b.a, b.rgb * s.a); }
        default: {}
    }
    return vec4(s.rgb * (1.0 - b.a) + b.rgb * (1.0 - s.a) + both, s.a + b.a - s.a * b.a);
}

fn canvas_color(fragment: Fragment) -> vec4<f32> {
    let size = vec2<f32>(textureDimensions(above));
    let at = clamp(vec2<i32>(floor(fragment.share * size)), vec2(0), vec2<i32>(size) - 1);
    return textureLoad(above, at, 0);
}

// For targets that hold what is displayed (Rgba8Unorm, Bgra8Unorm).
@fragment
fn fs_present(fragment: Fragment) -> @location(0) vec4<f32> {
    return canvas_color(fragment);
}

// For targets that encode to sRGB on their own.
@fragment
fn fs_present_linear(fragment: Fragment) -> @location(0) vec4<f32> {
    let color = canvas_color(fragment);
    let lower = color.rgb / 12.92;
    let higher = pow((color.rgb + 0.055) / 1.055, vec3(2.4));
    return vec4(select(higher, lower, color.rgb < vec3(0.04045)), color.a);
}

// For pictures: straight alpha.
@fragment
fn fs_straight(fragment: Fragment) -> @location(0) vec4<f32> {
    let color = canvas_color(fragment);
    return vec4(color.rgb / max(color.a, 1e-6), color.a);
}
