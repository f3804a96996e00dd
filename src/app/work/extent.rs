//! Where a raster lies on the earth, in degrees.

use nunatak_domain::geo::{GeoPos, PixelPos};
use nunatak_domain::scene::SceneInfo;
use nunatak_io::{Transformer, wgs84};

/// West, south, east, north of a raster in degrees (WGS 84); west is greater than east where it
/// crosses the antimeridian. `None` without a georeference that PROJ can carry there.
pub(super) fn lon_lat_extent(info: &SceneInfo) -> Option<[f64; 4]> {
    let degrees = Transformer::new(info.map_crs()?, &wgs84()).ok()?;
    let mut places: Vec<GeoPos> = places_over(info).collect();
    degrees.points(&mut places);
    extent_of(places.into_iter().map(|place| (place.x, place.y)))
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
