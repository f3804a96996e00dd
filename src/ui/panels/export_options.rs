//! What a layer can be written as, and the command that does it.

use std::path::{Path, PathBuf};

use nunatak_app::{Command, Session};
use nunatak_domain::job::{
    Connectivity, ConvertConfig, IndexConfig, PictureReferences, PictureSwipe, PolygonizeConfig, PriorConfig,
    RasterLook, RenderConfig, SimilarityMode, SmallPolygons,
};
use nunatak_domain::layer::{Layer, LayerSource};
use nunatak_domain::map::{MapView, Swipe};
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::style::Style;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    GeoTiff,
    Cog,
    Shapefile,
    GeoPackage,
    GeoJson,
    PictureOfView,
    PictureOfLayer,
}

impl Format {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::GeoTiff => "GeoTIFF",
            Self::Cog => "Cloud-optimised GeoTIFF",
            Self::Shapefile => "Polygons, shapefile",
            Self::GeoPackage => "Polygons, GeoPackage",
            Self::GeoJson => "Polygons, GeoJSON",
            Self::PictureOfView => "Picture of the view (PNG)",
            Self::PictureOfLayer => "Picture of the layer (PNG)",
        }
    }

    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::GeoTiff => "Same pixels; classes keep their colours and names, also in QGIS",
            Self::Cog => "With overviews, fast over a network",
            Self::Shapefile => "One polygon per patch with class_id, label and area",
            Self::GeoPackage => "One file, long field names, any size",
            Self::GeoJson => "For the web, in longitude and latitude",
            Self::PictureOfView => "What the map shows now, all visible layers",
            Self::PictureOfLayer => "All of this layer",
        }
    }

    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::GeoTiff => "tif",
            Self::Cog => "cog.tif",
            Self::Shapefile => "shp",
            Self::GeoPackage => "gpkg",
            Self::GeoJson => "geojson",
            Self::PictureOfView | Self::PictureOfLayer => "png",
        }
    }

    pub(super) const fn polygons(self) -> bool {
        matches!(self, Self::Shapefile | Self::GeoPackage | Self::GeoJson)
    }

    /// What makes sense for a layer, best first.
    pub(super) fn of(layer: &Layer) -> Vec<Self> {
        let classes = matches!(layer.style, Style::Classes { .. });
        match layer.source {
            LayerSource::Labels { .. } | LayerSource::Spectral { .. } => vec![Self::PictureOfView],
            LayerSource::Index { .. } => vec![Self::GeoTiff, Self::PictureOfView],
            LayerSource::Prior { .. } => vec![Self::GeoTiff, Self::PictureOfView],
            LayerSource::Scene { .. } if classes => vec![
                Self::GeoTiff,
                Self::Cog,
                Self::Shapefile,
                Self::GeoPackage,
                Self::GeoJson,
                Self::PictureOfView,
                Self::PictureOfLayer,
            ],
            LayerSource::Scene { .. } => vec![Self::GeoTiff, Self::Cog, Self::PictureOfView, Self::PictureOfLayer],
        }
    }
}

/// Knobs of polygons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PolygonKnobs {
    pub connectivity: Connectivity,
    pub min_area: f64,
    pub simplify: f64,
}

/// The commands that write `layer` to `out`; more than one where something must be written first.
pub(super) fn commands(
    session: &Session,
    layer: &Layer,
    format: Format,
    out: &Path,
    knobs: PolygonKnobs,
    (view, swipe): (&MapView, Option<Swipe>),
    overwrite: bool,
) -> Vec<Command> {
    let Some(scene) = session.scene(layer.source.scene()) else { return Vec::new() };
    let raster = scene.info.path.clone();
    let out = out.to_owned();
    match format {
        Format::PictureOfView => vec![view_picture(session, view, swipe, out, overwrite)],
        Format::PictureOfLayer => vec![layer_picture(&scene.info, layer, out, overwrite)],
        _ if matches!(layer.source, LayerSource::Index { .. }) => {
            let index = layer.formula.clone().unwrap_or_default();
            vec![Command::Index(IndexConfig { index, raster, out, overwrite })]
        }
        _ if matches!(layer.source, LayerSource::Prior { .. }) => {
            let references = out.with_extension("references.csv");
            let prior = PriorConfig {
                references: references.clone(),
                raster,
                out,
                classes: None,
                mode: SimilarityMode::Default,
                normalisation: session.reference_normalisation(),
                bands: None,
                overwrite,
            };
            vec![Command::SaveReferences { path: references, overwrite }, Command::Prior(prior)]
        }
        Format::GeoTiff | Format::Cog => {
            vec![Command::Convert(ConvertConfig { raster, out, cog: format == Format::Cog, bands: None, overwrite })]
        }
        Format::Shapefile | Format::GeoPackage | Format::GeoJson => {
            let PolygonKnobs { connectivity, min_area, simplify } = knobs;
            vec![Command::Polygonize(PolygonizeConfig {
                raster,
                out,
                connectivity,
                min_area,
                small: SmallPolygons::Merge,
                simplify,
                classes: None,
                overwrite,
            })]
        }
    }
}

