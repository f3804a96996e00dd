//! Classifiers over many pixels: float64, a block of pixels side by side, so that the compiler
//! turns every inner loop into vector instructions. In float32 a spectral angle near 0 would
//! be off by 3e-4 radians and Mahalanobis distances of correlated bands by whole classes.

use super::gaussian::Gaussian;

/// Pixels computed side by side.
const LANES: usize = 32;

type Lanes = [f64; LANES];

/// What is computed per pixel and class.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kernel {
    /// `unit` spectra of length 1: `[class, band]`.
    Angle {
        unit: Vec<f64>,
        max_angle: Option<f64>,
    },
    /// `[class, band]`.
    Distance {
        mean: Vec<f64>,
        max_distance: Option<f64>,
    },
    Mahalanobis {
        classes: Vec<Quadratic>,
        max_squared: Option<f64>,
    },
    Likelihood {
        classes: Vec<Quadratic>,
        max_squared: Option<f64>,
    },
}

/// Squared Mahalanobis distance `|W(x − mean)|²` of one class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quadratic {
    mean: Vec<f64>,
    /// Rows of the lower triangle of W, one after the other: 1, 2, … values.
    whitening: Vec<f64>,
    /// `ln |Σ|`.
    log_determinant: f64,
}

impl Quadratic {
    pub(super) fn new(gaussian: &Gaussian) -> Self {
        let n = gaussian.n_bands();
        let triangle = (0..n).flat_map(|row| (0..=row).map(move |col| (row, col)));
        Self {
            mean: gaussian.mean.as_slice().to_vec(),
            whitening: triangle.map(|at| gaussian.whitening[at]).collect(),
            log_determinant: gaussian.log_determinant,
        }
    }
}

/// With the widest vectors the processor has; the order of operations is the same for all.
pub(super) fn classify(
    kernel: &Kernel,
    bands: &[&[f32]],
    scale: &[f64],
    offset: &[f64],
    classes: &mut [u16],
    score: &mut [f32],
) {
    pulp::Arch::new().dispatch(|| {
        let mut block = Block { values: vec![[0.0; LANES]; bands.len()], differences: vec![[0.0; LANES]; bands.len()] };
        let chunks = classes.chunks_mut(LANES).zip(score.chunks_mut(LANES));
        for (index, (classes, score)) in chunks.enumerate() {
            let missing = block.load(bands, scale, offset, index * LANES, classes.len());
            let found = block.best(kernel);
            for (lane, (class, score)) in classes.iter_mut().zip(score).enumerate() {
                let (value, near) = (found.score[lane] + missing[lane], found.near[lane]);
                let valid = value.is_finite();
                *class = if valid && near { found.class[lane] as u16 + 1 } else { 0 };
                *score = if valid { value as f32 } else { f32::NAN };
            }
        }
    });
}

/// Working memory for `LANES` pixels.
struct Block {
    /// `[band]`, nodata as it is.
    values: Vec<Lanes>,
    /// Pixel minus the mean of a class: `[band]`.
    differences: Vec<Lanes>,
}

/// The best class of each pixel, the first of equals.
struct Found {
    /// As wide as the scores, so that both are compared and chosen in one vector.
    class: [u64; LANES],
    score: Lanes,
    near: [bool; LANES],
}

impl Block {
    /// Copies `n` pixels from `start` on; 0 for pixels that have a value in every band, else NaN.
    #[inline(always)]
    fn load(&mut self, bands: &[&[f32]], scale: &[f64], offset: &[f64], start: usize, n: usize) -> Lanes {
        let mut missing = [0.0; LANES];
        for ((values, band), (scale, offset)) in self.values.iter_mut().zip(bands).zip(scale.iter().zip(offset)) {
            let mut stored = [0.0_f32; LANES];
            stored[..n].copy_from_slice(&band[start..start + n]);
            for lane in 0..LANES {
                let value = f64::from(stored[lane]);
                // 0 for a number, NaN for NaN and infinities; a mask of booleans is not vectorised.
                missing[lane] += 0.0 * value;
                values[lane] = value * scale + offset;
            }
        }
        missing
    }

