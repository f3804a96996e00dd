//! Values of options that are more than a word or a number, and how they are read.
//! Bands count from 1 here, as in GDAL's tools, and from 0 everywhere else.

use std::path::Path;

use nunatak_domain::geo::GeoBounds;
use nunatak_domain::grid::PixelRect;

/// Bands as people write them (`4,3,2`), kept 0-based.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bands(pub(crate) Vec<usize>);

/// A list of class values, `1,2,7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes(pub(crate) Vec<u32>);

/// Shares in [0, 1], `0.7,0.9`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares(pub(crate) Vec<f64>);

/// Width and height in pixels, `1200x800`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width_px: u32,
    pub(crate) height_px: u32,
}

pub(crate) fn bands(text: &str) -> Result<Bands, String> {
    let parse = |word: &str| match word.trim().parse::<usize>() {
        Ok(0) => Err("bands count from 1".to_owned()),
        Ok(band) => Ok(band - 1),
        Err(_) => Err(format!("`{}` is no band number: write for example 4,3,2", word.trim())),
    };
    text.split(',').map(parse).collect::<Result<_, _>>().map(Bands)
}

pub(crate) fn classes(text: &str) -> Result<Classes, String> {
    let parse =
        |word: &str| word.trim().parse().map_err(|_| format!("`{}` is no class: write for example 1,2", word.trim()));
    text.split(',').map(parse).collect::<Result<_, _>>().map(Classes)
}

pub(crate) fn shares(text: &str) -> Result<Shares, String> {
    let parse = |word: &str| {
        let share = word.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| format!("`{}` is no share: write numbers from 0 to 1, for example 0.8", word.trim()))
    };
    text.split(',').map(parse).collect::<Result<_, _>>().map(Shares)
}

pub(crate) fn size(text: &str) -> Result<Size, String> {
    let wrong = || format!("`{text}` is no size: write width x height in pixels, for example 1200x800");
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or_else(wrong)?;
    let side = |word: &str| word.trim().parse::<u32>().ok().filter(|px| (1..=65_536).contains(px)).ok_or_else(wrong);
    Ok(Size { width_px: side(width)?, height_px: side(height)? })
}

pub(crate) fn bbox(text: &str) -> Result<GeoBounds, String> {
    let [min_x, min_y, max_x, max_y] = four(text)
        .ok_or_else(|| format!("`{text}` is no box: write min x, min y, max x, max y, for example 0,0,100,50"))?;
    if !(min_x < max_x && min_y < max_y) {
        return Err("the box is empty: its order is min x, min y, max x, max y".to_owned());
    }
    Ok(GeoBounds { min_x, min_y, max_x, max_y })
}

pub(crate) fn window(text: &str) -> Result<PixelRect, String> {
    let wrong =
        || format!("`{text}` is no window: write column, row, width, height in pixels, for example 0,0,256,256");
    let values: [usize; 4] = four(text).ok_or_else(wrong)?;
    let [col, row, width, height] = values;
    if width == 0 || height == 0 {
        return Err("the window is empty: its order is column, row, width, height".to_owned());
    }
    Ok(PixelRect { col, row, width, height })
}

pub(crate) fn pixel(text: &str) -> Result<[usize; 2], String> {
    let wrong = || format!("`{text}` is no pixel: write column, row counted from 0, for example 120,80");
    let (col, row) = text.split_once(',').ok_or_else(wrong)?;
    let number = |word: &str| word.trim().parse().map_err(|_| wrong());
    Ok([number(col)?, number(row)?])
}

/// A share in [0, 1].
pub(crate) fn share(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|value| (0.0..=1.0).contains(value))
        .ok_or_else(|| "choose a number from 0 to 1".to_owned())
}

/// A finite number ≥ 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| "choose a number from 0 up".to_owned())
}

fn four<T: std::str::FromStr + Copy>(text: &str) -> Option<[T; 4]> {
    let values = text.split(',').map(|word| word.trim().parse().ok()).collect::<Option<Vec<T>>>()?;
    values.try_into().ok()
}

/// What a file on the command line of the window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Raster,
    Model,
    References,
}

impl FileKind {
    /// By extension; files whose extension says nothing are models if they begin like
    /// PyTorch's zip or pickle files, else rasters, which GDAL tells apart.
    pub(crate) fn of(path: &Path) -> Self {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match extension.as_str() {
            "pth" | "pt" | "safetensors" => Self::Model,
            "csv" => Self::References,
            "" | "bin" | "ckpt" | "tar" if begins_like_a_model(path) => Self::Model,
            _ => Self::Raster,
        }
    }
}

fn begins_like_a_model(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start == *b"PK\x03\x04" || (start[0] == 0x80 && (2..=5).contains(&start[1])))
}

/// Whether a word can be a raster at all: something on disk, a URL, or one of GDAL's
/// names (`/vsicurl/…`, `NETCDF:file:variable`, `<VRTDataset>…`).
pub(crate) fn can_be_opened(name: &Path) -> bool {
    let text = name.to_string_lossy();
    name.exists() || text.starts_with("/vsi") || text.starts_with('<') || text.contains(':')
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "fixtures need no atomic writer")]
mod tests {
    use super::*;

    #[test]
    fn bands_count_from_one_outside_and_from_zero_inside() {
        assert_eq!(bands("4,3, 2"), Ok(Bands(vec![3, 2, 1])));
        assert_eq!(bands("0,1"), Err("bands count from 1".to_owned()));
        assert!(bands("red").is_err() && bands("").is_err() && bands("1,,2").is_err());
    }

    #[test]
    fn sizes_boxes_and_windows_are_checked() {
        assert_eq!(size("1200x800"), Ok(Size { width_px: 1200, height_px: 800 }));
        assert!(size("1200").is_err() && size("0x5").is_err() && size("70000x5").is_err());
        assert_eq!(bbox("-10.5,2,3,4"), Ok(GeoBounds { min_x: -10.5, min_y: 2.0, max_x: 3.0, max_y: 4.0 }));
        assert!(bbox("3,2,1,4").is_err() && bbox("1,2,3").is_err() && bbox("nan,0,1,1").is_err());
        assert_eq!(window("5,6,7,8"), Ok(PixelRect::new(5, 6, 7, 8)));
        assert!(window("5,6,0,8").is_err() && window("-5,6,1,8").is_err());
    }

    #[test]
    fn a_file_is_known_by_extension_then_by_its_first_bytes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let zipped = folder.path().join("epoch8");
        std::fs::write(&zipped, b"PK\x03\x04rest").expect("written");
        let raw = folder.path().join("raw.bin");
        std::fs::write(&raw, [0, 0, 0, 0, 0]).expect("written");

        assert_eq!(FileKind::of(Path::new("a/b.PTH")), FileKind::Model);
        assert_eq!(FileKind::of(Path::new("refs.csv")), FileKind::References);
        assert_eq!(FileKind::of(Path::new("scene.tif")), FileKind::Raster);
        assert_eq!(FileKind::of(&zipped), FileKind::Model);
        assert_eq!(FileKind::of(&raw), FileKind::Raster);
    }

    #[test]
    fn a_misspelt_verb_is_not_taken_for_a_raster() {
        assert!(!can_be_opened(Path::new("predictt")));
        assert!(can_be_opened(Path::new("/vsicurl/https://example.org/a.tif")));
        assert!(can_be_opened(Path::new("NETCDF:\"a.nc\":sst")));
    }
}
