//! Images, sound and melodies made better by small trained autoencoders.
//!
//! Everything is [`media`] that flows one way: source, stages, sink. ARCHITECTURE.md is the map.

pub mod config;
pub mod error;
pub mod media;

pub use error::{Error, Kind, Result};
