//! Polygons of a class map, through GDAL's polygonise.
//!
//! Nothing is held for the whole raster: the wanted classes go window by window into a
//! scratch raster, GDAL turns that into polygons in a scratch GeoPackage, and those are
//! measured, simplified and written one by one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use gdal::spatial_ref::SpatialRef;
use gdal::vector::{Feature, FieldDefn, Geometry, LayerAccess, LayerOptions, OGRFieldType, OGRwkbGeometryType};
use gdal::{Dataset, Driver, DriverManager, Metadata};
use nunatak_domain::class::{ClassId, ClassScheme};
use nunatak_domain::geo::{GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::job::{Connectivity, PolygonizeConfig, SmallPolygons};
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::{ColorRole, SceneInfo};
use nunatak_jobs::Monitor;
use serde::Serialize;

use crate::area::{AreaKind, PixelArea};
use crate::atomic::AtomicPath;
use crate::copy::close;
use crate::crs::gdal_from_crs;
use crate::error::{IoError, gdal_reason};
use crate::ffi::{self, checked};
use crate::polygon::{Corner, PixelPolygon, RingCorner, simplified};
use crate::recipe::{RECIPE_ITEM, recipe_text, write_recipe_beside};
use crate::scratch::{ClassScratch, SCRATCH_FIELD, SCRATCH_LAYER, unsynced};
use crate::sieve::Merged;

/// What `polygonize` wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolygonReport {
    /// The target first, then its sidecars.
    pub outputs: Vec<PathBuf>,
    pub n_polygons: u64,
    /// Regions smaller than `min_area` that became part of a neighbour, and their area.
    pub n_merged: u64,
    pub merged_area: f64,
    /// Left out because they are smaller than `min_area`, and their area.
    pub n_too_small: u64,
    pub too_small_area: f64,
    /// In what `area` is measured.
    pub area_kind: AreaKind,
    /// By id; classes without a polygon are left out.
    pub classes: Vec<ClassPolygons>,
}

/// The polygons of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassPolygons {
    pub id: ClassId,
    pub label: String,
    pub n_polygons: u64,
    /// Square metres (square pixels without a CRS), of the pixels.
    pub area: f64,
}

/// Writes a polygon for every region of equal class, with `class_id`, `label` and `area`.
///
/// Class 0, nodata and masked pixels are left out unless `config.classes` says otherwise.
/// Regions below `min_area` become part of their largest neighbour, whatever its class; what is
/// small is then counted in pixels of the raster's mean area, and dropped only where nodata
/// surrounds it. With `SmallPolygons::Drop` they are left out instead.
///
/// Areas are those of the pixels, also where outlines are simplified; see `AreaKind` for
/// their unit. Simplification (Douglas–Peucker between the places where more than two regions
/// meet) keeps common edges of neighbours common; a polygon that it would make invalid keeps
/// its pixel edges. Rings never cross; regions joined by corners only (8-connected) are
/// multipolygons. GeoJSON is RFC 7946: WGS 84, longitude first.
///
/// # Errors
/// The raster cannot be read or is no class map, the format is unknown, the disk is full, or
/// the job was cancelled; nothing is left of the output then.
pub fn polygonize(
    config: &PolygonizeConfig,
    scheme: &ClassScheme,
    monitor: &dyn Monitor,
    recipe: &Recipe,
) -> Result<PolygonReport, IoError> {
    let format = Format::of(&config.out)?;
    let mut source = crate::source::open(&config.raster)?;
    let info = source.info().clone();
    check_request(config, &info, format)?;
    let output = AtomicPath::create(&config.out, config.overwrite)?;
    let transform = match &info.georeference {
        Georeference::Affine { transform } => Some(*transform),
        Georeference::None | Georeference::Gcps { .. } => None,
    };
    let crs = info.map_crs();
    let place = crs.map(gdal_from_crs).transpose()?;
    let area = PixelArea::of(transform.as_ref(), crs, info.width, info.height);
    let wanted = |id: u32| config.classes.as_ref().map_or(id != 0, |classes| classes.contains(&id));
    let smallest_px = smallest_px(config, &area, &info);
    let merge = smallest_px.is_some_and(|smallest| smallest > 1);
    let keep: &dyn Fn(u32) -> bool = if merge { &|_| true } else { &wanted };
    let eight = config.connectivity == Connectivity::Eight;
    let mut scratch = ClassScratch::fill(&mut source, config, keep, &output.scratch_dir()?, monitor)?;
    let merged = match smallest_px.filter(|_| merge) {
        Some(smallest) => scratch.merge_small(smallest, eight, &wanted, &area, monitor)?,
        None => Merged::default(),
    };
    let regions = scratch.polygonize(eight, monitor)?;
    let mut target = format.create(&output, place.as_ref(), config.connectivity, recipe)?;
    let mut writer = PolygonWriter {
        config,
        scheme,
        transform: transform.unwrap_or(GeoTransform::PIXELS),
        area,
        smallest_px,
        classes: BTreeMap::new(),
        n_too_small: 0,
        too_small_area: 0.0,
        n_kept_edges: 0,
    };
    let fail = |reason: String| IoError::write(&config.out, "polygons", reason);
    if format == Format::GeoPackage {
        // One transaction for all: the file is private until the end.
        let transaction = target.start_transaction().map_err(|error| fail(gdal_reason(&error)))?;
        writer.write_all(&regions, &scratch, &transaction, monitor)?;
        checked(|| transaction.commit().map_err(|error| gdal_reason(&error))).map_err(fail)?;
    } else {
        writer.write_all(&regions, &scratch, &target, monitor)?;
    }
    close(target).map_err(fail)?;
    if format == Format::GeoJson {
        check_geojson(&output, writer.n_polygons())?;
    }
    if format != Format::GeoPackage {
        write_recipe_beside(&output, recipe)?;
    }
    drop((regions, scratch));
    if writer.n_kept_edges > 0 {
        let n = writer.n_kept_edges;
        let text = format!("{n} polygons keep their pixel edges: simplified they would cross themselves");
        monitor.warn(Notice::warning(text));
    }
    let outputs = output.commit()?;
    Ok(writer.report(outputs, merged))
}

