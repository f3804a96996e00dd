//! Uploads, their budget, eviction, and pictures that need not be composed again.

use super::*;
use crate::pipelines::Target;
use crate::renderer::MapRenderer;
use crate::textures::UploadLimits;
use nunatak_domain::spectra::{Prior, ReferenceSet, SpectralReference};

#[test]
fn changing_style_opacity_or_place_uploads_no_tile() {
    let Some(mut painter) = painter() else { return };
    let values = (0..5 * 64).map(|i| i as f32).collect();
    let tile = tile_at(0, 0.0, 0.0, Raster::new(5, 8, 8, values));
    let first = frame(view(8, 8, 1.0), vec![layer(rgb([0, 1, 2], 255.0), vec![tile.clone()])]);
    let before = painter.picture(&first).expect("picture");
    let uploaded = painter.upload_stats();

    let styles = [rgb([4, 3, 0], 255.0), rgb([0, 1, 2], 90.0), gray(40.0), classes(&[(3, [9, 9, 9])])];
    let pictures: Vec<_> = styles
        .into_iter()
        .map(|style| painter.picture(&frame(view(8, 8, 1.0), vec![layer(style, vec![tile.clone()])])).expect("picture"))
        .collect();
    let faint = DrawLayer { opacity: 0.3, ..layer(gray(40.0), vec![tile]) };
    painter.picture(&frame(view(30, 20, 0.2), vec![faint])).expect("picture");

    assert!(pictures.iter().all(|picture| *picture != before));
    assert_eq!(uploaded.tiles, 1);
    assert_eq!(painter.upload_stats(), uploaded);
}

#[test]
fn new_pixels_of_a_tile_are_uploaded() {
    let Some(mut painter) = painter() else { return };
    let paint = |painter: &mut OffscreenPainter, value: f32| {
        let tile = tile_at(0, 0.0, 0.0, Raster::filled(1, 8, 8, value));
        painter.picture(&frame(view(8, 8, 1.0), vec![layer(gray(255.0), vec![tile])])).expect("picture")
    };

    let (first, second) = (paint(&mut painter, 10.0), paint(&mut painter, 20.0));

    assert_eq!((at(&first, 4, 4)[0], at(&second, 4, 4)[0]), (10, 20));
    assert_eq!(painter.upload_stats().tiles, 2);
    assert_eq!(painter.upload_stats().resident_bytes, 8 * 8 * 4);
}

/// A renderer as in a window, and what `prepare` needs.
fn window_renderer(limits: UploadLimits) -> Option<(wgpu::Device, wgpu::Queue, MapRenderer)> {
    let painter = painter()?;
    let (device, queue) = painter.device();
    let renderer = MapRenderer::with_target(&device, Target::Screen(wgpu::TextureFormat::Bgra8Unorm), limits);
    Some((device, queue, renderer))
}

fn prepare(device: &wgpu::Device, queue: &wgpu::Queue, renderer: &mut MapRenderer, frame: &MapFrame) -> bool {
    renderer.prepare(device, queue, frame).pending
}

fn row_of_tiles(n: u32) -> Vec<DrawTile> {
    (0..n).map(|col| tile_at(col, f64::from(col) * 8.0, 0.0, Raster::filled(1, 8, 8, 1.0))).collect()
}

#[test]
fn uploads_are_spread_over_frames() {
    const TILE_BYTES: u64 = 8 * 8 * 4;
    let limits = UploadLimits { per_frame: 2 * TILE_BYTES, resident: u64::MAX, ..UploadLimits::default() };
    let Some((device, queue, mut renderer)) = window_renderer(limits) else { return };
    let frame = frame(view(40, 8, 1.0), vec![layer(gray(1.0), row_of_tiles(5))]);

    let pending: Vec<_> = (0..3).map(|_| prepare(&device, &queue, &mut renderer, &frame)).collect();

    assert_eq!(pending, [true, true, false]);
    assert_eq!(renderer.upload_stats().tiles, 5);
}

#[test]
fn the_prior_is_computed_over_several_frames_on_slow_adapters() {
    let limits = UploadLimits { prior_tiles_per_frame: 2, ..UploadLimits::default() };
    let Some((device, queue, mut renderer)) = window_renderer(limits) else { return };
    let reference = |value: f64| SpectralReference::new("r", Rgb::distinct(1), vec![value]);
    let set = ReferenceSet { references: vec![reference(0.2), reference(0.7)], bands: Vec::new() };
    let prior = Some(Arc::new(Prior::new(&set).expect("prior")));
    let layer = DrawLayer { prior, ..layer(gray(1.0), row_of_tiles(5)) };
    let frame = frame(view(40, 8, 1.0), vec![layer]);

    let pending: Vec<_> = (0..4).map(|_| prepare(&device, &queue, &mut renderer, &frame)).collect();

    assert_eq!(pending, [true, true, false, false]);
    assert_eq!(renderer.upload_stats().prior_tiles, 5);
}

#[test]
fn tiles_that_left_the_view_are_given_back_and_those_in_it_are_kept() {
    const TILE_BYTES: u64 = 8 * 8 * 4;
    let limits = UploadLimits { per_frame: u64::MAX, resident: 3 * TILE_BYTES, ..UploadLimits::default() };
    let Some((device, queue, mut renderer)) = window_renderer(limits) else { return };
    let tiles = row_of_tiles(8);
    let show = |tiles: &[DrawTile]| frame(view(64, 8, 1.0), vec![layer(gray(1.0), tiles.to_vec())]);

    prepare(&device, &queue, &mut renderer, &show(&tiles[..3]));
    prepare(&device, &queue, &mut renderer, &show(&tiles[2..4]));
    let stats = renderer.upload_stats();
    prepare(&device, &queue, &mut renderer, &show(&tiles));

    assert_eq!((stats.tiles, stats.evicted, stats.resident_bytes), (4, 1, 3 * TILE_BYTES));
    assert_eq!(renderer.upload_stats().resident_bytes, 8 * TILE_BYTES);
}

#[test]
fn an_unchanged_frame_is_not_composed_again() {
    let Some((device, queue, mut renderer)) = window_renderer(UploadLimits::default()) else { return };
    let first = frame(view(40, 8, 1.0), vec![layer(gray(1.0), row_of_tiles(5))]);
    let moved = MapFrame { view: first.view.panned(1.0, 0.0), ..first.clone() };

    for frame in [&first, &first.clone(), &first, &moved] {
        prepare(&device, &queue, &mut renderer, frame);
    }

    assert_eq!(renderer.n_composed(), 2);
}
