//! `level`: brings sound to a loudness, measured by EBU R 128 (ITU-R BS.1770). A file is measured whole and gets one gain, so that its quiet
//! places stay quiet, and a limiter where its peaks are in the way; a live stream is followed slowly.

mod file;
mod follow;
mod limiter;
mod peaks;
mod spool;

use ebur128::{Channel, EbuR128, Mode};
use file::Levelled;
use follow::Follow;

use super::{Context, Site, Stage, each_audio};
use crate::config::{Component, Description, Field, Kind, Presence, Problem};
use crate::error::{self, Error, Result};
use crate::media::audio::{Format, Process};
use crate::media::{Media, MediaKind};

pub(super) const DESCRIPTION: Description = Description {
    name: "level",
    doc: "Brings sound to a loudness by EBU R 128. A file is measured first and gets one gain, and softer peaks where they are in the way; a live stream is followed by 3 dB a second, and down at once where it is far too loud.",
    takes: &[MediaKind::Audio],
    gives: &[MediaKind::Audio],
    example: "level: { loudness: -16 }",
    fields: &[
        Field {
            name: "loudness",
            doc: "The loudness to reach, in LUFS: -23 for broadcast, about -16 for podcasts.",
            kind: Kind::Measured(&Kind::Number { min: -60.0, max: -5.0 }, "LUFS"),
            presence: Presence::Default("-23"),
        },
        Field {
            name: "peak",
            doc: "The highest true peak of the result (of a live stream, its highest sample), in dB below full scale; where both cannot be had, this one is kept.",
            kind: Kind::Measured(&Kind::Number { min: -20.0, max: 0.0 }, "dB"),
            presence: Presence::Default("-1"),
        },
        Field {
            name: "limit",
            doc: "By how much the peaks of a file may be made softer, at most, where they are in the way of the loudness; 0 for not at all. What is still missing then is missed, and said.",
            kind: Kind::Measured(&Kind::Number { min: 0.0, max: 20.0 }, "dB"),
            presence: Presence::Default("6"),
        },
    ],
};

#[derive(Debug, Clone, Copy)]
struct Level {
    /// In LUFS.
    loudness: f64,
    /// As a factor of full scale.
    peak: f64,
    /// In dB.
    limit: f64,
}

pub(super) fn build(component: &Component, _: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let [loudness, peak, limit] = ["loudness", "peak", "limit"].map(|name| settings.number(name));
    Ok(Box::new(Level { loudness, peak: from_decibels(peak), limit }))
}

impl Stage for Level {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_audio(media, |audio| Ok(audio.wrapped(|audio| Levelled::new(audio, *self))))
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Follow::new(*self, format)?)))
    }
}

fn from_decibels(decibels: f64) -> f64 {
    10f64.powf(decibels / 20.0)
}

fn decibels(factor: f64) -> f64 {
    20.0 * factor.log10()
}

/// Frames a second of which loudness can be measured, at least: R 128 weighs sound by a filter that bends at 1,682 Hz, and breaks where there is no such
/// sound.
const LEAST_RATE: u32 = 4_000;

/// What measures sound whose channels are for these `speakers` (the mask of WAV), if that is told.
fn meter(format: Format, speakers: Option<u32>, mode: Mode) -> Result<EbuR128> {
    if format.rate < LEAST_RATE {
        let what =
            format!("the loudness of sound of {} Hz cannot be measured: it is from {LEAST_RATE} Hz on", format.rate);
        return Err(Error::new(error::Kind::Input, what).mend("put `resample: { rate: 16000 }` before `level`"));
    }
    let meter = EbuR128::new(format.channels as u32, format.rate, mode).and_then(|mut meter| {
        if format.channels > 2 {
            meter.set_channel_map(&weights(format.channels, speakers.unwrap_or(0)))?;
        }
        Ok(meter)
    });
    meter.map_err(|e| Error::new(error::Kind::Input, "the loudness of this sound cannot be measured").because(e))
}

/// How much each channel counts, by where its speaker stands (ITU-R BS.1770-5, table 3): those beside and behind the listener 1.5 dB more, but for the rear
/// ones of a set that has others at the sides; low-frequency effects not at all. A channel of which nothing is told counts like one in front: it may be
/// a recorder's track with all that is said.
fn weights(channels: usize, speakers: u32) -> Vec<Channel> {
    const EFFECTS: u32 = 0x8;
    const REAR: u32 = 0x10 | 0x20;
    const SIDES: u32 = 0x200 | 0x400;
    let told = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| speakers & bit != 0);
    let surround = if speakers & SIDES == 0 { REAR } else { SIDES };
    let mut weights: Vec<Channel> = told
        .map(|speaker: u32| match speaker {
            EFFECTS => Channel::Unused,
            beside if beside & surround != 0 => Channel::LeftSurround,
            _ => Channel::Center,
        })
        .collect();
    weights.resize(channels, Channel::Center);
    weights
}

fn measured<T>(value: std::result::Result<T, ebur128::Error>) -> Result<T> {
    value.map_err(|e| Error::new(error::Kind::Bug, "the loudness could not be measured").because(e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The loudness of a tone of -20 dB that one channel alone has.
    fn loudness(channels: usize, speakers: Option<u32>, channel: usize) -> f64 {
        let mut meter = meter(Format { rate: 48_000, channels }, speakers, Mode::I).unwrap();
        let tone = |frame: usize| 0.1 * (frame as f32 * std::f32::consts::TAU * 997.0 / 48_000.0).sin();
        let samples: Vec<f32> =
            (0..48_000 * channels).map(|at| if at % channels == channel { tone(at / channels) } else { 0.0 }).collect();
        meter.add_frames_f32(&samples).unwrap();
        meter.loudness_global().unwrap()
    }

    /// From the sixth channel on the meter's own map heard nothing, nor in the fourth.
    #[test]
    fn every_channel_is_heard() {
        let one = loudness(1, None, 0);
        assert!((one - -23.0).abs() < 0.1, "{one}");
        for channels in [2, 3, 5, 6, 8, 32] {
            for channel in [0, channels / 2, channels - 1] {
                assert!((loudness(channels, None, channel) - one).abs() < 1e-6, "{channel} of {channels}");
            }
        }
    }

    #[test]
    fn speakers_count_by_where_they_stand() {
        let louder = |speakers, channel| {
            loudness(u32::count_ones(speakers) as usize, Some(speakers), channel) - loudness(1, None, 0)
        };
        for (speakers, surround) in [(0x3f, [4, 5]), (0x60f, [4, 5]), (0x63f, [6, 7]), (0x33, [2, 3])] {
            assert!(louder(speakers, 0).abs() < 1e-6);
            for channel in surround {
                assert!((louder(speakers, channel) - 1.49).abs() < 0.01, "{channel} of {speakers:#x}");
            }
        }
        assert!(louder(0x63f, 4).abs() < 1e-6, "a rear speaker behind others at the sides");
        assert!(loudness(6, Some(0x3f), 3).is_infinite(), "low-frequency effects");
    }
}
