//! How many sample points are needed, and in which classes.
//!
//! Olofsson et al. (2014), section 4.1.2 and equation 13, after Cochran (1977).

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::area::{AreaError, Strata};
use super::{AreaAccuracy, ConfusionMatrix};
use crate::class::ClassId;

/// How sample points are shared out among the classes of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Allocation {
    /// As many in every class: best for user's accuracies.
    Equal,
    /// By mapped area: best for producer's accuracies of large classes, poor for rare ones.
    Proportional,
    /// By area times the expected standard deviation: the smallest error of the overall
    /// accuracy. One expected user's accuracy per class, in [0, 1].
    Neyman { users: Vec<f64> },
    /// Rare classes get `at_least` (50 to 100 in the paper), the others by mapped area.
    RareAtLeast { at_least: u64 },
}

/// What should be known better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PrecisionGoal {
    /// Half the width of the 95 % interval of the overall accuracy, a share: 0.02 for ± 2 %.
    Overall { half_width: f64 },
    /// Half the width of the 95 % interval of a class's area, as a share of that area.
    Area { class: ClassId, half_width: f64 },
}

impl PrecisionGoal {
    const fn half_width(&self) -> f64 {
        match self {
            Self::Overall { half_width } | Self::Area { half_width, .. } => *half_width,
        }
    }
}

/// Points for an overall accuracy with the given standard error (0.01 in the paper):
/// `(Σ Wᵢ Sᵢ / S(Ô))²` with `Sᵢ = √(Uᵢ(1 − Uᵢ))`, rounded up. `areas` and expected `users`
/// accuracies are one per class. `None` if they are not, or if no finite number comes of it.
pub fn sample_size(areas: &[f64], users: &[f64], standard_error: f64) -> Option<u64> {
    let total: f64 = areas.iter().sum();
    let valid = areas.len() == users.len() && total > 0.0 && standard_error > 0.0;
    if !valid || areas.iter().any(|area| *area < 0.0) || users.iter().any(|u| !(0.0..=1.0).contains(u)) {
        return None;
    }
    let spread: f64 = areas.iter().zip(users).map(|(area, u)| area / total * deviation(*u)).sum();
    let n = (spread / standard_error).powi(2).ceil();
    (n.is_finite() && n < u64::MAX as f64).then_some(n as u64)
}

/// Shares `n` points out among classes of `n_px` mapped pixels each.
///
/// No class gets more points than it has pixels; a class on the map gets two at least, which a
/// standard error needs. The sum is `n` unless these limits forbid it. `None` where Neyman's
/// accuracies are not one per class.
pub fn allocate(n: u64, n_px: &[u64], allocation: &Allocation) -> Option<Vec<u64>> {
    let area = |&n_px: &u64| n_px as f64;
    let present = |&n_px: &u64| if n_px > 0 { 1.0 } else { 0.0 };
    let (weights, at_least): (Vec<f64>, u64) = match allocation {
        Allocation::Equal => (n_px.iter().map(present).collect(), 2),
        Allocation::Proportional => (n_px.iter().map(area).collect(), 2),
        Allocation::RareAtLeast { at_least } => (n_px.iter().map(area).collect(), (*at_least).max(2)),
        Allocation::Neyman { users } if users.len() == n_px.len() => {
            (n_px.iter().zip(users).map(|(n_px, u)| area(n_px) * deviation(*u)).collect(), 2)
        }
        Allocation::Neyman { .. } => return None,
    };
    Some(share_out(n, &weights, at_least, n_px))
}

/// Points to label beyond those in `sample` until `goal` is met, if they fall into the mapped
/// classes as those did and find errors as often. Where the sample has found no error yet, it
/// expects none: early in labelling the number is too small.
///
/// `None` where no number of points is enough (a half-width that is not above 0, an area of 0).
///
/// # Errors
/// As [`AreaAccuracy::new`].
pub fn points_missing(
    sample: &ConfusionMatrix,
    mapped_areas: &[f64],
    goal: PrecisionGoal,
) -> Result<Option<u64>, AreaError> {
    let strata = Strata::new(sample, mapped_areas)?;
    let index = |class| sample.classes().binary_search(&class).ok();
    let (reference_of, scale): (Box<dyn Fn(usize) -> usize>, f64) = match goal {
        PrecisionGoal::Overall { .. } => (Box::new(|map| map), 1.0),
        PrecisionGoal::Area { class, .. } => {
            let Some(reference) = index(class) else { return Ok(None) };
            let total: f64 = mapped_areas.iter().sum();
            let area = AreaAccuracy::new(sample, mapped_areas)?.classes[reference].area.value;
            (Box::new(move |_| reference), area / total)
        }
    };
    let target = (goal.half_width() * scale / 1.96).powi(2);
    let n_now: f64 = strata.rows.iter().sum();
    let variance = |n: f64| -> f64 {
        let parts = (0..strata.rows.len()).filter(|&map| strata.rows[map] > 0.0).map(|map| {
            let share = strata.share(map, reference_of(map));
            let points = strata.rows[map] * n / n_now;
            strata.weight[map].powi(2) * share * (1.0 - share) / (points - 1.0)
        });
        parts.sum()
    };
    if variance(n_now) <= target {
        return Ok(Some(0));
    }
    const MOST: f64 = 1e12;
    if goal.half_width().is_nan() || goal.half_width() <= 0.0 || variance(MOST) > target {
        return Ok(None);
    }
    let (mut low, mut high) = (n_now as u64, MOST as u64);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if variance(middle as f64) <= target { high = middle } else { low = middle }
    }
    Ok(Some(high - n_now as u64))
}

