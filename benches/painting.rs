//! Painting labels on 10k² and 20k²: stamps, strokes, polygons, fills, undo, memory of 1000
//! strokes. One thread.
//!
//! ```text
//! cargo bench --profile dev --bench painting
//! python benches/peers/painting.py
//! ```
//!
//! The peer does the same with a napari `Labels` layer and prints the same lines.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nunatak_domain::class::ClassId;
use nunatak_domain::edit::Edit;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::grid::{PixelRect, TileId, coarsest_level};
use nunatak_domain::history::{DEFAULT_BUDGET_BYTES, History, Travel};
use nunatak_domain::label::{
    Brush, BrushShape, Connectivity, LabelChange, LabelLayer, LabelPen, LabelPyramid, LabelsId, PaintRule, PixelMask,
    Stroke, Target, flood, shapes,
};
use nunatak_domain::layer::SceneId;
use nunatak_domain::project::{Labels, Project};

const N_STAMPS: usize = 40;
const N_STROKES: usize = 1000;

fn main() {
    // `cargo test --all-targets` starts benches too, without the flag.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    for side in [10_000, 20_000] {
        println!("scene {side} x {side}");
        stamps(side);
        shapes_and_fills(side);
        strokes(side);
    }
}

/// Numerical Recipes' generator, in `[0, 1)`; the peer has the same.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 24)
    }

    fn place(&mut self, side: usize) -> PixelPos {
        PixelPos::new(self.next() * side as f64, self.next() * side as f64)
    }
}

fn rule(class: u32) -> PaintRule {
    PaintRule { class: Some(ClassId(class)), onto: Target::Any }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let last = times[times.len() - 1];
    println!("  {what:<46} median {:9.3} ms  longest {:9.3} ms", millis(times[times.len() / 2]), millis(last));
}

/// Clicks of 1001 px; each is a step of its own, and its undo.
fn stamps(side: usize) {
    let brush = Brush::new(BrushShape::Round, 1001);
    let mut random = Random(1);
    let (mut fresh, mut over, mut on, mut ends, mut undos, mut levels) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut painted = LabelLayer::new(side, side);
    let mut pen = LabelPen::default();
    let stripes = (0..side as u32 / 7).map(|i| nunatak_domain::label::PixelRun(7 * i, 0, side as u32));
    pen.paint_mask(&mut painted, &PixelMask::from_runs(stripes), rule(2));
    pen.lift(&mut painted);
    let mut pyramid = LabelPyramid::default();
    let top = TileId { level: coarsest_level(side, side), col: 0, row: 0 };
    pyramid.tile(&painted, top);
    for _ in 0..N_STAMPS {
        let at = random.place(side);
        let mut empty = LabelLayer::new(side, side);
        fresh.push(timed(|| std::hint::black_box(Stroke::begin(&mut empty, brush, rule(1), at))).1);

        // All tiles are shared with the snapshot, as after a save: each is copied.
        let snapshot = painted.clone();
        let ((mut stroke, dirty), time) = timed(|| Stroke::begin(&mut painted, brush, rule(1), at));
        over.push(time);
        let next = PixelPos::new(at.col + 20.0, at.row + 9.0);
        on.push(timed(|| stroke.extend(&mut painted, &[next])).1);
        let (change, time) = timed(|| stroke.end(&mut painted));
        ends.push(time);
        if let Some(dirty) = dirty {
            pyramid.invalidate(dirty);
            levels.push(timed(|| pyramid.tile(&painted, top)).1);
            pyramid.invalidate(dirty);
        }
        undos.push(timed(|| change.undo(&mut painted)).1);
        assert!(LabelChange::between(&snapshot, &painted).is_empty());
    }
    print("stamp 1001 px on an empty layer", &mut fresh);
    print("stamp 1001 px on labels that are shared", &mut over);
    print("the next 22 px of the stroke", &mut on);
    print("end of the stroke", &mut ends);
    print("undo of the stroke", &mut undos);
    print("coarser levels after the stamp", &mut levels);
}

