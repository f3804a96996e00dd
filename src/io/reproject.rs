//! From one coordinate system to another, through the PROJ that GDAL uses.
//!
//! Why not PROJ's own crate: docs/decisions/0002-proj.md.
//! Invariant: x is east (or longitude) and y north (or latitude), whatever the authority prefers.

use gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};
use nunatak_domain::geo::{Crs, GeoBounds, GeoPos};

use crate::crs::{crs_from_gdal, gdal_from_crs};
use crate::error::{IoError, gdal_reason};
use crate::library::with_messages;
use crate::raw::{self, Movable};

/// Carries positions from one CRS to another, for one thread at a time. Making one takes 5 to
/// 60 ms, for PROJ asks its database.
pub struct Transformer {
    /// `None` where both systems are the same and positions stay as they are.
    transform: Option<Movable>,
    /// The CRS that positions are given in.
    pub from: Crs,
    /// The CRS that they are carried to.
    pub to: Crs,
    /// After how many units the x of `to` begins again, where it does.
    pub period: Option<f64>,
}

impl Transformer {
    /// # Errors
    /// One of the systems is unknown, or no operation leads from one to the other.
    pub fn new(from: &Crs, to: &Crs) -> Result<Self, IoError> {
        let transform = if same_crs(from, to) {
            None
        } else {
            let (from_gdal, to_gdal) = (horizontal(from)?, horizontal(to)?);
            let (transform, _) = with_messages(|| CoordTransform::new(&from_gdal, &to_gdal));
            Some(Movable(transform.map_err(|error| no_operation(from, to, &gdal_reason(&error)))?))
        };
        Ok(Self { transform, from: from.clone(), to: to.clone(), period: x_period(to) })
    }

    /// The systems are the same: nothing is done.
    pub fn identity(&self) -> bool {
        self.transform.is_none()
    }

    /// For geometries, which GDAL carries over as a whole; `None` where nothing is done.
    pub(crate) fn for_geometries(&self) -> Option<&CoordTransform> {
        self.transform.as_ref().map(|transform| &transform.0)
    }

    /// `None` where the position has no image.
    pub fn point(&self, pos: GeoPos) -> Option<GeoPos> {
        let mut one = [pos];
        self.points(&mut one);
        (one[0].x.is_finite() && one[0].y.is_finite()).then_some(one[0])
    }

    /// In place; positions without an image become NaN.
    pub fn points(&self, positions: &mut [GeoPos]) {
        let Some(Movable(transform)) = &self.transform else { return };
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = positions.iter().map(|pos| (pos.x, pos.y)).unzip();
        // An error only says that some positions failed; those are infinite.
        let _ = with_messages(|| transform.transform_coords(&mut x, &mut y, &mut []));
        for (pos, (x, y)) in positions.iter_mut().zip(x.into_iter().zip(y)) {
            *pos = if x.is_finite() && y.is_finite() { GeoPos { x, y } } else { NOWHERE };
        }
    }

    /// Bounds around the image of a box, from a grid of positions over it; `None` if no position
    /// has an image.
    pub fn bounds(&self, bounds: GeoBounds) -> Option<GeoBounds> {
        const STEPS: u32 = 16;
        if self.identity() {
            return Some(bounds);
        }
        let at = |i: u32| f64::from(i) / f64::from(STEPS);
        let mut positions: Vec<GeoPos> = (0..=STEPS)
            .flat_map(|row| (0..=STEPS).map(move |col| (at(col), at(row))))
            .map(|(u, v)| GeoPos::new(bounds.min_x + u * bounds.width(), bounds.min_y + v * bounds.height()))
            .collect();
        self.points(&mut positions);
        GeoBounds::around(positions)
    }
}

const NOWHERE: GeoPos = GeoPos { x: f64::NAN, y: f64::NAN };

fn no_operation(from: &Crs, to: &Crs, said: &str) -> IoError {
    // GDAL's message holds both systems in full.
    const READABLE: usize = 200;
    let known = said.len() < READABLE && !said.contains("Cannot find coordinate operations");
    let reason = if known { said.to_owned() } else { "PROJ knows no operation between them".to_owned() };
    IoError::Transform { from: from.short_name().to_owned(), to: to.short_name().to_owned(), reason }
}

fn horizontal(crs: &Crs) -> Result<SpatialRef, IoError> {
    let mut flat = raw::horizontal(&gdal_from_crs(crs)?);
    flat.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(flat)
}

/// Both mean the same system on the ground, however they are written; heights do not count.
pub fn same_crs(a: &Crs, b: &Crs) -> bool {
    if a.wkt == b.wkt || (a.code.is_some() && a.code == b.code) {
        return true;
    }
    match (horizontal(a), horizontal(b)) {
        (Ok(a), Ok(b)) => with_messages(|| raw::same(&a, &b)).0,
        _ => false,
    }
}

