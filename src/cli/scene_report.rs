//! What `info` says of a raster: text for people, JSON for programs.

use nunatak_domain::class::{Class, Rgb};
use nunatak_domain::geo::{GeoBounds, Georeference, PixelPos};
use nunatak_domain::scene::{BandInfo, BandStatistics, ColorRole, MaskKind, SceneInfo, StatisticsSource};
use nunatak_domain::style::scheme_of;
use serde_json::{Value, json};

use crate::table::{Table, coordinate, number};

/// Longer lists of classes are cut off in the text; JSON has them all.
const MOST_CLASSES: usize = 32;

/// All that is known, as a person reads it. `lon_lat` is west, south, east, north in degrees.
pub(crate) fn scene_text(info: &SceneInfo, lon_lat: Option<[f64; 4]>) -> String {
    let mut lines = vec![
        field("File", &info.path.display().to_string()),
        field("Driver", &info.driver),
        field("Size", &format!("{} × {} pixels, {}", info.width, info.height, plural(info.bands.len(), "band"))),
        field("CRS", &crs_text(info)),
    ];
    lines.extend(georeference_lines(info));
    if let Some([west, south, east, north]) = lon_lat {
        let (south_west, north_east) = (degrees(west, south), degrees(east, north));
        lines.push(field("Lon/lat", &format!("{south_west} to {north_east}")));
    }
    lines.push(field("Storage", &storage_text(info)));
    if !info.overviews.is_empty() {
        let sizes: Vec<_> = info.overviews.iter().map(|(w, h)| format!("{w} × {h}")).collect();
        lines.push(field("Overviews", &sizes.join(", ")));
    }
    section(&mut lines, "Bands", bands_table(&info.bands));
    if let Some(band) = info.bands.first().filter(|_| info.categorical()) {
        section(&mut lines, "Classes", classes_table(band));
    }
    let pairs = |pairs: &[(String, String)]| {
        let lines: Vec<_> =
            pairs.iter().map(|(name, value)| format!("  {name} = {}", shortened(value.trim()))).collect();
        lines.join("\n")
    };
    section(&mut lines, "Subdatasets", pairs(&info.subdatasets));
    section(&mut lines, "Metadata", pairs(&info.metadata));
    section(&mut lines, "Remarks", info.remarks.iter().map(|r| format!("  {r}")).collect::<Vec<_>>().join("\n"));
    lines.join("\n")
}

/// All fields of [`SceneInfo`], with bands numbered from 1 and numbers that JSON does not
/// know (`"nan"`, `"inf"`, `"-inf"`) as strings.
pub(crate) fn scene_json(info: &SceneInfo, lon_lat: Option<[f64; 4]>) -> Value {
    let mut value = serde_json::to_value(info).unwrap_or_default();
    if let Some(bands) = value["bands"].as_array_mut() {
        for (index, (json, band)) in bands.iter_mut().zip(&info.bands).enumerate() {
            json["band"] = (index + 1).into();
            json["data_type"] = band.data_type.name().into();
            json["nodata"] = band.nodata.map_or(Value::Null, json_number);
            json["scale"] = json_number(band.scale);
            json["offset"] = json_number(band.offset);
            if let Some(statistics) = &band.statistics {
                let all = [
                    ("min", statistics.min),
                    ("max", statistics.max),
                    ("mean", statistics.mean),
                    ("std_dev", statistics.std_dev),
                ];
                for (name, number) in all {
                    json["statistics"][name] = json_number(number);
                }
            }
        }
    }
    let GeoBounds { min_x, min_y, max_x, max_y } = info.bounds();
    value["extent"] = json!([min_x, min_y, max_x, max_y]);
    value["extent_lon_lat"] = lon_lat.map_or(Value::Null, |extent| json!(extent));
    value
}

fn json_number(value: f64) -> Value {
    if value.is_finite() {
        value.into()
    } else if value.is_nan() {
        "nan".into()
    } else if value > 0.0 {
        "inf".into()
    } else {
        "-inf".into()
    }
}

fn crs_text(info: &SceneInfo) -> String {
    let crs = match &info.georeference {
        Georeference::Gcps { crs, .. } => crs.as_ref().or(info.crs.as_ref()),
        Georeference::None | Georeference::Affine { .. } => info.crs.as_ref(),
    };
    match crs {
        None => "unknown".to_owned(),
        Some(crs) => match &crs.code {
            Some(code) => format!("{} ({code})", crs.name),
            None => crs.name.clone(),
        },
    }
}

