//! One tile of labels.

use serde::{Deserialize, Serialize};

use crate::class::ClassId;
use crate::grid::{PixelRect, TILE_SIZE};

/// The value of a pixel without a label, also in files (their nodata); ids of classes are below.
pub const UNLABELLED: u16 = u16::MAX;

/// Pixels of a tile.
pub(super) const N_TILE_PX: usize = TILE_SIZE * TILE_SIZE;

/// Place of a tile in the grid of `TILE_SIZE`² tiles that starts at the scene's first pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TilePos {
    pub col: u32,
    pub row: u32,
}

impl TilePos {
    /// The tile that holds a pixel.
    pub const fn of_pixel(col: usize, row: usize) -> Self {
        Self { col: (col / TILE_SIZE) as u32, row: (row / TILE_SIZE) as u32 }
    }

    /// The pixels it holds; not cut off at the scene's edge.
    pub const fn rect(self) -> PixelRect {
        PixelRect::new(self.col as usize * TILE_SIZE, self.row as usize * TILE_SIZE, TILE_SIZE, TILE_SIZE)
    }

    /// All tiles that touch a window, row by row.
    pub fn covering(rect: PixelRect) -> impl Iterator<Item = Self> {
        let cols = rect.col / TILE_SIZE..rect.right().div_ceil(TILE_SIZE);
        (rect.row / TILE_SIZE..rect.bottom().div_ceil(TILE_SIZE))
            .flat_map(move |row| cols.clone().map(move |col| Self { col: col as u32, row: row as u32 }))
    }
}

/// `TILE_SIZE`² class ids, `[row, col]`; pixels beyond the scene's edge are unlabelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTile {
    ids: Box<[u16]>,
}

impl LabelTile {
    /// Without any label.
    pub fn empty() -> Self {
        Self { ids: vec![UNLABELLED; N_TILE_PX].into_boxed_slice() }
    }

    /// # Panics
    /// If there are not `TILE_SIZE`² ids.
    pub fn new(ids: Vec<u16>) -> Self {
        assert_eq!(ids.len(), N_TILE_PX, "a tile has {TILE_SIZE} x {TILE_SIZE} labels");
        Self { ids: ids.into_boxed_slice() }
    }

    /// `[row, col]`, `UNLABELLED` where there is no label.
    pub fn ids(&self) -> &[u16] {
        &self.ids
    }

    pub fn ids_mut(&mut self) -> &mut [u16] {
        &mut self.ids
    }

    /// `[col]` of one row.
    pub fn row(&self, row: usize) -> &[u16] {
        &self.ids[row * TILE_SIZE..][..TILE_SIZE]
    }

    /// Position inside the tile.
    pub fn get(&self, col: usize, row: usize) -> Option<ClassId> {
        let id = self.ids[row * TILE_SIZE + col];
        (id != UNLABELLED).then_some(ClassId(u32::from(id)))
    }

    pub fn is_empty(&self) -> bool {
        self.is_all(UNLABELLED)
    }

    /// The value of all pixels, `UNLABELLED` included, if they have the same.
    pub fn uniform(&self) -> Option<u16> {
        self.is_all(self.ids[0]).then_some(self.ids[0])
    }

    fn is_all(&self, id: u16) -> bool {
        // Without an early exit inside of a chunk the comparison is done in SIMD.
        self.ids.chunks(512).all(|chunk| chunk.iter().fold(true, |all, &other| all & (other == id)))
    }
}
