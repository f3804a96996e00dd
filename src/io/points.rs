//! Points that wait for a label: a sample as a vector file or a table.

use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use gdal::spatial_ref::SpatialRef;
use gdal::vector::{Feature, FieldDefn, Geometry, LayerAccess, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use gdal::{Dataset, Driver, DriverManager, Metadata};
use nunatak_domain::geo::{GeoPos, PixelPos};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;

use crate::atomic::{AtomicPath, write_plain};
use crate::copy::close;
use crate::crs::gdal_from_crs;
use crate::error::{IoError, gdal_reason};
use crate::ffi::checked;
use crate::recipe::{RECIPE_ITEM, recipe_text, write_recipe_beside};
use crate::scratch::unsynced;

/// Writes pixels `(col, row)` of `scene` as points at their centres, numbered from 1, with an
/// empty field `class` to be filled in: `.gpkg`, `.geojson` or `.csv` (in the scene's CRS).
/// The recipe goes inside a GeoPackage and beside the others.
///
/// # Errors
/// The ending is another one, GeoJSON of a scene without a CRS, or the file cannot be written.
pub fn write_sample_points(
    path: impl AsRef<Path>,
    scene: &SceneInfo,
    pixels: &[(usize, usize)],
    recipe: &Recipe,
    overwrite: bool,
) -> Result<Vec<PathBuf>, IoError> {
    let path = path.as_ref();
    let transform = scene.map_transform();
    let center = |&(col, row): &(usize, usize)| PixelPos::new(col as f64 + 0.5, row as f64 + 0.5);
    let positions: Vec<GeoPos> = pixels.iter().map(|pixel| transform.geo_from_pixel(center(pixel))).collect();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (driver, options): (_, &[&str]) = match ending.as_str() {
        "gpkg" => ("GPKG", &["GEOMETRY_NAME=geom", "FID=fid"]),
        "geojson" | "json" => ("GeoJSON", &["RFC7946=YES"]),
        "csv" => return write_table(path, pixels, &positions, recipe, overwrite),
        _ => {
            let reason = "cannot write points in this format: choose .gpkg, .geojson or .csv";
            return Err(IoError::unsupported(path, reason));
        }
    };
    if driver == "GeoJSON" && scene.map_crs().is_none() {
        let reason = "cannot make GeoJSON: it holds WGS 84 positions and this raster has no CRS, choose .gpkg or .csv";
        return Err(IoError::unsupported(path, reason));
    }
    let place = scene.map_crs().map(gdal_from_crs).transpose()?;
    let output = AtomicPath::create(path, overwrite)?;
    let fail = |reason: String| output.failed("points", &reason);
    let create = || create_layer(&output, driver, options, place.as_ref(), recipe);
    let mut dataset = unsynced(|| checked(|| create().map_err(|error| gdal_reason(&error)))).map_err(fail)?;
    if driver == "GPKG" {
        let transaction = dataset.start_transaction().map_err(|error| fail(gdal_reason(&error)))?;
        write_all(&transaction, pixels, &positions).map_err(fail)?;
        checked(|| transaction.commit().map_err(|error| gdal_reason(&error))).map_err(fail)?;
    } else {
        write_all(&dataset, pixels, &positions).map_err(fail)?;
    }
    close(dataset).map_err(fail)?;
    if driver != "GPKG" {
        write_recipe_beside(&output, recipe)?;
    }
    output.commit()
}

fn create_layer(
    output: &AtomicPath,
    driver: &str,
    options: &[&str],
    place: Option<&SpatialRef>,
    recipe: &Recipe,
) -> Result<Dataset, GdalError> {
    let geopackage = driver == "GPKG";
    let driver: Driver = DriverManager::get_driver_by_name(driver)?;
    let mut dataset = driver.create_vector_only(output.partial())?;
    let ty = OGRwkbGeometryType::wkbPoint;
    let options = Some(options);
    let layer = dataset.create_layer(LayerOptions { name: output.stem(), srs: place, ty, options })?;
    for name in ["id", "col", "row"] {
        FieldDefn::new(name, OGRFieldType::OFTInteger)?.add_to_layer(&layer)?;
    }
    FieldDefn::new("class", OGRFieldType::OFTString)?.add_to_layer(&layer)?;
    if geopackage {
        dataset.set_metadata_item(RECIPE_ITEM, &recipe_text(recipe), "")?;
    }
    Ok(dataset)
}

fn write_all(dataset: &Dataset, pixels: &[(usize, usize)], positions: &[GeoPos]) -> Result<(), String> {
    let write = || -> Result<(), GdalError> {
        let layer = dataset.layer(0)?;
        for (index, (&(col, row), position)) in pixels.iter().zip(positions).enumerate() {
            let mut feature = Feature::new(layer.defn())?;
            let mut point = Geometry::empty(OGRwkbGeometryType::wkbPoint)?;
            point.add_point_2d((position.x, position.y));
            feature.set_geometry(point)?;
            feature.set_field_integer(0, index as i32 + 1)?;
            feature.set_field_integer(1, col as i32)?;
            feature.set_field_integer(2, row as i32)?;
            feature.set_field_null(3)?;
            feature.create(&layer)?;
        }
        Ok(())
    };
    checked(|| write().map_err(|error| gdal_reason(&error)))
}

fn write_table(
    path: &Path,
    pixels: &[(usize, usize)],
    positions: &[GeoPos],
    recipe: &Recipe,
    overwrite: bool,
) -> Result<Vec<PathBuf>, IoError> {
    let mut text = "id,x,y,col,row,class\n".to_owned();
    for (index, ((col, row), position)) in pixels.iter().zip(positions).enumerate() {
        text.push_str(&format!("{},{},{},{col},{row},\n", index + 1, position.x, position.y));
    }
    let output = AtomicPath::create(path, overwrite)?;
    write_plain(&output.partial(), text.as_bytes()).map_err(|error| output.failed("points", &error.to_string()))?;
    write_recipe_beside(&output, recipe)?;
    output.commit()
}
