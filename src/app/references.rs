//! The session's references and the prior that follows every change of them at once.

use std::cell::RefCell;
use std::sync::Arc;

use nunatak_domain::class::{ClassId, Rgb};
use nunatak_domain::model::{ModelRecord, Normalisation};
use nunatak_domain::scene::{BandInfo, SceneInfo};
use nunatak_domain::spectra::{Prior, ReferenceSet, SpectralReference};
use serde::{Deserialize, Serialize};

use crate::command::{CommandError, ReferenceEdit};

/// References, the scale they are on, and their prior.
pub(crate) struct References {
    set: ReferenceSet,
    scale: ReferenceScale,
    /// For values that are on the references' scale already.
    prior: Result<Arc<Prior>, String>,
    /// The same for stored values. One `Arc` per entry for as long as the references do not
    /// change: the renderer knows priors by their address.
    on_stored: RefCell<Vec<(OnScene, Arc<Prior>)>>,
}

/// What tells the priors of scenes apart.
#[derive(Clone, Debug, PartialEq)]
struct OnScene {
    /// Of the bands that are compared.
    normalisation: Normalisation,
    /// The scene's band for each band of the references.
    bands: Vec<usize>,
    n_bands: usize,
}

/// What turns stored values into those that the references are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReferenceScale {
    /// Each scene's own scale and offset: references are physical values (reflectance).
    Physical,
    /// Always the same, whatever the scene: the model's normalisation, or nothing.
    Fixed(Normalisation),
}

impl ReferenceScale {
    /// For these bands of a scene, in their order.
    fn of(&self, info: &SceneInfo, bands: &[usize]) -> Normalisation {
        let own = match self {
            Self::Physical => match info.physical() {
                Normalisation::None => Normalisation::None,
                Normalisation::ScaleOffset { scale, offset } => {
                    let pick = |all: &[f32]| bands.iter().filter_map(|&band| all.get(band).copied()).collect();
                    Normalisation::ScaleOffset { scale: pick(&scale), offset: pick(&offset) }
                }
            },
            Self::Fixed(normalisation) => normalisation.clone(),
        };
        match own {
            Normalisation::ScaleOffset { scale, offset }
                if scale.len() == bands.len() && offset.len() == bands.len() =>
            {
                Normalisation::ScaleOffset { scale, offset }
            }
            Normalisation::None | Normalisation::ScaleOffset { .. } => Normalisation::None,
        }
    }
}

impl Default for References {
    fn default() -> Self {
        Self::new(ReferenceSet::default(), ReferenceScale::Physical)
    }
}

impl References {
    pub(crate) fn new(set: ReferenceSet, scale: ReferenceScale) -> Self {
        let prior = build(&set);
        Self { set, scale, prior, on_stored: RefCell::default() }
    }

    /// Those that came with a model.
    ///
    /// # Errors
    /// The model has none, or a list of another length than its spectra.
    pub(crate) fn of_model(record: &ModelRecord) -> Result<Self, CommandError> {
        let from = record.references.as_ref().ok_or_else(|| {
            CommandError("the model came without references: open a CSV file of references".to_owned())
        })?;
        let references = from
            .spectra
            .iter()
            .enumerate()
            .map(|(i, spectrum)| {
                let class = from.class_ids.get(i).map(|&id| ClassId(id));
                let class_name = class.and_then(|id| record.classes.get(id)).map(|class| class.name.clone());
                let name = from.names.get(i).cloned().or(class_name).unwrap_or_else(|| format!("Reference {}", i + 1));
                let color = from.colors.get(i).copied().unwrap_or_else(|| Rgb::distinct(i + 1));
                SpectralReference { class, ..SpectralReference::new(name, color, spectrum.clone()) }
            })
            .collect();
        let bands = record.bands.iter().map(|band| band.name.clone()).collect();
        let scale = if from.scale == "stored" { Normalisation::None } else { record.normalisation.clone() };
        Ok(Self::new(ReferenceSet { references, bands }, ReferenceScale::Fixed(scale)))
    }

    /// Others on the same scale.
    pub(crate) fn with_set(&self, set: ReferenceSet) -> Self {
        Self::new(set, self.scale.clone())
    }

    pub(crate) const fn scale(&self) -> &ReferenceScale {
        &self.scale
    }

    pub(crate) const fn set(&self) -> &ReferenceSet {
        &self.set
    }

    /// `None` where each scene has its own.
    pub(crate) const fn fixed_normalisation(&self) -> Option<&Normalisation> {
        match &self.scale {
            ReferenceScale::Physical => None,
            ReferenceScale::Fixed(normalisation) => Some(normalisation),
        }
    }

