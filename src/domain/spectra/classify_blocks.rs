//! Classifiers over many pixels: float64, some vectors of pixels side by side. In float32 a
//! spectral angle near 0 would be off by 3e-4 radians and Mahalanobis distances of correlated
//! bands by whole classes.

use pulp::bytemuck::cast;
use pulp::{Simd, WithSimd};

use super::gaussian::Gaussian;

/// Pixels of a block: a whole number of vectors on every processor.
const LANES: usize = 32;
/// Classes that are summed together in registers.
const MAX_BLOCK: usize = 5;
/// Vectors of pixels that are summed together: of bare spectra, and of covariances.
const N_VECTORS: usize = 2;
const N_WIDE: usize = 4;

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
    /// Rows of the lower triangle of W, two at a time: `[pair of rows, column, row of the pair]`,
    /// columns as far as the second row goes, 0 where there is nothing.
    whitening: Vec<[f64; 2]>,
    /// `ln |Σ|`.
    log_determinant: f64,
}

impl Quadratic {
    pub(super) fn new(gaussian: &Gaussian) -> Self {
        let n = gaussian.n_bands();
        let weight = |row: usize, column: usize| {
            if row < n && column <= row { gaussian.whitening[(row, column)] } else { 0.0 }
        };
        let pairs = (0..n).step_by(2).flat_map(|row| (0..(row + 2).min(n)).map(move |column| (row, column)));
        Self {
            mean: gaussian.mean.as_slice().to_vec(),
            whitening: pairs.map(|(row, column)| [weight(row, column), weight(row + 1, column)]).collect(),
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
    let tables = match kernel {
        // The smallest cost is the largest cosine.
        Kernel::Angle { unit, .. } => blocks(unit, bands.len(), -1.0),
        Kernel::Distance { mean, .. } => blocks(mean, bands.len(), 1.0),
        Kernel::Mahalanobis { .. } | Kernel::Likelihood { .. } => Vec::new(),
    };
    pulp::Arch::new().dispatch(Pixels { kernel, tables: &tables, bands, scale, offset, classes, score });
}

/// Spectra of some classes, `[band, class of the block]`.
struct ClassBlock {
    first: usize,
    n: usize,
    values: Vec<f64>,
}

/// Classes in blocks of nearly equal size: a small last one would leave registers idle.
fn blocks(spectra: &[f64], n_bands: usize, sign: f64) -> Vec<ClassBlock> {
    let n_classes = spectra.len() / n_bands;
    let n_blocks = n_classes.div_ceil(MAX_BLOCK);
    (0..n_blocks)
        .map(|index| {
            let (first, end) = (index * n_classes / n_blocks, (index + 1) * n_classes / n_blocks);
            let values = (0..n_bands)
                .flat_map(|band| (first..end).map(move |class| (class, band)))
                .map(|(class, band)| sign * spectra[class * n_bands + band])
                .collect();
            ClassBlock { first, n: end - first, values }
        })
        .collect()
}

struct Pixels<'a> {
    kernel: &'a Kernel,
    tables: &'a [ClassBlock],
    bands: &'a [&'a [f32]],
    scale: &'a [f64],
    offset: &'a [f64],
    classes: &'a mut [u16],
    score: &'a mut [f32],
}

impl WithSimd for Pixels<'_> {
    type Output = ();

    // Inlined into the dispatch, as is all it calls: only there are wide vectors allowed.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut block = Block { values: vec![[0.0; LANES]; self.bands.len()] };
        let mut differences = vec![[simd.splat_f64s(0.0); N_WIDE]; self.bands.len()];
        let mut found = Found { class: [0; LANES], cost: [0.0; LANES], near: [true; LANES] };
        let chunks = self.classes.chunks_mut(LANES).zip(self.score.chunks_mut(LANES));
        for (index, (classes, score)) in chunks.enumerate() {
            let missing = block.load(self.bands, self.scale, self.offset, index * LANES, classes.len());
            block.best(simd, self.kernel, self.tables, &mut differences, &mut found);
            for (lane, (class, score)) in classes.iter_mut().zip(score).enumerate() {
                let value = found.cost[lane] + missing[lane];
                let valid = value.is_finite();
                *class = if valid && found.near[lane] { found.class[lane] as u16 + 1 } else { 0 };
                *score = if valid { value as f32 } else { f32::NAN };
            }
        }
    }
}

