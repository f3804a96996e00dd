//! What part of the spectrum a band measures, guessed from wavelengths, names and colours.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::scene::{ColorRole, SceneInfo};

/// Part of the spectrum, as index formulas name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandRole {
    Coastal,
    Blue,
    Green,
    Yellow,
    Red,
    #[serde(rename = "red_edge_1")]
    RedEdge1,
    #[serde(rename = "red_edge_2")]
    RedEdge2,
    #[serde(rename = "red_edge_3")]
    RedEdge3,
    Nir,
    NirNarrow,
    WaterVapour,
    Cirrus,
    #[serde(rename = "swir_1")]
    Swir1,
    #[serde(rename = "swir_2")]
    Swir2,
    #[serde(rename = "thermal_1")]
    Thermal1,
    #[serde(rename = "thermal_2")]
    Thermal2,
    Pan,
}

/// Name in formulas, centre and range in nm. Ranges do not overlap but for `nir` and
/// `nir_narrow`, which are also told apart by width. The centres are Sentinel-2's, Landsat's
/// for the thermal ones.
const ROLES: [(BandRole, &str, &str, f64, f64, f64); 17] = [
    (BandRole::Coastal, "coastal", "coastal aerosol", 443.0, 400.0, 455.0),
    (BandRole::Blue, "blue", "blue", 490.0, 455.0, 520.0),
    (BandRole::Green, "green", "green", 560.0, 520.0, 590.0),
    (BandRole::Yellow, "yellow", "yellow", 605.0, 590.0, 625.0),
    (BandRole::Red, "red", "red", 660.0, 625.0, 690.0),
    (BandRole::RedEdge1, "red_edge_1", "red edge at 705 nm", 705.0, 690.0, 725.0),
    (BandRole::RedEdge2, "red_edge_2", "red edge at 740 nm", 740.0, 725.0, 762.0),
    (BandRole::RedEdge3, "red_edge_3", "red edge at 783 nm", 783.0, 762.0, 797.0),
    (BandRole::Nir, "nir", "near infrared", 840.0, 797.0, 900.0),
    (BandRole::NirNarrow, "nir_narrow", "narrow near infrared", 865.0, 850.0, 885.0),
    (BandRole::WaterVapour, "water_vapour", "water vapour", 945.0, 925.0, 965.0),
    (BandRole::Cirrus, "cirrus", "cirrus", 1375.0, 1350.0, 1400.0),
    (BandRole::Swir1, "swir_1", "short-wave infrared at 1.6 µm", 1610.0, 1550.0, 1750.0),
    (BandRole::Swir2, "swir_2", "short-wave infrared at 2.2 µm", 2200.0, 2050.0, 2350.0),
    (BandRole::Thermal1, "thermal_1", "thermal infrared at 10.9 µm", 10_900.0, 10_000.0, 11_600.0),
    (BandRole::Thermal2, "thermal_2", "thermal infrared at 12 µm", 12_000.0, 11_600.0, 12_600.0),
    // No range: a panchromatic band is known by name only.
    (BandRole::Pan, "pan", "panchromatic", f64::NAN, f64::NAN, f64::NAN),
];

impl BandRole {
    /// As formulas write it.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// For people.
    pub fn label(self) -> &'static str {
        self.row().2
    }

    /// By name, case and underscores aside (`swir1`, `NIR`, `red_edge_2`).
    pub fn parse(name: &str) -> Option<Self> {
        let plain = letters(name);
        let alias = match plain.as_str() {
            "nir1" | "nearinfrared" | "infrared" => "nir",
            "nir08" | "nir8a" | "narrownir" => "nirnarrow",
            "swir" | "swir16" => "swir1",
            "swir22" => "swir2",
            "rededge" | "re1" | "rededge705" => "rededge1",
            "re2" | "rededge740" => "rededge2",
            "re3" | "rededge783" => "rededge3",
            "coastalaerosol" | "ultrablue" | "aerosol" | "deepblue" => "coastal",
            "panchromatic" => "pan",
            "watervapor" => "watervapour",
            "tir1" | "lwir11" => "thermal1",
            "tir2" | "lwir12" => "thermal2",
            other => other,
        };
        ROLES.iter().find(|role| letters(role.1) == alias).map(|role| role.0)
    }

    /// What may stand in where a scene has no such band: `nir` and `nir_narrow` for each other.
    pub const fn substitute(self) -> Option<Self> {
        match self {
            Self::Nir => Some(Self::NirNarrow),
            Self::NirNarrow => Some(Self::Nir),
            _ => None,
        }
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, f64, f64, f64) {
        ROLES.iter().find(|role| role.0 == self).expect("every role has its row")
    }
}

