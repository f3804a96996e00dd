//! Every colour and distance of the window, dark and light, and its fonts.
//!
//! Neutral greys around the map, so that imagery is judged against nothing coloured; one
//! accent; text against its ground is at least 4.5:1 (WCAG AA). Distances are multiples of 4.

use std::sync::Arc;

use egui::epaint::Shadow;
use egui::style::WidgetVisuals;
use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Ui, Vec2,
    Visuals,
};
use nunatak_domain::class::Rgb;

/// The grid unit in points.
pub(crate) const UNIT: f32 = 4.0;
/// Side of a button that holds an icon; nothing to hit is smaller than 24 points.
pub(crate) const ICON_BUTTON: f32 = 28.0;
/// The same in a row of a list.
pub(crate) const SMALL_BUTTON: f32 = 24.0;
/// Size of an icon glyph.
pub(crate) const ICON: f32 = 17.0;
/// Height of a row in a list.
pub(crate) const ROW: f32 = 28.0;
/// Height of a layer in the list: many at once, and still something to hit.
pub(crate) const LAYER_ROW: f32 = 26.0;
pub(crate) const TOP_BAR: f32 = 40.0;
pub(crate) const STATUS_BAR: f32 = 32.0;
pub(crate) const RAIL: f32 = 44.0;
pub(crate) const SIDE: f32 = 332.0;
pub(crate) const SIDE_MIN: f32 = 280.0;
pub(crate) const TOAST: f32 = 380.0;
/// Distance of things that float on the map from its edges.
pub(crate) const FLOAT: f32 = 12.0;
pub(crate) const RADIUS: CornerRadius = CornerRadius::same(4);

pub(crate) const BODY: f32 = 13.0;
pub(crate) const SMALL: f32 = 11.5;

const STRONG_FAMILY: &str = "strong";
const ICON_FAMILY: &str = "icons";

/// Colours by meaning.
pub(crate) struct Palette {
    /// Around and under the imagery: 18 % grey.
    pub map: Color32,
    pub bar: Color32,
    pub panel: Color32,
    /// Text fields, plots.
    pub well: Color32,
    /// A row under the pointer.
    pub hover: Color32,
    /// A row that is chosen.
    pub chosen: Color32,
    pub button: Color32,
    pub line: Color32,
    pub text: Color32,
    pub weak: Color32,
    pub strong: Color32,
    pub accent: Color32,
    /// Filled buttons and the tool in use.
    pub accent_fill: Color32,
    pub on_accent: Color32,
    pub info: Color32,
    pub warning: Color32,
    pub error: Color32,
    pub good: Color32,
    /// Ground of what floats on the map.
    pub float: Color32,
    pub shadow: Color32,
}

const fn gray(l: u8) -> Color32 {
    Color32::from_gray(l)
}

const fn rgb(r: u8, g: u8, b: u8) -> Color32 {
    Color32::from_rgb(r, g, b)
}

static DARK: Palette = Palette {
    map: gray(118),
    bar: gray(30),
    panel: gray(37),
    well: gray(26),
    hover: gray(50),
    chosen: gray(58),
    button: gray(56),
    line: gray(20),
    text: gray(214),
    weak: gray(158),
    strong: gray(245),
    accent: rgb(102, 187, 240),
    accent_fill: rgb(22, 101, 152),
    on_accent: gray(255),
    info: rgb(102, 187, 240),
    warning: rgb(240, 180, 70),
    error: rgb(255, 128, 118),
    good: rgb(116, 200, 130),
    float: Color32::from_rgba_premultiplied(28, 28, 28, 235),
    shadow: Color32::from_black_alpha(96),
};

static LIGHT: Palette = Palette {
    map: gray(118),
    bar: gray(232),
    panel: gray(244),
    well: gray(255),
    hover: gray(228),
    chosen: gray(216),
    button: gray(222),
    line: gray(202),
    text: gray(38),
    weak: gray(94),
    strong: gray(10),
    accent: rgb(10, 100, 160),
    accent_fill: rgb(15, 108, 168),
    on_accent: gray(255),
    info: rgb(10, 100, 160),
    warning: rgb(140, 84, 0),
    error: rgb(184, 36, 28),
    good: rgb(22, 120, 46),
    float: Color32::from_rgba_premultiplied(240, 240, 240, 240),
    shadow: Color32::from_black_alpha(40),
};

/// The palette of the theme in use.
pub(crate) fn of(ui: &Ui) -> &'static Palette {
    palette(ui.visuals().dark_mode)
}

pub(crate) fn palette(dark: bool) -> &'static Palette {
    if dark { &DARK } else { &LIGHT }
}

pub(crate) const fn color(rgb: Rgb) -> Color32 {
    let [r, g, b] = rgb.0;
    Color32::from_rgb(r, g, b)
}

/// Black or white, whichever reads better on `ground`.
pub(crate) fn text_on(ground: Color32) -> Color32 {
    let luminance = 0.299 * f32::from(ground.r()) + 0.587 * f32::from(ground.g()) + 0.114 * f32::from(ground.b());
    if luminance > 140.0 { Color32::BLACK } else { Color32::WHITE }
}

/// Colours of pinned spectra, in order.
pub(crate) fn pin(index: usize) -> Color32 {
    const PINS: [Color32; 6] =
        [rgb(86, 180, 233), rgb(230, 159, 0), rgb(0, 178, 125), rgb(204, 121, 167), rgb(240, 228, 66), rgb(213, 94, 0)];
    PINS[index % PINS.len()]
}

