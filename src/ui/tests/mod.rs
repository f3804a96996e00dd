//! The window under kittest, without a display: clicks and keys in, session state out.

mod choices;
mod map;
mod panels;
mod support;
mod window;
