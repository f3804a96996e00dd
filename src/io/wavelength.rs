//! Wavelengths, in whichever of the usual places and units a file states them.
//!
//! Places, first hit wins: GDAL's `IMAGERY` domain of the band, tags of the band, lists in the
//! `ENVI` domain or among the tags of the file, a STAC item beside the file, the band's name.
//! GDAL rounds what it puts into `IMAGERY` to whole nanometres: where the file itself says the
//! same more exactly, that counts.

use std::collections::BTreeMap;
use std::path::Path;

use gdal::{Dataset, Metadata};

/// What is known of the bands' place in the spectrum; lists are as long as the scene has bands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wavelengths {
    pub(crate) center_nm: Vec<Option<f64>>,
    pub(crate) fwhm_nm: Vec<Option<f64>>,
    pub(crate) remarks: Vec<String>,
}

/// Tags with lower-case keys, spaces as underscores.
type Tags = BTreeMap<String, String>;

/// A length with or without a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quantity {
    value: f64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nanometres per unit.
    Length(u32),
    /// Not stated: guessed from the size of the numbers.
    Unstated,
    /// Wavenumbers, frequencies.
    NotALength,
}

/// The file's own number where GDAL's is that one rounded.
fn exacter(imagery: Option<Quantity>, own: Option<Quantity>) -> Option<Quantity> {
    let nanometres = |quantity: Quantity| match quantity.unit {
        Unit::Length(per_unit) => Some(quantity.value * f64::from(per_unit)),
        Unit::Unstated | Unit::NotALength => None,
    };
    match (imagery.and_then(nanometres), own.and_then(nanometres)) {
        (Some(rounded), Some(exact)) if (rounded - exact).abs() < 1.0 => own,
        _ => imagery.or(own),
    }
}

pub(crate) fn wavelengths(dataset: &Dataset, path: &Path) -> Wavelengths {
    let n_bands = dataset.raster_count();
    let mut file_tags = tags(dataset, "");
    file_tags.extend(tags(dataset, "ENVI"));
    let mut remarks = Vec::new();
    let from_lists = (
        list(&file_tags, &CENTER_KEYS, "wavelength", n_bands, &mut remarks),
        list(&file_tags, &WIDTH_KEYS, "fwhm", n_bands, &mut remarks),
    );
    let mut center = vec![None; n_bands];
    let mut width = vec![None; n_bands];
    let mut bad = Vec::new();
    for band_index in 0..n_bands {
        let Ok(band) = dataset.rasterband(band_index + 1) else { continue };
        let mut band_tags = tags(&band, "");
        band_tags.extend(tags(&band, "ENVI"));
        let imagery = tags(&band, "IMAGERY");
        let found = |keys, listed| exacter(of_band(&imagery, keys), of_band(&band_tags, keys).or(listed));
        center[band_index] = found(&CENTER_KEYS, from_lists.0[band_index]);
        width[band_index] = found(&WIDTH_KEYS, from_lists.1[band_index]);
        if center[band_index].is_none() {
            center[band_index] = band.description().ok().and_then(|name| in_name(&name));
        }
        if band_tags.get("bbl").is_some_and(|flag| flag.trim() == "0") {
            bad.push(band_index + 1);
        }
    }
    if center.iter().all(Option::is_none)
        && let Some(stac) = stac_item(path, n_bands)
    {
        (center, width) = stac;
    }
    bad.extend(bad_bands_of_list(&file_tags, n_bands));
    bad.sort_unstable();
    bad.dedup();
    if !bad.is_empty() {
        remarks.push(bad_bands_remark(&bad, n_bands));
    }
    if center.iter().flatten().any(|quantity| quantity.unit == Unit::NotALength) {
        remarks.push("the bands' positions are given as wavenumbers or frequencies and are left out".to_owned());
    }
    let guessed = guessed_factor(&center);
    Wavelengths {
        center_nm: center.iter().map(|quantity| nanometres(*quantity, guessed)).collect(),
        // A width alone is too small a number to guess from: it shares the centre's unit.
        fwhm_nm: width.iter().map(|quantity| nanometres(*quantity, guessed)).collect(),
        remarks,
    }
}

