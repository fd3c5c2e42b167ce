//! Standard MIDI files: midly reads and writes the events, here they become notes and come from notes.

mod read;
mod write;

pub use read::{MAX_BYTES, read};
pub use write::write;
