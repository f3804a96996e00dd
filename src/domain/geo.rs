//! Where pixels lie on the earth: coordinate systems, affine transforms, bounds.
//!
//! Nothing here projects: transforming between two CRS is `io::reproject`.

use serde::{Deserialize, Serialize};

/// A place on a raster, in pixels; `(0.0, 0.0)` is the outer corner of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelPos {
    pub col: f64,
    pub row: f64,
}

/// A place in the units of some CRS (metres, degrees, feet), `x` east and `y` north
/// whatever axis order the authority prefers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoPos {
    pub x: f64,
    pub y: f64,
}

impl PixelPos {
    pub const fn new(col: f64, row: f64) -> Self {
        Self { col, row }
    }
}

impl GeoPos {
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }
}

/// A coordinate reference system as the program passes it around: WKT for the
/// libraries, a name and a code for people.
///
/// Two values that are equal here are the same system, but the same system may
/// be written in two ways; compare by meaning with `io::reproject::same_crs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crs {
    /// WKT 2 or WKT 1, as GDAL wrote it.
    pub wkt: String,
    /// For people, for example `WGS 84 / UTM zone 47N`.
    pub name: String,
    /// Authority and code where known, for example `EPSG:32647`.
    pub code: Option<String>,
    /// Coordinates are degrees of longitude and latitude.
    pub geographic: bool,
    /// One unit of the CRS in metres (1.0 for metres); for geographic CRS the
    /// length of a degree on the equator.
    pub metres_per_unit: f64,
}

impl Crs {
    /// The code if there is one, else the name.
    pub fn short_name(&self) -> &str {
        self.code.as_deref().unwrap_or(&self.name)
    }
}

/// The affine map from pixels to a CRS, coefficients in GDAL's order:
/// `x = c0 + c1·col + c2·row`, `y = c3 + c4·col + c5·row`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoTransform(pub [f64; 6]);

impl GeoTransform {
    /// Pixel coordinates with `y` pointing up, for rasters without georeference.
    pub const PIXELS: Self = Self([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]);

    pub fn geo_from_pixel(&self, pos: PixelPos) -> GeoPos {
        let c = &self.0;
        GeoPos { x: c[0] + c[1] * pos.col + c[2] * pos.row, y: c[3] + c[4] * pos.col + c[5] * pos.row }
    }

    /// `None` where the transform cannot be inverted (a pixel of no area).
    pub fn pixel_from_geo(&self, pos: GeoPos) -> Option<PixelPos> {
        let c = &self.0;
        let determinant = self.determinant();
        if determinant == 0.0 || !determinant.is_finite() {
            return None;
        }
        let (dx, dy) = (pos.x - c[0], pos.y - c[3]);
        Some(PixelPos { col: (c[5] * dx - c[2] * dy) / determinant, row: (c[1] * dy - c[4] * dx) / determinant })
    }

    /// Rows and columns run along the axes of the CRS: no rotation, no shear.
    pub fn axis_aligned(&self) -> bool {
        self.0[2] == 0.0 && self.0[4] == 0.0
    }

    /// Width and height of a pixel in units of the CRS, both positive.
    pub fn pixel_size(&self) -> (f64, f64) {
        (self.0[1].hypot(self.0[4]), self.0[2].hypot(self.0[5]))
    }

    /// Area of a pixel in square units of the CRS.
    pub fn pixel_area(&self) -> f64 {
        self.determinant().abs()
    }

    /// The transform of a window that starts at `(col, row)` and whose pixels are
    /// `step` times as large.
    pub fn window(&self, col: f64, row: f64, step_col: f64, step_row: f64) -> Self {
        let origin = self.geo_from_pixel(PixelPos { col, row });
        let c = &self.0;
        Self([origin.x, c[1] * step_col, c[2] * step_row, origin.y, c[4] * step_col, c[5] * step_row])
    }

    /// Bounds of a raster of `width` × `height` pixels.
    pub fn bounds(&self, width: usize, height: usize) -> GeoBounds {
        let (w, h) = (width as f64, height as f64);
        GeoBounds::around(
            [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].map(|(col, row)| self.geo_from_pixel(PixelPos { col, row })),
        )
        .unwrap_or_default()
    }

