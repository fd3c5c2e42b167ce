//! `speaker`: sound is played by a device, as long as the pipeline runs. It may be one end of a virtual microphone (docs/sound.md).

use std::time::Duration;

use crate::config::{Component, Description, Field, Kind, Presence};
use crate::device::Wanted;
use crate::media::MediaKind;
use crate::source::microphone::{BUFFER, wanted};

/// The key in YAML.
pub const SPEAKER: &str = "speaker";

/// Settings of the sink `speaker`.
pub const DESCRIPTION: Description = Description {
    name: SPEAKER,
    doc: "Sound is played by a device, at once. The source is a `microphone`.",
    takes: &[MediaKind::Audio],
    gives: &[],
    example: "speaker: { device: default, reserve: 4ms }",
    fields: &[
        Field {
            name: "device",
            doc: "`default`, or the name or id of a speaker as `latentd devices` shows it.",
            kind: Kind::Text,
            presence: Presence::Default("default"),
        },
        BUFFER,
        Field {
            name: "reserve",
            doc: "How much sound is kept ready beside that, up to 500 ms; more is more delay, and survives a busier machine.",
            kind: Kind::Duration { min: Duration::ZERO, max: Duration::from_millis(500) },
            presence: Presence::Default("4ms"),
        },
    ],
};

/// A speaker, as a pipeline asks for it.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// Which device, and how.
    pub wanted: Wanted,
    /// Sound to be kept ready.
    pub reserve: Duration,
}

impl Speaker {
    /// Makes the sink of checked settings.
    pub fn build(component: &Component) -> Speaker {
        Speaker { wanted: wanted(component), reserve: component.settings.duration("reserve") }
    }
}
