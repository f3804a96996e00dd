use super::super::{
    Connectivity, LabelError, LabelLayer, LabelPen, PixelMask, PixelRun, RasterAt, Slic, SpectralMetric, Wand,
    WandReach, flood,
};
use super::{expected, layer_of, lines, rule};
use crate::class::ClassId;
use crate::grid::PixelRect;
use crate::raster::Raster;

fn go_on(_: f32) -> bool {
    true
}

#[test]
fn a_fill_stays_in_its_region() {
    let rows = lines(&serde_json::json!(["11.22", "1..22", ".1..2", "11111"]));
    let layer = layer_of(&rows, (0, 0), (5, 4));
    let n = |at: (usize, usize), connectivity: Connectivity| flood(&layer, at, connectivity, u64::MAX).mask.n_px();

    assert_eq!(n((0, 0), Connectivity::Four), 3);
    assert_eq!(n((0, 0), Connectivity::Eight), 9);
    assert_eq!(n((3, 0), Connectivity::Four), 5);
    // Unlabelled pixels: (2, 0), (1, 1), (2, 1), (2, 2), (3, 2); (0, 2) by its corner.
    assert_eq!(n((2, 0), Connectivity::Four), 5);
    assert_eq!(n((2, 0), Connectivity::Eight), 6);
    assert!(flood(&layer, (5, 0), Connectivity::Four, 9).mask.is_empty());
}

#[test]
fn a_fill_goes_over_tiles_that_do_not_exist() {
    let mut layer = LabelLayer::new(1300, 700);
    let mut pen = LabelPen::default();
    // A wall with a door one pixel high, in the middle of a tile's edge.
    pen.paint_mask(&mut layer, &PixelMask::of_rect(PixelRect::new(511, 0, 2, 700)), rule(1));
    pen.paint_mask(
        &mut layer,
        &PixelMask::from_runs([PixelRun(300, 511, 2)]),
        super::PaintRule { class: None, onto: super::Target::Any },
    );
    pen.lift(&mut layer);

    let fill = flood(&layer, (1299, 699), Connectivity::Four, u64::MAX);

    assert_eq!(fill.mask.n_px(), 1300 * 700 - 2 * 699);
    assert_eq!(
        fill.mask,
        PixelMask::of_rect(layer.rect()).difference(&PixelMask::of_class(&layer, ClassId(1), layer.rect()))
    );
    assert!(fill.complete);
}

#[test]
fn a_fill_ends_at_its_limit_and_says_so() {
    let layer = LabelLayer::new(1000, 1000);

    let fill = flood(&layer, (500, 500), Connectivity::Four, 5000);

    assert!(!fill.complete && fill.mask.n_px() <= 5000 && fill.mask.n_px() > 4700, "{}", fill.mask.n_px());
    assert!(fill.mask.contains(500, 500));
}

/// Two bands; the second tile column has the same spectrum twice as bright.
fn pixels() -> RasterAt {
    let (width, height) = (400, 30);
    let mut raster = Raster::filled(2, width, height, 0.0);
    for i in 0..width * height {
        let (col, row) = (i % width, i / width);
        let bright = if col < 200 { 1.0 } else { 2.0 };
        let (a, b) = if row < 20 { (0.3, 0.4) } else { (0.4, 0.3) };
        raster.band_mut(0)[i] = a * bright;
        raster.band_mut(1)[i] = b * bright;
    }
    raster.band_mut(1)[5 * width + 100] = f32::NAN;
    RasterAt { raster, col: 1000, row: 500 }
}

fn selected(wand: Wand, at: (usize, usize)) -> u64 {
    wand.select(&mut pixels(), at, &mut go_on).unwrap().mask.n_px()
}

#[test]
fn the_wand_selects_by_angle_or_distance() {
    let connected = WandReach::Connected { connectivity: Connectivity::Four };
    let wand = |metric, tolerance, reach| Wand { metric, tolerance, reach, max_px: u64::MAX };

    // cos = (0.3 · 0.4 + 0.4 · 0.3) / 0.25 = 0.96: 0.2838 rad between the upper and the lower part.
    assert_eq!(selected(wand(SpectralMetric::Angle, 0.0, connected), (1000, 500)), 400 * 20 - 1);
    assert_eq!(selected(wand(SpectralMetric::Angle, 0.2837, connected), (1399, 529)), 400 * 10);
    assert_eq!(selected(wand(SpectralMetric::Angle, 0.2838, connected), (1399, 529)), 400 * 30 - 1);
    // Twice as bright is 0.5 away, the lower part sqrt(0.02) = 0.1414.
    assert_eq!(selected(wand(SpectralMetric::Euclidean, 0.1414, connected), (1000, 500)), 200 * 20 - 1);
    assert_eq!(selected(wand(SpectralMetric::Euclidean, 0.1415, connected), (1000, 500)), 200 * 30 - 1);
    assert_eq!(selected(wand(SpectralMetric::Euclidean, 0.1, WandReach::Global), (1300, 525)), 200 * 10);
}