/// A picture of what the map shows, live priors and the swipe divider with it.
pub(crate) fn view_picture(
    session: &Session,
    view: &MapView,
    swipe: Option<Swipe>,
    out: PathBuf,
    overwrite: bool,
) -> Command {
    let with_prior = session.prior().is_ok();
    let drawn = |layer: &Layer| match layer.source {
        LayerSource::Scene { .. } => true,
        LayerSource::Prior { .. } => with_prior,
        // They are in no file.
        LayerSource::Labels { .. } | LayerSource::Index { .. } | LayerSource::Spectral { .. } => false,
    };
    let shown = |layer: &&Layer| layer.visible && drawn(layer);
    let layers = || session.layers().iter().filter(shown);
    let references = || PictureReferences {
        references: session.references().references.clone(),
        bands: session.references().bands.clone(),
        normalisation: session.reference_normalisation(),
    };
    let priors = layers().any(|layer| matches!(layer.source, LayerSource::Prior { .. }));
    let swipe = swipe.and_then(|swipe| {
        let raster = layers().position(|layer| layer.id == swipe.layer)?;
        Some(PictureSwipe { at: swipe.at, raster })
    });
    let path = |layer: &Layer| Some(session.scene(layer.source.scene())?.info.path.clone());
    Command::Render(RenderConfig {
        rasters: layers().filter_map(path).collect(),
        out,
        width_px: view.width_px,
        height_px: view.height_px,
        bbox: Some(view.bounds()),
        crs: session.map_crs().map(|crs| crs.code.clone().unwrap_or_else(|| crs.wkt.clone())),
        // For those who copy the command: as much of the looks as its line can say.
        bands: layers().next().and_then(drawn_bands),
        overlay_opacity: layers().nth(1).map_or(1.0, |layer| layer.opacity),
        looks: layers().map(look).collect(),
        references: priors.then(references),
        swipe,
        overwrite,
    })
}

fn drawn_bands(layer: &Layer) -> Option<Vec<usize>> {
    (!matches!(layer.style, Style::Classes { .. })).then(|| layer.style.bands())
}

fn look(layer: &Layer) -> RasterLook {
    let prior = matches!(layer.source, LayerSource::Prior { .. });
    RasterLook { style: layer.style.clone(), opacity: layer.opacity, blend: layer.blend, prior }
}

/// All of a layer in its own CRS, whatever the map's is.
pub(super) fn layer_picture(info: &SceneInfo, layer: &Layer, out: PathBuf, overwrite: bool) -> Command {
    const LONGEST_PX: f64 = 8192.0;
    let bounds = info.bounds();
    let side = Some(info.map_transform().pixel_area().sqrt());
    let unit = side.filter(|side| *side > 0.0 && side.is_finite()).unwrap_or(1.0);
    let (width, height) = (bounds.width() / unit, bounds.height() / unit);
    let shrink = (LONGEST_PX / width.max(height)).min(1.0);
    Command::Render(RenderConfig {
        rasters: vec![info.path.clone()],
        out,
        width_px: (width * shrink).round().max(1.0) as u32,
        height_px: (height * shrink).round().max(1.0) as u32,
        bbox: None,
        crs: None,
        bands: drawn_bands(layer),
        overlay_opacity: 1.0,
        looks: vec![RasterLook { opacity: 1.0, ..look(layer) }],
        references: None,
        swipe: None,
        overwrite,
    })
}

/// A name a file system takes: `glacier class` becomes `glacier-class`.
pub(super) fn file_stem(name: &str) -> String {
    let stem = name.trim_end_matches(".tif").trim_end_matches(".tiff");
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let text: String = stem.chars().map(safe).collect();
    let mut parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    parts.dedup();
    if parts.is_empty() { "layer".to_owned() } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_names_become_file_names() {
        assert_eq!(file_stem("scene.tif: Class map"), "scene.tif-Class-map");
        assert_eq!(file_stem("scene.tif"), "scene");
        assert_eq!(file_stem("//"), "layer");
    }
}
