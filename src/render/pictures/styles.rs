//! Bands, stretches, colormaps, classes, nodata.

use super::*;

#[test]
fn three_bands_become_the_colours_of_their_values() {
    let Some(mut painter) = painter() else { return };
    let tile = tile_at(0, 2.0, 1.0, solid([200.0, 100.0, 50.0], 4, 4));

    let picture =
        painter.picture(&frame(view(8, 8, 1.0), vec![layer(rgb([0, 1, 2], 255.0), vec![tile])])).expect("picture");

    assert_eq!(at(&picture, 2, 1), [200, 100, 50, 255]);
    assert_eq!(at(&picture, 5, 4), [200, 100, 50, 255]);
    for (x, y) in [(1, 1), (6, 4), (2, 0), (2, 5)] {
        assert_eq!(at(&picture, x, y), TRANSPARENT);
    }
}

#[test]
fn stretch_and_gamma_are_those_of_the_domain() {
    let Some(mut painter) = painter() else { return };
    let values: Vec<f32> = (0..16).map(|i| i as f32 * 100.0).collect();
    let tile = tile_at(0, 0.0, 0.0, Raster::new(1, 16, 1, values));
    let stretch = Stretch { min: 200.0, max: 1300.0, gamma: 1.8 };
    let style = Style::Colormap { band: 0, stretch, method: StretchMethod::Manual, colormap: ColormapName::Viridis };

    let picture = painter.picture(&frame(view(16, 1, 1.0), vec![layer(style, vec![tile])])).expect("picture");

    for i in 0..16u32 {
        let entry = (stretch.apply(f64::from(i) * 100.0) * 255.0).round() as usize;
        let table = ColormapName::Viridis.table();
        let nearby = table[entry.saturating_sub(1)..(entry + 2).min(256)].to_vec();
        assert!(nearby.contains(&at(&picture, i, 0)), "value {i}: {:?}", at(&picture, i, 0));
    }
}

#[test]
fn nodata_is_transparent_at_every_zoom() {
    let Some(mut painter) = painter() else { return };
    let mut raster = solid([255.0; 3], 64, 64);
    for row in 0..64 {
        for col in 32..64 {
            raster.band_mut(1)[row * 64 + col] = f32::NAN;
        }
    }
    let tile = tile_at(0, 0.0, 0.0, raster);
    for units_per_px in [0.05, 0.25, 1.0, 1.5, 2.0, 4.0] {
        let side = (64.0 / units_per_px) as u32;
        let layers = vec![layer(rgb([0, 1, 2], 255.0), vec![tile.clone()])];

        let picture = painter.picture(&frame(view(side, side, units_per_px), layers)).expect("picture");

        for y in [0, side / 2, side - 1] {
            let middle = 32.0 / units_per_px;
            for x in 0..side {
                let expected = if f64::from(x) + 0.5 < middle { [255; 4] } else { TRANSPARENT };
                if (f64::from(x) + 0.5 - middle).abs() > 0.51 {
                    assert_eq!(at(&picture, x, y), expected, "column {x} of {side}");
                }
            }
        }
    }
}

#[test]
fn minified_pixels_are_means_and_magnified_ones_are_squares() {
    let Some(mut painter) = painter() else { return };
    let checks = (0..64 * 64).map(|i| if (i % 64 + i / 64) % 2 == 0 { 255.0 } else { 0.0 }).collect();
    let tile = tile_at(0, 0.0, 0.0, Raster::new(1, 64, 64, checks));
    let paint = |painter: &mut OffscreenPainter, units_per_px: f64, side: u32| {
        let layers = vec![layer(gray(255.0), vec![tile.clone()])];
        painter.picture(&frame(view(side, side, units_per_px), layers)).expect("picture")
    };

    let small = paint(&mut painter, 2.0, 32);
    let large = paint(&mut painter, 0.25, 64);

    assert_near(at(&small, 10, 10), [128, 128, 128, 255]);
    for x in 0..64 {
        let expected = if (x / 4) % 2 == 0 { 255 } else { 0 };
        assert_eq!(at(&large, x, 1), [expected, expected, expected, 255]);
    }
}

#[test]
fn classes_take_their_colour_from_the_palette_and_unknown_ones_are_transparent() {
    let Some(mut painter) = painter() else { return };
    let values = vec![0.0, 1.0, 2.0, 7.0, 70_000.0, -1.0, f32::NAN, 3.0];
    let tile = tile_at(0, 0.0, 0.0, Raster::new(1, 8, 1, values));
    let style = classes(&[(70_000, [1, 2, 3]), (1, [255, 0, 0]), (7, [0, 0, 255]), (2, [0, 255, 0])]);

    let picture = painter.picture(&frame(view(8, 1, 1.0), vec![layer(style, vec![tile])])).expect("picture");

    let row: Vec<_> = (0..8).map(|x| at(&picture, x, 0)).collect();
    let color = |r, g, b| [r, g, b, 255];
    assert_eq!(
        row,
        [
            TRANSPARENT,
            color(255, 0, 0),
            color(0, 255, 0),
            color(0, 0, 255),
            color(1, 2, 3),
            TRANSPARENT,
            TRANSPARENT,
            TRANSPARENT
        ]
    );
}

#[test]
fn class_ids_are_never_mixed_when_minified() {
    let Some(mut painter) = painter() else { return };
    let values = (0..64 * 64).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 }).collect();
    let tile = tile_at(0, 0.0, 0.0, Raster::new(1, 64, 64, values));
    let style = classes(&[(1, [255, 0, 0]), (2, [0, 255, 0]), (3, [0, 0, 255])]);

    let picture = painter.picture(&frame(view(40, 40, 1.6), vec![layer(style, vec![tile])])).expect("picture");

    for pixel in picture.rgba.chunks_exact(4) {
        assert!(pixel == [255, 0, 0, 255] || pixel == [0, 0, 255, 255], "{pixel:?}");
    }
}

#[test]
fn bands_of_scenes_with_many_bands_come_from_one_tile_each() {
    let Some(mut painter) = painter() else { return };
    let part = |band: usize, value: f32| {
        let pixels = TilePixels { bands: vec![band], raster: Raster::filled(1, 4, 4, value) };
        (TileKey { group: band as u32 + 1, ..key(0) }, Arc::new(pixels))
    };
    let mut tile = tile_at(0, 0.0, 0.0, Raster::filled(1, 4, 4, 0.0));
    tile.parts = vec![part(120, 30.0), part(7, 60.0), part(55, 90.0)];

    let picture =
        painter.picture(&frame(view(4, 4, 1.0), vec![layer(rgb([55, 120, 7], 255.0), vec![tile])])).expect("picture");

    assert_eq!(at(&picture, 2, 2), [90, 30, 60, 255]);
}
