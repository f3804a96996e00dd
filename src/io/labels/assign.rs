//! From a file's values to class ids, in a project that has classes of its own.

use std::collections::BTreeSet;

use nunatak_domain::class::{Class, ClassId, ClassScheme, Rgb};
use nunatak_domain::label::UNLABELLED;

use super::{MapTarget, ValueMap};

/// One value of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileValue {
    /// As the file holds it; what a `ValueMap` names.
    pub(super) key: String,
    /// Where it is a whole number.
    pub(super) number: Option<i128>,
    /// Where the file tells one.
    pub(super) name: Option<String>,
    pub(super) color: Option<Rgb>,
    /// By the importer's rule; a map may say otherwise.
    pub(super) unlabelled: bool,
}

pub(super) struct Assignment {
    /// One per value.
    pub(super) ids: Vec<Option<ClassId>>,
    pub(super) classes: ClassScheme,
    pub(super) remarks: Vec<String>,
}

/// Chooses a class for each value, in this order: the map; the existing class of the same name;
/// the value itself where it is a free or equally named id; the lowest free id from 1 on.
///
/// # Errors
/// There are more values than ids.
pub(super) fn assign(values: &[FileValue], map: &ValueMap, existing: &ClassScheme) -> Result<Assignment, String> {
    let mut assigner = Assigner { classes: existing.clone(), reserved: reserved(values, map), remarks: Vec::new() };
    let mut ids = vec![None; values.len()];
    let mut later = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match map.0.get(&value.key) {
            Some(MapTarget::Unlabelled) => {}
            Some(MapTarget::Id(id)) => ids[index] = Some(assigner.by_id(ClassId(u32::from(*id)), value)),
            Some(MapTarget::Name(name)) => match assigner.by_name(name) {
                Some(id) => ids[index] = Some(id),
                None => later.push((index, FileValue { name: Some(name.clone()), ..value.clone() })),
            },
            None if value.unlabelled => {}
            None => later.push((index, value.clone())),
        }
    }
    let mut without_id = Vec::new();
    for (index, value) in later {
        // Two values of one name are one class, whichever comes first.
        if let Some(id) = value.name.as_deref().and_then(|name| assigner.by_name(name)) {
            ids[index] = Some(id);
        } else if let Some(id) = direct_id(&value).filter(|id| assigner.agrees(*id, &value)) {
            ids[index] = Some(assigner.by_id(id, &value));
        } else {
            without_id.push((index, value));
        }
    }
    let mut moved = Vec::new();
    for (index, value) in without_id {
        let id = match value.name.as_deref().and_then(|name| assigner.by_name(name)) {
            Some(id) => id,
            None => {
                let id = assigner.free_id()?;
                assigner.by_id(id, &value)
            }
        };
        if value.number.is_some() {
            moved.push(format!("{} became {}", value.key, id.0));
        }
        ids[index] = Some(id);
    }
    if !moved.is_empty() {
        const SHOWN: usize = 8;
        let rest = if moved.len() > SHOWN { ", …" } else { "" };
        moved.truncate(SHOWN);
        let why = "values that are no free class id (negative, above 65534, or taken by another class) were renumbered";
        assigner.remarks.push(format!("{why}: {}{rest}", moved.join(", ")));
    }
    let unknown: Vec<&str> =
        map.0.keys().filter(|key| values.iter().all(|value| value.key != **key)).map(String::as_str).collect();
    if !unknown.is_empty() {
        assigner.remarks.push(format!("the file does not hold the mapped values {}", unknown.join(", ")));
    }
    Ok(Assignment { ids, classes: assigner.classes, remarks: assigner.remarks })
}

/// Ids that some value takes directly; nobody else may get them.
fn reserved(values: &[FileValue], map: &ValueMap) -> BTreeSet<u32> {
    let mapped = map.0.values().filter_map(|target| match target {
        MapTarget::Id(id) => Some(u32::from(*id)),
        _ => None,
    });
    values.iter().filter_map(direct_id).map(|id| id.0).chain(mapped).collect()
}

fn direct_id(value: &FileValue) -> Option<ClassId> {
    value
        .number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|id| *id != UNLABELLED)
        .map(|id| ClassId(u32::from(id)))
}

struct Assigner {
    classes: ClassScheme,
    reserved: BTreeSet<u32>,
    remarks: Vec<String>,
}

