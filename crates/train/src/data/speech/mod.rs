//! Recordings for training: read from Opus and WAV files, cut, changed and mixed.

mod colour;
mod corpus;
mod files;
mod mix;
mod noise;
mod room;

pub use corpus::{Corpus, Material, RATE, Recording};
pub use files::{read, write_wav};
pub use mix::{Clip, Mixer, PREROLL};
