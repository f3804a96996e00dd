//! Label layers as ordinary GeoTIFFs that any GIS reads: uint16, nodata 65535, palette, names.
//!
//! Only tiles that hold a label are stored or read, so that time and size follow what was
//! painted, not the scene.

use std::path::Path;
use std::sync::Arc;

use gdal::cpl::CslStringList;
use gdal::raster::{Buffer, GdalDataType};
use gdal::{Dataset, DriverManager, Metadata};
use nunatak_domain::class::ClassScheme;
use nunatak_domain::grid::{PixelRect, TILE_SIZE};
use nunatak_domain::label::{LabelLayer, LabelTile, TilePos, UNLABELLED};
use nunatak_jobs::Monitor;

use super::scenes::ProjectScene;
use crate::atomic::AtomicPath;
use crate::class_raster::{set_names, set_palette};
use crate::copy::close;
use crate::error::{IoError, gdal_reason, without_path};
use crate::ffi::{checked, may_hold_data};
use crate::geotiff::set_place;

/// Writes a layer under `path`, replacing what is there.
pub(super) fn write_labels(
    path: &Path,
    layer: &LabelLayer,
    classes: &ClassScheme,
    scene: Option<&ProjectScene>,
    monitor: &dyn Monitor,
) -> Result<(), IoError> {
    let output = AtomicPath::create(path, true)?;
    let fail = |reason: String| output.failed("labels", &reason);
    let mut dataset = create(&output.partial(), layer).map_err(fail)?;
    if let Some(scene) = scene {
        set_place(&mut dataset, scene.crs.as_ref(), &scene.georeference).map_err(fail)?;
    }
    set_palette(&dataset, classes).map_err(fail)?;
    checked(|| {
        dataset.set_metadata_item("TIFFTAG_SOFTWARE", concat!("nunatak ", env!("CARGO_PKG_VERSION")), "")?;
        let mut band = dataset.rasterband(1)?;
        band.set_description("class")?;
        band.set_no_data_value(Some(f64::from(UNLABELLED)))
    })
    .map_err(fail)?;
    set_names(&dataset, classes).map_err(fail)?;
    for (pos, tile) in layer.tiles() {
        monitor.check()?;
        write_tile(&dataset, layer, pos, tile).map_err(fail)?;
    }
    close(dataset).map_err(fail)?;
    output.commit().map(drop)
}

/// Reads a layer of a known size.
///
/// # Errors
/// The file cannot be read, is damaged, or is not of that size and type.
pub(super) fn read_labels(
    path: &Path,
    (width, height): (usize, usize),
    monitor: &dyn Monitor,
) -> Result<LabelLayer, IoError> {
    let fail = |reason: String| IoError::read(path, "labels", reason);
    let dataset = checked(|| Dataset::open(path)).map_err(|reason| fail(without_path(&reason, path)))?;
    if dataset.raster_size() != (width, height) || dataset.raster_count() != 1 {
        let (found_width, found_height) = dataset.raster_size();
        return Err(fail(format!(
            "it has {found_width} x {found_height} pixels and {} bands, and should have {width} x {height} and one",
            dataset.raster_count()
        )));
    }
    let band = dataset.rasterband(1).map_err(|error| fail(gdal_reason(&error)))?;
    if band.band_type() != GdalDataType::UInt16 {
        return Err(fail(format!("its pixels are {} and should be uint16", band.band_type().name())));
    }
    let mut layer = LabelLayer::new(width, height);
    for row in (0..height).step_by(TILE_SIZE) {
        let strip = PixelRect::new(0, row, width, TILE_SIZE.min(height - row));
        monitor.check()?;
        if !may_hold_data(&band, strip) {
            continue;
        }
        for pos in TilePos::covering(strip) {
            let Some(part) = pos.rect().intersection(&strip) else { continue };
            if !may_hold_data(&band, part) {
                continue;
            }
            let (at, size) = ((part.col as isize, part.row as isize), (part.width, part.height));
            let pixels = checked(|| band.read_as::<u16>(at, size, size, None))
                .map_err(|reason| fail(without_path(&reason, path)))?;
            let mut ids = vec![UNLABELLED; TILE_SIZE * TILE_SIZE];
            for (row, from) in pixels.data().chunks_exact(part.width).enumerate() {
                ids[row * TILE_SIZE..][..part.width].copy_from_slice(from);
            }
            layer.set_tile(pos, Some(Arc::new(LabelTile::new(ids))));
        }
    }
    Ok(layer)
}

fn create(path: &Path, layer: &LabelLayer) -> Result<Dataset, String> {
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(|error| gdal_reason(&error))?;
    let mut options = CslStringList::new();
    for option in
        ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "SPARSE_OK=TRUE", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"]
    {
        options.add_string(option).map_err(|error| gdal_reason(&error))?;
    }
    checked(|| driver.create_with_band_type_with_options::<u16, _>(path, layer.width(), layer.height(), 1, &options))
}

fn write_tile(dataset: &Dataset, layer: &LabelLayer, pos: TilePos, tile: &LabelTile) -> Result<(), String> {
    // Pixels beyond the edge are in memory only.
    let Some(part) = pos.rect().intersection(&layer.rect()) else { return Ok(()) };
    let pixels: Vec<u16> = (0..part.height).flat_map(|row| tile.row(row)[..part.width].iter().copied()).collect();
    let size = (part.width, part.height);
    checked(|| {
        dataset.rasterband(1)?.write((part.col as isize, part.row as isize), size, &mut Buffer::new(size, pixels))
    })
}
