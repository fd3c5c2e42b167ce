//! Audio files, as latentd itself reads them.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use latentd::media::audio::{Audio, Block, Resample, decode};

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
    let mut all = Vec::new();
    read_pieces(path, rate, usize::MAX, |samples| all = samples)?;
    Ok(all)
}

/// The same in pieces of at most so many samples, one after another, so that a long file is never in memory whole.
///
/// # Errors
/// When it cannot be read or is no sound, which may show after some pieces.
pub fn read_pieces(path: &Path, rate: u32, most: usize, mut each: impl FnMut(Vec<f32>)) -> Result<()> {
    let tell = |error: latentd::error::Error| anyhow!("cannot read {}: {error}", path.display());
    let mut audio = open(path)?;
    let format = audio.format();
    if format.rate != rate {
        audio = audio.through(Resample::new(format, rate).map_err(tell)?);
    }
    let share = 1.0 / format.channels as f32;
    let (mut block, mut piece) = (Block::new(format.channels), Vec::new());
    loop {
        audio.read(&mut block).map_err(tell)?;
        let mut mixed = vec![0f32; block.frames()];
        for plane in block.planes() {
            mixed.iter_mut().zip(plane).for_each(|(sum, v)| *sum += share * v);
        }
        let mut rest = &mixed[..];
        while piece.len() + rest.len() > most {
            let (now, later) = rest.split_at(most - piece.len());
            piece.extend_from_slice(now);
            each(std::mem::take(&mut piece));
            rest = later;
        }
        piece.extend_from_slice(rest);
        if block.is_empty() {
            break;
        }
    }
    if !piece.is_empty() {
        each(piece);
    }
    Ok(())
}
