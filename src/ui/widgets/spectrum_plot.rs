//! Spectra as lines over wavelength, or over band numbers where no wavelengths are known.

use egui::{Color32, Ui};
use egui_plot::{AxisHints, FilledArea, GridInput, GridMark, Line, LineStyle, Plot, PlotPoints, Points};
use nunatak_domain::scene::BandInfo;
use nunatak_domain::spectra::TargetBand;

use crate::theme;
use crate::widgets::numbers;

/// More bands than this are a line without dots.
const MAX_DOTS: usize = 40;

/// The x axis of a plot: one position per band.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpectrumAxis {
    pub positions: Vec<f64>,
    pub names: Vec<String>,
    /// Nanometres rather than band numbers.
    pub nm: bool,
}

impl SpectrumAxis {
    /// Where nothing is known of the bands but, perhaps, their names.
    pub(crate) fn numbered(n_bands: usize, names: &[String]) -> Self {
        let name = |index: usize| names.get(index).cloned().unwrap_or_else(|| format!("Band {}", index + 1));
        Self {
            positions: (1..=n_bands).map(|n| n as f64).collect(),
            names: (0..n_bands).map(name).collect(),
            nm: false,
        }
    }

    /// Bands that spectra are brought to.
    pub(crate) fn of_targets(bands: &[TargetBand]) -> Self {
        let names: Vec<String> = bands.iter().map(|band| band.name.clone()).collect();
        let wavelengths: Option<Vec<f64>> = bands.iter().map(|band| band.wavelength_nm).collect();
        match wavelengths {
            Some(positions) if positions.len() > 1 => Self { positions, names, nm: true },
            _ => Self::numbered(bands.len(), &names),
        }
    }

    pub(crate) fn of(bands: &[BandInfo]) -> Self {
        let wavelengths: Option<Vec<f64>> = bands.iter().map(|band| band.wavelength_nm).collect();
        let names = bands.iter().map(|band| band.name.clone()).collect();
        match wavelengths {
            Some(positions) if positions.len() > 1 => Self { positions, names, nm: true },
            _ => Self { positions: (1..=bands.len()).map(|n| n as f64).collect(), names, nm: false },
        }
    }
}

/// One spectrum.
pub(crate) struct Curve {
    pub name: String,
    pub color: Color32,
    pub values: Vec<Option<f64>>,
    /// Standard deviation per band, drawn as a band around the values; empty where it is not known.
    pub spread: Vec<f64>,
    /// The pixel itself: a thick line with dots.
    pub main: bool,
}

/// Draws the curves; curves of another number of bands are left out. Returns the response so that
/// the caller can hang a menu on it.
pub(crate) fn spectrum_plot(
    ui: &mut Ui,
    id: &str,
    axis: &SpectrumAxis,
    curves: &[Curve],
    height: f32,
) -> egui::Response {
    let names = axis.clone();
    let color = theme::of(ui);
    let tick = |axis: AxisHints<'static>| axis.formatter(|mark, _| short(mark.value)).label_spacing(8.0..=9.0);
    let plot = Plot::new(id)
        .height(height)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .show_background(true)
        .grid_color(color.weak.gamma_multiply(0.35))
        .set_margin_fraction(egui::vec2(0.03, 0.08))
        .cursor_color(color.weak.gamma_multiply(0.6))
        .x_grid_spacer(|input| marks(input, 6.0, if axis.nm { 0.0 } else { 1.0 }))
        .y_grid_spacer(|input| marks(input, 5.0, 0.0))
        .custom_x_axes(vec![tick(AxisHints::new_x()).formatter(|mark, range| {
            // A label at the right end would be cut off.
            let room = range.end() - mark.value > 0.05 * (range.end() - range.start());
            if room { short(mark.value) } else { String::new() }
        })])
        .custom_y_axes(vec![tick(AxisHints::new_y()).min_thickness(34.0)])
        .label_formatter(move |hover| Some(label(&names, hover)));
    let response = plot.show(ui, |plot| {
        let fitting = |curve: &&Curve| curve.values.len() == axis.positions.len();
        for curve in curves.iter().filter(fitting).filter(|curve| curve.spread.len() == curve.values.len()) {
            if let Some(area) = area(axis, curve) {
                plot.add(area);
            }
        }
        for curve in curves.iter().filter(fitting).filter(|curve| !curve.main) {
            plot.line(line(axis, curve).width(1.25));
        }
        for curve in curves.iter().filter(fitting).filter(|curve| curve.main) {
            plot.line(line(axis, curve).width(2.0).style(LineStyle::Solid));
            if axis.positions.len() <= MAX_DOTS {
                plot.points(Points::new(curve.name.clone(), points(axis, curve)).color(curve.color).radius(2.5));
            }
        }
    });
    response.response
}

/// One standard deviation to both sides.
fn area(axis: &SpectrumAxis, curve: &Curve) -> Option<FilledArea> {
    let values: Option<Vec<f64>> = curve.values.iter().copied().collect();
    let mut rows: Vec<(f64, f64, f64)> = axis
        .positions
        .iter()
        .zip(values?)
        .zip(&curve.spread)
        .map(|((x, y), spread)| (*x, y - spread, y + spread))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let column = |of: fn(&(f64, f64, f64)) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let (xs, low, high) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
    let area = FilledArea::new("", &xs, &low, &high).fill_color(curve.color.gamma_multiply(0.22));
    Some(area.allow_hover(false))
}

/// In the order of the axis: hyperspectral sensors list overlapping detectors one after the other.
fn points<'a>(axis: &SpectrumAxis, curve: &Curve) -> PlotPoints<'a> {
    let known = axis.positions.iter().zip(&curve.values).filter_map(|(&x, value)| value.map(|y| [x, y]));
    let mut points: Vec<[f64; 2]> = known.collect();
    points.sort_by(|a, b| a[0].total_cmp(&b[0]));
    points.into()
}

fn line<'a>(axis: &SpectrumAxis, curve: &Curve) -> Line<'a> {
    Line::new(curve.name.clone(), points(axis, curve)).color(curve.color)
}

fn label(axis: &SpectrumAxis, hover: &egui_plot::HoverPosition<'_>) -> String {
    let (name, position) = match hover {
        egui_plot::HoverPosition::NearDataPoint { plot_name, position, .. } => (*plot_name, position),
        egui_plot::HoverPosition::Elsewhere { position } => ("", position),
    };
    let nearest = axis
        .positions
        .iter()
        .enumerate()
        .min_by(|a, b| (a.1 - position.x).abs().total_cmp(&(b.1 - position.x).abs()))
        .map(|(i, x)| (axis.names[i].as_str(), *x));
    let band = nearest
        .map_or(String::new(), |(band, x)| if axis.nm { format!("{band} ({x:.0} nm)") } else { band.to_owned() });
    if name.is_empty() { band } else { format!("{name}\n{band}: {}", numbers::value(position.y)) }
}

/// About `n` marks at round values, no closer than `least`.
fn marks(input: GridInput, n: f64, least: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let rough = (high - low) / n;
    let step = [1.0, 2.0, 2.5]
        .map(|factor| numbers::round_below(rough * factor))
        .into_iter()
        .fold(f64::MIN, f64::max)
        .max(least);
    if !(step > 0.0 && step.is_finite() && (high - low) / step < 200.0) {
        return Vec::new();
    }
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| GridMark { value: i as f64 * step, step_size: step }).collect()
}

/// Axis labels that fit 34 points.
fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        format!("{:.1}M", value / 1e6)
    } else if size >= 1e4 {
        format!("{:.0}k", value / 1e3)
    } else if size >= 10.0 || (value - value.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
