//! Sound as a stream: a boxed reader that is pulled block by block. A stage wraps the reader in one of its own, a sink drains it; so three hours
//! cost no more memory than a second, and a microphone goes the same way as a file.
//!
//! [`decode::read`] makes one of a file, [`encode::write`] a file of one; [`Process`] is what stages do to blocks.

mod block;
pub mod decode;
mod delay;
pub mod encode;
mod process;
mod resample;
mod spectrum;
mod splice;
mod tags;

pub use block::Block;
pub use delay::Delay;
pub use process::{Chain, Process, longest_wait};
pub use resample::Resample;
pub use spectrum::{Overlap, Spectrum, Taper};
pub use splice::{Blend, FADE, Splice};

use crate::error::Result;

/// Frames that a file is read by: 1024 make 21 ms at 48 kHz. No result depends on it.
pub const BLOCK: usize = 1024;

/// What to do with sound that is too long for one file.
pub(crate) const SPLIT: &str = "split the file: `ffmpeg -i FILE -f segment -segment_time 3600 part-%d.wav`";

/// Rates that sound may have, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Full scale is 1; samples beyond this (60 dB above) are a mistake of whoever made them.
pub const LOUDEST: f32 = 1000.0;

/// What every stream tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// Frames a second, 1,000 to 768,000.
    pub rate: u32,
    /// Samples in a frame, 1 to 32.
    pub channels: usize,
}

/// How a file holds its samples; a result gets the depth of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Integers of 8, 16, 24 or 32 bits.
    Integer(u16),
    /// Floats of 32 bits.
    Float,
}

/// Something that gives sound, block by block.
pub trait AudioRead: Send {
    /// Rate and channels; they never change within a stream.
    fn format(&self) -> Format;

    /// Frames in all, where that is known before the end.
    fn frames(&self) -> Option<u64>;

    /// Puts the next frames into `block`, whatever it held before; none are left where it comes back empty. Samples are -1..1 where nothing
    /// clips, and never NaN or infinite.
    ///
    /// # Errors
    /// Kind input: the file is damaged from here on. Kind transient: it cannot be read now. Kind model: a stage's model failed.
    fn read(&mut self, block: &mut Block) -> Result<()>;
}

/// A stretch of sound that is still to be read.
pub struct Audio {
    reader: Reader,
    /// What the file it came from held, and the file it becomes will hold.
    pub depth: Depth,
    /// Which speaker each channel is for, as the channel mask of WAV tells it, where the file it came from does.
    pub speakers: Option<u32>,
    /// What the file it came from says beside the sound, for a file that can say it too.
    pub(crate) tags: Option<Box<tags::Tags>>,
}

/// What is read: a source, or one behind a chain that may still grow.
enum Reader {
    Plain(Box<dyn AudioRead>),
    Through(process::Through),
}

impl Reader {
    fn get(&self) -> &dyn AudioRead {
        match self {
            Reader::Plain(reader) => reader.as_ref(),
            Reader::Through(reader) => reader,
        }
    }
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio").field("format", &self.format()).field("frames", &self.frames()).finish_non_exhaustive()
    }
}

impl Audio {
    /// A stretch of sound from a reader, its speakers untold.
    pub fn new(reader: impl AudioRead + 'static, depth: Depth) -> Audio {
        Audio { reader: Reader::Plain(Box::new(reader)), depth, speakers: None, tags: None }
    }

    /// Rate and channels.
    pub fn format(&self) -> Format {
        self.reader.get().format()
    }

    /// Frames in all, where that is known before the end.
    pub fn frames(&self) -> Option<u64> {
        self.reader.get().frames()
    }

    /// Puts the next frames into `block`; none are left where it comes back empty.
    ///
    /// # Errors
    /// As [`AudioRead::read`].
    pub fn read(&mut self, block: &mut Block) -> Result<()> {
        match &mut self.reader {
            Reader::Plain(reader) => reader.read(block),
            Reader::Through(reader) => reader.read(block),
        }
    }

    /// The same stretch after `process`: as long as before, and in time with it, since the delay of the process is taken away. Nothing of it
    /// may have been read yet.
    #[must_use]
    pub fn through(self, process: impl Process + 'static) -> Audio {
        let changes = process.output().rate != self.format().rate;
        let mut reader = match self.reader {
            // At another rate the delay so far may be no whole number of frames, so it is taken away before.
            Reader::Through(reader) if !changes => reader,
            Reader::Through(reader) => process::Through::new(Box::new(reader)),
            Reader::Plain(reader) => process::Through::new(reader),
        };
        reader.push(Box::new(process));
        Audio { reader: Reader::Through(reader), depth: self.depth, speakers: self.speakers, tags: self.tags }
    }

    /// Another reader, made of this stretch, in its place: its depth, its speakers and what else is told of it stay.
    #[must_use]
    pub fn wrapped<R: AudioRead + 'static>(mut self, make: impl FnOnce(Audio) -> R) -> Audio {
        let (depth, speakers, tags) = (self.depth, self.speakers, self.tags.take());
        Audio { speakers, tags, ..Audio::new(make(self), depth) }
    }

    /// The rest of the stream in memory; for tests and short sounds.
    ///
    /// # Errors
    /// As [`AudioRead::read`].
    pub fn read_all(mut self) -> Result<Block> {
        let mut all = Block::new(self.format().channels);
        let mut block = Block::new(self.format().channels);
        loop {
            self.read(&mut block)?;
            if block.is_empty() {
                return Ok(all);
            }
            all.append(&block);
        }
    }
}

/// Sound in memory, read by [`BLOCK`] frames.
#[derive(Debug)]
pub struct Memory {
    format: Format,
    samples: Block,
    at: usize,
}

impl Memory {
    /// Sound of `rate` frames a second. Samples that are no numbers become silence, and those beyond [`LOUDEST`] are held there.
    pub fn new(rate: u32, mut samples: Block) -> Memory {
        samples.make_sane();
        Memory { format: Format { rate, channels: samples.channels() }, samples, at: 0 }
    }
}

impl AudioRead for Memory {
    fn format(&self) -> Format {
        self.format
    }

    fn frames(&self) -> Option<u64> {
        Some(self.samples.frames() as u64)
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        let frames = (self.samples.frames() - self.at).min(BLOCK);
        block.clear();
        block.append_part(&self.samples, self.at, frames);
        self.at += frames;
        Ok(())
    }
}
