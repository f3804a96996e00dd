//! A picture of rasters, drawn by the painter that the front end brought along.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Instant;

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::job::RenderConfig;
use nunatak_domain::layer::{Layer, LayerSource};
use nunatak_domain::map::{MapFrame, MapView, Picture, Swipe, TileKey};
use nunatak_domain::notice::Notice;
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::spectra::ReferenceSet;
use nunatak_domain::style::{Stretch, StretchMethod, Style};
use nunatak_io::PicturePlace;
use nunatak_jobs::{JobError, Monitor};

use super::open::{band_statistics, described};
use super::{Done, Facts, io_error, recipe, seconds, unless_cancelled};
use crate::command::{Command, CommandError};
use crate::frame::Stage;
use crate::layers::{Layers, NewLayer, check_style};
use crate::placement::Atlas;
use crate::reader::{Answer, Reader, TileRequest};
use crate::references::{ReferenceScale, References};
use crate::session::SharedPainter;
use crate::tiles::TileStore;

/// Largest part that is drawn at once: memory depends on it and not on the picture.
const MAX_PART_PX: u32 = 8 << 20;

/// Tiles kept while drawing.
const CACHE_BYTES: usize = 256 << 20;

/// Largest picture: its 4 bytes per pixel are in memory at once.
const MAX_PX: u64 = 400_000_000;

/// Largest side of a picture; PNG readers give up beyond.
const MAX_SIDE_PX: u32 = 65_535;

/// What can be said of a config without opening files.
///
/// # Errors
/// No raster, no size, bands that are neither one nor three, an opacity out of range.
pub(crate) fn check(config: &RenderConfig) -> Result<(), CommandError> {
    let refuse = |text: &str| Err(CommandError(text.to_owned()));
    if config.rasters.is_empty() {
        return refuse("there is no raster to draw");
    }
    if !(1..=MAX_SIDE_PX).contains(&config.width_px) || !(1..=MAX_SIDE_PX).contains(&config.height_px) {
        return refuse("a picture is 1 to 65535 pixels wide and high");
    }
    if u64::from(config.width_px) * u64::from(config.height_px) > MAX_PX {
        return refuse("a picture has at most 400 million pixels: choose a smaller size");
    }
    if config.bands.as_ref().is_some_and(|bands| bands.len() != 1 && bands.len() != 3) {
        return refuse("choose one band or three");
    }
    if !config.looks.is_empty() && config.looks.len() != config.rasters.len() {
        return refuse("give a look for each raster, or none");
    }
    if config.looks.iter().any(|look| look.prior) && config.references.is_none() {
        return refuse("a picture of a prior needs references");
    }
    if config.swipe.is_some_and(|swipe| swipe.raster >= config.rasters.len() || !(0.0..=1.0).contains(&swipe.at)) {
        return refuse("a swipe names one of the rasters and a share of the width from 0 to 1");
    }
    let opacities = config.looks.iter().map(|look| look.opacity).chain([config.overlay_opacity]);
    if !opacities.into_iter().all(|opacity| (0.0..=1.0).contains(&opacity)) {
        return refuse("opacity is a number from 0 to 1");
    }
    if config
        .bbox
        .is_some_and(|b| !(b.width() > 0.0 && b.height() > 0.0 && b.width().is_finite() && b.height().is_finite()))
    {
        return refuse("the box to draw has no area: give min x, min y, max x, max y");
    }
    Ok(())
}

pub(crate) fn run(
    painter: &SharedPainter,
    config: &RenderConfig,
    command: &Command,
    monitor: &dyn Monitor,
) -> Result<Done, JobError> {
    let start = Instant::now();
    let mut table = Table::open(config, monitor)?;
    let view = table.view(config)?;
    table.unseen(&view).into_iter().for_each(|notice| monitor.warn(notice));
    let inputs: Vec<_> = config.rasters.iter().map(|path| ("raster", path)).collect();
    let mut recipe = recipe(command, &inputs, monitor)?;
    recipe.facts.insert("bbox".to_owned(), serde_json::json!(view.bounds()));

    let result = table.paint(painter, &view, monitor);
    let picture = unless_cancelled(monitor, result)?;
    let place = PicturePlace::of_view(&view, table.atlas.crs());
    let written = nunatak_io::write_picture(&config.out, &picture, Some(&place), Some(&recipe), config.overwrite);
    let outputs = written.map_err(io_error)?;
    let b = view.bounds();
    let facts = Facts::default()
        .with("size", format!("{}x{}", config.width_px, config.height_px))
        .with("bbox", vec![b.min_x, b.min_y, b.max_x, b.max_y])
        .with("crs", table.atlas.crs().map(|crs| crs.short_name().to_owned()))
        .with("seconds", seconds(start));
    Ok(facts.report(outputs))
}

