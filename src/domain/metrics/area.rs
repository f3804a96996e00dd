//! Areas and accuracies of a map, estimated from a stratified random sample of it.
//!
//! Olofsson, Foody, Herold, Stehman, Woodcock & Wulder (2014), *Good practices for estimating
//! area and assessing accuracy of land change*, Remote Sensing of Environment 148, equations
//! 1 to 11. The strata are the mapped classes. Counting pixels of a map gives biased areas;
//! these are corrected by the errors that the sample found, and say how sure they are.

use serde::{Deserialize, Serialize};

use super::ConfusionMatrix;
use crate::class::ClassId;

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub standard_error: f64,
}

impl Estimate {
    /// Half the width of the 95 % confidence interval, 1.96 standard errors.
    pub fn half_width_95(&self) -> f64 {
        1.96 * self.standard_error
    }
}

/// Accuracy and areas of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AreaAccuracy {
    /// Share of the area that is mapped right, in [0, 1].
    pub overall: Estimate,
    /// In the order of the matrix's classes.
    pub classes: Vec<ClassArea>,
    /// Estimated share of the area that is mapped as class i and is class j: `[map, reference]`.
    /// Transposed against [`ConfusionMatrix`], as in the paper.
    pub proportions: Vec<f64>,
}

/// One class of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassArea {
    pub class: ClassId,
    /// Sample points that were mapped as the class.
    pub n_points: u64,
    /// In the unit the mapped areas were given in.
    pub mapped_area: f64,
    /// The same unit.
    pub area: Estimate,
    /// User's accuracy, in [0, 1]; `None` for a class that is not on the map.
    pub users: Option<Estimate>,
    /// Producer's accuracy, in [0, 1]; `None` for a class that the sample did not find.
    pub producers: Option<Estimate>,
}

/// Why a sample gives no estimate yet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AreaError {
    #[error("{found} mapped areas for {expected} classes: give one of each")]
    Lengths { found: usize, expected: usize },
    #[error("a mapped area is negative or not a number")]
    NotAnArea,
    #[error("the map has no area")]
    NoArea,
    #[error("{found} sample points in the area mapped as class {}: label at least 2", class.0)]
    TooFew { class: ClassId, found: u64 },
    #[error("sample points in class {} but none of the map's area is: draw the sample from this map", .0.0)]
    NotOnTheMap(ClassId),
}

impl AreaAccuracy {
    /// From sample points (reference against map) and the area mapped as each class, in the
    /// order of the matrix's classes and in any unit. A class on no part of the map may have
    /// area 0; it can still be found by the sample.
    ///
    /// # Errors
    /// A class on the map with fewer than two sample points, or areas that are none.
    pub fn new(sample: &ConfusionMatrix, mapped_areas: &[f64]) -> Result<Self, AreaError> {
        let strata = Strata::new(sample, mapped_areas)?;
        let n = strata.rows.len();
        let (mut overall, mut overall_variance) = (0.0, 0.0);
        for i in 0..n {
            overall += strata.proportion(i, i);
            overall_variance += strata.weight[i].powi(2) * strata.variance(i, i);
        }
        let classes = (0..n).map(|class| strata.class(sample.classes()[class], class)).collect();
        Ok(Self {
            overall: Estimate { value: overall, standard_error: overall_variance.sqrt() },
            classes,
            proportions: (0..n * n).map(|at| strata.proportion(at / n, at % n)).collect(),
        })
    }
}

/// The sample by mapped class.
pub(super) struct Strata {
    /// Points mapped as the class.
    pub(super) rows: Vec<f64>,
    /// Mapped share of the area.
    pub(super) weight: Vec<f64>,
    /// Share of the points mapped as class i that are class j: `[map, reference]`.
    share: Vec<f64>,
    total_area: f64,
}

