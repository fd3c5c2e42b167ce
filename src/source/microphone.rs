//! `microphone`: sound that a device hears, as long as the pipeline runs.

use std::time::Duration;

use crate::config::{Component, Description, Field, Kind, Presence};
use crate::device::{RATE, Wanted};
use crate::media::MediaKind;

/// The key in YAML.
pub const MICROPHONE: &str = "microphone";

/// Settings of the source `microphone`.
pub const DESCRIPTION: Description = Description {
    name: MICROPHONE,
    doc: "Sound that a device hears. The sink is a `speaker`.",
    takes: &[],
    gives: &[MediaKind::Audio],
    example: "microphone: { device: default, buffer: 10ms }",
    fields: &[
        Field {
            name: "device",
            doc: "`default`, or the name or id of a microphone as `latentd devices` shows it.",
            kind: Kind::Text,
            presence: Presence::Default("default"),
        },
        Field {
            name: "channels",
            doc: "Channels to work on; all that the device has are mixed into one.",
            kind: Kind::Integer { min: 1, max: 8 },
            presence: Presence::Default("1"),
        },
        BUFFER,
    ],
};

/// The setting that microphone and speaker share.
pub(crate) const BUFFER: Field = Field {
    name: "buffer",
    doc: "How much sound the device handles at once, 1 to 200 ms; less is less delay and more work.",
    kind: Kind::Duration { min: Duration::from_millis(1), max: Duration::from_millis(200) },
    presence: Presence::Default("10ms"),
};

/// A microphone, as a pipeline asks for it.
#[derive(Debug, Clone)]
pub struct Microphone {
    /// Which device, and how.
    pub wanted: Wanted,
    /// Channels to work on.
    pub channels: usize,
}

impl Microphone {
    /// Makes the source of checked settings.
    pub fn build(component: &Component) -> Microphone {
        let settings = &component.settings;
        let channels = usize::try_from(settings.integer("channels")).unwrap_or(1);
        Microphone { wanted: wanted(component), channels }
    }
}

/// What the settings `device` and `buffer` ask for.
pub(crate) fn wanted(component: &Component) -> Wanted {
    let settings = &component.settings;
    let seconds = settings.duration("buffer").as_secs_f64();
    Wanted {
        device: settings.text("device").to_owned(),
        rate: RATE,
        buffer: (seconds * f64::from(RATE)).round() as u32,
    }
}
