//! The painter for exported pictures, made when the first one is asked for: a device takes time
//! and memory that most sessions never need.

use nunatak_domain::map::{MapFrame, MapPainter, Picture};
use nunatak_render::{AdapterChoice, OffscreenPainter};

#[derive(Default)]
pub(crate) struct LazyPainter {
    painter: Option<OffscreenPainter>,
}

impl MapPainter for LazyPainter {
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String> {
        let painter = match &mut self.painter {
            Some(painter) => painter,
            none => none.insert(OffscreenPainter::new(AdapterChoice::Auto).map_err(|error| error.to_string())?),
        };
        painter.paint(frame)
    }
}
