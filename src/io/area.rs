//! How large a pixel is on the ground.
//!
//! On degrees the area between two parallels is exact on the ellipsoid (Snyder 1987,
//! *Map Projections*, eq. 3-12). On projected systems it is the plane area in metres, as long
//! as that is right to 1 % all over the raster; on others (Web Mercator, polar stereographic
//! far from its parallel) it is the ellipsoid's area, interpolated between 33 × 33 places.
//! Without a CRS it is the number of pixels.

use std::collections::BTreeMap;

use gdal::spatial_ref::{AxisMappingStrategy, CoordTransform};
use nunatak_domain::class::ClassId;
use nunatak_domain::geo::{Crs, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::label::{LabelLayer, UNLABELLED};
use nunatak_domain::scene::SceneInfo;
use serde::Serialize;

use crate::crs::gdal_from_crs;
use crate::polygon::Span;

/// Where plane area differs by less, it is taken: people expect 900 m² of a 30 m pixel.
const TOLERATED: f64 = 0.01;
const LATTICE: usize = 33;

/// The unit and origin of areas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaKind {
    /// Square pixels: there is no CRS.
    Pixels,
    /// Square metres in the plane of the CRS.
    Planar,
    /// Square metres on the ellipsoid.
    Ellipsoid,
}

/// Areas of the pixels of one raster.
pub(crate) struct PixelArea {
    measure: Measure,
}

enum Measure {
    Pixels,
    Planar(f64),
    /// One value per row.
    Rows(Vec<f64>),
    Lattice {
        values: Vec<f64>,
        step_col: f64,
        step_row: f64,
    },
}

/// Area of each class of labels on the grid of `scene`, in the unit that the kind says.
pub fn class_areas(scene: &SceneInfo, labels: &LabelLayer) -> (BTreeMap<ClassId, f64>, AreaKind) {
    let transform = match &scene.georeference {
        Georeference::Affine { transform } => Some(*transform),
        Georeference::None | Georeference::Gcps { .. } => None,
    };
    let area = PixelArea::of(transform.as_ref(), scene.map_crs(), scene.width, scene.height);
    if let Measure::Planar(_) | Measure::Pixels = area.measure {
        let each = area.mean(scene.width, scene.height);
        let areas = labels.counts().into_iter().map(|(class, n)| (class, n as f64 * each)).collect();
        return (areas, area.kind());
    }
    let mut areas = BTreeMap::new();
    for (pos, tile) in labels.tiles() {
        let rect = pos.rect();
        for row in 0..rect.height {
            let mut col = rect.col;
            for run in tile.row(row).chunk_by(|a, b| a == b) {
                if run[0] != UNLABELLED {
                    let span = ((rect.row + row) as i32, col as i32, (col + run.len()) as i32);
                    *areas.entry(ClassId(u32::from(run[0]))).or_default() += area.of_spans(&[span]);
                }
                col += run.len();
            }
        }
    }
    (areas, area.kind())
}

impl PixelArea {
    /// `transform` is `None` for rasters without an affine georeference.
    pub(crate) fn of(transform: Option<&GeoTransform>, crs: Option<&Crs>, width: usize, height: usize) -> Self {
        let (Some(transform), Some(crs)) = (transform, crs) else { return Self { measure: Measure::Pixels } };
        let planar = transform.pixel_area() * crs.metres_per_unit * crs.metres_per_unit;
        let measure = Ellipsoid::of(crs).map_or(Measure::Planar(planar), |ellipsoid| {
            if crs.geographic && transform.axis_aligned() {
                return Measure::Rows((0..height).map(|row| ellipsoid.row_area(transform, row)).collect());
            }
            match ellipsoid.lattice(transform, width, height) {
                Some(values) if crs.geographic || values.iter().any(|v| (v / planar - 1.0).abs() > TOLERATED) => {
                    let step = |n: usize| (n as f64 / (LATTICE - 1) as f64).max(f64::MIN_POSITIVE);
                    Measure::Lattice { values, step_col: step(width), step_row: step(height) }
                }
                _ => Measure::Planar(planar),
            }
        });
        Self { measure }
    }

