//! Where a scene's pixels lie on a label raster: nearest neighbour at pixel centres.

use nunatak_domain::geo::{GeoBounds, GeoPos, GeoTransform, Georeference, PixelPos};
use nunatak_domain::grid::PixelRect;
use nunatak_domain::scene::SceneInfo;

use crate::error::IoError;
use crate::reproject::{Transformer, same_crs};

/// From the scene's grid to the labels'.
pub(super) struct Alignment {
    kind: Kind,
    /// What is changed; empty where the grids are the same.
    pub(super) remarks: Vec<String>,
}

enum Kind {
    Same,
    Nearest(Box<Nearest>),
}

struct Nearest {
    scene: GeoTransform,
    labels: GeoTransform,
    transformer: Option<Transformer>,
    bounds: GeoBounds,
    width: usize,
    height: usize,
}

/// A pixel of the labels, `None` outside of them.
pub(super) type LabelPixel = Option<(usize, usize)>;

impl Alignment {
    /// # Errors
    /// One of both states no position and their sizes differ, or no operation leads from one
    /// coordinate system to the other.
    pub(super) fn of(scene: &SceneInfo, labels: &SceneInfo) -> Result<Self, IoError> {
        let same_size = (scene.width, scene.height) == (labels.width, labels.height);
        let (Some(from), Some(to)) = (affine(scene), affine(labels)) else {
            return without_position(scene, labels, same_size);
        };
        let mut remarks = Vec::new();
        let transformer = match (&scene.crs, &labels.crs) {
            (Some(a), Some(b)) if same_crs(a, b) => None,
            (Some(a), Some(b)) => Some(Transformer::new(a, b)?),
            (Some(crs), None) => {
                remarks.push(format!(
                    "the labels state no coordinate system: taken to be the scene's, {}",
                    crs.short_name()
                ));
                None
            }
            (None, Some(crs)) => {
                remarks.push(format!(
                    "the scene states no coordinate system: taken to be the labels', {}",
                    crs.short_name()
                ));
                None
            }
            (None, None) => None,
        };
        if transformer.is_none() && same_size && same_grid(&from, &to, scene) {
            return Ok(Self { kind: Kind::Same, remarks });
        }
        remarks.push(describe(scene, labels, &from, &to, transformer.as_ref()));
        let bounds = to.bounds(labels.width, labels.height);
        let nearest =
            Nearest { scene: from, labels: to, transformer, bounds, width: labels.width, height: labels.height };
        Ok(Self { kind: Kind::Nearest(Box::new(nearest)), remarks })
    }

    /// The grids are the same: pixels are copied.
    pub(super) fn same(&self) -> bool {
        matches!(self.kind, Kind::Same)
    }

    /// Whether labels may lie in this window of the scene.
    pub(super) fn touches(&self, rect: PixelRect) -> bool {
        let Kind::Nearest(nearest) = &self.kind else { return true };
        let window = nearest.scene.window(rect.col as f64, rect.row as f64, 1.0, 1.0);
        let bounds = window.bounds(rect.width, rect.height);
        let image = match &nearest.transformer {
            Some(transformer) => transformer.bounds(bounds),
            None => Some(bounds),
        };
        // Bounds of a bent box are taken from a few positions: a margin of its own size is safe.
        image.is_some_and(|b| {
            let (w, h) = (b.width(), b.height());
            let grown = GeoBounds { min_x: b.min_x - w, min_y: b.min_y - h, max_x: b.max_x + w, max_y: b.max_y + h };
            grown.intersects(&nearest.bounds)
        })
    }

    /// The pixel of the labels under each pixel centre, `[row, col]`. Costs a transformation per
    /// pixel where the coordinate systems differ, about a microsecond each.
    pub(super) fn pixels(&self, rect: PixelRect) -> Vec<LabelPixel> {
        let centers = (rect.row..rect.bottom()).flat_map(|row| (rect.col..rect.right()).map(move |col| (col, row)));
        let Kind::Nearest(nearest) = &self.kind else { return centers.map(Some).collect() };
        let mut positions: Vec<GeoPos> = centers
            .map(|(col, row)| nearest.scene.geo_from_pixel(PixelPos::new(col as f64 + 0.5, row as f64 + 0.5)))
            .collect();
        if let Some(transformer) = &nearest.transformer {
            transformer.points(&mut positions);
        }
        positions.iter().map(|pos| nearest.label_pixel(*pos)).collect()
    }
}

