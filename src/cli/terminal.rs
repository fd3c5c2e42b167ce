//! How messages look: coloured on a terminal unless NO_COLOR is set, plain everywhere else.

use std::io::{IsTerminal, Write};

use super::Common;
use crate::config::Report;
use crate::error::Error;

/// Whether stderr takes colours.
pub fn colour() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let able = std::env::var_os("TERM").is_none_or(|t| t != "dumb");
    wanted && able && std::io::stderr().is_terminal()
}

/// Logs to stderr at the level that the flags ask for; `LATENTD_LOG` overrides it by target, as in `LATENTD_LOG=latentd=debug`.
pub fn start_logging(common: &Common) {
    use tracing_subscriber::{EnvFilter, fmt};
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (_, 0) => "latentd=info,warn",
        (_, 1) => "latentd=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("LATENTD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour())
        .with_target(false)
        .log_internal_errors(false);
    // A second start in one process (a test) keeps the first.
    let _ = log.try_init();
}

/// `error: what happened`, and `help: what to do` below.
pub fn print_error(error: &Error) {
    let (red, cyan, bold, end) =
        if colour() { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[1m", "\x1b[0m") } else { ("", "", "", "") };
    // A terminal that is gone is no reason to stop.
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "{red}error{end}{bold}: {error}{end}");
    if let Some(mend) = error.mend_text() {
        let _ = writeln!(stderr, "{cyan}help{end}: {mend}");
    }
}

/// All problems of a file, with carets.
pub fn print_report(report: &Report) {
    let _ = writeln!(std::io::stderr(), "{}\n", report.render(colour()).trim_end());
}