/// Red, green and blue as they label the three channels of a picture.
pub(crate) fn channel(ui: &Ui, index: usize) -> Color32 {
    let dark = [rgb(255, 120, 110), rgb(110, 205, 120), rgb(120, 165, 255)];
    let light = [rgb(186, 40, 30), rgb(22, 120, 46), rgb(40, 80, 200)];
    if ui.visuals().dark_mode { dark[index % 3] } else { light[index % 3] }
}

/// A line drawn on imagery: white with a dark edge, readable on anything.
pub(crate) const ON_MAP: Color32 = Color32::WHITE;
pub(crate) const ON_MAP_EDGE: Color32 = Color32::from_rgba_premultiplied(0, 0, 0, 170);

pub(crate) fn strong_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(STRONG_FAMILY.into()))
}

pub(crate) fn icon_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(ICON_FAMILY.into()))
}

/// Sets fonts and both themes up; the system decides which one is shown until the person does.
pub(crate) fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.options_mut(|options| options.fallback_theme = Theme::Dark);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals(theme);
            spacing(style);
        });
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, bytes: &'static [u8], tweak: egui::FontTweak| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData { tweak, ..FontData::from_static(bytes) }));
    };
    add("inter", include_bytes!("../../assets/fonts/Inter-Regular.otf"), egui::FontTweak::default());
    add("inter-strong", include_bytes!("../../assets/fonts/Inter-SemiBold.otf"), egui::FontTweak::default());
    let lowered = egui::FontTweak { y_offset_factor: 0.06, ..Default::default() };
    add("phosphor", include_bytes!("../../assets/icons/Phosphor.ttf"), lowered);

    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let family = |first: &[&str]| -> Vec<String> {
        first.iter().map(|&name| name.to_owned()).chain(fallback.iter().cloned()).collect()
    };
    fonts.families.insert(FontFamily::Proportional, family(&["inter", "phosphor"]));
    fonts.families.insert(FontFamily::Name(STRONG_FAMILY.into()), family(&["inter-strong", "phosphor"]));
    fonts.families.insert(FontFamily::Name(ICON_FAMILY.into()), family(&["phosphor", "inter"]));
    fonts
}

fn spacing(style: &mut egui::Style) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(SMALL)),
        (TextStyle::Body, FontId::proportional(BODY)),
        (TextStyle::Button, FontId::proportional(BODY)),
        (TextStyle::Heading, strong_font(16.0)),
        (TextStyle::Monospace, FontId::monospace(12.0)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::new(2.0 * UNIT, UNIT);
    spacing.button_padding = Vec2::new(2.0 * UNIT, UNIT);
    spacing.interact_size = Vec2::new(40.0, 24.0);
    spacing.window_margin = Margin::same(12);
    spacing.menu_margin = Margin::same(4);
    spacing.combo_width = 80.0;
    spacing.slider_width = 120.0;
    spacing.slider_rail_height = 4.0;
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 8.0;
    spacing.indent = 16.0;
    spacing.scroll.bar_width = 8.0;
    style.interaction.tooltip_delay = 0.4;
    style.animation_time = 0.08;
}

fn visuals(theme: Theme) -> Visuals {
    let dark = theme == Theme::Dark;
    let p = palette(dark);
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    visuals.weak_text_color = Some(p.weak);
    visuals.hyperlink_color = p.accent;
    visuals.warn_fg_color = p.warning;
    visuals.error_fg_color = p.error;
    visuals.faint_bg_color = p.hover;
    visuals.extreme_bg_color = p.well;
    visuals.code_bg_color = p.well;
    visuals.panel_fill = p.panel;
    visuals.window_fill = p.panel;
    visuals.window_stroke = Stroke::new(1.0, if dark { gray(72) } else { gray(180) });
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.window_shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: p.shadow };
    visuals.popup_shadow = Shadow { offset: [0, 4], blur: 12, spread: 0, color: p.shadow };
    visuals.selection.bg_fill = p.accent_fill;
    visuals.selection.stroke = Stroke::new(1.0, p.on_accent);
    visuals.slider_trailing_fill = true;
    visuals.indent_has_left_vline = false;
    visuals.handle_shape = egui::style::HandleShape::Circle;

    let widget = |fill: Color32, stroke: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, stroke),
        corner_radius: RADIUS,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let raised = if dark { gray(68) } else { gray(208) };
    let pressed = if dark { gray(78) } else { gray(196) };
    visuals.widgets.noninteractive = widget(p.panel, p.line, p.text);
    visuals.widgets.inactive = widget(p.button, Color32::TRANSPARENT, p.text);
    // Boxes to tick and rails of sliders: more contrast than a button needs.
    visuals.widgets.inactive.bg_fill = if dark { gray(84) } else { gray(186) };
    visuals.widgets.hovered = widget(raised, Color32::TRANSPARENT, p.strong);
    visuals.widgets.active = widget(pressed, p.accent, p.strong);
    visuals.widgets.open = widget(raised, Color32::TRANSPARENT, p.strong);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_reads_on_its_ground() {
        for palette in [&DARK, &LIGHT] {
            for text in [
                palette.text,
                palette.weak,
                palette.strong,
                palette.accent,
                palette.warning,
                palette.error,
                palette.good,
            ] {
                for ground in [palette.panel, palette.bar, palette.well] {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}: {:.1}", contrast(text, ground));
                }
            }
            assert!(contrast(palette.on_accent, palette.accent_fill) >= 4.5);
        }
    }

    #[test]
    fn the_map_lies_on_18_percent_grey() {
        assert!((luminance(DARK.map) - 0.18).abs() < 0.005);
    }
}
