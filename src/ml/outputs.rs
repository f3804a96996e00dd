//! From logits to what people ask for: class ids, probabilities, margin, entropy.
//!
//! Invariant: NaN in, NaN out, pixel by pixel.

use nunatak_domain::model::ModelRecord;
use nunatak_domain::raster::Raster;

/// Id of the class with the highest logit, the first of equals; NaN where logits are NaN.
pub(crate) fn class_map(logits: &Raster, record: &ModelRecord) -> Raster {
    let mut best = logits.band(0).to_vec();
    let mut index = vec![0usize; best.len()];
    for class in 1..logits.bands {
        for ((best, index), logit) in best.iter_mut().zip(&mut index).zip(logits.band(class)) {
            if *logit > *best {
                *best = *logit;
                *index = class;
            }
        }
    }
    let ids: Vec<f32> = record.classes.classes.iter().map(|class| class.id.0 as f32).collect();
    let data = best.iter().zip(index).map(|(best, index)| if best.is_nan() { f32::NAN } else { ids[index] }).collect();
    Raster::new(1, logits.width, logits.height, data)
}

/// Over the bands; NaN stays NaN.
pub(crate) fn softmax(logits: &Raster) -> Raster {
    let mut logits = logits.clone();
    let n_px = logits.n_px();
    for px in 0..n_px {
        let at = |band: usize| band * n_px + px;
        let highest = (0..logits.bands).map(|band| logits.data[at(band)]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for band in 0..logits.bands {
            let value = (logits.data[at(band)] - highest).exp();
            logits.data[at(band)] = value;
            sum += value;
        }
        for band in 0..logits.bands {
            logits.data[at(band)] /= sum;
        }
    }
    logits
}

/// Highest minus second highest probability.
pub(crate) fn margin(probabilities: &Raster) -> Raster {
    per_pixel(probabilities, |values| {
        let (mut first, mut second) = (0.0f32, 0.0f32);
        for p in values {
            if p > first {
                (first, second) = (p, first);
            } else if p > second {
                second = p;
            }
        }
        first - second
    })
}

/// Shannon entropy divided by ln K.
pub(crate) fn entropy(probabilities: &Raster) -> Raster {
    let scale = (probabilities.bands.max(2) as f32).ln();
    per_pixel(probabilities, |values| {
        (values.map(|p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum::<f32>() / scale).clamp(0.0, 1.0)
    })
}

fn per_pixel(raster: &Raster, of: impl Fn(&mut dyn Iterator<Item = f32>) -> f32) -> Raster {
    let n_px = raster.n_px();
    let data = (0..n_px).map(|px| {
        if raster.data[px].is_nan() {
            f32::NAN
        } else {
            of(&mut (0..raster.bands).map(|band| raster.data[band * n_px + px]))
        }
    });
    Raster::new(1, raster.width, raster.height, data.collect())
}
