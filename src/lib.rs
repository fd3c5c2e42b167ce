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

/// The word among `words` that somebody who wrote `word` most likely meant, if any is near: one that differs by a slip, or else the first that it begins.
pub fn did_you_mean<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (word, words) = (word.to_lowercase(), words.collect::<Vec<_>>());
    let distances = words.iter().map(|w| (strsim::damerau_levenshtein(&word, &w.to_lowercase()), *w));
    let near = distances.filter(|(distance, w)| *distance <= 1.max(w.len().min(word.len()) / 3));
    let nearest = near.min_by_key(|(distance, _)| *distance).map(|(_, w)| w);
    // Of fewer letters many words are the beginning.
    let begun = || words.iter().copied().find(|w| word.len() >= 4 && w.to_lowercase().starts_with(&word));
    nearest.or_else(begun)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn slips_and_beginnings_are_guessed() {
        let meant = |word| did_you_mean(word, ["denoise-photo", "melody-16bar", "melody-2bar"].into_iter());
        assert_eq!(meant("denoise-foto"), Some("denoise-photo"));
        assert_eq!(meant("melody-3bar"), Some("melody-2bar"));
        assert_eq!(meant("Melody"), Some("melody-16bar"));
        assert_eq!((meant("mel"), meant("photo")), (None, None));
    }
}
