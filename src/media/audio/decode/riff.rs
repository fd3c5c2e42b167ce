//! Where a WAV file's sound lies, and what it is. hound reads the samples, but behind a header made here: its own reader passes over the byte that
//! makes an odd chunk even, knows no streams whose length was not known, and takes the lower bits of samples that are the upper ones.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use super::{damaged, part, unreadable};
use crate::error::{Error, Kind, Result};
use crate::media::audio::SPLIT;

/// Samples are integers.
pub(super) const PCM: u16 = 1;
/// Samples are floats.
pub(super) const FLOAT: u16 = 3;
/// A longer header tells what the samples are.
const EXTENSIBLE: u16 = 0xfffe;
/// How identifiers of samples end whose first two bytes are a tag.
const OF_TAGS: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
/// What programs write that cannot go back to tell the length: SoX, arecord, ffmpeg.
const STREAMED: [u32; 3] = [0x7fff_f000, 0x8000_0000, u32::MAX];
const MOST_CHUNKS: usize = 4096;

/// What a WAV file tells before its sound.
pub(super) struct Header {
    /// [`PCM`], [`FLOAT`] or what latentd does not read.
    pub tag: u16,
    pub channels: u16,
    pub rate: u32,
    /// Bytes that a sample takes.
    pub bytes: u16,
    /// The upper bits of them that hold something.
    pub bits: u16,
    /// Which speaker each channel is for.
    pub speakers: Option<u32>,
    /// Bytes of sound.
    pub sound: u32,
}

impl Header {
    /// The plainest header that tells the same.
    pub(super) fn plain(&self) -> [u8; 44] {
        let align = self.bytes * self.channels;
        let mut header = [0u8; 44];
        let mut put = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
        put(0, b"RIFF");
        put(4, &u32::MAX.to_le_bytes());
        put(8, b"WAVEfmt ");
        put(16, &16u32.to_le_bytes());
        put(20, &self.tag.to_le_bytes());
        put(22, &self.channels.to_le_bytes());
        put(24, &self.rate.to_le_bytes());
        put(28, &self.rate.wrapping_mul(u32::from(align)).to_le_bytes());
        put(32, &align.to_le_bytes());
        put(34, &(self.bytes * 8).to_le_bytes());
        put(36, b"data");
        put(40, &self.sound.to_le_bytes());
        header
    }
}

/// Looks for the sound in a file of `size` bytes, and leaves the file where it begins.
pub(super) fn find(file: &mut File, size: u64) -> Result<Header> {
    let riff = long(&part(file, 4, 4).map_err(unreadable)?, 0).unwrap_or(0);
    let mut at = 12;
    let mut header = None;
    for _ in 0..MOST_CHUNKS {
        let chunk = part(file, at, 8).map_err(unreadable)?;
        let Some(length) = long(&chunk, 4) else { return Err(damaged("the file ends early")) };
        at += 8;
        match &chunk[..4] {
            b"fmt " => {
                let told = part(file, at, u64::from(length.min(40))).map_err(unreadable)?;
                let wrong = || damaged("the WAV header is damaged: it tells of samples that cannot be");
                header = Some(format(&told).ok_or_else(wrong)?);
            }
            b"data" => {
                let untold = || damaged("the WAV header is damaged: it does not tell what the samples are");
                let mut header = header.ok_or_else(untold)?;
                let left = size.saturating_sub(at);
                // A recording that was never ended: by the header nothing follows.
                let unended = length == 0 && u64::from(riff) + 8 <= at;
                let streamed = unended || STREAMED.contains(&length) && u64::from(length) > left;
                let told = if streamed { left } else { u64::from(length) };
                header.sound = sound(&header, told, left)?;
                file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
                return Ok(header);
            }
            _ => {}
        }
        at += u64::from(length);
        // Some programs forget the byte that makes it even. It is 0, which no name of a chunk begins with.
        if length % 2 == 1 && part(file, at, 1).map_err(unreadable)?.first() == Some(&0) {
            at += 1;
        }
    }
    Err(damaged("the WAV header is damaged: it does not come to the sound"))
}

/// Bytes of sound, in whole frames, where the header tells of `told` and the file has `left`.
fn sound(header: &Header, told: u64, left: u64) -> Result<u32> {
    // A copy that was cut off, or a program that never wrote the true length.
    if told > left {
        let what = format!("the file ends early: its header promises {told} bytes of sound, and there are {left}");
        return Err(damaged(what));
    }
    let frame = (u64::from(header.bytes) * u64::from(header.channels)).max(1);
    u32::try_from(told - told % frame)
        .map_err(|_| Error::new(Kind::Input, "a WAV file with more than 4 GiB of sound").mend(SPLIT))
}

/// What the chunk `fmt ` tells, unless it contradicts itself.
fn format(chunk: &[u8]) -> Option<Header> {
    let (tag, channels, rate) = (short(chunk, 0)?, short(chunk, 2)?, long(chunk, 4)?);
    let bytes = short(chunk, 12)?.checked_div(channels)?;
    let bits = short(chunk, 14)?;
    let mut header = Header { tag, channels, rate, bytes, bits, speakers: None, sound: 0 };
    if tag == EXTENSIBLE {
        let valid = short(chunk, 18)?;
        // Many write none here, and mean all.
        if (1..=bits).contains(&valid) {
            header.bits = valid;
        }
        header.speakers = Some(long(chunk, 20)?);
        if chunk.get(26..40)? == OF_TAGS {
            header.tag = short(chunk, 24)?;
        }
    }
    // What is compressed may tell of no bits.
    let known = header.tag == PCM || header.tag == FLOAT;
    (!known || (1..=u32::from(bytes) * 8).contains(&u32::from(bits))).then_some(header)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
