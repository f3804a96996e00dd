//! The confusion matrix and what is read from it.
//!
//! Rows are the reference, columns the map. Equal to scikit-learn with `zero_division=nan`: a
//! score whose denominator is 0 is `None` (precision of a class that was never mapped, recall
//! of a class without reference pixels) and is left out of means; it is never counted as 0.

use serde::{Deserialize, Serialize};

use crate::class::ClassId;

/// Pixels by reference class and mapped class. Classes appear as they are met, so that no
/// pixel is lost because a legend did not list its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Ascending.
    classes: Vec<ClassId>,
    /// `[reference, map]`.
    counts: Vec<u64>,
    /// Pixels with a reference where the map has none; in no score.
    unmapped: u64,
}

/// Scores of one class, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    pub class: ClassId,
    /// Reference pixels of the class.
    pub support: u64,
    /// Pixels mapped as the class.
    pub mapped: u64,
    /// User's accuracy, 1 − commission error.
    pub precision: Option<f64>,
    /// Producer's accuracy, 1 − omission error.
    pub recall: Option<f64>,
    pub f1: Option<f64>,
    /// Recall counts four times as much as precision.
    pub f2: Option<f64>,
    pub iou: Option<f64>,
}

/// Means of the class scores over the classes that have them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
    pub f2: Option<f64>,
    pub iou: Option<f64>,
}

impl ConfusionMatrix {
    /// Empty, with classes that are listed even if no pixel has them.
    pub fn new(classes: impl IntoIterator<Item = ClassId>) -> Self {
        let mut matrix = Self::default();
        for class in classes {
            matrix.index_or_insert(class);
        }
        matrix
    }

    /// From counts `[reference, map]`; `None` unless they are one per pair of classes and the
    /// classes are ascending.
    pub fn from_counts(classes: Vec<ClassId>, counts: Vec<u64>) -> Option<Self> {
        let ascending = classes.windows(2).all(|pair| pair[0] < pair[1]);
        (ascending && counts.len() == classes.len() * classes.len()).then_some(Self { classes, counts, unmapped: 0 })
    }