/// Working memory for `LANES` pixels.
struct Block {
    /// `[band]`, nodata as it is.
    values: Vec<Lanes>,
}

/// The best class of each pixel, the first of equals.
struct Found {
    /// As wide as the costs, so that both are compared and chosen in one vector.
    class: [u64; LANES],
    /// What was compared, then the score that it means.
    cost: Lanes,
    near: [bool; LANES],
}

/// The smallest cost so far, per pixel.
#[derive(Clone, Copy)]
struct Smallest<S: Simd> {
    cost: S::f64s,
    class: S::u64s,
}

// Loops over indexes: iterator adapters are calls here that do not get inlined.
#[allow(clippy::needless_range_loop, reason = "vectors and accumulators side by side")]
impl Block {
    /// Copies `n` pixels from `start` on; 0 for pixels that have a value in every band, else NaN.
    #[inline(always)]
    fn load(&mut self, bands: &[&[f32]], scale: &[f64], offset: &[f64], start: usize, n: usize) -> Lanes {
        let mut missing = [0.0; LANES];
        for band in 0..self.values.len() {
            let mut stored = [0.0_f32; LANES];
            stored[..n].copy_from_slice(&bands[band][start..start + n]);
            let (values, scale, offset) = (&mut self.values[band], scale[band], offset[band]);
            for lane in 0..LANES {
                let value = f64::from(stored[lane]);
                // 0 for a number, NaN for NaN and infinities; a mask of booleans is not vectorised.
                missing[lane] += 0.0 * value;
                values[lane] = value * scale + offset;
            }
        }
        missing
    }

    #[inline(always)]
    fn best<S: Simd>(
        &self,
        simd: S,
        kernel: &Kernel,
        tables: &[ClassBlock],
        differences: &mut [[S::f64s; N_WIDE]],
        found: &mut Found,
    ) {
        match kernel {
            Kernel::Angle { max_angle, .. } => {
                self.nearest_spectrum::<S, false>(simd, tables, found);
                self.angles(simd, found);
                limited(found, max_angle.unwrap_or(f64::INFINITY));
            }
            Kernel::Distance { max_distance, .. } => {
                self.nearest_spectrum::<S, true>(simd, tables, found);
                found.cost = found.cost.map(f64::sqrt);
                limited(found, max_distance.unwrap_or(f64::INFINITY));
            }
            Kernel::Mahalanobis { classes, max_squared } => {
                self.nearest_class(simd, classes, false, differences, found);
                limited(found, max_squared.unwrap_or(f64::INFINITY));
                found.cost = found.cost.map(f64::sqrt);
            }
            Kernel::Likelihood { classes, max_squared } => {
                self.nearest_class(simd, classes, true, differences, found);
                if let Some(limit) = max_squared {
                    for lane in 0..LANES {
                        let log_determinant = classes[found.class[lane] as usize].log_determinant;
                        found.near[lane] = found.cost[lane] - log_determinant <= *limit;
                    }
                }
                let constant = self.values.len() as f64 * (2.0 * std::f64::consts::PI).ln();
                found.cost = found.cost.map(|cost| -0.5 * (cost + constant));
            }
        }
    }

    /// Smallest squared distance, or smallest product with the tables.
    #[inline(always)]
    fn nearest_spectrum<S: Simd, const SQUARED: bool>(&self, simd: S, tables: &[ClassBlock], found: &mut Found) {
        for first in (0..LANES / S::F64_LANES).step_by(N_VECTORS) {
            let none = Smallest::<S> { cost: simd.splat_f64s(f64::INFINITY), class: simd.splat_u64s(0) };
            let mut best = [none; N_VECTORS];
            for table in tables {
                match table.n {
                    1 => self.compare::<S, SQUARED, 1>(simd, table, first, &mut best),
                    2 => self.compare::<S, SQUARED, 2>(simd, table, first, &mut best),
                    3 => self.compare::<S, SQUARED, 3>(simd, table, first, &mut best),
                    4 => self.compare::<S, SQUARED, 4>(simd, table, first, &mut best),
                    _ => self.compare::<S, SQUARED, MAX_BLOCK>(simd, table, first, &mut best),
                }
            }
            found.put(first, &best);
        }
    }

