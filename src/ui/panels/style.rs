//! The style of a layer, edited in place: bands, stretch, colormap, classes.

use egui::{ComboBox, DragValue, Rect, Sense, Ui, Vec2};
use nunatak_app::{Command, Session, StretchExtent};
use nunatak_domain::class::{ClassScheme, Rgb};
use nunatak_domain::colormap::ColormapName;
use nunatak_domain::layer::{Blend, Layer, LayerRole, LayerSource};
use nunatak_domain::map::MapView;
use nunatak_domain::scene::{BandInfo, SceneInfo, StatisticsSource};
use nunatak_domain::style::{Stretch, StretchMethod, Style, scheme_of};

use crate::wishes::Wishes;
use crate::{theme, widgets};

const LABEL: f32 = 66.0;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Rgb,
    Colormap,
    Classes,
}

pub(super) fn style_ui(ui: &mut Ui, session: &Session, layer: &Layer, view: &MapView, wishes: &mut Wishes) {
    let Some(scene) = session.scene(layer.source.scene()) else { return };
    let info = &scene.info;
    let mut style = layer.style.clone();
    let mut changed = layer.role != LayerRole::Labels && kind_ui(ui, layer, info, &mut style);
    let mut restretch = None;
    match &mut style {
        Style::Rgb { bands, stretch, method } => {
            for i in 0..3 {
                let color = theme::channel(ui, i);
                let name = ["Red", "Green", "Blue"][i];
                if band_ui(ui, name, &info.bands, &mut bands[i]) {
                    stretch[i] = Stretch {
                        gamma: stretch[i].gamma,
                        ..Stretch::from_statistics(info.bands[bands[i]].statistics.as_ref(), *method)
                    };
                    changed = true;
                    if info.bands[bands[i]].statistics.is_none() && *method != StretchMethod::Manual {
                        restretch = Some((*method, StretchExtent::Whole));
                    }
                }
                if stretch_ui(ui, name, color, &info.bands[bands[i]], &mut stretch[i]) {
                    *method = StretchMethod::Manual;
                    changed = true;
                }
            }
            changed |= gamma_ui(ui, stretch);
            restretch = method_ui(ui, layer, *method, view).or(restretch);
            source_note(ui, &info.bands[bands[0]]);
        }
        Style::Colormap { band, stretch, method, colormap } => {
            let prior = matches!(layer.source, LayerSource::Prior { .. });
            let index = layer.source.computed();
            if !prior && !index && band_ui(ui, "Band", &info.bands, band) {
                *stretch = Stretch::from_statistics(info.bands[*band].statistics.as_ref(), *method);
                changed = true;
                if info.bands[*band].statistics.is_none() && *method != StretchMethod::Manual {
                    restretch = Some((*method, StretchExtent::Whole));
                }
            }
            changed |= colormap_ui(ui, colormap);
            let color = theme::of(ui).accent;
            // The histogram of a band says nothing of what is computed from several.
            let mut shown = info.bands[(*band).min(info.bands.len() - 1)].clone();
            if index {
                shown.statistics = None;
            }
            if stretch_ui(ui, "Values", color, &shown, stretch) {
                *method = StretchMethod::Manual;
                changed = true;
            }
            changed |= gamma_ui(ui, std::slice::from_mut(stretch));
            if !prior {
                restretch = method_ui(ui, layer, *method, view).or(restretch);
            }
            if !prior && !index {
                source_note(ui, &info.bands[*band]);
            }
        }
        Style::Classes { .. } if layer.role == LayerRole::Labels => {
            widgets::empty(ui, "Names and colours are those of the classes in Annotate.");
        }
        Style::Classes { scheme, .. } => changed |= classes_ui(ui, scheme),
    }
    blend_ui(ui, layer, wishes);
    if changed {
        wishes.commands.push(Command::SetStyle { layer: layer.id, style });
    }
    if let Some((method, extent)) = restretch {
        wishes.commands.push(Command::Stretch { layer: layer.id, method, extent });
    }
}

fn row(ui: &mut Ui, label: &str, contents: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(LABEL, 24.0), Sense::hover());
        let font = egui::FontId::proportional(theme::BODY);
        ui.painter().text(rect.left_center(), egui::Align2::LEFT_CENTER, label, font, theme::of(ui).weak);
        contents(ui);
    });
}

