//! The one table of actions: menu, keys, buttons and the command palette all read it.
//!
//! Held keys (Space pans, `H` hides overlays) and the arrow keys belong to the map and are in
//! `map/input.rs`.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::icons;

/// Everything a key, a menu entry or a button can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    OpenProject,
    OpenRaster,
    OpenModel,
    OpenReferences,
    OpenAddress,
    TrySample,
    SaveProject,
    SaveProjectAs,
    Versions,
    RelinkScenes,
    PackProject,
    CloseProject,
    ImportLabels,
    ExportLabels,
    LabelsFromMap,
    ImportClasses,
    ExportClasses,
    Predict,
    Export,
    SavePicture,
    ExportModel,
    ChooseBands,
    Fit,
    FitLayer,
    OneToOne,
    ZoomIn,
    ZoomOut,
    ViewBack,
    ViewForward,
    Pan,
    BoxZoom,
    Inspect,
    PickSpectrum,
    Swipe,
    Brush,
    Eraser,
    Polygon,
    Rectangle,
    Lasso,
    Line,
    Fill,
    Wand,
    Superpixel,
    SizeDown,
    SizeUp,
    SwapClasses,
    NewClass,
    NewLabels,
    Undo,
    Redo,
    NextBand,
    PreviousBand,
    NextColormap,
    RemoveLayer,
    ShowPrior,
    ShowAngles,
    ShowDistances,
    ShowLikelihoods,
    ImportSpectra,
    AddIndex,
    UseModelReferences,
    SaveReferences,
    ClearPins,
    CopyCoordinates,
    CancelJob,
    Palette,
    SidePanel,
    Look,
    Annotate,
    Explain,
    Judge,
    Settings,
    ThemeSystem,
    ThemeDark,
    ThemeLight,
    DeviceAuto,
    DeviceCpu,
    DeviceGpu,
    FullScreen,
    Quit,
}

/// Where the menu lists an action; the order is the menu's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    File,
    Project,
    Edit,
    Results,
    View,
    Tools,
    Labels,
    Layer,
    References,
    Window,
    Device,
}

impl Group {
    pub(crate) const ALL: [Self; 11] = [
        Self::File,
        Self::Project,
        Self::Edit,
        Self::Results,
        Self::View,
        Self::Tools,
        Self::Labels,
        Self::Layer,
        Self::References,
        Self::Window,
        Self::Device,
    ];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::File => "Open",
            Self::Edit => "Edit",
            Self::Project => "Project",
            Self::Results => "Results",
            Self::View => "View",
            Self::Tools => "Tools",
            Self::Labels => "Labels",
            Self::Layer => "Layer",
            Self::References => "References",
            Self::Window => "Window",
            Self::Device => "Device",
        }
    }
}

/// One row of the table.
pub(crate) struct ActionInfo {
    pub action: Action,
    pub group: Group,
    pub text: &'static str,
    pub tooltip: &'static str,
    pub icon: &'static str,
    pub shortcut: Option<KeyboardShortcut>,
}

/// What there is, as far as it decides which actions make sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Situation {
    pub layers: bool,
    /// There is something to save.
    pub savable: bool,
    pub project: bool,
    /// Scenes of the project are missing.
    pub missing: bool,
    pub labels: bool,
    pub classes: bool,
    /// The layer that is meant shows the class map of a raster.
    pub class_map: bool,
    /// A layer is chosen or there is only one that can be meant.
    pub layer: bool,
    /// The layer that is meant shows bands one by one or three at a time.
    pub bands: bool,
    pub colormap: bool,
    /// There is a raster with bands to predict from.
    pub scene: bool,
    pub model: bool,
    pub model_references: bool,
    pub references: bool,
    pub prior: bool,
    /// Every reference has pixels.
    pub painted: bool,
    pub pins: bool,
    pub cursor: bool,
    pub job: bool,
    pub sample: bool,
    pub undo: bool,
    pub redo: bool,
    pub back: bool,
    pub forward: bool,
}

const fn key(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

const fn command(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

const fn command_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

const fn alt(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::ALT, key))
}

macro_rules! actions {
    ($( $action:ident, $group:ident, $icon:ident, $shortcut:expr, $text:literal, $tooltip:literal; )*) => {
        &[ $( ActionInfo {
            action: Action::$action, group: Group::$group, text: $text, tooltip: $tooltip,
            icon: icons::$icon, shortcut: $shortcut,
        } ),* ]
    };
}

