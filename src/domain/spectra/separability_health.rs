//! Reference health: whether a set of references can be told apart, and which of them are in
//! the way of others.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::classify::spectral_angle;
use super::gaussian::Gaussian;
use super::separability::{ClassPair, Separability, SeparabilityGrade};
use super::{ClassStatistics, Prior, ReferenceSet};

/// What is known of the enabled references; indices count those only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceHealth {
    pub references: Vec<ReferenceReport>,
    /// The most alike first: by Jeffries–Matusita where both have pixels, then by angle.
    pub pairs: Vec<PairReport>,
    /// Largest by smallest singular value of the spectra as a matrix; infinite where one is a
    /// combination of others. `None` without references.
    pub condition_number: Option<f64>,
    /// What a person should do something about, one sentence each.
    pub remarks: Vec<String>,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceReport {
    pub name: String,
    /// Of the SF-CNM prior, weight included; `None` where there is no prior.
    pub threshold: Option<f64>,
    /// Pixels painted; 0 for imported spectra.
    pub n_px: u64,
    /// Weight of the identity where its covariance had to be regularised.
    pub shrinkage: Option<f64>,
    /// Pixels of the class map that it won; `None` where no map was counted.
    pub wins: Option<u64>,
}

/// Two references.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    pub a: usize,
    pub b: usize,
    /// Spectral angle in radians; NaN where a spectrum is all 0.
    pub angle: f64,
    /// Of the two spectra alone.
    pub condition_number: f64,
    /// The spectra are equal.
    pub equal: bool,
    /// Where both have pixels.
    pub separability: Option<Separability>,
}

impl PairReport {
    /// Whether pixels of the two will be confused: squared Jeffries–Matusita below 1.9, or,
    /// where there are no pixels to tell, an angle below 0.05 radians (2.9°).
    pub fn confusable(&self) -> bool {
        match &self.separability {
            _ if self.equal => true,
            Some(separability) => separability.grade() != SeparabilityGrade::Good,
            None => self.angle < 0.05,
        }
    }
}

impl ReferenceHealth {
    /// `statistics` holds one entry per reference of the set, enabled or not, on the scale of
    /// the references; `None` or a missing entry where pixels are not known. `wins` holds the
    /// pixels of the prior's class map by class, class 0 left out: one per enabled reference.
    pub fn new(set: &ReferenceSet, statistics: &[Option<ClassStatistics>], wins: Option<&[u64]>) -> Self {
        let mut remarks = set.remarks();
        let prior = Prior::new(set).map_err(|error| remarks.push(error.to_string())).ok();
        let enabled: Vec<_> = (0..set.references.len()).filter(|&i| set.references[i].enabled).collect();
        let mut references = Vec::new();
        let mut gaussians = Vec::new();
        for (rank, &index) in enabled.iter().enumerate() {
            let reference = &set.references[index];
            let pixels = statistics.get(index).and_then(Option::as_ref).filter(|statistics| statistics.n() > 0);
            let pixels = pixels.filter(|statistics| statistics.n_bands() == reference.spectrum.len());
            let gaussian = pixels.and_then(|pixels| match Gaussian::new(pixels) {
                Ok(gaussian) => Some(gaussian),
                Err(error) => {
                    remarks.push(format!("{}: {error}", reference.name));
                    None
                }
            });
            let n_px = pixels.map_or(0, ClassStatistics::n);
            if let Some(shrinkage) = gaussian.as_ref().and_then(Gaussian::shrinkage) {
                remarks.push(regularised(&reference.name, n_px, reference.spectrum.len(), shrinkage));
            }
            let wins = wins.and_then(|wins| wins.get(rank).copied());
            if wins == Some(0) {
                remarks.push(format!("{} wins no pixel: check its spectrum or remove it", reference.name));
            }
            references.push(ReferenceReport {
                name: reference.name.clone(),
                threshold: prior.as_ref().map(|prior| prior.thresholds()[rank]),
                n_px,
                shrinkage: gaussian.as_ref().and_then(Gaussian::shrinkage),
                wins,
            });
            gaussians.push(gaussian);
        }
        let spectra: Vec<&[f64]> = enabled.iter().map(|&index| set.references[index].spectrum.as_slice()).collect();
        let pairs = pairs(&spectra, &gaussians);
        for pair in pairs.iter().filter(|pair| pair.confusable() && !pair.equal) {
            let (a, b) = (&references[pair.a].name, &references[pair.b].name);
            remarks.push(format!("{a} and {b} are hard to tell apart: merge them or paint other pixels"));
        }
        Self { references, pairs, condition_number: condition_number(&spectra), remarks }
    }
}

fn regularised(name: &str, n_px: u64, n_bands: usize, shrinkage: f64) -> String {
    if n_px > n_bands as u64 {
        return format!("{name}: some of its bands depend on each other, so its covariance was regularised");
    }
    format!(
        "{name}: {n_px} pixels for {n_bands} bands, so its covariance was regularised ({:.0} %): paint at least {}",
        100.0 * shrinkage,
        n_bands + 1
    )
}

