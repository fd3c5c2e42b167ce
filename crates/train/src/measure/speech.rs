//! Speech models at work on files, as the daemon runs them.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use latentd::durable::{Collision, Draft};
use latentd::media::audio::{Depth, encode};
use latentd::model::{Model, Stream};

use crate::data::speech;
use crate::dsp::math::si_sdr;
use crate::recipes::denoise_speech::Listener;

/// The rate that scores are taken at, in Hz: the test sets of papers have it.
const SCORED_RATE: u32 = 16_000;

/// Runs `model` over one file, resampled to its rate and back; the result, in time with it and as long, becomes a WAV file of
/// floats.
///
/// # Errors
/// When a file cannot be read or written, or the model not be run.
pub fn enhance(model: &Model, from: &Path, to: &Path) -> Result<()> {
    let tell = |error: latentd::error::Error| anyhow!("{}: {error}", from.display());
    let audio = speech::open(from)?;
    let network = Stream::new(model, 1).map_err(tell)?;
    let chain = network.at(audio.format()).map_err(tell)?;
    let mut cleaned = audio.through(chain);
    cleaned.depth = Depth::Float;
    let draft = Draft::new(to).and_then(|draft| draft.fill(|out| encode::write(cleaned, out))).map_err(tell)?;
    draft.publish(Collision::Replace).map(drop).map_err(tell)
}

/// SI-SDR in dB of two files against a clean one, at 16 kHz: of the noisy, of the enhanced.
///
/// # Errors
/// When a file cannot be read.
pub fn compare(clean: &Path, noisy: &Path, enhanced: &Path) -> Result<[f64; 2]> {
    let clean = speech::read(clean, SCORED_RATE)?;
    let score = |file: &Path| anyhow::Ok(si_sdr(&clean, &speech::read(file, SCORED_RATE)?));
    Ok([score(noisy)?, score(enhanced)?])
}

/// How a listener rates two files as a whole, 1 to 5: the noisy, the enhanced.
///
/// # Errors
/// When a file cannot be read, or holds nothing.
pub fn rate(listener: &Listener, noisy: &Path, enhanced: &Path) -> Result<[f64; 2]> {
    let rate = |file: &Path| {
        let rating = listener.rate(&speech::read(file, speech::RATE)?);
        rating.map(f64::from).with_context(|| format!("{} holds no sound to rate", file.display()))
    };
    Ok([rate(noisy)?, rate(enhanced)?])
}
