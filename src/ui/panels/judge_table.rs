//! The confusion matrix as a heat table, the scores of its classes as bars, and both as text.

use std::fmt::Write;

use egui::{Align2, FontId, Rect, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};
use nunatak_app::{Judgement, Session};
use nunatak_domain::class::ClassId;
use nunatak_domain::geo::{GeoBounds, PixelPos};

use super::judge::percent;
use crate::theme;
use crate::widgets;
use crate::widgets::numbers;
use crate::wishes::Wishes;

/// Beyond so many classes nobody reads a table; it can be saved.
const MOST: usize = 40;
const CELL: Vec2 = vec2(46.0, 24.0);
const NAMES: f32 = 82.0;
/// Pixels around an example that is shown.
const AROUND: f64 = 16.0;

pub(super) fn matrix_ui(ui: &mut Ui, session: &Session, found: &Judgement, wishes: &mut Wishes) {
    let palette = theme::of(ui);
    let classes = found.matrix.classes();
    if classes.len() > MOST {
        widgets::empty(ui, "There are more classes than a table here can show. Save it to read it.");
        return;
    }
    let text = "Rows are the truth, columns the map. A click shows a pixel.";
    ui.label(egui::RichText::new(text).small().color(palette.weak));
    ScrollArea::horizontal().id_salt("confusion").show(ui, |ui| {
        let size = vec2(NAMES + CELL.x * (classes.len() + 1) as f32, CELL.y * (classes.len() + 2) as f32);
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let table = Table { found, at: rect.min };
        table.headers(ui);
        for (row, &truth) in classes.iter().enumerate() {
            for (column, &map) in classes.iter().enumerate() {
                table.cell(ui, session, (row, column), (truth, map), wishes);
            }
        }
        table.totals(ui);
    });
}

struct Table<'a> {
    found: &'a Judgement,
    at: egui::Pos2,
}

impl Table<'_> {
    /// Row 0 and column 0 are the first class's; the names lie above and left of them.
    fn rect(&self, row: usize, column: usize) -> Rect {
        let min = pos2(self.at.x + NAMES + column as f32 * CELL.x, self.at.y + (row + 1) as f32 * CELL.y);
        Rect::from_min_size(min, CELL)
    }

    fn headers(&self, ui: &Ui) {
        let palette = theme::of(ui);
        let small = FontId::proportional(theme::SMALL);
        let n = self.found.matrix.classes().len();
        for (index, &class) in self.found.matrix.classes().iter().enumerate() {
            let name = self.found.classes.name(class);
            let color = self.found.classes.get(class).map_or(palette.weak, |class| theme::color(class.color));
            let row = Rect::from_min_size(pos2(self.at.x, self.rect(index, 0).top()), vec2(NAMES, CELL.y));
            let column = self.rect(0, index).translate(vec2(0.0, -CELL.y));
            for rect in [row, column] {
                let swatch = Rect::from_center_size(rect.left_center() + vec2(5.0, 0.0), Vec2::splat(8.0));
                ui.painter().rect_filled(swatch, 2.0, color);
                let beside = Rect::from_min_max(pos2(rect.left() + 12.0, rect.top()), rect.max - vec2(2.0, 0.0));
                widgets::text_in(ui, beside, &name, small.clone(), palette.text);
            }
        }
        for rect in [self.rect(0, n).translate(vec2(0.0, -CELL.y)), self.rect(n, 0).translate(vec2(-CELL.x, 0.0))] {
            let at = rect.right_center() - vec2(4.0, 0.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, "Sum", small.clone(), palette.weak);
        }
    }

    fn cell(
        &self,
        ui: &Ui,
        session: &Session,
        (row, column): (usize, usize),
        (truth, map): (ClassId, ClassId),
        wishes: &mut Wishes,
    ) {
        let palette = theme::of(ui);
        let Judgement { matrix, classes, .. } = self.found;
        let n = matrix.count(truth, map);
        let rect = self.rect(row, column);
        let (truth_name, map_name) = (classes.name(truth), classes.name(map));
        let example = self.found.examples.get(&(truth, map));
        let sense = if example.is_some() { Sense::click() } else { Sense::hover() };
        let response = ui.interact(rect, ui.scope_id().with(("cell", row, column)), sense);
        let label = format!("Truth {truth_name}, map {map_name}, {n} pixels");
        response.widget_info(|| WidgetInfo::labeled(Role::Button, example.is_some(), &label));
        let support: u64 = matrix.classes().iter().map(|other| matrix.count(truth, *other)).sum();
        let share = if support > 0 { n as f32 / support as f32 } else { 0.0 };
        if n > 0 {
            let color = if row == column { palette.good } else { palette.error };
            // The root: one pixel in a hundred is still worth seeing.
            let fill = color.gamma_multiply(0.06 + 0.5 * share.sqrt());
            ui.painter().rect_filled(rect.shrink(1.0), 2.0, fill);
        }
        if response.hovered() && example.is_some() {
            let stroke = egui::Stroke::new(1.0, palette.accent);
            ui.painter().rect_stroke(rect.shrink(1.0), 2.0, stroke, egui::StrokeKind::Inside);
        }
        let ink = if n == 0 { palette.weak.gamma_multiply(0.6) } else { palette.text };
        let at = rect.right_center() - vec2(4.0, 0.0);
        ui.painter().text(at, Align2::RIGHT_CENTER, compact(n), FontId::proportional(theme::SMALL), ink);
        if response.clicked()
            && let Some(&[col, row]) = example
        {
            wishes.look_at = around(session, self.found, col, row);
        }
        if response.hovered() {
            let pixels = numbers::grouped(n as f64, 0);
            let share = percent((support > 0).then(|| f64::from(share)));
            response.on_hover_text(format!("{truth_name} mapped as {map_name}: {pixels} px, {share} of {truth_name}"));
        }
    }

    fn totals(&self, ui: &Ui) {
        let matrix = &self.found.matrix;
        let n = matrix.classes().len();
        let write = |rect: Rect, n: u64| {
            let palette = theme::of(ui);
            let at = rect.right_center() - vec2(4.0, 0.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, compact(n), theme::strong_font(theme::SMALL), palette.weak);
        };
        for (index, class) in matrix.per_class().iter().enumerate() {
            write(self.rect(index, n), class.support);
            write(self.rect(n, index), class.mapped);
        }
        write(self.rect(n, n), matrix.total());
    }
}

