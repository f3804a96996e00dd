//! Words of the verbs on projects and their labels.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use nunatak_app::{AttributeSet, LabelFile, LineWidth, ValueMap};

use crate::args::WriteArgs;

/// Labels of a project: from and to the files of other programs
#[derive(Clone, Debug, Args)]
pub(crate) struct LabelsArgs {
    #[command(subcommand)]
    pub(crate) verb: LabelsVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LabelsVerb {
    Import(LabelsImportArgs),
    Export(LabelsExportArgs),
    Stats(LabelsStatsArgs),
}

/// Bring a class raster or a vector file onto the grid of a project's scene
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  nunatak labels import bay.nunatak wetlands.shp --scene scene.tif --field type --map 4=wetland,7=water")]
pub(crate) struct LabelsImportArgs {
    /// Project; made where it does not exist and --scene is given
    project: PathBuf,
    /// Raster of whole numbers, shapefile, GeoPackage or GeoJSON
    labels: PathBuf,
    /// Raster whose grid the labels get [default: the project's first scene]
    #[arg(long, value_name = "RASTER")]
    pub(crate) scene: Option<PathBuf>,
    /// Field with the class, of a vector file [default: a well-known one, or the only one]
    #[arg(long)]
    field: Option<String>,
    /// Classes of values: a name, an id, or nothing for no label
    #[arg(long, value_name = "VALUE=CLASS,…")]
    map: Option<ValueMap>,
    /// Width of lines in pixels
    #[arg(long, value_name = "PX", value_parser = crate::values::positive)]
    width: Option<f64>,
    /// Name of the label layer [default: the file's]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

impl LabelsImportArgs {
    pub(crate) const fn project(&self) -> &PathBuf {
        &self.project
    }

    pub(crate) fn file(&self) -> LabelFile {
        LabelFile {
            field: self.field.clone(),
            map: self.map.clone().unwrap_or_default(),
            line_width: self.width.map_or_else(LineWidth::default, LineWidth::Px),
            ..LabelFile::new(&self.labels)
        }
    }
}

/// Write a label layer as a class raster or as polygons
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  nunatak labels export bay.nunatak training.gpkg --attributes scp")]
pub(crate) struct LabelsExportArgs {
    /// Project
    pub(crate) project: PathBuf,
    /// File to write
    #[arg(value_name = "OUT.tif|.shp|.gpkg|.geojson")]
    pub(crate) out: PathBuf,
    /// Label layer [default: the topmost]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Fields of polygons as another program expects them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) attributes: AttributesArg,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum AttributesArg {
    /// class_id, label, area
    #[default]
    Plain,
    /// Semi-Automatic Classification Plugin
    Scp,
    /// Training samples of ArcGIS
    Arcgis,
}

impl From<AttributesArg> for AttributeSet {
    fn from(argument: AttributesArg) -> Self {
        match argument {
            AttributesArg::Plain => Self::Plain,
            AttributesArg::Scp => Self::Scp,
            AttributesArg::Arcgis => Self::ArcGis,
        }
    }
}

/// Count pixels and areas per class
#[derive(Clone, Debug, Args)]
pub(crate) struct LabelsStatsArgs {
    /// Project
    pub(crate) project: PathBuf,
    /// Label layer [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
}

/// Make, look at, send and repair projects
#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArgs {
    #[command(subcommand)]
    pub(crate) verb: ProjectVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProjectVerb {
    /// Make a project of rasters
    New {
        /// Folder to make, `….nunatak`
        project: PathBuf,
        /// Rasters, the lowest first
        #[arg(required = true)]
        rasters: Vec<PathBuf>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Say what is in a project
    Info { project: PathBuf },
    /// Put a project into one zip file
    Pack {
        project: PathBuf,
        #[arg(value_name = "OUT.zip")]
        out: PathBuf,
        /// Take the files of its scenes along
        #[arg(long)]
        with_scenes: bool,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Take a project out of its zip file
    Unpack {
        #[arg(value_name = "FILE.zip")]
        archive: PathBuf,
        /// Folder that gets the project's folder
        #[arg(default_value = ".")]
        into: PathBuf,
    },
    /// List earlier saves
    Versions { project: PathBuf },
    /// Go back to an earlier save; the steps until now stay in the history
    Restore {
        project: PathBuf,
        /// Its number, as `versions` lists it
        save: u64,
    },
    /// Find missing scenes by their content
    Relink {
        project: PathBuf,
        /// Folder to look in, or the file of a scene
        folder: PathBuf,
    },
}

/// Read every part of a project and say what is damaged
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Project
    pub(crate) project: PathBuf,
}
