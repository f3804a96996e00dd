//! Where a coordinate system is meant to be used, from PROJ's database through the `proj`
//! crate: what GDAL's bindings do not tell. Transforms are `reproject`'s.

use nunatak_domain::geo::{Crs, GeoPos};
use proj::Proj;

/// Systems serve a little beyond their area (neighbouring UTM zones, scenes across the
/// equator with northern coordinates); further out something is wrong.
const SLACK_DEGREES: f64 = 10.0;

/// One sentence if a place (WGS 84, degrees) is far from where `crs` is meant to be used;
/// `None` where that is not known.
pub(crate) fn remark_outside(crs: &Crs, lon_lat: GeoPos) -> Option<String> {
    let code = crs.code.as_deref()?;
    let (area, name) = Proj::new(code).ok()?.area_of_use().ok()?;
    let area = area?;
    let lat_fits = (area.south - SLACK_DEGREES..=area.north + SLACK_DEGREES).contains(&lon_lat.y);
    // An area across 180° has its west east of its east.
    let width = (area.east - area.west).rem_euclid(360.0);
    let width = if width == 0.0 { 360.0 } else { width };
    let from_west = (lon_lat.x - (area.west - SLACK_DEGREES)).rem_euclid(360.0);
    if lat_fits && from_west <= width + 2.0 * SLACK_DEGREES {
        return None;
    }
    let place = name.map(|name| format!(" ({})", name.trim_end_matches('.'))).unwrap_or_default();
    Some(format!(
        "the scene lies at {:.1}° N {:.1}° E, outside of the area {code} is meant for{place}: is it the right system?",
        lon_lat.y, lon_lat.x
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproject::crs_from_user;

    fn remark(code: &str, lon: f64, lat: f64) -> Option<String> {
        remark_outside(&crs_from_user(code).expect("a known code"), GeoPos::new(lon, lat))
    }

    #[test]
    fn a_scene_in_its_zone_or_near_it_is_fine() {
        assert_eq!(remark("EPSG:32618", -76.6, 34.7), None);
        assert_eq!(remark("EPSG:32622", -51.0, -4.0), None, "northern coordinates just south of the equator");
        assert_eq!(remark("EPSG:3857", 179.0, -40.0), None);
        assert_eq!(remark("EPSG:2193", -178.0, -40.0), None, "New Zealand, across 180°");
    }

    #[test]
    fn a_scene_in_another_part_of_the_world_is_named() {
        let text = remark("EPSG:32618", 95.0, 29.0).expect("Tibet is not in zone 18");
        assert!(text.contains("EPSG:32618") && text.contains("95.0° E"), "{text}");
        assert!(remark("EPSG:27700", -71.0, -33.0).is_some(), "Chile is not in Great Britain");
    }
}
