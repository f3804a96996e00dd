//! Does this model fit this scene? Asked before anything runs.

use nunatak_domain::model::ModelRecord;
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::{BandInfo, BandStatistics, SceneInfo, same_wavelength};
use nunatak_domain::spectra::scale_ratio;

use crate::model::LoadedModel;
use crate::state::StateDict;

/// Standard deviations beyond which the first layer sees values on another scale.
const FAR: f64 = 10.0;

/// Errors (nothing can run) and warnings (the result may be meaningless), most important first.
///
/// `statistics` are of the scene's bands in the model's order, stored values without scale and
/// offset; where there are none, values are not judged.
pub fn check(
    model: &LoadedModel,
    info: &SceneInfo,
    bands: Option<&[usize]>,
    statistics: Option<&[BandStatistics]>,
) -> Vec<Notice> {
    let record = &model.record;
    let bands = match bands_for(record, info, bands) {
        Ok(bands) => bands,
        Err(text) => {
            return vec![
                Notice::error(capitalised(&text))
                    .next_step("Choose one scene band for each band of the model (--bands)."),
            ];
        }
    };
    let chosen: Vec<&BandInfo> = bands.iter().map(|band| &info.bands[*band]).collect();
    let mut notices = Vec::new();
    notices.extend(statistics.and_then(|statistics| scale_notice(model, statistics)));
    notices.extend(order_notice(record, info, &bands).or_else(|| wavelength_notice(record, &chosen)));
    if bands.len() < info.n_bands() && bands.iter().copied().eq(0..bands.len()) {
        notices.push(Notice::info(format!(
            "The model takes {} bands and the scene has {}: the first {} are used.",
            bands.len(),
            info.n_bands(),
            bands.len()
        )));
    }
    notices
}

/// The scene bands that the model reads, in its order.
///
/// # Errors
/// Too few bands, or bands that the scene does not have: one sentence.
pub fn bands_for(record: &ModelRecord, info: &SceneInfo, bands: Option<&[usize]>) -> Result<Vec<usize>, String> {
    let (n_model, n_scene) = (record.network.n_bands(), info.n_bands());
    let Some(bands) = bands else {
        if n_scene < n_model {
            return Err(format!(
                "the model needs {n_model} bands and the scene has {n_scene}: {}; a band can serve twice if you choose bands",
                info.path.display()
            ));
        }
        return Ok((0..n_model).collect());
    };
    if bands.len() != n_model {
        return Err(format!("the model needs {n_model} bands and {} were chosen", bands.len()));
    }
    if let Some(band) = bands.iter().find(|band| **band >= n_scene) {
        return Err(format!("there is no band {}: the scene has {n_scene}: {}", band + 1, info.path.display()));
    }
    Ok(bands.to_vec())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Compares with the model's references where it has some, else with what its first
/// BatchNorm has seen.
fn scale_notice(model: &LoadedModel, statistics: &[BandStatistics]) -> Option<Notice> {
    let record = &model.record;
    if statistics.len() != record.network.n_bands() {
        return None;
    }
    let medians: Vec<f64> = statistics.iter().map(|band| band.percentile(50.0)).collect();
    let normalised: Vec<f64> =
        medians.iter().enumerate().map(|(band, value)| record.normalisation.value(band, *value)).collect();
    let next_step =
        "Choose a scene with the values the model was trained on, or a model with a matching normalisation.";
    if let Some(references) = &record.references {
        let seen = if references.scale == "stored" { &medians } else { &normalised };
        let spectra: Vec<&[f64]> = references.spectra.iter().map(Vec::as_slice).collect();
        let ratio = scale_ratio(seen, &spectra)?;
        let expected: Vec<f64> =
            (0..seen.len()).map(|band| median(references.spectra.iter().map(|s| s[band]))).collect();
        let text = format!(
            "The scene's values are about {} times those of the model's references: the result will be meaningless.",
            rounded(ratio)
        );
        return Some(Notice::warning(text).details(listed(&medians, &expected)).next_step(next_step));
    }
    let distance = first_layer_distance(&model.state, &normalised)?;
    (distance > FAR).then(|| {
        let text = format!(
            "The scene's values are not on the scale the model was trained on: its first layer is {} standard deviations away.",
            rounded(distance)
        );
        Notice::warning(text).next_step(next_step)
    })
}

/// How far the first convolution's output for the median pixel lies from the running mean of
/// the BatchNorm behind it, in its standard deviations; the median over channels.
fn first_layer_distance(state: &StateDict, medians: &[f64]) -> Option<f64> {
    let weight = state.get("stage1.0.weight")?;
    let (mean, variance) = (state.get("stage1.1.running_mean")?, state.get("stage1.1.running_var")?);
    let &[n_out, n_in, height, width] = weight.shape.as_slice() else { return None };
    let k = height * width;
    let distances = (0..n_out).map(|out| {
        let response: f64 = (0..n_in)
            .map(|band| {
                let taps = &weight.data[(out * n_in + band) * k..][..k];
                medians[band] * taps.iter().map(|tap| f64::from(*tap)).sum::<f64>()
            })
            .sum();
        (response - f64::from(mean.data[out])).abs() / (f64::from(variance.data[out]) + 1e-5).sqrt()
    });
    Some(median(distances))
}

/// The record's band names are all there, but elsewhere.
fn order_notice(record: &ModelRecord, info: &SceneInfo, bands: &[usize]) -> Option<Notice> {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let numbered = |name: &str| name.trim().to_ascii_lowercase().starts_with("band ");
    if record.bands.iter().any(|band| numbered(&band.name)) {
        return None;
    }
    let places: Option<Vec<usize>> =
        record.bands.iter().map(|band| info.bands.iter().position(|scene| same(&scene.name, &band.name))).collect();
    let places = places.filter(|places| places != bands)?;
    let list: Vec<String> = places.iter().map(|band| (band + 1).to_string()).collect();
    Some(
        Notice::warning("The scene has the model's bands in another order.")
            .next_step(format!("Choose the bands {}.", list.join(", "))),
    )
}

fn wavelength_notice(record: &ModelRecord, chosen: &[&BandInfo]) -> Option<Notice> {
    let far = |(model, scene): &(&nunatak_domain::model::ModelBand, &&BandInfo)| match (
        model.wavelength_nm,
        scene.wavelength_nm,
    ) {
        (Some(model), Some(scene)) => !same_wavelength(model, scene),
        _ => false,
    };
    let pairs: Vec<_> = record.bands.iter().zip(chosen).filter(far).collect();
    let (model, scene) = pairs.first()?;
    let nm = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0} nm"));
    let text = format!(
        "{} of {} bands have other wavelengths than the model's: it expects {} ({}) and gets {} ({}).",
        pairs.len(),
        chosen.len(),
        model.name,
        nm(model.wavelength_nm),
        scene.name,
        nm(scene.wavelength_nm)
    );
    Some(Notice::warning(text).next_step("Choose the bands by wavelength."))
}

