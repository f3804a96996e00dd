//! Nunatak turns multiband satellite rasters into maps: networks, spectra and
//! explanations in one program.
//!
//! ```text
//!  front ends         ui          cli          translate, never decide
//!                    │   ╲      ╱   │
//!  drawing           │    render    │          a MapFrame in, pixels out
//!                    │              │
//!  application       └────► app ◄───┘          state, commands, composition
//!                          ╱   ╲
//!  adapters              io     ml             GDAL here, Burn there, never each other
//!                          ╲   ╱
//!  machinery               jobs                threads, progress, cancel
//!
//!  ground                 domain               values and rules; everyone above may use it
//! ```
//!
//! Each layer is a crate of its own under `src/`, so the compiler holds the arrows.
//! `main.rs` picks a front end; this library is empty but for this page.
