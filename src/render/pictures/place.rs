//! Where tiles land: sub-rectangles of ancestors, seams, warped meshes.

use super::*;

#[test]
fn an_ancestor_shows_only_the_part_that_stands_in_for_a_tile() {
    let Some(mut painter) = painter() else { return };
    let mut ancestor = tile_at(0, 0.0, 0.0, Raster::new(1, 2, 2, vec![10.0, 20.0, 30.0, 40.0]));
    ancestor.source = [0.5, 0.0, 1.0, 0.5];
    ancestor.mesh = Arc::new(rectangle(0.0, 0.0, 8.0, 8.0));

    let picture = painter.picture(&frame(view(8, 8, 1.0), vec![layer(gray(255.0), vec![ancestor])])).expect("picture");

    assert!(picture.rgba.chunks_exact(4).all(|pixel| pixel == [20, 20, 20, 255]));
}

#[test]
fn tiles_that_meet_leave_no_gap_and_no_seam() {
    let Some(mut painter) = painter() else { return };
    let angle: f64 = 0.3;
    let place = |u: f64, v: f64| {
        let (x, y) = (u * 16.0 - 40.0, v * 16.0 - 40.0);
        GeoPos::new(x * angle.cos() - y * angle.sin() + 500_000.0, x * angle.sin() + y * angle.cos() + 4_000_000.0)
    };
    let tiles: Vec<_> = (0..36)
        .map(|i| {
            let (col, row) = (f64::from(i % 6), f64::from(i / 6));
            let mut tile = tile_at(i, 0.0, 0.0, solid([255.0; 3], 16, 16));
            let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
            let vertices = corners.map(|(u, v)| place(col + u, row + v)).to_vec();
            tile.mesh = Arc::new(TileMesh { n: 1, vertices });
            tile
        })
        .collect();
    for units_per_px in [0.093, 0.31, 0.77] {
        let center = GeoPos::new(500_000.0, 4_000_000.0);
        let view = MapView { center, units_per_px, width_px: 64, height_px: 64 };
        let translucent = DrawLayer { opacity: 0.5, ..layer(rgb([0, 1, 2], 255.0), tiles.clone()) };

        let picture = painter.picture(&frame(view, vec![translucent])).expect("picture");

        assert!(picture.rgba.chunks_exact(4).all(|pixel| pixel[3].abs_diff(128) <= 1), "{units_per_px}");
    }
}

#[test]
fn a_warped_mesh_is_drawn_within_half_a_pixel() {
    let Some(mut painter) = painter() else { return };
    // A projection that bends: 12 px over the tile's width, 7 px over its height.
    let (n, side) = (16, 200.0);
    let bent = |u: f64, v: f64| (10.0 + side * u + 12.0 * v * v, 10.0 + side * v + 7.0 * u * u);
    let vertices = (0..=n)
        .flat_map(|i| (0..=n).map(move |j| (j as f64 / n as f64, i as f64 / n as f64)))
        .map(|(u, v)| {
            let (x, y) = bent(u, v);
            GeoPos::new(x, -y)
        })
        .collect();
    // Eight texels across: their borders are where colours change.
    let values = (0..64).map(|i| if (i % 8 + i / 8) % 2 == 0 { 255.0 } else { 0.0 }).collect();
    let mut tile = tile_at(0, 0.0, 0.0, Raster::new(1, 8, 8, values));
    tile.mesh = Arc::new(TileMesh { n, vertices });

    let picture = painter.picture(&frame(view(240, 240, 1.0), vec![layer(gray(255.0), vec![tile])])).expect("picture");

    let mut worst: f64 = 0.0;
    for row in 0..8 {
        for border in 1..8 {
            let (u, v) = (f64::from(border) / 8.0, (f64::from(row) + 0.5) / 8.0);
            let (x, y) = bent(u, v);
            // Along a row the border leans by 7·2u px per tile width: less than 0.04 px per px.
            let line: Vec<u8> = (0..240).map(|px| at(&picture, px, y.floor() as u32)[0]).collect();
            let found = (1..240).filter(|&px| line[px] != line[px - 1]).map(|px| (px as f64 - x).abs());
            worst = worst.max(found.fold(f64::INFINITY, f64::min));
        }
    }
    // Half a pixel for the warp and half for the raster of pixels on which borders are seen.
    assert!(worst <= 1.0, "{worst} px");
}

#[test]
fn deep_zoom_keeps_pixels_in_their_place() {
    let Some(mut painter) = painter() else { return };
    let values = (0..256 * 256).map(|i| ((i % 256) % 2 * 255) as f32).collect();
    let mut tile = tile_at(0, 0.0, 0.0, Raster::new(1, 256, 256, values));
    tile.mesh = Arc::new(rectangle(0.0, 0.0, 2560.0, 2560.0));
    // The border between texels 128 and 129 (10 units wide each) in the middle, 5000 px per texel.
    let view = MapView { center: GeoPos::new(1290.0, -1285.0), units_per_px: 0.002, width_px: 101, height_px: 50 };

    let picture = painter.picture(&frame(view, vec![layer(gray(255.0), vec![tile])])).expect("picture");

    assert_eq!(at(&picture, 49, 10)[0], 0);
    assert_eq!(at(&picture, 51, 10)[0], 255);
}
