//! `level`: brings sound to a loudness, measured by EBU R 128 (ITU-R BS.1770). A file is measured whole and gets one gain, so that its quiet
//! places stay quiet, and a limiter where its peaks are in the way; a live stream is followed slowly.

mod file;
mod follow;
mod limiter;
mod peaks;
mod spool;

use ebur128::{EbuR128, Mode};
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

fn meter(format: Format, mode: Mode) -> Result<EbuR128> {
    if format.rate < LEAST_RATE {
        let what =
            format!("the loudness of sound of {} Hz cannot be measured: it is from {LEAST_RATE} Hz on", format.rate);
        return Err(Error::new(error::Kind::Input, what).mend("put `resample: { rate: 16000 }` before `level`"));
    }
    EbuR128::new(format.channels as u32, format.rate, mode)
        .map_err(|e| Error::new(error::Kind::Input, "the loudness of this sound cannot be measured").because(e))
}

fn measured<T>(value: std::result::Result<T, ebur128::Error>) -> Result<T> {
    value.map_err(|e| Error::new(error::Kind::Bug, "the loudness could not be measured").because(e))
}