/// Pixels of the smallest polygon, where smaller ones are merged.
fn smallest_px(config: &PolygonizeConfig, area: &PixelArea, info: &SceneInfo) -> Option<i32> {
    if config.small == SmallPolygons::Drop {
        return None;
    }
    // Rounding must not merge a polygon of exactly the smallest area.
    let smallest = config.min_area / area.mean(info.width, info.height) * (1.0 - 1e-9);
    Some(smallest.ceil().clamp(0.0, f64::from(i32::MAX)) as i32)
}

/// Counts the lines that are whole features: GDAL's GeoJSON driver does not notice a full disk.
fn check_geojson(output: &AtomicPath, n_polygons: u64) -> Result<(), IoError> {
    let fail = |reason: String| output.failed("polygons", &reason);
    let file = File::open(output.partial()).map_err(|error| fail(error.to_string()))?;
    let (mut n_whole, mut last) = (0, String::new());
    for line in BufReader::new(file).lines() {
        last = line.map_err(|error| fail(error.to_string()))?;
        let end = last.trim_end_matches([',', ' ']);
        n_whole += u64::from(last.starts_with(r#"{ "type": "Feature""#) && end.ends_with('}'));
    }
    if n_whole == n_polygons && last == "}" {
        return Ok(());
    }
    // Another version of GDAL may break its lines elsewhere: let it count.
    let (dataset, errors) = ffi::guarded(|| Dataset::open(output.partial()));
    let counted = dataset.ok().and_then(|dataset| Some(dataset.layer(0).ok()?.feature_count()));
    if errors.is_empty() && counted == Some(n_polygons) { Ok(()) } else { Err(fail("the disk is full".to_owned())) }
}

fn check_request(config: &PolygonizeConfig, info: &SceneInfo, format: Format) -> Result<(), IoError> {
    let n_bands = info.bands.iter().filter(|band| band.color != ColorRole::Alpha).count();
    if n_bands != 1 {
        let reason = format!("cannot make polygons: a class map has one band, this raster has {n_bands}");
        return Err(IoError::unsupported(&config.raster, reason));
    }
    if format == Format::GeoJson && info.map_crs().is_none() {
        let reason = "cannot make GeoJSON: it holds WGS 84 positions and this raster has no CRS, choose .gpkg or .shp";
        return Err(IoError::unsupported(&config.raster, reason));
    }
    let finite = |value: f64| value.is_finite() && value >= 0.0;
    if !finite(config.min_area) || !finite(config.simplify) {
        return Err(IoError::unsupported(&config.out, "smallest area and tolerance must be 0 or more"));
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Shapefile,
    GeoPackage,
    GeoJson,
}

impl Format {
    fn of(path: &Path) -> Result<Self, IoError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "shp" => Ok(Self::Shapefile),
            "gpkg" => Ok(Self::GeoPackage),
            "geojson" | "json" => Ok(Self::GeoJson),
            _ => {
                Err(IoError::unsupported(path, "cannot write polygons in this format: choose .shp, .gpkg or .geojson"))
            }
        }
    }

    /// The file with an empty layer of three fields.
    fn create(
        self,
        output: &AtomicPath,
        place: Option<&SpatialRef>,
        connectivity: Connectivity,
        recipe: &Recipe,
    ) -> Result<Dataset, IoError> {
        let (driver, options): (_, &[&str]) = match self {
            Self::Shapefile => ("ESRI Shapefile", &["ENCODING=UTF-8"]),
            Self::GeoPackage => ("GPKG", &["GEOMETRY_NAME=geom", "FID=fid"]),
            Self::GeoJson => ("GeoJSON", &["RFC7946=YES"]),
        };
        // Only regions joined by corners have several parts; shapefiles know no difference.
        let kind = match connectivity {
            Connectivity::Eight if self != Self::Shapefile => OGRwkbGeometryType::wkbMultiPolygon,
            _ => OGRwkbGeometryType::wkbPolygon,
        };
        let create = || -> Result<Dataset, GdalError> {
            let driver: Driver = DriverManager::get_driver_by_name(driver)?;
            let mut dataset = driver.create_vector_only(output.partial())?;
            let layer = dataset.create_layer(LayerOptions {
                name: output.stem(),
                srs: place,
                ty: kind,
                options: Some(options),
            })?;
            FieldDefn::new("class_id", OGRFieldType::OFTInteger)?.add_to_layer(&layer)?;
            let label = FieldDefn::new("label", OGRFieldType::OFTString)?;
            label.set_width(if self == Self::Shapefile { 80 } else { 0 });
            label.add_to_layer(&layer)?;
            let area = FieldDefn::new("area", OGRFieldType::OFTReal)?;
            if self == Self::Shapefile {
                area.set_width(20);
                area.set_precision(2);
            }
            area.add_to_layer(&layer)?;
            if self == Self::GeoPackage {
                dataset.set_metadata_item(RECIPE_ITEM, &recipe_text(recipe), "")?;
            }
            Ok(dataset)
        };
        unsynced(|| checked(|| create().map_err(|error| gdal_reason(&error))))
            .map_err(|reason| output.failed("polygons", &reason))
    }
}

struct PolygonWriter<'a> {
    config: &'a PolygonizeConfig,
    scheme: &'a ClassScheme,
    transform: GeoTransform,
    area: PixelArea,
    /// `None` where `min_area` decides.
    smallest_px: Option<i32>,
    /// Number and area by class.
    classes: BTreeMap<u32, (u64, f64)>,
    n_too_small: u64,
    too_small_area: f64,
    n_kept_edges: u64,
}

