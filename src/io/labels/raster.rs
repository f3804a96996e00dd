//! Labels from class rasters.
//!
//! Unlabelled are: what nodata, a mask, alpha or NaN says; -9999, -32768 and the lowest number of
//! the type; the highest number of uint8 and uint16 where no class has that value; and 0 where it
//! has no name, or a name like "unclassified". Each decision is reported and a map overrules it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use nunatak_domain::class::{Class, ClassId, ClassScheme};
use nunatak_domain::grid::{PixelRect, TILE_SIZE};
use nunatak_domain::label::{LabelLayer, LabelTile, TilePos, UNLABELLED};
use nunatak_domain::scene::{DataType, SceneInfo};
use nunatak_jobs::Monitor;
use serde::{Deserialize, Serialize};

use super::align::{Alignment, LabelPixel};
use super::assign::{FileValue, assign};
use super::values::ValueReader;
use super::{ImportReport, ImportedValue, LabelImport, ValueMap};
use crate::class_raster::{class_scheme, read_qml};
use crate::error::IoError;

/// A class raster that labels come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RasterLabels {
    pub raster: PathBuf,
    /// 0-based; `None` wants a raster of one band.
    #[serde(default)]
    pub band: Option<usize>,
    #[serde(default)]
    pub map: ValueMap,
}

impl RasterLabels {
    pub fn new(raster: impl Into<PathBuf>) -> Self {
        Self { raster: raster.into(), band: None, map: ValueMap::default() }
    }
}

/// Reads a class raster onto the grid of `scene`, adding classes to `existing`.
///
/// Ids, names and colours are the raster's where it has them (palette, category names, attribute
/// table, `.qml`) and the project's where it has a class of that name. Other grids and
/// coordinate systems are aligned, nearest neighbour at pixel centres, and the report says so.
/// One pass by tiles of the scene; float rasters of whole numbers are labels too.
///
/// # Errors
/// The raster cannot be read, does not touch the scene, holds fractions or more than 65535
/// values, or the job was cancelled.
pub fn import_label_raster(
    config: &RasterLabels,
    scene: &SceneInfo,
    existing: &ClassScheme,
    monitor: &dyn Monitor,
) -> Result<LabelImport, IoError> {
    let mut reader = ValueReader::open(&config.raster, config.band)?;
    let alignment = Alignment::of(scene, reader.info())?;
    let mut index = Index::default();
    let mut tiles: BTreeMap<TilePos, Pixels> = BTreeMap::new();
    let whole = PixelRect::whole(scene.width, scene.height);
    let n_tiles = (scene.width.div_ceil(TILE_SIZE) * scene.height.div_ceil(TILE_SIZE)).max(1);
    let mut n_uncovered = 0;
    for (done, pos) in TilePos::covering(whole).enumerate() {
        monitor.check()?;
        monitor.progress(done as f32 / n_tiles as f32, "reading labels");
        let rect = pos.rect().intersection(&whole).expect("the tile covers a part of the scene");
        if !alignment.touches(rect) {
            n_uncovered += rect.area() as u64;
            continue;
        }
        let mut ids = vec![UNLABELLED; TILE_SIZE * TILE_SIZE];
        let mut into = Filling { rect, ids: &mut ids, index: &mut index };
        n_uncovered += fill(&mut reader, &alignment, rect, &mut into)?;
        match Pixels::of(ids) {
            Some(pixels) => tiles.insert(pos, pixels),
            None => None,
        };
    }
    if n_uncovered == whole.area() as u64 {
        return Err(IoError::unsupported(&config.raster, "the labels do not touch the scene"));
    }

    let values = file_values(&index, reader.info(), reader.band());
    let assignment =
        assign(&values, &config.map, existing).map_err(|reason| IoError::unsupported(&config.raster, reason))?;
    let classes = with_unused(assignment.classes, &values, reader.info(), &config.map);
    let ids: Vec<u16> = assignment.ids.iter().map(|id| id.map_or(UNLABELLED, |id| id.0 as u16)).collect();
    let mut layer = LabelLayer::new(scene.width, scene.height);
    for (pos, pixels) in tiles {
        layer.set_tile(pos, Some(Arc::new(pixels.tile(&ids))));
    }
    let mut report = ImportReport { n_uncovered, remarks: alignment.remarks, ..ImportReport::default() };
    if n_uncovered > 0 {
        report.remarks.push(format!("{n_uncovered} pixels of the scene lie outside of the labels"));
    }
    report.remarks.extend(assignment.remarks);
    report.remarks.extend(decisions(&values, &index, &config.map));
    for ((value, id), n_px) in values.iter().zip(&assignment.ids).zip(&index.counts) {
        report.n_labelled += if id.is_some() { *n_px } else { 0 };
        let name = id.map_or_else(String::new, |id| classes.name(id));
        report.values.push(ImportedValue { value: value.key.clone(), class: *id, name, n_px: *n_px });
    }
    let number = |value: &ImportedValue| value.value.parse::<i128>().unwrap_or(0);
    report.values.sort_by_key(number);
    Ok(LabelImport { layer, classes, report })
}

