//! Scripts: one `Command` per line, as JSON; each line's jobs end before the next begins.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use nunatak_app::Command;

use crate::report;
use crate::run::{Headless, Stop};

/// Replays a script file, or standard input for `-`. A file is read and understood as a
/// whole before its first line runs.
///
/// # Errors
/// What went wrong has been printed, with the number of the line.
pub(crate) fn replay(headless: &mut Headless, script: &Path) -> Result<(), Stop> {
    if script == Path::new("-") {
        return replay_stream(headless, std::io::stdin().lock());
    }
    let text = std::fs::read_to_string(script).map_err(|error| {
        headless.screen.error(format!("failed to read script: {error}: {}", script.display()));
        Stop::Failed
    })?;
    let commands = parse(&text).map_err(|error| {
        headless.screen.error(format!("{error}: {}", script.display()));
        Stop::Failed
    })?;
    for (number, command) in commands {
        step(headless, number, command)?;
    }
    Ok(())
}

/// Runs each line as soon as it arrives, so that another program can drive this one.
fn replay_stream(headless: &mut Headless, stream: impl Read) -> Result<(), Stop> {
    for (index, line) in BufReader::new(stream).lines().enumerate() {
        let line = line.map_err(|error| format!("failed to read line {}: {error}", index + 1));
        let command = line.and_then(|line| parse_line(index + 1, &line)).map_err(|error| {
            headless.screen.error(error);
            Stop::Failed
        })?;
        if let Some(command) = command {
            step(headless, index + 1, command)?;
        }
    }
    Ok(())
}

fn step(headless: &mut Headless, number: usize, command: Command) -> Result<(), Stop> {
    let line = serde_json::to_value(&command).unwrap_or_default();
    match headless.run(command) {
        Ok(reports) => {
            report::print(&headless.screen, Some(number), &line, &reports);
            Ok(())
        }
        Err(stop) => {
            if stop == Stop::Failed {
                headless.screen.error(format!("the script ended at line {number}: {line}"));
            }
            Err(stop)
        }
    }
}

/// All commands with the number of their line.
fn parse(text: &str) -> Result<Vec<(usize, Command)>, String> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| Some(parse_line(index + 1, line).transpose()?.map(|command| (index + 1, command))))
        .collect()
}

/// `None` for blank lines and comments.
fn parse_line(number: usize, line: &str) -> Result<Option<Command>, String> {
    let line = line.trim().trim_start_matches('\u{feff}');
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    serde_json::from_str(line).map(Some).map_err(|error| format!("line {number} is no command: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_skipped_and_lines_keep_their_numbers() {
        let script =
            "# first\n\n{\"command\":\"info\",\"path\":\"a.tif\"}\n  \n{\"command\":\"use_model_references\"}\n";

        let commands = parse(script).expect("a script");

        assert_eq!(
            commands,
            [(3, Command::Info { path: "a.tif".into(), statistics: false }), (5, Command::UseModelReferences)]
        );
    }

    #[test]
    fn a_line_that_is_no_command_is_named() {
        let error =
            parse("{\"command\":\"use_model_references\"}\n{\"command\":\"dance\"}").expect_err("no such command");

        assert!(error.starts_with("line 2 is no command: unknown variant `dance`"), "{error}");
    }
}
