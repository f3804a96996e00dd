//! Accuracy of a class map against a truth on its grid.

use std::time::Instant;

use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::grid::TILE_SIZE;
use nunatak_domain::job::AccuracyConfig;
use nunatak_domain::label::{LabelLayer, UNLABELLED};
use nunatak_domain::metrics::{AreaAccuracy, ConfusionMatrix, Estimate};
use nunatak_domain::notice::Notice;
use nunatak_io::{AreaKind, class_areas, is_vector};
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::accuracy_report::{csv, html};
use super::class_spectra::labels_on;
use super::judge;
use super::{Done, Facts, Part, io_error, recipe, seconds};
use crate::command::Command;

/// What a report is made of.
pub(super) struct Judged {
    pub(super) truth: String,
    pub(super) map: String,
    pub(super) matrix: ConfusionMatrix,
    pub(super) scheme: ClassScheme,
    pub(super) area: Option<MappedAreas>,
    pub(super) remarks: Vec<String>,
}

pub(super) struct MappedAreas {
    pub(super) accuracy: AreaAccuracy,
    /// `ha`, or `px` where there is no CRS.
    pub(super) unit: &'static str,
}

pub(crate) fn run(config: &AccuracyConfig, command: &Command, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let info = nunatak_io::describe(&config.map).map_err(io_error)?;
    let values = config.values.as_deref().unwrap_or("");
    let reading = Part { monitor, from: 0.0, to: 0.4, what: "map" };
    let map = labels_on(&info, &config.map, None, Some((&ClassScheme::default(), values)), &reading)?;
    let reading = Part { monitor, from: 0.4, to: 0.8, what: "truth" };
    let field = config.field.as_deref();
    let truth = judge::truth_of_file(&info, &config.truth, field, (&map.classes, values), &reading)?;
    monitor.progress(0.8, "comparing");
    let matches = judge::matched(&truth.classes, &map.classes);
    let matrix = matrix_of(&judge::seen_as(&truth.layer, &matches.ids, None), &map.layer);
    if matrix.total() == 0 {
        let text = "no pixel has both a truth and a mapped class, so there is nothing to judge";
        return Err(Notice::error(format!("{text}: {}", config.truth.display())).into());
    }
    let mut judged = Judged {
        truth: config.truth.display().to_string(),
        map: config.map.display().to_string(),
        matrix,
        scheme: judge::scheme(&map.classes, &truth.classes, &matches.ids),
        area: None,
        remarks: matches.remarks(),
    };
    if config.area_adjusted {
        judged.adjust(&info, &map.layer, config)?;
    }
    if judged.matrix.unmapped() > 0 {
        let text =
            format!("{} truth pixels lie where the map has no class; they count in no score", judged.matrix.unmapped());
        judged.remarks.push(text);
    }
    judged.remarks.iter().for_each(|remark| monitor.warn(Notice::info(remark)));

    let mut outputs = Vec::new();
    if config.html.is_some() || config.csv.is_some() {
        let recipe = recipe(command, &[("truth", &config.truth), ("map", &config.map)], monitor)?;
        let texts = [
            config.html.as_deref().map(|path| (path, html(&judged))),
            config.csv.as_deref().map(|path| (path, csv(&judged))),
        ];
        let files: Vec<_> = texts.iter().flatten().map(|(path, text)| (*path, text.as_str())).collect();
        outputs = nunatak_io::write_texts(&files, &recipe, config.overwrite).map_err(io_error)?;
    }
    Ok(judged.facts(start).report(outputs))
}

/// Truth against map, by tiles that have a truth.
pub(super) fn matrix_of(truth: &LabelLayer, map: &LabelLayer) -> ConfusionMatrix {
    let tiles: Vec<_> = truth.tiles().collect();
    let parts: Vec<ConfusionMatrix> = tiles
        .par_iter()
        .map(|(pos, tile)| {
            let mut matrix = ConfusionMatrix::default();
            match map.tile(*pos) {
                Some(mapped) => matrix.add(tile.ids(), mapped.ids(), UNLABELLED),
                None => matrix.add(tile.ids(), &vec![UNLABELLED; TILE_SIZE * TILE_SIZE], UNLABELLED),
            }
            matrix
        })
        .collect();
    let mut matrix = ConfusionMatrix::default();
    parts.iter().for_each(|part| matrix.merge(part));
    matrix
}

