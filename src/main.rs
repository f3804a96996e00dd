//! Reads the arguments and picks a front end; nothing else.

use std::process::ExitCode;

use nunatak_ui::RunOptions;

fn main() -> ExitCode {
    nunatak_cli::run(std::env::args_os(), |request| {
        nunatak_ui::run(RunOptions {
            files: Vec::new(),
            commands: request.commands,
            predict: request.predict,
            device: request.device,
        })
    })
}