    /// Adds pixels, `reference` and `map` side by side. A pixel counts where neither is
    /// `ignore`; where only the map is, it is counted as unmapped. About 1 ns a pixel where
    /// classes come in runs.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&mut self, reference: &[u16], map: &[u16], ignore: u16) {
        assert_eq!(reference.len(), map.len(), "reference and map of one size");
        let mut run = (ignore, ignore, 0_u64);
        for (&reference, &map) in reference.iter().zip(map) {
            if (reference, map) == (run.0, run.1) {
                run.2 += 1;
            } else {
                self.add_run(run, ignore);
                run = (reference, map, 1);
            }
        }
        self.add_run(run, ignore);
    }

    /// Adds `n` pixels of one pair of classes, for example a labelled sample point.
    pub fn add_pair(&mut self, reference: ClassId, map: ClassId, n: u64) {
        self.index_or_insert(reference);
        let column = self.index_or_insert(map);
        let row = self.index_or_insert(reference);
        let n_classes = self.classes.len();
        self.counts[row * n_classes + column] += n;
    }

    /// Adds what another thread has counted.
    pub fn merge(&mut self, other: &Self) {
        for &class in &other.classes {
            self.index_or_insert(class);
        }
        for (reference, row) in other.classes.iter().zip(other.counts.chunks_exact(other.classes.len().max(1))) {
            for (map, &n) in other.classes.iter().zip(row) {
                self.add_pair(*reference, *map, n);
            }
        }
        self.unmapped += other.unmapped;
    }

    pub fn classes(&self) -> &[ClassId] {
        &self.classes
    }

    /// 0 for classes the matrix does not know.
    pub fn count(&self, reference: ClassId, map: ClassId) -> u64 {
        match (self.classes.binary_search(&reference), self.classes.binary_search(&map)) {
            (Ok(row), Ok(column)) => self.at(row, column),
            _ => 0,
        }
    }

    /// `[reference, map]`, in the order of [`ConfusionMatrix::classes`].
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Pixels counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Pixels that have a reference but nothing on the map.
    pub fn unmapped(&self) -> u64 {
        self.unmapped
    }

    /// Share of pixels on the diagonal; `None` without pixels.
    pub fn overall_accuracy(&self) -> Option<f64> {
        ratio(self.diagonal(), self.total())
    }

    /// Cohen's kappa; `None` where agreement by chance is certain (one class only).
    pub fn kappa(&self) -> Option<f64> {
        let n = self.total() as f64;
        let observed = self.overall_accuracy()?;
        let chance: f64 = (0..self.classes.len()).map(|i| self.row(i) as f64 / n * (self.column(i) as f64 / n)).sum();
        (chance < 1.0).then(|| (observed - chance) / (1.0 - chance))
    }

    /// Scores per class, in the order of [`ConfusionMatrix::classes`].
    pub fn per_class(&self) -> Vec<ClassAccuracy> {
        let class_accuracy = |(i, &class): (usize, &ClassId)| {
            let (hits, support, mapped) = (self.at(i, i), self.row(i), self.column(i));
            let missed = support - hits;
            let wrong = mapped - hits;
            ClassAccuracy {
                class,
                support,
                mapped,
                precision: ratio(hits, mapped),
                recall: ratio(hits, support),
                f1: ratio(2 * hits, 2 * hits + missed + wrong),
                f2: ratio(5 * hits, 5 * hits + 4 * missed + wrong),
                iou: ratio(hits, hits + missed + wrong),
            }
        };
        self.classes.iter().enumerate().map(class_accuracy).collect()
    }

    /// Every class that has the score counts the same. `iou` is the mean IoU.
    pub fn macro_average(&self) -> Averages {
        averages(&self.per_class(), |_| 1.0)
    }

    /// Classes count by their reference pixels. `iou` is the frequency-weighted IoU.
    pub fn weighted_average(&self) -> Averages {
        averages(&self.per_class(), |class| class.support as f64)
    }

    fn add_run(&mut self, (reference, map, n): (u16, u16, u64), ignore: u16) {
        if reference == ignore || n == 0 {
            return;
        }
        if map == ignore {
            self.unmapped += n;
        } else {
            self.add_pair(ClassId(u32::from(reference)), ClassId(u32::from(map)), n);
        }
    }

    fn index_or_insert(&mut self, class: ClassId) -> usize {
        let at = match self.classes.binary_search(&class) {
            Ok(index) => return index,
            Err(at) => at,
        };
        let old = self.classes.len();
        self.classes.insert(at, class);
        let grown = |i: usize| if i < at { i } else { i + 1 };
        let mut counts = vec![0; (old + 1) * (old + 1)];
        for row in 0..old {
            for column in 0..old {
                counts[grown(row) * (old + 1) + grown(column)] = self.counts[row * old + column];
            }
        }
        self.counts = counts;
        at
    }

    fn at(&self, row: usize, column: usize) -> u64 {
        self.counts[row * self.classes.len() + column]
    }

    fn row(&self, row: usize) -> u64 {
        (0..self.classes.len()).map(|column| self.at(row, column)).sum()
    }

    fn column(&self, column: usize) -> u64 {
        (0..self.classes.len()).map(|row| self.at(row, column)).sum()
    }

    fn diagonal(&self) -> u64 {
        (0..self.classes.len()).map(|i| self.at(i, i)).sum()
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn averages(classes: &[ClassAccuracy], weight: impl Fn(&ClassAccuracy) -> f64) -> Averages {
    let mean = |score: fn(&ClassAccuracy) -> Option<f64>| {
        let scored = classes.iter().filter_map(|class| Some((score(class)?, weight(class))));
        let (sum, weights) = scored.fold((0.0, 0.0), |(sum, weights), (score, w)| (sum + score * w, weights + w));
        (weights > 0.0).then(|| sum / weights)
    };
    Averages {
        precision: mean(|class| class.precision),
        recall: mean(|class| class.recall),
        f1: mean(|class| class.f1),
        f2: mean(|class| class.f2),
        iou: mean(|class| class.iou),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
        serde_json::from_value(value.clone()).expect("a list of numbers")
    }

    fn close(ours: Option<f64>, theirs: &Value, what: &str) {
        match (ours, theirs.as_f64()) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{what}: {a} instead of {b}"),
            (None, None) => {}
            other => panic!("{what}: {other:?}"),
        }
    }

    #[test]
    fn every_score_equals_scikit_learn() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/fixtures/statistics/confusion.json")).expect("fixture");
        assert_eq!(cases.len(), 5);
        for case in &cases {
            let mut matrix = ConfusionMatrix::default();
            matrix.add(&numbers(&case["reference"]), &numbers(&case["map"]), u16::MAX);

            let counts: Vec<Vec<u64>> = numbers(&case["counts"]);
            assert_eq!(matrix.counts(), counts.concat());
            assert_eq!(matrix.classes().iter().map(|c| c.0).collect::<Vec<_>>(), numbers::<u32>(&case["classes"]));
            close(matrix.overall_accuracy(), &case["overall_accuracy"], "overall accuracy");
            close(matrix.kappa(), &case["kappa"], "kappa");
            for (i, class) in matrix.per_class().iter().enumerate() {
                close(class.precision, &case["precision"][i], "precision");
                close(class.recall, &case["recall"][i], "recall");
                close(class.f1, &case["f1"][i], "F1");
                close(class.f2, &case["f2"][i], "F2");
                close(class.iou, &case["iou"][i], "IoU");
            }
            let (mean, weighted) = (matrix.macro_average(), matrix.weighted_average());
            close(mean.precision, &case["macro_precision"], "macro precision");
            close(mean.recall, &case["macro_recall"], "macro recall");
            close(mean.f1, &case["macro_f1"], "macro F1");
            close(mean.f2, &case["macro_f2"], "macro F2");
            close(mean.iou, &case["mean_iou"], "mean IoU");
            close(weighted.precision, &case["weighted_precision"], "weighted precision");
            close(weighted.recall, &case["weighted_recall"], "weighted recall");
            close(weighted.f1, &case["weighted_f1"], "weighted F1");
            close(weighted.f2, &case["weighted_f2"], "weighted F2");
            close(weighted.iou, &case["frequency_weighted_iou"], "frequency-weighted IoU");
        }
    }

    #[test]
    fn a_class_that_nobody_saw_has_no_scores_and_is_left_out_of_means() {
        let mut matrix = ConfusionMatrix::new([ClassId(1), ClassId(2), ClassId(9)]);
        matrix.add(&[1, 1, 2, 65535, 2], &[1, 1, 2, 2, 65535], 65535);

        assert_eq!((matrix.total(), matrix.unmapped()), (3, 1));
        assert_eq!(matrix.per_class()[2].iou, None);
        assert_eq!(matrix.macro_average().iou, Some(1.0));
        assert_eq!(ConfusionMatrix::default().overall_accuracy(), None);
        assert_eq!(ConfusionMatrix::default().macro_average().f1, None);
    }

    #[test]
    fn parts_counted_apart_and_merged_are_the_whole() {
        let reference: Vec<u16> = (0..500).map(|i| (i * 7 % 13) as u16).collect();
        let map: Vec<u16> = (0..500).map(|i| (i * 5 % 11) as u16 + 1).collect();
        let mut whole = ConfusionMatrix::default();
        whole.add(&reference, &map, 3);

        let mut parts = ConfusionMatrix::default();
        for (reference, map) in reference.chunks(77).zip(map.chunks(77)) {
            let mut part = ConfusionMatrix::default();
            part.add(reference, map, 3);
            parts.merge(&part);
        }

        assert_eq!(parts, whole);
    }
}