/// Every action, in the order of the menu.
pub(crate) static TABLE: &[ActionInfo] = actions![
    OpenProject, File, FOLDER_OPEN, None, "Open project…", "The folder of a project, or a packed one";
    OpenRaster, File, FOLDER_OPEN, command(Key::O), "Open raster…", "GeoTIFF, COG, ENVI, JPEG 2000, VRT and what else GDAL reads";
    OpenModel, File, BRAIN, command(Key::M), "Open model…", "Weights from PyTorch (.pth) or .safetensors";
    OpenReferences, File, FOLDER_OPEN, None, "Open references…", "Reference spectra from a CSV file";
    OpenAddress, File, MAP_TRIFOLD, command_shift(Key::O), "Open path or address…", "A path, a /vsi name or an https address of a raster";
    TrySample, File, MOUNTAINS, None, "Try the sample", "A small scene with its model, applied at once";
    SaveProject, Project, FLOPPY_DISK, command(Key::S), "Save project", "Scenes, labels, classes, references and how the map looks";
    SaveProjectAs, Project, FLOPPY_DISK, command_shift(Key::S), "Save project as…", "Goes on under another name, with all steps";
    Versions, Project, CLOCK_COUNTER_CLOCKWISE, None, "Versions…", "Earlier saves, and how to go back to one";
    RelinkScenes, Project, FOLDER_OPEN, None, "Relink scenes…", "Says where scenes are that were not found";
    PackProject, Project, EXPORT, None, "Pack project…", "The project as one zip file, for sending";
    CloseProject, Project, X, None, "Close project", "Empties the map; every step is kept";
    ImportLabels, Labels, FOLDER_OPEN, None, "Import labels…", "A class raster, shapefile, GeoPackage or GeoJSON as labels of the scene";
    ExportLabels, Labels, EXPORT, None, "Export labels…", "The label layer as GeoTIFF or polygons";
    LabelsFromMap, Labels, STACK, None, "Labels from class map", "Makes the chosen class map a label layer that can be painted on";
    ImportClasses, Labels, PALETTE, None, "Import classes…", "Names and colours from a CSV, a QGIS style, a raster or a vector";
    ExportClasses, Labels, FLOPPY_DISK, None, "Export classes…", "Names and colours as CSV or QGIS style";
    Undo, Edit, ARROW_U_UP_LEFT, command(Key::Z), "Undo", "Takes the last step back; in mid-stroke, the stroke";
    Redo, Edit, ARROW_U_UP_RIGHT, command_shift(Key::Z), "Redo", "Makes the step again that was taken back";
    Predict, Results, SPARKLE, command(Key::Enter), "Predict and explain", "Class map, attention and Grad-CAM of the scene with the open model";
    ChooseBands, Results, STACK, None, "Choose bands…", "Which band of the scene the model reads as which of its own";
    Export, Results, EXPORT, command(Key::E), "Export…", "GeoTIFF, COG, polygons or a picture of a layer";
    SavePicture, Results, FILE_IMAGE, command_shift(Key::E), "Save picture of the view…", "What the map shows as PNG";
    ExportModel, Results, CUBE, None, "Save model as safetensors…", "Weights with bands, normalisation and classes in one file";
    FitLayer, View, FRAME_CORNERS, key(Key::Home), "Fit layer", "Shows all of the chosen layer";
    Fit, View, CORNERS_OUT, Some(KeyboardShortcut::new(Modifiers::SHIFT, Key::Home)), "Fit everything", "Shows all visible layers, however far apart";
    OneToOne, View, SELECTION, key(Key::End), "Actual pixels (1:1)", "One pixel of the layer is one pixel of the screen";
    ZoomIn, View, MAGNIFYING_GLASS_PLUS, key(Key::Plus), "Zoom in", "Twice as close";
    ZoomOut, View, MAGNIFYING_GLASS, key(Key::Minus), "Zoom out", "Twice as far";
    ViewBack, View, ARROW_LEFT, alt(Key::ArrowLeft), "Previous view", "Back in the history of views";
    ViewForward, View, ARROW_RIGHT, alt(Key::ArrowRight), "Next view", "Forward in the history of views";
    Pan, Tools, HAND, key(Key::V), "Pan", "Drag moves the map; so do Space, the middle button and the arrow keys";
    BoxZoom, Tools, MAGNIFYING_GLASS_PLUS, key(Key::Z), "Zoom to a box", "Drag a box; Shift-drag does the same with every tool";
    Inspect, Tools, CROSSHAIR, Some(KeyboardShortcut::new(Modifiers::SHIFT, Key::I)), "Inspect", "Spectrum and values under the cursor; a click pins them";
    PickSpectrum, Tools, TARGET, key(Key::I), "Pick spectrum", "A click or a stroke becomes a reference spectrum";
    Swipe, Tools, SQUARE_SPLIT_HORIZONTAL, key(Key::S), "Swipe", "Shows the top layer right of a divider only";
    Brush, Labels, PAINT_BRUSH, key(Key::B), "Brush", "Paints the class in the hand";
    Eraser, Labels, ERASER, key(Key::E), "Eraser", "Takes labels away; so does Ctrl with every tool";
    Polygon, Labels, POLYGON, key(Key::P), "Polygon", "Click the corners; double click or Enter ends";
    Rectangle, Labels, RECTANGLE, key(Key::R), "Rectangle", "Drag from corner to corner";
    Lasso, Labels, LASSO, key(Key::L), "Lasso", "Drag around an area";
    Line, Labels, LINE_SEGMENTS, key(Key::U), "Line", "A line of the brush's width";
    Fill, Labels, PAINT_BUCKET, key(Key::F), "Fill", "Paints a region of one label, or without one";
    Wand, Labels, MAGIC_WAND, key(Key::W), "Magic wand", "Paints pixels with a like spectrum";
    Superpixel, Labels, PUZZLE_PIECE, key(Key::G), "Superpixel", "Paints the piece of the scene around a pixel";
    SizeDown, Labels, PAINT_BRUSH, key(Key::OpenBracket), "Smaller brush", "Shift+wheel does the same";
    SizeUp, Labels, PAINT_BRUSH, key(Key::CloseBracket), "Larger brush", "Shift+wheel does the same";
    SwapClasses, Labels, SWAP, key(Key::X), "Swap classes", "Back to the class before; digits choose one";
    NewClass, Labels, PLUS, None, "New class", "Adds a class with a colour of its own";
    NewLabels, Labels, STACK, None, "New label layer", "Adds an empty label layer to the scene";
    ClearPins, Tools, PUSH_PIN, None, "Remove all pins", "Forgets the pinned pixels";
    CopyCoordinates, Tools, COPY, command_shift(Key::C), "Copy coordinates", "Map coordinates under the cursor";
    PreviousBand, Layer, ARROW_LEFT, key(Key::Comma), "Previous band", "Steps the bands of the layer down";
    NextBand, Layer, ARROW_RIGHT, key(Key::Period), "Next band", "Steps the bands of the layer up";
    NextColormap, Layer, PALETTE, command_shift(Key::M), "Next colormap", "Another colormap for the layer";
    RemoveLayer, Layer, TRASH, key(Key::Delete), "Remove layer", "Takes the chosen layer off the map; files stay";
    ShowPrior, References, STACK, None, "Show prior", "Similarity to the references as a layer that follows them";
    ShowAngles, References, STACK, None, "Show spectral angles", "Classes by the smallest angle to a reference, whatever the brightness";
    ShowDistances, References, STACK, None, "Show minimum distances", "Classes by the nearest reference";
    ShowLikelihoods, References, STACK, None, "Show likelihoods", "Classes by maximum likelihood, from the spread of painted pixels";
    ImportSpectra, References, PLUS, None, "Import spectra…", "Adds spectra of a library: ENVI .sli, CSV, ASD, ECOSTRESS, USGS, SVC, SED, ArcGIS";
    AddIndex, Layer, LIST_NUMBERS, None, "Add index…", "NDVI and others, or a formula over bands, as a layer";
    UseModelReferences, References, BRAIN, None, "Use the model's references", "Takes the spectra that came with the model";
    SaveReferences, References, FLOPPY_DISK, None, "Save references…", "Writes the references as CSV";
    Palette, Window, MAGNIFYING_GLASS, command(Key::P), "Find an action…", "Every action with its key";
    Look, Window, EYE, alt(Key::Num1), "Look", "Layers and inspector";
    Annotate, Window, PAINT_BRUSH, alt(Key::Num2), "Annotate", "Classes, label layers and history";
    Explain, Window, SPARKLE, alt(Key::Num3), "Explain", "Model, references and inspector";
    Judge, Window, TARGET, alt(Key::Num4), "Judge", "How good a class map is against labels or a file";
    SidePanel, Window, SIDEBAR_SIMPLE, command(Key::B), "Side panel", "Shows or hides the right side";
    Settings, Window, GEAR_SIX, command(Key::Comma), "Settings…", "Theme, and the keys of every action";
    ThemeSystem, Window, CIRCLE_HALF, None, "Theme of the system", "Dark or light as the system says";
    ThemeDark, Window, MOON, None, "Dark theme", "Light text on dark grey";
    ThemeLight, Window, SUN, None, "Light theme", "Dark text on light grey";
    FullScreen, Window, CORNERS_OUT, key(Key::F11), "Full screen", "Window over the whole screen";
    CancelJob, Window, STOP, None, "Stop job", "Stops what runs (Esc)";
    Quit, Window, X, command(Key::Q), "Quit", "Closes the window";
    DeviceAuto, Device, CPU, None, "Compute on the best device", "GPU where there is one, else CPU";
    DeviceCpu, Device, CPU, None, "Compute on the CPU", "Networks run on the processor";
    DeviceGpu, Device, GRAPHICS_CARD, None, "Compute on the GPU", "Networks run on the graphics card";
];