const CENTER_KEYS: [&str; 8] = [
    "central_wavelength_um",
    "wavelength",
    "wavelengths",
    "center_wavelength",
    "central_wavelength",
    "wavelength_nm",
    "central_wavelength_nm",
    "wavelength_um",
];
const WIDTH_KEYS: [&str; 6] = ["fwhm_um", "fwhm", "full_width_half_max", "fwhm_nm", "bandwidth_nm", "bandwidth"];
const UNIT_KEYS: [&str; 5] =
    ["wavelength_units", "wavelength_unit", "wavelengths_units", "bandwidth_unit", "units_wavelength"];

fn tags(object: &impl Metadata, domain: &str) -> Tags {
    object
        .metadata_domain(domain)
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (key.trim().to_lowercase().replace(' ', "_"), value.trim().to_owned()))
        .collect()
}

/// The unit that a key's ending states, else that of a unit tag beside it.
fn unit_for(key: &str, tags: &Tags) -> Unit {
    if key.ends_with("_um") {
        return Unit::Length(1000);
    }
    if key.ends_with("_nm") {
        return Unit::Length(1);
    }
    UNIT_KEYS.iter().find_map(|key| tags.get(*key)).map_or(Unit::Unstated, |text| parse_unit(text))
}

fn parse_unit(text: &str) -> Unit {
    match text.trim().to_lowercase().as_str() {
        "nm" | "nanometers" | "nanometer" | "nanometres" | "nanometre" => Unit::Length(1),
        // Both the micro sign and the Greek letter are in use.
        "um" | "µm" | "μm" | "micrometers" | "micrometer" | "micrometres" | "micrometre" | "microns" | "micron" => {
            Unit::Length(1000)
        }
        "mm" | "millimeters" | "millimetres" => Unit::Length(1_000_000),
        "cm-1" | "1/cm" | "wavenumber" | "ghz" | "mhz" | "index" => Unit::NotALength,
        _ => Unit::Unstated,
    }
}

fn of_band(tags: &Tags, keys: &[&str]) -> Option<Quantity> {
    keys.iter().find_map(|key| quantity(tags.get(*key)?, unit_for(key, tags)))
}

/// `665`, `665 nm`, `{665}`; only positive lengths count.
fn quantity(text: &str, unit: Unit) -> Option<Quantity> {
    let text = text.trim().trim_matches(['{', '}']).trim();
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))).unwrap_or(text.len());
    let value: f64 = text[..end].trim().parse().ok()?;
    let suffix = text[end..].trim();
    let unit = if suffix.is_empty() { unit } else { parse_unit(suffix) };
    (value.is_finite() && value > 0.0).then_some(Quantity { value, unit })
}

/// `{1, 2}` or `1,2`, one entry per band; anything else is remarked and left out.
fn list(tags: &Tags, keys: &[&str], what: &str, n_bands: usize, remarks: &mut Vec<String>) -> PerBand {
    let Some((key, text)) = keys.iter().find_map(|key| Some((*key, tags.get(*key)?))) else {
        return vec![None; n_bands];
    };
    let entries: Vec<&str> = entries(text).collect();
    if entries.len() != n_bands {
        remarks.push(format!("the {what} list has {} entries for {n_bands} bands and is left out", entries.len()));
        return vec![None; n_bands];
    }
    let unit = unit_for(key, tags);
    entries.iter().map(|entry| quantity(entry, unit)).collect()
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.trim().trim_matches(['{', '}']).split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn bad_bands_of_list(tags: &Tags, n_bands: usize) -> Vec<usize> {
    let flags: Vec<&str> = tags.get("bbl").map(|text| entries(text).collect()).unwrap_or_default();
    if flags.len() != n_bands {
        return Vec::new();
    }
    (1..=n_bands).filter(|band| flags[band - 1].parse::<f64>() == Ok(0.0)).collect()
}

fn bad_bands_remark(bad: &[usize], n_bands: usize) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = bad.iter().take(SHOWN).map(usize::to_string).collect();
    let rest = if bad.len() > SHOWN { ", …" } else { "" };
    format!("{} of {n_bands} bands are marked as bad: {}{rest}", bad.len(), shown.join(", "))
}

