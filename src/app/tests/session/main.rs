//! The session as a front end drives it, on small files made for the test.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "inputs of a test need not survive a kill")]

mod across;
mod annotate;
mod antimeridian;
mod commands;
mod judge;
mod map;
mod projects;
mod real;
mod results;
mod sampling;
mod support;