fn kind_ui(ui: &mut Ui, layer: &Layer, info: &SceneInfo, style: &mut Style) -> bool {
    if layer.source.computed() {
        return false;
    }
    let mut kind = match style {
        Style::Rgb { .. } => Kind::Rgb,
        Style::Colormap { .. } => Kind::Colormap,
        Style::Classes { .. } => Kind::Classes,
    };
    let mut choices = Vec::new();
    if info.n_bands() >= 3 && matches!(layer.source, LayerSource::Scene { .. }) {
        choices.push((Kind::Rgb, "Three bands"));
    }
    choices.push((
        Kind::Colormap,
        if matches!(layer.source, LayerSource::Prior { .. }) { "Similarity" } else { "One band" },
    ));
    let countable = info.n_bands() == 1 && countable(&info.bands[0]);
    if kind == Kind::Classes || countable || matches!(layer.role, LayerRole::ClassMap | LayerRole::Prior) {
        choices.push((Kind::Classes, "Classes"));
    }
    if choices.len() < 2 || !widgets::segments(ui, &mut kind, &choices) {
        return false;
    }
    let band = style.bands().first().copied().unwrap_or(0).min(info.n_bands() - 1);
    let method = StretchMethod::PERCENT_2_98;
    let stretch = |band: usize| Stretch::from_statistics(info.bands[band].statistics.as_ref(), method);
    *style = match kind {
        Kind::Rgb => match Style::initial(info) {
            rgb @ Style::Rgb { .. } => rgb,
            _ => Style::Rgb { bands: [0, 1, 2], stretch: [0, 1, 2].map(stretch), method },
        },
        Kind::Colormap if matches!(layer.source, LayerSource::Prior { .. }) => Style::Colormap {
            band: 0,
            stretch: Stretch::UNIT,
            method: StretchMethod::Manual,
            colormap: ColormapName::Viridis,
        },
        Kind::Colormap => Style::Colormap { band, stretch: stretch(band), method, colormap: ColormapName::Gray },
        Kind::Classes => Style::Classes { band, scheme: classes_of(&info.bands[band]) },
    };
    true
}

/// Whole values, few enough to be classes.
fn countable(band: &BandInfo) -> bool {
    const MAX_CLASSES: f64 = 255.0;
    let few = band.statistics.as_ref().is_none_or(|s| s.min >= 0.0 && s.max <= MAX_CLASSES);
    band.data_type.integer() && (few || band.palette.is_some() || !band.categories.is_empty())
}

/// Classes that the file names, else one for each value up to the highest.
fn classes_of(band: &BandInfo) -> ClassScheme {
    let named = scheme_of(band);
    if !named.classes.is_empty() {
        return named;
    }
    let highest = band.statistics.as_ref().map_or(8.0, |statistics| statistics.max.clamp(0.0, 255.0));
    ClassScheme::numbered(highest as usize + 1)
}

/// `4 · Red (665 nm)`.
pub(super) fn band_label(index: usize, band: &BandInfo) -> String {
    let named = band.name != format!("Band {}", index + 1);
    match (named, band.wavelength_nm) {
        (true, Some(nm)) if !band.name.contains("nm") => format!("{}  {} · {nm:.0} nm", index + 1, band.name),
        (true, _) => format!("{}  {}", index + 1, band.name),
        (false, Some(nm)) => format!("{}  {nm:.0} nm", index + 1),
        (false, None) => format!("Band {}", index + 1),
    }
}

fn band_ui(ui: &mut Ui, label: &str, bands: &[BandInfo], band: &mut usize) -> bool {
    let before = *band;
    row(ui, label, |ui| {
        let text = bands.get(*band).map_or_else(String::new, |info| band_label(*band, info));
        let width = ui.available_width();
        let combo = ComboBox::from_id_salt(label).selected_text(text).width(width).truncate();
        let response = combo.show_ui(ui, |ui| {
            for (i, info) in bands.iter().enumerate() {
                ui.selectable_value(band, i, band_label(i, info));
            }
        });
        drop(response.response.accessible_name(format!("{label} band")));
    });
    *band != before
}

/// Histogram with handles, or the two limits where no distribution is known.
fn stretch_ui(ui: &mut Ui, label: &str, color: egui::Color32, band: &BandInfo, stretch: &mut Stretch) -> bool {
    let mut changed = false;
    if let Some(statistics) = band.statistics.as_ref().filter(|statistics| statistics.percentiles.len() == 101) {
        changed |= widgets::histogram(ui, label, color, statistics, stretch);
    }
    let speed = ((stretch.max - stretch.min).abs() / 200.0).max(1e-9);
    row(ui, "Limits", |ui| {
        let width = 0.5 * (ui.available_width() - ui.spacing().item_spacing.x);
        for (value, name) in [(&mut stretch.min, "lower"), (&mut stretch.max, "upper")] {
            let drag = DragValue::new(value).speed(speed).max_decimals(4);
            changed |= ui.add_sized([width, 24.0], drag).accessible_name(format!("{label} {name} limit")).changed();
        }
    });
    changed
}

fn gamma_ui(ui: &mut Ui, stretches: &mut [Stretch]) -> bool {
    let mut gamma = stretches.first().map_or(1.0, |stretch| stretch.gamma);
    let mut changed = false;
    row(ui, "Gamma", |ui| {
        ui.spacing_mut().slider_width = ui.available_width() - 56.0;
        let slider = egui::Slider::new(&mut gamma, 0.2..=5.0).logarithmic(true).fixed_decimals(2);
        changed = ui.add(slider).accessible_name("Gamma").changed();
    });
    if changed {
        stretches.iter_mut().for_each(|stretch| stretch.gamma = gamma);
    }
    changed
}