fn pairs(spectra: &[&[f64]], gaussians: &[Option<Gaussian>]) -> Vec<PairReport> {
    let ranked = ClassPair::ranked(gaussians);
    let separability = |a, b| ranked.iter().find(|pair| (pair.a, pair.b) == (a, b)).map(|pair| pair.separability);
    let mut pairs: Vec<_> = (0..spectra.len())
        .flat_map(|a| (a + 1..spectra.len()).map(move |b| (a, b)))
        .filter(|&(a, b)| spectra[a].len() == spectra[b].len())
        .map(|(a, b)| PairReport {
            a,
            b,
            angle: spectral_angle(spectra[a], spectra[b]),
            condition_number: condition_number(&[spectra[a], spectra[b]]).unwrap_or(f64::INFINITY),
            equal: spectra[a] == spectra[b],
            separability: separability(a, b),
        })
        .collect();
    let rank = |pair: &PairReport| match (pair.equal, &pair.separability) {
        (true, _) => (0, 0.0),
        (false, Some(separability)) => (1, separability.bhattacharyya),
        (false, None) => (2, pair.angle),
    };
    pairs.sort_by(|x, y| {
        let (x, y) = (rank(x), rank(y));
        x.0.cmp(&y.0).then(x.1.total_cmp(&y.1))
    });
    pairs
}

/// Of the spectra as rows, in the 2-norm. `None` unless all have the same bands and numbers.
pub fn condition_number(spectra: &[&[f64]]) -> Option<f64> {
    let n_bands = spectra.first()?.len();
    let fits = spectra.iter().all(|s| s.len() == n_bands && s.iter().all(|value| value.is_finite()));
    if !fits || n_bands == 0 {
        return None;
    }
    let matrix = DMatrix::from_fn(spectra.len(), n_bands, |row, col| spectra[row][col]);
    let singular = matrix.singular_values();
    let (largest, smallest) = (singular.max(), singular.min());
    let rank_deficient = smallest <= largest * f64::EPSILON * spectra.len().max(n_bands) as f64;
    Some(if rank_deficient { f64::INFINITY } else { largest / smallest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Rgb;
    use crate::spectra::SpectralReference;

    fn set(spectra: &[&[f64]]) -> ReferenceSet {
        let names = ["ice", "snow", "debris", "water"];
        let reference = |(i, s): (usize, &&[f64])| SpectralReference::new(names[i], Rgb::distinct(i), s.to_vec());
        ReferenceSet { references: spectra.iter().enumerate().map(reference).collect(), bands: Vec::new() }
    }

    fn spread(mean: &[f64], n: usize, by: f64) -> Option<ClassStatistics> {
        let mut statistics = ClassStatistics::new(mean.len());
        for i in 0..n {
            let noise = |band: usize| by * ((i * (band + 2) * 37 % 17) as f64 / 17.0 - 0.5);
            statistics.add(&mean.iter().enumerate().map(|(band, value)| value + noise(band)).collect::<Vec<_>>());
        }
        Some(statistics)
    }

    #[test]
    fn the_condition_number_equals_numpy() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/statistics/separability.json")).expect("valid");
        let spectra: Vec<Vec<f64>> = serde_json::from_value(fixture["spectra"].clone()).expect("spectra");
        let rows: Vec<&[f64]> = spectra.iter().map(Vec::as_slice).collect();

        let found = condition_number(&rows).expect("finite");

        let expected = fixture["condition_number"].as_f64().expect("number");
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} instead of {expected}");
        assert_eq!(condition_number(&[&[1.0, 2.0], &[2.0, 4.0]]), Some(f64::INFINITY));
        assert_eq!(condition_number(&[]), None);
    }

    #[test]
    fn few_pixels_a_loser_and_confusable_pairs_are_remarked() {
        let set = set(&[&[0.8, 0.7, 0.3], &[0.81, 0.7, 0.31], &[0.2, 0.3, 0.35], &[0.1, 0.05, 0.02]]);
        let statistics =
            [spread(&[0.8, 0.7, 0.3], 40, 0.1), spread(&[0.81, 0.7, 0.31], 3, 0.1), spread(&[0.2, 0.3, 0.35], 40, 0.1)];

        let health = ReferenceHealth::new(&set, &statistics, Some(&[100, 30, 0, 5]));

        assert_eq!((health.pairs[0].a, health.pairs[0].b), (0, 1));
        assert!(health.pairs[0].confusable() && !health.pairs[1].confusable());
        assert_eq!(health.references.iter().map(|r| r.n_px).collect::<Vec<_>>(), [40, 3, 40, 0]);
        assert!(health.references.iter().all(|reference| reference.threshold.is_some_and(|t| t > 0.0)));
        for sentence in [
            "debris wins no pixel",
            "snow: 3 pixels for 3 bands, so its covariance was regularised",
            "ice and snow are hard to tell apart",
        ] {
            assert!(health.remarks.iter().any(|r| r.contains(sentence)), "{sentence}: {:?}", health.remarks);
        }
    }

    #[test]
    fn sets_that_give_no_prior_are_a_sentence() {
        let health = ReferenceHealth::new(&set(&[&[0.1, 0.2]]), &[], None);
        assert_eq!(health.remarks, ["one reference has no threshold: add a second one"]);
        assert_eq!(ReferenceHealth::new(&ReferenceSet::default(), &[], None).condition_number, None);

        let equal = ReferenceHealth::new(&set(&[&[0.1, 0.2], &[0.1, 0.2], &[0.3, 0.1]]), &[], None);
        assert!(equal.pairs[0].equal && equal.pairs[0].confusable());
        assert!(equal.remarks.iter().any(|remark| remark.contains("have the same spectrum")));
    }
}
