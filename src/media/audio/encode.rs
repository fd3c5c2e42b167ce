//! Streams of sound to WAV files. A result has the depth of its input; floats beyond full scale are clipped where the file holds integers.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{Audio, Block, Depth};
use crate::error::{Error, Kind, Result};

/// What the header of a WAV file can count.
const MOST_BYTES: u64 = u32::MAX as u64 - 1024;

/// Whether sound can be written under this name.
///
/// # Errors
/// Kind config: only `.wav` can.
pub fn check_extension(path: &Path) -> Result<()> {
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("wav") => Ok(()),
        _ => Err(Error::new(Kind::Config, "sound is written as WAV only").mend("end the name in .wav")),
    }
}

/// Drains a stream into a WAV file.
///
/// # Errors
/// What reading it meets. Kind input: it is too long for a WAV file. Kind bug: its depth is none that there is. Kind output or transient: it cannot be written.
pub fn write(mut audio: Audio, out: &mut (impl Write + Seek)) -> Result<()> {
    let format = audio.format();
    let (bits, sample_format) = match audio.depth {
        Depth::Integer(bits) => (bits, SampleFormat::Int),
        Depth::Float => (32, SampleFormat::Float),
    };
    if !matches!(bits, 8 | 16 | 24 | 32) {
        return Err(Error::new(Kind::Bug, format!("there are no WAV files of {bits} bits")));
    }
    let frame = u64::from(bits.div_ceil(8)) * format.channels as u64;
    let too_long = || {
        Error::new(Kind::Input, "the result would be larger than 4 GiB, the most that a WAV file holds")
            .mend("split the file: `ffmpeg -i FILE -f segment -segment_time 3600 part-%d.wav`")
    };
    if audio.frames().is_some_and(|frames| frames.saturating_mul(frame) > MOST_BYTES) {
        return Err(too_long());
    }
    let channels = u16::try_from(format.channels).map_err(|_| Error::new(Kind::Input, "too many channels"))?;
    let spec = WavSpec { channels, sample_rate: format.rate, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::new(&mut *out, spec).map_err(tell)?;
    let mut block = Block::new(format.channels);
    let (mut written, mut clipped) = (0u64, 0u64);
    loop {
        audio.read(&mut block)?;
        if block.is_empty() {
            break;
        }
        written += block.frames() as u64 * frame;
        if written > MOST_BYTES {
            return Err(too_long());
        }
        for sample in block.interleaved() {
            match sample_format {
                SampleFormat::Float => writer.write_sample(sample).map_err(tell)?,
                SampleFormat::Int => {
                    let (value, clips) = quantised(sample, bits);
                    clipped += u64::from(clips);
                    writer.write_sample(value).map_err(tell)?;
                }
            }
        }
    }
    if clipped > 0 {
        tracing::warn!(samples = clipped, "louder than full scale in places, and clipped there");
    }
    writer.finalize().map_err(tell)?;
    // hound's longer header, which it writes for these, tells of speakers that it makes up.
    if format.channels > 2 || bits > 16 {
        let usual = match format.channels {
            1 => CENTRE,
            2 => LEFT_AND_RIGHT,
            _ => UNTOLD,
        };
        tell_speakers(out, audio.speakers.unwrap_or(usual)).map_err(|e| tell(e.into()))?;
    }
    Ok(())
}

/// Speakers as the channel mask of WAV tells them.
const CENTRE: u32 = 4;
const LEFT_AND_RIGHT: u32 = 3;
const UNTOLD: u32 = 0;

/// Puts the channel mask where it lies in the longer header.
fn tell_speakers(out: &mut (impl Write + Seek), mask: u32) -> std::io::Result<()> {
    out.seek(SeekFrom::Start(40))?;
    out.write_all(&mask.to_le_bytes())?;
    out.seek(SeekFrom::End(0))?;
    out.flush()
}

/// The nearest integer of `bits` bits, and whether the value had to be clipped.
fn quantised(value: f32, bits: u16) -> (i32, bool) {
    let full = f64::from(2.0f32.powi(i32::from(bits) - 1));
    let scaled = (f64::from(value) * full).round();
    let held = scaled.clamp(-full, full - 1.0);
    // Full scale itself has no positive counterpart among integers, which nobody hears.
    (held as i32, (scaled - held).abs() > 1.0)
}

fn tell(error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(e) => Error::io("write", Path::new("the result"), e),
        e => Error::new(Kind::Output, "the WAV file cannot be written").because(e),
    }
}
