//! Commands about layers that the tile workers compute: indices, and class maps by references.

use nunatak_domain::colormap::ColormapName;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::index::{catalogue, expression_for};
use nunatak_domain::job::ClassifyMethod;
use nunatak_domain::layer::{Layer, LayerId, LayerRole, LayerSource, SceneId};
use nunatak_domain::notice::Notice;
use nunatak_domain::raster::RasterSource;
use nunatak_domain::scene::{BandStatistics, StatisticsSource};
use nunatak_domain::style::{Stretch, StretchMethod, Style};

use crate::answers::{CLASS_BAND, Computed};
use crate::command::{CommandError, StretchExtent};
use crate::event::Event;
use crate::layers::NewLayer;
use crate::session::Session;
use crate::work::{self, Done};

/// Side of the picture that an index is stretched by, in pixels.
const STRETCH_PX: usize = 512;

impl Session {
    pub(crate) fn add_index(
        &mut self,
        scene: SceneId,
        formula: &str,
        name: Option<String>,
    ) -> Result<Vec<Event>, CommandError> {
        let info = &self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info;
        let formula = formula.trim();
        let expression = expression_for(formula, info).map_err(|error| CommandError(error.to_string()))?;
        let known = catalogue().iter().find(|index| index.id.eq_ignore_ascii_case(formula));
        let style = Style::Colormap {
            band: 0,
            stretch: known.map_or(Stretch::UNIT, |index| Stretch {
                min: index.range[0],
                max: index.range[1],
                gamma: 1.0,
            }),
            method: if known.is_some() { StretchMethod::Manual } else { StretchMethod::PERCENT_2_98 },
            colormap: known.map_or(ColormapName::Viridis, |index| index.colormap),
        };
        let shown = known.map_or_else(|| formula.to_owned(), |index| index.id.to_uppercase());
        let name = name.unwrap_or_else(|| format!("{shown} of {}", info.name()));
        let layer = NewLayer { name, style, role: LayerRole::Index, visible: true, opacity: 1.0 };
        let id = self.layers.add(LayerSource::Index { scene }, layer);
        self.layers.get_mut(id)?.formula = Some(formula.to_owned());
        self.layers.set_computed(id, Some(Computed::index(expression)));
        let mut events = self.layers_changed();
        if known.is_none() {
            events.extend(self.stretch_index(id, StretchMethod::PERCENT_2_98, StretchExtent::Whole)?);
        }
        Ok(events)
    }

    pub(crate) fn show_classes(&mut self, scene: SceneId, method: ClassifyMethod) -> Result<Vec<Event>, CommandError> {
        if method == ClassifyMethod::SfCnm {
            return self.show_prior(scene);
        }
        let info = &self.layers.scene(scene).ok_or_else(|| no_scene(scene))?.info;
        let computed = self.classes_of(scene, method).map_err(CommandError)?;
        let name = format!("{} of {}", title(method), info.name());
        let style = Style::Classes { band: CLASS_BAND, scheme: self.references.set().scheme() };
        let layer = NewLayer { name, style, role: LayerRole::ClassMap, visible: true, opacity: 1.0 };
        let id = self.layers.add(LayerSource::Spectral { scene, method }, layer);
        self.layers.set_computed(id, Some(computed));
        Ok(self.layers_changed())
    }

    /// Layers that came back with a project have nothing yet that computes them.
    pub(crate) fn compute_restored(&mut self) {
        let bare: Vec<Layer> = self
            .layers
            .all()
            .iter()
            .filter(|layer| layer.source.computed() && self.layers.computed(layer.id).is_none())
            .cloned()
            .collect();
        for layer in bare {
            let computed = match (layer.source, &layer.formula) {
                (LayerSource::Spectral { scene, method }, _) => self.classes_of(scene, method).ok(),
                (LayerSource::Index { scene }, Some(formula)) => {
                    let scene = self.layers.scene(scene);
                    scene.and_then(|scene| expression_for(formula, &scene.info).ok()).map(Computed::index)
                }
                _ => None,
            };
            self.layers.set_computed(layer.id, computed);
        }
    }