    /// Compares `N_VECTORS` vectors of pixels with the `N` classes of a block.
    #[inline(always)]
    fn compare<S: Simd, const SQUARED: bool, const N: usize>(
        &self,
        simd: S,
        table: &ClassBlock,
        first: usize,
        best: &mut [Smallest<S>; N_VECTORS],
    ) {
        let mut sum = [[simd.splat_f64s(0.0); N_VECTORS]; N];
        let (spectra, _) = table.values.as_chunks::<N>();
        for band in 0..spectra.len() {
            let x = vectors::<S>(&self.values[band]);
            for i in 0..N {
                let weight = simd.splat_f64s(spectra[band][i]);
                for v in 0..N_VECTORS {
                    let x = x[first + v];
                    sum[i][v] = if SQUARED {
                        let difference = simd.sub_f64s(x, weight);
                        simd.mul_add_e_f64s(difference, difference, sum[i][v])
                    } else {
                        simd.mul_add_e_f64s(weight, x, sum[i][v])
                    };
                }
            }
        }
        for i in 0..N {
            for v in 0..N_VECTORS {
                best[v].offer(simd, sum[i][v], table.first + i);
            }
        }
    }

    /// Negative products with unit spectra become angles.
    #[inline(always)]
    fn angles<S: Simd>(&self, simd: S, found: &mut Found) {
        let (costs, _) = S::as_mut_simd_f64s(&mut found.cost);
        let (zero, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
        for at in 0..costs.len() {
            let mut squares = zero;
            for band in 0..self.values.len() {
                let x = vectors::<S>(&self.values[band])[at];
                squares = simd.mul_add_e_f64s(x, x, squares);
            }
            // 0 / 0 for a pixel that is 0 in every band: NaN, unclassified.
            let cosine = simd.div_f64s(simd.sub_f64s(zero, costs[at]), simd.sqrt_f64s(squares));
            let cosine = select(simd, simd.greater_than_f64s(cosine, one), one, cosine);
            let minus_one = simd.splat_f64s(-1.0);
            let cosine = select(simd, simd.less_than_f64s(cosine, minus_one), minus_one, cosine);
            costs[at] = acos(simd, cosine);
        }
    }

    /// Smallest `|W(x − mean)|²`, plus `ln |Σ|` where asked for.
    #[inline(always)]
    fn nearest_class<S: Simd>(
        &self,
        simd: S,
        classes: &[Quadratic],
        with_determinant: bool,
        differences: &mut [[S::f64s; N_WIDE]],
        found: &mut Found,
    ) {
        let zero = simd.splat_f64s(0.0);
        for first in (0..LANES / S::F64_LANES).step_by(N_WIDE) {
            let none = Smallest::<S> { cost: simd.splat_f64s(f64::INFINITY), class: simd.splat_u64s(0) };
            let mut best = [none; N_WIDE];
            for (index, class) in classes.iter().enumerate() {
                for band in 0..differences.len() {
                    let x = vectors::<S>(&self.values[band]);
                    let mean = simd.splat_f64s(class.mean[band]);
                    for v in 0..N_WIDE {
                        differences[band][v] = simd.sub_f64s(x[first + v], mean);
                    }
                }
                let start = if with_determinant { class.log_determinant } else { 0.0 };
                let mut sum = [simd.splat_f64s(start); N_WIDE];
                let mut rest = class.whitening.as_slice();
                while !rest.is_empty() {
                    // Two more columns than for the rows before, as long as there are as many.
                    let done = class.whitening.len() - rest.len();
                    let n_columns = columns_after(done).min(differences.len());
                    let (weights, after) = rest.split_at(n_columns);
                    rest = after;
                    let mut whitened = [[zero; N_WIDE]; 2];
                    for column in 0..n_columns {
                        for row in 0..2 {
                            let weight = simd.splat_f64s(weights[column][row]);
                            for v in 0..N_WIDE {
                                whitened[row][v] =
                                    simd.mul_add_e_f64s(weight, differences[column][v], whitened[row][v]);
                            }
                        }
                    }
                    for row in 0..2 {
                        for v in 0..N_WIDE {
                            sum[v] = simd.mul_add_e_f64s(whitened[row][v], whitened[row][v], sum[v]);
                        }
                    }
                }
                for v in 0..N_WIDE {
                    best[v].offer(simd, sum[v], index);
                }
            }
            found.put(first, &best);
        }
    }
}

/// Columns of the pair of rows that begins after `done` entries, which are 2 + 4 + 6 + …
#[inline(always)]
fn columns_after(done: usize) -> usize {
    let mut columns = 2;
    let mut before = 0;
    while before < done {
        before += columns;
        columns += 2;
    }
    columns
}

impl<S: Simd> Smallest<S> {
    #[inline(always)]
    fn offer(&mut self, simd: S, cost: S::f64s, class: usize) {
        let less = simd.less_than_f64s(cost, self.cost);
        self.cost = select(simd, less, cost, self.cost);
        self.class = simd.select_u64s(less, simd.splat_u64s(class as u64), self.class);
    }
}

impl Found {
    #[inline(always)]
    fn put<S: Simd>(&mut self, first: usize, best: &[Smallest<S>]) {
        let (costs, _) = S::as_mut_simd_f64s(&mut self.cost);
        let (classes, _) = S::as_mut_simd_u64s(&mut self.class);
        for v in 0..best.len() {
            costs[first + v] = best[v].cost;
            classes[first + v] = best[v].class;
        }
    }
}

#[inline(always)]
fn limited(found: &mut Found, limit: f64) {
    for lane in 0..LANES {
        found.near[lane] = found.cost[lane] <= limit;
    }
}

/// As fdlibm computes it (Sun Microsystems 1993, `e_acos.c`), without branches: a call per pixel
/// took three times as long as all else. Below 1 ulp for arguments in [-1, 1]; NaN stays NaN.
#[inline(always)]
fn acos<S: Simd>(simd: S, x: S::f64s) -> S::f64s {
    const P: [f64; 6] = [
        0.166_666_666_666_666_66,
        -0.325_565_818_622_400_9,
        0.201_212_532_134_862_93,
        -0.040_055_534_500_679_41,
        0.000_791_534_994_289_814_5,
        3.479_331_075_960_212e-5,
    ];
    const Q: [f64; 5] =
        [1.0, -2.403_394_911_734_414, 2.020_945_760_233_505_7, -0.688_283_971_605_453_3, 0.077_038_150_555_901_94];
    let splat = |value: f64| simd.splat_f64s(value);
    let (half, two, pi) = (splat(0.5), splat(2.0), splat(std::f64::consts::PI));
    let magnitude: S::f64s = cast(simd.and_u64s(cast(x), simd.splat_u64s(0x7fff_ffff_ffff_ffff)));
    let large = simd.greater_than_f64s(magnitude, half);
    let z_large = simd.mul_f64s(half, simd.sub_f64s(splat(1.0), magnitude));
    let z = select(simd, large, z_large, simd.mul_f64s(magnitude, magnitude));
    let base = select(simd, large, simd.sqrt_f64s(z), magnitude);
    let mut p = splat(P[5]);
    for i in 0..5 {
        p = simd.mul_add_e_f64s(p, z, splat(P[4 - i]));
    }
    let mut q = splat(Q[4]);
    for i in 0..4 {
        q = simd.mul_add_e_f64s(q, z, splat(Q[3 - i]));
    }
    let arcsine = simd.mul_add_e_f64s(base, simd.div_f64s(simd.mul_f64s(p, z), q), base);
    let negative = simd.less_than_f64s(x, splat(0.0));
    let double = simd.mul_f64s(two, arcsine);
    let of_large = select(simd, negative, simd.sub_f64s(pi, double), double);
    let right = splat(std::f64::consts::FRAC_PI_2);
    let of_small = select(simd, negative, simd.add_f64s(right, arcsine), simd.sub_f64s(right, arcsine));
    select(simd, large, of_large, of_small)
}

// Pulp's own is not inlined and costs a call each.
#[inline(always)]
fn select<S: Simd>(simd: S, mask: S::m64s, if_true: S::f64s, if_false: S::f64s) -> S::f64s {
    cast(simd.select_u64s(mask, cast(if_true), cast(if_false)))
}

#[inline(always)]
fn vectors<S: Simd>(values: &Lanes) -> &[S::f64s] {
    let (vectors, _) = S::as_simd_f64s(values);
    vectors
}
