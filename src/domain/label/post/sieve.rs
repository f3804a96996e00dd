//! Regions that are too small.

use std::collections::BTreeMap;

use crate::class::ClassId;
use crate::grid::PixelRect;
use crate::label::fill::Connectivity;
use crate::label::layer::LabelLayer;
use crate::label::mask::{PixelMask, PixelRun};
use crate::label::pen::{LabelPen, PaintRule, Target};
use crate::label::tile::UNLABELLED;
use crate::label::{LabelError, Progress};

/// Regions of fewer than `min_px` pixels take the class of their largest neighbour.
///
/// GDAL's rules (`GDALSieveFilter`, unlabelled pixels being nodata): the largest neighbour is
/// that of the most pixels before anything is merged, the first one met row by row if two are
/// as large; if it is too small itself, its own largest neighbour counts, and so on; a region
/// without a neighbour that is large enough stays. Needs 16 bytes per run of a row.
///
/// # Errors
/// Cancelled.
pub fn sieve(
    layer: &LabelLayer,
    min_px: u64,
    connectivity: Connectivity,
    progress: &mut Progress<'_>,
) -> Result<LabelLayer, LabelError> {
    let regions = Regions::new(layer, connectivity, progress)?;
    let neighbours = regions.largest_neighbours(connectivity);
    let targets = merge_targets(&regions.sizes, neighbours, min_px);
    regions.painted(layer, progress, |region| targets[region].map(|target| regions.ids[target]))
}

/// Takes the label of regions of fewer than `min_px` pixels away.
///
/// # Errors
/// Cancelled.
pub fn remove_small(
    layer: &LabelLayer,
    min_px: u64,
    connectivity: Connectivity,
    progress: &mut Progress<'_>,
) -> Result<LabelLayer, LabelError> {
    let regions = Regions::new(layer, connectivity, progress)?;
    regions.painted(layer, progress, |region| (regions.sizes[region] < min_px).then_some(UNLABELLED))
}

/// Connected pixels of one class.
struct Regions {
    /// Labelled runs, row by row.
    runs: Vec<RegionRun>,
    /// Index of the first run of each row, and the number of runs.
    rows: Vec<usize>,
    /// By region.
    sizes: Vec<u64>,
    ids: Vec<u16>,
}

struct RegionRun {
    start: u32,
    end: u32,
    region: u32,
    id: u16,
}

impl Regions {
    fn new(layer: &LabelLayer, connectivity: Connectivity, progress: &mut Progress<'_>) -> Result<Self, LabelError> {
        let mut regions = Self { runs: Vec::new(), rows: vec![0], sizes: Vec::new(), ids: Vec::new() };
        // The first run of a region stands for it, found over the links of the others.
        let mut links: Vec<u32> = Vec::new();
        for row in 0..layer.height() {
            if row % 256 == 0 && !progress(0.5 * row as f32 / layer.height() as f32) {
                return Err(LabelError::Cancelled);
            }
            let above = regions.rows[row.saturating_sub(1)]..regions.runs.len();
            regions.add_row(layer, row);
            let here = above.end..regions.runs.len();
            links.extend(here.start as u32..here.end as u32);
            let reach = connectivity.reach() as u32;
            let mut first = above.start;
            for i in here {
                let run = &regions.runs[i];
                while first < above.end && regions.runs[first].end + reach <= run.start {
                    first += 1;
                }
                for j in first..above.end {
                    if regions.runs[j].start >= run.end + reach {
                        break;
                    }
                    if regions.runs[j].id == run.id {
                        let (a, b) = (root(&mut links, i as u32), root(&mut links, j as u32));
                        links[a.max(b) as usize] = a.min(b);
                    }
                }
            }
        }
        regions.number(&mut links);
        Ok(regions)
    }

    fn add_row(&mut self, layer: &LabelLayer, row: usize) {
        let ids = layer.read(PixelRect::new(0, row, layer.width(), 1));
        let mut col = 0;
        for part in ids.chunk_by(|a, b| a == b) {
            let end = col + part.len() as u32;
            if part[0] != UNLABELLED {
                self.runs.push(RegionRun { start: col, end, region: 0, id: part[0] });
            }
            col = end;
        }
        self.rows.push(self.runs.len());
    }

    /// Regions in the order of their first runs.
    fn number(&mut self, links: &mut [u32]) {
        for i in 0..self.runs.len() {
            let first = root(links, i as u32) as usize;
            if first == i {
                self.runs[i].region = self.sizes.len() as u32;
                self.sizes.push(0);
                self.ids.push(self.runs[i].id);
            }
            self.runs[i].region = self.runs[first].region;
            self.sizes[self.runs[i].region as usize] += u64::from(self.runs[i].end - self.runs[i].start);
        }
    }