/// The middle value; NaN of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn rounded(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value:.2e}") }
}

fn listed(medians: &[f64], expected: &[f64]) -> String {
    let lines: Vec<String> = medians
        .iter()
        .zip(expected)
        .enumerate()
        .map(|(band, (median, expected))| format!("band {}: median {median:.4}, references {expected:.4}", band + 1))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use nunatak_domain::model::{ModelReferences, SsmgnetConfig};
    use nunatak_domain::notice::Level;
    use nunatak_domain::scene::StatisticsSource;

    use super::*;
    use crate::testing::{named_model, scene_info};

    fn model() -> LoadedModel {
        named_model(SsmgnetConfig { width: 2, ..SsmgnetConfig::new(3, 2) })
    }

    fn statistics(median: f64) -> Vec<BandStatistics> {
        let band = || BandStatistics::of([median * 0.5, median, median * 1.5], 3, StatisticsSource::Exact);
        (0..3).map(|_| band().expect("values")).collect()
    }

    #[test]
    fn a_fitting_scene_needs_no_words() {
        assert_eq!(check(&model(), &scene_info(3, 9, 9), None, Some(&statistics(0.2))), []);
    }

    #[test]
    fn too_few_bands_are_an_error_that_names_both_counts() {
        let notices = check(&model(), &scene_info(2, 9, 9), None, None);

        assert_eq!(notices[0].level, Level::Error);
        assert!(notices[0].text.contains("needs 3 bands and the scene has 2"));
        assert!(check(&model(), &scene_info(2, 9, 9), Some(&[0, 1, 1]), None).is_empty());
        assert_eq!(check(&model(), &scene_info(2, 9, 9), Some(&[0, 1, 2]), None)[0].level, Level::Error);
    }

    #[test]
    fn values_on_another_scale_are_a_warning() {
        let notices = check(&model(), &scene_info(3, 9, 9), None, Some(&statistics(2000.0)));
        assert!(notices[0].text.contains("standard deviations away"), "{notices:?}");

        let mut model = model();
        model.record.references = Some(ModelReferences {
            scale: "normalised".to_owned(),
            names: vec!["ice".to_owned()],
            spectra: vec![vec![0.2, 0.3, 0.4]],
            class_ids: Vec::new(),
            colors: Vec::new(),
        });
        let notices = check(&model, &scene_info(3, 9, 9), None, Some(&statistics(3000.0)));
        assert!(notices[0].text.contains("about 10000 times"), "{notices:?}");
        assert!(notices[0].details.contains("band 2: median 3000.0000, references 0.3000"));
    }

    #[test]
    fn other_wavelengths_and_other_orders_are_warnings() {
        let (mut model, mut info) = (model(), scene_info(3, 9, 9));
        for (band, (name, nm)) in [("Blue", 490.0), ("Green", 560.0), ("Red", 665.0)].into_iter().enumerate() {
            model.record.bands[band].name = name.to_owned();
            model.record.bands[band].wavelength_nm = Some(nm);
            info.bands[2 - band].wavelength_nm = Some(nm);
        }
        let notices = check(&model, &info, None, None);
        assert!(notices[0].text.contains("2 of 3 bands have other wavelengths"), "{notices:?}");

        for (band, name) in ["red", "green", "blue"].into_iter().enumerate() {
            info.bands[band].name = name.to_owned();
        }
        let notices = check(&model, &info, None, None);
        assert_eq!(notices[0].next_step, "Choose the bands 3, 2, 1.");
        assert!(check(&model, &info, Some(&[2, 1, 0]), None).is_empty());
    }
}