fn georeference_lines(info: &SceneInfo) -> Vec<String> {
    let unit = match info.crs.as_ref() {
        Some(crs) if crs.geographic => " degrees",
        Some(crs) if crs.metres_per_unit == 1.0 => " m",
        Some(_) | None => " units",
    };
    match &info.georeference {
        Georeference::None => vec![field("Extent", "no georeference: the map shows pixels")],
        Georeference::Gcps { points, .. } => {
            vec![field(
                "GCPs",
                &format!("{}, no transform: the map shows pixels", plural(points.len(), "ground control point")),
            )]
        }
        Georeference::Affine { transform } => {
            let (width, height) = transform.pixel_size();
            let origin = transform.geo_from_pixel(PixelPos::new(0.0, 0.0));
            let direction = if !transform.axis_aligned() {
                ", rotated"
            } else if transform.0[5] > 0.0 {
                ", rows run north"
            } else {
                ""
            };
            let bounds = info.bounds();
            let mut lines = vec![
                field("Pixel", &format!("{} × {}{unit}{direction}", coordinate(width), coordinate(height))),
                field("Origin", &format!("{}, {}", coordinate(origin.x), coordinate(origin.y))),
                field(
                    "Extent",
                    &format!(
                        "{}, {} to {}, {}",
                        coordinate(bounds.min_x),
                        coordinate(bounds.min_y),
                        coordinate(bounds.max_x),
                        coordinate(bounds.max_y)
                    ),
                ),
            ];
            if !transform.axis_aligned() {
                lines.push(field("Transform", &transform.0.map(coordinate).join(", ")));
            }
            lines
        }
    }
}

/// `76.6512° W 34.6634° N`.
fn degrees(lon: f64, lat: f64) -> String {
    let side = |value: f64, plus: &'static str, minus: &'static str| if value < 0.0 { minus } else { plus };
    format!("{:.4}° {} {:.4}° {}", lon.abs(), side(lon, "E", "W"), lat.abs(), side(lat, "N", "S"))
}

fn storage_text(info: &SceneInfo) -> String {
    let block = format!("blocks of {} × {}", info.block.0, info.block.1);
    let compression = info.compression.clone().unwrap_or_else(|| "not compressed".to_owned());
    let interleave = info.interleave.as_ref().map(|by| format!("by {}", by.to_lowercase()));
    [Some(block), Some(compression), interleave].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn bands_table(bands: &[BandInfo]) -> String {
    if bands.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        "#",
        "Name",
        "Type",
        "Colour",
        "Nodata",
        "Mask",
        "Scale",
        "Offset",
        "Unit",
        "nm",
        "FWHM nm",
        "Min",
        "Max",
        "Mean",
        "Std dev",
        "Valid",
        "Statistics",
    ]);
    for (index, band) in bands.iter().enumerate() {
        let statistics = band.statistics.as_ref();
        let of = |value: fn(&BandStatistics) -> f64| statistics.map(|s| number(value(s))).unwrap_or_default();
        table.row([
            (index + 1).to_string(),
            band.name.clone(),
            band.data_type.name().to_owned(),
            color_text(band.color).to_owned(),
            band.nodata.map(number).unwrap_or_default(),
            mask_text(band.mask).to_owned(),
            if band.scale == 1.0 { String::new() } else { number(band.scale) },
            if band.offset == 0.0 { String::new() } else { number(band.offset) },
            band.unit.clone(),
            band.wavelength_nm.map(number).unwrap_or_default(),
            band.fwhm_nm.map(number).unwrap_or_default(),
            of(|s| s.min),
            of(|s| s.max),
            of(|s| s.mean),
            of(|s| s.std_dev),
            statistics.and_then(|s| s.valid).map(percent).unwrap_or_default(),
            statistics.map(|s| source_text(&s.source)).unwrap_or_default(),
        ]);
    }
    table.text(2)
}

fn classes_table(band: &BandInfo) -> String {
    let scheme = scheme_of(band);
    // A GeoTIFF's palette is always full: after the last class it is black.
    let unused = |class: &Class| {
        class.color == Rgb([0; 3]) && band.categories.get(class.id.0 as usize).is_none_or(String::is_empty)
    };
    let n_used = scheme.classes.iter().rposition(|class| !unused(class)).map_or(0, |last| last + 1);
    let mut table = Table::new(["Value", "Name", "Colour"]);
    for class in scheme.classes.iter().take(n_used.min(MOST_CLASSES)) {
        table.row([class.id.0.to_string(), class.name.clone(), class.color.hex()]);
    }
    let left = n_used.saturating_sub(MOST_CLASSES);
    let rest = if left > 0 { format!("\n  and {left} more, see --json") } else { String::new() };
    table.text(2) + &rest
}

fn color_text(color: ColorRole) -> &'static str {
    match color {
        ColorRole::Undefined | ColorRole::Other => "",
        ColorRole::Gray => "gray",
        ColorRole::Palette => "palette",
        ColorRole::Red => "red",
        ColorRole::Green => "green",
        ColorRole::Blue => "blue",
        ColorRole::Alpha => "alpha",
    }
}

fn mask_text(mask: MaskKind) -> &'static str {
    match mask {
        MaskKind::AllValid | MaskKind::Nodata => "",
        MaskKind::Dataset => "file",
        MaskKind::Band => "band",
        MaskKind::Alpha => "alpha",
    }
}

fn source_text(source: &StatisticsSource) -> String {
    match source {
        StatisticsSource::Stored => "stored".to_owned(),
        StatisticsSource::Exact => "exact".to_owned(),
        StatisticsSource::Sampled { pixels, of } => {
            format!("sample of {}", percent(*pixels as f64 / (*of).max(1) as f64))
        }
    }
}

