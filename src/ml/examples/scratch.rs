#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout)]
use std::path::Path;
use std::time::Instant;
use nunatak_domain::grid::PixelRect;
use nunatak_domain::raster::*;
use nunatak_domain::scene::*;
use nunatak_jobs::Silent;
use nunatak_ml::predict::*;
use nunatak_ml::*;

fn tiff(path: &str) -> Raster {
    let b = std::fs::read(path).unwrap();
    let u16at = |o: usize| u16::from_le_bytes([b[o], b[o + 1]]) as usize;
    let u32at = |o: usize| u32::from_le_bytes([b[o], b[o + 1], b[o + 2], b[o + 3]]) as usize;
    let ifd = u32at(4);
    let n = u16at(ifd);
    let (mut off, mut cnt) = (0, 0);
    for i in 0..n {
        let e = ifd + 2 + i * 12;
        if u16at(e) == 273 { off = u32at(e + 8); cnt = u32at(e + 4); }
    }
    let mut r = Raster::filled(10, 256, 256, 0.0);
    assert_eq!(cnt, 256);
    for row in 0..256 {
        let s = u32at(off + 4 * row);
        for col in 0..256 {
            for band in 0..10 {
                let o = s + (col * 10 + band) * 4;
                r.data[(band * 256 + row) * 256 + col] = f32::from_le_bytes([b[o], b[o + 1], b[o + 2], b[o + 3]]);
            }
        }
    }
    r
}
struct Src { info: SceneInfo, r: Raster }
impl RasterSource for Src {
    fn info(&self) -> &SceneInfo { &self.info }
    fn read(&mut self, w: PixelRect, bands: &[usize], _: usize, _: usize) -> Result<Raster, RasterError> {
        let (tw, th) = (self.r.width, self.r.height);
        let mut data = Vec::with_capacity(w.area() * bands.len());
        for b in bands { for row in w.row..w.bottom() { for col in w.col..w.right() { data.push(self.r.get(*b, col % tw, row % th)); } } }
        Ok(Raster::new(bands.len(), w.width, w.height, data))
    }
}
struct Sink(Raster);
impl RasterSink for Sink {
    fn write(&mut self, col: usize, row: usize, r: &Raster) -> Result<(), RasterError> {
        if self.0.data.is_empty() { return Ok(()); }
        for b in 0..r.bands { for y in 0..r.height { for x in 0..r.width {
            let i = (b * self.0.height + row + y) * self.0.width + col + x;
            self.0.data[i] = r.get(b, x, y);
        } } }
        Ok(())
    }
}
fn info(w: usize, h: usize) -> SceneInfo {
    let band = BandInfo { name: "b".into(), data_type: DataType::Float32, nodata: None, scale: 1.0, offset: 0.0, unit: String::new(), wavelength_nm: None, fwhm_nm: None, color: ColorRole::Undefined, mask: MaskKind::AllValid, statistics: None, palette: None, categories: vec![] };
    SceneInfo { path: "x".into(), driver: "MEM".into(), width: w, height: h, bands: vec![band; 10], crs: None, georeference: nunatak_domain::geo::Georeference::None, overviews: vec![], block: (256, 1), compression: None, interleave: None, subdatasets: vec![], metadata: vec![], remarks: vec![] }
}
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ") }
fn main() {
    let d = "/work/shared/data/ssmgnet";
    let args: Vec<String> = std::env::args().collect();
    let model = load_network(Path::new(&format!("{d}/pth_files/epoch8-loss0.176-val_loss0.174.pth"))).unwrap();
    let scene = tiff(&format!("{d}/test_sample/365.tif"));
    let engine = Engine::cpu();
    match args[1].as_str() {
        "seed" => {
            let mut s = Src { info: info(256, 256), r: scene };
            let mut c = Sink(Raster::filled(1, 256, 256, f32::NAN));
            let rep = predict(&engine, &model, &mut s, PredictSinks::new(&mut c), PredictOptions::default(), &Silent).unwrap();
            println!("{rep:?}");
        }
        "parity" => {
            let raw = |n: &str| -> Vec<f32> { std::fs::read(format!("/tmp/raw/{n}.f32")).unwrap().chunks(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect() };
            let diff = |a: &[f32], b: &[f32]| { assert_eq!(a.len(), b.len()); a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) };
            let mut s = Src { info: info(256, 256), r: scene };
            let mut c = Sink(Raster::filled(1, 256, 256, f32::NAN));
            let mut l = Sink(Raster::filled(3, 256, 256, f32::NAN));
            let mut sinks = PredictSinks::new(&mut c);
            sinks.logits = Some(&mut l);
            predict(&engine, &model, &mut s, sinks, PredictOptions::default(), &Silent).unwrap();
            println!("class equal {}", c.0.data.iter().zip(raw("seg_365_class.tif")).filter(|(a, b)| *a == b).count());
            println!("logits {:e}", diff(&l.0.data, &raw("logits_365.tif")));
            for class in 0..3 {
                let (mut a, mut g) = (Sink(Raster::filled(1, 256, 256, f32::NAN)), Sink(Raster::filled(1, 256, 256, f32::NAN)));
                let o = nunatak_ml::explain::ExplainOptions { class, tile_px: 100, ..Default::default() };
                let t = Instant::now();
                let rep = nunatak_ml::explain::explain(&engine, &model, &mut s, nunatak_ml::explain::ExplainSinks { attention: Some(&mut a), gradcam: Some(&mut g), class: None }, &o, &Silent).unwrap();
                println!("class {class}: attention {:e} gradcam {:e} range {:?} {:?}", diff(&a.0.data, &raw("attention_365.tif")), diff(&g.0.data, &raw(&format!("gradcam_365_class{class}.tif"))), rep.cam_range, t.elapsed());
            }
            std::fs::write("/tmp/out.safetensors", save_safetensors_bytes(&model.state, &model.record)).unwrap();
            println!("{:?}", model.remarks);
            let st: Vec<BandStatistics> = (0..10).map(|b| BandStatistics::of(s.r.band(b).iter().map(|v| f64::from(*v)), 65536, StatisticsSource::Exact).unwrap()).collect();
            println!("{:?}", nunatak_ml::check::check(&model, &s.info, None, Some(&st)));
            let st: Vec<BandStatistics> = (0..10).map(|b| BandStatistics::of(s.r.band(b).iter().map(|v| f64::from(*v) * 1e4), 65536, StatisticsSource::Exact).unwrap()).collect();
            println!("{:?}", nunatak_ml::check::check(&model, &s.info, None, Some(&st)));
        }
        "exact" => {
            let side: usize = args[2].parse().unwrap();
            let mut out = vec![];
            for t in args[3..].iter() {
                let mut s = Src { info: info(side, side), r: scene.clone() };
                let mut c = Sink(Raster::filled(1, side, side, f32::NAN));
                let mut l = Sink(Raster::filled(3, side, side, f32::NAN));
                let mut sinks = PredictSinks::new(&mut c);
                sinks.logits = Some(&mut l);
                predict(&engine, &model, &mut s, sinks, PredictOptions { tile_px: t.parse().unwrap(), ..Default::default() }, &Silent).unwrap();
                out.push(l.0.data);
                let m = out[0].iter().zip(&out[out.len() - 1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let n = out[0].iter().zip(&out[out.len() - 1]).filter(|(a, b)| a != b).count();
                println!("tile {t}: max diff {m:e}, {n} values differ");
            }
        }
        "speed" => {
            let side: usize = args[2].parse().unwrap();
            for t in args[3..].iter() {
                let mut s = Src { info: info(side, side), r: scene.clone() };
                let mut c = Sink(Raster::default());
                let start = Instant::now();
                predict(&engine, &model, &mut s, PredictSinks::new(&mut c), PredictOptions { tile_px: t.parse().unwrap(), ..Default::default() }, &Silent).unwrap();
                let sec = start.elapsed().as_secs_f64();
                println!("tile {t}: {sec:.3} s, {:.3} Mpx/s, {}", (side * side) as f64 / sec / 1e6, rss());
            }
        }
        _ => {}
    }
}
