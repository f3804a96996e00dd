//! A spectrum as a scene's bands would see it.
//!
//! Gaussian: the band's response is taken as exp(-4 ln 2 ((λ - centre) / FWHM)²), each channel
//! of the spectrum weighted by response × the stretch of wavelengths that it stands for
//! (trapezoid rule), the weights normalised to 1. The shape is an approximation: real responses
//! are flatter on top; on vegetation at 1 nm the result lies within 0.006 of reflectance of
//! Sentinel-2A's published responses.

use serde::{Deserialize, Serialize};

use super::library::LibrarySpectrum;
use crate::scene::SceneInfo;

/// A band that spectra are brought to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetBand {
    pub name: String,
    pub wavelength_nm: Option<f64>,
    pub fwhm_nm: Option<f64>,
}

/// How a band's value comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resampling {
    /// The channel whose centre is nearest, at most `tolerance_nm` away.
    Nearest { tolerance_nm: f64 },
    /// Between the two neighbouring channels.
    Linear,
    /// Gaussian where the band's width is known and the spectrum fine enough, else linear.
    #[default]
    Gaussian,
}

/// Which channel of a spectrum answers for a band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandMatch {
    /// 0-based band of the scene.
    pub band: usize,
    /// Its centre in nanometres.
    pub wavelength_nm: f64,
    /// The spectrum's nearest channel, 0-based in the order of its values.
    pub from: usize,
    pub from_nm: f64,
    /// |wavelength - from|.
    pub distance_nm: f64,
    pub used: MatchKind,
}

/// What was done for one band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    Nearest,
    Linear,
    Gaussian,
    /// No value: beyond the spectrum's range or the tolerance.
    Missing,
}

/// A spectrum on other bands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resampled {
    /// One per band, in the unit of the spectrum; NaN where there is none.
    pub values: Vec<f64>,
    /// One per band whose wavelength is known; empty where wavelengths were not needed.
    pub matches: Vec<BandMatch>,
    pub remarks: Vec<String>,
}

/// The bands of a scene.
pub fn target_bands(info: &SceneInfo) -> Vec<TargetBand> {
    let band = |band: &crate::scene::BandInfo| TargetBand {
        name: band.name.clone(),
        wavelength_nm: band.wavelength_nm,
        fwhm_nm: band.fwhm_nm,
    };
    info.bands.iter().map(band).collect()
}

/// Brings a spectrum to `bands`.
///
/// Where either side has no wavelengths and both have equally many bands, values are taken in
/// order; that is said. Cost: channels × bands for the Gaussian, less otherwise.
pub fn resample(spectrum: &LibrarySpectrum, bands: &[TargetBand], method: Resampling) -> Resampled {
    let known = bands.iter().filter(|band| band.wavelength_nm.is_some()).count();
    let Some(channels) = Channels::of(spectrum).filter(|_| known > 0) else {
        return in_order(spectrum, bands, known);
    };
    let mut resampled = Resampled::default();
    let mut outside = Vec::new();
    let mut coarse = Vec::new();
    for (index, band) in bands.iter().enumerate() {
        let Some(centre) = band.wavelength_nm else {
            resampled.values.push(f64::NAN);
            continue;
        };
        let (value, used) = channels.value(centre, band.fwhm_nm, method);
        let nearest = channels.nearest(centre);
        let distance_nm = (nearest.nm - centre).abs();
        if used == MatchKind::Missing {
            outside.push(centre);
        }
        if method == Resampling::Gaussian && used == MatchKind::Linear && band.fwhm_nm.is_some() {
            coarse.push(centre);
        }
        resampled.values.push(value);
        resampled.matches.push(BandMatch {
            band: index,
            wavelength_nm: centre,
            from: nearest.index,
            from_nm: nearest.nm,
            distance_nm,
            used,
        });
    }
    if known < bands.len() {
        resampled.remarks.push(format!(
            "{} of {} bands have no wavelength and get no value",
            bands.len() - known,
            bands.len()
        ));
    }
    let (low, high) = (channels.sorted[0].nm, channels.sorted[channels.sorted.len() - 1].nm);
    if let Resampling::Nearest { tolerance_nm } = method {
        if let Some(text) = listed(&outside) {
            resampled.remarks.push(format!("no channel within {tolerance_nm} nm of {text} nm"));
        }
    } else if let Some(text) = listed(&outside) {
        resampled.remarks.push(format!("{text} nm is outside of the spectrum's range, {low} to {high} nm"));
    }
    if let Some(text) = listed(&coarse) {
        resampled
            .remarks
            .push(format!("the spectrum is too coarse for the width of the band at {text} nm: interpolated"));
    }
    resampled
}