impl Judged {
    /// The truth is taken as a sample that was drawn at random in each mapped class.
    pub(super) fn adjust(
        &mut self,
        info: &nunatak_domain::scene::SceneInfo,
        map: &LabelLayer,
        config: &AccuracyConfig,
    ) -> Result<(), JobError> {
        let (areas, kind) = class_areas(info, map);
        let (unit, factor) = if kind == AreaKind::Pixels { ("px", 1.0) } else { ("ha", 1e-4) };
        // A mapped class that no point fell into is a stratum too.
        let classes = areas.keys().chain(self.matrix.classes()).copied();
        let mut matrix = ConfusionMatrix::new(classes);
        matrix.merge(&self.matrix);
        self.matrix = matrix;
        let mapped: Vec<f64> =
            self.matrix.classes().iter().map(|class| areas.get(class).copied().unwrap_or(0.0) * factor).collect();
        let accuracy = AreaAccuracy::new(&self.matrix, &mapped).map_err(|error| {
            let next_step = "Draw a stratified sample of this map with `nunatak sample` and label it";
            Notice::error(format!("{}: {}", self.named(&error.to_string()), config.truth.display()))
                .next_step(next_step)
        })?;
        if !is_vector(&config.truth) {
            let text = "standard errors hold where the truth is a random sample in each mapped class, which a raster seldom is";
            self.remarks.push(text.to_owned());
        }
        self.area = Some(MappedAreas { accuracy, unit });
        Ok(())
    }

    /// Says a class's name where an error says its number.
    fn named(&self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for index in 1..words.len() {
            let digits: String = words[index].chars().take_while(char::is_ascii_digit).collect();
            if words[index - 1] == "class" && !digits.is_empty() {
                let rest = words[index][digits.len()..].to_owned();
                words[index] = format!("{digits} ({}){rest}", self.scheme.name(ClassId(digits.parse().unwrap_or(0))));
            }
        }
        words.join(" ")
    }

    pub(super) fn facts(&self, start: Instant) -> Facts {
        let matrix = &self.matrix;
        let (mean, weighted) = (matrix.macro_average(), matrix.weighted_average());
        let names: Vec<String> = matrix.classes().iter().map(|class| self.scheme.name(*class)).collect();
        let n = names.len();
        let rows: Vec<&[u64]> = matrix.counts().chunks_exact(n.max(1)).collect();
        let classes = matrix.per_class().into_iter().map(|class| {
            json!({
                "id": class.class, "name": self.scheme.name(class.class), "truth_px": class.support,
                "mapped_px": class.mapped, "precision": class.precision, "recall": class.recall, "f1": class.f1,
                "iou": class.iou,
            })
        });
        let mut facts = Facts::default()
            .with("pixels", matrix.total())
            .with("unmapped_px", matrix.unmapped())
            .with("overall_accuracy", matrix.overall_accuracy())
            .with("kappa", matrix.kappa())
            .with("mean_f1", mean.f1)
            .with("mean_iou", mean.iou)
            .with("frequency_weighted_iou", weighted.iou);
        if let Some(MappedAreas { accuracy, unit }) = &self.area {
            let estimate = |estimate: &Estimate| json!(estimate.value);
            let error = |estimate: &Estimate| json!(estimate.half_width_95());
            let areas = accuracy.classes.iter().map(|class| {
                json!({
                    "id": class.class, "name": self.scheme.name(class.class), "points": class.n_points,
                    "mapped": class.mapped_area, "area": class.area.value, "area_se": class.area.standard_error,
                    "area_95": class.area.half_width_95(),
                    "users": class.users.as_ref().map(estimate), "users_95": class.users.as_ref().map(error),
                    "producers": class.producers.as_ref().map(estimate),
                    "producers_95": class.producers.as_ref().map(error),
                })
            });
            facts = facts
                .with("area_adjusted_accuracy", accuracy.overall.value)
                .with("area_adjusted_accuracy_se", accuracy.overall.standard_error)
                .with("area_adjusted_accuracy_95", accuracy.overall.half_width_95())
                .with("area_unit", *unit)
                .with("areas", areas.collect::<Vec<_>>());
        }
        facts
            .with("classes", classes.collect::<Vec<Value>>())
            .with("confusion", json!({ "classes": matrix.classes(), "names": names, "counts": rows }))
            .with("seconds", seconds(start))
    }
}
