//! WAV files by hound: integers of 8 to 32 bits and floats of 32.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, Read};

use hound::WavReader;

use super::{Opened, damaged, riff, unreadable};
use crate::error::{Error, Result};
use crate::media::audio::{AudioRead, BLOCK, Block, Depth, Format};

/// A header of our own, and then the samples.
type Source = Chain<Cursor<[u8; 44]>, File>;

struct Wav {
    reader: WavReader<BufReader<Source>>,
    format: Format,
    frames: u64,
    read: u64,
    /// What a sample is multiplied with; nothing for floats.
    scale: Option<f32>,
}

pub(super) fn open(mut file: File, size: u64) -> Result<Opened> {
    let header = riff::find(&mut file, size)?;
    let (depth, scale) = match (header.tag, header.bytes) {
        // Samples are read as wide as they lie there: those of fewer bits are the upper ones, and what is below is 0.
        (riff::PCM, bytes @ 1..=4) => {
            (Depth::Integer(header.bits.div_ceil(8) * 8), Some(0.5f32.powi(i32::from(bytes) * 8 - 1)))
        }
        (riff::FLOAT, 4) => (Depth::Float, None),
        (riff::PCM | riff::FLOAT, bytes) => {
            let bits = u32::from(bytes) * 8;
            return Err(damaged(format!(
                "samples of {bits} bits; latentd reads integers of 8 to 32 bits and floats of 32"
            )));
        }
        _ => return Err(tell(hound::Error::Unsupported)),
    };
    let source = Cursor::new(header.plain()).chain(file);
    let reader = WavReader::new(BufReader::with_capacity(1 << 16, source)).map_err(tell)?;
    let frames = u64::from(reader.duration());
    if frames == 0 {
        return Err(damaged("the file holds no sound").mend("record it again; what wrote it may have been cut off"));
    }
    let format = Format { rate: header.rate, channels: usize::from(header.channels) };
    let reader = Box::new(Wav { reader, format, frames, read: 0, scale });
    Ok(Opened { reader, depth, speakers: header.speakers })
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
        // How hound tells the same.
        hound::Error::IoError(e) if e.kind() == ErrorKind::Other => damaged("the file ends early").because(e),
        hound::Error::IoError(e) => unreadable(e),
        hound::Error::FormatError(what) => damaged(format!("the WAV header is damaged: {what}")),
        hound::Error::Unsupported => damaged("a kind of WAV file that latentd does not read (compressed, perhaps)"),
        e => damaged("the WAV file is damaged").because(e),
    }
}
