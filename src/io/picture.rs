//! Pictures of maps as PNG, with the recipe inside and, where the map has a place, a world
//! file and an `.aux.xml` with the CRS beside.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use nunatak_domain::geo::{Crs, GeoTransform};
use nunatak_domain::map::{MapView, Picture, ScreenPos};
use nunatak_domain::recipe::Recipe;

use crate::atomic::{AtomicPath, write_plain};
use crate::crs::gdal_from_crs;
use crate::error::IoError;
use crate::recipe::{RECIPE_ITEM, recipe_text};

/// Where a picture lies on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturePlace {
    pub transform: GeoTransform,
    pub crs: Option<Crs>,
}

impl PicturePlace {
    /// The place of a picture painted from `view`.
    pub fn of_view(view: &MapView, crs: Option<&Crs>) -> Self {
        let origin = view.geo_from_screen(ScreenPos { x: 0.0, y: 0.0 });
        let size = view.units_per_px;
        Self { transform: GeoTransform([origin.x, size, 0.0, origin.y, 0.0, -size]), crs: crs.cloned() }
    }
}

/// Writes a PNG atomically; returns the files written, the picture first.
///
/// With a `place`, `<stem>.pgw` holds the affine transform and `<picture>.aux.xml` the CRS,
/// as GDAL and QGIS read them.
///
/// # Errors
/// The name does not end in `.png`, the file exists without `overwrite`, or the disk is full.
pub fn write_picture(
    path: impl AsRef<Path>,
    picture: &Picture,
    place: Option<&PicturePlace>,
    recipe: Option<&Recipe>,
    overwrite: bool,
) -> Result<Vec<PathBuf>, IoError> {
    let path = path.as_ref();
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Err(IoError::unsupported(path, "cannot write this picture format: choose .png"));
    }
    let output = AtomicPath::create(path, overwrite)?;
    let fail = |reason: String| IoError::write(path, "picture", reason);
    let mut png = Vec::new();
    // Maps have large flat areas: adaptive filters help, and the best compression takes 3 x as long for 2 %.
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(&picture.rgba, picture.width, picture.height, ExtendedColorType::Rgba8)
        .map_err(|error| fail(error.to_string()))?;
    if let Some(recipe) = recipe {
        insert_text(&mut png, RECIPE_ITEM, &ascii(&recipe_text(recipe)));
    }
    let write = |path: PathBuf, bytes: &[u8]| write_plain(&path, bytes).map_err(|error| fail(error.to_string()));
    write(output.partial(), &png)?;
    if let Some(place) = place {
        write(output.sidecar("pgw"), world_file(&place.transform).as_bytes())?;
        if let Some(crs) = &place.crs {
            write(output.appended("aux.xml"), aux_xml(crs).map_err(fail)?.as_bytes())?;
        }
    }
    output.commit()
}

/// The six lines of a world file; its origin is the centre of the first pixel.
fn world_file(transform: &GeoTransform) -> String {
    let c = &transform.0;
    let lines = [c[1], c[4], c[2], c[5], c[0] + 0.5 * (c[1] + c[2]), c[3] + 0.5 * (c[4] + c[5])];
    lines.iter().fold(String::new(), |mut text, value| {
        let _ = writeln!(text, "{value}");
        text
    })
}

fn aux_xml(crs: &Crs) -> Result<String, String> {
    // WKT 1 is what every reader of .aux.xml knows; systems that it cannot express stay as they are.
    let reference = gdal_from_crs(crs).map_err(|error| error.to_string())?;
    let wkt = reference.to_wkt().unwrap_or_else(|_| crs.wkt.clone());
    let wkt = wkt.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    Ok(format!("<PAMDataset>\n  <SRS>{wkt}</SRS>\n</PAMDataset>\n"))
}

/// Adds a tEXt chunk before the pixels.
fn insert_text(png: &mut Vec<u8>, keyword: &str, text: &str) {
    // Signature and IHDR, which always comes first and has 13 bytes.
    const AFTER_HEADER: usize = 8 + 4 + 4 + 13 + 4;
    let mut body = b"tEXt".to_vec();
    body.extend(keyword.as_bytes());
    body.push(0);
    body.extend(text.as_bytes());
    let mut chunk = ((body.len() - 4) as u32).to_be_bytes().to_vec();
    chunk.extend(&body);
    chunk.extend(crc32(&body).to_be_bytes());
    png.splice(AFTER_HEADER..AFTER_HEADER, chunk);
}

/// JSON with everything beyond ASCII escaped, because tEXt is Latin-1.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use nunatak_domain::geo::GeoPos;

    use super::*;
    use crate::recipe::read_recipe;

    #[test]
    fn a_picture_carries_recipe_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("view.png");
        let picture = Picture { width: 2, height: 1, rgba: vec![255, 0, 0, 255, 0, 0, 255, 128] };
        let view = MapView { center: GeoPos::new(10.0, 20.0), units_per_px: 5.0, width_px: 2, height_px: 1 };
        let recipe = Recipe::new(serde_json::json!({ "command": "render", "out": "Übersicht 🗺.png" }));

        let place = PicturePlace::of_view(&view, None);
        let written = write_picture(&path, &picture, Some(&place), Some(&recipe), false).unwrap();

        assert_eq!(written, [path.clone(), folder.path().join("view.pgw")]);
        assert_eq!(image::open(&path).unwrap().to_rgba8().into_raw(), picture.rgba);
        assert_eq!(read_recipe(&path).unwrap(), Some(recipe));
        let dataset = gdal::Dataset::open(&path).unwrap();
        assert_eq!(dataset.geo_transform().unwrap(), [5.0, 5.0, 0.0, 22.5, 0.0, -5.0]);
    }

    #[test]
    fn the_crs_beside_a_picture_is_read_with_x_to_the_east() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("view.png");
        let picture = Picture { width: 1, height: 1, rgba: vec![0; 4] };
        for code in ["EPSG:4326", "EPSG:3035", "EPSG:32632"] {
            let crs = crate::crs_from_user(code).unwrap();
            let place = PicturePlace { transform: GeoTransform([9.0, 0.5, 0.0, 60.0, 0.0, -0.5]), crs: Some(crs) };

            write_picture(&path, &picture, Some(&place), None, true).unwrap();

            let info = crate::describe(&path).unwrap();
            assert_eq!(info.crs.unwrap().code.as_deref(), Some(code));
            assert_eq!(info.georeference, nunatak_domain::geo::Georeference::Affine { transform: place.transform });
        }
    }

    #[test]
    fn the_checksum_is_that_of_png() {
        // The IEND chunk of every PNG.
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn other_formats_are_refused() {
        let picture = Picture { width: 1, height: 1, rgba: vec![0; 4] };
        let error = write_picture("view.bmp", &picture, None, None, false).unwrap_err().to_string();
        assert_eq!(error, "cannot write this picture format: choose .png: view.bmp");
    }
}
