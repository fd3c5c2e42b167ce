//! Audio files: Opus, and all that latentd itself reads.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use latentd::media::audio::{Audio, Block, Depth, Memory, Resample, decode};
use ogg::PacketReader;
use ropus::{Channels, DecodeMode, Decoder};

/// Opus always decodes at this rate, whatever the recording's.
const OPUS_RATE: u32 = 48_000;

/// Samples of the longest Opus packet, 120 ms.
const LONGEST_PACKET: usize = 5760;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 << 30;

/// Endings of the files that are read; what an Ogg file holds, its ending does not tell.
pub const EXTENSIONS: [&str; 5] = ["opus", "wav", "flac", "ogg", "mp3"];

/// Opens a file as a stream.
///
/// # Errors
/// When it cannot be read or is no sound.
pub fn open(path: &Path) -> Result<Audio> {
    let open = || -> Result<Audio> {
        let mut file = File::open(path)?;
        if is_opus(&mut file)? {
            let samples = read_opus(file)?;
            return Ok(Audio::new(Memory::new(OPUS_RATE, Block::from_planes(vec![samples])), Depth::Float));
        }
        decode::read(file, path, LARGEST).map_err(|error| anyhow!("{error}"))
    };
    open().with_context(|| format!("cannot read {}", path.display()))
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

/// Whether the header of Opus is what the first page of an Ogg file holds: it has that page for itself.
fn is_opus(file: &mut File) -> Result<bool> {
    let mut page = Vec::new();
    file.by_ref().take(36).read_to_end(&mut page)?;
    file.rewind()?;
    Ok(page.starts_with(b"OggS") && page.ends_with(b"OpusHead"))
}

/// Ogg Opus (RFC 7845): a header with the samples to skip, comments, then packets; the last page tells the length.
fn read_opus(file: File) -> Result<Vec<f32>> {
    let mut packets = PacketReader::new(BufReader::new(file));
    let header = packets.read_packet_expected()?.data;
    if header.len() < 19 || !header.starts_with(b"OpusHead") {
        bail!("it has no Opus header");
    }
    let skipped = usize::from(u16::from_le_bytes([header[10], header[11]]));
    // A decoder for one channel mixes two into one.
    if !(1..=2).contains(&header[9]) {
        bail!("it has {} channels, not 1 or 2", header[9]);
    }
    packets.read_packet_expected()?;
    let mut decoder = Decoder::new(OPUS_RATE, Channels::Mono).map_err(|error| anyhow!("{error:?}"))?;
    let mut block = vec![0f32; LONGEST_PACKET];
    let mut samples = Vec::new();
    let mut end = u64::MAX;
    while let Some(packet) = packets.read_packet()? {
        let count = decoder.decode_float(&packet.data, &mut block, DecodeMode::Normal);
        samples.extend_from_slice(&block[..count.map_err(|error| anyhow!("{error:?}"))?]);
        if packet.last_in_stream() {
            end = packet.absgp_page();
        }
    }
    samples.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    samples.drain(..skipped.min(samples.len()));
    Ok(samples)
}