/// How the limits are found anew; a choice is computed in the background.
fn method_ui(
    ui: &mut Ui,
    layer: &Layer,
    method: StretchMethod,
    view: &MapView,
) -> Option<(StretchMethod, StretchExtent)> {
    const CHOICES: [(StretchMethod, &str); 5] = [
        (StretchMethod::PERCENT_2_98, "2–98 %"),
        (StretchMethod::Percentile { low: 0.5, high: 99.5 }, "0.5–99.5 %"),
        (StretchMethod::Sigma { n: 2.0 }, "Mean ± 2 σ"),
        (StretchMethod::MinMax, "Min–max"),
        (StretchMethod::Manual, "By hand"),
    ];
    let name = CHOICES.iter().find(|(choice, _)| *choice == method).map_or("Percentile", |(_, name)| name);
    let mut wanted = None;
    row(ui, "Stretch", |ui| {
        let width = ui.available_width() - 2.0 * (56.0 + ui.spacing().item_spacing.x);
        let combo = ComboBox::from_id_salt(("method", layer.id)).selected_text(name).width(width).truncate();
        combo.show_ui(ui, |ui| {
            for (choice, name) in &CHOICES[..4] {
                if ui.selectable_label(*choice == method, *name).clicked() {
                    wanted = Some((*choice, StretchExtent::Whole));
                }
            }
        });
        let again = if method == StretchMethod::Manual { StretchMethod::PERCENT_2_98 } else { method };
        let size = Vec2::new(56.0, 24.0);
        let whole = ui.add(egui::Button::new("Whole").min_size(size)).on_hover_text("Limits from the whole raster");
        if whole.clicked() {
            wanted = Some((again, StretchExtent::Whole));
        }
        let seen = ui.add(egui::Button::new("View").min_size(size)).on_hover_text("Limits from what the map shows now");
        if seen.clicked() {
            wanted = Some((again, StretchExtent::View { bounds: view.bounds() }));
        }
    });
    wanted
}

fn source_note(ui: &mut Ui, band: &BandInfo) {
    let Some(statistics) = &band.statistics else { return };
    let text = match statistics.source {
        StatisticsSource::Stored => "Statistics stored in the file".to_owned(),
        StatisticsSource::Exact => "Statistics of every pixel".to_owned(),
        StatisticsSource::Sampled { pixels, of } => {
            let share = 100.0 * pixels as f64 / of.max(1) as f64;
            format!(
                "Statistics of a sample: {} pixels, {}",
                widgets::numbers::grouped(pixels as f64, 0),
                percent(share)
            )
        }
    };
    ui.label(egui::RichText::new(text).small().color(theme::of(ui).weak));
}

fn percent(share: f64) -> String {
    if share >= 1.0 { format!("{share:.0} %") } else { format!("{share:.2} %") }
}

fn colormap_ui(ui: &mut Ui, colormap: &mut ColormapName) -> bool {
    let before = *colormap;
    row(ui, "Colormap", |ui| {
        let width = ui.available_width();
        ComboBox::from_id_salt("colormap").selected_text(colormap.label()).width(width).show_ui(ui, |ui| {
            for choice in ColormapName::ALL {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(Vec2::new(72.0, 16.0), Sense::hover());
                    widgets::ramp(ui.painter(), rect, choice);
                    ui.selectable_value(colormap, choice, choice.label());
                });
            }
        });
    });
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 8.0), Sense::hover());
    let strip = Rect::from_min_max(egui::pos2(rect.left() + LABEL + ui.spacing().item_spacing.x, rect.top()), rect.max);
    widgets::ramp(ui.painter(), strip, *colormap);
    *colormap != before
}

fn classes_ui(ui: &mut Ui, scheme: &mut ClassScheme) -> bool {
    let mut changed = false;
    for class in &mut scheme.classes {
        ui.push_id(class.id, |ui| {
            ui.horizontal(|ui| {
                changed |= ui
                    .color_edit_button_srgb(&mut class.color.0)
                    .accessible_name(format!("Colour of {}", class.name))
                    .changed();
                let width = ui.available_width() - 40.0;
                let edit = egui::TextEdit::singleline(&mut class.name).desired_width(width);
                changed |= ui.add(edit).accessible_name(format!("Name of class {}", class.id.0)).changed();
                ui.label(egui::RichText::new(class.id.0.to_string()).color(theme::of(ui).weak));
            });
        });
    }
    if scheme.classes.is_empty() {
        widgets::empty(ui, "The file names no classes.");
    } else if ui.button("Colour-blind safe colours").clicked() {
        for (i, class) in scheme.classes.iter_mut().enumerate() {
            class.color = Rgb::distinct(i);
        }
        changed = true;
    }
    changed
}

fn blend_ui(ui: &mut Ui, layer: &Layer, wishes: &mut Wishes) {
    row(ui, "Blend", |ui| {
        let width = ui.available_width();
        ComboBox::from_id_salt("blend").selected_text(layer.blend.label()).width(width).show_ui(ui, |ui| {
            for blend in Blend::ALL {
                if ui.selectable_label(blend == layer.blend, blend.label()).clicked() && blend != layer.blend {
                    wishes.commands.push(Command::SetBlend { layer: layer.id, blend });
                }
            }
        });
    });
}