/// The map around a pixel.
fn around(session: &Session, found: &Judgement, col: usize, row: usize) -> Option<GeoBounds> {
    let (col, row) = (col as f64 + 0.5, row as f64 + 0.5);
    let corners = [(-AROUND, -AROUND), (AROUND, -AROUND), (AROUND, AROUND), (-AROUND, AROUND)];
    let geo = corners.map(|(dx, dy)| session.geo_of(found.scene, PixelPos::new(col + dx, row + dy)));
    GeoBounds::around(geo.into_iter().flatten())
}

/// Precision, recall, F1 and IoU of each class, as numbers over bars.
pub(super) fn classes_ui(ui: &mut Ui, found: &Judgement) {
    const SCORES: [(&str, &str); 4] = [
        ("Precision", "User's accuracy: what is mapped as the class and is it"),
        ("Recall", "Producer's accuracy: what is the class and mapped as it"),
        ("F1", "Harmonic mean of precision and recall"),
        ("IoU", "What is the class on both, of what is it on either"),
    ];
    let palette = theme::of(ui);
    let width = ui.available_width();
    let column = ((width - NAMES) / 4.0).max(40.0);
    let small = FontId::proportional(theme::SMALL);
    let (rect, _) = ui.allocate_exact_size(vec2(width, 20.0), Sense::hover());
    for (index, (name, hint)) in SCORES.iter().enumerate() {
        let at = Rect::from_min_size(pos2(rect.left() + NAMES + index as f32 * column, rect.top()), vec2(column, 20.0));
        ui.painter().text(at.left_center(), Align2::LEFT_CENTER, name, small.clone(), palette.weak);
        ui.interact(at, ui.scope_id().with(name), Sense::hover()).on_hover_text(*hint);
    }
    for class in found.matrix.per_class() {
        let name = found.classes.name(class.class);
        let color = found.classes.get(class.class).map_or(palette.accent, |class| theme::color(class.color));
        let (rect, response) = ui.allocate_exact_size(vec2(width, 30.0), Sense::hover());
        let scores = [class.precision, class.recall, class.f1, class.iou];
        let said: Vec<String> =
            SCORES.iter().zip(scores).map(|((name, _), v)| format!("{name} {}", percent(v))).collect();
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {}", said.join(", "))));
        let swatch = Rect::from_center_size(pos2(rect.left() + 5.0, rect.center().y), Vec2::splat(8.0));
        ui.painter().rect_filled(swatch, 2.0, color);
        let beside = Rect::from_min_max(pos2(rect.left() + 12.0, rect.top()), pos2(rect.left() + NAMES, rect.bottom()));
        widgets::text_in(ui, beside, &name, FontId::proportional(theme::BODY), palette.text);
        for (index, score) in scores.into_iter().enumerate() {
            let left = rect.left() + NAMES + index as f32 * column;
            let at = pos2(left, rect.top() + 10.0);
            let ink = if score.is_some() { palette.text } else { palette.weak };
            ui.painter().text(at, Align2::LEFT_CENTER, percent(score), small.clone(), ink);
            let track = Rect::from_min_size(pos2(left, rect.top() + 21.0), vec2(column - 10.0, 4.0));
            ui.painter().rect_filled(track, 2.0, palette.well);
            if let Some(score) = score.filter(|score| *score > 0.0) {
                let filled = vec2((track.width() * score as f32).max(2.0), track.height());
                ui.painter().rect_filled(Rect::from_min_size(track.min, filled), 2.0, palette.accent);
            }
        }
        if response.hovered() {
            let (truth, map) = (numbers::grouped(class.support as f64, 0), numbers::grouped(class.mapped as f64, 0));
            response.on_hover_text(format!("{name}: {truth} px in the truth, {map} px on the map"));
        }
    }
}