    fn classes_of(&self, scene: SceneId, method: ClassifyMethod) -> Result<Computed, String> {
        let info = &self.layers.scene(scene).ok_or_else(|| no_scene(scene).to_string())?.info;
        let normalisation = |bands: &[usize]| self.references.normalisation_of(info, bands);
        Computed::classes(method, self.references.set(), info, normalisation)
    }

    /// The references are others: class maps by them are computed anew, and show the old ones
    /// until then. One that cannot be made shows nothing.
    pub(crate) fn classify_anew(&mut self) {
        let scheme = self.references.set().scheme();
        let live: Vec<(LayerId, SceneId, ClassifyMethod)> = self
            .layers
            .all()
            .iter()
            .filter_map(|layer| match layer.source {
                LayerSource::Spectral { scene, method } => Some((layer.id, scene, method)),
                _ => None,
            })
            .collect();
        for (id, scene, method) in live {
            let computed = self.classes_of(scene, method).ok();
            if computed.as_ref() != self.layers.computed(id).map(std::ops::Deref::deref) {
                self.layers.set_computed(id, computed);
                self.tiles.outdate(id);
                self.pool.forgive(|ask| matches!(ask, crate::reader::Ask::Tile(key) if key.layer() == Some(id)));
            }
            if let Ok(layer) = self.layers.get_mut(id) {
                layer.style = Style::Classes { band: CLASS_BAND, scheme: scheme.clone() };
            }
        }
    }

    /// Limits of an index from its own values.
    pub(crate) fn stretch_index(
        &mut self,
        layer: LayerId,
        method: StretchMethod,
        extent: StretchExtent,
    ) -> Result<Vec<Event>, CommandError> {
        let unknown = || CommandError(format!("there is no layer {}", layer.0));
        let found = self.layers.get(layer).ok_or_else(unknown)?;
        let info = &self.scene_of(found.source).ok_or_else(unknown)?.info;
        let computed = self.layers.computed(layer).ok_or_else(unknown)?.clone();
        let window = match extent {
            StretchExtent::Whole => PixelRect::whole(info.width, info.height),
            StretchExtent::View { bounds } => {
                let place = self.atlas.place(found.source.scene());
                let window = place.and_then(|place| place.window_of(&bounds));
                window.ok_or_else(|| CommandError("the layer is not in the view".to_owned()))?
            }
        };
        let path = info.path.clone();
        let title = format!("Stretch {}", found.name);
        Ok(self.start_open(title, move |_| {
            let mut source = nunatak_io::open(&path).map_err(work::io_error)?;
            let (width, height) = (window.width.min(STRETCH_PX), window.height.min(STRETCH_PX));
            let pixels = source.read(window, &computed.bands, width, height);
            let pixels = pixels.map_err(|error| Notice::error(error.to_string()))?;
            let values = computed.of_pixels(&computed.bands, &pixels);
            let n_px = values.n_px() as u64;
            let sampled = StatisticsSource::Sampled { pixels: n_px, of: (window.width * window.height) as u64 };
            let found = BandStatistics::of(values.data.iter().map(|value| f64::from(*value)), n_px, sampled);
            let found = found.ok_or_else(|| Notice::warning("the index has no value here".to_owned()))?;
            Ok(Done::Stretched { layer, method, whole: false, statistics: vec![(0, found)] })
        }))
    }
}

const fn title(method: ClassifyMethod) -> &'static str {
    match method {
        ClassifyMethod::Sam => "Spectral angle",
        ClassifyMethod::MinDistance => "Minimum distance",
        ClassifyMethod::Mahalanobis => "Mahalanobis distance",
        ClassifyMethod::MaxLikelihood => "Maximum likelihood",
        ClassifyMethod::SfCnm => "Prior",
    }
}

fn no_scene(scene: SceneId) -> CommandError {
    CommandError(format!("there is no scene {}", scene.0))
}