impl Assigner {
    fn by_name(&self, name: &str) -> Option<ClassId> {
        let same = |class: &&Class| class.name.trim().eq_ignore_ascii_case(name.trim());
        self.classes.classes.iter().find(same).map(|class| class.id)
    }

    /// The id is free, or its class is the value's as far as anybody can tell.
    fn agrees(&self, id: ClassId, value: &FileValue) -> bool {
        self.classes.get(id).is_none() || value.name.is_none()
    }

    fn by_id(&mut self, id: ClassId, value: &FileValue) -> ClassId {
        if self.classes.get(id).is_none() {
            let text = value.number.is_none().then(|| value.key.clone());
            let name = value.name.clone().or(text).unwrap_or_else(|| format!("Class {}", id.0));
            // The first colour of the set is black, which is for no class.
            let color = value.color.unwrap_or_else(|| Rgb::distinct(1 + self.classes.classes.len() % 7));
            self.classes.classes.push(Class::new(id, name, color));
        }
        id
    }

    fn free_id(&self) -> Result<ClassId, String> {
        let free = |id: &u32| !self.reserved.contains(id) && self.classes.get(ClassId(*id)).is_none();
        (1..u32::from(UNLABELLED))
            .find(free)
            .map(ClassId)
            .ok_or_else(|| "there are more values than class ids".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: i128, name: Option<&str>) -> FileValue {
        FileValue {
            key: number.to_string(),
            number: Some(number),
            name: name.map(str::to_owned),
            ..FileValue::default()
        }
    }

    fn ids(assignment: &Assignment) -> Vec<Option<u32>> {
        assignment.ids.iter().map(|id| id.map(|id| id.0)).collect()
    }

    #[test]
    fn values_keep_their_number_where_it_is_an_id() {
        let values = [value(0, None), value(3, Some("wood")), value(65_534, None)];

        let assignment = assign(&values, &ValueMap::default(), &ClassScheme::default()).unwrap();

        assert_eq!(ids(&assignment), [Some(0), Some(3), Some(65_534)]);
        assert_eq!(assignment.classes.name(ClassId(3)), "wood");
        assert!(assignment.remarks.is_empty());
    }

    #[test]
    fn what_is_no_id_gets_the_lowest_free_one_and_that_is_said() {
        let values = [value(-7, None), value(1, None), value(70_000, Some("ice")), value(1 << 40, None)];

        let assignment = assign(&values, &ValueMap::default(), &ClassScheme::default()).unwrap();

        assert_eq!(ids(&assignment), [Some(2), Some(1), Some(3), Some(4)]);
        assert_eq!(assignment.classes.name(ClassId(3)), "ice");
        assert!(
            assignment.remarks[0].ends_with("-7 became 2, 70000 became 3, 1099511627776 became 4"),
            "{:?}",
            assignment.remarks
        );
    }

    #[test]
    fn classes_of_the_project_win_by_name_and_keep_their_ids() {
        let existing = ClassScheme {
            classes: vec![
                Class::new(ClassId(1), "Water", Rgb([0, 0, 255])),
                Class::new(ClassId(2), "Wood", Rgb([0, 99, 0])),
            ],
        };
        let values = [value(1, Some("wood")), value(2, Some("sand")), value(5, None)];

        let assignment = assign(&values, &ValueMap::default(), &existing).unwrap();

        assert_eq!(ids(&assignment), [Some(2), Some(3), Some(5)]);
        assert_eq!(assignment.classes.classes.len(), 4);
        assert_eq!(assignment.classes.classes[..2], existing.classes[..]);
    }

    #[test]
    fn a_map_wins_over_every_rule() {
        let values =
            [FileValue { unlabelled: true, ..value(0, None) }, value(4, Some("marsh")), value(7, None), value(9, None)];
        let map: ValueMap = "0=2, 4=wetland, 7=, 11=x".parse().unwrap();

        let assignment = assign(&values, &map, &ClassScheme::default()).unwrap();

        assert_eq!(ids(&assignment), [Some(2), Some(4), None, Some(9)]);
        assert_eq!(assignment.classes.name(ClassId(4)), "wetland");
        assert_eq!(assignment.remarks, ["the file does not hold the mapped values 11"]);
        assert!(
            "4".parse::<ValueMap>().is_err()
                && "4=65535".parse::<ValueMap>().is_err()
                && "4=a,4=b".parse::<ValueMap>().is_err()
        );
    }
}
