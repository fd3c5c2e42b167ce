//! What verbs print as data. A reader that has gone away (`| head`) is no mistake. Anything else that keeps lines from being written is one, and is
//! told once, at the end: what a verb does beside printing goes on.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::OnceLock;

use crate::error::{Error, Kind, Result};

/// What kept the first thing from being written.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line; `say!` is the way to it.
pub fn line(text: Arguments) {
    keep(writeln!(io::stdout(), "{text}"));
}

/// Prints bytes as they are.
pub fn bytes(bytes: &[u8]) {
    keep(io::stdout().write_all(bytes));
}

/// Remembers whether something could be written.
pub fn keep(written: io::Result<()>) {
    if let Err(e) = written {
        // The first tells why.
        let _ = LOST.set(e);
    }
}

/// Whether what is printed reaches nobody, so that work for the sake of printing alone may end.
pub fn is_lost() -> bool {
    LOST.get().is_some()
}

/// Whether all was written that somebody was there to read.
///
/// # Errors
/// Kind output: it was not.
pub fn finish() -> Result<()> {
    keep(io::stdout().flush());
    match LOST.get() {
        Some(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(Kind::Output, "cannot write to stdout")
            .because(e.to_string())
            .mend("make room, or send the output elsewhere")),
        _ => Ok(()),
    }
}
