//! WAV files by hound: integers of 8 to 32 bits and floats of 32.

use std::fs::File;
use std::io::BufReader;

use hound::{SampleFormat, WavReader};

use super::{Opened, damaged};
use crate::error::{Error, Kind, Result};
use crate::media::audio::{AudioRead, BLOCK, Block, Depth, Format};

struct Wav {
    reader: WavReader<BufReader<File>>,
    format: Format,
    frames: u64,
    read: u64,
    /// What a sample is multiplied with; nothing for floats.
    scale: Option<f32>,
}

pub(super) fn open(file: File, size: u64) -> Result<Opened> {
    let reader = WavReader::new(BufReader::with_capacity(1 << 16, file)).map_err(tell)?;
    let spec = reader.spec();
    let (depth, scale) = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, bits @ 1..=32) => {
            (Depth::Integer(bits.div_ceil(8) * 8), Some(0.5f32.powi(i32::from(bits) - 1)))
        }
        (SampleFormat::Float, 32) => (Depth::Float, None),
        (_, bits) => {
            return Err(damaged(format!(
                "samples of {bits} bits; latentd reads integers of 8 to 32 bits and floats of 32"
            )));
        }
    };
    let frames = u64::from(reader.duration());
    if frames == 0 {
        return Err(damaged("the file holds no sound").mend("record it again; what wrote it may have been cut off"));
    }
    // The header counts more than there is: a copy that was cut off, or a program that never wrote the true length.
    let bytes = u64::from(reader.len()) * u64::from(spec.bits_per_sample.div_ceil(8));
    if bytes > size {
        let what =
            format!("the file ends early: its header promises {bytes} bytes of sound, and the whole file has {size}");
        return Err(damaged(what));
    }
    let format = Format { rate: spec.sample_rate, channels: usize::from(spec.channels) };
    Ok((Box::new(Wav { reader, format, frames, read: 0, scale }), depth))
}

impl AudioRead for Wav {
    fn format(&self) -> Format {
        self.format
    }

    fn frames(&self) -> Option<u64> {
        Some(self.frames)
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        block.clear();
        let frames = (self.frames - self.read).min(BLOCK as u64) as usize;
        let count = frames * self.format.channels;
        let mut wrong = None;
        let mut keep = |sample: hound::Result<f32>| sample.map_err(|e| wrong = Some(e)).ok();
        match self.scale {
            Some(scale) => {
                let samples = self.reader.samples::<i32>().take(count);
                block.append_interleaved(samples.map_while(|s| keep(s.map(|s| s as f32 * scale))));
            }
            None => block.append_interleaved(self.reader.samples::<f32>().take(count).map_while(keep)),
        }
        if let Some(e) = wrong {
            block.clear();
            return Err(tell(e));
        }
        self.read += frames as u64;
        Ok(())
    }
}

fn tell(error: hound::Error) -> Error {
    use std::io::ErrorKind;
    match error {
        hound::Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => damaged("the file ends early"),
        // How hound's header reader tells the same.
        hound::Error::IoError(e) if e.kind() == ErrorKind::Other => damaged("the file ends early").because(e),
        hound::Error::IoError(e) => Error::new(Kind::Transient, "the file cannot be read").because(e),
        hound::Error::FormatError(what) => damaged(format!("the WAV header is damaged: {what}")),
        hound::Error::Unsupported => damaged("a kind of WAV file that latentd does not read (compressed, perhaps)"),
        e => damaged("the WAV file is damaged").because(e),
    }
}
