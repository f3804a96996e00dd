//! SF-CNM over many pixels: float32, some vectors of pixels side by side.
//!
//! With `v = oᵢ − eᵢ` the distance is simply `Σ|v|` whenever that sum is at most 1: then
//! `oᵢᵢ = 1 + vᵢ` is the largest component and `|m − 1| = |vᵢ|`. Adding small numbers only,
//! it is also exact to float32, where `Σ|o| − m` would cancel. Larger sums take the
//! definition as it is written.

use nalgebra::DMatrix;
use pulp::bytemuck::cast;
use pulp::{Simd, WithSimd};

/// References that are summed together in registers.
const MAX_BLOCK: usize = 5;
/// Vectors of pixels that are summed together.
const N_VECTORS: usize = 2;

/// W and the candidates' shifts in float32, rounded once from float64.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorTables {
    pub n_bands: usize,
    pub n_references: usize,
    /// First C columns of W: `[reference, band]`.
    pub product: Vec<f32>,
    /// `λW·eᵢ − eᵢ` of candidate i: `[candidate, reference]`.
    pub shift: Vec<f32>,
    /// Weighted, per reference.
    pub thresholds: Vec<f32>,
}

impl PriorTables {
    pub(super) fn new(inverse: &DMatrix<f64>, lambda: f64, n_bands: usize, thresholds: &[f64]) -> Self {
        let n_references = inverse.nrows();
        let pairs = |n: usize| (0..n_references).flat_map(move |row| (0..n).map(move |column| (row, column)));
        let product = pairs(n_bands).map(|(row, band)| inverse[(row, band)] as f32).collect();
        let shift = pairs(n_references)
            .map(|(candidate, k)| {
                let unit = if candidate == k { 1.0 } else { 0.0 };
                (lambda * inverse[(k, candidate)] - unit) as f32
            })
            .collect();
        let thresholds = thresholds.iter().map(|&threshold| threshold as f32).collect();
        Self { n_bands, n_references, product, shift, thresholds }
    }

    /// Folds a normalisation of the pixels in: `scaled` is W with its columns times the scale,
    /// `offset` is W times the offsets.
    pub(super) fn normalise(&mut self, scaled: &DMatrix<f64>, offset: &[f64], inverse: &DMatrix<f64>, lambda: f64) {
        for (row, product) in self.product.chunks_exact_mut(self.n_bands).enumerate() {
            for (band, value) in product.iter_mut().enumerate() {
                *value = scaled[(row, band)] as f32;
            }
        }
        for (candidate, shift) in self.shift.chunks_exact_mut(self.n_references).enumerate() {
            for (k, value) in shift.iter_mut().enumerate() {
                let unit = if candidate == k { 1.0 } else { 0.0 };
                *value = (lambda * inverse[(k, candidate)] - unit + offset[k]) as f32;
            }
        }
    }

    /// Makes the tables those of pixels with `n_bands` bands, of which only `bands` count.
    pub(super) fn spread(&mut self, bands: &[usize], n_bands: usize) {
        let mut product = vec![0.0; self.n_references * n_bands];
        for (spread, own) in product.chunks_exact_mut(n_bands).zip(self.product.chunks_exact(self.n_bands)) {
            bands.iter().zip(own).for_each(|(&band, &value)| spread[band] = value);
        }
        self.product = product;
        self.n_bands = n_bands;
    }

    /// Classes and distances or similarities of pixels given band by band, all slices of one
    /// length, with the widest vectors the processor has; the order of operations is the same
    /// for all of them.
    pub(super) fn pixels(&self, bands: &[&[f32]], classes: &mut [u16], values: &mut [f32], wanted: Wanted) {
        let blocks = |table: &[f32], n_columns: usize| blocks(table, self.n_references, n_columns);
        let product = blocks(&self.product, self.n_bands);
        let shift = blocks(&self.shift, self.n_references);
        pulp::Arch::new().dispatch(Pixels {
            tables: self,
            product: &product,
            shift: &shift,
            bands,
            classes,
            values,
            wanted,
        });
    }
}

/// What is written beside the classes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Distance,
    Similarity,
}

/// Some rows of a table, `[column, row of the block]`.
struct Block {
    first: usize,
    n: usize,
    values: Vec<f32>,
}

/// Rows of a table in blocks of nearly equal size: a small last one would leave registers idle.
fn blocks(table: &[f32], n_rows: usize, n_columns: usize) -> Vec<Block> {
    let n_blocks = n_rows.div_ceil(MAX_BLOCK);
    (0..n_blocks)
        .map(|index| {
            let (first, end) = (index * n_rows / n_blocks, (index + 1) * n_rows / n_blocks);
            let values = (0..n_columns)
                .flat_map(|column| (first..end).map(move |row| (row, column)))
                .map(|(row, column)| table[row * n_columns + column])
                .collect();
            Block { first, n: end - first, values }
        })
        .collect()
}

