//! Labels to class rasters and to polygons.

use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use gdal::spatial_ref::SpatialRef;
use gdal::vector::{Feature, FieldDefn, Geometry, Layer, LayerAccess, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use gdal::{Dataset, DriverManager};
use nunatak_domain::class::{Class, ClassId, ClassScheme};
use nunatak_domain::grid::{PixelRect, TILE_SIZE};
use nunatak_domain::job::{Connectivity, PolygonizeConfig, SmallPolygons};
use nunatak_domain::label::{LabelLayer, UNLABELLED};
use nunatak_domain::raster::{Raster, RasterSink};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::Monitor;
use serde::{Deserialize, Serialize};

use crate::atomic::AtomicPath;
use crate::copy::close;
use crate::crs::gdal_from_crs;
use crate::error::{IoError, gdal_reason};
use crate::ffi::checked;
use crate::geotiff::GeoTiffConfig;
use crate::recipe::write_recipe_beside;
use crate::scratch::unsynced;
use crate::sink::GeoTiffSink;
use crate::vector::{PolygonReport, polygonize};

/// Which fields polygons get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeSet {
    /// `class_id`, `label`, `area`.
    #[default]
    Plain,
    /// Training input of the Semi-Automatic Classification Plugin: `MC_ID`, `MC_name`, `C_ID`,
    /// `C_name`, `SCP_UID`. A macroclass is a class's group, or the class itself.
    Scp,
    /// Training samples of ArcGIS: `Classname`, `Classvalue`, `RED`, `GREEN`, `BLUE`, `Count`.
    ArcGis,
}

/// A vector file of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorExport {
    /// `.shp`, `.gpkg` or `.geojson` decides the format.
    pub out: PathBuf,
    #[serde(default)]
    pub attributes: AttributeSet,
    #[serde(default)]
    pub connectivity: Connectivity,
    #[serde(default)]
    pub overwrite: bool,
}

/// Writes labels as a class GeoTIFF (palette, names, attribute table, `.qml`): uint8 with nodata
/// 255, or uint16 with nodata 65535 where an id is above 254. Returns the files written.
///
/// # Errors
/// The file cannot be written, or the job was cancelled.
pub fn export_label_raster(
    layer: &LabelLayer,
    classes: &ClassScheme,
    scene: &SceneInfo,
    (out, overwrite): (&Path, bool),
    recipe: &Recipe,
    monitor: &dyn Monitor,
) -> Result<Vec<PathBuf>, IoError> {
    let scheme = complete(classes, layer);
    let config = GeoTiffConfig::class_map(out, scene, scheme, recipe.clone())?.overwrite(overwrite);
    let mut sink = GeoTiffSink::create(config)?;
    let windows = PixelRect::tiles(layer.width(), layer.height(), 4 * TILE_SIZE);
    let n_windows = windows.clone().count().max(1);
    for (done, rect) in windows.enumerate() {
        monitor.check()?;
        monitor.progress(done as f32 / n_windows as f32, "writing labels");
        let value = |id: u16| if id == UNLABELLED { f32::NAN } else { f32::from(id) };
        let values = layer.read(rect).into_iter().map(value).collect();
        sink.write(rect.col, rect.row, &Raster::new(1, rect.width, rect.height, values))
            .map_err(|error| IoError::write(out, "labels", error.0))?;
    }
    sink.finish(monitor)
}

/// Writes a polygon for every region of equal label, class 0 included.
///
/// # Errors
/// As `polygonize`.
pub fn export_label_vector(
    layer: &LabelLayer,
    classes: &ClassScheme,
    scene: &SceneInfo,
    config: &VectorExport,
    recipe: &Recipe,
    monitor: &dyn Monitor,
) -> Result<PolygonReport, IoError> {
    let out = &config.out;
    let ids: Vec<u32> = layer.counts().keys().map(|id| id.0).collect();
    if ids.is_empty() {
        return Err(IoError::write(out, "polygons", "nothing is labelled"));
    }
    let scheme = complete(classes, layer);
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |error: std::io::Error| IoError::write(out, "polygons", error.to_string());
    let scratch = tempfile::Builder::new().prefix(".labels-").tempdir_in(folder).map_err(fail)?;
    let raster = scratch.path().join("labels.tif");
    export_label_raster(layer, &scheme, scene, (&raster, false), recipe, monitor)?;
    let plain = PolygonizeConfig {
        raster,
        out: if config.attributes == AttributeSet::Plain { out.clone() } else { scratch.path().join("polygons.gpkg") },
        connectivity: config.connectivity,
        min_area: 0.0,
        small: SmallPolygons::Drop,
        simplify: 0.0,
        classes: Some(ids),
        overwrite: config.overwrite,
    };
    let report = polygonize(&plain, &scheme, monitor, recipe)?;
    if config.attributes == AttributeSet::Plain {
        return Ok(report);
    }
    let outputs = rewrite(&plain.out, &scheme, scene, config, recipe, monitor)?;
    Ok(PolygonReport { outputs, ..report })
}