/// `Band 1 (418.24 Nanometers)`, `B4 665 nm`: a number right before a unit.
fn in_name(name: &str) -> Option<Quantity> {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';' | '_'))
        .filter(|w| !w.is_empty())
        .collect();
    words.iter().enumerate().find_map(|(i, word)| {
        let end = word.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(word.len());
        let suffix = if end < word.len() { &word[end..] } else { words.get(i + 1)? };
        let unit = parse_unit(suffix);
        let value: f64 = word[..end].parse().ok()?;
        (matches!(unit, Unit::Length(_)) && value > 0.0).then_some(Quantity { value, unit })
    })
}

/// One entry per band.
type PerBand = Vec<Option<Quantity>>;

/// Micrometres where every unstated number is small, else nanometres.
fn guessed_factor(quantities: &[Option<Quantity>]) -> f64 {
    /// Longest wavelength, in micrometres, of optical and thermal sensors; shorter than any in nanometres.
    const LARGEST_UM: f64 = 100.0;
    let mut unstated = quantities.iter().flatten().filter(|quantity| quantity.unit == Unit::Unstated).peekable();
    if unstated.peek().is_some() && unstated.all(|quantity| quantity.value < LARGEST_UM) { 1000.0 } else { 1.0 }
}

fn nanometres(quantity: Option<Quantity>, guessed: f64) -> Option<f64> {
    let quantity = quantity?;
    let factor = match quantity.unit {
        Unit::Length(nanometres) => f64::from(nanometres),
        Unit::Unstated => guessed,
        Unit::NotALength => return None,
    };
    // 0.4 µm must read 400 nm, not 400.00000000000006.
    Some((quantity.value * factor * 1e6).round() / 1e6)
}

/// Centres and widths from `scene.stac.json` (STAC's eo extension gives micrometres).
fn stac_item(path: &Path, n_bands: usize) -> Option<(PerBand, PerBand)> {
    const MAX_BYTES: u64 = 4 << 20;
    let item = path.with_extension("stac.json");
    if !std::fs::metadata(&item).is_ok_and(|meta| meta.is_file() && meta.len() < MAX_BYTES) {
        return None;
    }
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(item).ok()?).ok()?;
    let properties = &json["properties"];
    let assets = json["assets"].as_object().into_iter().flat_map(|assets| assets.values());
    let bands = std::iter::once(properties)
        .chain(assets)
        .flat_map(|holder| [holder["eo:bands"].as_array(), holder["bands"].as_array()])
        .flatten()
        .find(|bands| bands.len() == n_bands)?;
    let of = |key: &str| {
        let micrometres = |band: &serde_json::Value| {
            let value = band[key].as_f64().or(band[format!("eo:{key}")].as_f64())?;
            (value > 0.0).then_some(Quantity { value, unit: Unit::Length(1000) })
        };
        bands.iter().map(micrometres).collect()
    };
    Some((of("center_wavelength"), of("full_width_half_max")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_in_all_their_spellings() {
        for text in ["Micrometers", "µm", "μm", "um", "microns"] {
            assert_eq!(parse_unit(text), Unit::Length(1000), "{text}");
        }
        assert_eq!(parse_unit("Nanometers"), Unit::Length(1));
        assert_eq!(parse_unit("Unknown"), Unit::Unstated);
    }

    #[test]
    fn small_numbers_without_a_unit_are_micrometres() {
        let of = |value| Some(Quantity { value, unit: Unit::Unstated });
        assert_eq!(nanometres(of(0.4), guessed_factor(&[of(0.4), of(12.0)])), Some(400.0));
        assert_eq!(nanometres(of(400.0), guessed_factor(&[of(400.0), of(90.0)])), Some(400.0));
    }

    #[test]
    fn names_tell_a_wavelength_only_with_a_unit() {
        let nm = |name: &str| nanometres(in_name(name), 1.0);
        assert_eq!(nm("Band 1 (418.240000 Nanometers)"), Some(418.24));
        assert_eq!(nm("B4 665nm"), Some(665.0));
        assert_eq!(nm("SWIR 1.61 µm"), Some(1610.0));
        assert_eq!(nm("Band 4"), None);
    }

    #[test]
    fn a_list_of_the_wrong_length_is_remarked() {
        let tags = Tags::from([("wavelength".to_owned(), "{400, 500}".to_owned())]);
        let mut remarks = Vec::new();

        let quantities = list(&tags, &CENTER_KEYS, "wavelength", 3, &mut remarks);

        assert_eq!(quantities, [None, None, None]);
        assert_eq!(remarks, ["the wavelength list has 2 entries for 3 bands and is left out"]);
    }
}