    /// A sentence if a scene's typical values are far from the references; `None` where
    /// nothing is known of the scene's values.
    pub(crate) fn scale_mismatch(&self, info: &SceneInfo) -> Option<String> {
        let typical = |band: &BandInfo| {
            band.statistics.as_ref().map_or(f64::NAN, |found| {
                if found.percentiles.len() == 101 { found.percentile(50.0) } else { found.mean }
            })
        };
        let stored: Vec<f64> = info.bands.iter().map(typical).collect();
        self.set.scale_mismatch(&self.scaled(info, &stored))
    }

    pub(crate) fn prior(&self) -> Result<&Arc<Prior>, String> {
        self.prior.as_ref().map_err(Clone::clone)
    }

    /// The prior that takes all of a scene's stored values; `None` without one or where the
    /// references' bands are not found in the scene.
    pub(crate) fn prior_on(&self, info: &SceneInfo) -> Option<Arc<Prior>> {
        let bands = self.set.bands_in(info)?;
        let prior = self.prior.as_ref().ok().filter(|prior| prior.n_bands() == bands.len())?;
        let on_scene = OnScene { normalisation: self.scale.of(info, &bands), bands, n_bands: info.n_bands() };
        let mut built = self.on_stored.borrow_mut();
        if let Some((_, prior)) = built.iter().find(|(known, _)| *known == on_scene) {
            return Some(Arc::clone(prior));
        }
        let mut on_stored = match normalised(prior, &on_scene.normalisation) {
            Some(prior) => Arc::new(prior),
            None => Arc::clone(prior),
        };
        if !on_scene.bands.iter().copied().eq(0..on_scene.n_bands) {
            on_stored = Arc::new(Prior::clone(&on_stored).on_bands(&on_scene.bands, on_scene.n_bands));
        }
        built.push((on_scene, Arc::clone(&on_stored)));
        Some(on_stored)
    }

    /// What brings stored values of these bands of a scene to the references' scale.
    pub(crate) fn normalisation_of(&self, info: &SceneInfo, bands: &[usize]) -> Normalisation {
        self.scale.of(info, bands)
    }

    /// Stored values of a scene's pixel, of the bands that the references have and on their scale.
    pub(crate) fn scaled(&self, info: &SceneInfo, stored: &[f64]) -> Vec<f64> {
        let found = self.set.bands_in(info).filter(|bands| bands.iter().all(|&band| band < stored.len()));
        let bands = found.unwrap_or_else(|| (0..stored.len()).collect());
        let normalisation = self.scale.of(info, &bands);
        bands.iter().enumerate().map(|(own, &band)| normalisation.value(own, stored[band])).collect()
    }

    /// # Errors
    /// No such reference, another number of bands, a weight or value that is no good; nothing changed.
    pub(crate) fn edit(&mut self, edit: ReferenceEdit) -> Result<(), CommandError> {
        let n = self.set.references.len();
        let check_index = |index: usize| {
            if index < n {
                Ok(())
            } else {
                Err(CommandError(format!("there is no reference {}: there are {n}", index + 1)))
            }
        };
        match edit {
            ReferenceEdit::Add { reference } => {
                check_reference(&reference, self.set.references.first())?;
                self.set.references.push(reference);
            }
            ReferenceEdit::Remove { index } => {
                check_index(index)?;
                self.set.references.remove(index);
            }
            ReferenceEdit::Replace { index, reference } => {
                check_index(index)?;
                let other = self.set.references.iter().enumerate().find(|(i, _)| *i != index);
                check_reference(&reference, other.map(|(_, other)| other))?;
                self.set.references[index] = reference;
            }
            ReferenceEdit::SetWeight { index, weight } => {
                check_index(index)?;
                check_weight(weight)?;
                self.set.references[index].weight = weight;
            }
            ReferenceEdit::SetEnabled { index, enabled } => {
                check_index(index)?;
                self.set.references[index].enabled = enabled;
            }
            ReferenceEdit::Clear => {
                self.set = ReferenceSet::default();
                self.scale = ReferenceScale::Physical;
            }
        }
        self.prior = build(&self.set);
        self.on_stored.borrow_mut().clear();
        Ok(())
    }
}

fn build(set: &ReferenceSet) -> Result<Arc<Prior>, String> {
    Prior::new(set).map(Arc::new).map_err(|error| error.to_string())
}

/// The prior for values before `normalisation`; `None` where that changes nothing.
pub(crate) fn normalised(prior: &Prior, normalisation: &Normalisation) -> Option<Prior> {
    let Normalisation::ScaleOffset { scale, offset } = normalisation else { return None };
    let double = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    (scale.len() == prior.n_bands()).then(|| prior.clone().with_normalisation(&double(scale), &double(offset)))
}