struct Pixels<'a> {
    tables: &'a PriorTables,
    /// W.
    product: &'a [Block],
    /// Candidates' shifts.
    shift: &'a [Block],
    bands: &'a [&'a [f32]],
    classes: &'a mut [u16],
    values: &'a mut [f32],
    wanted: Wanted,
}

/// The nearest candidate so far, per pixel.
#[derive(Clone, Copy)]
struct Nearest<S: Simd> {
    distance: S::f32s,
    threshold: S::f32s,
    /// Index + 1.
    class: S::u32s,
}

type Vectors<S> = [<S as Simd>::f32s; N_VECTORS];

impl WithSimd for Pixels<'_> {
    type Output = ();

    // Inlined into the dispatch, as is all it calls: only there are wide vectors allowed.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let step = N_VECTORS * S::F32_LANES;
        let n_whole = self.classes.len() / step * step;
        let mut responses = vec![[simd.splat_f32s(0.0); N_VECTORS]; self.tables.n_references];
        let sums = Sums { tables: self.tables, product: self.product, shift: self.shift, wanted: self.wanted };
        let (classes, last_classes) = self.classes.split_at_mut(n_whole);
        let (values, last_values) = self.values.split_at_mut(n_whole);
        let chunks = classes.chunks_exact_mut(step).zip(values.chunks_exact_mut(step));
        for (index, (classes, values)) in chunks.enumerate() {
            let start = index * step;
            sums.run(simd, |band| &self.bands[band][start..start + step], &mut responses, classes, values);
        }
        let n_last = last_classes.len();
        if n_last > 0 {
            let mut padded = vec![0.0; step * self.bands.len()];
            for (padded, band) in padded.chunks_exact_mut(step).zip(self.bands) {
                padded[..n_last].copy_from_slice(&band[n_whole..]);
            }
            let (mut classes, mut values) = (vec![0; step], vec![0.0; step]);
            sums.run(simd, |band| &padded[band * step..][..step], &mut responses, &mut classes, &mut values);
            last_classes.copy_from_slice(&classes[..n_last]);
            last_values.copy_from_slice(&values[..n_last]);
        }
    }
}

struct Sums<'a> {
    tables: &'a PriorTables,
    product: &'a [Block],
    shift: &'a [Block],
    wanted: Wanted,
}

