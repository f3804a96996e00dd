//! A stratified random sample of a class map, as points that wait for a label.

use std::collections::BTreeMap;
use std::time::Instant;

use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::{SampleAllocation, SampleConfig};
use nunatak_domain::label::UNLABELLED;
use nunatak_domain::metrics::{Allocation, SampleDesign, SampleDraw, allocate, sample_size};
use nunatak_domain::notice::Notice;
use nunatak_jobs::{JobError, Monitor};
use serde_json::json;

use super::class_spectra::labels_on;
use super::{Done, Facts, Part, io_error, recipe, seconds};
use crate::command::Command;

/// Points where neither a number nor an error was asked for.
const N_POINTS: u64 = 400;

pub(crate) fn run(config: &SampleConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let info = nunatak_io::describe(&config.map).map_err(io_error)?;
    let mut recipe = recipe(command, &[("map", &config.map)], monitor)?;
    let values = config.values.as_deref().unwrap_or("");
    let reading = Part { monitor, from: 0.0, to: 0.7, what: "" };
    let map = labels_on(&info, &config.map, None, Some((&ClassScheme::default(), values)), &reading)?;
    let counts: Vec<(ClassId, u64)> = map.layer.counts().into_iter().collect();
    if counts.is_empty() {
        let text = format!("there is no class on the map: {}", config.map.display());
        return Err(Notice::error(text).into());
    }
    let n_px: Vec<u64> = counts.iter().map(|(_, n)| *n).collect();
    let users = expected(config, counts.len())?;
    let n = wanted(config, &n_px, &users)?;
    let allocation = match config.allocation {
        SampleAllocation::Equal => Allocation::Equal,
        SampleAllocation::Proportional => Allocation::RareAtLeast { at_least: config.min_per_class },
        SampleAllocation::Neyman => Allocation::Neyman { users },
    };
    let shares = allocate(n, &n_px, &allocation).expect("one expected accuracy per class");
    let n_points: BTreeMap<ClassId, u64> = counts.iter().map(|(class, _)| *class).zip(shares).collect();
    let total: u64 = n_points.values().sum();
    if total != n {
        let why = if total > n { "the smallest number per class asks for more" } else { "classes have too few pixels" };
        monitor.warn(Notice::info(format!("{total} points are drawn and not {n}: {why}")));
    }

    let design = SampleDesign::Stratified { n_points: n_points.clone() };
    let mut draw = SampleDraw::new(design, config.seed, info.width, UNLABELLED);
    for (pos, _) in map.layer.tiles() {
        monitor.check()?;
        let rect: Option<PixelRect> = pos.rect().intersection(&map.layer.rect());
        if let Some(rect) = rect {
            draw.add(rect, &map.layer.read(rect));
        }
    }
    let sample = draw.finish();
    monitor.progress(0.9, "writing points");
    recipe.facts.insert("pixels_by_class".to_owned(), json!(sample.n_px));
    recipe.facts.insert("points_by_class".to_owned(), json!(n_points));
    let pixels: Vec<(usize, usize)> = sample.points.iter().map(|point| (point.col, point.row)).collect();
    let outputs = nunatak_io::write_sample_points(&config.out, &info, &pixels, &recipe, config.overwrite);
    let strata = counts.iter().map(|(class, n_px)| {
        let points = n_points.get(class).copied().unwrap_or(0);
        json!({ "id": class, "name": map.classes.name(*class), "pixels": n_px, "points": points })
    });
    let facts = Facts::default()
        .with("points", sample.points.len())
        .with("strata", strata.collect::<Vec<_>>())
        .with("seed", config.seed)
        .with("seconds", seconds(start));
    Ok(facts.report(outputs.map_err(io_error)?))
}

/// One expected user's accuracy per class.
fn expected(config: &SampleConfig, n_classes: usize) -> Result<Vec<f64>, JobError> {
    let given = &config.expected_accuracy;
    if given.iter().any(|accuracy| !(0.0..=1.0).contains(accuracy)) {
        return Err(Notice::error("an expected accuracy is a number from 0 to 1").into());
    }
    match given.as_slice() {
        [one] => Ok(vec![*one; n_classes]),
        several if several.len() == n_classes => Ok(several.to_vec()),
        several => {
            let text = format!("{} expected accuracies were given and the map has {n_classes} classes", several.len());
            Err(Notice::error(text).next_step("Give one for all classes, or one per class").into())
        }
    }
}

fn wanted(config: &SampleConfig, n_px: &[u64], users: &[f64]) -> Result<u64, JobError> {
    let n = match (config.n, config.target_error) {
        (Some(_), Some(_)) => return Err(Notice::error("give either a number of points or a target error").into()),
        (n, None) => n.unwrap_or(N_POINTS),
        (None, Some(half_width)) => {
            let areas: Vec<f64> = n_px.iter().map(|&n| n as f64).collect();
            let size = sample_size(&areas, users, half_width / 1.96);
            size.ok_or_else(|| Notice::error("the target error must be above 0, for example 0.02 for ± 2 %"))?
        }
    };
    match n {
        0 => Err(Notice::error("a sample has at least one point").into()),
        n if n > 10_000_000 => {
            Err(Notice::error(format!("{n} points are more than anybody labels: ask for a larger error")).into())
        }
        n => Ok(n),
    }
}