/// Layers and tiles of one picture.
struct Table {
    layers: Layers,
    atlas: Atlas,
    tiles: TileStore,
    reader: Reader,
    references: References,
    swipe: Option<Swipe>,
    notices: Vec<Notice>,
}

impl Table {
    fn open(config: &RenderConfig, monitor: &dyn Monitor) -> Result<Self, JobError> {
        let mut layers = Layers::default();
        let mut swipe = None;
        let references = config.references.clone().map_or_else(References::default, |given| {
            let set = ReferenceSet { references: given.references, bands: given.bands };
            References::new(set, given.normalisation.map_or(ReferenceScale::Physical, ReferenceScale::Fixed))
        });
        for (index, path) in config.rasters.iter().enumerate() {
            monitor.progress(0.0, "reading statistics");
            let mut info = described(path, monitor)?;
            let mut layer = NewLayer::of(&info);
            if let Some(look) = config.looks.get(index) {
                if look.prior {
                    references.prior().map_err(Notice::error)?;
                } else {
                    check_style(&look.style, &info)
                        .map_err(|error| JobError::Failed(Notice::error(error.to_string())))?;
                }
                layer.style = look.style.clone();
                layer.opacity = look.opacity;
            } else if index > 0 {
                layer.opacity = config.overlay_opacity;
            } else if let Some(bands) = &config.bands {
                layer.style = style_of(&mut info, bands, monitor)?;
            }
            let (scene, id) = layers.add_scene(info, layer);
            if let (Some(look), Ok(layer)) = (config.looks.get(index), layers.get_mut(id)) {
                layer.blend = look.blend;
                if look.prior {
                    layer.source = LayerSource::Prior { scene };
                }
            }
            if let Some(wanted) = config.swipe.filter(|swipe| swipe.raster == index) {
                swipe = Some(Swipe { at: wanted.at, layer: id });
            }
        }
        let crs = config.crs.as_deref().map(nunatak_io::crs_from_user).transpose().map_err(io_error)?;
        let mut atlas = Atlas::in_crs(crs);
        let (notices, _) = atlas.update(layers.all(), layers.scenes());
        notices.iter().for_each(|notice| monitor.warn(notice.clone()));
        Ok(Self {
            layers,
            atlas,
            tiles: TileStore::new(CACHE_BYTES),
            reader: Reader::default(),
            references,
            swipe,
            notices,
        })
    }

    fn view(&self, config: &RenderConfig) -> Result<MapView, JobError> {
        let places = self.layers.all().iter().filter_map(|layer| self.atlas.place(layer.source.scene()));
        let whole = places.map(|place| place.bounds()).reduce(|a, b| a.union(&b));
        let bounds: Option<GeoBounds> = config.bbox.or(whole);
        let bounds = bounds.ok_or_else(|| {
            let nothing = || Notice::error("there is nothing to draw");
            JobError::Failed(self.notices.first().cloned().unwrap_or_else(nothing))
        })?;
        Ok(MapView::fitting(bounds, config.width_px, config.height_px, 0.0))
    }

    /// A sentence for each raster that lies outside of the picture.
    fn unseen(&self, view: &MapView) -> Vec<Notice> {
        let bounds = view.bounds();
        let outside = |layer: &&Layer| {
            let place = self.atlas.place(layer.source.scene());
            place.is_some_and(|place| !place.bounds().intersects(&bounds))
        };
        let say = |layer: &Layer| {
            Notice::warning(format!("{} lies outside of the picture", layer.name))
                .next_step("Choose another part of the map (--bbox), or leave it out to see everything")
        };
        self.layers.all().iter().filter(outside).map(say).collect()
    }

