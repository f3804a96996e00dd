//! How well pixels of two classes can be told apart by their spectra.
//!
//! Richards (2013), *Remote Sensing Digital Image Analysis*, 5th edition, section 10.3; Swain &
//! Davis (1978). Classes are normal distributions with their own covariances.
//!
//! The Jeffries–Matusita distance is shown on its 0…√2 scale, the definition's; its square,
//! 0…2, is what ENVI and many papers call by the same name, so both are given and named.

use serde::{Deserialize, Serialize};

use super::gaussian::Gaussian;

/// Distances between two classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Separability {
    /// Bhattacharyya distance with the log-determinant term, 0…∞.
    pub bhattacharyya: f64,
    /// `√(2(1 − e^−B))`, 0…√2.
    pub jeffries_matusita: f64,
    /// `2(1 − e^−B)`, 0…2.
    pub jeffries_matusita_squared: f64,
    /// `2(1 − e^(−D/8))` with D the divergence, 0…2.
    pub transformed_divergence: f64,
}

/// What the numbers mean, by the usual limits of the squared Jeffries–Matusita distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeparabilityGrade {
    /// Below 1.0: hardly to be told apart; merge them or paint other pixels.
    Poor,
    /// 1.0 to 1.9: will be confused in part.
    Moderate,
    /// 1.9 and above.
    Good,
}

/// Two classes by index, and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassPair {
    pub a: usize,
    pub b: usize,
    pub separability: Separability,
}

impl Separability {
    /// Cost: bands³.
    ///
    /// # Panics
    /// If the numbers of bands differ.
    pub fn between(a: &Gaussian, b: &Gaussian) -> Self {
        assert_eq!(a.n_bands(), b.n_bands(), "bands of the two classes");
        let bhattacharyya = bhattacharyya(a, b);
        let squared = -2.0 * (-bhattacharyya).exp_m1();
        Self {
            bhattacharyya,
            jeffries_matusita: squared.sqrt(),
            jeffries_matusita_squared: squared,
            transformed_divergence: -2.0 * (-divergence(a, b) / 8.0).exp_m1(),
        }
    }

    pub fn grade(&self) -> SeparabilityGrade {
        match self.jeffries_matusita_squared {
            squared if squared >= 1.9 => SeparabilityGrade::Good,
            squared if squared >= 1.0 => SeparabilityGrade::Moderate,
            _ => SeparabilityGrade::Poor,
        }
    }
}

impl ClassPair {
    /// All pairs, the most alike first; classes without a distribution are in none.
    pub fn ranked(classes: &[Option<Gaussian>]) -> Vec<Self> {
        let mut pairs = Vec::new();
        for (a, first) in classes.iter().enumerate() {
            for (b, second) in classes.iter().enumerate().skip(a + 1) {
                if let (Some(first), Some(second)) = (first, second) {
                    pairs.push(Self { a, b, separability: Separability::between(first, second) });
                }
            }
        }
        pairs.sort_by(|x, y| x.separability.bhattacharyya.total_cmp(&y.separability.bhattacharyya));
        pairs
    }
}

/// `⅛ δᵀ Σ̄⁻¹ δ + ½ ln(|Σ̄| / √(|Σ₁||Σ₂|))`, Σ̄ the mean of the covariances.
fn bhattacharyya(a: &Gaussian, b: &Gaussian) -> f64 {
    let middle = (&a.covariance + &b.covariance) * 0.5;
    // The mean of two positive definite matrices is one; only overflow makes this fail.
    let Some(factor) = middle.cholesky() else { return f64::INFINITY };
    let log_determinant = 2.0 * factor.l_dirty().diagonal().iter().map(|value| value.ln()).sum::<f64>();
    let delta = &a.mean - &b.mean;
    let mahalanobis = delta.dot(&factor.solve(&delta));
    let logs = log_determinant - 0.5 * (a.log_determinant + b.log_determinant);
    (mahalanobis / 8.0 + 0.5 * logs).max(0.0)
}

