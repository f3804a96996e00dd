//! `info` and `devices`: what a session finds out about rasters, models and adapters.

use std::path::PathBuf;

use nunatak_app::Command;
use nunatak_domain::geo::{GeoPos, PixelPos};
use nunatak_domain::job::DeviceChoice;
use nunatak_domain::scene::SceneInfo;
use serde_json::{Value, json};

use crate::args::{GlobalArgs, InfoArgs};
use crate::report::{self, LON_LAT};
use crate::run::{Headless, Stop};
use crate::table::Table;
use crate::values::FileKind;

pub(crate) fn info(args: InfoArgs, global: GlobalArgs) -> Result<(), Stop> {
    match args.raster {
        Some(path) if FileKind::of(&path) == FileKind::Model => model_info(path, global),
        Some(path) => raster_info(path, args.stats, global),
        None => devices(global),
    }
}

fn raster_info(path: PathBuf, statistics: bool, global: GlobalArgs) -> Result<(), Stop> {
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    let command = Command::Info { path, statistics };
    let asked = json!(command);
    let mut reports = headless.run(command)?;
    for report in &mut reports {
        let known = report.facts.iter().any(|(name, _)| name == LON_LAT);
        let extent = report.info.as_ref().filter(|_| !known).and_then(|info| lon_lat_extent(&mut headless, info));
        report.facts.extend(extent.map(|extent| (LON_LAT.to_owned(), json!(extent))));
    }
    report::print(&headless.screen, None, &asked, &reports);
    Ok(())
}

/// West, south, east, north of a raster in degrees; west is greater than east where the
/// raster crosses the antimeridian. Opens the raster as a scene where its coordinates are
/// not degrees already, so remote ones are left out.
fn lon_lat_extent(headless: &mut Headless, info: &SceneInfo) -> Option<[f64; 4]> {
    let crs = info.map_crs()?;
    let places = places_over(info);
    if crs.code.as_deref() == Some("EPSG:4326") {
        return extent_of(places.map(|place| (place.x, place.y)));
    }
    if info.path.to_string_lossy().starts_with("/vsi") {
        return None;
    }
    headless.silently(Command::OpenScene { path: info.path.clone() }).ok()?;
    extent_of(places.filter_map(|place| headless.session.lon_lat(place)))
}

/// A grid of positions over a raster, its corners among them.
fn places_over(info: &SceneInfo) -> impl Iterator<Item = GeoPos> {
    const STEPS: u32 = 16;
    let (transform, width, height) = (info.map_transform(), info.width as f64, info.height as f64);
    let at = |i: u32| f64::from(i) / f64::from(STEPS);
    (0..=STEPS)
        .flat_map(move |row| (0..=STEPS).map(move |col| PixelPos::new(at(col) * width, at(row) * height)))
        .map(move |pixel| transform.geo_from_pixel(pixel))
}

/// The box around longitudes and latitudes: east and west of the widest gap on the circle of
/// longitudes. Without a wide gap (the whole earth, or a pole) it is the full circle.
fn extent_of(places: impl Iterator<Item = (f64, f64)>) -> Option<[f64; 4]> {
    const WIDE: f64 = 45.0;
    let wrapped =
        |lon: f64| if (-180.0..=180.0).contains(&lon) { lon } else { (lon + 180.0).rem_euclid(360.0) - 180.0 };
    let (mut lons, lats): (Vec<f64>, Vec<f64>) =
        places.filter(|(lon, lat)| lon.is_finite() && lat.is_finite()).map(|(lon, lat)| (wrapped(lon), lat)).unzip();
    lons.sort_by(f64::total_cmp);
    let (first, last) = (*lons.first()?, *lons.last()?);
    let around = (last, first, first + 360.0 - last);
    let gaps = lons.windows(2).map(|pair| (pair[0], pair[1], pair[1] - pair[0]));
    let (east, west, gap) = gaps.chain([around]).max_by(|a, b| a.2.total_cmp(&b.2))?;
    let south = lats.iter().copied().fold(f64::INFINITY, f64::min);
    let north = lats.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(if gap < WIDE { [-180.0, south, 180.0, north] } else { [west, south, east, north] })
}

fn model_info(path: PathBuf, global: GlobalArgs) -> Result<(), Stop> {
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    headless.silently(Command::OpenModel { path }).map_err(|errors| {
        errors.iter().for_each(|notice| headless.screen.notice(notice));
        Stop::Failed
    })?;
    let Some(model) = headless.session.model() else {
        headless.screen.error("the file was read but gave no model");
        return Err(Stop::Failed);
    };
    let text = if global.json { report::pretty(&report::model_json(model)) } else { report::model_text(model) };
    headless.screen.result(&text);
    Ok(())
}

/// What each choice of `--device` computes on here.
pub(crate) fn devices(global: GlobalArgs) -> Result<(), Stop> {
    const MOST: usize = 64;
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    let choices = [DeviceChoice::Auto, DeviceChoice::Cpu].into_iter();
    let mut found = Vec::new();
    for choice in choices.chain((0..MOST).map(|n| DeviceChoice::Gpu(Some(n)))) {
        match headless.silently(Command::SetDevice { device: choice }) {
            Ok(()) => found.push((choice, headless.session.device())),
            // The session refuses numbers beyond the last adapter with this sentence.
            Err(errors) if errors.iter().any(|notice| notice.text.contains("there is no adapter")) => break,
            Err(errors) => {
                let why = errors.first().map(|notice| notice.text.clone()).unwrap_or_default();
                found.push((choice, format!("not usable: {why}")));
            }
        }
    }
    let text = if global.json {
        let list = found.iter().map(|(choice, name)| json!({ "device": choice, "name": name }));
        report::pretty(&Value::Array(list.collect()))
    } else {
        let mut table = Table::new(["Device", "Computes on"]);
        found.iter().for_each(|(choice, name)| table.row([choice.to_string(), name.clone()]));
        table.text(0)
    };
    headless.screen.result(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(places: &[(f64, f64)]) -> Option<[f64; 4]> {
        extent_of(places.iter().copied())
    }

    #[test]
    fn an_extent_is_the_narrower_way_around_the_globe() {
        assert_eq!(extent(&[(-76.7, 34.6), (-76.6, 34.7)]), Some([-76.7, 34.6, -76.6, 34.7]));
        assert_eq!(extent(&[(179.0, -17.0), (-179.5, -16.0)]), Some([179.0, -17.0, -179.5, -16.0]));
        assert_eq!(extent(&[(200.0, 59.0), (201.0, 60.0)]), Some([-160.0, 59.0, -159.0, 60.0]));
        assert_eq!(extent(&[(f64::NAN, 0.0)]), None);
    }

    #[test]
    fn a_pole_or_the_whole_earth_is_the_full_circle() {
        let around: Vec<(f64, f64)> = (0..36).map(|n| (f64::from(n) * 10.0, -89.5)).chain([(0.0, -90.0)]).collect();
        assert_eq!(extent(&around), Some([-180.0, -90.0, 180.0, -89.5]));
    }
}