impl Action {
    /// # Panics
    /// If the table lacks an action; a test makes sure that it does not.
    pub(crate) fn info(self) -> &'static ActionInfo {
        TABLE.iter().find(|info| info.action == self).expect("every action is in the table")
    }

    pub(crate) fn enabled(self, now: &Situation) -> bool {
        match self {
            Self::TrySample => now.sample,
            Self::SaveProject | Self::SaveProjectAs => now.savable,
            Self::Versions | Self::PackProject | Self::CloseProject => now.project,
            Self::RelinkScenes => now.missing,
            Self::ImportLabels => now.layers,
            Self::ExportLabels => now.labels,
            Self::LabelsFromMap => now.class_map,
            Self::ExportClasses => now.classes,
            Self::Predict | Self::ChooseBands => now.scene && now.model,
            Self::Export
            | Self::SavePicture
            | Self::Fit
            | Self::ZoomIn
            | Self::ZoomOut
            | Self::OneToOne
            | Self::Swipe => now.layers,
            Self::ExportModel => now.model,
            Self::Brush
            | Self::Eraser
            | Self::Polygon
            | Self::Rectangle
            | Self::Lasso
            | Self::Line
            | Self::Fill
            | Self::Wand
            | Self::Superpixel
            | Self::NewLabels => now.scene,
            Self::Undo => now.undo,
            Self::Redo => now.redo,
            Self::FitLayer | Self::RemoveLayer => now.layer,
            Self::NextBand | Self::PreviousBand => now.bands,
            Self::NextColormap => now.colormap,
            Self::ShowPrior => now.prior && now.scene,
            Self::ShowAngles | Self::ShowDistances => now.references && now.scene,
            Self::ShowLikelihoods => now.painted && now.scene,
            Self::AddIndex | Self::PickSpectrum => now.scene,
            Self::UseModelReferences => now.model_references,
            Self::SaveReferences => now.references,
            Self::ViewBack => now.back,
            Self::ViewForward => now.forward,
            Self::ClearPins => now.pins,
            Self::CopyCoordinates => now.cursor,
            Self::CancelJob => now.job,
            _ => true,
        }
    }
}

