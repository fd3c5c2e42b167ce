//! FLAC files by flac-codec.

use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use flac_codec::encode::{FlacSampleWriter, Options, OptionsError};
use flac_codec::metadata::VorbisComment;
use flac_codec::metadata::fields::CHANNEL_MASK;

use super::Quantiser;
use crate::error::{Error, Kind, Result};
use crate::media::audio::tags::Tags;
use crate::media::audio::{Audio, Block, Depth, Format, SPLIT};

/// Frames a second, at most.
const MOST_RATE: u32 = 655_350;

/// Bytes of a result, at most: as many as a source takes where nothing else is said. A little file can hold days of sound, and would fill the disk each time
/// that it is tried.
const MOST_BYTES: u64 = 16 << 30;

/// Bits of what comes in floats: FLAC has none, and theirs hold no more.
const BITS_OF_FLOATS: u16 = 24;

/// For which speakers one to eight channels are where a file says nothing of it, as the channel mask of WAV tells them.
const USUAL: [u32; 8] = [0x004, 0x003, 0x007, 0x033, 0x037, 0x03f, 0x70f, 0x63f];

pub(super) fn write(audio: Audio, out: &mut (impl Write + Seek)) -> Result<()> {
    write_up_to(MOST_BYTES, audio, out)
}

fn write_up_to(most: u64, mut audio: Audio, out: &mut (impl Write + Seek)) -> Result<()> {
    let format = audio.format();
    let bits = match audio.depth {
        Depth::Integer(bits) => bits,
        Depth::Float => BITS_OF_FLOATS,
    };
    let channels = channels_of(format)?;
    let options = options(&mut audio, channels)?;
    let bounded = Bounded { out: &mut *out, left: most };
    // How many samples there will be is not told: a stranger's file may lie of it. They are counted, and the header is written once more at the end.
    let mut writer =
        FlacSampleWriter::new(bounded, options, format.rate, u32::from(bits), channels, None).map_err(tell)?;
    let mut block = Block::new(format.channels);
    let (mut samples, mut quantiser) = (Vec::new(), Quantiser::default());
    loop {
        audio.read(&mut block)?;
        if block.is_empty() {
            break;
        }
        samples.clear();
        samples.extend(block.interleaved().map(|sample| quantiser.value(sample, bits)));
        writer.write(&samples).map_err(tell)?;
    }
    quantiser.tell();
    writer.finalize().map_err(tell)?;
    out.seek(SeekFrom::End(0)).map(drop).map_err(|e| tell(e.into()))
}

/// The number of channels, if FLAC holds such sound.
fn channels_of(format: Format) -> Result<u8> {
    match u8::try_from(format.channels) {
        Ok(channels @ 1..=8) if format.rate <= MOST_RATE => Ok(channels),
        _ => {
            let Format { rate, channels } = format;
            let what = format!("{channels} channels at {rate} Hz; FLAC holds 8 at most, and {MOST_RATE} Hz");
            Err(Error::new(Kind::Input, what).mend("name the result .wav"))
        }
    }
}

/// How the sound is coded, and what is said beside it.
fn options(audio: &mut Audio, channels: u8) -> Result<Options> {
    let Tags { mut comments, pictures, cut, .. } = *audio.tags.take().unwrap_or_default();
    if cut {
        tracing::warn!("comments or pictures are left out: there are too many of them");
    }
    let usual = USUAL[usize::from(channels) - 1];
    let told = |mask: &u32| *mask != usual && mask.count_ones() == u32::from(channels) && *mask >> 18 == 0;
    if let Some(mask) = audio.speakers.filter(told) {
        comments.push(format!("{CHANNEL_MASK}=0x{mask:04X}"));
    }
    // 43 ms of a voice; what the encoder remembers of each block, 32 bytes, makes it worthwhile to have fewer at high rates.
    let block = if audio.format().rate > 48_000 { 4096 } else { 2048 };
    let wrong = |e: OptionsError| Error::new(Kind::Bug, "there is no such way to write FLAC").because(e);
    // Not more than two partitions: flac-codec 1.3.3 counts them wrongly where a last block of 4, 8, 12 or 16 frames has more of them and is predicted from as many
    // samples as half of it, and such a block cannot be decoded. It costs half a percent.
    let options = Options::default().block_size(block).and_then(|options| options.max_partition_order(1));
    let comment = VorbisComment { fields: comments, ..VorbisComment::default() };
    let options = options.map_err(wrong)?.no_seektable().comment(comment);
    Ok(pictures.into_iter().fold(options, Options::picture))
}

/// A file that may get so many bytes more.
struct Bounded<'a, W> {
    out: &'a mut W,
    left: u64,
}

impl<W: Write> Write for Bounded<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let count = self.out.write(bytes)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Seek> Seek for Bounded<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

fn tell(error: flac_codec::Error) -> Error {
    use flac_codec::Error as Trouble;
    match error {
        // What the system says has its number.
        Trouble::Io(e) if e.kind() == ErrorKind::FileTooLarge && e.raw_os_error().is_none() => {
            let what = format!("the result would be larger than {} GiB", MOST_BYTES >> 30);
            Error::new(Kind::Input, what).mend(SPLIT)
        }
        Trouble::Io(e) => Error::io("write", Path::new("the result"), e),
        Trouble::ExcessiveTotalSamples => {
            Error::new(Kind::Input, "the result would have more samples than a FLAC file holds").mend(SPLIT)
        }
        Trouble::NoSamples => Error::new(Kind::Input, "no sound is left, and a FLAC file holds some")
            .mend("name the result .wav, which may be empty"),
        e => Error::new(Kind::Output, "the FLAC file cannot be written").because(e),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::media::audio::Memory;

    /// A small file of sound that goes on for days must not fill the disk.
    #[test]
    fn a_result_has_bounds() {
        let sound = || {
            let mut state = 1u32;
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                (state >> 8) as f32 / 16_777_216.0
            };
            let noise = (0..20_000).map(|_| random()).collect();
            Audio::new(Memory::new(8_000, Block::from_planes(vec![noise])), Depth::Integer(16))
        };
        let mut out = Cursor::new(Vec::new());
        let error = write_up_to(20_000, sound(), &mut out).unwrap_err();
        assert_eq!((error.kind(), error.mend_text()), (Kind::Input, Some(SPLIT)));
        assert!(out.into_inner().len() < 30_000);
        write_up_to(60_000, sound(), &mut Cursor::new(Vec::new())).unwrap();
    }
}
