//! What GDAL tells of each band: `BandInfo`, and how its pixels must be read.

use gdal::raster::{ColorInterpretation, RasterBand};
use gdal::{Dataset, Metadata};
use gdal_sys::GDALDataType;
use nunatak_domain::scene::{BandInfo, BandStatistics, ColorRole, DataType, MaskKind, StatisticsSource};

use crate::pixels::Nodata;
use crate::raw;
use crate::wavelength::Wavelengths;

/// Rows of palettes, category lists and attribute tables that are looked at.
const MAX_CATEGORIES: usize = 65_536;

/// How the stored values of a band become numbers with NaN for "no data".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BandAccess {
    pub(crate) data_type: DataType,
    /// Before GDAL 3.7, int8 came as bytes with a tag.
    pub(crate) signed_byte: bool,
    pub(crate) nodata: Nodata,
    pub(crate) mask: MaskKind,
}

pub(crate) fn band_access(band: &RasterBand<'_>) -> BandAccess {
    let signed_byte = raw::data_type(band) == GDALDataType::GDT_Byte
        && band.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").is_some_and(|kind| kind == "SIGNEDBYTE");
    let data_type = if signed_byte { DataType::Int8 } else { data_type(raw::data_type(band)) };
    BandAccess { data_type, signed_byte, nodata: nodata(band, data_type), mask: mask_kind(band) }
}

pub(crate) fn band_info(
    dataset: &Dataset,
    band_index: usize,
    wavelengths: &Wavelengths,
) -> Option<(BandInfo, BandAccess)> {
    let band = dataset.rasterband(band_index + 1).ok()?;
    let access = band_access(&band);
    let wavelength_nm = wavelengths.center_nm.get(band_index).copied().flatten();
    let name = band
        .description()
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| wavelength_nm.map(|nm| format!("{} nm", (nm * 100.0).round() / 100.0)))
        .unwrap_or_else(|| format!("Band {}", band_index + 1));
    let info = BandInfo {
        name,
        data_type: access.data_type,
        nodata: stated_nodata(&band, access),
        scale: band.scale().filter(|scale| scale.is_finite() && *scale != 0.0).unwrap_or(1.0),
        offset: band.offset().filter(|offset| offset.is_finite()).unwrap_or(0.0),
        unit: band.unit(),
        wavelength_nm,
        fwhm_nm: wavelengths.fwhm_nm.get(band_index).copied().flatten(),
        color: color_role(&band),
        mask: access.mask,
        statistics: stored_statistics(&band),
        palette: palette(&band),
        categories: categories(&band),
    };
    Some((info, access))
}

fn data_type(gdal: GDALDataType::Type) -> DataType {
    match gdal {
        GDALDataType::GDT_Byte => DataType::UInt8,
        GDALDataType::GDT_UInt16 => DataType::UInt16,
        GDALDataType::GDT_Int16 => DataType::Int16,
        GDALDataType::GDT_UInt32 => DataType::UInt32,
        GDALDataType::GDT_Int32 => DataType::Int32,
        GDALDataType::GDT_Float32 => DataType::Float32,
        GDALDataType::GDT_Float64 => DataType::Float64,
        GDALDataType::GDT_CInt16
        | GDALDataType::GDT_CInt32
        | GDALDataType::GDT_CFloat32
        | GDALDataType::GDT_CFloat64 => DataType::Complex,
        // Newer than the bindings of some GDAL versions that we build with.
        12 => DataType::UInt64,
        13 => DataType::Int64,
        14 => DataType::Int8,
        15 => DataType::Float32,
        16 => DataType::Complex,
        _ => DataType::Unknown,
    }
}

fn nodata(band: &RasterBand<'_>, data_type: DataType) -> Nodata {
    match data_type {
        #[cfg(gdal_int64)]
        DataType::Int64 => band.no_data_value_i64().map_or(Nodata::None, Nodata::I64),
        #[cfg(gdal_int64)]
        DataType::UInt64 => band.no_data_value_u64().map_or(Nodata::None, Nodata::U64),
        _ => Nodata::new(data_type, band.no_data_value()),
    }
}

/// As the file says it: NaN too, and float32 values in the digits of their tag.
fn stated_nodata(band: &RasterBand<'_>, access: BandAccess) -> Option<f64> {
    match access.nodata {
        Nodata::I64(_) | Nodata::U64(_) => access.nodata.as_f64(),
        _ if matches!(access.data_type, DataType::Int64 | DataType::UInt64) => None,
        _ => band.no_data_value(),
    }
}

fn mask_kind(band: &RasterBand<'_>) -> MaskKind {
    match band.mask_flags() {
        Ok(flags) if flags.is_all_valid() => MaskKind::AllValid,
        Ok(flags) if flags.is_alpha() => MaskKind::Alpha,
        Ok(flags) if flags.is_per_dataset() => MaskKind::Dataset,
        Ok(flags) if flags.is_nodata() => MaskKind::Nodata,
        Ok(_) => MaskKind::Band,
        Err(_) => MaskKind::AllValid,
    }
}