impl Action {
    /// Why it is not enabled; only asked where it is not.
    pub(crate) const fn reason(self, now: &Situation) -> &'static str {
        match self {
            Self::Versions | Self::PackProject | Self::CloseProject => "there is no project yet: save it first",
            Self::RelinkScenes => "no scene is missing",
            Self::ExportLabels => "there are no labels yet",
            Self::LabelsFromMap => "choose a class map first",
            Self::ExportClasses => "there are no classes yet",
            Self::TrySample => "the sample does not lie beside the program",
            Self::Predict | Self::ChooseBands if !now.scene => "open a raster first",
            Self::Predict | Self::ChooseBands | Self::ExportModel => "open a model first",
            Self::ShowPrior | Self::ShowAngles | Self::ShowDistances if now.scene => "open or add references first",
            Self::ShowLikelihoods if now.scene => "paint pixels for every reference first",
            Self::NextBand | Self::PreviousBand if now.layer => "the layer has no bands to step through",
            Self::NextColormap if now.layer => "the layer has no colormap",
            Self::UseModelReferences if now.model => "the model came without references",
            Self::UseModelReferences => "open a model first",
            Self::SaveReferences => "there are no references yet",
            Self::ViewBack => "there is no earlier view",
            Self::ViewForward => "there is no later view",
            Self::ClearPins => "no pixel is pinned",
            Self::CopyCoordinates => "the cursor has not been on the map",
            Self::CancelJob => "nothing runs",
            Self::Undo => "there is nothing to undo",
            Self::Redo => "there is nothing to redo",
            _ => "open a raster first",
        }
    }
}