/// Tab-separated, for a spreadsheet or a mail.
pub(super) fn as_text(found: &Judgement) -> String {
    let Judgement { matrix, classes, .. } = found;
    let (mean, weighted) = (matrix.macro_average(), matrix.weighted_average());
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let mut lines = vec![format!("{} against {}", found.map, found.truth)];
    for (name, value) in [
        ("Overall accuracy", matrix.overall_accuracy()),
        ("Cohen's kappa", matrix.kappa()),
        ("Mean IoU", mean.iou),
        ("Frequency-weighted IoU", weighted.iou),
        ("Mean F1", mean.f1),
    ] {
        lines.push(format!("{name}\t{}", number(value)));
    }
    let names: Vec<String> = matrix.classes().iter().map(|class| classes.name(*class)).collect();
    lines.push(String::new());
    lines.push(format!("truth \\ map\t{}\tSum", names.join("\t")));
    for (class, row) in matrix.per_class().iter().zip(matrix.counts().chunks_exact(names.len().max(1))) {
        let mut line = classes.name(class.class);
        row.iter().for_each(|n| write!(line, "\t{n}").expect("writing to a string cannot fail"));
        lines.push(format!("{line}\t{}", class.support));
    }
    lines.push(String::new());
    lines.push("class\tprecision\trecall\tF1\tIoU".to_owned());
    for class in matrix.per_class() {
        let scores = [class.precision, class.recall, class.f1, class.iou].map(number).join("\t");
        lines.push(format!("{}\t{scores}", classes.name(class.class)));
    }
    lines.join("\n")
}

/// Four digits at most: `9999`, `12.3k`, `4.5M`.
fn compact(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..99_950 => format!("{:.1}k", n as f64 / 1e3),
        99_950..999_500 => format!("{:.0}k", n as f64 / 1e3),
        999_500..99_950_000 => format!("{:.1}M", n as f64 / 1e6),
        _ => format!("{:.0}M", n as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use nunatak_app::{JudgeRequest, JudgeTruth};
    use nunatak_domain::class::{Class, ClassScheme, Rgb};
    use nunatak_domain::layer::{LayerId, SceneId};
    use nunatak_domain::metrics::ConfusionMatrix;

    use super::*;

    #[test]
    fn a_class_without_pixels_has_dashes_in_the_text() {
        let classes = [(1, "Ice"), (2, "Rock")]
            .map(|(id, name)| Class::new(ClassId(id), name, Rgb::distinct(id as usize)))
            .to_vec();
        let layer = LayerId(1);
        let truth = JudgeTruth::Layer { layer };
        let found = Judgement {
            request: JudgeRequest { truth, map: layer, held_out: None, area_adjusted: false },
            truth: "Labels".to_owned(),
            map: "Map".to_owned(),
            matrix: ConfusionMatrix::from_counts(vec![ClassId(1), ClassId(2)], vec![3, 0, 0, 0]).expect("two classes"),
            classes: ClassScheme { classes },
            by_name: Vec::new(),
            remarks: Vec::new(),
            areas: None,
            examples: std::collections::BTreeMap::new(),
            scene: SceneId(1),
        };

        let text = as_text(&found);

        assert!(text.starts_with("Map against Labels\nOverall accuracy\t1.0000\nCohen's kappa\t–\n"), "{text}");
        assert!(text.contains("truth \\ map\tIce\tRock\tSum\nIce\t3\t0\t3\nRock\t0\t0\t0\n"), "{text}");
        assert!(text.ends_with("Ice\t1.0000\t1.0000\t1.0000\t1.0000\nRock\t–\t–\t–\t–"), "{text}");
    }

    #[test]
    fn counts_are_cut_to_what_a_cell_holds() {
        for (n, text) in [
            (0, "0"),
            (9_999, "9999"),
            (12_345, "12.3k"),
            (99_960, "100k"),
            (123_456, "123k"),
            (999_600, "1.0M"),
            (12_345_678, "12.3M"),
            (120_560_400, "121M"),
        ] {
            assert_eq!(compact(n), text);
        }
    }
}
