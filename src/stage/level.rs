//! `level`: brings sound to a loudness, measured by EBU R 128 (ITU-R BS.1770). A file is measured whole and gets one gain, so that its quiet
//! places stay quiet; a live stream is followed slowly.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ebur128::{EbuR128, Mode};

use super::{Context, Site, Stage, each_audio};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::{self, Error, Result};
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

impl Levelled {
    fn measure(mut audio: Audio, level: Level) -> Result<Levelled> {
        let format = audio.format();
        let mut meter = meter(format, Mode::I | Mode::TRUE_PEAK | Mode::HISTOGRAM)?;
        let folder = spool_folder();
        let failed = |e| Error::io("write", &folder, e);
        let mut spool = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&folder).map_err(failed)?);
        let mut block = Block::new(format.channels);
        let mut samples = Vec::new();
        let mut frames = 0u64;
        loop {
            audio.read(&mut block)?;
            if block.is_empty() {
                break;
            }
            samples.clear();
            samples.extend(block.interleaved());
            measured(meter.add_frames_f32(&samples))?;
            spool.write_all(bytemuck::cast_slice(&samples)).map_err(failed)?;
            frames += block.frames() as u64;
        }
        let loudness = measured(meter.loudness_global())?;
        let peaks = (0..format.channels as u32).map(|channel| measured(meter.true_peak(channel)));
        let peak = peaks.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        // Silence has no loudness, and stays silence.
        let wanted = if loudness.is_finite() { from_decibels(level.loudness - loudness) } else { 1.0 };
        let gain = if peak > 0.0 { wanted.min(level.peak / peak) } else { wanted };
        tracing::debug!(loudness, peak, gain, "loudness measured");
        let mut spool = spool.into_inner().map_err(|e| failed(e.into_error()))?;
        spool.rewind().map_err(failed)?;
        let spool = BufReader::with_capacity(1 << 18, spool);
        let bytes = Vec::new();
        Ok(Levelled::Measured { spool, bytes, format, frames, left: frames, gain: gain as f32 })
    }
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
            *self = Levelled::measure(audio, level)?;
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

/// Quieter sound is a pause, and is not made louder; so is what is quieter by [`QUIETER`] than what was heard before.
const PAUSE: f64 = -50.0;
/// The relative gate of R 128, in LU.
const QUIETER: f64 = 10.0;
/// Seconds over which the loudness of what is heard is averaged.
const AVERAGE: f64 = 3.0;
/// How fast that gate falls in a pause, in dB a second: somebody who goes on more quietly is heard at last.
const FALL: f64 = 0.5;
/// How far it falls at most, in dB. Without an end, the noise of a room would be taken for a voice while others talk for a while, and be made as
/// loud as one. With this the gate lies 13 LU below what was heard, for the most even voice that goes on 12 dB softer. Where syllables stand out,
/// they take the gate along, down to a voice 16 dB softer; if it fell twice as far, none of these would be heard sooner, only more noise.
const MOST_FALL: f64 = 3.0;
/// How much louder or quieter a live stream is made at most, in dB.
const MOST_GAIN: f64 = 20.0;
/// How fast, in dB a second.
const SPEED: f64 = 3.0;
/// By how many LU the moment may come out above what is wanted before the gain falls by [`FAST`]: only the loudest words of a lively speaker do.
const TOO_LOUD: f64 = 6.0;
/// How fast the gain falls then, in dB a second: all there may be of it is gone in a third of a second, so that the first words after a soft spell
/// are not shouted, and in a block of 10 ms it glides by 0.6 dB, which is no click.
const FAST: f64 = 60.0;
/// How fast the limiter lets go again, in dB a second.
const RELEASE: f64 = 60.0;

/// A live stream: a gain that follows the loudness of what is heard, pauses left out, quickly only down from what is far too loud, and a limiter
/// behind it.
struct Follow {
    level: Level,
    format: Format,
    meter: EbuR128,
    interleaved: Vec<f32>,
    /// The loudness of what is heard, in LUFS; nothing has been yet where it is the least there is.
    heard: f64,
    /// By how much the gate has fallen in this pause, in dB.
    fallen: f64,
    /// In dB.
    gain: f64,
    /// What the limiter takes away, as a factor up to 1.
    limit: f64,
    release: f64,
}

impl Follow {
    fn new(level: Level, format: Format) -> Result<Follow> {
        let meter = meter(format, Mode::M)?;
        let release = from_decibels(RELEASE / f64::from(format.rate));
        let interleaved = Vec::with_capacity(4 * BLOCK * format.channels);
        let heard = f64::NEG_INFINITY;
        Ok(Follow { level, format, meter, interleaved, heard, fallen: 0.0, gain: 0.0, limit: 1.0, release })
    }

    /// Takes note of the loudness of the moment, in LUFS; whether it is no pause.
    fn hear(&mut self, loudness: f64, seconds: f64) -> bool {
        if loudness <= PAUSE {
            return false;
        }
        let gate = self.heard - QUIETER;
        if loudness <= gate - self.fallen {
            self.fallen = (self.fallen + FALL * seconds).min(MOST_FALL);
            return false;
        }
        if loudness > gate {
            self.fallen = 0.0;
        }
        if self.heard == f64::NEG_INFINITY {
            self.heard = loudness;
        }
        let power = |decibels: f64| 10f64.powf(decibels / 10.0);
        let share = (seconds / AVERAGE).min(1.0);
        self.heard = 10.0 * (power(self.heard) + share * (power(loudness) - power(self.heard))).log10();
        true
    }
}

impl Process for Follow {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        0
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        output.append(input);
        if input.is_empty() {
            return Ok(());
        }
        self.interleaved.clear();
        self.interleaved.extend(input.interleaved());
        measured(self.meter.add_frames_f32(&self.interleaved))?;
        let loudness = measured(self.meter.loudness_momentary())?;
        let before = self.gain;
        let seconds = input.frames() as f64 / f64::from(self.format.rate);
        if self.hear(loudness, seconds) {
            let mut fall = SPEED;
            if loudness + self.gain > self.level.loudness + TOO_LOUD {
                fall = FAST;
                // By itself the average takes a second to get there, and would have the gain rise again meanwhile.
                self.heard = self.heard.max(loudness - TOO_LOUD);
            }
            let wanted = (self.level.loudness - self.heard).clamp(-MOST_GAIN, MOST_GAIN);
            self.gain += (wanted - self.gain).clamp(-fall * seconds, SPEED * seconds);
        }
        let (from, to) = (from_decibels(before), from_decibels(self.gain));
        let frames = output.frames();
        for index in 0..frames {
            let gain = from + (to - from) * index as f64 / frames as f64;
            let peak = output.planes().iter().fold(0f32, |peak, plane| peak.max(plane[index].abs()));
            self.limit = (self.limit * self.release).min(1.0);
            let loudest = f64::from(peak) * gain;
            if loudest * self.limit > self.level.peak {
                self.limit = self.level.peak / loudest;
            }
            let factor = (gain * self.limit) as f32;
            output.planes_mut().iter_mut().for_each(|plane| plane[index] *= factor);
        }
        Ok(())
    }
}
