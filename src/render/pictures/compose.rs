//! Opacity, blending, order, the swipe divider, parts of large pictures.

use super::*;

fn colored(color: [f32; 3], opacity: f32, blend: Blend) -> DrawLayer {
    let tile = tile_at(color[0] as u32 * 1000 + color[1] as u32, 0.0, 0.0, solid(color, 8, 8));
    DrawLayer { opacity, blend, ..layer(rgb([0, 1, 2], 255.0), vec![tile]) }
}

#[test]
fn opacity_counts_once_where_tiles_of_a_layer_overlap() {
    let Some(mut painter) = painter() else { return };
    let tiles = vec![tile_at(0, 0.0, 0.0, solid([255.0; 3], 6, 8)), tile_at(1, 2.0, 0.0, solid([255.0; 3], 6, 8))];
    let translucent = DrawLayer { opacity: 0.5, ..layer(rgb([0, 1, 2], 255.0), tiles) };

    let picture = painter.picture(&frame(view(8, 8, 1.0), vec![translucent])).expect("picture");

    for x in 0..8 {
        assert_near(at(&picture, x, 4), [255, 255, 255, 128]);
    }
}

#[test]
fn layers_are_drawn_bottom_to_top() {
    let Some(mut painter) = painter() else { return };
    let layers = vec![colored([255.0, 0.0, 0.0], 1.0, Blend::Normal), colored([0.0, 0.0, 255.0], 0.25, Blend::Normal)];

    let picture = painter.picture(&frame(view(8, 8, 1.0), layers)).expect("picture");

    assert_near(at(&picture, 3, 3), [191, 0, 64, 255]);
}

#[test]
fn blend_modes_follow_their_definition() {
    let Some(mut painter) = painter() else { return };
    let (below, above): ([f32; 3], [f32; 3]) = ([200.0, 100.0, 40.0], [60.0, 120.0, 250.0]);
    for blend in Blend::ALL {
        for opacity in [1.0, 0.4] {
            let layers = vec![colored(below, 1.0, Blend::Normal), colored(above, opacity, blend)];

            let picture = painter.picture(&frame(view(8, 8, 1.0), layers)).expect("picture");

            let mut expected = [255; 4];
            for channel in 0..3 {
                let (b, s) = (below[channel] / 255.0, above[channel] / 255.0);
                let blended = match blend {
                    Blend::Normal => s,
                    Blend::Multiply => b * s,
                    Blend::Screen => b + s - b * s,
                    Blend::Lighten => b.max(s),
                };
                expected[channel] = ((b + (blended - b) * opacity) * 255.0).round() as u8;
            }
            assert_near(at(&picture, 3, 3), expected);
        }
    }
}

#[test]
fn a_blended_layer_over_nothing_is_itself() {
    let Some(mut painter) = painter() else { return };
    for blend in Blend::ALL {
        let layers = vec![colored([60.0, 120.0, 250.0], 0.5, blend)];

        let picture = painter.picture(&frame(view(9, 8, 1.0), layers)).expect("picture");

        assert_near(at(&picture, 3, 3), [60, 120, 250, 128]);
        assert_eq!(at(&picture, 8, 3), TRANSPARENT);
    }
}

#[test]
fn the_swipe_divider_uncovers_a_layer_on_its_right() {
    let Some(mut painter) = painter() else { return };
    for (opacity, blend) in [(1.0, Blend::Normal), (0.999, Blend::Normal), (0.999, Blend::Screen)] {
        let top = DrawLayer { swiped: true, ..colored([0.0, 0.0, 255.0], opacity, blend) };
        let layers = vec![colored([255.0, 0.0, 0.0], 1.0, Blend::Normal), top];
        let swiped = MapFrame { swipe: Some(0.5), ..frame(view(8, 8, 1.0), layers) };

        let picture = painter.picture(&swiped).expect("picture");

        assert_near(at(&picture, 3, 3), [255, 0, 0, 255]);
        assert_ne!(at(&picture, 4, 3)[2], 0);
    }
}

#[test]
fn parts_of_a_large_picture_cannot_be_seen() {
    let Some(mut painter) = painter() else { return };
    let values = (0..64 * 48).map(|i| (i * 37 % 256) as f32).collect();
    let tile = tile_at(0, 3.0, 2.0, Raster::new(1, 64, 48, values));
    let bottom = layer(gray(255.0), vec![tile.clone()]);
    let top = DrawLayer { opacity: 0.4, swiped: true, ..layer(gray(100.0), vec![tile]) };
    let frame = MapFrame { swipe: Some(0.37), ..frame(view(100, 90, 0.73), vec![bottom, top]) };
    let whole = painter.picture(&frame).expect("picture");

    painter.set_part_px(33);
    let parts = painter.picture(&frame).expect("picture");

    assert!(whole == parts);
}
