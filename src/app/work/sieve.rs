//! Class maps without small regions: sieve and majority filter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use nunatak_domain::class::{Class, ClassId, ClassScheme};
use nunatak_domain::grid::{PixelRect, TILE_SIZE};
use nunatak_domain::job::{Connectivity, SieveConfig};
use nunatak_domain::label::post::LabelFilter;
use nunatak_domain::label::{self, LabelLayer, LabelTile, TilePos, UNLABELLED};
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSink, RasterSource};
use nunatak_io::{GdalSource, GeoTiffConfig, GeoTiffSink};
use nunatak_jobs::{JobError, Monitor};

use super::{Done, Facts, Part, io_error, recipe, seconds};
use crate::command::Command;

pub(crate) fn run(config: &SieveConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let filters = filters(config)?;
    let mut source = nunatak_io::open(&config.map).map_err(io_error)?;
    let info = source.info().clone();
    let recipe = recipe(command, &[("map", &config.map)], monitor)?;
    let before = read(&mut source, &Part { monitor, from: 0.0, to: 0.3, what: "reading classes" })?;
    let mut after = before.clone();
    let step = 0.4 / filters.len() as f32;
    for (index, filter) in filters.iter().enumerate() {
        let from = 0.3 + step * index as f32;
        let mut progress = |done: f32| {
            monitor.progress(from + step * done, filter.title());
            monitor.check().is_ok()
        };
        after = filter.apply(&after, &mut progress).map_err(|error| {
            // The only reason that needs no file.
            if monitor.check().is_err() { JobError::Cancelled } else { Notice::error(error.to_string()).into() }
        })?;
    }
    let counts = (before.counts(), after.counts());
    let scheme = scheme(&nunatak_io::class_scheme(&info), &counts.0);
    let layout = GeoTiffConfig::class_map(&config.out, &info, scheme.clone(), recipe);
    let layout = layout.map_err(io_error)?.overwrite(config.overwrite);
    let mut sink = GeoTiffSink::create(layout).map_err(io_error)?;
    let mut n_changed = 0_u64;
    for row in (0..info.height).step_by(TILE_SIZE) {
        monitor.check()?;
        let rect = PixelRect::new(0, row, info.width, TILE_SIZE.min(info.height - row));
        let (old, new) = (before.read(rect), after.read(rect));
        n_changed += old.iter().zip(&new).filter(|(old, new)| old != new).count() as u64;
        let value = |&id: &u16| if id == UNLABELLED { f32::NAN } else { f32::from(id) };
        let raster = Raster::new(1, rect.width, rect.height, new.iter().map(value).collect());
        sink.write(0, row, &raster).map_err(|error| Notice::error(error.to_string()))?;
    }
    let outputs = sink.finish(&Part { monitor, from: 0.7, to: 1.0, what: "" }).map_err(io_error)?;
    let classes = scheme.classes.iter().map(|class| {
        let n = |counts: &BTreeMap<ClassId, u64>| counts.get(&class.id).copied().unwrap_or(0);
        json_row(class, n(&counts.0), n(&counts.1))
    });
    let facts = Facts::default()
        .with("changed_px", n_changed)
        .with("classes", classes.collect::<Vec<_>>())
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

fn json_row(class: &Class, before: u64, after: u64) -> serde_json::Value {
    serde_json::json!({ "id": class.id, "name": class.name, "pixels_before": before, "pixels": after })
}

fn filters(config: &SieveConfig) -> Result<Vec<LabelFilter>, JobError> {
    let mut filters = Vec::new();
    if config.min_size > 1 {
        let connectivity = match config.connectivity {
            Connectivity::Four => label::Connectivity::Four,
            Connectivity::Eight => label::Connectivity::Eight,
        };
        filters.push(LabelFilter::Sieve { min_px: config.min_size, connectivity });
    }
    if config.majority > 1 {
        if config.majority.is_multiple_of(2) {
            let text = format!("a majority filter has an odd side, not {}", config.majority);
            return Err(Notice::error(text).into());
        }
        filters.push(LabelFilter::Majority { size_px: config.majority });
    }
    if filters.is_empty() {
        let next_step =
            "Say how small is too small (--min-size PX), or how large a neighbourhood votes (--majority PX)";
        return Err(Notice::error("there is nothing to do").next_step(next_step).into());
    }
    Ok(filters)
}

/// Every value is a class, 0 as well; only nodata is none.
fn read(source: &mut GdalSource, monitor: &dyn Monitor) -> Result<LabelLayer, JobError> {
    let info = source.info().clone();
    if info.n_bands() != 1 {
        let text = format!("a class map has one band, this raster has {}", info.n_bands());
        return Err(Notice::error(format!("{text}: {}", info.path.display())).into());
    }
    let mut layer = LabelLayer::new(info.width, info.height);
    // Most tiles of large maps hold one class only.
    let mut uniform: BTreeMap<u16, Arc<LabelTile>> = BTreeMap::new();
    for row in (0..info.height).step_by(TILE_SIZE) {
        monitor.check()?;
        monitor.progress(row as f32 / info.height as f32, "");
        let rect = PixelRect::new(0, row, info.width, TILE_SIZE.min(info.height - row));
        let raster = source.read_window(rect, &[0]).map_err(|error| Notice::error(error.to_string()))?;
        for tile_col in 0..info.width.div_ceil(TILE_SIZE) {
            let pos = TilePos { col: tile_col as u32, row: (row / TILE_SIZE) as u32 };
            let cols = tile_col * TILE_SIZE..((tile_col + 1) * TILE_SIZE).min(info.width);
            let mut tile = LabelTile::empty();
            for line in 0..rect.height {
                let values = &raster.band(0)[line * info.width..][cols.clone()];
                let ids = &mut tile.ids_mut()[line * TILE_SIZE..][..cols.len()];
                for (id, &value) in ids.iter_mut().zip(values).filter(|(_, value)| !value.is_nan()) {
                    *id = class_of(value).ok_or_else(|| {
                        let text = format!("{value} in row {} is no class id (0 to 65534)", row + line);
                        Notice::error(format!("{text}: {}", info.path.display()))
                    })?;
                }
            }
            let tile = match tile.uniform() {
                Some(id) => Arc::clone(uniform.entry(id).or_insert_with(|| Arc::new(tile))),
                None => Arc::new(tile),
            };
            layer.set_tile(pos, Some(tile));
        }
    }
    Ok(layer)
}

fn class_of(value: f32) -> Option<u16> {
    (value.fract() == 0.0 && (0.0..f32::from(UNLABELLED)).contains(&value)).then_some(value as u16)
}

/// Classes with a name or a pixel, in the map's colours.
fn scheme(of_map: &ClassScheme, counts: &BTreeMap<ClassId, u64>) -> ClassScheme {
    let named = |class: &&Class| class.name != format!("Class {}", class.id.0) || counts.contains_key(&class.id);
    let mut classes: Vec<Class> = of_map.classes.iter().filter(named).cloned().collect();
    let missing = counts.keys().filter(|id| of_map.get(**id).is_none());
    classes.extend(missing.map(|id| Class::numbered(id.0)));
    classes.sort_by_key(|class| class.id);
    ClassScheme { classes }
}
