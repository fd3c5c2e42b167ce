//! A file of which decoders may read only so much before they come to sound: Symphonia keeps pictures and texts of any size, and a file with holes
//! in it costs its writer nothing.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

/// Bytes that are read on the way to the next packet of sound, at most: more than covers, chapters and tables of days of sound take.
const MOST: u64 = 64 << 20;

/// How much may still be read.
#[derive(Clone)]
pub(super) struct Ration(Arc<AtomicU64>);

impl Ration {
    pub(super) fn new() -> Ration {
        Ration(Arc::new(AtomicU64::new(MOST)))
    }

    /// Allows as much as at first.
    pub(super) fn renew(&self) {
        self.0.store(MOST, Ordering::Relaxed);
    }

    /// Whether nothing is left, which is then why the reader failed.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// What there is too much of, for messages.
    pub(super) fn meaning() -> String {
        format!("more than {} MiB of pictures, texts or nothing where sound should come", MOST >> 20)
    }
}

/// The file, read by this ration.
pub(super) struct Rationed {
    file: File,
    ration: Ration,
}

impl Rationed {
    pub(super) fn new(file: File, ration: Ration) -> Rationed {
        Rationed { file, ration }
    }
}

impl Read for Rationed {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let left = self.ration.0.load(Ordering::Relaxed);
        if left == 0 {
            return Err(Error::other(Ration::meaning()));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let count = self.file.read(&mut into[..most])?;
        self.ration.0.store(left.saturating_sub(count as u64), Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Rationed {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}

impl MediaSource for Rationed {
    fn is_seekable(&self) -> bool {
        self.file.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.file.byte_len()
    }
}
