//! The comparison of two layers, or of a layer and a file, on the map's grid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use nunatak_domain::class::{Class, ClassId, ClassScheme};
use nunatak_domain::grid::TILE_SIZE;
use nunatak_domain::job::AccuracyConfig;
use nunatak_domain::label::{LabelLayer, LabelTile, TilePos, UNLABELLED};
use nunatak_domain::layer::SceneId;
use nunatak_domain::metrics::{PrecisionGoal, SpatialSplit, points_missing};
use nunatak_domain::notice::Notice;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_io::LabelImport;
use nunatak_jobs::{JobError, Monitor};
use rayon::prelude::*;
use serde_json::Value;

use super::accuracy::{Judged, MappedAreas, matrix_of};
use super::accuracy_report::{csv, html};
use super::class_spectra::labels_on;
use super::{Done, Facts, Part, io_error, recipe};
use crate::command::Command;
use crate::event::JobReport;
use crate::judging::{AreaJudgement, JudgeRequest, Judgement};
use crate::work_dir::Fresh;

/// Maps of up to so many pixels stay in memory (2 bytes each) for as long as they are judged.
const KEPT_PX: usize = 1 << 26;

/// Half the width of the 95 % interval that the points still missing are counted for.
const GOAL: f64 = 0.03;

pub(crate) struct Request {
    pub(crate) ask: JudgeRequest,
    pub(crate) truth: Side,
    pub(crate) map: Side,
    pub(crate) scene: SceneId,
    /// Of the map.
    pub(crate) info: SceneInfo,
    /// For a truth on another grid.
    pub(crate) folder: Option<Fresh>,
    /// Nobody asked: an answer without pixels is no failure.
    pub(crate) again: bool,
}

pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// In place of the file.
    pub(crate) given: Option<Given>,
    pub(crate) field: Option<String>,
}

/// Pixels in memory.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) layer: Arc<LabelLayer>,
    pub(crate) classes: ClassScheme,
    /// The scene whose grid they lie on.
    pub(crate) on: Arc<SceneInfo>,
}

pub(crate) fn run(request: &Request, monitor: &dyn Monitor) -> Result<Done, JobError> {
    let start = Instant::now();
    let Request { info, ask, .. } = request;
    let reading = Part { monitor, from: 0.0, to: 0.4, what: "map" };
    let map = match &request.map.given {
        Some(given) => given.clone(),
        None => {
            let read = labels_on(info, &request.map.path, None, None, &reading)?;
            Given { layer: Arc::new(read.layer), classes: read.classes, on: Arc::new(info.clone()) }
        }
    };
    let reading = Part { monitor, from: 0.4, to: 0.8, what: "truth" };
    let truth = truth(request, &map, &reading)?;
    monitor.progress(0.8, "comparing");
    let matches = matched(&truth.classes, &map.classes);
    let split = ask.held_out.map(|h| SpatialSplit::new(info.width, info.height, h.block_px, h.share, h.seed));
    let layer = match (&matches.ids, &split) {
        (ids, None) if ids.is_empty() => truth.layer,
        (ids, split) => Arc::new(seen_as(&truth.layer, ids, split.as_ref())),
    };
    let matrix = matrix_of(&layer, &map.layer);
    if matrix.total() == 0 && !request.again {
        let text = "no pixel has both a truth and a mapped class, so there is nothing to judge";
        return Err(Notice::error(format!("{text}: {}", request.truth.name)).into());
    }
    let classes = scheme(&map.classes, &truth.classes, &matches.ids);
    let mut judged = Judged {
        truth: request.truth.name.clone(),
        map: request.map.name.clone(),
        matrix,
        scheme: classes,
        area: None,
        remarks: matches.remarks(),
    };
    if ask.area_adjusted {
        judged.adjust(info, &map.layer, &as_config(request))?;
    }
    if judged.matrix.unmapped() > 0 {
        let n = judged.matrix.unmapped();
        judged.remarks.push(format!("{n} truth pixels lie where the map has no class; they count in no score"));
    }
    if let Some(held_out) = ask.held_out {
        let (share, side, seed) = (100.0 * held_out.share, held_out.block_px, held_out.seed);
        judged.remarks.push(format!("only in held-out blocks: {share:.0} % of blocks of {side} px, seed {seed}"));
    }
    let examples = examples(&layer, &map.layer);
    let report = JobReport { outputs: Vec::new(), facts: judged.facts(start).0, info: None };
    let judgement = Judgement {
        request: ask.clone(),
        truth: judged.truth,
        map: judged.map,
        areas: judged.area.map(|area| judged_areas(&judged.matrix, area)),
        matrix: judged.matrix,
        classes: judged.scheme,
        by_name: matches.by_name,
        remarks: judged.remarks,
        examples,
        scene: request.scene,
    };
    let small = info.width.saturating_mul(info.height) <= KEPT_PX;
    Ok(Done::judged(judgement, small.then_some(map), report))
}

