//! Sample points drawn from a class map that streams by in windows.
//!
//! A pixel's rank is a hash of the seed and its place, and a stratum takes its pixels of the
//! lowest rank: a simple random sample without replacement, the same for any order and size of
//! windows, in one pass. A larger sample of the same seed contains the smaller one, so points
//! that are labelled already stay useful when more are asked for.

use std::collections::{BTreeMap, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::random::key;
use crate::class::ClassId;
use crate::grid::PixelRect;

/// How points are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SampleDesign {
    /// So many at random in each mapped class.
    Stratified { n_points: BTreeMap<ClassId, u64> },
    /// So many at random anywhere on the map.
    SimpleRandom { n_points: u64 },
    /// A square grid with a random start.
    Systematic { step_px: usize },
}

/// A sample as it is saved with the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub design: SampleDesign,
    pub seed: u64,
    /// Shuffled: their order tells nothing about the class, so that they can be labelled blind.
    pub points: Vec<SamplePoint>,
    /// Pixels of each class on the map.
    pub n_px: BTreeMap<ClassId, u64>,
}

/// A pixel to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SamplePoint {
    pub col: usize,
    pub row: usize,
    /// What the map says there; not to be shown while labelling.
    pub stratum: ClassId,
}

/// A draw in progress. Memory: the points, nothing per pixel.
#[derive(Clone, Debug)]
pub struct SampleDraw {
    design: SampleDesign,
    seed: u64,
    width: usize,
    ignore: u16,
    n_px: BTreeMap<u16, u64>,
    /// Lowest ranks by stratum; one stratum 0 for designs without strata.
    chosen: BTreeMap<u16, Chosen>,
    grid: Vec<(u64, u16)>,
}

#[derive(Clone, Debug, Default)]
struct Chosen {
    n_points: usize,
    /// Rank, pixel, class; the highest rank on top.
    pixels: BinaryHeap<(u64, u64, u16)>,
}

impl SampleDraw {
    /// For a map `width` pixels wide; pixels of class `ignore` (nodata) are never drawn.
    pub fn new(design: SampleDesign, seed: u64, width: usize, ignore: u16) -> Self {
        let stratum = |n_points: u64| Chosen { n_points: n_points as usize, pixels: BinaryHeap::new() };
        let chosen = match &design {
            SampleDesign::Stratified { n_points } => {
                n_points.iter().filter_map(|(class, n)| Some((u16::try_from(class.0).ok()?, stratum(*n)))).collect()
            }
            SampleDesign::SimpleRandom { n_points } => BTreeMap::from([(0, stratum(*n_points))]),
            SampleDesign::Systematic { .. } => BTreeMap::new(),
        };
        Self { design, seed, width, ignore, n_px: BTreeMap::new(), chosen, grid: Vec::new() }
    }

    /// Takes in a window of the map, `[row, col]`; each pixel of the map once, in any order.
    /// A few ns a pixel.
    ///
    /// # Panics
    /// If the number of ids is not the window's area.
    pub fn add(&mut self, window: PixelRect, ids: &[u16]) {
        assert_eq!(ids.len(), window.area(), "one id per pixel of the window");
        for (row, ids) in (window.row..).zip(ids.chunks_exact(window.width.max(1))) {
            let mut col = window.col;
            for run in ids.chunk_by(|a, b| a == b) {
                if run[0] != self.ignore {
                    self.add_run(row, col, run.len(), run[0]);
                }
                col += run.len();
            }
        }
    }

    /// Adds what another thread has drawn with the same design, seed and map.
    pub fn merge(&mut self, other: Self) {
        for (class, n) in other.n_px {
            *self.n_px.entry(class).or_default() += n;
        }
        for (stratum, theirs) in other.chosen {
            let ours = self.chosen.entry(stratum).or_insert(Chosen { n_points: theirs.n_points, ..Chosen::default() });
            theirs.pixels.into_iter().for_each(|pixel| ours.offer(pixel));
        }
        self.grid.extend(other.grid);
    }

    /// The points. Fewer than asked for where a class has fewer pixels.
    pub fn finish(self) -> Sample {
        let drawn = self.chosen.into_values().flat_map(|chosen| chosen.pixels.into_vec());
        let mut pixels: Vec<(u64, u16)> = drawn.map(|(_, pixel, class)| (pixel, class)).chain(self.grid).collect();
        // Another hash than the rank: ranks of a rare class are higher than those of a large one.
        pixels.sort_by_key(|(pixel, _)| key(!self.seed, *pixel));
        let width = self.width.max(1) as u64;
        let point = |(pixel, class): (u64, u16)| SamplePoint {
            col: (pixel % width) as usize,
            row: (pixel / width) as usize,
            stratum: ClassId(u32::from(class)),
        };
        Sample {
            design: self.design,
            seed: self.seed,
            points: pixels.into_iter().map(point).collect(),
            n_px: self.n_px.into_iter().map(|(class, n)| (ClassId(u32::from(class)), n)).collect(),
        }
    }

    fn add_run(&mut self, row: usize, col: usize, len: usize, class: u16) {
        *self.n_px.entry(class).or_default() += len as u64;
        let first = row as u64 * self.width as u64 + col as u64;
        let stratum = match self.design {
            SampleDesign::Systematic { step_px } => return self.add_grid(row, col, len, class, step_px.max(1) as u64),
            SampleDesign::SimpleRandom { .. } => 0,
            SampleDesign::Stratified { .. } => class,
        };
        let Some(chosen) = self.chosen.get_mut(&stratum) else { return };
        for pixel in first..first + len as u64 {
            chosen.offer((key(self.seed, pixel), pixel, class));
        }
    }

