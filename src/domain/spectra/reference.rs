//! Reference spectra: what a material looks like in the scene's bands.

use serde::{Deserialize, Serialize};

use crate::class::{Class, ClassId, ClassScheme, Rgb};
use crate::label::PixelMask;
use crate::layer::SceneId;

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
    pub fn enabled(&self) -> impl Iterator<Item = &SpectralReference> {
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

    /// A sentence if the references and the pixels are not on the same scale (reflectance
    /// against digital numbers): the median over bands of |pixel| / |reference| is above 10
    /// or below 1/10. `pixels` holds one typical value per band, for example the medians.
    pub fn scale_mismatch(&self, pixels: &[f64]) -> Option<String> {
        let ratios = pixels.iter().enumerate().filter_map(|(band, pixel)| {
            let spectrum = self.enabled().filter_map(|reference| reference.spectrum.get(band).map(|v| v.abs()));
            let ratio = pixel.abs() / median(spectrum.collect())?;
            (ratio.is_finite() && ratio > 0.0).then_some(ratio)
        });
        let ratio = median(ratios.collect())?;
        if (0.1..=10.0).contains(&ratio) {
            return None;
        }
        let (factor, relation) = if ratio > 1.0 { (ratio, "larger") } else { (1.0 / ratio, "smaller") };
        Some(format!(
            "the pixels are about {factor:.0} times {relation} than the references: bring both to one scale first"
        ))
    }
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
