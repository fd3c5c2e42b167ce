//! Speech models at work on files, as the daemon runs them.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use latentd::durable::{Collision, Draft};
use latentd::media::audio::{Audio, Chain, Depth, Resample, encode};
use latentd::model::{Model, Stream};

use crate::data::speech;
use crate::dsp::math::si_sdr;

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
    let format = audio.format();
    let rate = model.card.audio.as_ref().context("the model's card has no section `audio`")?.sample_rate;
    let mut chain = Chain::new(format);
    if rate != format.rate {
        chain.push(Box::new(Resample::new(format, rate).map_err(tell)?));
    }
    let network = Stream::new(model, format.channels).map_err(tell)?;
    let own = latentd::media::audio::Process::output(&network);
    chain.push(Box::new(network));
    if rate != format.rate {
        chain.push(Box::new(Resample::new(own, format.rate).map_err(tell)?));
    }
    let mut cleaned: Audio = audio.through(chain);
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
