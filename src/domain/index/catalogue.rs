//! The spectral indices that have a name.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::formula::{Formula, FormulaError};
use super::program::Expression;
use super::roles::BandRoles;
use crate::colormap::ColormapName;
use crate::scene::SceneInfo;

/// One index of `assets/indices.json`. Formulas expect reflectance in [0, 1]; ratios and
/// normalised differences give the same for any scale without offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpectralIndex {
    /// Short and lower case, as on the command line.
    pub id: String,
    pub name: String,
    /// Over band roles.
    pub formula: String,
    pub citation: String,
    /// Values that are usual, for a first stretch; not limits.
    pub range: [f64; 2],
    pub colormap: ColormapName,
}

impl SpectralIndex {
    /// The index over the bands of a scene.
    ///
    /// # Errors
    /// A band that is needed is not known in the scene.
    pub fn bind(&self, info: &SceneInfo, roles: &BandRoles) -> Result<Expression, FormulaError> {
        Formula::parse(&self.formula)?.bind(info, roles)
    }
}

/// All indices, in the order of the file: vegetation, water, snow, built-up, fire, minerals.
pub fn catalogue() -> &'static [SpectralIndex] {
    static CATALOGUE: OnceLock<Vec<SpectralIndex>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        serde_json::from_str(include_str!("../../../assets/indices.json")).expect("checked by a test of this file")
    })
}

/// What `text` means for a scene: the id of an index, or else a formula.
///
/// # Errors
/// What is wrong with the formula, or which band is missing.
pub fn expression_for(text: &str, info: &SceneInfo) -> Result<Expression, FormulaError> {
    let roles = BandRoles::guess(info);
    match catalogue().iter().find(|index| index.id.eq_ignore_ascii_case(text.trim())) {
        Some(index) => index.bind(info, &roles),
        None => Formula::parse(text)?.bind(info, &roles),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::roles::tests::scene;

    fn sentinel_2() -> SceneInfo {
        let names = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"];
        scene(&names.map(|name| (name, 0.0)))
    }

    #[test]
    fn every_index_of_the_catalogue_works_on_sentinel_2() {
        let info = sentinel_2();
        let roles = BandRoles::guess(&info);
        let ids: std::collections::BTreeSet<&str> = catalogue().iter().map(|index| index.id.as_str()).collect();
        assert!(ids.len() == catalogue().len() && ids.len() >= 25, "{} ids of {}", ids.len(), catalogue().len());
        for index in catalogue() {
            let expression = index.bind(&info, &roles).expect("all bands are there");
            // Grass in summer, reflectance.
            let grass = [0.1, 0.04, 0.08, 0.05, 0.12, 0.3, 0.38, 0.4, 0.42, 0.4, 0.01, 0.22, 0.12_f32];
            let pixels: Vec<[f32; 1]> = expression.bands().iter().map(|&band| [grass[band]]).collect();
            let bands: Vec<&[f32]> = pixels.iter().map(<[f32; 1]>::as_slice).collect();
            let mut values = [f32::NAN];
            expression.evaluate(&bands, &mut values);

            let range = index.range;
            assert!(range[0] < range[1], "{}", index.id);
            let value = f64::from(values[0]);
            assert!((range[0]..=range[1]).contains(&value), "{}: {value} outside of {range:?}", index.id);
        }
    }

    #[test]
    fn an_id_is_an_index_and_all_else_a_formula() {
        let info = sentinel_2();
        assert_eq!(expression_for(" NDVI ", &info).expect("an index").bands(), [3, 7]);
        assert_eq!(expression_for("(b8-b4)/(b8+b4)", &info).expect("a formula").bands(), [3, 7]);
        assert!(expression_for("nvdi", &info).expect_err("neither").to_string().contains("there is no band `nvdi`"));
        let gray = scene(&[("Band 1", 0.0)]);
        assert!(expression_for("ndvi", &gray).expect_err("no bands").to_string().contains("near infrared"));
    }
}