    // Inlined into the dispatch, as is all it calls: only there are wide vectors allowed.
    #[inline(always)]
    fn best(&mut self, kernel: &Kernel) -> Found {
        match kernel {
            Kernel::Angle { unit, max_angle } => self.best_angle(unit, max_angle.unwrap_or(f64::INFINITY)),
            Kernel::Distance { mean, max_distance } => {
                let (class, squared) = self.smallest(mean.chunks_exact(self.values.len()), Self::squared_distance);
                let score = squared.map(f64::sqrt);
                let limit = max_distance.unwrap_or(f64::INFINITY);
                Found { class, score, near: score.map(|distance| distance <= limit) }
            }
            Kernel::Mahalanobis { classes, max_squared } => {
                let (class, squared) = self.smallest(classes.iter(), Self::mahalanobis);
                let limit = max_squared.unwrap_or(f64::INFINITY);
                Found { class, score: squared.map(f64::sqrt), near: squared.map(|squared| squared <= limit) }
            }
            Kernel::Likelihood { classes, max_squared } => self.best_likelihood(classes, *max_squared),
        }
    }

    #[inline(always)]
    fn best_angle(&mut self, unit: &[f64], max_angle: f64) -> Found {
        let mut squares = [0.0; LANES];
        for values in &self.values {
            for lane in 0..LANES {
                squares[lane] += values[lane] * values[lane];
            }
        }
        let (class, negative) = self.smallest(unit.chunks_exact(self.values.len()), Self::negative_product);
        let mut score = [0.0; LANES];
        for lane in 0..LANES {
            // 0 / 0 for a pixel that is 0 in every band: NaN, unclassified.
            score[lane] = (-negative[lane] / squares[lane].sqrt()).clamp(-1.0, 1.0).acos();
        }
        Found { class, score, near: score.map(|angle| angle <= max_angle) }
    }

    #[inline(always)]
    fn best_likelihood(&mut self, classes: &[Quadratic], max_squared: Option<f64>) -> Found {
        let constant = self.values.len() as f64 * (2.0 * std::f64::consts::PI).ln();
        let (class, cost) = self.smallest(classes.iter(), Self::likelihood_cost);
        let limit = max_squared.unwrap_or(f64::INFINITY);
        let near = std::array::from_fn(|lane| cost[lane] - classes[class[lane] as usize].log_determinant <= limit);
        Found { class, score: cost.map(|cost| -0.5 * (cost + constant)), near }
    }

    #[inline(always)]
    fn smallest<C>(
        &mut self,
        classes: impl Iterator<Item = C>,
        cost: impl Fn(&mut Self, C) -> Lanes,
    ) -> ([u64; LANES], Lanes) {
        let mut best = [0; LANES];
        let mut least = [f64::INFINITY; LANES];
        for (index, class) in classes.enumerate() {
            let cost = cost(self, class);
            for lane in 0..LANES {
                let less = cost[lane] < least[lane];
                least[lane] = if less { cost[lane] } else { least[lane] };
                best[lane] = if less { index as u64 } else { best[lane] };
            }
        }
        (best, least)
    }

    #[inline(always)]
    fn negative_product(&mut self, unit: &[f64]) -> Lanes {
        let mut sum = [0.0; LANES];
        for (weight, values) in unit.iter().zip(&self.values) {
            for lane in 0..LANES {
                sum[lane] -= weight * values[lane];
            }
        }
        sum
    }

    #[inline(always)]
    fn squared_distance(&mut self, mean: &[f64]) -> Lanes {
        let mut sum = [0.0; LANES];
        for (mean, values) in mean.iter().zip(&self.values) {
            for lane in 0..LANES {
                let difference = values[lane] - mean;
                sum[lane] += difference * difference;
            }
        }
        sum
    }

    /// `|W(x − mean)|² + ln |Σ|`.
    #[inline(always)]
    fn likelihood_cost(&mut self, class: &Quadratic) -> Lanes {
        let mut cost = self.mahalanobis(class);
        for value in &mut cost {
            *value += class.log_determinant;
        }
        cost
    }

    #[inline(always)]
    fn mahalanobis(&mut self, class: &Quadratic) -> Lanes {
        for ((differences, values), mean) in self.differences.iter_mut().zip(&self.values).zip(&class.mean) {
            for lane in 0..LANES {
                differences[lane] = values[lane] - mean;
            }
        }
        let mut sum = [0.0; LANES];
        let mut rest = class.whitening.as_slice();
        for row in 0..self.differences.len() {
            let (weights, after) = rest.split_at(row + 1);
            rest = after;
            let mut whitened = [0.0; LANES];
            for (weight, differences) in weights.iter().zip(&self.differences) {
                for lane in 0..LANES {
                    whitened[lane] += weight * differences[lane];
                }
            }
            for lane in 0..LANES {
                sum[lane] += whitened[lane] * whitened[lane];
            }
        }
        sum
    }
}