/// Bands matched by position.
fn in_order(spectrum: &LibrarySpectrum, bands: &[TargetBand], known: usize) -> Resampled {
    let (n_values, n_bands) = (spectrum.values.len(), bands.len());
    let who = if known == 0 { "the scene's bands have" } else { "the spectrum has" };
    if n_values == n_bands {
        return Resampled {
            values: spectrum.values.clone(),
            matches: Vec::new(),
            remarks: vec![format!("{who} no wavelengths: the {n_bands} values are taken in order")],
        };
    }
    Resampled {
        values: vec![f64::NAN; n_bands],
        matches: Vec::new(),
        remarks: vec![format!("{who} no wavelengths, and {n_values} values do not fit {n_bands} bands")],
    }
}

fn listed(wavelengths: &[f64]) -> Option<String> {
    const SHOWN: usize = 6;
    let shown: Vec<String> = wavelengths.iter().take(SHOWN).map(f64::to_string).collect();
    let rest = if wavelengths.len() > SHOWN { ", …" } else { "" };
    (!shown.is_empty()).then(|| format!("{}{rest}", shown.join(", ")))
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    nm: f64,
    value: f64,
    index: usize,
}

/// Channels with a value, by wavelength; never empty.
struct Channels {
    sorted: Vec<Channel>,
}

impl Channels {
    fn of(spectrum: &LibrarySpectrum) -> Option<Self> {
        let wavelengths = spectrum.wavelength_nm.as_ref()?;
        let mut sorted: Vec<Channel> = wavelengths
            .iter()
            .zip(&spectrum.values)
            .enumerate()
            .map(|(index, (&nm, &value))| Channel { nm, value, index })
            .filter(|channel| channel.nm.is_finite() && channel.value.is_finite())
            .collect();
        sorted.sort_by(|a, b| a.nm.total_cmp(&b.nm));
        (!sorted.is_empty()).then_some(Self { sorted })
    }

    fn nearest(&self, nm: f64) -> Channel {
        let after = self.sorted.partition_point(|channel| channel.nm < nm);
        let candidates = [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|i| self.sorted.get(i));
        let nearest = candidates.min_by(|a, b| (a.nm - nm).abs().total_cmp(&(b.nm - nm).abs()));
        *nearest.expect("there is at least one channel")
    }

    fn value(&self, centre: f64, fwhm: Option<f64>, method: Resampling) -> (f64, MatchKind) {
        let or_missing = |value: Option<f64>, kind: MatchKind| match value {
            Some(value) => (value, kind),
            None => (f64::NAN, MatchKind::Missing),
        };
        match method {
            Resampling::Nearest { tolerance_nm } => {
                let nearest = self.nearest(centre);
                or_missing(((nearest.nm - centre).abs() <= tolerance_nm).then_some(nearest.value), MatchKind::Nearest)
            }
            Resampling::Linear => or_missing(self.linear(centre), MatchKind::Linear),
            Resampling::Gaussian => {
                match fwhm.filter(|fwhm| *fwhm > 0.0).and_then(|fwhm| self.gaussian(centre, fwhm)) {
                    Some(value) => (value, MatchKind::Gaussian),
                    None => or_missing(self.linear(centre), MatchKind::Linear),
                }
            }
        }
    }

    fn linear(&self, nm: f64) -> Option<f64> {
        let after = self.sorted.partition_point(|channel| channel.nm < nm);
        let right = self.sorted.get(after)?;
        if right.nm == nm {
            return Some(right.value);
        }
        let left = self.sorted[after.checked_sub(1)?];
        let at = (nm - left.nm) / (right.nm - left.nm);
        Some(left.value + at * (right.value - left.value))
    }

