//! The prior on the GPU against the float64 definition.

use super::*;
use nunatak_domain::inspect::ReferenceDistances;
use nunatak_domain::spectra::{Prior, ReferenceSet, SpectralReference};

/// Numbers in [0, 1), the same on every machine (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn random_set(n_references: usize, n_bands: usize, random: &mut Random) -> ReferenceSet {
    let references = (0..n_references)
        .map(|i| {
            let spectrum = (0..n_bands).map(|_| random.next()).collect();
            SpectralReference::new(format!("r{i}"), Rgb([i as u8 + 1, 100, 200]), spectrum)
        })
        .collect();
    ReferenceSet { references, bands: Vec::new() }
}

const SIDE: usize = 32;

fn pixels_near(set: &ReferenceSet, spread: f64, random: &mut Random) -> Raster {
    let mut raster = Raster::filled(set.n_bands(), SIDE, SIDE, 0.0);
    for px in 0..SIDE * SIDE {
        let reference = &set.references[(random.next() * set.references.len() as f64) as usize];
        for (band, value) in reference.spectrum.iter().enumerate() {
            raster.band_mut(band)[px] = (value + spread * (random.next() - 0.5)) as f32;
        }
    }
    raster
}

fn expected(prior: &Prior, raster: &Raster, px: usize) -> ReferenceDistances {
    let spectrum: Vec<f64> = raster.spectrum(px % SIDE, px / SIDE).iter().map(|value| f64::from(*value)).collect();
    prior.pixel(&spectrum)
}

/// Float32 may decide otherwise where float64 is within its rounding of a tie.
fn near_a_tie(found: &ReferenceDistances) -> bool {
    let mut sorted = found.distances.clone();
    sorted.sort_by(f64::total_cmp);
    let threshold = found.thresholds[found.best];
    sorted[1] - sorted[0] < 1e-5 * threshold || (sorted[0] - threshold).abs() < 1e-5 * threshold
}

fn prior_layer(prior: &Arc<Prior>, style: Style, tile: &DrawTile) -> DrawLayer {
    DrawLayer { prior: Some(Arc::clone(prior)), ..layer(style, vec![tile.clone()]) }
}

fn check(set: &ReferenceSet, spread: f64, random: &mut Random) {
    let Some(mut painter) = painter() else { return };
    let raster = pixels_near(set, spread, random);
    let prior = Arc::new(Prior::new(set).expect("prior"));
    let tile = tile_at(0, 0.0, 0.0, raster.clone());
    let view = view(SIDE as u32, SIDE as u32, 1.0);

    let style = Style::Classes { band: 0, scheme: set.scheme() };
    let classes = painter.picture(&frame(view, vec![prior_layer(&prior, style, &tile)])).expect("picture");
    let mut n_valid = 0;
    for px in 0..SIDE * SIDE {
        let found = expected(&prior, &raster, px);
        if !near_a_tie(&found) {
            let color = if found.valid { [found.best as u8 + 1, 100, 200, 255] } else { TRANSPARENT };
            assert_eq!(at(&classes, (px % SIDE) as u32, (px / SIDE) as u32), color);
            n_valid += usize::from(found.valid);
        }
    }
    assert!((50..SIDE * SIDE).contains(&n_valid), "{n_valid} valid");

    // 64 stretches of 1/64 each, so that 8 bits resolve 1/64/255 = 6e-5.
    const STEPS: usize = 64;
    let mut worst: f64 = 0.0;
    for step in 0..STEPS {
        let (min, max) = (step as f64 / STEPS as f64, (step + 1) as f64 / STEPS as f64);
        let stretch = Stretch { min, max, gamma: 1.0 };
        let style = Style::Colormap { band: 0, stretch, method: StretchMethod::Manual, colormap: ColormapName::Gray };
        let picture = painter.picture(&frame(view, vec![prior_layer(&prior, style, &tile)])).expect("picture");
        for px in 0..SIDE * SIDE {
            let similarity = expected(&prior, &raster, px).similarity;
            if (min..max).contains(&similarity) {
                let shown = f64::from(at(&picture, (px % SIDE) as u32, (px / SIDE) as u32)[0]) / 255.0;
                worst = worst.max((min + shown * (max - min) - similarity).abs());
            }
        }
    }
    assert!(worst < 1e-4, "similarity off by {worst}");
    assert_eq!(painter.upload_stats().tiles, 1);
}

#[test]
fn the_shader_agrees_with_the_definition_for_ten_bands_and_ten_references() {
    let mut random = Random(1);
    check(&random_set(10, 10, &mut random), 1.2, &mut random);
}

#[test]
fn the_shader_agrees_for_fewer_and_for_more_references_than_bands() {
    let mut random = Random(2);
    check(&random_set(4, 16, &mut random), 2.0, &mut random);
    check(&random_set(40, 3, &mut random), 0.8, &mut random);
}