/// Values of the file in the order in which they are met.
#[derive(Default)]
struct Index {
    numbers: Vec<i128>,
    counts: Vec<u64>,
    places: HashMap<i128, u16>,
    last: Option<(i128, u16)>,
}

impl Index {
    fn place(&mut self, number: i128) -> Option<u16> {
        let place = match self.last {
            Some((last, place)) if last == number => place,
            _ => match self.places.get(&number) {
                Some(place) => *place,
                None => {
                    let place = u16::try_from(self.numbers.len()).ok().filter(|place| *place != UNLABELLED)?;
                    self.numbers.push(number);
                    self.counts.push(0);
                    self.places.insert(number, place);
                    place
                }
            },
        };
        self.last = Some((number, place));
        self.counts[usize::from(place)] += 1;
        Some(place)
    }
}

/// The tile that is being filled with places of the index.
struct Filling<'a> {
    rect: PixelRect,
    ids: &'a mut [u16],
    index: &'a mut Index,
}

impl Filling<'_> {
    fn set(&mut self, col: usize, row: usize, value: Option<i128>, reader: &ValueReader) -> Result<(), IoError> {
        let Some(value) = value else { return Ok(()) };
        let place = self.index.place(value).ok_or_else(|| {
            let reason = "these are no labels: more than 65535 different values";
            IoError::unsupported(&reader.info().path, reason)
        })?;
        self.ids[(row - self.rect.row) * TILE_SIZE + (col - self.rect.col)] = place;
        Ok(())
    }
}

/// Reads a part of a tile; gives the number of its pixels outside of the labels.
fn fill(reader: &mut ValueReader, alignment: &Alignment, rect: PixelRect, into: &mut Filling) -> Result<u64, IoError> {
    /// Pixels of the labels that are read at once; finer labels are read in parts.
    const MAX_WINDOW: usize = 1 << 20;
    if alignment.same() {
        for (offset, value) in reader.read(rect)?.into_iter().enumerate() {
            into.set(rect.col + offset % rect.width, rect.row + offset / rect.width, value, reader)?;
        }
        return Ok(0);
    }
    let pixels = alignment.pixels(rect);
    let Some(window) = around(&pixels) else { return Ok(rect.area() as u64) };
    if window.area() > MAX_WINDOW && rect.area() > 1 {
        let mut n_uncovered = 0;
        for half in halves(rect) {
            n_uncovered += fill(reader, alignment, half, into)?;
        }
        return Ok(n_uncovered);
    }
    let values = reader.read(window)?;
    let mut n_uncovered = 0;
    for (offset, pixel) in pixels.into_iter().enumerate() {
        let Some((col, row)) = pixel else {
            n_uncovered += 1;
            continue;
        };
        let value = values[(row - window.row) * window.width + (col - window.col)];
        into.set(rect.col + offset % rect.width, rect.row + offset / rect.width, value, reader)?;
    }
    Ok(n_uncovered)
}

fn around(pixels: &[LabelPixel]) -> Option<PixelRect> {
    let mut inside = pixels.iter().flatten();
    let &(col, row) = inside.next()?;
    let start = (col, col, row, row);
    let (left, right, top, bottom) = inside.fold(start, |(left, right, top, bottom), &(col, row)| {
        (left.min(col), right.max(col), top.min(row), bottom.max(row))
    });
    Some(PixelRect::new(left, top, right - left + 1, bottom - top + 1))
}

fn halves(rect: PixelRect) -> [PixelRect; 2] {
    if rect.width >= rect.height {
        let half = rect.width / 2;
        return [
            PixelRect::new(rect.col, rect.row, half, rect.height),
            PixelRect::new(rect.col + half, rect.row, rect.width - half, rect.height),
        ];
    }
    let half = rect.height / 2;
    [
        PixelRect::new(rect.col, rect.row, rect.width, half),
        PixelRect::new(rect.col, rect.row + half, rect.width, rect.height - half),
    ]
}

