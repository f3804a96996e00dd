//! Libraries of spectra as instruments and archives deliver them: each spectrum with its own
//! wavelengths, values as the file holds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reference::{ReferenceSet, SpectralReference};
use super::resample::{Resampling, TargetBand, resample};
use crate::class::Rgb;

/// Spectra of one file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpectralLibrary {
    pub spectra: Vec<LibrarySpectrum>,
    /// What a careful person should know, one sentence each.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// One measured, modelled or averaged spectrum.
///
/// Invariant: `wavelength_nm` and `fwhm_nm`, where known, are as long as `values`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LibrarySpectrum {
    pub name: String,
    /// Centres in nanometres, in the order of `values` (not always ascending).
    #[serde(default)]
    pub wavelength_nm: Option<Vec<f64>>,
    /// Full widths at half maximum in nanometres.
    #[serde(default)]
    pub fwhm_nm: Option<Vec<f64>>,
    /// As stored; NaN where the file marks a channel as deleted.
    pub values: Vec<f64>,
    /// What the values are, as the file says it; empty where it does not.
    #[serde(default)]
    pub unit: String,
    /// Reflectance in [0, 1] is value × factor, where the file says how: 0.01 for percent.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Everything else that the file tells of it.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The class it stands for, by name.
    #[serde(default)]
    pub class: Option<String>,
}

impl LibrarySpectrum {
    /// A bare spectrum.
    pub fn new(name: impl Into<String>, wavelength_nm: Option<Vec<f64>>, values: Vec<f64>) -> Self {
        Self { name: name.into(), wavelength_nm, values, ..Self::default() }
    }

    /// Values as reflectance in [0, 1] where the file says how they are scaled, else as stored.
    pub fn reflectance(&self) -> Vec<f64> {
        let factor = self.factor.unwrap_or(1.0);
        self.values.iter().map(|value| value * factor).collect()
    }

    /// Shortest and longest wavelength in nanometres.
    pub fn range_nm(&self) -> Option<(f64, f64)> {
        let wavelengths = self.wavelength_nm.as_ref()?;
        let (low, high) = wavelengths
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), nm| (low.min(*nm), high.max(*nm)));
        (low <= high).then_some((low, high))
    }
}

impl SpectralLibrary {
    /// Wavelengths that all spectra share, if they do.
    pub fn common_wavelengths(&self) -> Option<&[f64]> {
        let first = self.spectra.first()?.wavelength_nm.as_deref()?;
        self.spectra.iter().all(|spectrum| spectrum.wavelength_nm.as_deref() == Some(first)).then_some(first)
    }

    /// Reference spectra on a scene's bands, and what a person should know about how they came
    /// about. Values are reflectance where the file says how to get it. Spectra that lack a band
    /// of the scene are left out and named, for a reference has a value for every band.
    pub fn to_references(&self, bands: &[TargetBand], method: Resampling) -> (ReferenceSet, Vec<String>) {
        let mut remarks = Vec::new();
        let mut references = Vec::new();
        for spectrum in &self.spectra {
            let resampled = resample(spectrum, bands, method);
            for remark in resampled.remarks {
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
            if resampled.values.iter().any(|value| !value.is_finite()) {
                let missing: Vec<&str> = bands
                    .iter()
                    .zip(&resampled.values)
                    .filter(|(_, value)| !value.is_finite())
                    .map(|(band, _)| band.name.as_str())
                    .collect();
                remarks.push(format!("{} is left out: it has no value for {}", spectrum.name, shortened(&missing)));
                continue;
            }
            let factor = spectrum.factor.unwrap_or(1.0);
            let values = resampled.values.iter().map(|value| value * factor).collect();
            // The first colour of the set is black, which is for no class.
            let color = Rgb::distinct(1 + references.len() % 7);
            references.push(SpectralReference::new(spectrum.name.clone(), color, values));
        }
        let scaled = self.spectra.iter().filter_map(|s| s.factor).find(|factor| *factor != 1.0);
        if let Some(factor) = scaled {
            remarks.push(format!("values were multiplied by {factor} to become reflectance, as the file says"));
        }
        (ReferenceSet { references, bands: bands.iter().map(|band| band.name.clone()).collect() }, remarks)
    }

    /// The other way: references with the wavelengths of their bands, where all of them are known.
    pub fn from_references(set: &ReferenceSet, bands: &[TargetBand]) -> Self {
        let wavelengths: Option<Vec<f64>> = bands.iter().map(|band| band.wavelength_nm).collect();
        let widths: Option<Vec<f64>> = bands.iter().map(|band| band.fwhm_nm).collect();
        let fits = |list: &Option<Vec<f64>>, n: usize| list.clone().filter(|list| list.len() == n && n > 0);
        let spectra = set
            .references
            .iter()
            .map(|reference| LibrarySpectrum {
                name: reference.name.clone(),
                wavelength_nm: fits(&wavelengths, reference.spectrum.len()),
                fwhm_nm: fits(&widths, reference.spectrum.len()),
                values: reference.spectrum.clone(),
                ..LibrarySpectrum::default()
            })
            .collect();
        Self { spectra, remarks: Vec::new() }
    }
}

/// The first few names, and how many more there are.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more bands"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(wavelengths: &[f64]) -> Vec<TargetBand> {
        let band = |nm: &f64| TargetBand { name: format!("{nm} nm"), wavelength_nm: Some(*nm), fwhm_nm: None };
        wavelengths.iter().map(band).collect()
    }

    #[test]
    fn percent_becomes_reflectance_and_is_said() {
        let mut spectrum = LibrarySpectrum::new("soil", Some(vec![500.0, 600.0]), vec![10.0, 20.0]);
        spectrum.factor = Some(0.01);
        let library = SpectralLibrary { spectra: vec![spectrum], remarks: Vec::new() };

        let (set, remarks) = library.to_references(&bands(&[500.0, 550.0]), Resampling::Linear);

        assert_eq!(set.bands, ["500 nm", "550 nm"]);
        assert!((set.references[0].spectrum[1] - 0.15).abs() < 1e-12);
        assert_eq!(remarks, ["values were multiplied by 0.01 to become reflectance, as the file says"]);
    }

    #[test]
    fn a_spectrum_that_lacks_a_band_is_left_out_and_named() {
        let spectra = vec![
            LibrarySpectrum::new("short", Some(vec![500.0, 600.0]), vec![0.1, 0.2]),
            LibrarySpectrum::new("long", Some(vec![500.0, 900.0]), vec![0.1, 0.5]),
        ];
        let library = SpectralLibrary { spectra, remarks: Vec::new() };

        let (set, remarks) = library.to_references(&bands(&[550.0, 842.0]), Resampling::Linear);

        assert_eq!(set.references.len(), 1);
        assert_eq!(set.references[0].name, "long");
        assert!(remarks.contains(&"short is left out: it has no value for 842 nm".to_owned()), "{remarks:?}");
    }
}