    fn determinant(&self) -> f64 {
        self.0[1] * self.0[5] - self.0[2] * self.0[4]
    }
}

/// An axis-aligned box in units of a CRS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeoBounds {
    pub min_x: f64,
    pub min_y: f64,
    pub max_x: f64,
    pub max_y: f64,
}

impl GeoBounds {
    /// The smallest box around all finite positions; `None` if there is none.
    pub fn around(positions: impl IntoIterator<Item = GeoPos>) -> Option<Self> {
        positions.into_iter().filter(|pos| pos.x.is_finite() && pos.y.is_finite()).fold(None, |bounds, pos| {
            let b: Self = bounds.unwrap_or(Self { min_x: pos.x, min_y: pos.y, max_x: pos.x, max_y: pos.y });
            Some(Self {
                min_x: b.min_x.min(pos.x),
                min_y: b.min_y.min(pos.y),
                max_x: b.max_x.max(pos.x),
                max_y: b.max_y.max(pos.y),
            })
        })
    }

    pub fn width(&self) -> f64 {
        self.max_x - self.min_x
    }

    pub fn height(&self) -> f64 {
        self.max_y - self.min_y
    }

    pub fn center(&self) -> GeoPos {
        GeoPos { x: 0.5 * (self.min_x + self.max_x), y: 0.5 * (self.min_y + self.max_y) }
    }

    pub fn contains(&self, pos: GeoPos) -> bool {
        (self.min_x..=self.max_x).contains(&pos.x) && (self.min_y..=self.max_y).contains(&pos.y)
    }

    pub fn intersects(&self, other: &Self) -> bool {
        self.min_x <= other.max_x && other.min_x <= self.max_x && self.min_y <= other.max_y && other.min_y <= self.max_y
    }

    pub fn union(&self, other: &Self) -> Self {
        Self {
            min_x: self.min_x.min(other.min_x),
            min_y: self.min_y.min(other.min_y),
            max_x: self.max_x.max(other.max_x),
            max_y: self.max_y.max(other.max_y),
        }
    }
}

/// How a raster is tied to the earth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Georeference {
    /// Nothing is stated: the map shows pixels.
    None,
    /// An affine transform into `SceneInfo::crs` (or into unknown units where that is `None`).
    Affine { transform: GeoTransform },
    /// Ground control points only. The map shows pixels; `gdalwarp` makes a map of it.
    Gcps { points: Vec<Gcp>, crs: Option<Crs> },
}

/// A ground control point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gcp {
    pub pixel: PixelPos,
    pub geo: GeoPos,
    pub z: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pixel_geo_pixel_is_identity(
            x in -1e7..1e7f64, y in -1e7..1e7f64, size in 0.01..1e3f64, angle in 0.0..std::f64::consts::TAU,
            col in 0.0..1e5f64, row in 0.0..1e5f64,
        ) {
            let transform = GeoTransform([x, size * angle.cos(), size * angle.sin(), y, size * angle.sin(), -size * angle.cos()]);

            let back = transform.pixel_from_geo(transform.geo_from_pixel(PixelPos { col, row })).expect("invertible");

            prop_assert!((back.col - col).abs() < 1e-4 && (back.row - row).abs() < 1e-4);
        }
    }

    #[test]
    fn a_pixel_without_area_has_no_inverse() {
        assert_eq!(GeoTransform([0.0; 6]).pixel_from_geo(GeoPos { x: 1.0, y: 1.0 }), None);
    }

    #[test]
    fn window_keeps_positions() {
        let transform = GeoTransform([100.0, 10.0, 0.0, 200.0, 0.0, -10.0]);

        let half = transform.window(4.0, 2.0, 2.0, 2.0);

        assert_eq!(
            half.geo_from_pixel(PixelPos { col: 1.0, row: 1.0 }),
            transform.geo_from_pixel(PixelPos { col: 6.0, row: 4.0 })
        );
    }
}
