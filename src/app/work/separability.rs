//! Whether references or labelled classes can be told apart, and which of them are in the way.

use std::time::Instant;

use nunatak_domain::job::SeparabilityConfig;
use nunatak_domain::model::Normalisation;
use nunatak_domain::notice::Notice;
use nunatak_domain::spectra::{ClassStatistics, PairReport, Prior, ReferenceHealth, ReferenceSet};
use nunatak_io::GdalSource;
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::class_spectra::{ClassSpectra, holds_labels, references_alone};
use super::strips::{CHUNK_PX, for_each_strip};
use super::{Done, Facts, Part, io_error, seconds, unless_cancelled};
use crate::references::normalised;

pub(crate) fn run(config: &SeparabilityConfig, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let labels = holds_labels(&config.classes);
    let Some(raster) = &config.raster else {
        if labels {
            let text = format!("labels need the raster whose pixels they are on: {}", config.classes.display());
            return Err(Notice::error(text).next_step("Name it with --raster RASTER").into());
        }
        let (set, statistics) = references_alone(&config.classes, monitor)?;
        return Ok(report(&set, &statistics, None, start));
    };
    let mut source = nunatak_io::open(raster).map_err(io_error)?;
    let bands = config.bands.as_deref();
    let first = Part { monitor, from: 0.0, to: 0.5, what: "reading labelled pixels" };
    let spectra = if labels {
        let result = ClassSpectra::of_labels(&config.classes, config.field.as_deref(), &mut source, bands, &first);
        unless_cancelled(monitor, result)?
    } else {
        ClassSpectra::of_references(&config.classes, &mut source, bands, monitor)?
    };
    let second = Part { monitor, from: if labels { 0.5 } else { 0.0 }, to: 1.0, what: "counting nearest references" };
    let wins = unless_cancelled(monitor, wins(&mut source, &spectra, &second))?;
    Ok(report(&spectra.set, &spectra.statistics, wins.as_deref(), start))
}

/// Pixels of the raster that each reference wins by SF-CNM; `None` where there is no prior.
fn wins(source: &mut GdalSource, spectra: &ClassSpectra, monitor: &dyn Monitor) -> Result<Option<Vec<u64>>, JobError> {
    let Ok(prior) = Prior::new(&spectra.set) else { return Ok(None) };
    let prior = match &spectra.normalisation {
        Normalisation::None => prior,
        scale => normalised(&prior, scale).unwrap_or(prior),
    };
    let n_classes = spectra.set.references.len() + 1;
    let mut counts = vec![0_u64; n_classes];
    for_each_strip(source, &spectra.bands, (0, 1), monitor, |_, raster| {
        let n = raster.n_px();
        let parts: Vec<Vec<u64>> = (0..n.div_ceil(CHUNK_PX))
            .into_par_iter()
            .map(|index| {
                let range = index * CHUNK_PX..((index + 1) * CHUNK_PX).min(n);
                let bands: Vec<&[f32]> = (0..raster.bands).map(|band| &raster.band(band)[range.clone()]).collect();
                let (mut classes, mut distance) = (vec![0_u16; range.len()], vec![0.0; range.len()]);
                prior.pixels_into(&bands, &mut classes, &mut distance);
                let mut counts = vec![0; n_classes];
                classes.iter().for_each(|&class| counts[usize::from(class)] += 1);
                counts
            })
            .collect();
        for part in parts {
            counts.iter_mut().zip(part).for_each(|(sum, n)| *sum += n);
        }
        Ok(())
    })?;
    Ok(Some(counts[1..].to_vec()))
}

fn report(set: &ReferenceSet, statistics: &[Option<ClassStatistics>], wins: Option<&[u64]>, start: Instant) -> Done {
    let health = ReferenceHealth::new(set, statistics, wins);
    let names: Vec<&str> = health.references.iter().map(|reference| reference.name.as_str()).collect();
    let reference = |(index, reference): (usize, &nunatak_domain::spectra::ReferenceReport)| {
        json!({
            "reference": index + 1,
            "name": reference.name,
            "pixels": reference.n_px,
            "threshold": reference.threshold,
            "shrinkage": reference.shrinkage,
            "wins": reference.wins,
        })
    };
    let never: Vec<&str> =
        health.references.iter().filter(|one| one.wins == Some(0)).map(|one| one.name.as_str()).collect();
    let mut facts = Facts::default()
        .with("condition_number", number(health.condition_number))
        .with("references", health.references.iter().enumerate().map(reference).collect::<Vec<_>>())
        .with("pairs", health.pairs.iter().map(|pair| pair_row(pair, &names)).collect::<Vec<_>>());
    if wins.is_some() {
        facts = facts.with("never_wins", never);
    }
    facts.with("remarks", health.remarks).with("seconds", seconds(start)).report(Vec::new())
}

fn pair_row(pair: &PairReport, names: &[&str]) -> Value {
    let mut row = json!({
        "name": names[pair.a],
        "other": names[pair.b],
        "confusable": pair.confusable(),
        "angle_degrees": number(Some(pair.angle.to_degrees())),
        "condition_number": number(Some(pair.condition_number)),
    });
    if let Some(separability) = &pair.separability {
        row["bhattacharyya"] = number(Some(separability.bhattacharyya));
        row["jeffries_matusita"] = json!(separability.jeffries_matusita);
        row["jeffries_matusita_squared"] = json!(separability.jeffries_matusita_squared);
        row["transformed_divergence"] = json!(separability.transformed_divergence);
        row["grade"] = json!(separability.grade());
    }
    row
}

/// JSON has no infinity.
fn number(value: Option<f64>) -> Value {
    match value {
        Some(value) if value.is_infinite() => json!("infinite"),
        value => json!(value.filter(|value| value.is_finite())),
    }
}
