//! Everything that needs the whole program, in one binary: each further one would link
//! Burn, wgpu and GDAL again.

mod analysis;
mod cli;
mod layering;
mod prior_parity;
mod project;
mod ssmgnet_parity;
