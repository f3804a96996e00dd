//! A band's distribution with handles for the limits of its stretch.

use egui::{Color32, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};
use nunatak_domain::scene::BandStatistics;
use nunatak_domain::style::Stretch;

use crate::theme;

const HEIGHT: f32 = 48.0;
const BINS: usize = 64;

/// Which handle is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limits {
    Min,
    Max,
}

/// Draws the distribution that 101 percentiles describe; dragging a handle moves a limit.
/// Returns whether `stretch` changed.
pub(crate) fn histogram(
    ui: &mut Ui,
    label: &str,
    color: Color32,
    statistics: &BandStatistics,
    stretch: &mut Stretch,
) -> bool {
    let palette = theme::of(ui);
    let (whole, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), HEIGHT), Sense::click_and_drag());
    let rect = whole.shrink2(Vec2::new(5.0, 0.0));
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, format!("Stretch of {label}")));
    let (low, high) = shown_range(statistics, stretch);
    let x_of = |value: f64| rect.left() + (((value - low) / (high - low)) as f32).clamp(0.0, 1.0) * rect.width();

    let painter = ui.painter_at(whole);
    painter.rect_filled(whole, theme::RADIUS, palette.well);
    let bins = bins(statistics, low, high);
    let top = bins.iter().copied().fold(0.0, f64::max);
    if top > 0.0 {
        let width = rect.width() / BINS as f32;
        for (i, share) in bins.iter().enumerate() {
            // Square root: tails matter more to a stretch than the peak.
            let height = (share / top).sqrt() as f32 * (rect.height() - 6.0);
            let left = rect.left() + i as f32 * width;
            let bar = Rect::from_min_max(
                egui::pos2(left, rect.bottom() - height),
                egui::pos2(left + width + 0.5, rect.bottom()),
            );
            painter.rect_filled(bar, 0.0, color.gamma_multiply(0.55));
        }
    }
    for limit in [stretch.min, stretch.max] {
        let x = x_of(limit);
        painter.vline(x, rect.y_range(), Stroke::new(1.5, color));
        painter.circle_filled(egui::pos2(x, rect.top() + 5.0), 4.0, color);
    }
    drag(ui, &response, rect, (low, high), x_of, stretch)
}

fn drag(
    ui: &Ui,
    response: &Response,
    rect: Rect,
    (low, high): (f64, f64),
    x_of: impl Fn(f64) -> f32,
    stretch: &mut Stretch,
) -> bool {
    let held_id = response.id.with("held");
    if response.hovered() || response.dragged() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
    }
    let Some(pointer) = response.interact_pointer_pos() else { return false };
    if response.drag_started() || response.clicked() {
        let nearer_min = (pointer.x - x_of(stretch.min)).abs() <= (pointer.x - x_of(stretch.max)).abs();
        let held = if nearer_min { Limits::Min } else { Limits::Max };
        ui.data_mut(|data| data.insert_temp(held_id, held));
    }
    if !(response.dragged() || response.clicked()) {
        return false;
    }
    let value = low + f64::from((pointer.x - rect.left()) / rect.width()).clamp(0.0, 1.0) * (high - low);
    let gap = (high - low) * 1e-3;
    match ui.data(|data| data.get_temp(held_id)).unwrap_or(Limits::Min) {
        Limits::Min => stretch.min = value.min(stretch.max - gap),
        Limits::Max => stretch.max = value.max(stretch.min + gap),
    }
    true
}

/// From the lowest to the highest of what is known and what is set, without far outliers.
fn shown_range(statistics: &BandStatistics, stretch: &Stretch) -> (f64, f64) {
    let (p1, p99) = (statistics.percentile(1.0), statistics.percentile(99.0));
    let margin = (p99 - p1) * 0.25;
    let low = (p1 - margin).max(statistics.min).min(stretch.min);
    let high = (p99 + margin).min(statistics.max).max(stretch.max);
    if high > low { (low, high) } else { (low, low + 1.0) }
}

/// Share of the pixels in each bin; between two percentiles 1 % is spread evenly.
fn bins(statistics: &BandStatistics, low: f64, high: f64) -> [f64; BINS] {
    let mut bins = [0.0; BINS];
    let width = (high - low) / BINS as f64;
    for pair in statistics.percentiles.windows(2) {
        let (from, to) = (pair[0], pair[1].max(pair[0] + width * 1e-3));
        let first = ((from - low) / width).floor().max(0.0) as usize;
        let last = (((to - low) / width).floor().max(0.0) as usize).min(BINS - 1);
        for (bin, share) in bins.iter_mut().enumerate().take(last + 1).skip(first) {
            let left = low + bin as f64 * width;
            let overlap = to.min(left + width) - from.max(left);
            *share += overlap.max(0.0) / (to - from);
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunatak_domain::scene::StatisticsSource;

    #[test]
    fn bins_hold_all_pixels() {
        let statistics = BandStatistics::of((0..1000).map(f64::from), 1000, StatisticsSource::Exact).expect("values");

        let sum: f64 = bins(&statistics, 0.0, 1000.0).iter().sum();

        assert!((sum - 100.0).abs() < 1e-6, "{sum}");
    }
}