/// Writes what was found, as `accuracy` of the command line does.
pub(crate) fn save(
    found: &Judgement,
    (page, table, overwrite): (Option<&Path>, Option<&Path>, bool),
    (command, inputs): (&Command, &[(&'static str, PathBuf)]),
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let inputs: Vec<(&str, &PathBuf)> = inputs.iter().map(|(role, path)| (*role, path)).collect();
    let recipe = recipe(command, &inputs, monitor)?;
    let judged = Judged {
        truth: found.truth.clone(),
        map: found.map.clone(),
        matrix: found.matrix.clone(),
        scheme: found.classes.clone(),
        area: found.areas.as_ref().map(|areas| MappedAreas { accuracy: areas.accuracy.clone(), unit: areas.unit }),
        remarks: found.remarks.clone(),
    };
    let texts = [page.map(|path| (path, html(&judged))), table.map(|path| (path, csv(&judged)))];
    let files: Vec<_> = texts.iter().flatten().map(|(path, text)| (*path, text.as_str())).collect();
    let outputs = nunatak_io::write_texts(&files, &recipe, overwrite).map_err(io_error)?;
    Ok(Facts::default().report(outputs))
}

/// The truth on the map's grid.
fn truth(request: &Request, map: &Given, monitor: &dyn Monitor) -> Result<Given, JobError> {
    let Side { path, given, field, .. } = &request.truth;
    let info = &request.info;
    let Some(given) = given else {
        let read = truth_of_file(info, path, field.as_deref(), (&map.classes, ""), monitor)?;
        return Ok(Given { layer: Arc::new(read.layer), classes: read.classes, on: map.on.clone() });
    };
    if same_grid(&given.on, info) {
        return Ok(given.clone());
    }
    // Through a file, for the importer knows how to bring any grid to another.
    let folder = request.folder.as_ref().expect("labels in memory come with a folder");
    let folder = folder.make().map_err(Notice::error)?;
    let file = folder.join("truth.tif");
    let recipe = Recipe::new(Value::Null);
    nunatak_io::export_label_raster(&given.layer, &given.classes, &given.on, (&file, true), &recipe, monitor)
        .map_err(io_error)?;
    let read = labels_on(info, &file, None, Some((&given.classes, "")), monitor);
    // Best effort: the folder goes with the session.
    drop(std::fs::remove_dir_all(&folder));
    let read = read?;
    Ok(Given { layer: Arc::new(read.layer), classes: read.classes, on: map.on.clone() })
}

/// Labels of a file on the map's grid; `values` says what they are in classes of the map.
pub(super) fn truth_of_file(
    info: &SceneInfo,
    path: &Path,
    field: Option<&str>,
    (map, values): (&ClassScheme, &str),
    monitor: &dyn Monitor,
) -> Result<LabelImport, JobError> {
    if values.is_empty() {
        let own = labels_on(info, path, field, None, monitor)?;
        // Names in a file were numbered as they came; only numbers that it holds itself are ids.
        if own.report.values.iter().all(|v| v.class.is_none_or(|id| v.value.parse() == Ok(id.0))) {
            return Ok(own);
        }
    }
    labels_on(info, path, field, Some((map, values)), monitor)
}

fn same_grid(a: &SceneInfo, b: &SceneInfo) -> bool {
    (a.width, a.height) == (b.width, b.height) && a.crs == b.crs && a.georeference == b.georeference
}

/// Which class of the map a class of the truth is, where that is not the one of the same id.
#[derive(Default)]
pub(super) struct Matches {
    pub(super) ids: BTreeMap<u16, u16>,
    by_name: Vec<(ClassId, ClassId, String)>,
    /// Names in the truth and on the map that only their id makes one class.
    by_id: Vec<(String, String)>,
}

/// A name that the map has under another id wins over the id.
pub(super) fn matched(truth: &ClassScheme, map: &ClassScheme) -> Matches {
    let mut matches = Matches::default();
    for class in &truth.classes {
        let like = |name: &str| name.trim().to_lowercase();
        if map.get(class.id).is_some_and(|known| like(&known.name) == like(&class.name)) {
            continue;
        }
        let Some(twin) = map.classes.iter().find(|known| like(&known.name) == like(&class.name)) else {
            let made_up = |of: &Class| of.name == Class::numbered(of.id.0).name;
            if let Some(known) = map.get(class.id).filter(|known| !made_up(known) && !made_up(class)) {
                matches.by_id.push((class.name.clone(), known.name.clone()));
            }
            continue;
        };
        let (Ok(from), Ok(to)) = (u16::try_from(class.id.0), u16::try_from(twin.id.0)) else { continue };
        matches.ids.insert(from, to);
        matches.by_name.push((class.id, twin.id, twin.name.clone()));
    }
    matches
}

impl Matches {
    pub(super) fn remarks(&self) -> Vec<String> {
        let one = |(truth, map, name): &(ClassId, ClassId, String)| {
            format!("{name} was matched by name: {} in the truth, {} on the map", truth.0, map.0)
        };
        let by_id = |(truth, map): &(String, String)| {
            format!("{truth} of the truth is taken for {map} of the map: they share an id and nothing else says more")
        };
        self.by_name.iter().map(one).chain(self.by_id.iter().map(by_id)).collect()
    }
}

/// Names and colours of the map, and of what only the truth has.
pub(super) fn scheme(map: &ClassScheme, truth: &ClassScheme, ids: &BTreeMap<u16, u16>) -> ClassScheme {
    let mut scheme = map.clone();
    for class in &truth.classes {
        let moved = u16::try_from(class.id.0).is_ok_and(|id| ids.contains_key(&id));
        match scheme.classes.iter_mut().find(|known| known.id == class.id) {
            None if !moved => scheme.classes.push(class.clone()),
            // A name that was only made up for a number gives way to a real one.
            Some(known) if !moved && known.name == Class::numbered(known.id.0).name => known.clone_from(class),
            _ => {}
        }
    }
    scheme
}

/// Labels under the map's ids, and only where the split holds out.
pub(super) fn seen_as(layer: &LabelLayer, ids: &BTreeMap<u16, u16>, split: Option<&SpatialSplit>) -> LabelLayer {
    let mut table: Vec<u16> = (0..=u16::MAX).collect();
    ids.iter().for_each(|(from, to)| table[usize::from(*from)] = *to);
    let tiles: Vec<(TilePos, &Arc<LabelTile>)> = layer.tiles().collect();
    let seen: Vec<(TilePos, Arc<LabelTile>)> = tiles
        .par_iter()
        .map(|(pos, tile)| {
            let rect = pos.rect();
            let pixel = |(index, id): (usize, &u16)| {
                let (col, row) = (rect.col + index % TILE_SIZE, rect.row + index / TILE_SIZE);
                match split {
                    _ if *id == UNLABELLED => UNLABELLED,
                    Some(split) if !split.held_out(col, row) => UNLABELLED,
                    _ => table[usize::from(*id)],
                }
            };
            (*pos, Arc::new(LabelTile::new(tile.ids().iter().enumerate().map(pixel).collect())))
        })
        .collect();
    let mut seen_layer = LabelLayer::new(layer.width(), layer.height());
    seen.into_iter().for_each(|(pos, tile)| seen_layer.set_tile(pos, Some(tile)));
    seen_layer
}

type Pair = (u16, u16);

/// The middle of the longest run of each pair along a row; of equals the first by row and column.
fn examples(truth: &LabelLayer, map: &LabelLayer) -> BTreeMap<(ClassId, ClassId), [usize; 2]> {
    let tiles: Vec<_> = truth.tiles().collect();
    let found: Vec<BTreeMap<Pair, (usize, [usize; 2])>> = tiles
        .par_iter()
        .filter_map(|(pos, tile)| Some((pos.rect(), *tile, map.tile(*pos)?)))
        .map(|(rect, truth, map)| {
            let mut longest = BTreeMap::new();
            for row in 0..TILE_SIZE {
                let pairs: Vec<Pair> = truth.row(row).iter().copied().zip(map.row(row).iter().copied()).collect();
                let mut col = 0;
                for run in pairs.chunk_by(|a, b| a == b) {
                    if run[0].0 != UNLABELLED && run[0].1 != UNLABELLED {
                        let pixel = [rect.col + col + run.len() / 2, rect.row + row];
                        keep_longer(&mut longest, run[0], (run.len(), pixel));
                    }
                    col += run.len();
                }
            }
            longest
        })
        .collect();
    let mut longest = BTreeMap::new();
    found.into_iter().flatten().for_each(|(pair, run)| keep_longer(&mut longest, pair, run));
    let class = |id: u16| ClassId(u32::from(id));
    longest.into_iter().map(|((truth, map), (_, pixel))| ((class(truth), class(map)), pixel)).collect()
}

fn keep_longer(longest: &mut BTreeMap<Pair, (usize, [usize; 2])>, pair: Pair, run: (usize, [usize; 2])) {
    let known = longest.entry(pair).or_insert(run);
    let rank = |(len, [col, row]): (usize, [usize; 2])| (usize::MAX - len, row, col);
    if rank(run) < rank(*known) {
        *known = run;
    }
}

/// The same question as a config, for the sentences of the area adjustment.
fn as_config(request: &Request) -> AccuracyConfig {
    // Labels in memory lie in no file; their name stands for one.
    let truth =
        if request.truth.given.is_some() { request.truth.name.clone().into() } else { request.truth.path.clone() };
    AccuracyConfig {
        truth,
        map: request.map.path.clone(),
        field: request.truth.field.clone(),
        values: None,
        area_adjusted: true,
        html: None,
        csv: None,
        overwrite: false,
    }
}

fn judged_areas(matrix: &nunatak_domain::metrics::ConfusionMatrix, area: MappedAreas) -> AreaJudgement {
    let mapped: Vec<f64> = area.accuracy.classes.iter().map(|class| class.mapped_area).collect();
    let missing = points_missing(matrix, &mapped, PrecisionGoal::Overall { half_width: GOAL });
    AreaJudgement { points_missing: missing.ok().flatten(), accuracy: area.accuracy, unit: area.unit }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::class::Rgb;

    use super::*;

    fn scheme_of(classes: &[(u32, &str)]) -> ClassScheme {
        let class = |&(id, name): &(u32, &str)| Class::new(ClassId(id), name, Rgb::distinct(id as usize));
        ClassScheme { classes: classes.iter().map(class).collect() }
    }

    #[test]
    fn classes_are_matched_by_id_and_by_name_where_the_ids_differ() {
        let truth = scheme_of(&[(1, "Ice"), (2, "rock "), (3, "Lake"), (4, "Moss"), (5, "Sand")]);
        let map = scheme_of(&[(1, "Ice"), (7, "Rock"), (3, "Water"), (5, "Class 5")]);

        let matches = matched(&truth, &map);

        assert_eq!(matches.by_name, [(ClassId(2), ClassId(7), "Rock".to_owned())]);
        assert_eq!(matches.ids, BTreeMap::from([(2, 7)]));
        let all = scheme(&map, &truth, &matches.ids);
        let names: Vec<_> = all.classes.iter().map(|class| (class.id.0, class.name.as_str())).collect();
        assert_eq!(names, [(1, "Ice"), (7, "Rock"), (3, "Water"), (5, "Sand"), (4, "Moss")]);
    }

    #[test]
    fn classes_that_swap_their_ids_are_counted_as_what_they_are() {
        let mut layer = LabelLayer::new(4, 1);
        let mut ids = vec![UNLABELLED; TILE_SIZE * TILE_SIZE];
        ids[..4].copy_from_slice(&[1, 2, 2, 9]);
        layer.set_tile(TilePos { col: 0, row: 0 }, Some(Arc::new(LabelTile::new(ids))));

        let seen = seen_as(&layer, &BTreeMap::from([(1, 2), (2, 1)]), None);

        assert_eq!(seen.read(layer.rect()), [2, 1, 1, 9]);
    }

    #[test]
    fn an_example_is_the_middle_of_the_longest_run() {
        let tile = |start: &[u16]| {
            let mut layer = LabelLayer::new(TILE_SIZE, 2);
            let mut ids = vec![UNLABELLED; TILE_SIZE * TILE_SIZE];
            ids[..start.len()].copy_from_slice(start);
            layer.set_tile(TilePos { col: 0, row: 0 }, Some(Arc::new(LabelTile::new(ids))));
            layer
        };

        let found = examples(&tile(&[1, 1, 2, 1, 1, 1, 1]), &tile(&[3, 3, 3, 3, 3, 3, 3]));

        // The runs of 1 on 3 are columns 0 and 1, and 3 to 6; the middle of these is 5.
        let expected = BTreeMap::from([((ClassId(1), ClassId(3)), [5, 0]), ((ClassId(2), ClassId(3)), [2, 0])]);
        assert_eq!(found, expected);
    }
}
