//! How a component describes itself and its settings, in one table from which checking, defaults, the JSON Schema and `latentd stages` all follow.

use std::time::Duration;

use super::words::expected;
use crate::media::MediaKind;

/// A source, stage or sink as a pipeline may name it.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The key in YAML: `denoise`, `folder`.
    pub name: &'static str,
    /// One or two sentences for people, shown by editors.
    pub doc: &'static str,
    /// The kinds of media that it can take; a source takes none. Of several kinds a stage's model decides for one.
    pub takes: &'static [MediaKind],
    /// The kinds of media that it can give; a sink gives none.
    pub gives: &'static [MediaKind],
    /// How it is written, in one line of YAML: `denoise: { model: denoise-camera, strength: 0.8 }`.
    pub example: &'static str,
    /// Its settings.
    pub fields: &'static [Field],
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// One sentence for people, with the unit.
    pub doc: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub presence: Presence,
}

impl Field {
    /// The values that it takes, in words: "a number from 5 to 5000 Hz".
    pub fn values(&self) -> String {
        expected(&self.kind)
    }
}

/// Whether a setting must be given.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// Leaving it out is an error.
    Required,
    /// It may be left out, and then has no value.
    Optional,
    /// Left out, it has this value (a YAML scalar or flow sequence, checked like any other value).
    Default(&'static str),
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// A path; a relative one is relative to the YAML file.
    Path,
    /// `true` or `false`.
    Flag,
    /// A number within bounds, both included.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A whole number within bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A number or whole number, in this unit, which is not written.
    Measured(&'static Kind, &'static str),
    /// A length of time within bounds, both included: a number followed by `ms`, `s`, `min` or `h`, or `0`.
    Duration {
        /// The least.
        min: Duration,
        /// The most.
        max: Duration,
    },
    /// A number of bytes: a number followed by `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, or just bytes, [`Kind::LEAST_BYTES`] or more.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of values of one kind.
    List(&'static Kind),
    /// A mapping with settings of its own.
    Map(&'static [Field]),
    /// Any of these kinds, tried in order.
    Either(&'static [Kind]),
}

impl Kind {
    /// A length of time without bounds.
    pub const ANY_DURATION: Kind = Kind::Duration { min: Duration::ZERO, max: Duration::MAX };
    /// The least of [`Kind::Size`] where no unit is written: nobody limits a file to so few bytes, and `5` was meant to be `5MB`.
    pub const LEAST_BYTES: u64 = 1000;
}

/// All components that pipelines may name. The pipeline module fills it; the config module only reads it.
#[derive(Debug, Clone, Copy)]
pub struct Catalog {
    /// What may stand under `source:`.
    pub sources: &'static [Description],
    /// What may stand in `stages:`.
    pub stages: &'static [Description],
    /// What may stand under `sink:`.
    pub sinks: &'static [Description],
}

impl Catalog {
    /// The parts of a pipeline, each by the word for one of them, and what may stand there.
    pub const fn parts(&self) -> [(&'static str, &'static [Description]); 3] {
        [("source", self.sources), ("stage", self.stages), ("sink", self.sinks)]
    }
}