impl Action {
    /// Its text, with the step's title for undo and redo: `Undo Brush stroke`.
    pub(crate) fn title(self, session: &nunatak_app::Session) -> String {
        let text = self.info().text;
        let step = match self {
            Self::Undo if session.drawing() => Some("stroke"),
            Self::Undo => session.history().undo_title(),
            Self::Redo => session.history().redo_title(),
            _ => None,
        };
        step.map_or_else(|| text.to_owned(), |step| format!("{text} {step}"))
    }
}

/// Second keys of some actions.
static ALSO: &[(Action, KeyboardShortcut)] = &[(Action::Redo, KeyboardShortcut::new(Modifiers::COMMAND, Key::Y))];

impl ActionInfo {
    pub(crate) fn keys(&self, ctx: &egui::Context) -> String {
        crate::keymap::shortcut(ctx, self).map_or_else(String::new, |shortcut| ctx.format_shortcut(&shortcut))
    }

    /// The tooltip with the name before and the key behind.
    pub(crate) fn hint(&self, ctx: &egui::Context) -> String {
        match self.keys(ctx) {
            keys if keys.is_empty() => format!("{}\n{}", self.text.trim_end_matches('…'), self.tooltip),
            keys => format!("{}  ({keys})\n{}", self.text.trim_end_matches('…'), self.tooltip),
        }
    }
}

/// Actions whose keys were pressed; none while a text field has the keyboard.
pub(crate) fn pressed(ctx: &egui::Context, now: &Situation) -> Vec<Action> {
    let typing = ctx.text_edit_focused();
    // Order matters: egui ignores extra Shift and Alt, so the keys with most modifiers go first.
    let keys = |info: &'static ActionInfo| Some((info, crate::keymap::shortcut(ctx, info)?));
    let mut table: Vec<(&ActionInfo, KeyboardShortcut)> = TABLE.iter().filter_map(keys).collect();
    table.sort_by_key(|(_, shortcut)| u8::MAX - modifiers(shortcut.modifiers));
    let also = |action| ALSO.iter().find(|(other, _)| *other == action).map(|(_, shortcut)| shortcut);
    table
        .into_iter()
        .filter_map(|(info, shortcut)| {
            let plain = !shortcut.modifiers.any() || shortcut.modifiers == Modifiers::SHIFT;
            let enabled = info.action.enabled(now);
            // Redo that is not possible must not fall through to undo, whose keys are among its own.
            if plain && (typing || !enabled) {
                return None;
            }
            let keys = std::iter::once(&shortcut).chain(also(info.action));
            let mut keys = keys.map(|keys| ctx.input_mut(|input| input.consume_shortcut(keys)));
            (keys.any(|pressed| pressed) && enabled).then_some(info.action)
        })
        .collect()
}

fn modifiers(modifiers: Modifiers) -> u8 {
    u8::from(modifiers.alt) + u8::from(modifiers.shift) + u8::from(modifiers.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_actions_share_a_key() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[i + 1..] {
                assert!(a.shortcut.is_none() || a.shortcut != b.shortcut, "{} and {}", a.text, b.text);
                assert_ne!(a.action, b.action);
                assert_ne!(a.text, b.text);
            }
        }
    }

    #[test]
    fn the_menu_shows_every_group() {
        for group in Group::ALL {
            assert!(TABLE.iter().any(|info| info.group == group));
        }
    }
}