/// The scheme, and a numbered class for every label that it does not know.
fn complete(classes: &ClassScheme, layer: &LabelLayer) -> ClassScheme {
    let mut scheme = classes.clone();
    for id in layer.counts().keys().filter(|id| classes.get(**id).is_none()) {
        scheme.classes.push(Class::numbered(id.0));
    }
    scheme
}

type Field = (&'static str, OGRFieldType::Type);

impl AttributeSet {
    const fn fields(self) -> &'static [Field] {
        const INTEGER: OGRFieldType::Type = OGRFieldType::OFTInteger;
        const TEXT: OGRFieldType::Type = OGRFieldType::OFTString;
        match self {
            Self::Plain => &[],
            Self::Scp => {
                &[("MC_ID", INTEGER), ("MC_name", TEXT), ("C_ID", INTEGER), ("C_name", TEXT), ("SCP_UID", TEXT)]
            }
            Self::ArcGis => &[
                ("Classname", TEXT),
                ("Classvalue", INTEGER),
                ("RED", INTEGER),
                ("GREEN", INTEGER),
                ("BLUE", INTEGER),
                ("Count", INTEGER),
            ],
        }
    }
}

/// The polygons once more, with the fields that another program expects.
fn rewrite(
    polygons: &Path,
    scheme: &ClassScheme,
    scene: &SceneInfo,
    config: &VectorExport,
    recipe: &Recipe,
    monitor: &dyn Monitor,
) -> Result<Vec<PathBuf>, IoError> {
    let output = AtomicPath::create(&config.out, config.overwrite)?;
    let fail = |reason: String| output.failed("polygons", &reason);
    let say = |error: GdalError| output.failed("polygons", &gdal_reason(&error));
    let place = scene.map_crs().map(gdal_from_crs).transpose()?;
    let source = Dataset::open(polygons).map_err(say)?;
    let mut from = source.layer(0).map_err(say)?;
    let mut target = create(&output, place.as_ref(), config.attributes)?;
    let rewriter = Rewriter {
        scheme,
        groups: groups(scheme),
        pixel_area: scene.map_transform().pixel_area(),
        attributes: config.attributes,
    };
    if config.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gpkg")) {
        // One transaction for all: the file is private until the end.
        let transaction = target.start_transaction().map_err(say)?;
        rewriter.features(&mut from, &transaction, monitor).map_err(|error| error.into_error(&config.out))?;
        checked(|| transaction.commit().map_err(|error| gdal_reason(&error))).map_err(fail)?;
    } else {
        rewriter.features(&mut from, &target, monitor).map_err(|error| error.into_error(&config.out))?;
    }
    close(target).map_err(fail)?;
    write_recipe_beside(&output, recipe)?;
    output.commit()
}

enum RewriteError {
    Cancelled,
    Gdal(String),
}

impl RewriteError {
    fn into_error(self, path: &Path) -> IoError {
        match self {
            Self::Cancelled => IoError::Cancelled,
            Self::Gdal(reason) => IoError::write(path, "polygons", reason),
        }
    }
}