    pub(crate) fn kind(&self) -> AreaKind {
        match &self.measure {
            Measure::Pixels => AreaKind::Pixels,
            Measure::Planar(_) => AreaKind::Planar,
            Measure::Rows(_) | Measure::Lattice { .. } => AreaKind::Ellipsoid,
        }
    }

    /// The mean over a raster.
    pub(crate) fn mean(&self, width: usize, height: usize) -> f64 {
        if let Measure::Planar(area) = self.measure {
            return area;
        }
        let rows: Vec<Span> = (0..height as i32).map(|row| (row, 0, width as i32)).collect();
        self.of_spans(&rows) / (width * height).max(1) as f64
    }

    /// Area of runs of pixels.
    pub(crate) fn of_spans(&self, spans: &[Span]) -> f64 {
        let n_px = |&(_, from, to): &Span| i64::from(to - from);
        match &self.measure {
            Measure::Pixels => spans.iter().map(n_px).sum::<i64>() as f64,
            // One product, so that a pixel of 30 m is 900 m² to the last digit.
            Measure::Planar(area) => spans.iter().map(n_px).sum::<i64>() as f64 * area,
            Measure::Rows(rows) => {
                spans.iter().map(|span| n_px(span) as f64 * rows.get(span.0 as usize).copied().unwrap_or(0.0)).sum()
            }
            Measure::Lattice { values, step_col, step_row } => spans
                .iter()
                .map(|span| {
                    let middle = 0.5 * (f64::from(span.1) + f64::from(span.2)) / step_col;
                    n_px(span) as f64 * bilinear(values, middle, (f64::from(span.0) + 0.5) / step_row)
                })
                .sum(),
        }
    }
}

fn bilinear(values: &[f64], col: f64, row: f64) -> f64 {
    let low = |at: f64| (at.max(0.0) as usize).min(LATTICE - 2);
    let (c, r) = (low(col), low(row));
    let (fc, fr) = (col - c as f64, row - r as f64);
    let at = |c: usize, r: usize| values[r * LATTICE + c];
    (at(c, r) * (1.0 - fc) + at(c + 1, r) * fc) * (1.0 - fr) + (at(c, r + 1) * (1.0 - fc) + at(c + 1, r + 1) * fc) * fr
}

struct Ellipsoid {
    semi_major: f64,
    eccentricity_squared: f64,
    /// Radians in a unit of a geographic CRS.
    radians_per_unit: f64,
    /// To longitude and latitude in degrees; `None` where the CRS is geographic itself.
    to_degrees: Option<CoordTransform>,
}

impl Ellipsoid {
    fn of(crs: &Crs) -> Option<Self> {
        let source = gdal_from_crs(crs).ok()?;
        let (a, b) = (source.semi_major().ok()?, source.semi_minor().ok()?);
        let mut radians_per_unit = source.angular_units();
        let mut to_degrees = None;
        if !crs.geographic {
            let mut target = source.geog_cs().ok()?;
            target.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
            to_degrees = Some(CoordTransform::new(&source, &target).ok()?);
            radians_per_unit = target.angular_units();
        }
        let eccentricity_squared = 1.0 - (b / a).powi(2);
        (a > 0.0 && (0.0..1.0).contains(&eccentricity_squared)).then_some(Self {
            semi_major: a,
            eccentricity_squared,
            radians_per_unit,
            to_degrees,
        })
    }

    /// Snyder's q: the area of the zone from the equator to a latitude is π·a²·q.
    fn q(&self, latitude: f64) -> f64 {
        let (e2, sin) = (self.eccentricity_squared, latitude.sin());
        if e2 == 0.0 {
            return 2.0 * sin;
        }
        let e = e2.sqrt();
        (1.0 - e2) * (sin / (1.0 - e2 * sin * sin) - ((1.0 - e * sin) / (1.0 + e * sin)).ln() / (2.0 * e))
    }

    /// A pixel of `row` of a north-up raster in degrees.
    fn row_area(&self, transform: &GeoTransform, row: usize) -> f64 {
        let latitude = |row: usize| (transform.0[3] + transform.0[5] * row as f64) * self.radians_per_unit;
        let width = (transform.0[1] * self.radians_per_unit).abs();
        let limit = std::f64::consts::FRAC_PI_2;
        let q = |row: usize| self.q(latitude(row).clamp(-limit, limit));
        0.5 * self.semi_major * self.semi_major * width * (q(row + 1) - q(row)).abs()
    }

