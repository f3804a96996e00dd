//! Tiles' pixels in video memory: uploaded once, within a budget per frame, the least
//! recently drawn ones given back when they take too much room.
//!
//! Invariant: a texture holds all bands of its tile as they came from the disk, so no change
//! of style uploads anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use nunatak_domain::map::{TileKey, TilePixels};

/// What went to video memory since the renderer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadStats {
    pub tiles: u64,
    pub bytes: u64,
    /// Tiles given back.
    pub evicted: u64,
    /// In video memory now.
    pub resident_bytes: u64,
    /// Tiles whose prior was computed.
    pub prior_tiles: u64,
}

/// How much video memory tiles may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// Bytes uploaded per frame; one tile always passes.
    pub per_frame: u64,
    /// Bytes kept. The tiles of the picture itself are kept even where they alone take more.
    pub resident: u64,
    /// Tiles per frame whose prior is computed; at least one.
    pub prior_tiles_per_frame: usize,
}

impl Default for UploadLimits {
    fn default() -> Self {
        // 16 MiB are copied in well under a frame; more would be felt while panning.
        Self { per_frame: 16 << 20, resident: 768 << 20, prior_tiles_per_frame: 64 }
    }
}

impl UploadLimits {
    /// For adapters without a GPU: a frame with three tiles of prior takes two cores about 30 ms.
    pub fn software() -> Self {
        Self { per_frame: 8 << 20, prior_tiles_per_frame: 3, ..Self::default() }
    }

    /// For pictures, which wait for everything.
    pub fn unhurried() -> Self {
        Self { per_frame: u64::MAX, prior_tiles_per_frame: usize::MAX, ..Self::default() }
    }
}

pub(crate) struct TileTextures {
    limits: UploadLimits,
    entries: BTreeMap<TileKey, TileTexture>,
    stats: UploadStats,
    frame: u64,
    uploaded_in_frame: u64,
    /// Tiles of this frame whose pixels are not uploaded yet.
    waiting: bool,
    scratch: Vec<f32>,
}

pub(crate) struct TileTexture {
    /// What was uploaded. A `Weak` keeps the address from being used again.
    pixels: Weak<TilePixels>,
    texture: wgpu::Texture,
    pub view: wgpu::TextureView,
    pub size: [u32; 2],
    n_bands: u32,
    last_drawn: u64,
}

impl TileTextures {
    pub(crate) fn new(limits: UploadLimits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            stats: UploadStats::default(),
            frame: 0,
            uploaded_in_frame: 0,
            waiting: false,
            scratch: Vec::new(),
        }
    }

    pub(crate) fn stats(&self) -> UploadStats {
        self.stats
    }

    pub(crate) fn begin_frame(&mut self) {
        self.frame += 1;
        self.uploaded_in_frame = 0;
        self.waiting = false;
    }

    /// Makes the tile's texture hold `pixels`, if this frame's budget allows; says whether there
    /// is something to draw (possibly what the tile held before).
    pub(crate) fn ensure(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: TileKey,
        pixels: &Arc<TilePixels>,
    ) -> bool {
        let frame = self.frame;
        let entry = self.entries.get_mut(&key);
        let present = entry.is_some();
        if let Some(entry) = entry {
            entry.last_drawn = frame;
            if std::ptr::eq(entry.pixels.as_ptr(), Arc::as_ptr(pixels)) {
                return true;
            }
        }
        let raster = &pixels.raster;
        let bytes = std::mem::size_of_val(raster.data.as_slice()) as u64;
        let limits = device.limits();
        if bytes == 0
            || raster.width.max(raster.height) > limits.max_texture_dimension_2d as usize
            || raster.bands > limits.max_texture_array_layers as usize
        {
            log::warn!("tile {key:?} of {} x {} x {} cannot be drawn", raster.bands, raster.height, raster.width);
            return false;
        }
        if self.uploaded_in_frame > 0 && self.uploaded_in_frame + bytes > self.limits.per_frame {
            self.waiting = true;
            return present;
        }
        self.upload(device, queue, key, pixels);
        self.uploaded_in_frame += bytes;
        self.stats.tiles += 1;
        self.stats.bytes += bytes;
        true
    }

    pub(crate) fn get(&self, key: TileKey) -> Option<&TileTexture> {
        self.entries.get(&key)
    }

    /// Gives back what was not drawn for the longest time until the rest fits. Returns whether
    /// tiles still wait for their upload.
    pub(crate) fn end_frame(&mut self) -> bool {
        if self.stats.resident_bytes > self.limits.resident {
            let mut idle: Vec<(u64, TileKey)> = self
                .entries
                .iter()
                .filter(|(_, entry)| entry.last_drawn < self.frame)
                .map(|(key, entry)| (entry.last_drawn, *key))
                .collect();
            idle.sort_unstable();
            for (_, key) in idle {
                if self.stats.resident_bytes <= self.limits.resident {
                    break;
                }
                if let Some(entry) = self.entries.remove(&key) {
                    self.stats.resident_bytes -= entry.bytes();
                    self.stats.evicted += 1;
                    entry.texture.destroy();
                }
            }
        }
        self.waiting
    }

    fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, key: TileKey, pixels: &Arc<TilePixels>) {
        let raster = &pixels.raster;
        let (size, n_bands) = ([raster.width as u32, raster.height as u32], raster.bands as u32);
        if self.entries.get(&key).is_none_or(|entry| entry.size != size || entry.n_bands != n_bands) {
            let entry = TileTexture::new(device, size, n_bands, self.frame);
            self.stats.resident_bytes += entry.bytes();
            if let Some(old) = self.entries.insert(key, entry) {
                self.stats.resident_bytes -= old.bytes();
            }
        }
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.pixels = Arc::downgrade(pixels);
        let values = without_nan(&raster.data, &mut self.scratch);
        queue.write_texture(
            entry.texture.as_image_copy(),
            bytemuck::cast_slice(values),
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(size[0] * 4), rows_per_image: Some(size[1]) },
            wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: n_bands },
        );
    }
}

impl TileTexture {
    fn new(device: &wgpu::Device, size: [u32; 2], n_bands: u32, frame: u64) -> Self {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("tile"),
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: n_bands },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::R32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor {
            dimension: Some(wgpu::TextureViewDimension::D2Array),
            ..Default::default()
        });
        Self { pixels: Weak::new(), texture, view, size, n_bands, last_drawn: frame }
    }

    /// What the texture holds.
    pub(crate) fn pixels(&self) -> &Weak<TilePixels> {
        &self.pixels
    }

    fn bytes(&self) -> u64 {
        4 * u64::from(self.size[0]) * u64::from(self.size[1]) * u64::from(self.n_bands)
    }
}

/// The values with nodata as the lowest float32 (`NODATA_BELOW` in `shaders/common.wgsl`).
fn without_nan<'a>(values: &'a [f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
    if values.iter().all(|value| value.is_finite()) {
        return values;
    }
    scratch.clear();
    scratch.extend(values.iter().map(|value| if value.is_finite() { *value } else { f32::MIN }));
    scratch
}
