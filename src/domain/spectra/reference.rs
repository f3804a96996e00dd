//! Reference spectra: what a material looks like in the scene's bands.

use serde::{Deserialize, Serialize};

use crate::class::{Class, ClassId, ClassScheme, Rgb};
use crate::label::PixelMask;
use crate::layer::SceneId;
use crate::scene::{SceneInfo, same_wavelength};

/// One painted, clicked or imported spectrum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpectralReference {
    pub name: String,
    pub color: Rgb,
    /// The class this material belongs to, where known.
    #[serde(default)]
    pub class: Option<ClassId>,
    /// Multiplies the threshold: 1 as computed, above 1 accepts more, below 1 less; > 0.
    #[serde(default = "weight_as_computed")]
    pub weight: f64,
    #[serde(default = "taking_part")]
    pub enabled: bool,
    /// One value per band, on the scale of the pixels it is compared with.
    pub spectrum: Vec<f64>,
    /// Where it was painted or clicked and how the pixels spread; none for imported ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// The pixels that a reference is the mean of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// None where the scene is not part of the project any more.
    pub scene: Option<SceneId>,
    /// Pixels with data in every band.
    pub n: u64,
    /// `[band]`, with n - 1 in the denominator.
    pub std: Vec<f64>,
    /// `[band, band]`, row-major, with n - 1 in the denominator; empty where it was not computed.
    #[serde(default)]
    pub covariance: Vec<f64>,
    pub mask: PixelMask,
}

/// References of one set of bands, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceSet {
    pub references: Vec<SpectralReference>,
    /// Names of the bands; empty where the file does not say.
    #[serde(default)]
    pub bands: Vec<String>,
}

impl SpectralReference {
    /// Enabled, weight 1, no class.
    pub fn new(name: impl Into<String>, color: Rgb, spectrum: Vec<f64>) -> Self {
        Self { name: name.into(), color, class: None, weight: 1.0, enabled: true, spectrum, sample: None }
    }
}

impl ReferenceSet {
    /// Values per spectrum; 0 for an empty set.
    pub fn n_bands(&self) -> usize {
        self.references.first().map_or(0, |reference| reference.spectrum.len())
    }

    /// Those that take part.
    pub fn enabled(&self) -> impl Iterator<Item = &SpectralReference> + Clone {
        self.references.iter().filter(|reference| reference.enabled)
    }

    /// Classes of the prior's class map: class i + 1 is the i-th enabled reference.
    pub fn scheme(&self) -> ClassScheme {
        let classes = self
            .enabled()
            .zip(1..)
            .map(|(reference, id)| Class::new(ClassId(id), &reference.name, reference.color))
            .collect();
        ClassScheme { classes }
    }

    /// What a person should know although the prior can be computed, one sentence each:
    /// equal spectra (neither can be the nearest one by a margin, so nothing is similar to
    /// them) and equal names.
    pub fn remarks(&self) -> Vec<String> {
        let enabled: Vec<_> = self.enabled().collect();
        let mut remarks = Vec::new();
        for (i, a) in enabled.iter().enumerate() {
            for b in &enabled[i + 1..] {
                if a.spectrum == b.spectrum {
                    remarks.push(format!(
                        "references {} and {} have the same spectrum, so no pixel is similar to either: remove one",
                        a.name, b.name
                    ));
                } else if a.name == b.name {
                    remarks.push(format!("two references are called {}", a.name));
                }
            }
        }
        remarks
    }

    /// The scene's band for each band of the references. As many bands are taken in order;
    /// else each is found by its name, or by its wavelength where it is called by that
    /// (`665`, `664.9 nm`, `0.665 µm`). `None` where one has no partner, or two the same.
    pub fn bands_in(&self, info: &SceneInfo) -> Option<Vec<usize>> {
        let n = self.n_bands();
        if n == info.n_bands() {
            return Some((0..n).collect());
        }
        if n == 0 || self.bands.len() != n {
            return None;
        }
        let mut found = Vec::with_capacity(n);
        for name in &self.bands {
            let by_name = || info.bands.iter().position(|band| band.name.trim().eq_ignore_ascii_case(name.trim()));
            let by_wavelength = || nearest_band(info, wavelength_of(name)?);
            let band = by_name().or_else(by_wavelength)?;
            if found.contains(&band) {
                return None;
            }
            found.push(band);
        }
        Some(found)
    }

    /// A sentence if the references and the pixels are not on the same scale (reflectance
    /// against digital numbers), by [`scale_ratio`]. `pixels` holds one typical value per band
    /// of the references, for example the medians.
    pub fn scale_mismatch(&self, pixels: &[f64]) -> Option<String> {
        let spectra: Vec<&[f64]> = self.enabled().map(|reference| reference.spectrum.as_slice()).collect();
        let ratio = scale_ratio(pixels, &spectra)?;
        let (factor, relation) = if ratio > 1.0 { (ratio, "larger") } else { (1.0 / ratio, "smaller") };
        Some(format!(
            "the pixels are about {factor:.0} times {relation} than the references: bring both to one scale first"
        ))
    }
}

