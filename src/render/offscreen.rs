//! `MapFrame` → picture without a window, for the command line, exports and tests.

use std::sync::{Arc, Mutex, PoisonError};

use nunatak_domain::map::{MapFrame, MapPainter, Picture};

use crate::geometry::CanvasWindow;
use crate::pipelines::Target;
use crate::renderer::{MapRenderer, Prepared};
use crate::textures::{UploadLimits, UploadStats};

/// Which adapter paints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// A GPU where there is one, else software.
    #[default]
    Auto,
    /// A GPU or an error.
    Hardware,
    /// Software (Mesa's lavapipe) or an error: the same pixels on every machine.
    Software,
}

/// Why nothing can be painted.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error(
        "no graphics adapter to draw with: install a graphics driver, or Mesa's software Vulkan (mesa-vulkan-drivers)"
    )]
    NoAdapter,
    #[error("no graphics processor found: install its driver, or allow software drawing")]
    NoHardware,
    #[error("no software adapter found: install Mesa's software Vulkan (mesa-vulkan-drivers)")]
    NoSoftware,
    #[error("the graphics adapter {name} cannot be used: {reason}")]
    Device { name: String, reason: String },
    #[error("drawing failed on {name}: {reason}")]
    Failed { name: String, reason: String },
    #[error("a picture of {width} × {height} pixels is too large: at most {limit} megapixels")]
    TooLarge { width: u32, height: u32, limit: u64 },
}

/// Paints pictures on a device of its own. A device that was lost is replaced at the next picture.
pub struct OffscreenPainter {
    choice: AdapterChoice,
    gpu: Option<Gpu>,
    /// Largest side of what is painted at once.
    part_px: u32,
    refused: Vec<String>,
}

struct Gpu {
    name: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    renderer: MapRenderer,
    /// First error that wgpu reported outside of a call.
    error: Arc<Mutex<Option<String>>>,
}

/// Larger pictures would not fit into memory beside everything else.
const MAX_MEGAPIXELS: u64 = 400;

/// Side of the parts of a large picture: 100 MiB of canvas, and every adapter can do it.
const PART_PX: u32 = 2048;

impl OffscreenPainter {
    /// # Errors
    /// One sentence: there is no such adapter, or it gives no device.
    pub fn new(choice: AdapterChoice) -> Result<Self, RenderError> {
        let gpu = Gpu::new(choice)?;
        let part_px = PART_PX.min(gpu.device.limits().max_texture_dimension_2d);
        Ok(Self { choice, gpu: Some(gpu), part_px, refused: Vec::new() })
    }

    /// Name of the adapter, for example `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub fn adapter(&self) -> &str {
        self.gpu.as_ref().map_or("", |gpu| &gpu.name)
    }

    /// Uploads of tiles so far.
    pub fn upload_stats(&self) -> UploadStats {
        self.gpu.as_ref().map(|gpu| gpu.renderer.upload_stats()).unwrap_or_default()
    }

    /// Layers of the last picture that could not be drawn, one sentence each.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Paints `frame.view`, transparent where nothing is.
    ///
    /// # Errors
    /// The picture is too large, or the device failed; the next call starts a new device.
    pub fn picture(&mut self, frame: &MapFrame) -> Result<Picture, RenderError> {
        let (width, height) = (frame.view.width_px, frame.view.height_px);
        if u64::from(width) * u64::from(height) > MAX_MEGAPIXELS * 1_000_000 {
            return Err(RenderError::TooLarge { width, height, limit: MAX_MEGAPIXELS });
        }
        let mut gpu = match self.gpu.take() {
            Some(gpu) => gpu,
            None => Gpu::new(self.choice)?,
        };
        let mut picture = Picture { width, height, rgba: vec![0; width as usize * height as usize * 4] };
        self.refused.clear();
        for window in parts(width, height, self.part_px) {
            let prepared = gpu.paint_part(frame, window, &mut picture)?;
            for (_, reason) in prepared.refused {
                if !self.refused.contains(&reason) {
                    self.refused.push(reason);
                }
            }
        }
        self.gpu = Some(gpu);
        Ok(picture)
    }

    /// Paints in parts of at most this side, to test that parts cannot be seen.
    #[cfg(test)]
    pub(crate) fn set_part_px(&mut self, part_px: u32) {
        self.part_px = part_px;
    }

    #[cfg(test)]
    pub(crate) fn device(&self) -> (wgpu::Device, wgpu::Queue) {
        let gpu = self.gpu.as_ref().expect("a new painter has a device");
        (gpu.device.clone(), gpu.queue.clone())
    }
}

