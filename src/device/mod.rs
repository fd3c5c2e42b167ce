//! Microphones and speakers. `system.rs` finds them in the sound systems that `host.rs` knows (`alsa.rs`, which of ALSA's names are for people),
//! `open.rs` opens them: by cpal (`formats.rs`, in which of its configurations), or, of a PulseAudio server, without it, which does not do that well
//! enough: `server.rs` is a connection, `pulse.rs` its streams. `ring.rs` is what callbacks do, which is to copy and to count.

#[cfg(target_os = "linux")]
mod alsa;
mod formats;
mod host;
mod open;
#[cfg(target_os = "linux")]
mod pulse;
mod ring;
#[cfg(target_os = "linux")]
mod server;
mod system;

pub use open::Stream;
pub use ring::{Counters, Feed, Moment, Tap, feed, tap};
pub(crate) use system::hangs;
pub use system::{Devices, hush};

/// Frames a second that devices are asked for, and that live stages work at.
pub const RATE: u32 = 48_000;

/// Which way sound goes through a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Sound comes in.
    Microphone,
    /// Sound goes out.
    Speaker,
}

impl Direction {
    /// The word in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Microphone => "microphone",
            Direction::Speaker => "speaker",
        }
    }
}

/// A device as `latentd devices` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Which way.
    pub direction: Direction,
    /// What pins it for ever: `pulseaudio:alsa_input.usb-...`.
    pub id: String,
    /// What its maker calls it; two devices may share a name.
    pub name: String,
    /// Whether it is opened where none is named.
    pub default: bool,
    /// Frames a second that it works at by itself, if it tells.
    pub rate: Option<u32>,
    /// Channels that it has by itself, if it tells.
    pub channels: Option<u16>,
    /// Why it does not tell, which is why it cannot be opened now.
    pub trouble: Option<String>,
}

/// What a pipeline asks of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `default`, a name, or an id.
    pub device: String,
    /// Frames a second, if the device can; else it keeps its own.
    pub rate: u32,
    /// Frames between two callbacks, if the device can.
    pub buffer: u32,
}

/// What a device was opened as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The device's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Frames a second.
    pub rate: u32,
    /// Channels of the device, which callbacks turn into those of the stream.
    pub channels: usize,
}
