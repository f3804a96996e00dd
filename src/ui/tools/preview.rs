//! What a tool shows on the map before it paints: the brush's ring with its size, outlines.

use egui::{Align2, Painter, Pos2, Rect, Shape, Stroke};
use nunatak_app::Session;
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::BrushShape;
use nunatak_domain::layer::SceneId;

use super::{Hand, PaintTool, ToolOptions, aim};
use crate::map::{MapState, Tool, line_on_map, metres_per_map_unit, pos_of, text_on_map};
use crate::theme;
use crate::widgets::numbers;

/// Corners of a drawn circle.
const CORNERS: usize = 64;
/// A ring of fewer points is no help: a cross instead.
const SMALLEST_RING: f32 = 3.0;

/// Draws it; `quiet` while the pointer does something else (pans, drags a box).
pub(crate) fn preview(
    painter: &Painter,
    rect: Rect,
    session: &Session,
    map: &MapState,
    hand: &Hand,
    options: &ToolOptions,
    quiet: bool,
) {
    let tool = match map.tool {
        Tool::Paint(tool) => tool,
        Tool::Pick => PaintTool::Brush,
        _ => return,
    };
    let kept = hand.aim.filter(|_| hand.busy());
    let Some(aim) = kept.or_else(|| aim(session, map.chosen)) else { return };
    let screen = |pixel: PixelPos| {
        let geo = session.geo_of(aim.scene, pixel)?;
        Some(pos_of(rect, map.camera.view(), geo, map.pixels_per_point))
    };
    outline(painter, hand, &screen);
    if let Some(hover) = hand.hover.filter(|_| tool.has_size() && !quiet) {
        let size = f64::from(options.size_px);
        let square = options.shape == BrushShape::Square && tool != PaintTool::Line;
        let ring: Vec<Pos2> = ring(hover, 0.5 * size, square).into_iter().filter_map(screen).collect();
        let around = Rect::from_points(&ring);
        if around.width() > SMALLEST_RING {
            painter.add(Shape::closed_line(ring.clone(), Stroke::new(3.0, theme::ON_MAP_EDGE)));
            painter.add(Shape::closed_line(ring, Stroke::new(1.25, theme::ON_MAP)));
        }
        let text = size_text(session, aim.scene, options.size_px);
        // Where the ring is larger than the view, beside the pointer.
        let below = around.center_bottom() + egui::vec2(0.0, 6.0);
        let beside = screen(hover).map(|pos| pos + egui::vec2(0.0, 16.0));
        if let Some(pos) = Some(below).filter(|pos| rect.shrink(16.0).contains(*pos)).or(beside) {
            text_on_map(painter, pos, Align2::CENTER_TOP, &text);
        }
    }
}

fn outline(painter: &Painter, hand: &Hand, screen: &impl Fn(PixelPos) -> Option<Pos2>) {
    let outline = hand.machine.outline(hand.hover);
    let points: Vec<Pos2> = outline.positions.iter().copied().filter_map(screen).collect();
    if points.len() > 1 {
        for (width, color) in [(4.0, theme::ON_MAP_EDGE), (2.0, theme::ON_MAP)] {
            painter.add(Shape::line(points.clone(), Stroke::new(width, color)));
        }
        if let (true, Some(first), Some(last)) = (outline.closed, points.first(), points.last()) {
            painter.add(Shape::dashed_line(&[*last, *first], Stroke::new(2.0, theme::ON_MAP), 5.0, 4.0));
        }
    }
    if let [only] = points[..] {
        line_on_map(painter, [only - egui::vec2(3.0, 0.0), only + egui::vec2(3.0, 0.0)]);
    }
    for point in points.iter().take(outline.n_handles) {
        painter.circle(*point, 3.5, theme::ON_MAP, Stroke::new(1.5, theme::ON_MAP_EDGE));
    }
}

/// The border of what a brush covers, in pixels of the scene.
fn ring(at: PixelPos, half: f64, square: bool) -> Vec<PixelPos> {
    if square {
        return [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
            .map(|(x, y)| PixelPos::new(at.col + x * half, at.row + y * half))
            .to_vec();
    }
    (0..CORNERS)
        .map(|i| {
            let (sin, cos) = (i as f64 / CORNERS as f64 * std::f64::consts::TAU).sin_cos();
            PixelPos::new(at.col + half * cos, at.row + half * sin)
        })
        .collect()
}

/// `9 px · 90 m`.
pub(super) fn size_text(session: &Session, scene: SceneId, size_px: u32) -> String {
    match metres_per_px(session, scene) {
        Some(metres) => format!("{size_px} px · {}", numbers::metres_rounded(f64::from(size_px) * metres)),
        None => format!("{size_px} px"),
    }
}

/// Length of a scene's pixel on the ground.
pub(super) fn metres_per_px(session: &Session, scene: SceneId) -> Option<f64> {
    let layer = session.layers().iter().find(|layer| layer.source.scene() == scene)?.id;
    let center = session.layer_bounds(layer)?.center();
    Some(session.layer_pixel_size(layer)? * metres_per_map_unit(session, center)?)
}