/// Roles of a scene's bands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BandRoles {
    /// One per band; a role is given once at most.
    pub roles: Vec<Option<BandRole>>,
    /// The sensor whose band numbers were recognised.
    pub sensor: Option<String>,
}

#[derive(Deserialize)]
struct Sensor {
    name: String,
    /// Lower case; a scene whose path, band names or metadata contain one is of this sensor.
    hints: Vec<String>,
    /// Bands are numbered with two digits (`B04`).
    two_digits: bool,
    bands: std::collections::BTreeMap<String, BandRole>,
}

impl BandRoles {
    /// Guesses, the surest source first: wavelengths, plain names (`nir`, `Red edge 1`),
    /// numbers of a sensor's bands (`B8A`, `SR_B5`), colour roles. Numbers that fit several
    /// sensors (`B4`) count only if the path or the metadata name the sensor.
    pub fn guess(info: &SceneInfo) -> Self {
        let mut guess = Self { roles: vec![None; info.bands.len()], sensor: None };
        guess.by_wavelength(info);
        for (band, band_info) in info.bands.iter().enumerate() {
            guess.set(band, BandRole::parse(&band_info.name));
        }
        if let Some(sensor) = recognise(info) {
            for (band, number) in numbers(info) {
                guess.set(band, sensor.bands.get(&number).copied());
            }
            guess.sensor = Some(sensor.name.clone());
        }
        for (band, band_info) in info.bands.iter().enumerate() {
            let role = match band_info.color {
                ColorRole::Red => Some(BandRole::Red),
                ColorRole::Green => Some(BandRole::Green),
                ColorRole::Blue => Some(BandRole::Blue),
                _ => None,
            };
            guess.set(band, role);
        }
        guess
    }

    /// The band with a role, or with what may stand in for it.
    pub fn band(&self, role: BandRole) -> Option<usize> {
        let position = |role| self.roles.iter().position(|r| *r == Some(role));
        position(role).or_else(|| position(role.substitute()?))
    }

    /// Only where neither the band nor the role is taken.
    fn set(&mut self, band: usize, role: Option<BandRole>) {
        if self.roles[band].is_none() && role.is_some() && !self.roles.contains(&role) {
            self.roles[band] = role;
        }
    }

    /// Each role goes to the band nearest to its centre, within its range. A narrow near
    /// infrared band is one no wider than 40 nm, or a second one.
    fn by_wavelength(&mut self, info: &SceneInfo) {
        let narrow_known = info.bands.iter().any(|band| {
            band.wavelength_nm.is_some_and(|nm| (797.0..900.0).contains(&nm)) && band.fwhm_nm.is_some_and(|w| w > 40.0)
        });
        for (role, _, _, center, low, high) in ROLES.iter().filter(|role| !role.3.is_nan()) {
            let nearest = info
                .bands
                .iter()
                .enumerate()
                .filter(|(band, _)| self.roles[*band].is_none())
                .filter(|(_, band)| {
                    let narrow = band.fwhm_nm.is_some_and(|width| width <= 40.0);
                    *role != BandRole::Nir || !narrow_known || !narrow
                })
                .filter_map(|(band, band_info)| Some((band, band_info.wavelength_nm?)))
                .filter(|(_, nm)| (*low..*high).contains(nm))
                .min_by(|a, b| (a.1 - center).abs().total_cmp(&(b.1 - center).abs()));
            if let Some((band, _)) = nearest {
                self.roles[band] = Some(*role);
            }
        }
    }
}