/// Fields of the target layer, in the order in which `Format::create` adds them.
const CLASS_ID: usize = 0;
const LABEL: usize = 1;
const AREA: usize = 2;

impl PolygonWriter<'_> {
    fn write_all(
        &mut self,
        regions: &Dataset,
        scratch: &ClassScratch,
        target: &Dataset,
        monitor: &dyn Monitor,
    ) -> Result<(), IoError> {
        let out = &self.config.out;
        let gdal = |error: GdalError| IoError::write(out, "polygons", gdal_reason(&error));
        let mut source = regions.layer_by_name(SCRATCH_LAYER).map_err(gdal)?;
        let layer = target.layer(0).map_err(gdal)?;
        let n_regions = source.feature_count().max(1);
        let mut corners = scratch.corners();
        for (index, region) in source.features().enumerate() {
            if index % 256 == 0 {
                monitor.check()?;
                monitor.progress(0.6 + 0.4 * index as f32 / n_regions as f32, "writing polygons");
            }
            let value = region.field_as_integer(SCRATCH_FIELD).map_err(gdal)?.unwrap_or(0);
            let class = (value - 1).cast_unsigned();
            let rings = region.geometry().map(rings_of).unwrap_or_default();
            let simplify = self.config.simplify > 0.0;
            let polygon = PixelPolygon::trace(&rings, |corner| simplify && corners.node(corner));
            let area = self.area.of_spans(&polygon.spans);
            let too_small = match self.smallest_px {
                Some(smallest) => polygon.n_px() < i64::from(smallest),
                // Rounding must not drop a polygon of exactly the smallest area.
                None => area * (1.0 + 1e-9) < self.config.min_area,
            };
            if too_small {
                self.n_too_small += 1;
                self.too_small_area += area;
                continue;
            }
            let geometry = self.geometry(&polygon).map_err(gdal)?;
            let write = || -> Result<(), GdalError> {
                let mut feature = Feature::new(layer.defn())?;
                feature.set_geometry(geometry)?;
                feature.set_field_integer(CLASS_ID, class.cast_signed())?;
                feature.set_field_string(LABEL, &self.scheme.name(ClassId(class)))?;
                feature.set_field_double(AREA, area)?;
                feature.create(&layer)
            };
            checked(|| write().map_err(|error| gdal_reason(&error)))
                .map_err(|reason| IoError::write(&self.config.out, "polygons", reason))?;
            let (n, total) = self.classes.entry(class).or_default();
            *n += 1;
            *total += area;
        }
        match corners.failed() {
            Some(reason) => Err(IoError::write(&self.config.out, "polygons", reason)),
            None => Ok(()),
        }
    }

    fn geometry(&mut self, polygon: &PixelPolygon) -> Result<Geometry, GdalError> {
        let transform = self.transform;
        let position = |corner: &RingCorner| {
            transform.geo_from_pixel(PixelPos::new(f64::from(corner.at.0), f64::from(corner.at.1)))
        };
        let positions = |ring: &[RingCorner]| ring.iter().map(position).collect::<Vec<_>>();
        // Clockwise on the screen is clockwise on the map where rows run south.
        let c = transform.0;
        let clockwise = c[1] * c[5] - c[2] * c[4] < 0.0;
        let multi = self.config.connectivity == Connectivity::Eight;
        let tolerance = self.config.simplify;
        if tolerance > 0.0 {
            let simple = polygon.map(|ring| simplified(ring, &positions(ring), tolerance));
            let geometry = Geometry::from_wkb(&wkb(&simple, multi, clockwise))?;
            if ffi::guarded(|| geometry.is_valid()).0 {
                return Ok(geometry);
            }
            self.n_kept_edges += 1;
        }
        Geometry::from_wkb(&wkb(&polygon.map(positions), multi, clockwise))
    }

    fn n_polygons(&self) -> u64 {
        self.classes.values().map(|(n, _)| n).sum()
    }

    fn report(self, outputs: Vec<PathBuf>, merged: Merged) -> PolygonReport {
        let scheme = self.scheme;
        let class = |(id, (n_polygons, area)): (u32, (u64, f64))| ClassPolygons {
            id: ClassId(id),
            label: scheme.name(ClassId(id)),
            n_polygons,
            area,
        };
        PolygonReport {
            outputs,
            n_polygons: self.n_polygons(),
            n_merged: merged.n_regions,
            merged_area: merged.area,
            n_too_small: self.n_too_small,
            too_small_area: self.too_small_area,
            area_kind: self.area.kind(),
            classes: self.classes.into_iter().map(class).collect(),
        }
    }
}