impl Nearest {
    fn label_pixel(&self, pos: GeoPos) -> LabelPixel {
        // GDAL's warper adds this much, so that centres that fall on an edge go one way.
        const EPSILON: f64 = 1e-10;
        let pixel = self.labels.pixel_from_geo(pos)?;
        let (col, row) = ((pixel.col + EPSILON).floor(), (pixel.row + EPSILON).floor());
        let inside = (0.0..self.width as f64).contains(&col) && (0.0..self.height as f64).contains(&row);
        inside.then_some((col as usize, row as usize))
    }
}

fn affine(info: &SceneInfo) -> Option<GeoTransform> {
    match &info.georeference {
        Georeference::Affine { transform } => Some(*transform),
        Georeference::None | Georeference::Gcps { .. } => None,
    }
}

fn without_position(scene: &SceneInfo, labels: &SceneInfo, same_size: bool) -> Result<Alignment, IoError> {
    if !same_size {
        let reason = format!(
            "the labels ({} x {} pixels) or the scene ({} x {}) state no position, so only labels of the scene's size fit",
            labels.width, labels.height, scene.width, scene.height
        );
        return Err(IoError::unsupported(&labels.path, reason));
    }
    let both = affine(scene).is_none() && affine(labels).is_none();
    let remarks = if both {
        Vec::new()
    } else {
        vec![
            "only one of labels and scene states a position: they have the same size and are laid upon each other"
                .to_owned(),
        ]
    };
    Ok(Alignment { kind: Kind::Same, remarks })
}

/// Corners agree to a hundredth of a pixel.
fn same_grid(a: &GeoTransform, b: &GeoTransform, scene: &SceneInfo) -> bool {
    let (w, h) = (scene.width as f64, scene.height as f64);
    [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].into_iter().all(|(col, row)| {
        let at = b.pixel_from_geo(a.geo_from_pixel(PixelPos::new(col, row)));
        at.is_some_and(|at| (at.col - col).abs() < 0.01 && (at.row - row).abs() < 0.01)
    })
}

fn describe(
    scene: &SceneInfo,
    labels: &SceneInfo,
    from: &GeoTransform,
    to: &GeoTransform,
    transformer: Option<&Transformer>,
) -> String {
    let mut changed = Vec::new();
    let size = |transform: &GeoTransform| {
        let (w, h) = transform.pixel_size();
        if (w - h).abs() < 1e-9 * w { shown(w) } else { format!("{} x {}", shown(w), shown(h)) }
    };
    if let Some(transformer) = transformer {
        changed.push(format!("from {} to {}", transformer.to.short_name(), transformer.from.short_name()));
    }
    let (a, b) = (from.pixel_size(), to.pixel_size());
    let same_size = (a.0 / b.0 - 1.0).abs() < 1e-6 && (a.1 / b.1 - 1.0).abs() < 1e-6;
    if transformer.is_some() || !same_size {
        changed.push(format!("from pixels of {} to pixels of {}", size(to), size(from)));
    } else if let Some(at) = to.pixel_from_geo(from.geo_from_pixel(PixelPos::new(0.0, 0.0))) {
        let (dx, dy) = (at.col - at.col.round(), at.row - at.row.round());
        if dx.abs() > 0.01 || dy.abs() > 0.01 {
            changed.push(format!("shifted by {dx:.2}, {dy:.2} pixels to the scene's grid"));
        } else {
            let (cols, rows) = (at.col.round(), at.row.round());
            changed.push(format!("cut to the scene, which begins at column {cols}, row {rows} of the labels"));
        }
    }
    if (scene.width, scene.height) != (labels.width, labels.height) {
        changed.push(format!("{} x {} pixels onto {} x {}", labels.width, labels.height, scene.width, scene.height));
    }
    format!("the labels were brought to the scene's grid, nearest neighbour at pixel centres: {}", changed.join(", "))
}

/// Up to six significant digits.
fn shown(value: f64) -> String {
    let digits = (5.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