    /// `None` where the spectrum has fewer than three channels within the half maximum, or does
    /// not reach over the band.
    fn gaussian(&self, centre: f64, fwhm: f64) -> Option<f64> {
        const REACH: f64 = 1.5;
        let first = self.sorted.first()?.nm;
        let last = self.sorted.last()?.nm;
        let half = 0.5 * fwhm;
        if centre - half < first || centre + half > last {
            return None;
        }
        let inside = self.sorted.iter().filter(|channel| (channel.nm - centre).abs() <= half).count();
        if inside < 3 {
            return None;
        }
        let from = self.sorted.partition_point(|channel| channel.nm < centre - REACH * fwhm);
        let to = self.sorted.partition_point(|channel| channel.nm <= centre + REACH * fwhm);
        let (mut sum, mut weights) = (0.0, 0.0);
        for i in from..to {
            let channel = self.sorted[i];
            let before = if i > 0 { channel.nm - self.sorted[i - 1].nm } else { 0.0 };
            let after = self.sorted.get(i + 1).map_or(0.0, |next| next.nm - channel.nm);
            let at = (channel.nm - centre) / fwhm;
            let weight = (-4.0 * std::f64::consts::LN_2 * at * at).exp() * 0.5 * (before + after);
            sum += weight * channel.value;
            weights += weight;
        }
        (weights > 0.0).then(|| sum / weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(wavelengths: &[f64], values: &[f64]) -> LibrarySpectrum {
        LibrarySpectrum::new("s", Some(wavelengths.to_vec()), values.to_vec())
    }

    fn band(nm: f64, fwhm: Option<f64>) -> TargetBand {
        TargetBand { name: format!("{nm}"), wavelength_nm: Some(nm), fwhm_nm: fwhm }
    }

    #[test]
    fn nearest_shows_its_match_and_keeps_to_the_tolerance() {
        let spectrum = spectrum(&[700.0, 500.0, 600.0], &[3.0, 1.0, 2.0]);

        let resampled =
            resample(&spectrum, &[band(610.0, None), band(750.0, None)], Resampling::Nearest { tolerance_nm: 15.0 });

        assert_eq!(resampled.values[0], 2.0);
        assert!(resampled.values[1].is_nan());
        let expected = BandMatch {
            band: 0,
            wavelength_nm: 610.0,
            from: 2,
            from_nm: 600.0,
            distance_nm: 10.0,
            used: MatchKind::Nearest,
        };
        assert_eq!(resampled.matches[0], expected);
        assert_eq!(resampled.remarks, ["no channel within 15 nm of 750 nm"]);
    }

    #[test]
    fn linear_runs_between_neighbours_and_says_what_lies_outside() {
        let spectrum = spectrum(&[500.0, 600.0, 700.0], &[1.0, 2.0, 4.0]);

        let resampled =
            resample(&spectrum, &[band(650.0, None), band(500.0, None), band(1610.0, None)], Resampling::Linear);

        assert_eq!(resampled.values[..2], [3.0, 1.0]);
        assert_eq!(resampled.matches[2].used, MatchKind::Missing);
        assert_eq!(resampled.remarks, ["1610 nm is outside of the spectrum's range, 500 to 700 nm"]);
    }

    #[test]
    fn a_gaussian_keeps_constants_and_slopes() {
        let wavelengths: Vec<f64> = (0..=400).map(|i| 400.0 + f64::from(i)).collect();
        let slope: Vec<f64> = wavelengths.iter().map(|nm| 0.001 * nm).collect();

        let resampled = resample(&spectrum(&wavelengths, &slope), &[band(600.0, Some(30.0))], Resampling::Gaussian);

        assert!((resampled.values[0] - 0.6).abs() < 1e-12, "{:?}", resampled.values);
        assert_eq!(resampled.matches[0].used, MatchKind::Gaussian);
    }

    #[test]
    fn a_spectrum_too_coarse_for_the_width_is_interpolated_and_said() {
        let resampled = resample(
            &spectrum(&[500.0, 600.0, 700.0], &[1.0, 2.0, 4.0]),
            &[band(650.0, Some(20.0))],
            Resampling::Gaussian,
        );

        assert_eq!(resampled.values, [3.0]);
        assert_eq!(resampled.remarks, ["the spectrum is too coarse for the width of the band at 650 nm: interpolated"]);
    }

    #[test]
    fn without_wavelengths_values_are_taken_in_order_if_they_fit() {
        let bare = LibrarySpectrum::new("s", None, vec![1.0, 2.0]);

        assert_eq!(resample(&bare, &[band(1.0, None), band(2.0, None)], Resampling::Linear).values, [1.0, 2.0]);
        let misfit = resample(&bare, &[band(1.0, None)], Resampling::Linear);
        assert!(misfit.values[0].is_nan());
        assert_eq!(misfit.remarks, ["the spectrum has no wavelengths, and 2 values do not fit 1 bands"]);
    }

    #[test]
    fn deleted_channels_take_no_part() {
        let spectrum = spectrum(&[500.0, 550.0, 600.0], &[1.0, f64::NAN, 2.0]);

        assert_eq!(resample(&spectrum, &[band(550.0, None)], Resampling::Linear).values, [1.5]);
    }
}
