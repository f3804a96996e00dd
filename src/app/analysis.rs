//! Commands that classify and judge files: each is a job that knows nothing of the session.

use crate::command::Command;
use crate::dispatch::name;
use crate::event::Event;
use crate::guard::Files;
use crate::session::Session;
use crate::work;
use crate::work::replay::Replay;

impl Session {
    /// Starts the job of one of these commands; nothing for others.
    pub(crate) fn analyse(&mut self, command: Command, files: Files) -> Vec<Event> {
        let recipe = command.clone();
        match command {
            Command::Classify(config) => {
                self.compute(format!("Classify {}", name(&config.raster)), move |_, monitor| {
                    files.check()?;
                    work::classify::run(&config, &recipe, monitor)
                })
            }
            Command::Separability(config) => self
                .compute(format!("Separability {}", name(&config.classes)), move |_, monitor| {
                    work::separability::run(&config, monitor)
                }),
            Command::Index(config) => self.compute(format!("Index of {}", name(&config.raster)), move |_, monitor| {
                files.check()?;
                work::index::run(&config, &recipe, monitor)
            }),
            Command::Accuracy(config) => {
                self.start_files(format!("Accuracy of {}", name(&config.map)), move |monitor| {
                    files.check()?;
                    work::accuracy::run(&config, &recipe, monitor)
                })
            }
            Command::Sample(config) => self.start_files(format!("Sample {}", name(&config.map)), move |monitor| {
                files.check()?;
                work::sample::run(&config, &recipe, monitor)
            }),
            Command::Sieve(config) => self.start_files(format!("Sieve {}", name(&config.map)), move |monitor| {
                files.check()?;
                work::sieve::run(&config, &recipe, monitor)
            }),
            Command::ShowSpectra { path } => {
                self.start_open(format!("Spectra {}", name(&path)), move |_| work::spectra::show(&path))
            }
            Command::ConvertSpectra(config) => {
                self.start_files(format!("Convert {}", name(&config.spectra)), move |monitor| {
                    files.check()?;
                    work::spectra::convert(&config, &recipe, monitor)
                })
            }
            Command::Replay(config) => {
                let title = format!("Replay {}", name(&config.output));
                let (folder, device) = (self.work_dir.fresh("replay"), self.device.choice);
                let replay = Replay { config, folder, device, painter: self.painter.clone() };
                self.compute(title, move |compute, monitor| {
                    files.check()?;
                    work::replay::run(&replay, compute, monitor)
                })
            }
            _ => Vec::new(),
        }
    }
}
