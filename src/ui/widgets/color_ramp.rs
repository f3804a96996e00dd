//! A strip of a colormap.

use egui::epaint::{Mesh, Vertex, WHITE_UV};
use egui::{Color32, Painter, Rect, Shape};
use nunatak_domain::colormap::ColormapName;

/// Fills `rect` with the colormap from left (0) to right (1).
pub(crate) fn ramp(painter: &Painter, rect: Rect, colormap: ColormapName) {
    const STEPS: u32 = 32;
    let mut mesh = Mesh::default();
    for step in 0..=STEPS {
        let t = f64::from(step) / f64::from(STEPS);
        let [r, g, b] = colormap.color(t);
        let x = rect.left() + rect.width() * t as f32;
        for y in [rect.top(), rect.bottom()] {
            mesh.vertices.push(Vertex { pos: egui::pos2(x, y), uv: WHITE_UV, color: Color32::from_rgb(r, g, b) });
        }
        if step > 0 {
            let i = 2 * step;
            mesh.add_triangle(i - 2, i - 1, i);
            mesh.add_triangle(i - 1, i, i + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
}
