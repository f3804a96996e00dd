//! References as the manifest and the journal write them: numbers in lines of text.
//!
//! `serde_json` may read a number one unit in the last place off and has no NaN; a line of
//! numbers is exact, and 200 bands of covariance do not take 40 000 lines.

use nunatak_domain::class::{ClassId, Rgb};
use nunatak_domain::label::{PixelMask, PixelRun};
use nunatak_domain::layer::SceneId;
use nunatak_domain::spectra::{Sample, SpectralReference};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReferenceEntry {
    name: String,
    color: Rgb,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<ClassId>,
    weight: Numbers,
    enabled: bool,
    spectrum: Numbers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample: Option<SampleEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SampleEntry {
    scene: Option<SceneId>,
    n: u64,
    std: Numbers,
    covariance: Numbers,
    mask: Runs,
}

/// Values separated by spaces.
#[derive(Clone, Debug)]
struct Numbers(Vec<f64>);

/// `row,col,length` separated by spaces.
#[derive(Clone, Debug)]
struct Runs(PixelMask);

pub(super) fn entries(references: &[SpectralReference]) -> Vec<ReferenceEntry> {
    references
        .iter()
        .map(|reference| ReferenceEntry {
            name: reference.name.clone(),
            color: reference.color,
            class: reference.class,
            weight: Numbers(vec![reference.weight]),
            enabled: reference.enabled,
            spectrum: Numbers(reference.spectrum.clone()),
            sample: reference.sample.as_ref().map(|sample| SampleEntry {
                scene: sample.scene,
                n: sample.n,
                std: Numbers(sample.std.clone()),
                covariance: Numbers(sample.covariance.clone()),
                mask: Runs(sample.mask.clone()),
            }),
        })
        .collect()
}

pub(super) fn references(entries: Vec<ReferenceEntry>) -> Vec<SpectralReference> {
    entries
        .into_iter()
        .map(|entry| SpectralReference {
            name: entry.name,
            color: entry.color,
            class: entry.class,
            weight: entry.weight.0.first().copied().unwrap_or(1.0),
            enabled: entry.enabled,
            spectrum: entry.spectrum.0,
            sample: entry.sample.map(|sample| Sample {
                scene: sample.scene,
                n: sample.n,
                std: sample.std.0,
                covariance: sample.covariance.0,
                mask: sample.mask.0,
            }),
        })
        .collect()
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = self.0.iter().map(f64::to_string).collect();
        serializer.serialize_str(&texts.join(" "))
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number =
            |part: &str| part.parse().map_err(|_| serde::de::Error::custom(format!("expected numbers, got `{part}`")));
        text.split_whitespace().map(number).collect::<Result<_, _>>().map(Self)
    }
}

impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> =
            self.0.runs().iter().map(|PixelRun(row, col, length)| format!("{row},{col},{length}")).collect();
        serializer.serialize_str(&texts.join(" "))
    }
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let run = |part: &str| {
            let mut numbers = part.split(',').map(|number| number.parse().ok());
            match [numbers.next(), numbers.next(), numbers.next(), numbers.next()] {
                [Some(Some(row)), Some(Some(col)), Some(Some(length)), None] => Ok(PixelRun(row, col, length)),
                _ => Err(serde::de::Error::custom(format!("expected row,col,length, got `{part}`"))),
            }
        };
        let runs: Vec<PixelRun> = text.split_whitespace().map(run).collect::<Result<_, _>>()?;
        Ok(Self(PixelMask::from_runs(runs)))
    }
}