/// A tile of places; most tiles of large rasters hold one value only.
enum Pixels {
    One(u16),
    Many(Vec<u16>),
}

impl Pixels {
    fn of(ids: Vec<u16>) -> Option<Self> {
        match ids.iter().all(|id| *id == ids[0]) {
            true if ids[0] == UNLABELLED => None,
            true => Some(Self::One(ids[0])),
            false => Some(Self::Many(ids)),
        }
    }

    fn tile(self, ids: &[u16]) -> LabelTile {
        let id = |place: u16| ids.get(usize::from(place)).copied().unwrap_or(UNLABELLED);
        match self {
            Self::One(place) => LabelTile::new(vec![id(place); TILE_SIZE * TILE_SIZE]),
            Self::Many(places) => LabelTile::new(places.into_iter().map(id).collect()),
        }
    }
}

/// What the file tells of each value.
fn file_values(index: &Index, info: &SceneInfo, band: usize) -> Vec<FileValue> {
    let scheme = if band == 0 { class_scheme(info) } else { ClassScheme::default() };
    let styled = read_qml(info.path.with_extension("qml")).unwrap_or_default();
    let band = &info.bands[band];
    let value = |&number: &i128| {
        let class =
            u32::try_from(number).ok().and_then(|id| scheme.get(ClassId(id)).or_else(|| styled.get(ClassId(id))));
        let stated =
            usize::try_from(number).ok().and_then(|id| band.categories.get(id)).is_some_and(|name| !name.is_empty());
        let name = class.filter(|class| stated || !generic(class)).map(|class| class.name.clone());
        let unlabelled = empty_value(number, name.as_deref(), band.data_type);
        FileValue {
            key: number.to_string(),
            number: Some(number),
            name,
            color: class.map(|class| class.color),
            unlabelled,
        }
    };
    index.numbers.iter().map(value).collect()
}

/// A name that this program gave.
fn generic(class: &Class) -> bool {
    class.name == format!("Class {}", class.id.0)
}

fn empty_value(number: i128, name: Option<&str>, data_type: DataType) -> bool {
    const EMPTY_NAMES: [&str; 13] = [
        "unclassified",
        "unlabelled",
        "unlabeled",
        "no data",
        "nodata",
        "no label",
        "none",
        "background",
        "void",
        "null",
        "ignore",
        "not classified",
        "unknown",
    ];
    let lowest = match data_type {
        DataType::Int32 => number == i128::from(i32::MIN),
        DataType::Int64 => number == i128::from(i64::MIN),
        _ => false,
    };
    let highest = match data_type {
        DataType::UInt8 => number == 255,
        DataType::UInt16 => number == 65_535,
        _ => false,
    };
    match name {
        Some(name) => number == 0 && EMPTY_NAMES.contains(&name.trim().to_lowercase().as_str()),
        None => number == 0 || matches!(number, -9999 | -32_768) || lowest || highest,
    }
}

/// Classes that the file names although no pixel has them.
fn with_unused(mut classes: ClassScheme, values: &[FileValue], info: &SceneInfo, map: &ValueMap) -> ClassScheme {
    for class in class_scheme(info).classes.into_iter().filter(|class| !generic(class)) {
        let key = class.id.0.to_string();
        let known = values.iter().any(|value| value.key == key) || map.0.contains_key(&key);
        let taken =
            classes.classes.iter().any(|other| other.id == class.id || other.name.eq_ignore_ascii_case(&class.name));
        let empty = empty_value(i128::from(class.id.0), Some(&class.name), DataType::UInt8);
        if !known && !taken && !empty && class.id.0 < u32::from(UNLABELLED) {
            classes.classes.push(class);
        }
    }
    classes
}

/// Says which values were taken as "no label".
fn decisions(values: &[FileValue], index: &Index, map: &ValueMap) -> Vec<String> {
    let decided =
        values.iter().zip(&index.counts).filter(|(value, _)| value.unlabelled && !map.0.contains_key(&value.key));
    decided
        .map(|(value, n_px)| {
            let key = &value.key;
            let called = value.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
            format!("{key}{called} was taken as no label, {n_px} pixels; to make it a class, map it: {key}=name")
        })
        .collect()
}