/// `12.3 %` of a share in [0, 1].
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "< 0.1 %".to_owned();
    }
    format!("{percent:.1} %").replace(".0 %", " %")
}

pub(crate) fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

pub(crate) fn field(name: &str, value: &str) -> String {
    format!("{name:<11} {value}")
}

/// Long values (recipes, XML) on one line; JSON has all of them.
fn shortened(value: &str) -> String {
    const MOST: usize = 120;
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain(['…']).collect() }
}

/// A heading and its lines, where there are any.
pub(crate) fn section(lines: &mut Vec<String>, heading: &str, body: String) {
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(heading.to_owned());
        lines.push(body);
    }
}

#[cfg(test)]
mod tests {
    use nunatak_domain::geo::{Crs, GeoTransform};
    use nunatak_domain::scene::DataType;

    use super::*;

    fn band(name: &str, nodata: Option<f64>) -> BandInfo {
        BandInfo {
            name: name.to_owned(),
            data_type: DataType::Float32,
            nodata,
            scale: 0.0001,
            offset: 0.0,
            unit: String::new(),
            wavelength_nm: Some(664.9),
            fwhm_nm: None,
            color: ColorRole::Red,
            mask: MaskKind::Nodata,
            statistics: Some(BandStatistics {
                min: 1.0,
                max: 4000.0,
                mean: 812.25,
                std_dev: 99.5,
                valid: Some(0.987),
                percentiles: Vec::new(),
                source: StatisticsSource::Sampled { pixels: 1, of: 4 },
            }),
            palette: None,
            categories: Vec::new(),
        }
    }

    fn scene(transform: [f64; 6]) -> SceneInfo {
        let crs = Crs {
            wkt: String::new(),
            name: "WGS 84 / UTM zone 18N".to_owned(),
            code: Some("EPSG:32618".to_owned()),
            geographic: false,
            metres_per_unit: 1.0,
        };
        SceneInfo {
            path: "scene.tif".into(),
            driver: "GTiff".to_owned(),
            width: 400,
            height: 300,
            bands: vec![band("red", Some(f64::NAN)), band("red again", Some(f64::NEG_INFINITY))],
            crs: Some(crs),
            georeference: Georeference::Affine { transform: GeoTransform(transform) },
            overviews: vec![(200, 150)],
            block: (256, 256),
            compression: Some("DEFLATE".to_owned()),
            interleave: Some("PIXEL".to_owned()),
            subdatasets: Vec::new(),
            metadata: vec![("AREA_OR_POINT".to_owned(), "Area".to_owned())],
            remarks: vec!["lossy compression: values are not as measured".to_owned()],
        }
    }

    #[test]
    fn text_says_what_a_person_asks_for() {
        let info = scene([344_790.0, 10.0, 0.0, 3_840_010.0, 0.0, -10.0]);

        let text = scene_text(&info, Some([-76.69, 34.66, -76.64, 34.69]));

        let expected = "\
File        scene.tif
Driver      GTiff
Size        400 × 300 pixels, 2 bands
CRS         WGS 84 / UTM zone 18N (EPSG:32618)
Pixel       10 × 10 m
Origin      344790, 3840010
Extent      344790, 3837010 to 348790, 3840010
Lon/lat     76.6900° W 34.6600° N to 76.6400° W 34.6900° N
Storage     blocks of 256 × 256, DEFLATE, by pixel
Overviews   200 × 150

Bands
  #  Name       Type     Colour  Nodata   Scale     nm  Min   Max    Mean  Std dev   Valid  Statistics
  1  red        float32  red        nan  0.0001  664.9    1  4000  812.25     99.5  98.7 %  sample of 25 %
  2  red again  float32  red       -inf  0.0001  664.9    1  4000  812.25     99.5  98.7 %  sample of 25 %

Metadata
  AREA_OR_POINT = Area

Remarks
  lossy compression: values are not as measured";
        assert_eq!(text, expected);
    }

    #[test]
    fn json_numbers_bands_from_one_and_keeps_nan_readable() {
        let json = scene_json(&scene([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]), None);

        assert_eq!(json["bands"][1]["band"], 2);
        assert_eq!(json["bands"][1]["data_type"], "float32");
        assert_eq!(json["bands"][0]["nodata"], "nan");
        assert_eq!(json["bands"][1]["nodata"], "-inf");
        assert_eq!(json["crs"]["code"], "EPSG:32618");
        assert_eq!(json["extent"], json!([0.0, -300.0, 400.0, 0.0]));
    }

    #[test]
    fn rotated_and_unreferenced_rasters_say_so() {
        let rotated = scene_text(&scene([0.0, 1.0, 0.5, 0.0, 0.5, -1.0]), None);
        let mut plain = scene([0.0; 6]);
        plain.georeference = Georeference::None;
        plain.crs = None;
        let plain = scene_text(&plain, None);

        assert!(rotated.contains("rotated") && rotated.contains("Transform   0, 1, 0.5, 0, 0.5, -1"), "{rotated}");
        assert!(plain.contains("CRS         unknown") && plain.contains("the map shows pixels"), "{plain}");
    }
}
