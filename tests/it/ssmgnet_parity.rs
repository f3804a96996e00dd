//! The published SSMGNet checkpoint gives the published results.
//!
//! Checkpoint, scene and class map are the originals' own and stay outside of the repository
//! (`$NUNATAK_TEST_DATA/ssmgnet`); the float goldens were computed from them with PyTorch.

use std::path::{Path, PathBuf};

use nunatak_domain::grid::PixelRect;
use nunatak_domain::job::PredictMode;
use nunatak_domain::raster::{Raster, RasterError, RasterSink, RasterSource};
use nunatak_domain::scene::SceneInfo;
use nunatak_jobs::Silent;
use nunatak_ml::explain::{ExplainOptions, ExplainSinks, explain};
use nunatak_ml::predict::{PredictOptions, PredictReport, PredictSinks, predict};
use nunatak_ml::{Engine, LoadedModel, load_network};

/// The folder of the originals' data; says so where it is absent.
fn data() -> Option<PathBuf> {
    let default =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests")).join("../shared/data");
    let folder = std::env::var_os("NUNATAK_TEST_DATA").map_or(default, PathBuf::from).join("ssmgnet");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no test data at {}", folder.display());
    None
}

fn model(data: &Path) -> LoadedModel {
    load_network(&data.join("pth_files/epoch8-loss0.176-val_loss0.174.pth")).expect("checkpoint")
}

fn read(path: &Path) -> Raster {
    let mut source = nunatak_io::open(path).expect("raster");
    let info = source.info();
    let bands: Vec<usize> = (0..info.n_bands()).collect();
    let whole = PixelRect::whole(info.width, info.height);
    source.read_window(whole, &bands).expect("pixels")
}

fn golden(name: &str) -> Raster {
    read(
        &Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
            .join("tests/goldens/ssmgnet")
            .join(name),
    )
}

/// Writes into memory.
struct Memory(Raster);

impl Memory {
    fn new(bands: usize, width: usize, height: usize) -> Self {
        Self(Raster::filled(bands, width, height, f32::NAN))
    }
}

impl RasterSink for Memory {
    fn write(&mut self, col: usize, row: usize, raster: &Raster) -> Result<(), RasterError> {
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

/// Scenes in memory side by side.
struct Mosaic {
    info: SceneInfo,
    raster: Raster,
}

impl RasterSource for Mosaic {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: PixelRect, bands: &[usize], _w: usize, _h: usize) -> Result<Raster, RasterError> {
        let all = self.raster.window(window);
        let data = bands.iter().flat_map(|band| all.band(*band).to_vec()).collect();
        Ok(Raster::new(bands.len(), window.width, window.height, data))
    }
}

/// `n` × `n` copies of the sample scenes in turn.
fn mosaic(data: &Path, n: usize) -> Mosaic {
    let scenes: Vec<Raster> =
        ["test_sample/365.tif", "datasets/images/1.tif", "datasets/images/2.tif", "datasets/images/3.tif"]
            .iter()
            .map(|name| read(&data.join(name)))
            .collect();
    let side = n * 256;
    let mut sink = Memory::new(10, side, side);
    for (index, tile) in PixelRect::tiles(side, side, 256).enumerate() {
        sink.write(tile.col, tile.row, &scenes[(index + index / n) % scenes.len()]).expect("inside");
    }
    let mut info = nunatak_io::open(&data.join("test_sample/365.tif")).expect("scene").info().clone();
    (info.width, info.height) = (side, side);
    Mosaic { info, raster: sink.0 }
}

fn largest_difference(a: &Raster, b: &Raster) -> f32 {
    assert_eq!((a.bands, a.width, a.height), (b.bands, b.width, b.height));
    assert!(a.data.iter().zip(&b.data).all(|(a, b)| a.is_nan() == b.is_nan()));
    a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn predicted(
    source: &mut dyn RasterSource,
    model: &LoadedModel,
    options: PredictOptions,
) -> (Raster, Raster, PredictReport) {
    let (width, height) = (source.info().width, source.info().height);
    let (mut class, mut logits) = (Memory::new(1, width, height), Memory::new(3, width, height));
    let mut sinks = PredictSinks::new(&mut class);
    if options.mode == PredictMode::Exact {
        sinks.logits = Some(&mut logits);
    }
    let report = predict(&Engine::cpu(), model, source, sinks, options, &Silent).expect("predicts");
    (class.0, logits.0, report)
}

#[test]
fn the_published_class_map_comes_out_in_every_pixel() {
    let Some(data) = data() else { return };
    let mut scene = nunatak_io::open(&data.join("test_sample/365.tif")).expect("scene");

    let (class, logits, report) =
        predicted(&mut scene, &model(&data), PredictOptions { tile_px: 100, ..PredictOptions::default() });

    let published = read(&data.join("output/seg_365_class.tif"));
    let n_equal = class.data.iter().zip(&published.data).filter(|(ours, theirs)| ours == theirs).count();
    assert_eq!(n_equal, 65_536);
    assert_eq!(report.counts.values().copied().collect::<Vec<_>>(), [5029, 39769, 20738]);
    let difference = largest_difference(&logits, &golden("logits_365.tif"));
    eprintln!("logits: largest difference {difference:e}");
    assert!(difference < 1e-3);
}

#[test]
fn attention_and_gradcam_equal_the_originals_for_all_classes() {
    let Some(data) = data() else { return };
    let model = model(&data);
    for class in 0..3 {
        let mut scene = nunatak_io::open(&data.join("test_sample/365.tif")).expect("scene");
        let (mut attention, mut gradcam) = (Memory::new(1, 256, 256), Memory::new(1, 256, 256));
        let sinks = ExplainSinks { attention: Some(&mut attention), gradcam: Some(&mut gradcam), class: None };
        let options = ExplainOptions { class, tile_px: 100, ..ExplainOptions::default() };
        explain(&Engine::cpu(), &model, &mut scene, sinks, &options, &Silent).expect("explains");

        let attention = largest_difference(&attention.0, &golden("attention_365.tif"));
        let gradcam = largest_difference(&gradcam.0, &golden(&format!("gradcam_365_class{class}.tif")));
        eprintln!("class {class}: attention {attention:e}, Grad-CAM {gradcam:e}");
        assert!(attention < 1e-4 && gradcam < 1e-4);
    }
}

#[test]
fn tiles_of_a_mosaic_give_the_logits_of_the_whole() {
    let Some(data) = data() else { return };
    let model = model(&data);
    let mut mosaic = mosaic(&data, 4);

    let tiled = predicted(&mut mosaic, &model, PredictOptions { tile_px: 300, ..PredictOptions::default() });
    let whole = predicted(&mut mosaic, &model, PredictOptions { tile_px: 1024, ..PredictOptions::default() });

    assert_eq!(largest_difference(&tiled.1, &whole.1), 0.0);
    assert_eq!(tiled.0, whole.0);
}

#[test]
fn the_originals_large_image_path_shows_seams_and_the_exact_one_does_not() {
    let Some(data) = data() else { return };
    let model = model(&data);
    let mut mosaic = mosaic(&data, 2);

    let compat =
        predicted(&mut mosaic, &model, PredictOptions { mode: PredictMode::Compat, ..PredictOptions::default() }).0;
    let exact = predicted(&mut mosaic, &model, PredictOptions::default()).0;

    let n_other = compat.data.iter().zip(&exact.data).filter(|(a, b)| a != b).count();
    eprintln!("compat differs in {n_other} of {} pixels", exact.data.len());
    assert!(n_other > 0 && n_other < exact.data.len() / 10);
}
