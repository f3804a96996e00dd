//! The command line: the only crate that names clap. It turns words into `Command`s,
//! hands them to a `Session`, and prints what comes back; it decides nothing itself.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.

mod analysis_args;
mod args;
mod info;
mod project;
mod project_args;
mod report;
mod run;
mod scene_report;
mod screen;
mod script;
mod table;
mod usage;
mod values;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use nunatak_app::{Command, JobReport};
use nunatak_domain::job::DeviceChoice;

use crate::args::{Cli, GlobalArgs, Verb, WindowArgs};
use crate::run::{Headless, Stop};
use crate::screen::{Screen, to_stderr, to_stdout};

/// What the command line asks of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRequest {
    /// `OpenScene`, `OpenModel` and `OpenReferences` for the files that were named, in order.
    pub commands: Vec<Command>,
    /// Apply the model to the scene when both are open.
    pub predict: bool,
    pub device: DeviceChoice,
}

/// Does what the arguments say (the first one is the program's name). `open_window` is
/// called where they name no verb; its error is one sentence.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    open_window: impl FnOnce(WindowRequest) -> Result<(), String>,
) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match usage::parse(arguments.clone()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come here too, with stdout and exit code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    silence_mesa(&arguments);
    start_log(cli.global);
    if let Some(threads) = cli.global.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        if let Err(error) = pool.build_global() {
            to_stderr(&format!("warning: --threads has no effect: {error}"));
        }
    }
    let done = match cli.verb {
        Some(verb) => headless(verb, cli.global),
        None => window(cli.window, cli.global, open_window),
    };
    done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

/// Mesa's device-select layer looks for a Wayland session whenever adapters are listed and
/// complains on stderr where `XDG_RUNTIME_DIR` is not set (containers, services). It reads
/// its switch from the environment, which a program may change safely only for a new image
/// of itself.
fn silence_mesa(arguments: &[OsString]) {
    #[cfg(not(target_os = "linux"))]
    let _ = arguments;
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && std::env::var_os("NODEVICE_SELECT").is_none() {
        use std::os::unix::process::CommandExt;
        if let (Ok(program), [name, rest @ ..]) = (std::env::current_exe(), arguments) {
            // Returns only where it failed; the complaint does no harm then.
            let _ = std::process::Command::new(program).arg0(name).args(rest).env("NODEVICE_SELECT", "1").exec();
        }
    }
}

fn window(
    args: WindowArgs,
    global: GlobalArgs,
    open_window: impl FnOnce(WindowRequest) -> Result<(), String>,
) -> Result<(), Stop> {
    let screen = Screen::new(global);
    if !display_present() {
        screen.error(
            "there is no display for a window (neither DISPLAY nor WAYLAND_DISPLAY is set); \
             without one use a verb: info, predict, classify, … (see nunatak --help)",
        );
        return Err(Stop::Failed);
    }
    let request = WindowRequest {
        commands: usage::open_commands(&args.files),
        predict: args.predict,
        device: args.device.device,
    };
    open_window(request).map_err(|error| {
        screen.error(error);
        Stop::Failed
    })
}

/// macOS and Windows always have one.
fn display_present() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(target_os = "macos", windows)) || set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET")
}

fn headless(verb: Verb, global: GlobalArgs) -> Result<(), Stop> {
    match verb {
        Verb::Info(args) => info::info(args, global),
        Verb::Predict(args) => one(global, args.device.device, args.into()),
        Verb::Explain(args) => one(global, args.device.device, args.into()),
        Verb::Prior(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Polygonize(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Render(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Convert(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Classify(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Separability(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Index(args) if args.list => {
            info::indices(global);
            Ok(())
        }
        Verb::Index(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Accuracy(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Sample(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Sieve(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Spectra(verb) => one(global, DeviceChoice::Auto, verb.into()),
        Verb::Replay(args) => one(global, DeviceChoice::Auto, args.into()),
        Verb::Labels(args) => project::labels(args, global),
        Verb::Project(args) => project::project(args, global),
        Verb::Verify(args) => project::verify(args.project, global),
        Verb::Run(args) => script::replay(&mut Headless::new(global, args.device.device), &args.script),
        Verb::Devices => info::devices(global),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "nunatak", &mut text);
            to_stdout(&String::from_utf8_lossy(&text));
            Ok(())
        }
        Verb::Man { dir } => man(dir.as_deref(), global),
    }
}

/// One command, its reports on stdout.
fn one(global: GlobalArgs, device: DeviceChoice, command: Command) -> Result<(), Stop> {
    let mut headless = Headless::new(global, device);
    let asked = serde_json::to_value(&command).unwrap_or_default();
    let reports = headless.run(command)?;
    report::print(&headless.screen, None, &asked, &reports);
    // As `cmp` does it, so that a script notices.
    let differs = |report: &JobReport| report.facts.iter().any(|(name, value)| name == "identical" && *value == false);
    if reports.iter().any(differs) { Err(Stop::Failed) } else { Ok(()) }
}

fn man(dir: Option<&Path>, global: GlobalArgs) -> Result<(), Stop> {
    let screen = Screen::new(global);
    let written = match dir {
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text).map(|()| to_stdout(&String::from_utf8_lossy(&text)))
        }
        Some(dir) => std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir)),
    };
    written.map_err(|error| {
        screen.error(format!("failed to write man pages: {error}: {}", dir.unwrap_or(Path::new("-")).display()));
        Stop::Failed
    })
}

/// `RUST_LOG` overrides what `--verbose` chooses.
fn start_log(global: GlobalArgs) {
    let filter = if global.verbose { "warn,nunatak=debug" } else { "error" };
    let environment = env_logger::Env::default().default_filter_or(filter);
    // A second start in one process (tests) keeps the first logger.
    let _ = env_logger::Builder::from_env(environment).format_timestamp(None).try_init();
}
