//! How a raster layer is coloured. All of it is uniforms of the shader: changing a
//! style reads nothing and uploads no pixels.

use serde::{Deserialize, Serialize};

use crate::class::ClassScheme;
use crate::colormap::ColormapName;
use crate::scene::{BandInfo, BandStatistics, ColorRole, SceneInfo};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Style {
    /// Three bands as red, green, blue, each with its own stretch.
    Rgb { bands: [usize; 3], stretch: [Stretch; 3], method: StretchMethod },
    /// One band through a colormap.
    Colormap { band: usize, stretch: Stretch, method: StretchMethod, colormap: ColormapName },
    /// Whole values of one band as classes; values without a class are transparent.
    Classes { band: usize, scheme: ClassScheme },
}

impl Style {
    /// Bands that must be in memory to draw this.
    pub fn bands(&self) -> Vec<usize> {
        match self {
            Self::Rgb { bands, .. } => bands.to_vec(),
            Self::Colormap { band, .. } | Self::Classes { band, .. } => vec![*band],
        }
    }

    /// What QGIS would show first: palette rasters as classes; red, green and blue by
    /// colour role, else by wavelength, else the first three bands; one band in grey.
    /// Stretched 2–98 % where statistics are known, except for 8-bit pictures with colour
    /// roles, which are shown as they are.
    pub fn initial(info: &SceneInfo) -> Self {
        if info.categorical() {
            return Self::Classes { band: 0, scheme: scheme_of(&info.bands[0]) };
        }
        let by_role = [ColorRole::Red, ColorRole::Green, ColorRole::Blue]
            .map(|role| info.bands.iter().position(|b| b.color == role));
        // More than red, green, blue and alpha is a measurement, not a picture.
        let picture = info.n_bands() <= 4 && matches!(by_role, [Some(_), Some(_), Some(_)]);
        let method = if picture && info.bands.iter().all(|b| b.data_type == crate::scene::DataType::UInt8) {
            StretchMethod::Manual
        } else {
            StretchMethod::PERCENT_2_98
        };
        let stretch = |band: usize| match method {
            StretchMethod::Manual => Stretch { min: 0.0, max: 255.0, gamma: 1.0 },
            _ => Stretch::from_statistics(info.bands[band].statistics.as_ref(), method),
        };
        let color_bands = info.bands.iter().filter(|band| band.color != ColorRole::Alpha).count();
        if color_bands < 3 {
            return Self::Colormap { band: 0, stretch: stretch(0), method, colormap: ColormapName::Gray };
        }
        let bands = if let [Some(r), Some(g), Some(b)] = by_role { [r, g, b] } else { natural_color(info) };
        Self::Rgb { bands, stretch: bands.map(stretch), method }
    }
}

/// The bands nearest to 660, 560 and 480 nm, or 2·1·0 counted from the file's order where
/// wavelengths do not tell.
fn natural_color(info: &SceneInfo) -> [usize; 3] {
    let nearest = |target: f64, tolerance: f64| {
        info.bands
            .iter()
            .enumerate()
            .filter_map(|(i, band)| Some((i, (band.wavelength_nm? - target).abs())))
            .filter(|(_, distance)| *distance <= tolerance)
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(i, _)| i)
    };
    match (nearest(660.0, 60.0), nearest(560.0, 50.0), nearest(485.0, 50.0)) {
        (Some(r), Some(g), Some(b)) if r != g && g != b => [r, g, b],
        _ => [0, 1, 2],
    }
}

/// Classes of a palette or attribute table; values without a name or colour are left out, and
/// so is the black that GeoTIFF pads every palette with up to the largest value of its type.
pub fn scheme_of(band: &BandInfo) -> ClassScheme {
    use crate::class::{Class, ClassId, Rgb};
    let n = band.palette.as_ref().map_or(0, Vec::len).max(band.categories.len());
    let named = band.categories.iter().any(|name| !name.is_empty());
    let colored = band.palette.as_ref().and_then(|palette| palette.iter().rposition(|c| c[..3] != [0; 3]));
    let classes = (0..n)
        .filter_map(|value| {
            let name = band.categories.get(value).filter(|name| !name.is_empty());
            let color = band.palette.as_ref().and_then(|palette| palette.get(value)).copied();
            let padding =
                color.is_some_and(|c| c[..3] == [0; 3]) && (named || colored.is_some_and(|last| value > last));
            let color = color.filter(|_| name.is_some() || !padding);
            if color.is_none_or(|c| c[3] == 0) && name.is_none() {
                return None;
            }
            let color = color.map_or_else(|| Rgb::distinct(value), |[r, g, b, _]| Rgb([r, g, b]));
            let name = name.cloned().unwrap_or_else(|| format!("Class {value}"));
            Some(Class::new(ClassId(value as u32), name, color))
        })
        .collect();
    ClassScheme { classes }
}

/// Where the limits of a stretch come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StretchMethod {
    Manual,
    MinMax,
    /// Cut off `low` % below and `100 - high` % above.
    Percentile {
        low: f64,
        high: f64,
    },
    /// Mean ± n standard deviations.
    Sigma {
        n: f64,
    },
}

impl StretchMethod {
    pub const PERCENT_2_98: Self = Self::Percentile { low: 2.0, high: 98.0 };
}

/// Stored values `min` … `max` become 0 … 1, then `value^(1/gamma)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    pub min: f64,
    pub max: f64,
    pub gamma: f64,
}

impl Stretch {
    pub const UNIT: Self = Self { min: 0.0, max: 1.0, gamma: 1.0 };

    /// Limits by `method`; 0 … 1 where nothing is known of the band. Equal limits are widened
    /// so that a constant band is drawn, not divided by zero.
    pub fn from_statistics(statistics: Option<&BandStatistics>, method: StretchMethod) -> Self {
        let Some(stats) = statistics else { return Self::UNIT };
        let (min, max) = match method {
            StretchMethod::Manual | StretchMethod::MinMax => (stats.min, stats.max),
            StretchMethod::Percentile { low, high } => (stats.percentile(low), stats.percentile(high)),
            StretchMethod::Sigma { n } => (stats.mean - n * stats.std_dev, stats.mean + n * stats.std_dev),
        };
        let max = if max > min { max } else { min + 1.0 };
        Self { min, max, gamma: 1.0 }
    }

    /// The stretched value in [0, 1]; the same formula as in `shaders/raster.wgsl`.
    pub fn apply(&self, value: f64) -> f64 {
        ((value - self.min) / (self.max - self.min)).clamp(0.0, 1.0).powf(1.0 / self.gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{DataType, MaskKind};

    #[test]
    fn the_padding_of_a_geotiff_palette_is_no_class() {
        let mut palette = vec![[0, 0, 0, 255]; 256];
        palette[2] = [10, 20, 30, 255];
        let mut band = BandInfo {
            name: "Band 1".to_owned(),
            data_type: DataType::UInt8,
            nodata: None,
            scale: 1.0,
            offset: 0.0,
            unit: String::new(),
            wavelength_nm: None,
            fwhm_nm: None,
            color: ColorRole::Palette,
            mask: MaskKind::AllValid,
            statistics: None,
            palette: Some(palette),
            categories: Vec::new(),
        };
        let ids = |band: &BandInfo| scheme_of(band).classes.iter().map(|class| class.id.0).collect::<Vec<_>>();
        assert_eq!(ids(&band), [0, 1, 2]);

        band.categories = vec![String::new(), "Sand".to_owned(), "Water".to_owned()];
        assert_eq!(ids(&band), [1, 2]);
    }
}