/// How many times larger the pixels are than the spectra, where that is no longer one scale:
/// the median over bands of |pixel| / median |spectrum|, if it is above 10 or below 1/10.
/// `pixels` holds one typical value per band. `None` where the scales agree or nothing is known.
pub fn scale_ratio(pixels: &[f64], spectra: &[&[f64]]) -> Option<f64> {
    let ratios = pixels.iter().enumerate().filter_map(|(band, pixel)| {
        let values = spectra.iter().filter_map(|spectrum| spectrum.get(band).map(|value| value.abs()));
        let ratio = pixel.abs() / median(values.collect())?;
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    });
    median(ratios.collect()).filter(|ratio| !(0.1..=10.0).contains(ratio))
}

/// The wavelength that a band is called by, in nm.
fn wavelength_of(name: &str) -> Option<f64> {
    let name = name.trim().to_lowercase();
    let (number, factor) = if let Some(number) = name.strip_suffix("nm") {
        (number, 1.0)
    } else if let Some(number) = name.strip_suffix("µm").or_else(|| name.strip_suffix("um")) {
        (number, 1000.0)
    } else {
        (name.as_str(), 1.0)
    };
    // Smaller numbers are numbers of bands.
    number.trim().parse().ok().map(|value: f64| value * factor).filter(|nm| (200.0..1e6).contains(nm))
}

fn nearest_band(info: &SceneInfo, nm: f64) -> Option<usize> {
    let known = info.bands.iter().enumerate().filter_map(|(index, band)| Some((index, band.wavelength_nm?)));
    let near = known.filter(|(_, of_band)| same_wavelength(nm, *of_band));
    near.min_by(|a, b| (a.1 - nm).abs().total_cmp(&(b.1 - nm).abs())).map(|(index, _)| index)
}

const fn weight_as_computed() -> f64 {
    1.0
}

const fn taking_part() -> bool {
    true
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spectra: &[&[f64]]) -> ReferenceSet {
        let references = spectra
            .iter()
            .enumerate()
            .map(|(i, s)| SpectralReference::new(format!("r{i}"), Rgb::distinct(i), s.to_vec()))
            .collect();
        ReferenceSet { references, bands: Vec::new() }
    }

    #[test]
    fn equal_spectra_are_remarked() {
        let remarks = set(&[&[0.1, 0.2], &[0.3, 0.4], &[0.1, 0.2]]).remarks();

        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].contains("r0 and r2"), "{remarks:?}");
    }

    #[test]
    fn reflectance_against_digital_numbers_is_said() {
        let set = set(&[&[0.1, 0.2, 0.3], &[0.2, 0.3, 0.5]]);

        assert_eq!(set.scale_mismatch(&[0.15, 0.9, 0.1]), None);
        assert!(set.scale_mismatch(&[1500.0, 2000.0, 4000.0]).expect("mismatch").contains("larger"));
        assert!(set.scale_mismatch(&[1e-4, 1e-4, f64::NAN]).expect("mismatch").contains("smaller"));
        assert_eq!(set.scale_mismatch(&[]), None);
    }

    #[test]
    fn bands_of_another_sensor_are_found_by_name_or_wavelength() {
        let band = |name: &str, nm: f64| {
            serde_json::json!({
                "name": name, "data_type": "uint16", "nodata": null, "scale": 1.0, "offset": 0.0, "unit": "",
                "wavelength_nm": nm, "fwhm_nm": null, "color": "undefined", "mask": "all_valid",
                "statistics": null, "palette": null, "categories": [],
            })
        };
        let info: SceneInfo = serde_json::from_value(serde_json::json!({
            "path": "scene.tif", "driver": "GTiff", "width": 1, "height": 1, "crs": null,
            "georeference": { "kind": "none" }, "overviews": [], "block": [1, 1], "compression": null,
            "interleave": null, "subdatasets": [], "metadata": [], "remarks": [],
            "bands": [band("Blue", 490.0), band("Green", 560.0), band("Red", 665.0), band("NIR", 842.0)],
        }))
        .expect("a scene");
        let named = |bands: &[&str]| {
            let spectra = vec![0.5; bands.len()];
            ReferenceSet { bands: bands.iter().map(|&name| name.to_owned()).collect(), ..set(&[&spectra, &spectra]) }
                .bands_in(&info)
        };

        assert_eq!(named(&["nir", "RED"]), Some(vec![3, 2]));
        assert_eq!(named(&["664.6 nm", "0.864 µm", "492"]), Some(vec![2, 3, 0])); // 842 + 22 is within 5 %.
        assert_eq!(named(&["a", "b", "c", "d"]), Some(vec![0, 1, 2, 3]), "as many are taken in order");
        assert_eq!(named(&["red", "1610"]), None);
        assert_eq!(named(&["664", "668"]), None, "two have the same");
        assert_eq!(named(&["3", "4"]), None, "numbers of bands are no wavelengths");
    }

    #[test]
    fn weight_and_enabled_may_be_left_out_of_json() {
        let reference: SpectralReference =
            serde_json::from_str(r##"{"name": "ice", "color": "#112233", "spectrum": [0.5, 0.25]}"##).expect("valid");

        assert_eq!(reference, SpectralReference::new("ice", Rgb([0x11, 0x22, 0x33]), vec![0.5, 0.25]));
    }

    #[test]
    fn classes_of_the_map_follow_the_enabled_references() {
        let mut set = set(&[&[0.1], &[0.2], &[0.3]]);
        set.references[1].enabled = false;

        let scheme = set.scheme();

        assert_eq!(
            scheme.classes.iter().map(|c| (c.id.0, c.name.as_str())).collect::<Vec<_>>(),
            [(1, "r0"), (2, "r2")]
        );
    }
}
