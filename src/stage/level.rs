//! `level`: brings sound to a loudness, measured by EBU R 128 (ITU-R BS.1770). A file is measured whole and gets one gain, so that its quiet
//! places stay quiet; a live stream is followed slowly.

mod follow;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ebur128::{EbuR128, Mode};
use follow::Follow;

use super::{Context, Site, Stage, each_audio};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::{self, Error, Result, show_path};
use crate::media::audio::{AudioRead, BLOCK, Block, Format, Process};
use crate::media::{Audio, Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "level",
    doc: "Brings sound to a loudness by EBU R 128. A file is measured first and gets one gain; a live stream is followed by 3 dB a second, and down at once where it is far too loud.",
    fields: &[
        Field {
            name: "loudness",
            doc: "The loudness to reach, in LUFS: -23 for broadcast, about -16 for podcasts.",
            kind: Kind::Number { min: -60.0, max: -5.0 },
            presence: Presence::Default("-23"),
        },
        Field {
            name: "peak",
            doc: "The highest true peak of the result (of a live stream, its highest sample), in dB below full scale; where both cannot be had, this one is kept.",
            kind: Kind::Number { min: -20.0, max: 0.0 },
            presence: Presence::Default("-1"),
        },
    ],
};

#[derive(Debug, Clone, Copy)]
struct Level {
    loudness: f64,
    peak: f64,
}

pub(super) fn build(component: &Component, _: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    Ok(Box::new(Level { loudness: settings.number("loudness"), peak: from_decibels(settings.number("peak")) }))
}

impl Stage for Level {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_audio(media, |audio| {
            let (depth, speakers) = (audio.depth, audio.speakers);
            let mut levelled = Audio::new(Levelled::Unmeasured { audio, level: *self }, depth);
            levelled.speakers = speakers;
            Ok(levelled)
        })
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Follow::new(*self, format)?)))
    }
}

fn from_decibels(decibels: f64) -> f64 {
    10f64.powf(decibels / 20.0)
}

fn meter(format: Format, mode: Mode) -> Result<EbuR128> {
    EbuR128::new(format.channels as u32, format.rate, mode)
        .map_err(|e| Error::new(error::Kind::Input, "the loudness of this sound cannot be measured").because(e))
}

fn measured<T>(value: std::result::Result<T, ebur128::Error>) -> Result<T> {
    value.map_err(|e| Error::new(error::Kind::Bug, "the loudness could not be measured").because(e))
}

/// A file's sound: drained into a file of floats while it is measured, then read back with its gain.
enum Levelled {
    Unmeasured {
        audio: Audio,
        level: Level,
    },
    Measured {
        spool: BufReader<File>,
        bytes: Vec<u8>,
        format: Format,
        frames: u64,
        left: u64,
        gain: f32,
    },
    /// For the moment between the two.
    Nothing,
}

/// Bytes of sound that are spooled, at most: what the longest WAV file holds, one of 8 bits, as floats.
const MOST_SPOOLED: u64 = 4 << 32;
/// A disk with less room than this was full before a spool came.
const FULL: u64 = 16 << 20;

impl Levelled {
    /// `most` is the most bytes that the spool may have.
    fn measure(mut audio: Audio, level: Level, most: u64) -> Result<Levelled> {
        let format = audio.format();
        let frame = format.channels as u64 * 4;
        if audio.frames().is_some_and(|frames| frames.saturating_mul(frame) > most) {
            return Err(too_long());
        }
        let mut meter = meter(format, Mode::I | Mode::TRUE_PEAK | Mode::HISTOGRAM)?;
        let folder = spool_folder();
        let failed = |e| Error::io("write", &folder, e);
        let free = rustix::fs::statvfs(&folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let full = |e, frames: u64| unspooled(e, &folder, frames * frame, free);
        let mut spool = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&folder).map_err(failed)?);
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
            measured(meter.add_frames_f32(&samples))?;
            spool.write_all(bytemuck::cast_slice(&samples)).map_err(|e| full(e, frames))?;
        }
        let loudness = measured(meter.loudness_global())?;
        let peaks = (0..format.channels as u32).map(|channel| measured(meter.true_peak(channel)));
        let peak = peaks.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        // Silence has no loudness, and stays silence.
        let wanted = if loudness.is_finite() { from_decibels(level.loudness - loudness) } else { 1.0 };
        let gain = if peak > 0.0 { wanted.min(level.peak / peak) } else { wanted };
        tracing::debug!(loudness, peak, gain, "loudness measured");
        let mut spool = spool.into_inner().map_err(|e| full(e.into_error(), frames))?;
        spool.rewind().map_err(failed)?;
        let spool = BufReader::with_capacity(1 << 18, spool);
        let bytes = Vec::new();
        Ok(Levelled::Measured { spool, bytes, format, frames, left: frames, gain: gain as f32 })
    }
}

fn too_long() -> Error {
    Error::new(error::Kind::Input, "more sound than the longest WAV file holds")
        .mend("split the file: `ffmpeg -i FILE -f segment -segment_time 3600 part-%d.wav`")
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
fn spool_folder() -> PathBuf {
    let disk = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && disk.is_dir() { disk.to_path_buf() } else { std::env::temp_dir() }
}

impl AudioRead for Levelled {
    fn format(&self) -> Format {
        match self {
            Levelled::Unmeasured { audio, .. } => audio.format(),
            Levelled::Measured { format, .. } => *format,
            Levelled::Nothing => Format { rate: 0, channels: 0 },
        }
    }

    fn frames(&self) -> Option<u64> {
        match self {
            Levelled::Unmeasured { audio, .. } => audio.frames(),
            Levelled::Measured { frames, .. } => Some(*frames),
            Levelled::Nothing => None,
        }
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        if let Levelled::Unmeasured { .. } = self
            && let Levelled::Unmeasured { audio, level } = std::mem::replace(self, Levelled::Nothing)
        {
            *self = Levelled::measure(audio, level, MOST_SPOOLED)?;
        }
        block.clear();
        if let Levelled::Measured { spool, bytes, format, left, gain, .. } = self {
            let frames = (*left).min(BLOCK as u64) as usize;
            bytes.resize(frames * format.channels * 4, 0);
            spool.read_exact(bytes).map_err(|e| Error::io("read", &spool_folder(), e))?;
            let samples = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
            block.append_interleaved(samples.map(|s| s * *gain));
            *left -= frames as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let level = Level { loudness: -23.0, peak: 0.9 };
        for told in [None, Some(1 << 40)] {
            let audio = Audio::new(Endless(told), crate::media::audio::Depth::Integer(16));
            let e = Levelled::measure(audio, level, 1 << 20).err().map(|e| (e.kind(), e.to_string()));
            assert_eq!(e, Some((error::Kind::Input, "more sound than the longest WAV file holds".to_owned())));
        }
        let kind = |e: std::io::ErrorKind, bytes, free| unspooled(e.into(), Path::new("/x"), bytes, free).kind();
        assert_eq!(kind(StorageFull, 900 << 20, 1 << 30), error::Kind::Input);
        assert_eq!(kind(StorageFull, 100 << 20, 1 << 30), error::Kind::Transient, "somebody else filled the disk");
        assert_eq!(kind(StorageFull, 1 << 10, 1 << 10), error::Kind::Transient, "it was full before");
        assert_eq!(kind(PermissionDenied, 900 << 20, 1 << 30), error::Kind::Output);
    }
}