// Loops over indexes: iterator adapters are calls here that do not get inlined.
#[allow(clippy::needless_range_loop, reason = "vectors and accumulators side by side")]
impl Sums<'_> {
    /// `N_VECTORS` vectors of pixels; `pixels` gives those of a band.
    #[inline(always)]
    fn run<'v, S: Simd>(
        &self,
        simd: S,
        pixels: impl Fn(usize) -> &'v [f32],
        responses: &mut [Vectors<S>],
        classes: &mut [u16],
        values: &mut [f32],
    ) {
        let zero = simd.splat_f32s(0.0);
        // 0 as long as every value is a number: 0 times NaN or infinity is NaN.
        let mut finite = [zero; N_VECTORS];
        for band in 0..self.tables.n_bands {
            let x = vectors::<S>(pixels(band));
            for v in 0..N_VECTORS {
                finite[v] = simd.mul_add_e_f32s(x[v], zero, finite[v]);
            }
        }
        for block in self.product {
            match block.n {
                1 => self.responses::<S, 1>(simd, block, &pixels, responses),
                2 => self.responses::<S, 2>(simd, block, &pixels, responses),
                3 => self.responses::<S, 3>(simd, block, &pixels, responses),
                4 => self.responses::<S, 4>(simd, block, &pixels, responses),
                _ => self.responses::<S, MAX_BLOCK>(simd, block, &pixels, responses),
            }
        }
        let none =
            Nearest::<S> { distance: simd.splat_f32s(f32::INFINITY), threshold: zero, class: simd.splat_u32s(0) };
        let mut nearest = [none; N_VECTORS];
        for block in self.shift {
            match block.n {
                1 => self.nearest::<S, 1>(simd, block, responses, &mut nearest),
                2 => self.nearest::<S, 2>(simd, block, responses, &mut nearest),
                3 => self.nearest::<S, 3>(simd, block, responses, &mut nearest),
                4 => self.nearest::<S, 4>(simd, block, responses, &mut nearest),
                _ => self.nearest::<S, MAX_BLOCK>(simd, block, responses, &mut nearest),
            }
        }
        let mut ids = [0_u32; 64];
        let (id_vectors, _) = S::as_mut_simd_u32s(&mut ids[..classes.len()]);
        let (value_vectors, _) = S::as_mut_simd_f32s(values);
        for v in 0..N_VECTORS {
            let Nearest { distance, threshold, class } = nearest[v];
            let valid = simd.equal_f32s(finite[v], zero);
            let near = simd.less_than_f32s(distance, threshold);
            let value = match self.wanted {
                Wanted::Distance => distance,
                // Between 0 and 1 by itself: 0 ≤ distance < threshold.
                Wanted::Similarity => {
                    let similarity = simd.sub_f32s(simd.splat_f32s(1.0), simd.div_f32s(distance, threshold));
                    select(simd, near, similarity, zero)
                }
            };
            let class = simd.select_u32s(near, class, simd.splat_u32s(0));
            id_vectors[v] = simd.select_u32s(valid, class, simd.splat_u32s(0));
            value_vectors[v] = select(simd, valid, value, simd.splat_f32s(f32::NAN));
        }
        for (class, id) in classes.iter_mut().zip(&ids) {
            *class = *id as u16;
        }
    }

    /// W · pixel for the `N` references of a block.
    #[inline(always)]
    fn responses<'v, S: Simd, const N: usize>(
        &self,
        simd: S,
        block: &Block,
        pixels: &impl Fn(usize) -> &'v [f32],
        responses: &mut [Vectors<S>],
    ) {
        let mut sum = [[simd.splat_f32s(0.0); N_VECTORS]; N];
        let (weights, _) = block.values.as_chunks::<N>();
        for (band, weights) in weights.iter().enumerate() {
            let x = vectors::<S>(pixels(band));
            for i in 0..N {
                let weight = simd.splat_f32s(weights[i]);
                for v in 0..N_VECTORS {
                    sum[i][v] = simd.mul_add_e_f32s(weight, x[v], sum[i][v]);
                }
            }
        }
        for (response, sum) in responses[block.first..block.first + N].iter_mut().zip(sum) {
            *response = sum;
        }
    }

    /// Compares with the `N` candidates of a block; the first of equals stays.
    #[inline(always)]
    fn nearest<S: Simd, const N: usize>(
        &self,
        simd: S,
        block: &Block,
        responses: &[Vectors<S>],
        nearest: &mut [Nearest<S>; N_VECTORS],
    ) {
        let mut sum = [[simd.splat_f32s(0.0); N_VECTORS]; N];
        let (shifts, _) = block.values.as_chunks::<N>();
        for (k, response) in responses.iter().enumerate().take(shifts.len()) {
            for i in 0..N {
                let shift = simd.splat_f32s(shifts[k][i]);
                for v in 0..N_VECTORS {
                    sum[i][v] = simd.add_f32s(sum[i][v], abs(simd, simd.add_f32s(response[v], shift)));
                }
            }
        }
        let one = simd.splat_f32s(1.0);
        for (offset, sum) in sum.iter_mut().enumerate() {
            let candidate = block.first + offset;
            let threshold = simd.splat_f32s(self.tables.thresholds[candidate]);
            let class = simd.splat_u32s(candidate as u32 + 1);
            for v in 0..N_VECTORS {
                let far = simd.greater_than_f32s(sum[v], one);
                if simd.first_true_m32s(far) < S::F32_LANES {
                    let distance = self.far_distance(simd, candidate, responses, v);
                    sum[v] = select(simd, far, distance, sum[v]);
                }
                let best = &mut nearest[v];
                let nearer = simd.less_than_f32s(sum[v], best.distance);
                best.distance = select(simd, nearer, sum[v], best.distance);
                best.threshold = select(simd, nearer, threshold, best.threshold);
                best.class = simd.select_u32s(nearer, class, best.class);
            }
        }
    }

    /// The distance as it is defined.
    #[inline(always)]
    fn far_distance<S: Simd>(&self, simd: S, candidate: usize, responses: &[Vectors<S>], v: usize) -> S::f32s {
        let n = self.tables.n_references;
        let mut total = simd.splat_f32s(0.0);
        let mut largest = simd.splat_f32s(0.0);
        for (k, (shift, response)) in self.tables.shift[candidate * n..][..n].iter().zip(responses).enumerate() {
            let unit = simd.splat_f32s(if k == candidate { 1.0 } else { 0.0 });
            let sum = simd.add_f32s(simd.add_f32s(response[v], simd.splat_f32s(*shift)), unit);
            let magnitude = abs(simd, sum);
            total = simd.add_f32s(total, magnitude);
            largest = select(simd, simd.greater_than_f32s(magnitude, largest), magnitude, largest);
        }
        let peak = abs(simd, simd.sub_f32s(largest, simd.splat_f32s(1.0)));
        simd.add_f32s(simd.sub_f32s(total, largest), peak)
    }
}

// Pulp's own are not inlined and cost a call each: five times the whole time.
#[inline(always)]
fn abs<S: Simd>(simd: S, a: S::f32s) -> S::f32s {
    cast(simd.and_u32s(cast(a), simd.splat_u32s(0x7fff_ffff)))
}

#[inline(always)]
fn select<S: Simd>(simd: S, mask: S::m32s, if_true: S::f32s, if_false: S::f32s) -> S::f32s {
    cast(simd.select_u32s(mask, cast(if_true), cast(if_false)))
}

#[inline(always)]
fn vectors<S: Simd>(values: &[f32]) -> &[S::f32s] {
    let (vectors, _) = S::as_simd_f32s(values);
    &vectors[..N_VECTORS]
}
