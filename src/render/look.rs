//! A layer's style as the shaders want it: one uniform and a palette.
//! A few kilobytes, written anew for every picture.

use bytemuck::{Pod, Zeroable};
use nunatak_domain::class::ClassScheme;
use nunatak_domain::colormap::ColormapName;
use nunatak_domain::map::DrawLayer;
use nunatak_domain::style::{Stretch, Style};

use crate::prior::check_size;

/// Twin of `Layer` in `shaders/common.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct LayerUniform {
    low: [f32; 4],
    scale: [f32; 4],
    power: [f32; 4],
    colormap: u32,
    palette_start: u32,
    palette_len: u32,
    padding: u32,
}

/// Which pipeline draws a layer; the numbers are the `KIND_*` of `shaders/common.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rgb = 0,
    Colormap = 1,
    Classes = 2,
}

/// Where a layer's uniform is, and which pipeline draws it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub uniform: usize,
    pub kind: Kind,
}

/// What all layers of a frame look like.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// Per drawn layer.
    pub uniforms: Vec<LayerUniform>,
    /// Class ids and colours, sorted by id within a layer.
    pub palette: Vec<[u32; 2]>,
}

impl Looks {
    pub(crate) fn clear(&mut self) {
        self.uniforms.clear();
        self.palette.clear();
    }

    /// Appends a layer, or says why it cannot be drawn.
    pub(crate) fn push(&mut self, layer: &DrawLayer) -> Result<Look, String> {
        let mut uniform = LayerUniform { power: [1.0; 4], scale: [1.0; 4], ..Default::default() };
        let kind = match &layer.style {
            Style::Rgb { stretch, .. } if layer.prior.is_none() => {
                for (channel, stretch) in stretch.iter().enumerate() {
                    uniform.set_stretch(channel, stretch);
                }
                Kind::Rgb
            }
            Style::Rgb { .. } => {
                return Err("a prior is shown through a colormap or as classes, not as red, green and blue".to_owned());
            }
            Style::Colormap { stretch, colormap, .. } => {
                uniform.colormap = ColormapName::ALL.iter().position(|name| name == colormap).unwrap_or(0) as u32;
                uniform.set_stretch(0, stretch);
                Kind::Colormap
            }
            Style::Classes { scheme, .. } => {
                uniform.palette_start = self.palette.len() as u32;
                self.palette.extend(sorted_palette(scheme));
                uniform.palette_len = self.palette.len() as u32 - uniform.palette_start;
                Kind::Classes
            }
        };
        if let Some(prior) = &layer.prior {
            check_size(prior)?;
        }
        self.uniforms.push(uniform);
        Ok(Look { uniform: self.uniforms.len() - 1, kind })
    }
}

impl LayerUniform {
    /// As `Stretch::apply`; equal limits become a step instead of a division by zero.
    fn set_stretch(&mut self, channel: usize, stretch: &Stretch) {
        let range = stretch.max - stretch.min;
        self.low[channel] = stretch.min as f32;
        self.scale[channel] = if range == 0.0 { f32::MAX } else { (1.0 / range) as f32 };
        self.power[channel] = (1.0 / stretch.gamma) as f32;
    }
}

/// The first of classes with one id wins, as in `ClassScheme::get`.
fn sorted_palette(scheme: &ClassScheme) -> Vec<[u32; 2]> {
    let mut entries: Vec<[u32; 2]> = scheme
        .classes
        .iter()
        .map(|class| {
            let [r, g, b] = class.color.0;
            [class.id.0, u32::from_le_bytes([r, g, b, 255])]
        })
        .collect();
    entries.sort_by_key(|entry| entry[0]);
    entries.dedup_by_key(|entry| entry[0]);
    entries
}
