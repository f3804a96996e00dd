//! Time until the map is sharp, and the longest time the window's thread is held.
//!
//! A fixed script of views (fit, zoom in by twos to 1:1, pan, zoom out) over one raster:
//!
//! ```text
//! cargo bench --profile dev --bench pan_zoom -- RASTER
//! ```
//!
//! *Sharp* is the time from a new view until no tile is missing. *Stall* is the longest
//! single turn of `poll` + `frame` + `want`, which is all that the window's thread does
//! between two pictures besides drawing.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nunatak_app::{Command, Event, Session, SessionOptions};
use nunatak_domain::map::{MapView, ScreenPos};

const SIZE: (u32, u32) = (1600, 1000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // `cargo test --all-targets` starts benches too, without the flag and without a raster.
    let Some(raster) = arguments.first().filter(|name| std::path::Path::new(name).exists()) else {
        eprintln!("pan_zoom: give a raster: cargo bench --profile dev --bench pan_zoom -- RASTER");
        return;
    };
    let (wake, woken) = channel();
    let options =
        SessionOptions { wake: Arc::new(move || wake.send(()).unwrap_or_default()), ..SessionOptions::default() };
    let mut session = Session::new(options);
    let opened = Instant::now();
    session.dispatch(Command::OpenScene { path: PathBuf::from(raster) }).expect("the raster opens");
    wait_until_open(&mut session, &woken);
    println!("open          {:8.1} ms", ms(opened.elapsed()));

    let fit = MapView::fitting(session.bounds().expect("a layer is open"), SIZE.0, SIZE.1, 0.02);
    let mut bench = Bench { session, woken, sharp: Vec::new(), stall: Duration::ZERO };
    bench.look("fit", fit);
    let one_to_one = bench.session.layer_pixel_size(bench.session.layers()[0].id).expect("a layer has pixels");
    let mut view = fit;
    let center = ScreenPos { x: 700.0, y: 450.0 };
    while view.units_per_px > one_to_one {
        view = view.zoomed(2.0, center);
        bench.look("zoom in", view);
    }
    for step in 0..12 {
        view = view.panned(if step % 3 == 2 { 0.0 } else { -400.0 }, if step % 3 == 2 { -300.0 } else { 0.0 });
        bench.look("pan", view);
    }
    while view.units_per_px < fit.units_per_px {
        view = view.zoomed(0.5, center);
        bench.look("zoom out", view);
    }
    bench.report();
}

struct Bench {
    session: Session,
    woken: Receiver<()>,
    sharp: Vec<Duration>,
    stall: Duration,
}

impl Bench {
    fn look(&mut self, what: &str, view: MapView) {
        let start = Instant::now();
        loop {
            let turn = Instant::now();
            self.session.poll();
            let frame = self.session.frame(&view, None);
            self.session.want(&frame.missing);
            self.stall = self.stall.max(turn.elapsed());
            if frame.missing.is_empty() {
                break;
            }
            // A display refreshes every 16 ms; news wakes the window sooner.
            let _ = self.woken.recv_timeout(Duration::from_millis(16));
        }
        let sharp = start.elapsed();
        println!("{what:12} {:8.1} ms", ms(sharp));
        self.sharp.push(sharp);
    }

    fn report(mut self) {
        self.sharp.sort_unstable();
        let at = |share: f64| self.sharp[((self.sharp.len() - 1) as f64 * share).round() as usize];
        println!(
            "sharp: median {:.1} ms, p95 {:.1} ms; longest stall of the window's thread {:.2} ms",
            ms(at(0.5)),
            ms(at(0.95)),
            ms(self.stall)
        );
    }
}

fn wait_until_open(session: &mut Session, woken: &Receiver<()>) {
    loop {
        let events = session.poll();
        if events.iter().any(|event| matches!(event, Event::SceneOpened { .. })) {
            return;
        }
        assert!(session.busy(), "the raster did not open: {events:?}");
        let _ = woken.recv_timeout(Duration::from_millis(50));
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
