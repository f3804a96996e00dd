//! How good a class map is: accuracy against a reference, areas with their errors, and the
//! samples that both are estimated from.

mod area;
mod confusion;
mod plan;
mod random;
mod sample;
mod split;

pub use area::{AreaAccuracy, AreaError, ClassArea, Estimate};
pub use confusion::{Averages, ClassAccuracy, ConfusionMatrix};
pub use plan::{Allocation, PrecisionGoal, allocate, points_missing, sample_size};
pub use sample::{Sample, SampleDesign, SampleDraw, SamplePoint};
pub use split::SpatialSplit;
