//! Polygons of pixels: from the boundary of a region to valid rings, and their simplification.
//!
//! GDAL's polygons touch themselves where a region meets itself at a corner, which is invalid
//! in every format. Rings are traced anew here, part by part: a part is joined by edges, and
//! its rings touch each other in points at most.

use nunatak_domain::geo::GeoPos;

/// A corner of pixels: column and row, from the raster's top left corner.
pub(crate) type Corner = (i32, i32);

/// A region's boundary.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PixelPolygon {
    /// Outer ring first, then holes; every outer ring starts a part. Rings are not closed by a
    /// repeated corner and run clockwise on the screen, holes the other way.
    pub(crate) parts: Vec<Vec<Vec<RingCorner>>>,
    /// Runs of pixels inside, row by row.
    pub(crate) spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RingCorner {
    pub(crate) at: Corner,
    /// More than two regions meet here: stays where it is when lines are simplified.
    pub(crate) node: bool,
}

/// East, south, west, north: turning right adds one.
const STEPS: [Corner; 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// A row of pixels inside: row, first column, column after the last.
pub(crate) type Span = (i32, i32, i32);

#[derive(Clone, Copy)]
struct Edge {
    part: u32,
    start: Corner,
    direction: u8,
    used: bool,
}

impl Edge {
    fn key(&self) -> (u32, i32, i32) {
        (self.part, self.start.1, self.start.0)
    }
}

impl PixelPolygon {
    /// Traces closed lines along pixel edges (corners in any order and direction, first corner
    /// repeated or not). `node` says where more than two regions meet; corners on a straight
    /// line are kept there only.
    pub(crate) fn trace(rings: &[Vec<Corner>], mut node: impl FnMut(Corner) -> bool) -> Self {
        let (vertical, horizontal) = unit_edges(rings);
        let spans: Vec<Span> = vertical.chunks_exact(2).map(|pair| (pair[0].0, pair[0].1, pair[1].1)).collect();
        let (parts, n_parts) = connected(&spans);
        let mut edges = directed(&vertical, &horizontal, &spans, &parts);
        let mut loops = vec![Vec::new(); n_parts];
        for first in 0..edges.len() {
            if !edges[first].used {
                loops[edges[first].part as usize].push(walk(&mut edges, first, &mut node));
            }
        }
        for part in &mut loops {
            part.sort_by_key(|ring| doubled_area(ring) < 0);
        }
        Self { parts: loops, spans }
    }

    pub(crate) fn n_px(&self) -> i64 {
        self.spans.iter().map(|span| i64::from(span.2 - span.1)).sum()
    }

    /// Ring by ring in map coordinates, holes after their outer ring.
    pub(crate) fn map<T>(&self, mut ring: impl FnMut(&[RingCorner]) -> T) -> Vec<Vec<T>> {
        self.parts.iter().map(|part| part.iter().map(|corners| ring(corners)).collect()).collect()
    }
}

/// The part of each span, parts being joined by edges, and how many there are.
fn connected(spans: &[Span]) -> (Vec<u32>, usize) {
    fn root(parents: &mut [usize], mut index: usize) -> usize {
        while parents[index] != index {
            parents[index] = parents[parents[index]];
            index = parents[index];
        }
        index
    }
    let mut parents: Vec<usize> = (0..spans.len()).collect();
    let mut above = 0;
    for (index, &(row, from, to)) in spans.iter().enumerate() {
        while spans[above].0 < row - 1 || spans[above].0 == row - 1 && spans[above].2 <= from {
            above += 1;
        }
        let overlapping = spans[above..index].iter().take_while(|span| span.0 == row - 1 && span.1 < to);
        for offset in 0..overlapping.count() {
            let (a, b) = (root(&mut parents, above + offset), root(&mut parents, index));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut numbers = vec![usize::MAX; spans.len()];
    let mut n_parts = 0;
    let parts = (0..spans.len())
        .map(|index| {
            let root = root(&mut parents, index);
            if numbers[root] == usize::MAX {
                numbers[root] = n_parts;
                n_parts += 1;
            }
            numbers[root] as u32
        })
        .collect();
    (parts, n_parts)
}

/// Vertical edges as (row, col) and horizontal ones as (col, row), each sorted.
fn unit_edges(rings: &[Vec<Corner>]) -> (Vec<Corner>, Vec<Corner>) {
    let (mut vertical, mut horizontal) = (Vec::new(), Vec::new());
    for ring in rings {
        let next = ring.iter().cycle().skip(1);
        for (&(c0, r0), &(c1, r1)) in ring.iter().zip(next) {
            vertical.extend((r0.min(r1)..r0.max(r1)).map(|row| (row, c0)));
            horizontal.extend((c0.min(c1)..c0.max(c1)).map(|col| (col, r0)));
        }
    }
    vertical.sort_unstable();
    horizontal.sort_unstable();
    (vertical, horizontal)
}

/// Gives each edge the direction that has the region on its right. Along a row the first,
/// third, … vertical edge has it to the east; down a column likewise to the south.
fn directed(vertical: &[Corner], horizontal: &[Corner], spans: &[Span], parts: &[u32]) -> Vec<Edge> {
    let part_of = |col: i32, row: i32| {
        let after = spans.partition_point(|span| (span.0, span.1) <= (row, col));
        parts[after.saturating_sub(1)]
    };
    let mut edges = Vec::with_capacity(vertical.len() + horizontal.len());
    for (index, &(row, col)) in vertical.iter().enumerate() {
        let (start, direction) = if index.is_multiple_of(2) { ((col, row + 1), 3) } else { ((col, row), 1) };
        edges.push(Edge { part: parts[index / 2], start, direction, used: false });
    }
    for (index, &(col, row)) in horizontal.iter().enumerate() {
        let (start, direction, inside) =
            if index.is_multiple_of(2) { ((col, row), 0, row) } else { ((col + 1, row), 2, row - 1) };
        edges.push(Edge { part: part_of(col, inside), start, direction, used: false });
    }
    edges.sort_unstable_by_key(|edge| (edge.key(), edge.direction));
    edges
}

/// Follows one loop, turning left where two ways lead on. There the part meets itself at a
/// corner and, being joined by edges elsewhere, keeps the two pixels outside apart: each gets
/// a ring of its own.
fn walk(edges: &mut [Edge], first: usize, node: &mut impl FnMut(Corner) -> bool) -> Vec<RingCorner> {
    let mut corners = Vec::new();
    let mut current = first;
    loop {
        edges[current].used = true;
        let Edge { part, start, direction, .. } = edges[current];
        let end = (start.0 + STEPS[usize::from(direction)].0, start.1 + STEPS[usize::from(direction)].1);
        let from = edges.partition_point(|edge| edge.key() < (part, end.1, end.0));
        let leaving = |wanted: u8| {
            let here = edges[from..].iter().take_while(|edge| edge.start == end && edge.part == part);
            here.into_iter().position(|edge| edge.direction == wanted)
        };
        let turns = [(direction + 3) % 4, direction, (direction + 1) % 4];
        let Some((next, turned)) =
            turns.into_iter().find_map(|turn| leaving(turn).map(|offset| (from + offset, turn != direction)))
        else {
            // Cannot happen for closed lines; an open one ends here.
            return corners;
        };
        let is_node = node(end);
        if turned || is_node {
            corners.push(RingCorner { at: end, node: is_node });
        }
        if edges[next].used {
            return corners;
        }
        current = next;
    }
}

/// Twice the area in pixels; positive for rings that run clockwise on the screen.
fn doubled_area(ring: &[RingCorner]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i64::from(a.at.0) * i64::from(b.at.1) - i64::from(b.at.0) * i64::from(a.at.1))
        .sum()
}

/// Simplifies a ring (Douglas & Peucker 1973) so that neighbours keep a common edge: the line
/// between two nodes is the same seen from both sides, and is treated in the same direction.
///
/// `tolerance` is in the units of `positions`, one per corner.
pub(crate) fn simplified(corners: &[RingCorner], positions: &[GeoPos], tolerance: f64) -> Vec<GeoPos> {
    let n = corners.len();
    let mut keep = vec![false; n];
    let nodes: Vec<usize> = (0..n).filter(|&index| corners[index].node).collect();
    let anchors = if nodes.is_empty() { free_anchors(corners, positions) } else { nodes };
    for (index, &from) in anchors.iter().enumerate() {
        let to = anchors[(index + 1) % anchors.len()];
        let length = if to > from { to - from } else { to + n - from };
        let mut arc: Vec<usize> = (0..=length).map(|step| (from + step) % n).collect();
        // The neighbour walks the other way; begin at the same end. For loops from a node to
        // itself the second corner decides.
        let key = |arc: &[usize]| (corners[arc[0]].at, corners[arc[1]].at);
        let backwards: Vec<usize> = arc.iter().rev().copied().collect();
        if key(&backwards) < key(&arc) {
            arc = backwards;
        }
        keep_arc(&arc, positions, tolerance, &mut keep);
    }
    let kept: Vec<GeoPos> = (0..n).filter(|&index| keep[index]).map(|index| positions[index]).collect();
    if kept.len() < 3 { positions.to_vec() } else { kept }
}

/// Two fixed corners of a ring without nodes: its smallest corner and the one farthest from it.
fn free_anchors(corners: &[RingCorner], positions: &[GeoPos]) -> Vec<usize> {
    let first = (0..corners.len()).min_by_key(|&index| corners[index].at).unwrap_or(0);
    let distance = |index: &usize| squared(positions[*index], positions[first]);
    let by_distance =
        |a: &usize, b: &usize| distance(a).total_cmp(&distance(b)).then(corners[*a].at.cmp(&corners[*b].at));
    let farthest = (0..corners.len()).max_by(by_distance).unwrap_or(first);
    let mut anchors = vec![first, farthest];
    anchors.sort_unstable();
    anchors.dedup();
    anchors
}

fn keep_arc(arc: &[usize], positions: &[GeoPos], tolerance: f64, keep: &mut [bool]) {
    let mut open = vec![(0, arc.len() - 1)];
    keep[arc[0]] = true;
    keep[arc[arc.len() - 1]] = true;
    while let Some((from, to)) = open.pop() {
        let (a, b) = (positions[arc[from]], positions[arc[to]]);
        let mut farthest = (tolerance * tolerance, None);
        for middle in from + 1..to {
            let distance = squared_to_segment(positions[arc[middle]], a, b);
            if distance > farthest.0 {
                farthest = (distance, Some(middle));
            }
        }
        if let Some(middle) = farthest.1 {
            keep[arc[middle]] = true;
            open.push((from, middle));
            open.push((middle, to));
        }
    }
}

fn squared(a: GeoPos, b: GeoPos) -> f64 {
    (a.x - b.x).powi(2) + (a.y - b.y).powi(2)
}

fn squared_to_segment(p: GeoPos, a: GeoPos, b: GeoPos) -> f64 {
    let length = squared(a, b);
    if length == 0.0 {
        return squared(p, a);
    }
    let along = (((p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)) / length).clamp(0.0, 1.0);
    squared(p, GeoPos::new(a.x + along * (b.x - a.x), a.y + along * (b.y - a.y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(rings: &[Vec<Corner>]) -> Vec<Vec<Vec<Corner>>> {
        PixelPolygon::trace(rings, |_| false).map(|ring| ring.iter().map(|corner| corner.at).collect())
    }

    #[test]
    fn a_pixel_is_a_ring_of_four_corners() {
        let polygon = PixelPolygon::trace(&[vec![(2, 3), (2, 4), (3, 4), (3, 3), (2, 3)]], |_| false);

        assert_eq!(polygon.parts.len(), 1);
        assert_eq!(polygon.parts[0][0].len(), 4);
        assert_eq!(polygon.spans, [(3, 2, 3)]);
    }

    #[test]
    fn a_hole_at_the_corner_of_the_region_touches_the_outer_ring_in_a_point() {
        // . # #     one region of seven pixels around a hole that meets
        // # . #     the outside at a corner
        // # # #
        let outside = vec![(1, 0), (3, 0), (3, 3), (0, 3), (0, 1), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1)];

        let parts = traced(&[outside]);

        assert_eq!(parts.len(), 1);
        let mut lengths: Vec<_> = parts[0].iter().map(Vec::len).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [4, 6], "outer ring and hole: {parts:?}");
    }

    #[test]
    fn pixels_that_touch_at_a_corner_become_two_parts() {
        let ring = vec![(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)];

        assert_eq!(traced(&[ring]).len(), 2);
    }

    #[test]
    fn neighbours_share_their_simplified_edge() {
        // A staircase between two regions, seen from both sides.
        let stairs: Vec<Corner> = (0..10).flat_map(|i| [(i, i), (i + 1, i)]).chain([(10, 10)]).collect();
        let corner = |&at: &Corner| RingCorner { at, node: at == (0, 0) || at == (10, 10) };
        let above: Vec<_> = stairs.iter().map(corner).collect();
        let below: Vec<_> = stairs.iter().rev().chain([&(0, 10)]).map(corner).collect();
        let positions = |ring: &[RingCorner]| -> Vec<GeoPos> {
            ring.iter().map(|c| GeoPos::new(f64::from(c.at.0), f64::from(c.at.1))).collect()
        };

        let mut from_below = simplified(&below, &positions(&below), 1.0);
        let mut from_above = simplified(
            &[above.clone(), vec![corner(&(10, 0))]].concat(),
            &positions(&[above, vec![corner(&(10, 0))]].concat()),
            1.0,
        );

        let diagonal = |pos: &GeoPos| pos.x - pos.y >= 0.0 && pos.x - pos.y <= 1.0;
        from_below.retain(diagonal);
        from_above.retain(diagonal);
        from_below.reverse();
        assert_eq!(from_below.len(), 2, "a staircase of one pixel is a line within a tolerance of one");
        assert_eq!(from_above, from_below);
    }
}
