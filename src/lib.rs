//! Images, sound and melodies made better by small trained autoencoders.
//!
//! Everything is [`media`] that flows one way: source, stages, sink. ARCHITECTURE.md is the map.

#[cfg(feature = "daemon")]
pub mod cli;
pub mod config;
pub mod crew;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "live")]
pub mod device;
pub mod durable;
pub mod error;
pub mod media;
pub mod model;
#[cfg(feature = "daemon")]
pub mod pipeline;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "realtime")]
pub mod realtime;
#[cfg(feature = "daemon")]
pub mod sink;
#[cfg(feature = "daemon")]
pub mod source;
pub mod stage;

pub use error::{Error, Kind, Result};

/// The word among `words` that somebody who wrote `word` most likely meant, if any is near.
pub fn did_you_mean<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|w| (strsim::damerau_levenshtein(&word.to_lowercase(), &w.to_lowercase()), w))
        .filter(|(distance, w)| *distance <= 1.max(w.len().min(word.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, w)| w)
}
