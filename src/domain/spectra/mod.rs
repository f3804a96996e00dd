//! Reference spectra and what is computed from them.

mod reference;
mod sf_cnm;
mod sf_cnm_blocks;
#[cfg(test)]
mod sf_cnm_tests;

pub use reference::{ReferenceSet, SpectralReference, scale_ratio};
pub use sf_cnm::{DistanceRange, Prior, PriorError, PriorPixels};
pub use sf_cnm_blocks::PriorTables;
