//! Which label layer is painted.

use nunatak_app::Session;
use nunatak_domain::label::LabelsId;
use nunatak_domain::layer::{LayerId, SceneId};

use crate::panels;

/// The scene that is painted on, and its label layer where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub scene: SceneId,
    pub labels: Option<LabelsId>,
}

/// The chosen label layer, else the top one of the scene that is meant.
pub(crate) fn aim(session: &Session, chosen: Option<LayerId>) -> Option<Aim> {
    let chosen_source = chosen.and_then(|id| session.layer(id)).map(|layer| layer.source);
    let known = |id: LabelsId| session.project().labels(id).is_some();
    if let Some(source) = chosen_source
        && let Some(labels) = source.labels().filter(|id| known(*id))
    {
        return Some(Aim { scene: source.scene(), labels: Some(labels) });
    }
    let scene = panels::target_scene(session, chosen)?;
    let on_map = session.layers().iter().rev().map(|layer| layer.source);
    let labels = on_map.filter(|source| source.scene() == scene).find_map(|source| source.labels());
    Some(Aim { scene, labels: labels.filter(|id| known(*id)) })
}