/// After how many units x begins again at the same meridian: a full turn of longitudes, the
/// world's width of cylindrical projections. `None` for all other systems.
pub fn x_period(crs: &Crs) -> Option<f64> {
    /// As WKT 1 and WKT 2 name them.
    const CYLINDRICAL: [&str; 6] =
        ["mercator_1sp", "mercator_2sp", "mercator (variant", "pseudo", "equirectangular", "cylindrical"];
    let wkt = crs.wkt.to_ascii_lowercase();
    let method = wkt.split_once("projection[\"").or_else(|| wkt.split_once("method[\""));
    let method = method.and_then(|(_, rest)| rest.split('"').next());
    let cylindrical = |method: &str| {
        CYLINDRICAL.iter().any(|name| method.contains(name))
            && !["transverse", "oblique"].iter().any(|name| method.contains(name))
    };
    if !crs.geographic && !method.is_some_and(cylindrical) {
        return None;
    }
    let reference = horizontal(crs).ok()?;
    if crs.geographic {
        let turn = std::f64::consts::TAU / reference.angular_units();
        // 360, not 359.99999999999994.
        return Some((turn * 1e6).round() / 1e6);
    }
    let measure = || {
        let mut degrees = reference.geog_cs().ok()?;
        degrees.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
        let sixth = std::f64::consts::FRAC_PI_3 / degrees.angular_units();
        let mut x: [f64; 6] = std::array::from_fn(|i| (i as f64 - 2.0) * sixth);
        let mut y = [0.0; 6];
        CoordTransform::new(&degrees, &reference).ok()?.transform_coords(&mut x, &mut y, &mut []).ok()?;
        // x is linear in longitude; one of the five steps may go across the edge of the map.
        let mut steps: [f64; 5] = std::array::from_fn(|i| x[i + 1] - x[i]);
        steps.sort_by(f64::total_cmp);
        Some(6.0 * steps[2]).filter(|period| period.is_finite() && *period > 0.0)
    };
    with_messages(measure).0
}

/// Longitude and latitude in degrees on WGS 84.
pub fn wgs84() -> Crs {
    Crs {
        wkt: concat!(
            r#"GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],"#,
            r#"AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],"#,
            r#"UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],"#,
            r#"AUTHORITY["EPSG","4326"]]"#
        )
        .to_owned(),
        name: "WGS 84".to_owned(),
        code: Some("EPSG:4326".to_owned()),
        geographic: true,
        metres_per_unit: 6_378_137.0 * std::f64::consts::PI / 180.0,
    }
}