fn deviation(users_accuracy: f64) -> f64 {
    (users_accuracy * (1.0 - users_accuracy)).max(0.0).sqrt()
}

/// Proportional to the weights between two limits, rounded by largest remainder.
fn share_out(n: u64, weights: &[f64], at_least: u64, at_most: &[u64]) -> Vec<u64> {
    let mut fixed: Vec<Option<u64>> = at_most.iter().map(|&most| (most == 0).then_some(0)).collect();
    loop {
        let left = n.saturating_sub(fixed.iter().flatten().sum()) as f64;
        let open = |fixed: &[Option<u64>]| (0..weights.len()).filter(|&i| fixed[i].is_none()).collect::<Vec<_>>();
        let indices = open(&fixed);
        let sum: f64 = indices.iter().map(|&i| weights[i]).sum();
        let Some(count) = NonZeroU64::new(indices.len() as u64) else { break };
        let share = |i: usize| if sum > 0.0 { left * weights[i] / sum } else { left / count.get() as f64 };
        let low: Vec<usize> = indices.iter().copied().filter(|&i| share(i) < at_least.min(at_most[i]) as f64).collect();
        let high: Vec<usize> = indices.iter().copied().filter(|&i| share(i) > at_most[i] as f64).collect();
        if !low.is_empty() {
            low.iter().for_each(|&i| fixed[i] = Some(at_least.min(at_most[i])));
        } else if !high.is_empty() {
            high.iter().for_each(|&i| fixed[i] = Some(at_most[i]));
        } else {
            let floor: u64 = indices.iter().map(|&i| share(i).floor() as u64).sum();
            let mut by_remainder = indices.clone();
            by_remainder.sort_by(|&a, &b| share(b).fract().total_cmp(&share(a).fract()).then(a.cmp(&b)));
            let extra = (left as u64).saturating_sub(floor) as usize;
            for (rank, &i) in by_remainder.iter().enumerate() {
                let points = share(i).floor() as u64 + u64::from(rank < extra);
                fixed[i] = Some(points.min(at_most[i]));
            }
            break;
        }
    }
    fixed.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::area::tests::paper;

    /// Section 5.1 of the paper: mapped shares 2, 1.5, 32 and 64.5 %.
    const N_PX: [u64; 4] = [200_000, 150_000, 3_200_000, 6_450_000];

    #[test]
    fn the_sample_size_of_the_paper_is_641() {
        let areas = N_PX.map(|n| n as f64);

        // (0.02·0.458 + 0.015·0.490 + 0.32·0.300 + 0.645·0.218)² / 0.01² = 640.3…
        assert_eq!(sample_size(&areas, &[0.7, 0.6, 0.9, 0.95], 0.01), Some(641));
        assert_eq!(sample_size(&areas, &[0.7, 0.6, 0.9], 0.01), None);
        assert_eq!(sample_size(&areas, &[0.7, 0.6, 0.9, 0.95], 0.0), None);
    }

    #[test]
    fn points_are_shared_out_by_area_with_a_floor_for_rare_classes() {
        // 641 · (0.02, 0.015, 0.32, 0.645) = (12.8, 9.6, 205.1, 413.4)
        assert_eq!(allocate(641, &N_PX, &Allocation::Proportional), Some(vec![13, 10, 205, 413]));
        assert_eq!(allocate(640, &N_PX, &Allocation::Equal), Some(vec![160; 4]));
        // (641 − 150) · (0.32, 0.645) / 0.965 = (162.8, 328.2)
        let rare = Allocation::RareAtLeast { at_least: 75 };
        assert_eq!(allocate(641, &N_PX, &rare), Some(vec![75, 75, 163, 328]));
        // W·S = (0.00917, 0.00735, 0.096, 0.14057), sum 0.25309; · 641
        let neyman = Allocation::Neyman { users: vec![0.7, 0.6, 0.9, 0.95] };
        assert_eq!(allocate(641, &N_PX, &neyman), Some(vec![23, 19, 243, 356]));
        assert_eq!(allocate(641, &N_PX, &Allocation::Neyman { users: vec![0.5] }), None);
    }

    #[test]
    fn no_class_gets_more_points_than_pixels() {
        let rare = Allocation::RareAtLeast { at_least: 50 };

        assert_eq!(allocate(200, &[7, 0, 1_000_000], &rare), Some(vec![7, 0, 193]));
        assert_eq!(allocate(10, &[3, 2], &Allocation::Equal), Some(vec![3, 2]));
        assert_eq!(allocate(10, &[], &Allocation::Equal), Some(vec![]));
    }

    #[test]
    fn as_many_points_more_as_asked_for_reach_the_goal() {
        let (sample, areas) = paper();
        let missing =
            |half_width| points_missing(&sample, &areas, PrecisionGoal::Overall { half_width }).expect("enough points");

        // ± 0.0185 now; half the width takes about four times the 640 points.
        assert_eq!(missing(0.02), Some(0));
        let more = missing(0.00924).expect("reachable") as f64;
        assert!((more / 640.0 - 3.0).abs() < 0.02, "{more}");
        assert_eq!(missing(0.0), None);

        // Deforestation is known to ± 29 % of its area.
        let goal = |half_width| PrecisionGoal::Area { class: ClassId(1), half_width };
        assert_eq!(points_missing(&sample, &areas, goal(0.30)), Ok(Some(0)));
        let more = points_missing(&sample, &areas, goal(0.145)).expect("enough points").expect("reachable") as f64;
        assert!((more / 640.0 - 3.0).abs() < 0.1, "{more}");
    }
}