impl Strata {
    pub(super) fn new(sample: &ConfusionMatrix, mapped_areas: &[f64]) -> Result<Self, AreaError> {
        let n = sample.classes().len();
        if mapped_areas.len() != n {
            return Err(AreaError::Lengths { found: mapped_areas.len(), expected: n });
        }
        if mapped_areas.iter().any(|area| !(area.is_finite() && *area >= 0.0)) {
            return Err(AreaError::NotAnArea);
        }
        let total_area: f64 = mapped_areas.iter().sum();
        if total_area <= 0.0 {
            return Err(AreaError::NoArea);
        }
        let counts = sample.counts();
        let points: Vec<u64> = (0..n).map(|map| (0..n).map(|reference| counts[reference * n + map]).sum()).collect();
        for (i, &class) in sample.classes().iter().enumerate() {
            let on_map = mapped_areas[i] > 0.0;
            if on_map && points[i] < 2 {
                return Err(AreaError::TooFew { class, found: points[i] });
            }
            if !on_map && points[i] > 0 {
                return Err(AreaError::NotOnTheMap(class));
            }
        }
        let share = (0..n * n)
            .map(|at| {
                let (map, reference) = (at / n, at % n);
                if points[map] == 0 { 0.0 } else { counts[reference * n + map] as f64 / points[map] as f64 }
            })
            .collect();
        Ok(Self {
            rows: points.iter().map(|&points| points as f64).collect(),
            weight: mapped_areas.iter().map(|area| area / total_area).collect(),
            share,
            total_area,
        })
    }

    pub(super) fn share(&self, map: usize, reference: usize) -> f64 {
        self.share[map * self.rows.len() + reference]
    }

    fn proportion(&self, map: usize, reference: usize) -> f64 {
        self.weight[map] * self.share(map, reference)
    }

    /// Of the share of stratum `map` that is class `reference`; 0 for a class not on the map.
    fn variance(&self, map: usize, reference: usize) -> f64 {
        let share = self.share(map, reference);
        if self.rows[map] < 2.0 { 0.0 } else { share * (1.0 - share) / (self.rows[map] - 1.0) }
    }

    fn class(&self, class: ClassId, index: usize) -> ClassArea {
        let n = self.rows.len();
        let share: f64 = (0..n).map(|map| self.proportion(map, index)).sum();
        let share_variance: f64 = (0..n).map(|map| self.weight[map].powi(2) * self.variance(map, index)).sum();
        let area = Estimate { value: self.total_area * share, standard_error: self.total_area * share_variance.sqrt() };
        let users = (self.rows[index] > 0.0)
            .then(|| Estimate { value: self.share(index, index), standard_error: self.variance(index, index).sqrt() });
        let producers = (share > 0.0).then(|| {
            let value = self.proportion(index, index) / share;
            let own = (self.weight[index] * (1.0 - value)).powi(2) * self.variance(index, index);
            let others = (0..n).filter(|&map| map != index);
            let others: f64 = others.map(|map| self.weight[map].powi(2) * self.variance(map, index)).sum();
            Estimate { value, standard_error: (own + value * value * others).sqrt() / share }
        });
        ClassArea {
            class,
            n_points: self.rows[index] as u64,
            mapped_area: self.weight[index] * self.total_area,
            area,
            users,
            producers,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::*;

    /// Table 8 of the paper: deforestation, forest gain, stable forest, stable non-forest;
    /// rows are map classes there.
    pub(in crate::metrics) fn paper() -> (ConfusionMatrix, [f64; 4]) {
        let map_by_reference = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]];
        let mut sample = ConfusionMatrix::default();
        for (map, row) in map_by_reference.iter().enumerate() {
            for (reference, &n) in row.iter().enumerate() {
                sample.add_pair(ClassId(reference as u32 + 1), ClassId(map as u32 + 1), n);
            }
        }
        (sample, [200_000.0, 150_000.0, 3_200_000.0, 6_450_000.0])
    }

