//! Audio files, as latentd itself reads them.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use latentd::media::audio::{Audio, Resample, decode};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 << 30;

/// Endings of the files that are read; what an Ogg file holds, its ending does not tell.
pub const EXTENSIONS: [&str; 5] = ["opus", "wav", "flac", "ogg", "mp3"];

/// Opens a file as a stream.
///
/// # Errors
/// When it cannot be read or is no sound.
pub fn open(path: &Path) -> Result<Audio> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    decode::read(file, path, LARGEST).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))
}

/// One file's samples at `rate` Hz, -1..1, its channels averaged.
///
/// # Errors
/// When it cannot be read or is no sound.
pub fn read(path: &Path, rate: u32) -> Result<Vec<f32>> {
    let tell = |error: latentd::error::Error| anyhow!("cannot read {}: {error}", path.display());
    let mut audio = open(path)?;
    let format = audio.format();
    if format.rate != rate {
        audio = audio.through(Resample::new(format, rate).map_err(tell)?);
    }
    let block = audio.read_all().map_err(tell)?;
    let share = 1.0 / format.channels as f32;
    let mut samples = vec![0f32; block.frames()];
    for plane in block.planes() {
        samples.iter_mut().zip(plane).for_each(|(sum, v)| *sum += share * v);
    }
    Ok(samples)
}