    fn add_grid(&mut self, row: usize, col: usize, len: usize, class: u16, step: u64) {
        let (start_col, start_row) = (key(self.seed, 0) % step, key(self.seed, 1) % step);
        if row as u64 % step != start_row {
            return;
        }
        let from = col as u64 + (start_col + step - col as u64 % step) % step;
        let cols = (from..(col + len) as u64).step_by(step as usize);
        self.grid.extend(cols.map(|col| (row as u64 * self.width as u64 + col, class)));
    }
}

impl Chosen {
    fn offer(&mut self, pixel: (u64, u64, u16)) {
        if self.pixels.len() < self.n_points {
            self.pixels.push(pixel);
        } else if let Some(mut highest) = self.pixels.peek_mut()
            && pixel < *highest
        {
            *highest = pixel;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 60;
    const HEIGHT: usize = 50;

    /// Class 1 in four of five rows, 2 in the fifth, nodata in the first ten columns.
    fn id(col: usize, row: usize) -> u16 {
        if col < 10 {
            65535
        } else if row % 5 == 4 {
            2
        } else {
            1
        }
    }

    fn draw(design: &SampleDesign, seed: u64, windows: impl Iterator<Item = PixelRect>) -> Sample {
        let mut draw = SampleDraw::new(design.clone(), seed, WIDTH, 65535);
        for window in windows {
            let ids: Vec<u16> = (window.row..window.bottom())
                .flat_map(|row| (window.col..window.right()).map(move |col| id(col, row)))
                .collect();
            draw.add(window, &ids);
        }
        draw.finish()
    }

    fn stratified(one: u64, two: u64) -> SampleDesign {
        SampleDesign::Stratified { n_points: BTreeMap::from([(ClassId(1), one), (ClassId(2), two)]) }
    }

    fn whole() -> impl Iterator<Item = PixelRect> {
        std::iter::once(PixelRect::whole(WIDTH, HEIGHT))
    }

    #[test]
    fn a_sample_depends_on_the_seed_and_not_on_the_windows() {
        for design in
            [stratified(30, 20), SampleDesign::SimpleRandom { n_points: 40 }, SampleDesign::Systematic { step_px: 7 }]
        {
            let sample = draw(&design, 5, whole());

            let mut windows: Vec<_> = PixelRect::tiles(WIDTH, HEIGHT, 16).collect();
            windows.reverse();
            assert_eq!(draw(&design, 5, windows.into_iter()), sample);
            assert_ne!(draw(&design, 6, whole()).points, sample.points);
        }
    }

    #[test]
    fn strata_get_their_points_once_each_and_nodata_none() {
        let sample = draw(&stratified(30, 20), 9, whole());

        let distinct: std::collections::BTreeSet<_> = sample.points.iter().collect();
        assert_eq!(distinct.len(), 50);
        assert_eq!(sample.points.iter().filter(|point| point.stratum == ClassId(2)).count(), 20);
        assert!(sample.points.iter().all(|p| u32::from(id(p.col, p.row)) == p.stratum.0));
        assert_eq!(sample.n_px, BTreeMap::from([(ClassId(1), 2000), (ClassId(2), 500)]));
        // Shuffled: both classes among the first ten.
        assert!(sample.points[..10].iter().any(|point| point.stratum == ClassId(1)));
        assert!(sample.points[..10].iter().any(|point| point.stratum == ClassId(2)));
    }

    #[test]
    fn a_larger_sample_contains_the_smaller_one() {
        let small = draw(&stratified(10, 5), 1, whole());
        let large = draw(&stratified(40, 9), 1, whole());

        assert!(small.points.iter().all(|point| large.points.contains(point)));
        assert_eq!(draw(&stratified(0, 9999), 1, whole()).points.len(), 500);
    }

    #[test]
    fn every_pixel_is_as_likely_as_any_other() {
        let design = SampleDesign::SimpleRandom { n_points: 250 };
        let mut hits = vec![0_u32; WIDTH * HEIGHT];
        for seed in 0..400 {
            for point in draw(&design, seed, whole()).points {
                hits[point.row * WIDTH + point.col] += 1;
            }
        }

        // 2500 pixels with data, expected 40 each; chi² with 2499 degrees of freedom, less for
        // sampling without replacement: mean 2249, standard deviation 64.
        let valid: Vec<f64> =
            hits.iter().enumerate().filter(|(i, _)| i % WIDTH >= 10).map(|(_, h)| f64::from(*h)).collect();
        let chi_squared: f64 = valid.iter().map(|h| (h - 40.0).powi(2) / 40.0).sum();
        assert_eq!(valid.iter().sum::<f64>(), 100_000.0);
        assert!((chi_squared - 2249.0).abs() < 5.0 * 64.0, "{chi_squared}");
    }

    #[test]
    fn parts_drawn_apart_and_merged_are_the_whole() {
        let design = stratified(30, 20);
        let mut merged = SampleDraw::new(design.clone(), 3, WIDTH, 65535);
        for window in PixelRect::tiles(WIDTH, HEIGHT, 25) {
            let mut part = SampleDraw::new(design.clone(), 3, WIDTH, 65535);
            let ids: Vec<u16> = (window.row..window.bottom())
                .flat_map(|row| (window.col..window.right()).map(move |col| id(col, row)))
                .collect();
            part.add(window, &ids);
            merged.merge(part);
        }

        assert_eq!(merged.finish(), draw(&design, 3, whole()));
    }
}
