//! A small picture of a raster, coloured on the CPU: no adapter is needed and no recipe kept.

use std::path::Path;

use nunatak_domain::grid::PixelRect;
use nunatak_domain::map::Picture;
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::{Raster, RasterSource};
use nunatak_domain::style::{Stretch, Style};
use nunatak_jobs::{JobError, Monitor};

use super::io_error;

/// Longest side.
const SIDE_PX: usize = 192;

/// Values decoded at most: a raster without overviews is read from some of its blocks.
const QUICK_VALUES: u64 = 64 << 20;

/// Reads the whole raster at the size of the picture and writes that as PNG; an older file of
/// that name is replaced and the folder made.
///
/// # Errors
/// Reading or writing.
pub(crate) fn write(path: &Path, style: &Style, out: &Path, monitor: &dyn Monitor) -> Result<(), JobError> {
    let mut source = nunatak_io::open(path).map_err(io_error)?;
    let info = source.info();
    let (width, height) = (info.width, info.height);
    let shrink = (SIDE_PX as f64 / width.max(height).max(1) as f64).min(1.0);
    let side = |length: usize| ((length as f64 * shrink).round() as usize).max(1);
    let size = (side(width), side(height));
    let mut bands = style.bands();
    bands.sort_unstable();
    bands.dedup();
    let n_decoded = if info.interleave.as_deref() == Some("PIXEL") { info.n_bands() } else { bands.len() };
    let block = (info.block.0 * info.block.1 * n_decoded).max(1) as u64;
    let whole = PixelRect::whole(width, height);
    let all = source.blocks_touched(whole, size.0, size.1).saturating_mul(block);
    let raster = if all <= QUICK_VALUES {
        source.read(whole, &bands, size.0, size.1).map_err(|error| Notice::error(error.to_string()))?
    } else {
        source.read_coarse(whole, &bands, size, (QUICK_VALUES / block).max(1)).map_err(io_error)?
    };
    monitor.check()?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Notice::error(error.to_string()))?;
    }
    nunatak_io::write_picture(out, &colored(&raster, &bands, style), None, None, true).map_err(io_error)?;
    Ok(())
}

/// The picture of a raster that holds `bands` of its scene; nodata is transparent.
fn colored(raster: &Raster, bands: &[usize], style: &Style) -> Picture {
    let values = |band: usize| bands.iter().position(|known| *known == band).map(|index| raster.band(index));
    let byte = |stretch: &Stretch, value: f32| (stretch.apply(f64::from(value)) * 255.0).round() as u8;
    let mut rgba = vec![0; 4 * raster.n_px()];
    for (i, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        let at = |band: usize| values(band).map(|values| values[i]).filter(|value| !value.is_nan());
        let color = match style {
            Style::Rgb { bands: [r, g, b], stretch, .. } => match (at(*r), at(*g), at(*b)) {
                (Some(r), Some(g), Some(b)) => Some([byte(&stretch[0], r), byte(&stretch[1], g), byte(&stretch[2], b)]),
                _ => None,
            },
            Style::Colormap { band, stretch, colormap, .. } => {
                at(*band).map(|value| colormap.color(stretch.apply(f64::from(value))))
            }
            Style::Classes { band, scheme } => at(*band)
                .and_then(|value| scheme.get(nunatak_domain::class::ClassId(value as u32)))
                .map(|class| class.color.0),
        };
        if let Some([r, g, b]) = color {
            pixel.copy_from_slice(&[r, g, b, 255]);
        }
    }
    Picture { width: raster.width as u32, height: raster.height as u32, rgba }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::style::StretchMethod;

    use super::*;

    #[test]
    fn a_thumbnail_has_the_colours_of_the_style() {
        let raster = Raster::new(3, 2, 1, vec![0.0, 10.0, 5.0, f32::NAN, 10.0, 10.0]);
        let stretch = [Stretch { min: 0.0, max: 10.0, gamma: 1.0 }; 3];
        let style = Style::Rgb { bands: [0, 2, 4], stretch, method: StretchMethod::Manual };

        let picture = colored(&raster, &[0, 2, 4], &style);

        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!(picture.rgba, [0, 128, 255, 255, 0, 0, 0, 0]);
    }
}