fn shapes_and_fills(side: usize) {
    let extent = side as f64;
    let ring = |n: usize, random: &mut Random| -> Vec<PixelPos> {
        let angle = |i: usize| i as f64 / n as f64 * std::f64::consts::TAU;
        let radius = |random: &mut Random| extent * (0.4 + 0.1 * random.next());
        (0..n)
            .map(|i| (angle(i), radius(random)))
            .map(|(a, r)| PixelPos::new(extent / 2.0 + r * a.cos(), extent / 2.0 + r * a.sin()))
            .collect()
    };
    let mut random = Random(2);
    for n in [8, 5000] {
        let mut layer = LabelLayer::new(side, side);
        let ring = ring(n, &mut random);
        let (change, time) = timed(|| {
            let mut pen = LabelPen::default();
            pen.paint_mask(&mut layer, &shapes::polygon(&[ring], layer_rect(side)), rule(1));
            pen.lift(&mut layer)
        });
        print(&format!("polygon of {n} vertices over the scene"), &mut [time]);
        print("undo of the polygon", &mut [timed(|| change.undo(&mut layer)).1]);
    }
    let mut layer = LabelLayer::new(side, side);
    let fill = |layer: &mut LabelLayer, class: u32| {
        let mut pen = LabelPen::default();
        let fill = flood(layer, (side / 2, side / 2), Connectivity::Four, u64::MAX);
        pen.paint_mask(layer, &fill.mask, rule(class));
        pen.lift(layer)
    };
    let (change, time) = timed(|| fill(&mut layer, 1));
    print("flood fill of the empty scene", &mut [time]);
    print("undo of the fill", &mut [timed(|| change.undo(&mut layer)).1]);
    // 1000 squares of another class to go around.
    let mut pen = LabelPen::default();
    let squares = (0..1000).map(|_| random.place(side)).fold(PixelMask::default(), |mask, at| {
        mask.union(&PixelMask::of_rect(PixelRect::new(at.col as usize, at.row as usize, 99, 99)))
    });
    pen.paint_mask(&mut layer, &squares, rule(3));
    pen.lift(&mut layer);
    let (change, time) = timed(|| fill(&mut layer, 1));
    print("flood fill around 1000 squares", &mut [time]);
    print("undo of the fill", &mut [timed(|| change.undo(&mut layer)).1]);
}

const fn layer_rect(side: usize) -> PixelRect {
    PixelRect::whole(side, side)
}

/// 1000 strokes of 101 px, 600 px long, in a project with its history.
fn strokes(side: usize) {
    let mut random = Random(3);
    let id = LabelsId(0);
    let labels = Labels { id, name: "labels".to_owned(), scene: SceneId(0), layer: LabelLayer::new(side, side) };
    let mut project = Project { labels: vec![labels], ..Project::default() };
    let mut history = History::new(DEFAULT_BUDGET_BYTES);
    let (mut moves, mut undos) = (Vec::new(), Vec::new());
    let before = resident_bytes();
    for i in 0..N_STROKES {
        let layer = &mut project.labels[0].layer;
        let mut at = random.place(side);
        let (mut stroke, _) = Stroke::begin(layer, Brush::new(BrushShape::Round, 101), rule(i as u32 % 7), at);
        for _ in 0..20 {
            at = PixelPos::new(at.col + (random.next() - 0.3) * 60.0, at.row + (random.next() - 0.5) * 60.0);
            moves.push(timed(|| stroke.extend(layer, &[at])).1);
        }
        let change = stroke.end(layer);
        history.push(Arc::new(Edit::Labels { id, title: "Paint".to_owned(), change }), i as u64);
    }
    let grown = resident_bytes().zip(before).map(|(after, before)| after.saturating_sub(before));
    let tiles: BTreeSet<_> = project.labels[0].layer.tiles().map(|(_, tile)| Arc::as_ptr(tile)).collect();
    print("move of a 101 px brush", &mut moves);
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!(
        "  {N_STROKES} strokes of 101 x 600 px: layer {:.0} MiB, history {:.0} MiB, process grew by {:.0} MiB",
        mib(tiles.len() * size_of::<u16>() * 65536),
        mib(history.bytes()),
        grown.map_or(f64::NAN, mib)
    );
    while let (Ok(Travel::Done(_)), time) = timed(|| history.undo(&mut project)) {
        undos.push(time);
    }
    print(&format!("undo of the last {} strokes", undos.len()), &mut undos);
}

/// Memory of the process where the system says it (Linux).
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().ok().map(|kib| kib << 10)
}