    /// Areas of pixels at `LATTICE`² places of a raster; `None` where one of them cannot be transformed.
    fn lattice(&self, transform: &GeoTransform, width: usize, height: usize) -> Option<Vec<f64>> {
        let mut values = Vec::with_capacity(LATTICE * LATTICE);
        for row in 0..LATTICE {
            for col in 0..LATTICE {
                let share = |index: usize, n: usize| index as f64 / (LATTICE - 1) as f64 * n as f64;
                let (c, r) = (share(col, width), share(row, height));
                let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
                    .map(|(dc, dr)| transform.geo_from_pixel(PixelPos::new(c + dc, r + dr)));
                values.push(self.quad_area(corners)?);
            }
        }
        Some(values)
    }

    fn quad_area(&self, corners: [GeoPos; 4]) -> Option<f64> {
        let (mut x, mut y) = (corners.map(|corner| corner.x), corners.map(|corner| corner.y));
        if let Some(transform) = &self.to_degrees {
            transform.transform_coords(&mut x, &mut y, &mut []).ok()?;
        }
        let turn = std::f64::consts::TAU;
        let longitude = x.map(|degrees| {
            let from_first = (degrees - x[0]) * self.radians_per_unit;
            from_first - (from_first / turn).round() * turn
        });
        let q = y.map(|degrees| self.q(degrees * self.radians_per_unit));
        let doubled: f64 = (0..4).map(|i| longitude[i] * q[(i + 1) % 4] - longitude[(i + 1) % 4] * q[i]).sum();
        let area = 0.25 * self.semi_major * self.semi_major * doubled.abs();
        area.is_finite().then_some(area)
    }
}

#[cfg(test)]
mod tests {
    use gdal::spatial_ref::SpatialRef;

    use super::*;

    fn crs(epsg: u32) -> Crs {
        let spatial_ref = SpatialRef::from_epsg(epsg).unwrap();
        let geographic = spatial_ref.is_geographic();
        Crs {
            wkt: spatial_ref.to_wkt().unwrap(),
            name: String::new(),
            code: None,
            geographic,
            metres_per_unit: if geographic { 111_319.49 } else { 1.0 },
        }
    }

    #[test]
    fn degrees_cover_the_whole_earth() {
        let transform = GeoTransform([-180.0, 1.0, 0.0, 90.0, 0.0, -1.0]);
        let area = PixelArea::of(Some(&transform), Some(&crs(4326)), 360, 180);
        let earth: Vec<_> = (0..180).map(|row| (row, 0, 360)).collect();

        // Area of the WGS 84 ellipsoid in m² (Moritz 2000: mean radius of equal area 6371007.1809 m).
        let expected = 4.0 * std::f64::consts::PI * 6_371_007.180_9_f64.powi(2);
        assert!((area.of_spans(&earth) / expected - 1.0).abs() < 1e-9);
        assert_eq!(area.kind(), AreaKind::Ellipsoid);
    }

    #[test]
    fn a_pixel_of_utm_has_its_plane_area() {
        let transform = GeoTransform([380_952.0, 30.0, 0.0, 5_820_372.0, 0.0, -30.0]);
        let area = PixelArea::of(Some(&transform), Some(&crs(32633)), 220, 400);

        assert_eq!((area.kind(), area.of_spans(&[(0, 0, 1)])), (AreaKind::Planar, 900.0));
    }

    #[test]
    fn web_mercator_is_measured_on_the_ellipsoid() {
        // 60 degrees north: a pixel of 100 m in the plane is about 50 m wide on the ground.
        let transform = GeoTransform([0.0, 100.0, 0.0, 8_399_737.9, 0.0, -100.0]);
        let area = PixelArea::of(Some(&transform), Some(&crs(3857)), 10, 10).of_spans(&[(0, 0, 1)]);

        assert!((area - 2_500.0).abs() < 40.0, "{area} m²");
    }

    #[test]
    fn without_a_crs_pixels_are_counted() {
        let area = PixelArea::of(None, None, 10, 10);
        assert_eq!((area.kind(), area.of_spans(&[(0, 0, 4), (1, 2, 5)])), (AreaKind::Pixels, 7.0));
    }
}
