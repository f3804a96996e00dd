//! For tests: weights and inputs made from names (the same in every language), scenes and
//! sinks in memory.
//!
//! The rule: key = FNV-1a of the name; z(i) = splitmix64's finaliser of
//! key + (i + 1)·0x9E3779B97F4A7C15; u = (z >> 40) / 2²⁴; v = 2u − 1; then a weight is made from
//! u or v by the end of its name.

use std::path::{Path, PathBuf};

use nunatak_domain::geo::Georeference;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::model::{ModelRecord, NetworkConfig, SsmgnetConfig};
use nunatak_domain::raster::{Raster, RasterError, RasterSink, RasterSource};
use nunatak_domain::scene::{BandInfo, ColorRole, DataType, MaskKind, SceneInfo};

use crate::model::LoadedModel;
use crate::net::Net;
use crate::state::{StateDict, StateTensor};

/// u(0 … count) of a name, in [0, 1).
pub(crate) fn uniform(name: &str, count: usize) -> Vec<f64> {
    let key = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    (1..=count as u64)
        .map(|i| {
            let z = key.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24)
        })
        .collect()
}

/// An input in [-1, 1).
pub(crate) fn input(name: &str, count: usize) -> Vec<f32> {
    uniform(name, count).into_iter().map(|u| (2.0 * u - 1.0) as f32).collect()
}

pub(crate) fn weight(name: &str, shape: &[usize]) -> StateTensor {
    let count = shape.iter().product();
    let of = |rule: &dyn Fn(f64) -> f64| uniform(name, count).into_iter().map(|u| rule(u) as f32).collect();
    let data = if name.ends_with("num_batches_tracked") {
        vec![0.0; count]
    } else if name.ends_with("running_var") {
        of(&|u| 0.5 + u)
    } else if name.ends_with("running_mean") {
        of(&|u| 0.2 * (2.0 * u - 1.0))
    } else if shape.len() >= 2 {
        let fan_in: usize = shape[1..].iter().product();
        of(&|u| (2.0 * u - 1.0) * (3.0 / fan_in as f64).sqrt())
    } else if shape.len() == 1 && name.ends_with("weight") {
        of(&|u| 0.6 + 0.4 * u)
    } else {
        of(&|u| 0.1 * (2.0 * u - 1.0))
    };
    StateTensor::new(shape.to_vec(), data)
}

/// A model with weights made from names.
pub(crate) fn named_model(config: SsmgnetConfig) -> LoadedModel {
    let network = NetworkConfig::Ssmgnet(config);
    let empty = Net::init(&network, &burn::tensor::Device::flex()).state_dict(&network);
    let tensors = empty.tensors.iter().map(|(name, tensor)| (name.clone(), weight(name, &tensor.shape))).collect();
    LoadedModel { state: StateDict { tensors }, record: ModelRecord::inferred(network, "names"), remarks: Vec::new() }
}

/// A scene in memory.
pub(crate) struct MemorySource {
    info: SceneInfo,
    pub(crate) raster: Raster,
}

impl MemorySource {
    pub(crate) fn new(raster: Raster) -> Self {
        Self { info: scene_info(raster.bands, raster.width, raster.height), raster }
    }

    /// Values made from the name `scene`.
    pub(crate) fn named(bands: usize, width: usize, height: usize) -> Self {
        Self::new(Raster::new(bands, width, height, input("scene", bands * width * height)))
    }
}

impl RasterSource for MemorySource {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: PixelRect, bands: &[usize], width: usize, height: usize) -> Result<Raster, RasterError> {
        assert_eq!((width, height), (window.width, window.height), "full resolution only");
        let all = self.raster.window(window);
        let data = bands.iter().flat_map(|band| all.band(*band).to_vec()).collect();
        Ok(Raster::new(bands.len(), width, height, data))
    }
}

/// A written raster in memory; starts as NaN.
pub(crate) struct MemorySink(pub(crate) Raster);

impl MemorySink {
    pub(crate) fn new(bands: usize, width: usize, height: usize) -> Self {
        Self(Raster::filled(bands, width, height, f32::NAN))
    }
}

impl RasterSink for MemorySink {
    fn write(&mut self, col: usize, row: usize, raster: &Raster) -> Result<(), RasterError> {
        assert_eq!(raster.bands, self.0.bands);
        let width = self.0.width;
        for band in 0..raster.bands {
            for r in 0..raster.height {
                let line = &raster.band(band)[r * raster.width..][..raster.width];
                self.0.band_mut(band)[(row + r) * width + col..][..raster.width].copy_from_slice(line);
            }
        }
        Ok(())
    }
}

pub(crate) fn scene_info(bands: usize, width: usize, height: usize) -> SceneInfo {
    let band = |n: usize| BandInfo {
        name: format!("Band {n}"),
        data_type: DataType::Float32,
        nodata: None,
        scale: 1.0,
        offset: 0.0,
        unit: String::new(),
        wavelength_nm: None,
        fwhm_nm: None,
        color: ColorRole::Undefined,
        mask: MaskKind::AllValid,
        statistics: None,
        palette: None,
        categories: Vec::new(),
    };
    SceneInfo {
        path: PathBuf::from("memory.tif"),
        driver: "MEM".to_owned(),
        width,
        height,
        bands: (1..=bands).map(band).collect(),
        crs: None,
        georeference: Georeference::None,
        overviews: Vec::new(),
        block: (width, 1),
        compression: None,
        interleave: None,
        subdatasets: Vec::new(),
        metadata: Vec::new(),
        remarks: Vec::new(),
    }
}

/// A folder of the workspace's `tests`.
pub(crate) fn tests_dir(name: &str) -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests")).join("../../tests").join(name)
}
