//! Recordings for training: read from files, cut, changed and mixed.

mod colour;
mod corpus;
mod excerpt;
mod files;
mod hiss;
mod mix;
mod noise;
mod room;
mod taught;

pub use corpus::{Corpus, HELD_OUT, Material, RATE, Recording};
pub use files::{EXTENSIONS, open, read};
pub use mix::{Clip, Mixer, PREROLL};
pub use taught::Taught;
