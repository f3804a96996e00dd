//! The terminal: results on stdout; progress and notices on stderr, as a bar, as sparse
//! lines where stderr is a file, or as JSON lines. Nothing here panics when a pipe closes.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nunatak_app::{Event, JobStatus};
use nunatak_domain::notice::{Level, Notice};

use crate::args::GlobalArgs;

/// Time between two lines of progress, in a file and as JSON.
const LINE_PAUSE: Duration = Duration::from_secs(5);
const JSON_PAUSE: Duration = Duration::from_millis(500);
/// Steps of the bar.
const BAR_LENGTH: u64 = 1000;

pub(crate) struct Screen {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Only where stderr is a terminal.
    bar: Option<ProgressBar>,
    /// When the last line of progress was written.
    last_line: Instant,
}

impl Screen {
    pub(crate) fn new(args: GlobalArgs) -> Self {
        // Log lines of --verbose would tear a bar apart.
        let drawn = std::io::stderr().is_terminal() && !args.json && !args.quiet && !args.verbose;
        Self {
            json: args.json,
            quiet: args.quiet,
            verbose: args.verbose,
            bar: drawn.then(new_bar),
            last_line: Instant::now(),
        }
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// An event as a JSON line on stderr; nothing in other formats. What a job reports is
    /// the result, and goes to stdout.
    pub(crate) fn event(&self, event: &Event) {
        if !self.json || self.quiet {
            return;
        }
        let mut line = serde_json::to_value(event).unwrap_or_default();
        if let Event::JobEnded { .. } = event {
            line["outcome"] = line["outcome"]["outcome"].take();
        }
        to_stderr(&line.to_string());
    }

    pub(crate) fn progress(&mut self, job: &JobStatus) {
        if self.quiet {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_prefix(job.title.clone());
            bar.set_message(progress_note(job));
            bar.set_position((f64::from(job.done.clamp(0.0, 1.0)) * BAR_LENGTH as f64) as u64);
            return;
        }
        let pause = if self.json { JSON_PAUSE } else { LINE_PAUSE };
        if self.last_line.elapsed() < pause {
            return;
        }
        self.last_line = Instant::now();
        if self.json {
            let mut line = serde_json::to_value(job).unwrap_or_default();
            line["event"] = "job_progress".into();
            to_stderr(&line.to_string());
        } else {
            let note = progress_note(job);
            let comma = if note.is_empty() { "" } else { ", " };
            to_stderr(&format!("{}: {:.0} %{comma}{note}", job.title, job.done * 100.0));
        }
    }

    /// Takes the bar away; what was printed stays.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            self.bar = Some(new_bar());
        }
    }

    pub(crate) fn notice(&self, notice: &Notice) {
        if self.quiet && notice.level == Level::Info {
            return;
        }
        if self.json {
            let mut line = serde_json::to_value(notice).unwrap_or_default();
            line["event"] = "notice".into();
            return to_stderr(&line.to_string());
        }
        let text = notice_text(notice, self.verbose);
        match &self.bar {
            Some(bar) => bar.suspend(|| to_stderr(&text)),
            None => to_stderr(&text),
        }
    }

    pub(crate) fn error(&self, text: impl Into<String>) {
        self.notice(&Notice::error(text));
    }

    /// Writes a result; a reader that has gone away (`| head`) is no error.
    pub(crate) fn result(&self, text: &str) {
        to_stdout(text);
    }
}

/// Text and a line end on stdout.
pub(crate) fn to_stdout(text: &str) {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(out, "{text}{end}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            to_stderr(&format!("error: failed to write the result: {error}"));
        }
        _ => {}
    }
}

/// A line on stderr; where that is closed nobody can be told.
pub(crate) fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:32}] {percent:>3} %  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(BAR_LENGTH), ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// `120 tiles/s, 9 s left`.
fn progress_note(job: &JobStatus) -> String {
    let left = job.left_s.map(|seconds| format!("{} left", duration(f64::from(seconds))));
    [Some(job.note.clone()), left].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `9 s`, `2 min 5 s`, `1 h 3 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

fn notice_text(notice: &Notice, verbose: bool) -> String {
    let word = match notice.level {
        Level::Info => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let mut text = format!("{word}: {}", notice.text);
    if verbose && !notice.details.is_empty() {
        for line in notice.details.lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    if !notice.next_step.is_empty() {
        text.push_str("\n  next: ");
        text.push_str(&notice.next_step);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_for_those_who_ask_and_the_next_step_for_all() {
        let notice =
            Notice::warning("the values look scaled").details("median 0.1\nmedian 1000").next_step("use --bands");

        assert_eq!(notice_text(&notice, false), "warning: the values look scaled\n  next: use --bands");
        assert_eq!(
            notice_text(&notice, true),
            "warning: the values look scaled\n  median 0.1\n  median 1000\n  next: use --bands"
        );
    }

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(duration(9.4), "9 s");
        assert_eq!(duration(125.0), "2 min 5 s");
        assert_eq!(duration(3780.0), "1 h 3 min");
    }
}
