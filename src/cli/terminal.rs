//! How messages look: coloured on a terminal unless NO_COLOR is set, plain everywhere else, JSON where the log is.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::plain::{Files, Plain};
use super::repeats::Repeats;
use super::{Common, files};
use crate::config::Report;
use crate::error::Error;

/// Whether stderr takes colours.
pub fn colour() -> bool {
    takes_colours(&std::io::stderr())
}

/// Whether `stream` is a terminal that takes colours, and the user wants them.
pub fn takes_colours(stream: &impl IsTerminal) -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let able = std::env::var_os("TERM").is_none_or(|t| t != "dumb");
    wanted && able && stream.is_terminal()
}

/// Columns of the terminal that stdout is; none if it is no terminal, or one that does not tell.
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Logs to stderr at the level that the flags ask for, with the time where it goes on for long; `LATENTD_LOG` overrides it by target, as in `LATENTD_LOG=latentd=debug`.
pub fn start_logging(common: &Common, long: bool) {
    use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (_, 0) => "latentd=info,warn",
        (_, 1) => "latentd=debug,info",
        _ => "trace",
    };
    let asked = std::env::var_os("LATENTD_LOG").map(|text| text.to_string_lossy().into_owned());
    let read = asked.as_deref().map(EnvFilter::try_new).transpose();
    let (filter, wrong) = match read {
        Ok(filter) => (filter, None),
        Err(e) => (None, Some(e)),
    };
    let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    JSON.store(common.log_format == LogFormat::Json, Ordering::Relaxed);
    let log = fmt::layer().with_writer(|| AboveBar).log_internal_errors(false);
    let layer = match common.log_format {
        LogFormat::Json => log.json().flatten_event(true).with_filter(Repeats::default()).boxed(),
        LogFormat::Human => {
            // journald has a clock of its own, and no colours.
            let journal = std::env::var_os("JOURNAL_STREAM").is_some();
            let log = log.with_ansi(colour() && !journal).with_target(false);
            match long && !journal {
                true => log.with_filter(Repeats::default()).boxed(),
                false => log.event_format(Plain).and_then(Files).with_filter(Repeats::default()).boxed(),
            }
        }
    };
    // A second start in one process (a test) keeps the first.
    let _ = tracing_subscriber::registry().with(layer).with(filter).try_init();
    if let Some(e) = wrong {
        let text = asked.unwrap_or_default();
        tracing::warn!("LATENTD_LOG: `{}` is left out: {e}", text.escape_debug());
    }
}

/// Where the log goes: stderr, above a progress bar.
struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        files::above_bar(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Whether the log is JSON, for what is written beside it.
static JSON: AtomicBool = AtomicBool::new(false);

/// A line in the log by another way than the log's own.
pub fn note(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = match JSON.load(Ordering::Relaxed) {
        true => writeln!(stderr, "{}", serde_json::json!({ "level": "WARN", "message": text })),
        false => writeln!(stderr, "{text}"),
    };
}

/// `error: what happened`, and `help: what to do` below.
pub fn print_error(error: &Error) {
    // A terminal that is gone is no reason to stop.
    let mut stderr = std::io::stderr();
    if JSON.load(Ordering::Relaxed) {
        let (kind, mend) = (error.kind().name(), error.mend_text());
        let line = serde_json::json!({ "level": "ERROR", "message": error.to_string(), "mend": mend, "kind": kind });
        let _ = writeln!(stderr, "{line}");
        return;
    }
    let (red, cyan, bold, end) =
        if colour() { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[1m", "\x1b[0m") } else { ("", "", "", "") };
    let _ = writeln!(stderr, "{red}error{end}{bold}: {error}{end}");
    if let Some(mend) = error.mend_text() {
        let _ = writeln!(stderr, "{cyan}help{end}: {mend}");
    }
}

/// All problems of a file, with carets.
pub fn print_report(report: &Report) {
    let mut stderr = std::io::stderr();
    if !JSON.load(Ordering::Relaxed) {
        let _ = writeln!(stderr, "{}\n", report.render(colour()).trim_end());
        return;
    }
    for problem in report.to_json().as_array().into_iter().flatten() {
        let mut line = problem.clone();
        line["level"] = "ERROR".into();
        let _ = writeln!(stderr, "{line}");
    }
}