impl MapPainter for OffscreenPainter {
    fn paint(&mut self, frame: &MapFrame) -> Result<Picture, String> {
        let picture = self.picture(frame).map_err(|error| error.to_string())?;
        for reason in &self.refused {
            log::warn!("{reason}");
        }
        Ok(picture)
    }
}

impl Gpu {
    /// The first adapter that gives a device, the best ones asked first.
    fn new(choice: AdapterChoice) -> Result<Self, RenderError> {
        let mut refusal = None;
        for adapter in find_adapters(choice)? {
            match Self::with_adapter(&adapter) {
                Ok(gpu) => return Ok(gpu),
                Err(error) => {
                    log::warn!("{error}");
                    refusal.get_or_insert(error);
                }
            }
        }
        Err(refusal.unwrap_or(RenderError::NoAdapter))
    }

    fn with_adapter(adapter: &wgpu::Adapter) -> Result<Self, RenderError> {
        let name = adapter.get_info().name;
        let limits = wgpu::Limits::default().using_resolution(adapter.limits());
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("nunatak pictures"),
            required_limits: limits,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|error| RenderError::Device { name: name.clone(), reason: error.to_string() })?;
        let error = Arc::new(Mutex::new(None));
        let first = Arc::clone(&error);
        device.on_uncaptured_error(Arc::new(move |found: wgpu::Error| {
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| found.to_string());
        }));
        let limits = UploadLimits::unhurried();
        let renderer = MapRenderer::with_target(&device, Target::Picture, limits);
        Ok(Self { name, device, queue, renderer, error })
    }

    fn paint_part(
        &mut self,
        frame: &MapFrame,
        window: CanvasWindow,
        picture: &mut Picture,
    ) -> Result<Prepared, RenderError> {
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: wgpu::Extent3d { width: window.width, height: window.height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = target.create_view(&Default::default());
        let prepared = self.renderer.prepare_window(&self.device, &self.queue, frame, window);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = crate::renderer::begin(&mut encoder, &view);
        self.renderer.paint(&mut pass);
        drop(pass);
        self.read(encoder, &target, window, picture)?;
        Ok(prepared)
    }

    /// Copies the target into its place in the picture.
    fn read(
        &self,
        mut encoder: wgpu::CommandEncoder,
        target: &wgpu::Texture,
        window: CanvasWindow,
        picture: &mut Picture,
    ) -> Result<(), RenderError> {
        let row_bytes = window.width * 4;
        let padded = row_bytes.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(padded) * u64::from(window.height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: Some(window.height) };
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            target.size(),
        );
        self.queue.submit([encoder.finish()]);
        let mapped = Arc::new(Mutex::new(None));
        let result = Arc::clone(&mapped);
        buffer.map_async(wgpu::MapMode::Read, .., move |outcome| {
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        });
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| self.failed(&error))?;
        if let Some(reason) = self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(self.failed(&reason));
        }
        match mapped.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(self.failed(&error)),
            None => return Err(self.failed(&"the picture never arrived")),
        }
        let bytes = buffer.get_mapped_range(..).map_err(|error| self.failed(&error))?;
        for (row, source) in bytes.chunks_exact(padded as usize).enumerate() {
            let start = ((window.y as usize + row) * picture.width as usize + window.x as usize) * 4;
            picture.rgba[start..start + row_bytes as usize].copy_from_slice(&source[..row_bytes as usize]);
        }
        Ok(())
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> RenderError {
        RenderError::Failed { name: self.name.clone(), reason: reason.to_string() }
    }
}

/// Never empty; GPUs before software.
fn find_adapters(choice: AdapterChoice) -> Result<Vec<wgpu::Adapter>, RenderError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let software = |adapter: &wgpu::Adapter| adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let rank = |adapter: &wgpu::Adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    let missing = match choice {
        AdapterChoice::Auto => RenderError::NoAdapter,
        AdapterChoice::Hardware => {
            adapters.retain(|adapter| !software(adapter));
            RenderError::NoHardware
        }
        AdapterChoice::Software => {
            adapters.retain(software);
            RenderError::NoSoftware
        }
    };
    adapters.sort_by_key(rank);
    if adapters.is_empty() { Err(missing) } else { Ok(adapters) }
}

/// Windows of at most `side` × `side` that cover a picture.
fn parts(width: u32, height: u32, side: u32) -> Vec<CanvasWindow> {
    let starts = |length: u32| (0..length).step_by(side.max(1) as usize);
    starts(height)
        .flat_map(|y| {
            starts(width).map(move |x| CanvasWindow { x, y, width: side.min(width - x), height: side.min(height - y) })
        })
        .collect()
}