    /// Draws the picture strip by strip.
    fn paint(&mut self, painter: &SharedPainter, view: &MapView, monitor: &dyn Monitor) -> Result<Picture, JobError> {
        let rows = (MAX_PART_PX / view.width_px).clamp(1, view.height_px);
        let mut rgba = Vec::with_capacity(4 * view.width_px as usize * view.height_px as usize);
        for top in (0..view.height_px).step_by(rows as usize) {
            let part = part_of(view, top, rows.min(view.height_px - top));
            let frame = self.loaded_frame(&part, monitor, top as f32 / view.height_px as f32)?;
            monitor.check()?;
            let mut painter = painter.lock().unwrap_or_else(PoisonError::into_inner);
            let picture = painter.paint(&frame).map_err(|why| {
                Notice::error(format!("failed to draw the picture: {why}"))
                    .next_step("Look whether a Vulkan driver is installed")
            })?;
            rgba.extend_from_slice(&picture.rgba);
        }
        Ok(Picture { width: view.width_px, height: view.height_px, rgba })
    }

    /// The frame with every tile at its best.
    fn loaded_frame(&mut self, view: &MapView, monitor: &dyn Monitor, done: f32) -> Result<MapFrame, JobError> {
        loop {
            let stage = Stage {
                layers: &self.layers,
                atlas: &self.atlas,
                tiles: &self.tiles,
                references: &self.references,
                labels: None,
                coarse_first: false,
            };
            let frame = stage.frame(view, self.swipe);
            if frame.missing.is_empty() {
                return Ok(frame);
            }
            for (index, key) in frame.missing.iter().enumerate() {
                monitor.check()?;
                monitor.progress(done, &format!("tile {} of {}", index + 1, frame.missing.len()));
                self.load(*key)?;
            }
        }
    }

    fn load(&mut self, key: TileKey) -> Result<(), JobError> {
        let Some(mut request) = self.request(key) else {
            self.tiles.fail(key);
            return Ok(());
        };
        request.exact = true;
        match self.reader.tile(&request) {
            Ok(Answer::Tile { pixels, mesh, .. }) => {
                if let Some((pixels, quality)) = pixels {
                    self.tiles.insert_pixels(key, pixels, quality);
                }
                if let Some(mesh) = mesh {
                    self.tiles.insert_mesh(key.scene, key.tile, mesh);
                }
                Ok(())
            }
            Ok(Answer::Probe(_) | Answer::Sample { .. }) => Ok(()),
            Err(why) => Err(Notice::error(why).into()),
        }
    }

    fn request(&self, key: TileKey) -> Option<TileRequest> {
        let info = &self.layers.scene(key.scene)?.info;
        let place = self.atlas.place(key.scene)?;
        TileRequest::new(key, info, place, &self.tiles, 0, None)
    }
}

/// A horizontal part of a view.
fn part_of(view: &MapView, top: u32, height_px: u32) -> MapView {
    let from_middle = f64::from(top) + 0.5 * f64::from(height_px) - 0.5 * f64::from(view.height_px);
    let center = GeoPos::new(view.center.x, view.center.y - from_middle * view.units_per_px);
    MapView { center, height_px, ..*view }
}

/// Three bands in colour or one in grey, stretched like a layer that was just opened.
fn style_of(info: &mut SceneInfo, bands: &[usize], monitor: &dyn Monitor) -> Result<Style, JobError> {
    let method = StretchMethod::PERCENT_2_98;
    let style = |stretches: BTreeMap<usize, Stretch>| {
        let stretch = |band: usize| stretches.get(&band).copied().unwrap_or(Stretch::UNIT);
        match *bands {
            [r, g, b] => Style::Rgb { bands: [r, g, b], stretch: [r, g, b].map(stretch), method },
            _ => Style::Colormap { band: bands[0], stretch: stretch(bands[0]), method, colormap: ColormapName::Gray },
        }
    };
    check_style(&style(BTreeMap::new()), info).map_err(|error| Notice::error(error.to_string()))?;
    let mut missing = bands.to_vec();
    missing.sort_unstable();
    missing.dedup();
    let found = band_statistics(&info.path, &missing, None, monitor)?;
    let stretches = found.iter().map(|(band, stats)| (*band, Stretch::from_statistics(Some(stats), method)));
    Ok(style(stretches.collect()))
}
