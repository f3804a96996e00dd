//! Which keys start which action: those of the table, as far as nobody has changed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Id, Key, KeyboardShortcut, Modifiers};
use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionInfo, TABLE};

/// What was changed, by the action's name; `None` where an action has no key any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Keymap {
    changed: BTreeMap<String, Option<Chord>>,
}

/// A shortcut as it is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chord {
    key: String,
    #[serde(default)]
    ctrl: bool,
    #[serde(default)]
    shift: bool,
    #[serde(default)]
    alt: bool,
}

/// Held or typed on the map; no action can have them without Ctrl or Alt.
const OF_THE_MAP: [Key; 18] = [
    Key::Space,
    Key::H,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::Escape,
    Key::Enter,
    Key::Backspace,
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
];

impl Keymap {
    pub(crate) fn of(&self, info: &ActionInfo) -> Option<KeyboardShortcut> {
        match self.changed.get(&name(info.action)) {
            Some(changed) => changed.as_ref().and_then(Chord::shortcut),
            None => info.shortcut,
        }
    }

    pub(crate) fn is_changed(&self, action: Action) -> bool {
        self.changed.contains_key(&name(action))
    }

    pub(crate) fn any_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Gives an action other keys, or none.
    pub(crate) fn set(&mut self, action: Action, shortcut: Option<KeyboardShortcut>) {
        if shortcut == action.info().shortcut {
            self.reset(action);
        } else {
            self.changed.insert(name(action), shortcut.map(Chord::of));
        }
    }

    /// Back to the table's.
    pub(crate) fn reset(&mut self, action: Action) {
        self.changed.remove(&name(action));
    }

    pub(crate) fn reset_all(&mut self) {
        self.changed.clear();
    }

    /// The other action that has these keys.
    pub(crate) fn owner(&self, shortcut: KeyboardShortcut, except: Action) -> Option<&'static ActionInfo> {
        TABLE.iter().find(|info| info.action != except && self.of(info) == Some(shortcut))
    }

    /// Where actions, buttons and menus find it.
    pub(crate) fn install(&self, ctx: &egui::Context) {
        ctx.data_mut(|data| data.insert_temp(Id::unique("keymap"), Arc::new(self.clone())));
    }
}

/// The keys of an action as they are now.
pub(crate) fn shortcut(ctx: &egui::Context, info: &ActionInfo) -> Option<KeyboardShortcut> {
    let keymap: Option<Arc<Keymap>> = ctx.data(|data| data.get_temp(Id::unique("keymap")));
    keymap.map_or(info.shortcut, |keymap| keymap.of(info))
}

/// The map needs these keys itself.
pub(crate) fn reserved(shortcut: KeyboardShortcut) -> bool {
    let plain = !shortcut.modifiers.command && !shortcut.modifiers.alt;
    plain && OF_THE_MAP.contains(&shortcut.logical_key)
}

fn name(action: Action) -> String {
    format!("{action:?}")
}

impl Chord {
    fn of(shortcut: KeyboardShortcut) -> Self {
        let Modifiers { alt, shift, command, .. } = shortcut.modifiers;
        Self { key: shortcut.logical_key.name().to_owned(), ctrl: command, shift, alt }
    }

    /// `None` for a key that this version does not know.
    fn shortcut(&self) -> Option<KeyboardShortcut> {
        let mut modifiers = Modifiers::NONE;
        for (held, modifier) in
            [(self.ctrl, Modifiers::COMMAND), (self.shift, Modifiers::SHIFT), (self.alt, Modifiers::ALT)]
        {
            if held {
                modifiers = modifiers.plus(modifier);
            }
        }
        Some(KeyboardShortcut::new(modifiers, Key::from_name(&self.key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_can_be_saved_and_none_is_the_maps() {
        for info in TABLE {
            let Some(shortcut) = info.shortcut else { continue };
            assert_eq!(Chord::of(shortcut).shortcut(), Some(shortcut), "{}", info.text);
            assert!(!reserved(shortcut), "{}", info.text);
        }
    }

    #[test]
    fn keys_change_conflict_and_come_back() {
        let mut keymap = Keymap::default();
        let b = Action::Brush.info().shortcut.expect("B");
        assert_eq!(keymap.owner(b, Action::Fit).map(|info| info.action), Some(Action::Brush));

        keymap.set(Action::Brush, None);
        keymap.set(Action::Fit, Some(b));
        assert_eq!(keymap.of(Action::Brush.info()), None);
        assert_eq!(keymap.owner(b, Action::Brush).map(|info| info.action), Some(Action::Fit));
        assert!(keymap.owner(b, Action::Fit).is_none());

        keymap.set(Action::Brush, Some(b));
        assert!(!keymap.is_changed(Action::Brush), "the table's own keys are no change");
        keymap.reset_all();
        assert_eq!(keymap, Keymap::default());
    }
}
