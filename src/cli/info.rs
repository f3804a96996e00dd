//! `info` and `devices`: what a session finds out about rasters, models and adapters.

use std::path::PathBuf;

use nunatak_app::Command;
use nunatak_domain::index::catalogue;
use nunatak_domain::job::DeviceChoice;
use serde_json::{Value, json};

use crate::args::{GlobalArgs, InfoArgs};
use crate::report;
use crate::run::{Headless, Stop};
use crate::screen::Screen;
use crate::table::Table;
use crate::values::FileKind;

pub(crate) fn info(args: InfoArgs, global: GlobalArgs) -> Result<(), Stop> {
    match args.raster {
        Some(path) if FileKind::of(&path) == FileKind::Model => model_info(path, global),
        Some(path) => raster_info(path, args.stats, global),
        None => devices(global),
    }
}

fn raster_info(path: PathBuf, statistics: bool, global: GlobalArgs) -> Result<(), Stop> {
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    let command = Command::Info { path, statistics };
    let asked = json!(command);
    let reports = headless.run(command)?;
    report::print(&headless.screen, None, &asked, &reports);
    Ok(())
}

fn model_info(path: PathBuf, global: GlobalArgs) -> Result<(), Stop> {
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    headless.silently(Command::OpenModel { path }).map_err(|errors| {
        errors.iter().for_each(|notice| headless.screen.notice(notice));
        Stop::Failed
    })?;
    let Some(model) = headless.session.model() else {
        headless.screen.error("the file was read but gave no model");
        return Err(Stop::Failed);
    };
    let text = if global.json { report::pretty(&report::model_json(model)) } else { report::model_text(model) };
    headless.screen.result(&text);
    Ok(())
}

/// The spectral indices that have a name.
pub(crate) fn indices(global: GlobalArgs) {
    let text = if global.json {
        report::pretty(&json!(catalogue()))
    } else {
        let mut table = Table::new(["Index", "Name", "Formula"]);
        catalogue().iter().for_each(|index| table.row([index.id.clone(), index.name.clone(), index.formula.clone()]));
        table.text(0)
    };
    Screen::new(global).result(&text);
}

/// What each choice of `--device` computes on here.
pub(crate) fn devices(global: GlobalArgs) -> Result<(), Stop> {
    const MOST: usize = 64;
    let mut headless = Headless::new(global, DeviceChoice::Cpu);
    let choices = [DeviceChoice::Auto, DeviceChoice::Cpu].into_iter();
    let mut found = Vec::new();
    for choice in choices.chain((0..MOST).map(|n| DeviceChoice::Gpu(Some(n)))) {
        match headless.silently(Command::SetDevice { device: choice }) {
            Ok(()) => found.push((choice, headless.session.device())),
            // The session refuses numbers beyond the last adapter with this sentence.
            Err(errors) if errors.iter().any(|notice| notice.text.contains("there is no adapter")) => break,
            Err(errors) => {
                let why = errors.first().map(|notice| notice.text.clone()).unwrap_or_default();
                found.push((choice, format!("not usable: {why}")));
            }
        }
    }
    let text = if global.json {
        let list = found.iter().map(|(choice, name)| json!({ "device": choice, "name": name }));
        report::pretty(&Value::Array(list.collect()))
    } else {
        let mut table = Table::new(["Device", "Computes on"]);
        found.iter().for_each(|(choice, name)| table.row([choice.to_string(), name.clone()]));
        table.text(0)
    };
    headless.screen.result(&text);
    Ok(())
}
