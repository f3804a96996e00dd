//! Reference spectra and what is computed from them.

mod classify;
mod classify_blocks;
#[cfg(test)]
mod classify_tests;
mod gaussian;
mod library;
mod reference;
mod resample;
mod separability;
mod separability_health;
mod sf_cnm;
mod sf_cnm_blocks;
#[cfg(test)]
mod sf_cnm_tests;
mod statistics;

pub use classify::{ClassifiedPixels, Classifier, ClassifierError, spectral_angle};
pub use gaussian::{Gaussian, GaussianError};
pub use library::{LibrarySpectrum, SpectralLibrary};
pub use reference::{ReferenceSet, Sample, SpectralReference, scale_ratio};
pub use resample::{BandMatch, MatchKind, Resampled, Resampling, TargetBand, resample, target_bands};
pub use separability::{ClassPair, Separability, SeparabilityGrade};
pub use separability_health::{PairReport, ReferenceHealth, ReferenceReport, condition_number};
pub use sf_cnm::{DistanceRange, Prior, PriorError, PriorPixels};
pub use sf_cnm_blocks::PriorTables;
pub use statistics::ClassStatistics;
