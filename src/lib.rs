//! Images, sound and melodies made better by small trained autoencoders.
//!
//! Everything is [`media`] that flows one way: source, stages, sink. ARCHITECTURE.md is the map.
//!
//! A picture without its noise, in a program of your own:
//!
//! ```no_run
//! use latentd::media::image::{Limits, decode};
//! use latentd::media::Media;
//! use latentd::{crew::Crew, model::Models, stage};
//! use std::{fs::File, path::Path};
//!
//! # fn main() -> latentd::Result<()> {
//! let path = Path::new("noisy.jpg");
//! let file = File::open(path).map_err(|e| latentd::Error::io("read", path, e))?;
//! let noisy = decode::read(file, path, &Limits::default())?;
//! let models = Models::default();
//! let site = stage::Site { models: &models, folder: Path::new(".") };
//! let denoise = stage::named("denoise", [("strength", 0.9.into())], &site)?;
//! let context = stage::Context { crew: Crew::alone(), intermediate: false };
//! let clean = denoise.run(vec![Media::Image(noisy)], &context)?;
//! # Ok(()) }
//! ```
//!
//! Sound is read block by block: `decode::read(..)?.through(Stream::new(&model, 1)?.at(format)?)`, as in `examples/denoise_recording.rs`.
//!
//! | feature | adds |
//! |---|---|
//! | none (`default-features = false`) | [`config`], [`crew`], [`durable`], [`error`], [`media`], [`model`], [`stage`] |
//! | `audio-models`, `image-models`, `melody-models` (default) | the trained models of that kind, built in: 0.8, 22 and 6 MB; the example above needs `image-models` |
//! | `realtime` | `realtime`: what may not wait, for plugins |
//! | `plot` | `plot`: spectrograms, piano rolls, latent maps |
//! | `live` (default) | `device`: microphones and speakers; needs ALSA |
//! | `daemon` (default) | `cli`, `daemon`, `pipeline`, `sink`, `source`: the program |

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
