// Tiles of a scene: band combination, stretch, colormap, classes.

// For tiles whose texels are smaller than screen pixels. Magnified pixels stay sharp squares.
override SMOOTH: bool = false;

fn load_value(channel: u32, texel: vec2<i32>, array_layer: u32) -> f32 {
    switch channel {
        case 0u: { return textureLoad(pixels_0, texel, array_layer, 0).r; }
        case 1u: { return textureLoad(pixels_1, texel, array_layer, 0).r; }
        default: { return textureLoad(pixels_2, texel, array_layer, 0).r; }
    }
}

// Bilinear over the texels that have a value; nodata where they weigh less than half.
fn smooth_value(channel: u32, texel: vec2<f32>, array_layer: u32) -> f32 {
    let last = vec2<i32>(textureDimensions(pixels_0)) - 1;
    let corner = floor(texel - 0.5);
    let fraction = texel - 0.5 - corner;
    var sum = 0.0;
    var weights = 0.0;
    for (var i = 0; i < 4; i++) {
        let step = vec2(i & 1, i >> 1u);
        let share = select(1.0 - fraction, fraction, step == vec2(1));
        let value = load_value(channel, clamp(vec2<i32>(corner) + step, vec2(0), last), array_layer);
        if has_value(value) {
            sum += share.x * share.y * value;
            weights += share.x * share.y;
        }
    }
    if weights < 0.5 {
        return NODATA_BELOW;
    }
    return sum / weights;
}

fn value_at(channel: u32, fragment: Fragment) -> f32 {
    let array_layer = channel_layer(fragment.channels, channel);
    if SMOOTH {
        return smooth_value(channel, fragment.texel, array_layer);
    }
    return load_value(channel, nearest_texel(fragment.texel), array_layer);
}

// Premultiplied; alpha is 0 or 1, the layer's opacity is applied once, when it is composited.
@fragment
fn fs_raster(fragment: Fragment) -> @location(0) vec4<f32> {
    var color = vec4(0.0);
    if KIND == KIND_RGB {
        let r = value_at(0u, fragment);
        let g = value_at(1u, fragment);
        let b = value_at(2u, fragment);
        if has_value(r) && has_value(g) && has_value(b) {
            color = vec4(stretched(r, 0u), stretched(g, 1u), stretched(b, 2u), 1.0);
        }
    } else {
        let value = value_at(0u, fragment);
        if KIND == KIND_COLORMAP {
            if has_value(value) {
                color = colormap_color(stretched(value, 0u));
            }
        } else if has_value(value) && value > -0.5 {
            color = class_color(u32(round(value)));
        }
    }
    if color.a == 0.0 {
        discard;
    }
    return color;
}
