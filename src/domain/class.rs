//! Classes: ids, names, colours.

use serde::{Deserialize, Serialize};

/// The value of a class in a class map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

/// An opaque sRGB colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub [u8; 3]);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    pub id: ClassId,
    pub name: String,
    pub color: Rgb,
    /// Classes of one group are listed together; purely for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Classes in the order they are listed; ids are unique but need not be contiguous.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassScheme {
    pub classes: Vec<Class>,
}

impl ClassScheme {
    /// `n` classes named `Class 0`, `Class 1`, … in colours that people with the usual
    /// kinds of colour blindness can tell apart (Okabe & Ito 2008), repeated after eight.
    pub fn numbered(n: usize) -> Self {
        Self { classes: (0..n as u32).map(Class::numbered).collect() }
    }

    pub fn get(&self, id: ClassId) -> Option<&Class> {
        self.classes.iter().find(|class| class.id == id)
    }

    /// The name, or `Class 7` where the scheme does not know it.
    pub fn name(&self, id: ClassId) -> String {
        self.get(id).map_or_else(|| format!("Class {}", id.0), |class| class.name.clone())
    }
}

impl Class {
    /// Of no group.
    pub fn new(id: ClassId, name: impl Into<String>, color: Rgb) -> Self {
        Self { id, name: name.into(), color, group: None }
    }

    pub fn numbered(id: u32) -> Self {
        Self::new(ClassId(id), format!("Class {id}"), Rgb::distinct(id as usize))
    }
}

impl Rgb {
    /// Colour `index` of the Okabe–Ito set.
    pub const fn distinct(index: usize) -> Self {
        const OKABE_ITO: [[u8; 3]; 8] = [
            [0, 0, 0],
            [230, 159, 0],
            [86, 180, 233],
            [0, 158, 115],
            [240, 228, 66],
            [0, 114, 178],
            [213, 94, 0],
            [204, 121, 167],
        ];
        Self(OKABE_ITO[index % OKABE_ITO.len()])
    }

    /// Reads `#rrggbb` or `rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.trim().trim_start_matches('#');
        if hex.len() != 6 || !hex.is_ascii() {
            return None;
        }
        let channel = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
        Some(Self([channel(0)?, channel(2)?, channel(4)?]))
    }

    pub fn hex(self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

impl Serialize for Rgb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Rgb {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("expected a colour like #1f77b4, got `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_a_round_trip() {
        let color = Rgb([218, 0, 7]);
        assert_eq!(Rgb::parse(&color.hex()), Some(color));
        assert_eq!(Rgb::parse("#12"), None);
        assert_eq!(Rgb::parse("#ééé"), None);
    }

    #[test]
    fn an_unknown_class_still_has_a_name() {
        assert_eq!(ClassScheme::numbered(2).name(ClassId(9)), "Class 9");
    }
}
