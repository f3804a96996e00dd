//! The open scenes and the layers that show them: what is in the list and in which order.

use std::collections::BTreeMap;
use std::sync::Arc;

use nunatak_domain::layer::{Blend, Layer, LayerId, LayerRole, LayerSource, Scene, SceneId};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::style::Style;

use crate::answers::Computed;
use crate::command::CommandError;

/// Scenes and layers, bottom to top. Every scene has a layer; the last layer of a scene
/// takes the scene with it. Both are numbered from 1 in the order they came, so that a script
/// can name them; numbers are not used twice.
#[derive(Default)]
pub(crate) struct Layers {
    layers: Vec<Layer>,
    scenes: BTreeMap<SceneId, Scene>,
    n_scenes: u64,
    n_layers: u64,
    /// What makes the tiles of index and class layers.
    computed: BTreeMap<LayerId, Arc<Computed>>,
}

/// What a new layer is to look like.
#[derive(Clone, Debug)]
pub(crate) struct NewLayer {
    pub(crate) name: String,
    pub(crate) style: Style,
    pub(crate) role: LayerRole,
    pub(crate) visible: bool,
    pub(crate) opacity: f32,
}

impl NewLayer {
    /// The ordinary layer of a raster.
    pub(crate) fn of(info: &SceneInfo) -> Self {
        let role = if info.categorical() { LayerRole::ClassMap } else { LayerRole::Imagery };
        Self { name: info.name(), style: Style::initial(info), role, visible: true, opacity: 1.0 }
    }
}

impl Layers {
    pub(crate) fn all(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn scenes(&self) -> &BTreeMap<SceneId, Scene> {
        &self.scenes
    }

    pub(crate) fn get(&self, id: LayerId) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.id == id)
    }

    pub(crate) fn scene(&self, id: SceneId) -> Option<&Scene> {
        self.scenes.get(&id)
    }

    pub(crate) fn scene_mut(&mut self, id: SceneId) -> Option<&mut Scene> {
        self.scenes.get_mut(&id)
    }

    /// Adds a scene with a layer on top.
    pub(crate) fn add_scene(&mut self, info: SceneInfo, layer: NewLayer) -> (SceneId, LayerId) {
        self.n_scenes += 1;
        let id = SceneId(self.n_scenes);
        self.scenes.insert(id, Scene { id, info });
        (id, self.add(LayerSource::Scene { scene: id }, layer))
    }

    /// Adds a layer on top.
    pub(crate) fn add(&mut self, source: LayerSource, layer: NewLayer) -> LayerId {
        self.n_layers += 1;
        let id = LayerId(self.n_layers);
        let NewLayer { name, style, role, visible, opacity } = layer;
        self.layers.push(Layer {
            id,
            name,
            source,
            visible,
            opacity,
            blend: Blend::Normal,
            style,
            role,
            formula: None,
        });
        id
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Numbers of a project are taken; new ones come after them.
    pub(crate) fn number_from(&mut self, scenes: impl Iterator<Item = SceneId>, layers: impl Iterator<Item = LayerId>) {
        self.n_scenes = scenes.map(|id| id.0).max().unwrap_or(0).max(self.n_scenes);
        self.n_layers = layers.map(|id| id.0).max().unwrap_or(0).max(self.n_layers);
    }

    /// A scene of a project under its own number; its layers follow.
    pub(crate) fn put_scene(&mut self, id: SceneId, info: SceneInfo) {
        self.scenes.insert(id, Scene { id, info });
    }

    /// A layer of a project as it was saved, at a place from the bottom. A style that its scene
    /// has no bands for gives way to the ordinary one.
    pub(crate) fn put(&mut self, at: usize, mut layer: Layer) {
        if let LayerSource::Scene { scene } = layer.source
            && let Some(scene) = self.scenes.get(&scene)
            && check_style(&layer.style, &scene.info).is_err()
        {
            layer.style = Style::initial(&scene.info);
        }
        self.layers.insert(at.min(self.layers.len()), layer);
    }

    /// Removes scenes that no layer shows and that are not `wanted`.
    pub(crate) fn drop_bare_scenes(&mut self, wanted: impl Fn(SceneId) -> bool) {
        let layers = &self.layers;
        self.scenes.retain(|id, _| wanted(*id) || layers.iter().any(|layer| layer.source.scene() == *id));
    }

    /// Removes a layer; gives back the scene that nothing shows any more.
    ///
    /// # Errors
    /// There is no such layer.
    pub(crate) fn remove(&mut self, id: LayerId) -> Result<Option<SceneId>, CommandError> {
        let index = self.index(id)?;
        let scene = self.layers.remove(index).source.scene();
        self.computed.remove(&id);
        let orphan = self.layers.iter().all(|layer| layer.source.scene() != scene);
        if orphan {
            self.scenes.remove(&scene);
        }
        Ok(orphan.then_some(scene))
    }

    /// What makes the tiles of an index or class layer; `None` where that is impossible now.
    pub(crate) fn computed(&self, id: LayerId) -> Option<&Arc<Computed>> {
        self.computed.get(&id)
    }

    pub(crate) fn set_computed(&mut self, id: LayerId, computed: Option<Computed>) {
        match computed {
            Some(computed) => self.computed.insert(id, Arc::new(computed)),
            None => self.computed.remove(&id),
        };
    }

    /// Moves a layer to a place counted from the bottom; beyond the top is the top.
    ///
    /// # Errors
    /// There is no such layer.
    pub(crate) fn move_to(&mut self, id: LayerId, to: usize) -> Result<(), CommandError> {
        let index = self.index(id)?;
        let layer = self.layers.remove(index);
        self.layers.insert(to.min(self.layers.len()), layer);
        Ok(())
    }

    /// # Errors
    /// There is no such layer.
    pub(crate) fn get_mut(&mut self, id: LayerId) -> Result<&mut Layer, CommandError> {
        let index = self.index(id)?;
        Ok(&mut self.layers[index])
    }

    /// Sets a style after a look at whether the scene has what it needs.
    ///
    /// # Errors
    /// No such layer, a band that the scene does not have, a stretch that is no range.
    pub(crate) fn set_style(&mut self, id: LayerId, style: Style) -> Result<(), CommandError> {
        let index = self.index(id)?;
        if let LayerSource::Scene { scene } = self.layers[index].source
            && let Some(scene) = self.scenes.get(&scene)
        {
            check_style(&style, &scene.info)?;
        }
        self.layers[index].style = style;
        Ok(())
    }

    fn index(&self, id: LayerId) -> Result<usize, CommandError> {
        self.layers
            .iter()
            .position(|layer| layer.id == id)
            .ok_or_else(|| CommandError(format!("there is no layer {}", id.0)))
    }
}

/// # Errors
/// A band that the scene does not have, or limits that are not numbers.
pub(crate) fn check_style(style: &Style, info: &SceneInfo) -> Result<(), CommandError> {
    if let Some(band) = style.bands().into_iter().find(|&band| band >= info.n_bands()) {
        let (n, name) = (info.n_bands(), info.name());
        return Err(CommandError(format!("there is no band {}: {name} has {n}", band + 1)));
    }
    let stretches: &[_] = match style {
        Style::Rgb { stretch, .. } => stretch,
        Style::Colormap { stretch, .. } => std::slice::from_ref(stretch),
        Style::Classes { .. } => &[],
    };
    for stretch in stretches {
        if !(stretch.min.is_finite() && stretch.max.is_finite() && stretch.gamma > 0.0 && stretch.gamma.is_finite()) {
            return Err(CommandError("a stretch needs two numbers and a gamma above 0".to_owned()));
        }
    }
    Ok(())
}
