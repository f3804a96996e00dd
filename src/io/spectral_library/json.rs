//! Spectra in JSON: ArcGIS endmember definitions, and features whose attributes are profiles
//! (QGIS, EnMAP-Box).

use std::collections::BTreeMap;
use std::path::Path;

use nunatak_domain::spectra::{LibrarySpectrum, SpectralLibrary};
use serde_json::Value;

use super::{class_of, in_nanometres, reflectance_factor, stem, unit_factor};

pub(super) fn read(path: &Path, text: &str) -> Result<SpectralLibrary, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| format!("it is no valid JSON ({error})"))?;
    if let Some(endmembers) = json["Endmembers"].as_array() {
        return arcgis(endmembers);
    }
    match json["features"].as_array() {
        Some(features) => profiles(path, features),
        None => Err("it holds neither endmembers nor features with profiles".to_owned()),
    }
}

/// `EsriEndmemberDefinitionFile`, as the documentation of ArcGIS' Linear Spectral Unmixing shows it.
fn arcgis(endmembers: &[Value]) -> Result<SpectralLibrary, String> {
    let mut spectra = Vec::new();
    for (index, endmember) in endmembers.iter().enumerate() {
        let values = numbers(&endmember["SpectralProfile"])
            .ok_or_else(|| format!("endmember {} has no `SpectralProfile` of numbers", index + 1))?;
        let name =
            endmember["EndmemberName"].as_str().map_or_else(|| format!("endmember {}", index + 1), str::to_owned);
        let mut attributes = BTreeMap::new();
        if let Some(id) = endmember["EndmemberID"].as_i64() {
            attributes.insert("EndmemberID".to_owned(), id.to_string());
        }
        spectra.push(LibrarySpectrum { name, values, attributes, ..LibrarySpectrum::default() });
    }
    Ok(SpectralLibrary { spectra, remarks: vec!["the format states no wavelengths".to_owned()] })
}

fn profiles(path: &Path, features: &[Value]) -> Result<SpectralLibrary, String> {
    let mut library = SpectralLibrary::default();
    let mut unknown_units = Vec::new();
    let mut bad = 0;
    for (index, feature) in features.iter().enumerate() {
        let Some(properties) = feature["properties"].as_object() else { continue };
        let found: Vec<(&String, Value)> =
            properties.iter().filter_map(|(key, value)| Some((key, profile(value)?))).collect();
        let attributes: BTreeMap<String, String> = properties
            .iter()
            .filter(|(key, value)| !value.is_null() && !found.iter().any(|(profile, _)| profile == key))
            .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        for (key, profile) in &found {
            let Some(values) = numbers(&profile["y"]) else { continue };
            let x = numbers(&profile["x"]).filter(|x| x.len() == values.len());
            let unit = profile["xUnit"].as_str().unwrap_or_default();
            let factor = unit_factor(unit);
            if x.is_some() && factor.is_none() && !unknown_units.contains(&unit.to_owned()) {
                unknown_units.push(unit.to_owned());
            }
            bad += numbers(&profile["bbl"]).map_or(0, |flags| flags.iter().filter(|flag| **flag == 0.0).count());
            let base = attributes.get("name").cloned().unwrap_or_else(|| format!("{} {}", stem(path), index + 1));
            let y_unit = profile["yUnit"].as_str().unwrap_or_default();
            library.spectra.push(LibrarySpectrum {
                name: if found.len() > 1 { format!("{base} ({key})") } else { base },
                wavelength_nm: x.map(|x| in_nanometres(&x, factor)),
                values,
                unit: y_unit.to_owned(),
                factor: reflectance_factor(y_unit),
                class: class_of(&attributes),
                attributes: attributes.clone(),
                ..LibrarySpectrum::default()
            });
        }
    }
    for unit in unknown_units {
        let said = if unit.is_empty() { "is not stated".to_owned() } else { format!("`{unit}` is not known") };
        library.remarks.push(format!("the unit of wavelengths {said}: micrometres below 100, else nanometres"));
    }
    if bad > 0 {
        library.remarks.push(format!("{bad} values are marked as bad and kept"));
    }
    if library.spectra.is_empty() {
        return Err("none of its features has an attribute that is a spectral profile".to_owned());
    }
    Ok(library)
}

/// An object with `y`, or the text of one.
fn profile(value: &Value) -> Option<Value> {
    let object = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    object["y"].is_array().then_some(object)
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(|value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() }).collect()
}