fn create(output: &AtomicPath, place: Option<&SpatialRef>, attributes: AttributeSet) -> Result<Dataset, IoError> {
    let ending = output.target().extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (driver, options): (_, &[&str]) = match ending.as_str() {
        "shp" => ("ESRI Shapefile", &["ENCODING=UTF-8"]),
        "gpkg" => ("GPKG", &["GEOMETRY_NAME=geom", "FID=fid"]),
        "geojson" | "json" => ("GeoJSON", &["RFC7946=YES"]),
        _ => {
            let reason = "cannot write polygons in this format: choose .shp, .gpkg or .geojson";
            return Err(IoError::unsupported(output.target(), reason));
        }
    };
    let create = || -> Result<Dataset, GdalError> {
        let driver = DriverManager::get_driver_by_name(driver)?;
        let mut dataset = driver.create_vector_only(output.partial())?;
        let any = OGRwkbGeometryType::wkbUnknown;
        let ty = if ending == "shp" { OGRwkbGeometryType::wkbPolygon } else { any };
        let layer =
            dataset.create_layer(LayerOptions { name: output.stem(), srs: place, ty, options: Some(options) })?;
        for (name, kind) in attributes.fields() {
            let field = FieldDefn::new(name, *kind)?;
            if ending == "shp" && *kind == OGRFieldType::OFTString {
                field.set_width(80);
            }
            field.add_to_layer(&layer)?;
        }
        Ok(dataset)
    };
    unsynced(|| checked(|| create().map_err(|error| gdal_reason(&error))))
        .map_err(|reason| output.failed("polygons", &reason))
}

/// Groups in their order of appearance; their numbers are macroclasses.
fn groups(scheme: &ClassScheme) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for group in scheme.classes.iter().filter_map(|class| class.group.clone()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

struct Rewriter<'a> {
    scheme: &'a ClassScheme,
    groups: Vec<String>,
    /// In square units of the CRS.
    pixel_area: f64,
    attributes: AttributeSet,
}

impl Rewriter<'_> {
    fn features(&self, from: &mut Layer, target: &Dataset, monitor: &dyn Monitor) -> Result<(), RewriteError> {
        let gdal = |error: GdalError| RewriteError::Gdal(gdal_reason(&error));
        let layer = target.layer(0).map_err(gdal)?;
        for (number, polygon) in (1..).zip(from.features()) {
            if number % 256 == 1 {
                monitor.check().map_err(|_| RewriteError::Cancelled)?;
            }
            let id = polygon.field_index("class_id").and_then(|index| polygon.field_as_integer(index)).map_err(gdal)?;
            let id = ClassId(id.unwrap_or(0).cast_unsigned());
            let Some(geometry) = polygon.geometry() else { continue };
            let fallback = Class::numbered(id.0);
            let class = self.scheme.get(id).unwrap_or(&fallback);
            let write = || -> Result<(), GdalError> {
                let mut feature = Feature::new(layer.defn())?;
                feature.set_geometry(geometry.clone())?;
                self.set_fields(&mut feature, class, geometry, number)?;
                feature.create(&layer)
            };
            checked(|| write().map_err(|error| gdal_reason(&error))).map_err(RewriteError::Gdal)?;
        }
        Ok(())
    }

    /// In the order of `AttributeSet::fields`.
    fn set_fields(
        &self,
        feature: &mut Feature,
        class: &Class,
        geometry: &Geometry,
        number: u64,
    ) -> Result<(), GdalError> {
        let id = class.id.0.cast_signed();
        match self.attributes {
            AttributeSet::Plain => {}
            AttributeSet::Scp => {
                let group = class.group.as_ref().and_then(|group| self.groups.iter().position(|other| other == group));
                let (macro_id, macro_name) = match group {
                    Some(place) => (place as i32 + 1, self.groups[place].as_str()),
                    None => (id, class.name.as_str()),
                };
                feature.set_field_integer(0, macro_id)?;
                feature.set_field_string(1, macro_name)?;
                feature.set_field_integer(2, id)?;
                feature.set_field_string(3, &class.name)?;
                feature.set_field_string(4, &format!("uid_{number}"))?;
            }
            AttributeSet::ArcGis => {
                let [red, green, blue] = class.color.0.map(i32::from);
                feature.set_field_string(0, &class.name)?;
                feature.set_field_integer(1, id)?;
                feature.set_field_integer(2, red)?;
                feature.set_field_integer(3, green)?;
                feature.set_field_integer(4, blue)?;
                feature.set_field_integer(5, (geometry.area() / self.pixel_area).round() as i32)?;
            }
        }
        Ok(())
    }
}
