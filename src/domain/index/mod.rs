//! Spectral indices and band maths: which band is which, formulas over them, and their values.

mod catalogue;
mod formula;
mod lexer;
mod program;
mod roles;

pub use catalogue::{SpectralIndex, catalogue, expression_for};
pub use formula::{Formula, FormulaError};
pub use program::Expression;
pub use roles::{BandRole, BandRoles};
