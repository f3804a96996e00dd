//! Files and verbs for session tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nunatak_domain::geo::{Crs, GeoTransform, Georeference};
use nunatak_domain::inspect::{Probe, ProbeAnswer};
use nunatak_domain::layer::{LayerId, SceneId};
use nunatak_domain::map::{MapFrame, MapView};
use nunatak_domain::raster::{Raster, RasterSink};
use nunatak_domain::recipe::Recipe;
use nunatak_domain::scene::DataType;
use nunatak_io::{GeoTiffConfig, GeoTiffSink};
use nunatak_jobs::Silent;

use serde_json::Value;

use nunatak_app::{Command, Event, JobOutcome, JobReport, Session, SessionOptions};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn session() -> Session {
    Session::new(SessionOptions { device: nunatak_domain::job::DeviceChoice::Cpu, ..SessionOptions::default() })
}

pub(crate) fn crs(code: &str) -> Option<Crs> {
    Some(nunatak_io::crs_from_user(code).expect("a known CRS"))
}

/// 10 m pixels from (500000, 4000000) in UTM zone 33N downward.
pub(crate) fn utm() -> (Option<Crs>, Georeference) {
    let transform = GeoTransform([500_000.0, 10.0, 0.0, 4_000_000.0, 0.0, -10.0]);
    (crs("EPSG:32633"), Georeference::Affine { transform })
}

/// Writes a float32 GeoTIFF whose value is `of(band, col, row)`.
pub(crate) fn write_raster(
    path: &Path,
    (bands, width, height): (usize, usize, usize),
    (crs, georeference): (Option<Crs>, Georeference),
    of: impl Fn(usize, usize, usize) -> f32,
) -> PathBuf {
    let config = GeoTiffConfig {
        path: path.to_owned(),
        width,
        height,
        bands: (1..=bands).map(|n| format!("b{n}")).collect(),
        data_type: DataType::Float32,
        nodata: Some(f64::NAN),
        crs,
        georeference,
        classes: None,
        recipe: Recipe::new(serde_json::Value::Null),
        overwrite: true,
    };
    let pixels = (0..bands).flat_map(|b| (0..height).flat_map(move |r| (0..width).map(move |c| (b, c, r))));
    let data = pixels.map(|(band, col, row)| of(band, col, row)).collect();
    let mut sink = GeoTiffSink::create(config).expect("created");
    sink.write(0, 0, &Raster::new(bands, width, height, data)).expect("written");
    sink.finish(&Silent).expect("finished");
    path.to_owned()
}

/// Polls until nothing is under way.
pub(crate) fn settle(session: &mut Session) -> Vec<Event> {
    let start = Instant::now();
    let mut events = Vec::new();
    loop {
        let busy = session.busy();
        events.extend(session.poll());
        if !busy {
            return events;
        }
        assert!(start.elapsed() < PATIENCE, "still busy: {:?}", session.jobs());
        std::thread::yield_now();
    }
}

/// Dispatches and waits.
pub(crate) fn act(session: &mut Session, command: Command) -> Vec<Event> {
    let mut events = session.dispatch(command).expect("accepted");
    events.extend(settle(session));
    events
}

/// Opens a raster; panics with the notice if that fails.
pub(crate) fn open(session: &mut Session, path: &Path) -> (SceneId, LayerId) {
    let events = act(session, Command::OpenScene { path: path.to_owned() });
    let opened = events.iter().find_map(|event| match event {
        Event::SceneOpened { scene, layer } => Some((*scene, *layer)),
        _ => None,
    });
    opened.unwrap_or_else(|| panic!("not opened: {events:?}"))
}

pub(crate) fn report(events: &[Event]) -> &JobReport {
    let ended = events.iter().rev().find_map(|event| match event {
        Event::JobEnded { outcome: JobOutcome::Done { report }, .. } => Some(report),
        _ => None,
    });
    ended.unwrap_or_else(|| panic!("no job came to its end: {events:?}"))
}

pub(crate) fn notices<'a>(events: &'a [Event]) -> Vec<&'a str> {
    let text = |event: &'a Event| match event {
        Event::Notice(notice) | Event::JobEnded { outcome: JobOutcome::Failed { notice }, .. } => {
            Some(notice.text.as_str())
        }
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

pub(crate) fn view_of(session: &Session, width_px: u32, height_px: u32) -> MapView {
    MapView::fitting(session.bounds().expect("a layer"), width_px, height_px, 0.0)
}

/// Asks for what is missing until nothing is.
pub(crate) fn sharp_frame(session: &mut Session, view: &MapView) -> MapFrame {
    let start = Instant::now();
    loop {
        let frame = session.frame(view, None);
        if frame.missing.is_empty() {
            return frame;
        }
        assert!(start.elapsed() < PATIENCE, "still missing: {:?}", frame.missing);
        session.want(&frame.missing);
        settle(session);
    }
}

pub(crate) fn ask(session: &mut Session, probe: Probe) -> ProbeAnswer {
    session.probe(probe);
    let events = settle(session);
    let answer = events.into_iter().find_map(|event| match event {
        Event::Probed(answer) => Some(answer),
        _ => None,
    });
    answer.expect("an answer")
}

/// A command from its script line.
pub(crate) fn command(value: Value) -> Command {
    serde_json::from_value(value).expect("a command")
}

pub(crate) fn fact<'a>(facts: &'a [(String, Value)], name: &str) -> &'a Value {
    &facts.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {facts:?}")).1
}