fn color_role(band: &RasterBand<'_>) -> ColorRole {
    match band.color_interpretation() {
        ColorInterpretation::Undefined => ColorRole::Undefined,
        ColorInterpretation::GrayIndex => ColorRole::Gray,
        ColorInterpretation::PaletteIndex => ColorRole::Palette,
        ColorInterpretation::RedBand => ColorRole::Red,
        ColorInterpretation::GreenBand => ColorRole::Green,
        ColorInterpretation::BlueBand => ColorRole::Blue,
        ColorInterpretation::AlphaBand => ColorRole::Alpha,
        _ => ColorRole::Other,
    }
}

/// The `STATISTICS_*` tags, from the file or its `.aux.xml`; all four must be there.
fn stored_statistics(band: &RasterBand<'_>) -> Option<BandStatistics> {
    let number = |key: &str| {
        let value: f64 = band.metadata_item(key, "")?.trim().parse().ok()?;
        value.is_finite().then_some(value)
    };
    let (min, max) = (number("STATISTICS_MINIMUM")?, number("STATISTICS_MAXIMUM")?);
    let (mean, std_dev) = (number("STATISTICS_MEAN")?, number("STATISTICS_STDDEV")?);
    let valid = number("STATISTICS_VALID_PERCENT").map(|percent| (percent / 100.0).clamp(0.0, 1.0));
    (min <= max).then_some(BandStatistics {
        min,
        max,
        mean,
        std_dev,
        valid,
        percentiles: Vec::new(),
        source: StatisticsSource::Stored,
    })
}

fn palette(band: &RasterBand<'_>) -> Option<Vec<[u8; 4]>> {
    let table = band.color_table()?;
    let byte = |value: i16| value.clamp(0, 255) as u8;
    let entries = (0..table.entry_count().min(MAX_CATEGORIES)).map(|i| {
        table.entry_as_rgb(i).map_or([0; 4], |color| [byte(color.r), byte(color.g), byte(color.b), byte(color.a)])
    });
    let entries: Vec<_> = entries.collect();
    (!entries.is_empty()).then_some(entries)
}

/// Category names, else the names of the attribute table, value i at index i.
fn categories(band: &RasterBand<'_>) -> Vec<String> {
    let mut names = raw::category_names(band);
    if names.iter().all(|name| name.trim().is_empty()) {
        names = names_of_table(&raw::attribute_table(band, MAX_CATEGORIES));
    }
    names.truncate(MAX_CATEGORIES);
    names
}

/// The column of values and the column of names of an attribute table, by usage or by name.
fn names_of_table(columns: &[raw::AttributeColumn]) -> Vec<String> {
    use gdal_sys::GDALRATFieldUsage::{GFU_Max, GFU_Min, GFU_MinMax, GFU_Name};
    let by_usage =
        |usages: &[u32]| usages.iter().find_map(|usage| columns.iter().find(|column| column.usage == *usage));
    let by_name = |names: &[&str]| {
        names.iter().find_map(|name| columns.iter().find(|column| column.name.trim().eq_ignore_ascii_case(name)))
    };
    let values = by_usage(&[GFU_MinMax, GFU_Min, GFU_Max]).or_else(|| by_name(&["value", "id", "class_id", "code"]));
    let names = by_usage(&[GFU_Name])
        .or_else(|| by_name(&["class_name", "classname", "class", "name", "label", "category", "description"]));
    let Some(names) = names else { return Vec::new() };
    let mut result: Vec<String> = Vec::new();
    for (row, name) in names.cells.iter().enumerate() {
        // A table without values counts its rows.
        let value = values.map_or(Some(row as f64), |column| column.cells.get(row)?.trim().parse().ok());
        let Some(value) = value.filter(|value| (0.0..MAX_CATEGORIES as f64).contains(value) && value.fract() == 0.0)
        else {
            continue;
        };
        if result.len() <= value as usize {
            result.resize(value as usize + 1, String::new());
        }
        result[value as usize].clone_from(name);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, usage: u32, cells: &[&str]) -> raw::AttributeColumn {
        raw::AttributeColumn {
            name: name.to_owned(),
            usage,
            cells: cells.iter().map(|&cell| cell.to_owned()).collect(),
        }
    }

    #[test]
    fn names_of_an_attribute_table_land_at_their_values() {
        let table = [column("VALUE", 5, &["3", "1", "-1", "2.5"]), column("Class", 2, &["ice", "rock", "x", "y"])];
        assert_eq!(names_of_table(&table), ["", "rock", "", "ice"]);
    }

    #[test]
    fn columns_without_a_usage_are_found_by_name() {
        let table = [column("Value", 0, &["0", "1"]), column("CLASS_NAME", 0, &["water", "land"])];
        assert_eq!(names_of_table(&table), ["water", "land"]);
    }
}