/// `½ tr((Σ₁ − Σ₂)(Σ₂⁻¹ − Σ₁⁻¹)) + ½ δᵀ(Σ₁⁻¹ + Σ₂⁻¹)δ`.
fn divergence(a: &Gaussian, b: &Gaussian) -> f64 {
    let inverse = |class: &Gaussian| class.whitening.transpose() * &class.whitening;
    let (inverse_a, inverse_b) = (inverse(a), inverse(b));
    let shape = ((&a.covariance - &b.covariance) * (&inverse_b - &inverse_a)).trace();
    let delta = &a.mean - &b.mean;
    let place = delta.dot(&((inverse_a + inverse_b) * &delta));
    (0.5 * (shape + place)).max(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::spectra::ClassStatistics;

    fn gaussian(mean: &[f64], covariance: &[f64]) -> Gaussian {
        let statistics = ClassStatistics::from_moments(100, mean.to_vec(), covariance).expect("fits");
        Gaussian::new(&statistics).expect("positive definite")
    }

    #[test]
    fn the_log_determinant_term_tells_classes_of_one_mean_apart() {
        // Same mean, 25 times the covariance: e^−B = (5/13)^(bands/2).
        for (n_bands, expected) in [(1_usize, 0.8716), (4, 1.3054)] {
            let identity: Vec<f64> =
                (0..n_bands * n_bands).map(|i| if i % (n_bands + 1) == 0 { 1.0 } else { 0.0 }).collect();
            let wide: Vec<f64> = identity.iter().map(|value| value * 25.0).collect();
            let mean = vec![0.3; n_bands];

            let found = Separability::between(&gaussian(&mean, &identity), &gaussian(&mean, &wide));

            assert_eq!(format!("{:.4}", found.jeffries_matusita), format!("{expected:.4}"));
            let exact = 2.0 * (1.0 - (5.0_f64 / 13.0).powf(n_bands as f64 / 2.0));
            assert!((found.jeffries_matusita_squared - exact).abs() < 1e-12);
        }
    }

    #[test]
    fn distances_equal_numpy() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/statistics/separability.json")).expect("valid");
        let classes: Vec<Option<Gaussian>> = fixture["classes"]
            .as_array()
            .expect("list")
            .iter()
            .map(|class| {
                let pixels: Vec<Vec<f64>> = serde_json::from_value(class["pixels"].clone()).expect("pixels");
                let mut statistics = ClassStatistics::new(4);
                pixels.iter().for_each(|pixel| assert!(statistics.add(pixel)));
                Some(Gaussian::new(&statistics).expect("more pixels than bands"))
            })
            .collect();
        assert!(classes.iter().flatten().all(|class| class.shrinkage().is_none()));

        let ranked = ClassPair::ranked(&classes);

        assert_eq!(ranked.len(), 3);
        assert!(ranked.windows(2).all(|p| p[0].separability.bhattacharyya <= p[1].separability.bhattacharyya));
        for expected in fixture["pairs"].as_array().expect("list") {
            let index = |name: &str| expected[name].as_u64().expect("index") as usize;
            let pair = ranked.iter().find(|pair| (pair.a, pair.b) == (index("a"), index("b"))).expect("in the list");
            let close = |found: f64, name: &str| {
                let value = expected[name].as_f64().expect("number");
                assert!((found - value).abs() < 1e-9 * value.max(1.0), "{name}: {found} instead of {value}");
            };
            close(pair.separability.bhattacharyya, "bhattacharyya");
            close(pair.separability.jeffries_matusita, "jeffries_matusita");
            close(pair.separability.transformed_divergence, "transformed_divergence");
        }
    }

    #[test]
    fn a_class_is_not_apart_from_itself_and_far_from_a_distant_one() {
        let near = gaussian(&[0.0, 0.0], &[1.0, 0.2, 0.2, 1.0]);
        let far = gaussian(&[50.0, 0.0], &[1.0, 0.2, 0.2, 1.0]);

        let same = Separability::between(&near, &near);
        assert!(same.jeffries_matusita < 1e-6 && same.transformed_divergence < 1e-12);
        assert_eq!(same.grade(), SeparabilityGrade::Poor);
        let apart = Separability::between(&near, &far);
        assert_eq!((apart.jeffries_matusita_squared, apart.transformed_divergence), (2.0, 2.0));
        assert_eq!(apart.grade(), SeparabilityGrade::Good);
    }
}
