//! Standard MIDI files: midly reads and writes the events, here they become notes and come from notes.

mod read;
mod sounding;
mod write;

pub use read::{MAX_BYTES, read, read_aloud};
pub use write::write;

use std::path::Path;

use crate::error::{Error, Kind, Result};

/// Whether `path` ends as a MIDI file does.
///
/// # Errors
/// Kind config: it does not.
pub fn check_extension(path: &Path) -> Result<()> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if ["mid", "midi"].contains(&ending.as_str()) {
        return Ok(());
    }
    Err(Error::new(Kind::Config, "melodies are written as .mid").at(path).mend("end the name in .mid"))
}
