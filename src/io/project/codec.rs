//! Edits as bytes, for the journal.
//!
//! Little-endian. Label tiles are written as runs per row, a row equal to the one above as one
//! byte; the whole is then deflated. A stroke of a brush of 1001 px takes a few KiB.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use nunatak_domain::edit::{Edit, ReferencesChange};
use nunatak_domain::grid::TILE_SIZE;
use nunatak_domain::label::{LabelChange, LabelLayer, LabelTile, LabelsId, TileChange, TilePos};
use nunatak_domain::layer::SceneId;
use nunatak_domain::project::Labels;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::references::{ReferenceEntry, entries, references};

const LABELS: u8 = 1;
const CLASSES: u8 = 2;
const REFERENCES: u8 = 3;
const ADD_LABELS: u8 = 4;
const REMOVE_LABELS: u8 = 5;
const RENAME_LABELS: u8 = 6;
const GROUP: u8 = 7;

const NO_TILE: u8 = 0;
const TILE: u8 = 1;
const ROW_AS_ABOVE: u8 = 0;
/// Rows of more runs are written as they are.
const MAX_RUNS: usize = 128;
const ROW_RAW: u8 = 255;
/// Groups within groups; deeper ones are damage.
const MAX_DEPTH: usize = 16;

/// Bytes that are no edit.
pub(super) type Damage = &'static str;

pub(super) fn encode(edit: &Edit) -> Vec<u8> {
    let mut plain = Vec::new();
    put_edit(&mut plain, edit);
    let mut deflate = DeflateEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    deflate.write_all(&plain).and_then(|()| deflate.finish()).expect("writing to memory cannot fail")
}

pub(super) fn decode(bytes: &[u8]) -> Result<Edit, Damage> {
    let mut plain = Vec::new();
    DeflateDecoder::new(bytes).read_to_end(&mut plain).map_err(|_| "its compression is damaged")?;
    let mut rest = plain.as_slice();
    let edit = take_edit(&mut rest, 0)?;
    if rest.is_empty() { Ok(edit) } else { Err("it is longer than its content") }
}

fn put_edit(out: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Labels { id, title, change } => {
            out.push(LABELS);
            put_u64(out, id.0);
            put_text(out, title);
            put_u64(out, change.tiles.len() as u64);
            for (pos, change) in &change.tiles {
                put_pos(out, *pos);
                put_tile(out, change.before.as_deref());
                put_tile(out, change.after.as_deref());
            }
        }
        Edit::Classes { title, before, after } => {
            out.push(CLASSES);
            put_text(out, title);
            put_json(out, &(before, after));
        }
        Edit::References { title, change } => {
            out.push(REFERENCES);
            put_text(out, title);
            put_u64(out, change.at as u64);
            put_json(out, &(entries(&change.before), entries(&change.after), &change.bands));
        }
        Edit::AddLabels { at, labels, next_before } => {
            out.push(ADD_LABELS);
            put_u64(out, *at as u64);
            put_labels(out, labels);
            put_u64(out, next_before.0);
        }
        Edit::RemoveLabels { at, labels } => {
            out.push(REMOVE_LABELS);
            put_u64(out, *at as u64);
            put_labels(out, labels);
        }
        Edit::RenameLabels { id, before, after } => {
            out.push(RENAME_LABELS);
            put_u64(out, id.0);
            put_text(out, before);
            put_text(out, after);
        }
        Edit::Group { title, edits } => {
            out.push(GROUP);
            put_text(out, title);
            put_u64(out, edits.len() as u64);
            for edit in edits {
                put_edit(out, edit);
            }
        }
    }
}

fn take_edit(rest: &mut &[u8], depth: usize) -> Result<Edit, Damage> {
    if depth > MAX_DEPTH {
        return Err("it is nested too deep");
    }
    Ok(match take::<1>(rest)?[0] {
        LABELS => {
            let (id, title) = (LabelsId(take_u64(rest)?), take_text(rest)?);
            let mut tiles = BTreeMap::new();
            for _ in 0..take_u64(rest)? {
                let pos = take_pos(rest)?;
                tiles.insert(pos, TileChange { before: take_tile(rest)?, after: take_tile(rest)? });
            }
            Edit::Labels { id, title, change: LabelChange { tiles } }
        }
        CLASSES => {
            let title = take_text(rest)?;
            let (before, after) = take_json(rest)?;
            Edit::Classes { title, before, after }
        }
        REFERENCES => {
            let (title, at) = (take_text(rest)?, take_usize(rest)?);
            let (before, after, bands): (Vec<ReferenceEntry>, Vec<ReferenceEntry>, _) = take_json(rest)?;
            let change = ReferencesChange { at, before: references(before), after: references(after), bands };
            Edit::References { title, change }
        }
        ADD_LABELS => {
            let (at, labels) = (take_usize(rest)?, take_labels(rest)?);
            Edit::AddLabels { at, labels, next_before: LabelsId(take_u64(rest)?) }
        }
        REMOVE_LABELS => Edit::RemoveLabels { at: take_usize(rest)?, labels: take_labels(rest)? },
        RENAME_LABELS => {
            Edit::RenameLabels { id: LabelsId(take_u64(rest)?), before: take_text(rest)?, after: take_text(rest)? }
        }
        GROUP => {
            let title = take_text(rest)?;
            let n = take_u64(rest)?;
            Edit::Group { title, edits: (0..n).map(|_| take_edit(rest, depth + 1)).collect::<Result<_, _>>()? }
        }
        _ => return Err("it is of a kind this version does not know"),
    })
}

fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_u64(out, labels.id.0);
    put_u64(out, labels.scene.0);
    put_text(out, &labels.name);
    put_u64(out, labels.layer.width() as u64);
    put_u64(out, labels.layer.height() as u64);
    put_u64(out, labels.layer.tiles().count() as u64);
    for (pos, tile) in labels.layer.tiles() {
        put_pos(out, pos);
        put_tile(out, Some(tile));
    }
}

fn take_labels(rest: &mut &[u8]) -> Result<Labels, Damage> {
    let (id, scene, name) = (LabelsId(take_u64(rest)?), SceneId(take_u64(rest)?), take_text(rest)?);
    let mut layer = LabelLayer::new(take_usize(rest)?, take_usize(rest)?);
    for _ in 0..take_u64(rest)? {
        let pos = take_pos(rest)?;
        layer.set_tile(pos, take_tile(rest)?);
    }
    Ok(Labels { id, name, scene, layer })
}

fn put_pos(out: &mut Vec<u8>, pos: TilePos) {
    out.extend_from_slice(&pos.col.to_le_bytes());
    out.extend_from_slice(&pos.row.to_le_bytes());
}

fn take_pos(rest: &mut &[u8]) -> Result<TilePos, Damage> {
    Ok(TilePos { col: u32::from_le_bytes(*take(rest)?), row: u32::from_le_bytes(*take(rest)?) })
}

fn put_tile(out: &mut Vec<u8>, tile: Option<&LabelTile>) {
    let Some(tile) = tile else { return out.push(NO_TILE) };
    out.push(TILE);
    for row in 0..TILE_SIZE {
        let ids = tile.row(row);
        if row > 0 && ids == tile.row(row - 1) {
            out.push(ROW_AS_ABOVE);
            continue;
        }
        let start = out.len();
        out.push(0);
        // One comparison of whole rows is many times faster than looking for runs.
        if ids[1..] == ids[..TILE_SIZE - 1] {
            put_run(out, ids);
        } else {
            ids.chunk_by(|a, b| a == b).take(MAX_RUNS + 1).for_each(|run| put_run(out, run));
        }
        let n_runs = (out.len() - start - 1) / 3;
        if n_runs <= MAX_RUNS {
            out[start] = n_runs as u8;
        } else {
            out.truncate(start);
            out.push(ROW_RAW);
            out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        }
    }
}

fn put_run(out: &mut Vec<u8>, run: &[u16]) {
    out.extend_from_slice(&run[0].to_le_bytes());
    out.push((run.len() - 1) as u8);
}

fn take_tile(rest: &mut &[u8]) -> Result<Option<Arc<LabelTile>>, Damage> {
    match take::<1>(rest)?[0] {
        NO_TILE => return Ok(None),
        TILE => {}
        _ => return Err("a label tile is damaged"),
    }
    let mut ids: Vec<u16> = Vec::with_capacity(TILE_SIZE * TILE_SIZE);
    for row in 0..TILE_SIZE {
        match take::<1>(rest)?[0] {
            ROW_AS_ABOVE if row > 0 => ids.extend_from_within((row - 1) * TILE_SIZE..),
            ROW_RAW => {
                for _ in 0..TILE_SIZE {
                    ids.push(u16::from_le_bytes(*take(rest)?));
                }
            }
            n_runs => {
                for _ in 0..n_runs {
                    let [low, high, length] = *take(rest)?;
                    ids.resize(ids.len() + usize::from(length) + 1, u16::from_le_bytes([low, high]));
                }
            }
        }
        if ids.len() != (row + 1) * TILE_SIZE {
            return Err("a label tile is damaged");
        }
    }
    Ok(Some(Arc::new(LabelTile::new(ids))))
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_json(out: &mut Vec<u8>, value: &impl Serialize) {
    put_text(out, &serde_json::to_string(value).expect("plain values have no keys that JSON lacks"));
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Damage> {
    let (first, others) = rest.split_first_chunk::<N>().ok_or("it ends too early")?;
    *rest = others;
    Ok(first)
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, Damage> {
    take(rest).map(|bytes| u64::from_le_bytes(*bytes))
}

fn take_usize(rest: &mut &[u8]) -> Result<usize, Damage> {
    usize::try_from(take_u64(rest)?).map_err(|_| "a number in it is too large")
}

fn take_text(rest: &mut &[u8]) -> Result<String, Damage> {
    let length = take_usize(rest)?;
    if length > rest.len() {
        return Err("it ends too early");
    }
    let (text, others) = rest.split_at(length);
    *rest = others;
    String::from_utf8(text.to_vec()).map_err(|_| "a text in it is damaged")
}

fn take_json<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, Damage> {
    serde_json::from_str(&take_text(rest)?).map_err(|_| "its values are damaged")
}
