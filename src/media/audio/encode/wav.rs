//! WAV files by hound.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Quantiser;
use crate::error::{Error, Kind, Result};
use crate::media::audio::{Audio, Block, Depth, SPLIT};

/// What the header of a WAV file can count.
const MOST_BYTES: u64 = u32::MAX as u64 - 1024;

pub(super) fn write(mut audio: Audio, out: &mut (impl Write + Seek)) -> Result<()> {
    let format = audio.format();
    let (bits, sample_format) = match audio.depth {
        Depth::Integer(bits) => (bits, SampleFormat::Int),
        Depth::Float => (32, SampleFormat::Float),
    };
    let frame = u64::from(bits.div_ceil(8)) * format.channels as u64;
    let too_long = || {
        Error::new(Kind::Input, "the result would be larger than 4 GiB, the most that a WAV file holds")
            .mend(format!("name the result .flac, which may be larger, or {SPLIT}"))
    };
    if audio.frames().is_some_and(|frames| frames.saturating_mul(frame) > MOST_BYTES) {
        return Err(too_long());
    }
    let channels = u16::try_from(format.channels).map_err(|_| Error::new(Kind::Input, "too many channels"))?;
    let spec = WavSpec { channels, sample_rate: format.rate, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::new(&mut *out, spec).map_err(tell)?;
    let mut block = Block::new(format.channels);
    let (mut written, mut quantiser) = (0u64, Quantiser::default());
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
                SampleFormat::Int => writer.write_sample(quantiser.value(sample, bits)).map_err(tell)?,
            }
        }
    }
    quantiser.tell();
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

fn tell(error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(e) => Error::io("write", Path::new("the result"), e),
        e => Error::new(Kind::Output, "the WAV file cannot be written").because(e),
    }
}
