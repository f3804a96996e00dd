//! Hands a `MapFrame` to the renderer inside of egui's own render pass.

use egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use nunatak_domain::layer::LayerId;
use nunatak_domain::map::MapFrame;
use nunatak_render::MapRenderer;

/// Why layers are not drawn, as of the last frame; empty where all are.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Refused(pub Vec<(LayerId, String)>);

/// Puts the renderer where paint callbacks find it.
pub(crate) fn install(state: &RenderState) {
    let renderer = MapRenderer::new(&state.device, state.target_format);
    state.renderer.write().callback_resources.insert(renderer);
}

/// The shape that draws `frame` into `rect`.
pub(super) fn shape(ctx: &egui::Context, rect: egui::Rect, frame: MapFrame) -> egui::PaintCallback {
    egui_wgpu::Callback::new_paint_callback(rect, MapCallback { frame, ctx: ctx.clone() })
}

pub(crate) fn refused(ctx: &egui::Context) -> Refused {
    ctx.data(|data| data.get_temp(egui::Id::NULL)).unwrap_or_default()
}

struct MapCallback {
    frame: MapFrame,
    ctx: egui::Context,
}

impl CallbackTrait for MapCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(renderer) = resources.get_mut::<MapRenderer>() else { return Vec::new() };
        let prepared = renderer.prepare(device, queue, &self.frame);
        let refused = Refused(prepared.refused);
        if prepared.pending || refused != crate::map::paint::refused(&self.ctx) {
            self.ctx.request_repaint();
        }
        self.ctx.data_mut(|data| data.insert_temp(egui::Id::NULL, refused));
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(renderer) = resources.get::<MapRenderer>() {
            renderer.paint(pass);
        }
    }
}
