//! Areas held out from training, in blocks: neighbouring pixels look alike, so single pixels
//! held out would be judged by what the classifier has seen next to them.

use serde::{Deserialize, Serialize};

use super::random::key;

/// Which square blocks of a scene are held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpatialSplit {
    /// Side of a block in pixels.
    block_px: usize,
    /// Blocks from left to right.
    n_cols: usize,
    seed: u64,
    /// Blocks with a key below are held out.
    limit: u64,
}

/// Up to here the number of blocks held out is exact, beyond by the law of large numbers.
const MOST_SORTED: usize = 1 << 22;

impl SpatialSplit {
    /// Holds out `share` (0 to 1) of the blocks of a scene, rounded to whole blocks and chosen
    /// by `seed`. Costs a sort of the blocks' keys where there are up to 4 million.
    pub fn new(width: usize, height: usize, block_px: usize, share: f64, seed: u64) -> Self {
        let block_px = block_px.max(1);
        let (n_cols, n_rows) = (width.div_ceil(block_px), height.div_ceil(block_px));
        let n_blocks = n_cols.saturating_mul(n_rows);
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        let n_held_out = (n_blocks as f64 * share).round() as usize;
        let limit = if n_held_out >= n_blocks {
            u64::MAX
        } else if n_blocks <= MOST_SORTED {
            let mut keys: Vec<u64> = (0..n_blocks as u64).map(|block| key(seed, block)).collect();
            *keys.select_nth_unstable(n_held_out).1
        } else {
            (share * u64::MAX as f64) as u64
        };
        Self { block_px, n_cols, seed, limit }
    }

    /// Whether the block of a pixel is held out.
    pub fn held_out(&self, col: usize, row: usize) -> bool {
        let block = (row / self.block_px) as u64 * self.n_cols as u64 + (col / self.block_px) as u64;
        // Invariant: keys differ, so `limit` is the key of exactly one block.
        self.limit == u64::MAX || key(self.seed, block) < self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out_blocks(split: &SpatialSplit) -> usize {
        (0..10).flat_map(|row| (0..10).map(move |col| (col, row))).filter(|(c, r)| split.held_out(c * 8, r * 8)).count()
    }

    #[test]
    fn the_share_is_kept_and_blocks_are_whole() {
        for (share, blocks) in [(0.0, 0), (0.2, 20), (0.33, 33), (1.0, 100), (f64::NAN, 0), (7.0, 100)] {
            assert_eq!(held_out_blocks(&SpatialSplit::new(80, 80, 8, share, 4)), blocks, "{share}");
        }
        let split = SpatialSplit::new(80, 80, 8, 0.3, 4);
        for (col, row) in (0..80).flat_map(|row| (0..80).map(move |col| (col, row))) {
            assert_eq!(split.held_out(col, row), split.held_out(col / 8 * 8, row / 8 * 8));
        }
    }

    #[test]
    fn another_seed_holds_out_other_blocks() {
        let of = |seed| {
            let split = SpatialSplit::new(800, 800, 8, 0.5, seed);
            (0..100).map(|i| split.held_out(i * 8, 0)).collect::<Vec<_>>()
        };

        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
