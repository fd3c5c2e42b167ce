//! A file's sound as floats in a file without a name, so that it can be read more often than once.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{self, Error, Result, show_path};
use crate::media::Audio;
use crate::media::audio::{AudioRead, BLOCK, Block, Format, SPLIT};

/// Bytes of sound that are spooled, at most: what the longest WAV file holds, one of 8 bits, as floats.
pub(super) const MOST: u64 = 4 << 32;
/// A disk with less room than this was full before a spool came.
const FULL: u64 = 16 << 20;

/// Sound that was drained into a file of floats.
pub(super) struct Spool {
    file: Arc<File>,
    format: Format,
    frames: u64,
}

impl Spool {
    /// Drains `audio` into at most `most` bytes, and shows its samples, frame by frame, to `hear` on the way.
    ///
    /// # Errors
    /// Kind input: there is more of it, or it alone would fill the disk. Kind transient or output: it cannot be written. What reading it and `hear` meet.
    pub(super) fn fill(audio: &mut Audio, most: u64, mut hear: impl FnMut(&[f32]) -> Result<()>) -> Result<Spool> {
        let format = audio.format();
        let frame = format.channels as u64 * 4;
        if audio.frames().is_some_and(|frames| frames.saturating_mul(frame) > most) {
            return Err(too_long());
        }
        let folder = folder();
        let failed = |e| Error::io("write", &folder, e);
        let free = rustix::fs::statvfs(&folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let full = |e, frames: u64| unspooled(e, &folder, frames * frame, free);
        let mut file = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&folder).map_err(failed)?);
        let mut block = Block::new(format.channels);
        let mut samples = Vec::new();
        let mut frames = 0u64;
        loop {
            audio.read(&mut block)?;
            if block.is_empty() {
                break;
            }
            frames += block.frames() as u64;
            if frames * frame > most {
                return Err(too_long());
            }
            samples.clear();
            samples.extend(block.interleaved());
            hear(&samples)?;
            file.write_all(bytemuck::cast_slice(&samples)).map_err(|e| full(e, frames))?;
        }
        let file = file.into_inner().map_err(|e| full(e.into_error(), frames))?;
        Ok(Spool { file: Arc::new(file), format, frames })
    }

    /// All of it once more, from the start.
    pub(super) fn replay(&self) -> Replay {
        Replay { file: Arc::clone(&self.file), format: self.format, frames: self.frames, at: 0, bytes: Vec::new() }
    }
}

/// A spool being read.
pub(super) struct Replay {
    file: Arc<File>,
    format: Format,
    frames: u64,
    /// Frames that were read.
    at: u64,
    bytes: Vec<u8>,
}

impl AudioRead for Replay {
    fn format(&self) -> Format {
        self.format
    }

    fn frames(&self) -> Option<u64> {
        Some(self.frames)
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        block.clear();
        // No more than `BLOCK`, which any integer holds.
        let frames = (self.frames - self.at).min(BLOCK as u64) as usize;
        let frame = self.format.channels * 4;
        self.bytes.resize(frames * frame, 0);
        let from = self.at * frame as u64;
        self.file.read_exact_at(&mut self.bytes, from).map_err(|e| Error::io("read", &folder(), e))?;
        block.append_interleaved(self.bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])));
        self.at += frames as u64;
        Ok(())
    }
}

fn too_long() -> Error {
    Error::new(error::Kind::Input, "more sound than the longest WAV file holds").mend(SPLIT)
}

/// The error of a spool that could not be written when it had so many bytes, on a disk that had `free` before. One that filled the disk by itself
/// would do so again: only that is its input's fault.
fn unspooled(e: std::io::Error, folder: &Path, bytes: u64, free: u64) -> Error {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if !matches!(e.kind(), StorageFull | QuotaExceeded) || free < FULL || bytes < free / 2 {
        return Error::io("write", folder, e);
    }
    let what = format!(
        "it takes more than the {} MiB that were free in {} to measure its loudness",
        free >> 20,
        show_path(folder)
    );
    Error::new(error::Kind::Input, what).mend("split the file, or set TMPDIR to a folder on a larger disk")
}

/// Where hours of sound may lie for a while: what the user set, else where the system keeps large temporary files on a disk.
fn folder() -> PathBuf {
    let disk = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && disk.is_dir() { disk.to_path_buf() } else { std::env::temp_dir() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::media::audio::{Depth, Memory};

    /// Silence without an end, whatever it tells.
    struct Endless(Option<u64>);

    impl AudioRead for Endless {
        fn format(&self) -> Format {
            Format { rate: 48_000, channels: 1 }
        }

        fn frames(&self) -> Option<u64> {
            self.0
        }

        fn read(&mut self, block: &mut Block) -> Result<()> {
            block.clear();
            block.append_interleaved(std::iter::repeat_n(0.0, BLOCK));
            Ok(())
        }
    }

    /// 768 kB of FLAC took all of the disk, each minute anew.
    #[test]
    fn a_spool_has_bounds() {
        use std::io::ErrorKind::{PermissionDenied, StorageFull};
        for told in [None, Some(1 << 40)] {
            let mut audio = Audio::new(Endless(told), Depth::Integer(16));
            let e = Spool::fill(&mut audio, 1 << 20, |_| Ok(())).err().map(|e| (e.kind(), e.to_string()));
            assert_eq!(e, Some((error::Kind::Input, "more sound than the longest WAV file holds".to_owned())));
        }
        let kind = |e: std::io::ErrorKind, bytes, free| unspooled(e.into(), Path::new("/x"), bytes, free).kind();
        assert_eq!(kind(StorageFull, 900 << 20, 1 << 30), error::Kind::Input);
        assert_eq!(kind(StorageFull, 100 << 20, 1 << 30), error::Kind::Transient, "somebody else filled the disk");
        assert_eq!(kind(StorageFull, 1 << 10, 1 << 10), error::Kind::Transient, "it was full before");
        assert_eq!(kind(PermissionDenied, 900 << 20, 1 << 30), error::Kind::Output);
    }

    #[test]
    fn it_is_the_same_each_time_it_is_read() {
        let planes: Vec<Vec<f32>> =
            (0..3).map(|c| (0..2500).map(|n| (n * 3 + c) as f32 / 10_000.0).collect()).collect();
        let all = || Audio::new(Memory::new(8_000, Block::from_planes(planes.clone())), Depth::Float);
        let expected = all().read_all().unwrap();
        let mut audio = all();
        let mut heard = 0;
        let count = |samples: &[f32]| {
            heard += samples.len();
            Ok(())
        };
        let spool = Spool::fill(&mut audio, MOST, count).unwrap();
        assert_eq!(heard, 7500);
        // At the same time, too.
        let (mut first, mut part) = (spool.replay(), Block::new(3));
        first.read(&mut part).unwrap();
        assert_eq!(Audio::new(spool.replay(), Depth::Float).read_all().unwrap(), expected);
        let mut rest = Block::new(3);
        first.read(&mut rest).unwrap();
        assert_eq!((part.plane(2)[BLOCK - 1], rest.plane(2)[0]), (0.3071, 0.3074));
    }
}