fn check_weight(weight: f64) -> Result<(), CommandError> {
    if weight > 0.0 && weight.is_finite() {
        return Ok(());
    }
    Err(CommandError("a weight is a number above 0".to_owned()))
}

fn check_reference(reference: &SpectralReference, other: Option<&SpectralReference>) -> Result<(), CommandError> {
    check_weight(reference.weight)?;
    let name = &reference.name;
    if reference.spectrum.is_empty() || reference.spectrum.iter().any(|value| !value.is_finite()) {
        return Err(CommandError(format!("{name} needs a number in every band")));
    }
    match other {
        Some(other) if other.spectrum.len() != reference.spectrum.len() => Err(CommandError(format!(
            "{name} has {} bands, the other references have {}",
            reference.spectrum.len(),
            other.spectrum.len()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(name: &str, spectrum: &[f64]) -> ReferenceEdit {
        ReferenceEdit::Add { reference: SpectralReference::new(name, Rgb([1, 2, 3]), spectrum.to_vec()) }
    }

    #[test]
    fn the_prior_follows_every_edit() {
        let mut references = References::default();
        references.edit(add("ice", &[0.9, 0.8])).expect("valid");
        let alone = references.prior().map(|_| ()).expect_err("one reference has no threshold");
        references.edit(add("rock", &[0.2, 0.3])).expect("valid");
        let before = references.prior().expect("two references").thresholds().to_vec();

        references.edit(ReferenceEdit::SetWeight { index: 0, weight: 2.0 }).expect("valid");

        assert!(alone.contains("second"), "{alone}");
        let after = references.prior().expect("two references").thresholds().to_vec();
        assert_eq!(after, [before[0] * 2.0, before[1]]);
    }

    #[test]
    fn an_edit_that_makes_no_sense_changes_nothing() {
        let mut references = References::default();
        references.edit(add("ice", &[0.9, 0.8])).expect("valid");

        for edit in [
            add("short", &[0.9]),
            add("nan", &[0.9, f64::NAN]),
            ReferenceEdit::Remove { index: 1 },
            ReferenceEdit::SetWeight { index: 0, weight: 0.0 },
        ] {
            assert!(references.edit(edit).is_err());
        }
        assert_eq!(references.set().references.len(), 1);
    }

    #[test]
    fn stored_values_are_compared_on_the_references_scale() {
        let mut set = ReferenceSet::default();
        for (name, spectrum) in [("ice", vec![0.9, 0.8]), ("rock", vec![0.2, 0.3])] {
            set.references.push(SpectralReference::new(name, Rgb([1, 2, 3]), spectrum));
        }
        let scale = Normalisation::ScaleOffset { scale: vec![0.001, 0.002], offset: vec![0.1, -0.1] };
        let stored = [750.0, 420.0];

        for (references, info) in [
            (References::new(set.clone(), ReferenceScale::Fixed(scale.clone())), scene(&[(1.0, 0.0), (1.0, 0.0)])),
            (References::new(set, ReferenceScale::Physical), scene(&[(0.001, 0.1), (0.002, -0.1)])),
        ] {
            let expected = references.prior().expect("a prior").pixel(&references.scaled(&info, &stored));
            let found = references.prior_on(&info).expect("a prior for this scene").pixel(&stored);

            assert_eq!(expected.best, found.best);
            for (a, b) in expected.distances.iter().zip(&found.distances) {
                assert!((a - b).abs() < 1e-6, "{a} {b}"); // Factors are float32.
            }
            assert!(Arc::ptr_eq(
                &references.prior_on(&info).expect("built"),
                &references.prior_on(&info).expect("built")
            ));
        }
    }

    /// A scene of two bands with these scales and offsets.
    fn scene(bands: &[(f64, f64)]) -> SceneInfo {
        let json = serde_json::json!({
            "path": "scene.tif", "driver": "GTiff", "width": 1, "height": 1, "crs": null,
            "georeference": { "kind": "none" }, "overviews": [], "block": [1, 1], "compression": null,
            "interleave": null, "subdatasets": [], "metadata": [], "remarks": [],
            "bands": bands.iter().map(|(scale, offset)| serde_json::json!({
                "name": "band", "data_type": "uint16", "nodata": null, "scale": scale, "offset": offset, "unit": "",
                "wavelength_nm": null, "fwhm_nm": null, "color": "undefined", "mask": "all_valid",
                "statistics": null, "palette": null, "categories": [],
            })).collect::<Vec<_>>(),
        });
        serde_json::from_value(json).expect("a scene")
    }
}