    /// The largest region next to each, the first one met if several are as large.
    fn largest_neighbours(&self, connectivity: Connectivity) -> Vec<Option<u32>> {
        let mut largest = vec![None; self.sizes.len()];
        let mut compare = |a: Option<&RegionRun>, b: Option<&RegionRun>| {
            let (Some(a), Some(b)) = (a, b) else { return };
            if a.region != b.region {
                for (of, other) in [(a.region, b.region), (b.region, a.region)] {
                    let known: &mut Option<u32> = &mut largest[of as usize];
                    if known.is_none_or(|known| self.sizes[known as usize] < self.sizes[other as usize]) {
                        *known = Some(other);
                    }
                }
            }
        };
        for row in 0..self.rows.len() - 1 {
            let here = &self.runs[self.rows[row]..self.rows[row + 1]];
            let above = if row == 0 { &[] } else { &self.runs[self.rows[row - 1]..self.rows[row]] };
            let mut hint = 0;
            for (i, run) in here.iter().enumerate() {
                // Pixel by pixel in the order that GDAL meets them, without the middle of
                // stretches where both rows go on as they are.
                let mut col = run.start;
                while col < run.end {
                    while above.get(hint).is_some_and(|other| other.end < col) {
                        hint += 1;
                    }
                    let over = |col: u32| {
                        let next = above[hint..].iter().find(|other| other.end > col);
                        next.filter(|other| other.start <= col)
                    };
                    compare(Some(run), over(col));
                    if connectivity == Connectivity::Eight {
                        compare(Some(run), col.checked_sub(1).and_then(over));
                        compare(Some(run), over(col + 1));
                    }
                    if col == run.start && i > 0 && here[i - 1].end == col {
                        compare(Some(run), Some(&here[i - 1]));
                    }
                    col = next_event(&above[hint..], col, run.end);
                }
            }
        }
        largest
    }

    /// The layer with the regions for which `new_id` gives another id.
    fn painted(
        &self,
        layer: &LabelLayer,
        progress: &mut Progress<'_>,
        new_id: impl Fn(usize) -> Option<u16>,
    ) -> Result<LabelLayer, LabelError> {
        let mut result = layer.clone();
        let mut pen = LabelPen::default();
        let n_rows = layer.height();
        for first in (0..n_rows).step_by(256) {
            if !progress(0.5 + 0.5 * first as f32 / n_rows as f32) {
                return Err(LabelError::Cancelled);
            }
            let mut changed: BTreeMap<u16, Vec<PixelRun>> = BTreeMap::new();
            for row in first..(first + 256).min(n_rows) {
                for run in &self.runs[self.rows[row]..self.rows[row + 1]] {
                    if let Some(id) = new_id(run.region as usize) {
                        changed.entry(id).or_default().push(PixelRun(row as u32, run.start, run.end - run.start));
                    }
                }
            }
            for (id, runs) in changed {
                let class = (id != UNLABELLED).then_some(ClassId(u32::from(id)));
                let rule = PaintRule { class, onto: Target::Any };
                pen.paint_mask(&mut result, &PixelMask::from_runs(runs), rule);
            }
        }
        pen.lift(&mut result);
        Ok(result)
    }
}

/// The next column after `col` at which a pixel's three neighbours above change, or the last one
/// before `end`.
fn next_event(above: &[RegionRun], col: u32, end: u32) -> u32 {
    let mut next = end - 1;
    for other in above.iter().take(3) {
        for border in [other.start, other.end] {
            for event in [border.saturating_sub(1), border, border + 1] {
                if event > col {
                    next = next.min(event);
                }
            }
        }
    }
    next.max(col + 1)
}

/// The run that stands for a region; shortens the way for the next.
fn root(links: &mut [u32], mut at: u32) -> u32 {
    while links[at as usize] != at {
        links[at as usize] = links[links[at as usize] as usize];
        at = links[at as usize];
    }
    at
}

/// The region that each small region becomes part of, over a chain of small ones to a large one.
fn merge_targets(sizes: &[u64], mut neighbours: Vec<Option<u32>>, min_px: u64) -> Vec<Option<usize>> {
    for region in 0..sizes.len() {
        if sizes[region] >= min_px {
            neighbours[region] = None;
            continue;
        }
        let mut chain = vec![region as u32];
        let mut at = neighbours[region];
        let large = loop {
            match at {
                Some(other) if sizes[other as usize] >= min_px => break Some(other),
                Some(other) if !chain.contains(&other) => {
                    chain.push(other);
                    at = neighbours[other as usize];
                }
                _ => break None,
            }
        };
        match large {
            Some(_) => chain.iter().for_each(|&small| neighbours[small as usize] = large),
            None => neighbours[region] = None,
        }
    }
    neighbours.into_iter().map(|target| target.map(|target| target as usize)).collect()
}