/// Rings of a polygon in whole pixel corners.
fn rings_of(geometry: &Geometry) -> Vec<Vec<Corner>> {
    let mut points = Vec::new();
    (0..geometry.geometry_count())
        .map(|index| {
            points.clear();
            geometry.get_geometry(index).get_points(&mut points);
            points.iter().map(|&(x, y, _)| (x.round() as i32, y.round() as i32)).collect()
        })
        .collect()
}

/// Well-known binary of a polygon, or of a multipolygon.
/// Outer rings come out counterclockwise; `clockwise` tells how they go in.
fn wkb(parts: &[Vec<Vec<GeoPos>>], multi: bool, clockwise: bool) -> Vec<u8> {
    const POLYGON: u32 = 3;
    const MULTIPOLYGON: u32 = 6;
    let mut bytes = Vec::new();
    let head = |bytes: &mut Vec<u8>, kind: u32, n: usize| {
        bytes.push(1); // little endian
        bytes.extend(kind.to_le_bytes());
        bytes.extend((n as u32).to_le_bytes());
    };
    if multi {
        head(&mut bytes, MULTIPOLYGON, parts.len());
    }
    for part in parts {
        head(&mut bytes, POLYGON, part.len());
        for ring in part {
            let mut ring = ring.clone();
            if clockwise {
                ring.reverse();
            }
            ring.extend(ring.first().copied());
            bytes.extend((ring.len() as u32).to_le_bytes());
            for pos in ring {
                bytes.extend(pos.x.to_le_bytes());
                bytes.extend(pos.y.to_le_bytes());
            }
        }
    }
    bytes
}
