//! Networks: the only crate that names Burn.
//!
//! A network is read from a file as plain numbers with a record ([`model`]), put on a device
//! by the [`engine`], and walks scenes window by window ([`predict`], [`explain`]) from a
//! `RasterSource` to `RasterSink`s. A tensor never leaves this crate.

pub mod check;
mod compat;
mod cpu_conv;
pub mod engine;
mod error;
pub mod explain;
pub mod model;
mod net;
mod nets;
mod outputs;
pub mod predict;
mod safetensors_file;
pub mod state;
#[cfg(test)]
mod testing;
pub mod weights;
mod windows;

pub use engine::{AdapterInfo, Engine};
pub use error::MlError;
pub use model::{LoadedModel, load_network, record_path, save_safetensors_bytes};