#[test]
fn other_references_redraw_without_an_upload() {
    let Some(mut painter) = painter() else { return };
    let mut random = Random(3);
    let mut set = random_set(3, 4, &mut random);
    let tile = tile_at(0, 0.0, 0.0, pixels_near(&set, 0.3, &mut random));
    let view = view(SIDE as u32, SIDE as u32, 1.0);
    let paint = |painter: &mut OffscreenPainter, set: &ReferenceSet| {
        let prior = Arc::new(Prior::new(set).expect("prior"));
        let style = gray(1.0);
        painter.picture(&frame(view, vec![prior_layer(&prior, style, &tile)])).expect("picture")
    };
    let before = paint(&mut painter, &set);

    set.references[1].weight = 3.0;
    let after = paint(&mut painter, &set);

    assert!(before != after);
    assert_eq!(painter.upload_stats().tiles, 1);
}

#[test]
fn moving_and_styling_a_prior_computes_nothing_again() {
    let Some(mut painter) = painter() else { return };
    let mut random = Random(6);
    let set = random_set(5, 6, &mut random);
    let prior = Arc::new(Prior::new(&set).expect("prior"));
    let tile = tile_at(0, 0.0, 0.0, pixels_near(&set, 0.5, &mut random));
    let similarity = prior_layer(&prior, gray(1.0), &tile);
    let classes = prior_layer(&prior, Style::Classes { band: 0, scheme: set.scheme() }, &tile);

    for units_per_px in [1.0, 0.5, 2.0] {
        let layers = vec![similarity.clone(), classes.clone()];
        painter.picture(&frame(view(40, 40, units_per_px), layers)).expect("picture");
    }

    assert_eq!(painter.upload_stats().prior_tiles, 1);
}

#[test]
fn two_references_sets_on_one_tile_do_not_mix() {
    let Some(mut painter) = painter() else { return };
    let mut random = Random(7);
    let set = random_set(4, 4, &mut random);
    let tile = tile_at(0, 0.0, 0.0, pixels_near(&set, 0.8, &mut random));
    let mut other = set.clone();
    other.references[0].weight = 0.1;
    other.references[2].weight = 4.0;
    let view = view(SIDE as u32, SIDE as u32, 1.0);
    let layer_of = |set: &ReferenceSet| prior_layer(&Arc::new(Prior::new(set).expect("prior")), gray(1.0), &tile);
    let (first, second) = (layer_of(&set), layer_of(&other));
    let mut alone = |layer: &DrawLayer| painter.picture(&frame(view, vec![layer.clone()])).expect("picture");
    let expected = [alone(&first), alone(&second)];

    let swiped = DrawLayer { swiped: true, ..second };
    let both = MapFrame { swipe: Some(0.5), ..frame(view, vec![first, swiped]) };
    let picture = painter.picture(&both).expect("picture");

    let half = SIDE as u32 / 2;
    for (x, y) in (0..SIDE as u32).flat_map(|x| [(x, 3), (x, 20)]) {
        assert_eq!(at(&picture, x, y), at(&expected[usize::from(x >= half)], x, y));
    }
    assert!(expected[0] != expected[1]);
}

#[test]
fn nodata_is_transparent_and_a_dissimilar_pixel_is_not() {
    let Some(mut painter) = painter() else { return };
    let set = random_set(3, 4, &mut Random(4));
    let prior = Arc::new(Prior::new(&set).expect("prior"));
    let mut raster = Raster::filled(4, 2, 1, 9.0);
    raster.band_mut(3)[1] = f32::NAN;
    let tile = tile_at(0, 0.0, 0.0, raster);

    let picture =
        painter.picture(&frame(view(2, 1, 1.0), vec![prior_layer(&prior, gray(1.0), &tile)])).expect("picture");

    assert_eq!(at(&picture, 0, 0), [0, 0, 0, 255]);
    assert_eq!(at(&picture, 1, 0), TRANSPARENT);
}

#[test]
fn a_prior_that_cannot_be_drawn_says_why() {
    let Some(mut painter) = painter() else { return };
    let mut random = Random(5);
    let refusal = |painter: &mut OffscreenPainter, set: &ReferenceSet, n_bands: usize, style: Style| {
        let prior = Arc::new(Prior::new(set).expect("prior"));
        let tile = tile_at(0, 0.0, 0.0, Raster::filled(n_bands, 4, 4, 0.5));
        let picture =
            painter.picture(&frame(view(4, 4, 1.0), vec![prior_layer(&prior, style, &tile)])).expect("picture");
        assert!(picture.rgba.iter().all(|value| *value == 0));
        painter.refused().join(" ")
    };

    let many_bands = refusal(&mut painter, &random_set(3, 17, &mut random), 17, gray(1.0));
    let many_references = refusal(&mut painter, &random_set(65, 4, &mut random), 4, gray(1.0));
    let other_bands = refusal(&mut painter, &random_set(3, 4, &mut random), 5, gray(1.0));
    let rgb_style = refusal(&mut painter, &random_set(3, 4, &mut random), 4, rgb([0, 1, 2], 1.0));

    assert!(many_bands.contains("17 bands"), "{many_bands}");
    assert!(many_references.contains("65 references"), "{many_references}");
    assert_eq!(other_bands, "the references have 4 bands and the scene's tiles 5");
    assert!(rgb_style.contains("colormap"), "{rgb_style}");
}
