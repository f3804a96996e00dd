//! Spectral indices and band maths of a raster, in strips of rows.

use std::time::Instant;

use nunatak_domain::index::{catalogue, expression_for};
use nunatak_domain::job::IndexConfig;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_io::{GeoTiffConfig, GeoTiffSink};
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::strips::{CHUNK_PX, for_each_strip};
use super::{Done, Facts, Part, io_error, recipe, seconds, unless_cancelled};
use crate::command::Command;

pub(crate) fn run(config: &IndexConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let mut source = nunatak_io::open(&config.raster).map_err(io_error)?;
    let info = source.info().clone();
    let expression = expression_for(&config.index, &info).map_err(|error| {
        let next_step = "See `nunatak index --list` for the indices and `nunatak info` for the bands";
        Notice::error(format!("{error}: {}", config.raster.display())).next_step(next_step)
    })?;
    if expression.bands().is_empty() {
        return Err(Notice::error(format!("`{}` names no band of the raster", config.index)).into());
    }
    let known = catalogue().iter().find(|index| index.id.eq_ignore_ascii_case(config.index.trim()));
    let name = known.map_or_else(|| expression.source().to_owned(), |index| index.id.to_uppercase());
    let used: Vec<String> = expression.bands().iter().map(|&band| info.bands[band].name.clone()).collect();
    let mut recipe = recipe(command, &[("raster", &config.raster)], monitor)?;
    recipe.facts.insert("formula".to_owned(), json!(expression.source()));
    recipe.facts.insert("bands".to_owned(), json!(expression.bands()));

    let layout = GeoTiffConfig::layers(&config.out, &info, vec![name.clone()], recipe).overwrite(config.overwrite);
    let mut sink = GeoTiffSink::create(layout).map_err(io_error)?;
    let mut tally = Tally { n: 0, n_nodata: 0, sum: 0.0, min: f32::INFINITY, max: f32::NEG_INFINITY };
    let computing = Part::computing(monitor);
    let result = for_each_strip(&mut source, expression.bands(), (0, 1), &computing, |strip, raster| {
        let mut values = vec![f32::NAN; raster.n_px()];
        values.par_chunks_mut(CHUNK_PX).enumerate().for_each(|(index, values)| {
            let start = index * CHUNK_PX;
            let bands: Vec<&[f32]> =
                (0..raster.bands).map(|band| &raster.band(band)[start..start + values.len()]).collect();
            expression.evaluate(&bands, values);
        });
        tally.add(&values);
        sink.write(0, strip.row, &Raster::new(1, strip.width, strip.height, values))
    });
    unless_cancelled(monitor, result)?;
    let outputs = sink.finish(&Part::finishing(monitor)).map_err(io_error)?;
    let facts = Facts::default()
        .with("index", known.map_or_else(|| name.clone(), |index| index.name.clone()))
        .with("formula", expression.source())
        .with("bands", used)
        .with("min", tally.value(f64::from(tally.min)))
        .with("mean", tally.value(tally.sum / tally.n.max(1) as f64))
        .with("max", tally.value(f64::from(tally.max)))
        .with("nodata_px", tally.n_nodata)
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

struct Tally {
    n: u64,
    n_nodata: u64,
    sum: f64,
    min: f32,
    max: f32,
}

impl Tally {
    fn add(&mut self, values: &[f32]) {
        for &value in values {
            if value.is_nan() {
                self.n_nodata += 1;
            } else {
                self.n += 1;
                self.sum += f64::from(value);
                (self.min, self.max) = (self.min.min(value), self.max.max(value));
            }
        }
    }

    /// Nothing without a pixel that has a value.
    fn value(&self, value: f64) -> Value {
        if self.n == 0 { Value::Null } else { json!(value) }
    }
}