/// A CRS as people write it: `EPSG:32647`, `32647`, a PROJ string, WKT, a PROJJSON text.
///
/// # Errors
/// Nothing known is meant.
pub fn crs_from_user(text: &str) -> Result<Crs, IoError> {
    let text = text.trim();
    // GDAL would also open files and fetch addresses.
    if text.is_empty() || text.contains("://") || std::path::Path::new(text).is_file() {
        return Err(IoError::Crs(format!("`{text}`; write for example EPSG:32647")));
    }
    let definition =
        if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("EPSG:{text}") } else { text.to_owned() };
    let (reference, _) = with_messages(|| SpatialRef::from_definition(&definition));
    reference
        .ok()
        .and_then(|reference| crs_from_gdal(&reference))
        .ok_or_else(|| IoError::Crs(format!("`{text}`; write for example EPSG:32647")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crs(text: &str) -> Crs {
        crs_from_user(text).expect("a known system")
    }

    /// Expected values: PROJ 9.6.2 through its own Rust crate.
    #[test]
    fn numbers_are_those_of_another_proj() {
        let cases = [
            ("EPSG:32647", "EPSG:4326", (301_234.0, 3_224_101.0), (96.956_949_827_231_03, 29.129_880_898_513_26)),
            ("EPSG:4326", "EPSG:32647", (96.9, 29.1), (295_633.032_630_496_54, 3_220_886.795_900_62)),
            ("EPSG:4326", "EPSG:3857", (13.4, 52.5), (1_491_681.176_629_865_8, 6_891_041.723_891_586)),
            ("EPSG:32633", "EPSG:3035", (380_000.0, 5_975_000.0), (4_529_494.365_158_904, 3_427_055.829_210_597)),
            ("EPSG:3413", "EPSG:4326", (-150_000.0, -2_200_000.0), (-48.900_493_742_381_89, 69.846_039_628_295_64)),
            ("EPSG:3031", "EPSG:3857", (500_000.0, -1_300_000.0), (17_695_623.327_881_407, -13_969_793.894_290_376)),
            ("EPSG:2263", "EPSG:26918", (987_000.0, 210_000.0), (585_265.787_402_529_7, 4_510_727.365_777_018_5)),
            ("EPSG:2193", "EPSG:4326", (1_600_000.0, 5_400_000.0), (173.0, -41.551_664_523_452_835)),
        ];
        for (from, to, (x, y), expected) in cases {
            let transformer = Transformer::new(&crs(from), &crs(to)).expect("a transformation");
            let found = transformer.point(GeoPos { x, y }).expect("an image");
            // A micrometre; degrees are scaled to it.
            let off_m = (found.x - expected.0).hypot(found.y - expected.1) * transformer.to.metres_per_unit;
            assert!(off_m < 1e-6, "{from} to {to}: {found:?}, {off_m} m off");
        }
    }

    #[test]
    fn x_is_east_whatever_the_authority_prefers() {
        let position =
            Transformer::new(&crs("EPSG:32647"), &wgs84()).expect("known").point(GeoPos::new(500_000.0, 0.0));
        let position = position.expect("an image");
        assert!((position.x - 99.0).abs() < 1e-9 && position.y.abs() < 1e-9, "{position:?}");
    }

    #[test]
    fn systems_are_compared_by_meaning() {
        let utm = crs("EPSG:32633");
        let by_hand = crs("+proj=utm +zone=33 +datum=WGS84 +units=m");
        assert!(utm.wkt != by_hand.wkt && same_crs(&utm, &by_hand));
        assert!(same_crs(&wgs84(), &crs("OGC:CRS84")) && same_crs(&wgs84(), &crs("EPSG:4326")));
        assert!(!same_crs(&utm, &crs("EPSG:32634")) && !same_crs(&utm, &wgs84()));
        assert!(same_crs(&crs("EPSG:32633+5773"), &utm));
    }

    #[test]
    fn positions_without_an_image_are_nan() {
        let transformer = Transformer::new(&wgs84(), &crs("EPSG:3857")).expect("known");
        let mut positions = [GeoPos::new(f64::NAN, 0.0), GeoPos::new(0.0, 90.0), GeoPos::new(10.0, 50.0)];
        transformer.points(&mut positions);
        assert!(positions[0].x.is_nan() && positions[2].x.is_finite());
        assert_eq!(transformer.point(GeoPos::new(f64::INFINITY, 0.0)), None);
    }

    #[test]
    fn systems_of_other_planets_lead_nowhere() {
        let mars = r#"GEOGCS["GCS_MARS",DATUM["D_MARS",SPHEROID["MARS",3396190,169.8944]],PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]]"#;
        let error = Transformer::new(&crs(mars), &crs("EPSG:32633")).err().expect("no way");
        assert_eq!(
            error.to_string(),
            "failed to transform from GCS_MARS to EPSG:32633: PROJ knows no operation between them"
        );
    }

    #[test]
    fn codes_are_found_for_systems_written_without_one() {
        let esri = r#"PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["false_easting",500000.0],PARAMETER["false_northing",0.0],PARAMETER["central_meridian",15.0],PARAMETER["scale_factor",0.9996],PARAMETER["latitude_of_origin",0.0],UNIT["Meter",1.0]]"#;
        assert_eq!(crs(esri).code.as_deref(), Some("EPSG:32633"));
        assert_eq!(crs("32647").code.as_deref(), Some("EPSG:32647"));
        assert!(crs_from_user("EPSG:999999").is_err() && crs_from_user("not a system").is_err());
    }

    #[test]
    fn the_world_begins_again() {
        let period = |text: &str| x_period(&crs(text));
        assert_eq!(period("EPSG:4326"), Some(360.0));
        // The equator of WGS 84: 2π · 6378137 m.
        let equator = 40_075_016.685_578_49;
        for mercator in ["EPSG:3857", "EPSG:3832", "EPSG:3395", "EPSG:4087"] {
            let found = period(mercator).expect("cylindrical");
            assert!((found - equator).abs() < 1e-3, "{mercator}: {found}");
        }
        // Equal area, true at 30°: cos 30° / √(1 − e² sin² 30°) of it.
        let narrower = period("EPSG:6933").expect("cylindrical");
        assert!((narrower - 34_735_060.0).abs() < 5000.0, "{narrower}");
        for other in ["EPSG:32660", "EPSG:3413", "EPSG:3035", "EPSG:2193", "EPSG:3375"] {
            assert_eq!(period(other), None, "{other}");
        }
    }

    #[test]
    fn a_unit_is_so_many_metres() {
        assert_eq!(crs("EPSG:32633").metres_per_unit, 1.0);
        assert!((crs("EPSG:2263").metres_per_unit - 0.304_800_609_6).abs() < 1e-9);
        assert!((crs("EPSG:4326").metres_per_unit - 111_319.49).abs() < 0.01);
    }
}
