//! Windows and tiles of a raster.

use serde::{Deserialize, Serialize};

/// Side of a display tile, in pixels of its level.
pub const TILE_SIZE: usize = 256;

/// A window of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PixelRect {
    pub col: usize,
    pub row: usize,
    pub width: usize,
    pub height: usize,
}

impl PixelRect {
    pub const fn new(col: usize, row: usize, width: usize, height: usize) -> Self {
        Self { col, row, width, height }
    }

    /// The whole of a raster.
    pub const fn whole(width: usize, height: usize) -> Self {
        Self { col: 0, row: 0, width, height }
    }

    /// The column after the last; saturates, so that a window beyond all bounds fails every check of them.
    pub const fn right(&self) -> usize {
        self.col.saturating_add(self.width)
    }

    /// The row after the last; saturates as `right` does.
    pub const fn bottom(&self) -> usize {
        self.row.saturating_add(self.height)
    }

    /// Number of pixels; saturates.
    pub const fn area(&self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// Grown by `margin` on each side and cut off at the edges of a raster.
    pub fn grown(&self, margin: usize, width: usize, height: usize) -> Self {
        let (col, row) = (self.col.saturating_sub(margin), self.row.saturating_sub(margin));
        Self {
            col,
            row,
            width: self.right().saturating_add(margin).min(width).saturating_sub(col),
            height: self.bottom().saturating_add(margin).min(height).saturating_sub(row),
        }
    }

    /// The common part, `None` where there is none.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (col, row) = (self.col.max(other.col), self.row.max(other.row));
        let (right, bottom) = (self.right().min(other.right()), self.bottom().min(other.bottom()));
        (col < right && row < bottom).then(|| Self { col, row, width: right - col, height: bottom - row })
    }

    /// The smallest window that holds both.
    pub fn union(&self, other: &Self) -> Self {
        let (col, row) = (self.col.min(other.col), self.row.min(other.row));
        let (right, bottom) = (self.right().max(other.right()), self.bottom().max(other.bottom()));
        Self { col, row, width: right - col, height: bottom - row }
    }

    /// Windows of at most `size` × `size` that cover a raster row by row.
    pub fn tiles(width: usize, height: usize, size: usize) -> impl Iterator<Item = Self> + Clone {
        let size = size.max(1);
        (0..height.div_ceil(size)).flat_map(move |r| {
            (0..width.div_ceil(size)).map(move |c| Self {
                col: c * size,
                row: r * size,
                width: size.min(width - c * size),
                height: size.min(height - r * size),
            })
        })
    }
}

/// One display tile: `TILE_SIZE`² pixels of a level whose pixels are `2^level` scene pixels wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TileId {
    pub level: u8,
    pub col: u32,
    pub row: u32,
}

impl TileId {
    /// The window of scene pixels that this tile shows, cut off at the scene's edges;
    /// `None` if the tile lies outside.
    pub fn window(&self, width: usize, height: usize) -> Option<PixelRect> {
        let span = TILE_SIZE << self.level;
        let tile = PixelRect::new(self.col as usize * span, self.row as usize * span, span, span);
        tile.intersection(&PixelRect::whole(width, height))
    }

    /// Size in pixels at this level, rounded up so that the last partial pixel is kept.
    pub fn size_px(&self, width: usize, height: usize) -> Option<(usize, usize)> {
        let window = self.window(width, height)?;
        let step = 1 << self.level;
        Some((window.width.div_ceil(step), window.height.div_ceil(step)))
    }

    /// The tile one level up (coarser) that contains this one.
    pub fn parent(&self) -> Self {
        Self { level: self.level + 1, col: self.col / 2, row: self.row / 2 }
    }
}

/// The coarsest level worth having: the whole scene in one tile.
pub fn coarsest_level(width: usize, height: usize) -> u8 {
    let mut level = 0;
    while (TILE_SIZE << level) < width.max(height) {
        level += 1;
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_each_pixel_once() {
        let mut seen = vec![0; 70 * 45];
        for tile in PixelRect::tiles(70, 45, 32) {
            for row in tile.row..tile.bottom() {
                for col in tile.col..tile.right() {
                    seen[row * 70 + col] += 1;
                }
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
    }

    #[test]
    fn a_window_beyond_all_bounds_saturates() {
        let window = PixelRect::new(usize::MAX, 7, 3, usize::MAX);

        assert_eq!((window.right(), window.bottom(), window.area()), (usize::MAX, usize::MAX, usize::MAX));
        assert_eq!(window.grown(9, 100, 50).area(), 0);
        assert_eq!(window.intersection(&PixelRect::whole(100, 50)), None);
    }

    #[test]
    fn a_tile_at_the_edge_is_cut_off() {
        let tile = TileId { level: 1, col: 1, row: 0 };
        assert_eq!(tile.window(700, 300), Some(PixelRect::new(512, 0, 188, 300)));
        assert_eq!(tile.size_px(700, 301), Some((94, 151)));
        assert_eq!(TileId { level: 0, col: 9, row: 0 }.window(700, 300), None);
    }

    #[test]
    fn coarsest_level_holds_the_scene_in_one_tile() {
        assert_eq!(coarsest_level(256, 256), 0);
        assert_eq!(coarsest_level(257, 10), 1);
        assert_eq!(coarsest_level(10980, 10980), 6);
    }
}
