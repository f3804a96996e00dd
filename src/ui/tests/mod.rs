//! The window under kittest, without a display: clicks and keys in, session state out.

mod choices;
mod judge;
mod map;
mod painting;
mod panels;
mod references;
mod support;
mod window;
