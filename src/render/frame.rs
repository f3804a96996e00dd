//! What a `MapFrame` means for the renderer: which layers are composed apart, where the
//! swipe divider is, which textures a tile needs, and whether anything changed.

use std::sync::Arc;

use nunatak_domain::layer::Blend;
use nunatak_domain::map::{DrawLayer, DrawTile, MapFrame};

use crate::canvas::CompositeUniform;
use crate::geometry::CanvasWindow;

/// A layer that must be composed as a whole.
pub(crate) fn composed(layer: &DrawLayer) -> bool {
    layer.opacity < 1.0 || layer.blend != Blend::Normal
}

/// One per layer of the frame, in its order.
pub(crate) fn composites(frame: &MapFrame, window: CanvasWindow) -> Vec<CompositeUniform> {
    let composite =
        |layer: &DrawLayer| CompositeUniform::new(layer.opacity, layer.blend, left_px(layer, frame, window));
    frame.layers.iter().map(composite).collect()
}

/// First column of the canvas in which the layer is shown.
pub(crate) fn left_px(layer: &DrawLayer, frame: &MapFrame, window: CanvasWindow) -> u32 {
    match frame.swipe {
        Some(at) if layer.swiped => {
            let divider = (f64::from(at.clamp(0.0, 1.0)) * f64::from(frame.view.width_px)).round();
            (divider as u32).saturating_sub(window.x).min(window.width)
        }
        _ => 0,
    }
}

/// For each of three channels the tile's part and the array layer in it.
pub(crate) fn channels(layer: &DrawLayer, tile: &DrawTile) -> Result<[[usize; 2]; 3], String> {
    if let Some(prior) = &layer.prior {
        let held = tile.parts.first().map_or(0, |(_, pixels)| pixels.bands.len());
        return if held == prior.n_bands() {
            Ok([[0, 0]; 3])
        } else {
            Err(format!("the references have {} bands and the scene's tiles {held}", prior.n_bands()))
        };
    }
    let bands = layer.style.bands();
    let locate = |channel: usize| {
        let band = bands[channel.min(bands.len() - 1)];
        let place = tile
            .parts
            .iter()
            .enumerate()
            .find_map(|(part, (_, pixels))| Some([part, pixels.bands.iter().position(|&held| held == band)?]));
        place.ok_or_else(|| format!("band {} is not loaded", band + 1))
    };
    Ok([locate(0)?, locate(1)?, locate(2)?])
}

/// Whether two frames give the same picture. Pixels and meshes are compared by identity.
pub(crate) fn same_picture(a: &MapFrame, b: &MapFrame) -> bool {
    let same_parts = |a: &DrawTile, b: &DrawTile| {
        a.parts.len() == b.parts.len()
            && a.parts.iter().zip(&b.parts).all(|(a, b)| a.0 == b.0 && Arc::ptr_eq(&a.1, &b.1))
    };
    let same_tile = |a: &DrawTile, b: &DrawTile| {
        a.source == b.source && (Arc::ptr_eq(&a.mesh, &b.mesh) || a.mesh == b.mesh) && same_parts(a, b)
    };
    let same_prior = |a: &DrawLayer, b: &DrawLayer| match (&a.prior, &b.prior) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        (None, None) => true,
        _ => false,
    };
    let same_layer = |a: &DrawLayer, b: &DrawLayer| {
        a.layer == b.layer
            && a.opacity == b.opacity
            && a.blend == b.blend
            && a.swiped == b.swiped
            && a.style == b.style
            && same_prior(a, b)
            && a.tiles.len() == b.tiles.len()
            && a.tiles.iter().zip(&b.tiles).all(|(a, b)| same_tile(a, b))
    };
    a.view == b.view
        && a.swipe == b.swipe
        && a.layers.len() == b.layers.len()
        && a.layers.iter().zip(&b.layers).all(|(a, b)| same_layer(a, b))
}