#[test]
fn the_wand_never_takes_nodata_and_can_be_cancelled() {
    let mut wand =
        Wand { metric: SpectralMetric::Euclidean, tolerance: 1e9, reach: WandReach::Global, max_px: u64::MAX };

    assert_eq!(selected(wand, (1100, 505)), 0);
    assert_eq!(selected(wand, (1101, 505)), 400 * 30 - 1);
    assert_eq!(selected(wand, (999, 505)), 0);
    assert!(matches!(wand.select(&mut pixels(), (1000, 500), &mut |_| false), Err(LabelError::Cancelled)));
    wand.max_px = 1234;
    let fill = wand.select(&mut pixels(), (1000, 500), &mut go_on).unwrap();
    assert_eq!((fill.mask.n_px(), fill.complete), (1234, false));
}

/// Numerical Recipes' generator, as in the script of the fixtures.
struct Lcg(u32);

impl Lcg {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 24)
    }
}

const SIZE: (usize, usize) = (120, 100);

fn voronoi_picture() -> (Raster, Vec<usize>) {
    let mut random = Lcg(7);
    let cells: Vec<[f64; 2]> = (0..30).map(|_| [random.next() * 120.0, random.next() * 100.0]).collect();
    let colors: Vec<[f64; 3]> = (0..30).map(|_| [random.next(), random.next(), random.next()]).collect();
    let (mut raster, mut truth) = (Raster::filled(3, SIZE.0, SIZE.1, 0.0), Vec::new());
    for i in 0..SIZE.0 * SIZE.1 {
        let (col, row) = ((i % SIZE.0) as f64, (i / SIZE.0) as f64);
        let away = |cell: &[f64; 2]| (cell[0] - col).powi(2) + (cell[1] - row).powi(2);
        let nearest = (0..30).min_by(|a, b| away(&cells[*a]).total_cmp(&away(&cells[*b]))).unwrap();
        for (band, value) in colors[nearest].iter().enumerate() {
            raster.band_mut(band)[i] = (value + (random.next() - 0.5) * 0.2) as f32;
        }
        truth.push(nearest);
    }
    (raster, truth)
}

fn is_border(labels: &[usize], i: usize) -> bool {
    (i % SIZE.0 + 1 < SIZE.0 && labels[i] != labels[i + 1])
        || labels.get(i + SIZE.0).is_some_and(|below| *below != labels[i])
}

#[test]
fn superpixels_keep_to_borders_as_well_as_those_of_scikit_image() {
    let expected = &expected()["superpixels"];
    let number = |key: &str| expected[key].as_f64().unwrap();
    let (raster, truth) = voronoi_picture();
    let sum: f64 = raster.data.iter().map(|value| f64::from(*value)).sum();
    assert!((sum - number("value_checksum")).abs() < 1e-6);

    let slic = Slic { spacing_px: 12, ..Slic::default() };
    let superpixels = slic.segment(&RasterAt { raster, col: 0, row: 0 }, &mut go_on).unwrap();

    let labels: Vec<usize> = (0..truth.len()).map(|i| superpixels.index_at(i % SIZE.0, i / SIZE.0).unwrap()).collect();
    let near = |i: usize| {
        let (col, row) = (i % SIZE.0, i / SIZE.0);
        let rows = row.saturating_sub(2)..(row + 3).min(SIZE.1);
        rows.flat_map(|row| (col.saturating_sub(2)..(col + 3).min(SIZE.0)).map(move |col| row * SIZE.0 + col))
            .any(|j| is_border(&labels, j))
    };
    let borders: Vec<usize> = (0..truth.len()).filter(|i| is_border(&truth, *i)).collect();
    let recall = borders.iter().filter(|i| near(**i)).count() as f64 / borders.len() as f64;
    let mut overlap = vec![[0usize; 30]; superpixels.len()];
    labels.iter().zip(&truth).for_each(|(label, cell)| overlap[*label][*cell] += 1);
    let achievable =
        overlap.iter().map(|counts| counts.iter().max().unwrap()).sum::<usize>() as f64 / truth.len() as f64;

    // Not more superpixels than it has, so that more borders are no merit.
    assert!((superpixels.len() as f64) <= number("n") && superpixels.len() > 60, "{}", superpixels.len());
    assert!(recall > number("boundary_recall_2px") - 0.02, "{recall}");
    assert!(achievable > number("achievable_accuracy") - 0.02, "{achievable}");
}

#[test]
fn superpixels_cover_each_valid_pixel_once_and_are_connected() {
    let (mut raster, _) = voronoi_picture();
    for i in (3000..3400).chain([7, 60]) {
        raster.band_mut(1)[i] = f32::NAN;
    }
    let valid = PixelMask::from_values(PixelRect::new(40, 70, SIZE.0, SIZE.1), &raster.valid());
    let pixels = RasterAt { raster, col: 40, row: 70 };

    let superpixels = Slic::default().segment(&pixels, &mut go_on).unwrap();

    let mut seen = PixelMask::default();
    for (col, row) in valid.pixels() {
        if !seen.contains(col, row) {
            let mask = superpixels.at(col, row).unwrap();
            assert!(mask.intersection(&seen).is_empty());
            let (mut layer, mut pen) = (LabelLayer::new(200, 200), LabelPen::default());
            pen.paint_mask(&mut layer, &mask, rule(1));
            assert_eq!(flood(&layer, (col, row), Connectivity::Four, u64::MAX).mask, mask);
            seen = seen.union(&mask);
        }
    }
    assert_eq!(seen, valid);
    assert_eq!(superpixels.at(47, 70), None);
    assert_eq!(superpixels.at(39, 70), None);
    assert_eq!(superpixels, Slic::default().segment(&pixels, &mut go_on).unwrap());
}