fn sensors() -> &'static [Sensor] {
    static SENSORS: OnceLock<Vec<Sensor>> = OnceLock::new();
    SENSORS.get_or_init(|| {
        serde_json::from_str(include_str!("../../../assets/sensors.json")).expect("checked by a test of this file")
    })
}

/// The sensor that the scene names, else the only one whose style of numbering fits.
fn recognise(info: &SceneInfo) -> Option<&'static Sensor> {
    let numbers = numbers(info);
    if numbers.is_empty() {
        return None;
    }
    let fits = |sensor: &&Sensor| numbers.iter().any(|(_, number)| sensor.bands.contains_key(number));
    let metadata: String = info.metadata.iter().map(|(key, value)| format!(" {key} {value}")).collect();
    let text = words(&format!("{}{metadata}", info.path.to_string_lossy()));
    let named = sensors().iter().filter(|sensor| sensor.hints.iter().any(|hint| contains_word(&text, hint))).find(fits);
    // B8A and two digits are Sentinel-2's alone.
    let two_digits = info.bands.iter().any(|band| letters(&band.name).starts_with("b0"));
    let sentinel_2 = two_digits || numbers.iter().any(|(_, number)| number == "B8A");
    named.or_else(|| sensors().iter().find(|sensor| sentinel_2 && sensor.two_digits && fits(sensor)))
}

/// Lower case, everything but letters and digits a space.
fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect()
}

/// `hint` as a word of its own: `oli` is no hint in `stolice` or `olive`, `mod09` is one in `mod09ga`.
fn contains_word(text: &str, hint: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    text.match_indices(hint).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + hint.len()..].chars().next());
        let goes_on = letter(hint.chars().next_back()) && letter(after);
        !goes_on && before.is_none_or(|c| !c.is_alphanumeric())
    })
}

/// Bands whose name is a sensor's number. `Band 3` of band 3 is only a stand-in for a name.
fn numbers(info: &SceneInfo) -> Vec<(usize, String)> {
    let named = info.bands.iter().enumerate().filter(|(band, info)| info.name != format!("Band {}", band + 1));
    named.filter_map(|(band, info)| Some((band, number(&info.name)?))).collect()
}

/// `B8A` of `B8A`, `b08a`, `Band 8A`, `SR_B8A`, `B8A - narrow NIR`.
fn number(name: &str) -> Option<String> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("SR_").or_else(|| name.strip_prefix("ST_")).unwrap_or(&name);
    let rest = name.strip_prefix("BAND").or_else(|| name.strip_prefix('B'))?.trim_start_matches([' ', '_', '-']);
    let number: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    let number = number.trim_start_matches('0');
    let plausible = number.starts_with(|c: char| c.is_ascii_digit()) && number.len() <= 3;
    plausible.then(|| format!("B{number}"))
}

fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::geo::Georeference;
    use crate::scene::{BandInfo, DataType, MaskKind};

    /// Bands by name and wavelength (0: unknown).
    pub(in crate::index) fn scene(bands: &[(&str, f64)]) -> SceneInfo {
        let band = |(name, nm): &(&str, f64)| BandInfo {
            name: (*name).to_owned(),
            data_type: DataType::UInt16,
            nodata: None,
            scale: 1.0,
            offset: 0.0,
            unit: String::new(),
            wavelength_nm: (*nm > 0.0).then_some(*nm),
            fwhm_nm: None,
            color: ColorRole::Undefined,
            mask: MaskKind::AllValid,
            statistics: None,
            palette: None,
            categories: Vec::new(),
        };
        SceneInfo {
            path: "scene.tif".into(),
            driver: "GTiff".to_owned(),
            width: 1,
            height: 1,
            bands: bands.iter().map(band).collect(),
            crs: None,
            georeference: Georeference::None,
            overviews: Vec::new(),
            block: (1, 1),
            compression: None,
            interleave: None,
            subdatasets: Vec::new(),
            metadata: Vec::new(),
            remarks: Vec::new(),
        }
    }

    const SENTINEL_2: [(&str, f64); 13] = [
        ("B01", 442.7),
        ("B02", 492.4),
        ("B03", 559.8),
        ("B04", 664.6),
        ("B05", 704.1),
        ("B06", 740.5),
        ("B07", 782.8),
        ("B08", 832.8),
        ("B8A", 864.7),
        ("B09", 945.1),
        ("B10", 1373.5),
        ("B11", 1613.7),
        ("B12", 2202.4),
    ];

    #[test]
    fn sentinel_2_is_known_by_wavelengths_and_by_names() {
        use BandRole::*;
        let expected = [
            Coastal,
            Blue,
            Green,
            Red,
            RedEdge1,
            RedEdge2,
            RedEdge3,
            Nir,
            NirNarrow,
            WaterVapour,
            Cirrus,
            Swir1,
            Swir2,
        ]
        .map(Some);
        let names_only = SENTINEL_2.map(|(name, _)| (name, 0.0));
        let wavelengths_only = SENTINEL_2.map(|(_, nm)| ("x", nm));

        assert_eq!(BandRoles::guess(&scene(&SENTINEL_2)).roles, expected);
        assert_eq!(BandRoles::guess(&scene(&wavelengths_only)).roles, expected);
        let by_name = BandRoles::guess(&scene(&names_only));
        assert_eq!(by_name.roles, expected);
        assert_eq!(by_name.sensor.as_deref(), Some("Sentinel-2 MSI"));
    }

    #[test]
    fn numbers_of_landsat_bands_count_only_with_a_hint() {
        let names = ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"].map(|name| (name, 0.0));
        let mut info = scene(&names);
        assert_eq!(BandRoles::guess(&info).band(BandRole::Nir), None);

        info.path = "LC08_L2SP_137041_20200101.tif".into();
        assert_eq!(BandRoles::guess(&info).band(BandRole::Nir), Some(4));

        info.path = "scene.tif".into();
        info.metadata = vec![("SPACECRAFT_ID".to_owned(), "LANDSAT_7".to_owned())];
        assert_eq!(BandRoles::guess(&info).band(BandRole::Nir), Some(3));

        // Names that the program gave, of whatever bands.
        let unnamed = scene(&[("Band 1", 0.0), ("Band 2", 0.0), ("Band 3", 0.0), ("Band 4", 0.0)]);
        info.bands = unnamed.bands;
        assert_eq!(BandRoles::guess(&info).roles, [None; 4]);
    }

    #[test]
    fn plain_names_and_colour_roles_are_enough() {
        let mut info = scene(&[("Blue", 0.0), ("x", 0.0), ("y", 0.0), ("Near infrared", 0.0), ("SWIR-1", 0.0)]);
        info.bands[1].color = ColorRole::Green;
        info.bands[2].color = ColorRole::Red;

        let roles = BandRoles::guess(&info);

        assert_eq!(roles.band(BandRole::Green), Some(1));
        assert_eq!(roles.band(BandRole::Red), Some(2));
        assert_eq!(roles.band(BandRole::Nir), Some(3));
        assert_eq!(roles.band(BandRole::NirNarrow), Some(3));
        assert_eq!(roles.band(BandRole::Swir1), Some(4));
        assert_eq!(roles.band(BandRole::Swir2), None);
    }

    #[test]
    fn a_hyperspectral_scene_gives_each_role_to_the_nearest_band() {
        let bands: Vec<(&str, f64)> = (0..200).map(|i| ("x", 400.0 + f64::from(i) * 10.0)).collect();

        let roles = BandRoles::guess(&scene(&bands));

        assert_eq!(roles.band(BandRole::Red), Some(26));
        assert_eq!(roles.band(BandRole::Nir), Some(44));
        assert_eq!(roles.roles.iter().flatten().count(), 14);
    }

    #[test]
    fn names_of_roles_are_those_of_the_assets() {
        for role in ROLES.map(|row| row.0) {
            assert_eq!(BandRole::parse(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).expect("a string"), role.name());
        }
        assert!(sensors().len() >= 8);
    }
}