    fn close(ours: f64, theirs: &Value, what: &str) {
        let theirs = theirs.as_f64().expect("a number");
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-3), "{what}: {ours} instead of {theirs}");
    }

    #[test]
    fn the_worked_example_of_the_paper_is_reproduced() {
        let (sample, areas) = paper();

        let found = AreaAccuracy::new(&sample, &areas).expect("enough points");

        // Section 5.1: 0.947, 95 % interval ± 0.018; deforestation 235 086 ± 68 418 px.
        assert_eq!(format!("{:.3}", found.overall.value), "0.947");
        assert_eq!(format!("{:.3}", found.overall.half_width_95()), "0.018");
        let deforestation = &found.classes[0];
        assert_eq!(format!("{:.0}", deforestation.area.value), "235086");
        assert_eq!(format!("{:.0}", deforestation.area.half_width_95()), "68418");
        let users = deforestation.users.expect("mapped");
        assert_eq!(format!("{:.2} {:.2}", users.value, users.half_width_95()), "0.88 0.07");
        let producers = deforestation.producers.expect("found");
        assert_eq!(format!("{:.2} {:.2}", producers.value, producers.half_width_95()), "0.75 0.21");
    }

    #[test]
    fn every_figure_equals_numpy() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/fixtures/statistics/area.json")).expect("fixture");
        assert_eq!(cases.len(), 2);
        for case in &cases {
            let map_by_reference: Vec<Vec<u64>> = serde_json::from_value(case["counts"].clone()).expect("counts");
            let areas: Vec<f64> = serde_json::from_value(case["mapped"].clone()).expect("areas");
            let n = areas.len();
            let counts = (0..n * n).map(|at| map_by_reference[at % n][at / n]).collect();
            let classes = (0..n as u32).map(ClassId).collect();
            let sample = ConfusionMatrix::from_counts(classes, counts).expect("square");

            let found = AreaAccuracy::new(&sample, &areas).expect("enough points");

            close(found.overall.value, &case["overall"], "overall");
            close(found.overall.standard_error, &case["overall_se"], "overall error");
            for (i, class) in found.classes.iter().enumerate() {
                close(class.area.value, &case["area"][i], "area");
                close(class.area.standard_error, &case["area_se"][i], "area error");
                let (users, producers) = (class.users.expect("mapped"), class.producers.expect("found"));
                close(users.value, &case["users"][i], "user's accuracy");
                close(users.standard_error, &case["users_se"][i], "user's error");
                close(producers.value, &case["producers"][i], "producer's accuracy");
                close(producers.standard_error, &case["producers_se"][i], "producer's error");
                for j in 0..n {
                    close(found.proportions[i * n + j], &case["proportions"][i][j], "proportion");
                }
            }
        }
    }

    #[test]
    fn too_few_points_say_how_many_are_missing() {
        let mut sample = ConfusionMatrix::default();
        sample.add_pair(ClassId(1), ClassId(1), 5);
        sample.add_pair(ClassId(2), ClassId(2), 1);

        let error = AreaAccuracy::new(&sample, &[10.0, 10.0]).expect_err("one point");

        assert_eq!(error.to_string(), "1 sample points in the area mapped as class 2: label at least 2");
        assert_eq!(AreaAccuracy::new(&sample, &[10.0]), Err(AreaError::Lengths { found: 1, expected: 2 }));
        assert_eq!(AreaAccuracy::new(&sample, &[f64::NAN, 1.0]), Err(AreaError::NotAnArea));
        assert_eq!(AreaAccuracy::new(&ConfusionMatrix::default(), &[]), Err(AreaError::NoArea));
        assert_eq!(AreaAccuracy::new(&sample, &[10.0, 0.0]), Err(AreaError::NotOnTheMap(ClassId(2))));
    }

    #[test]
    fn a_class_that_only_the_sample_found_has_an_area_and_no_users_accuracy() {
        let mut sample = ConfusionMatrix::default();
        sample.add_pair(ClassId(1), ClassId(1), 8);
        sample.add_pair(ClassId(2), ClassId(1), 2);

        let found = AreaAccuracy::new(&sample, &[100.0, 0.0]).expect("enough points");

        assert!((found.classes[1].area.value - 20.0).abs() < 1e-12);
        assert_eq!(found.classes[1].users, None);
        assert_eq!(found.classes[1].producers.expect("found").value, 0.0);
    }
}
