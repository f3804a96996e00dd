//! The window under kittest, without a display: clicks and keys in, session state out.

mod map;
mod panels;
mod support;
mod window;
