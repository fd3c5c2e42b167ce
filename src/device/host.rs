//! A sound system that answers, and its devices: one that cpal knows, or a PulseAudio server, which is asked directly.

use cpal::ErrorKind;
use cpal::traits::{DeviceTrait, HostTrait};

use super::Direction;
#[cfg(target_os = "linux")]
use super::alsa;
use super::open::{told, without_cards};
#[cfg(target_os = "linux")]
use super::server::Connection;

/// The rank of a sound system without a server.
pub const ALONE: u8 = 2;

/// A sound system.
pub enum Host {
    /// One that cpal knows.
    Cpal(cpal::Host),
    /// A PulseAudio server.
    #[cfg(target_os = "linux")]
    Pulse(Connection),
}

/// A device as its sound system tells of it.
pub struct Found {
    /// What pins it; nothing if its sound system tells none.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it is opened.
    pub how: How,
    /// 0 for what people are shown; the rest is reached by name, and where names are the same the lowest is meant.
    pub level: u8,
}

/// How a device is opened.
pub enum How {
    /// By cpal.
    Cpal(Box<cpal::Device>),
    /// By its id; the server converts to and from what it has by itself.
    #[cfg(target_os = "linux")]
    Pulse {
        /// Channels.
        channels: u16,
        /// Frames a second.
        rate: u32,
    },
}

impl Host {
    /// That which is meant where a device is not named by its id has the lowest. PipeWire's own protocol comes behind PulseAudio's, which PipeWire
    /// serves as well: of its own, cpal neither tells which device is the default nor tells devices from what other programs play and hear.
    pub fn rank(&self) -> u8 {
        match self {
            Host::Cpal(host) => match host.id().to_string().as_str() {
                "pulseaudio" => 0,
                "pipewire" => 1,
                _ => ALONE,
            },
            #[cfg(target_os = "linux")]
            Host::Pulse(_) => 0,
        }
    }

    /// All devices that there are.
    pub fn devices(&self, direction: Direction) -> Vec<Found> {
        match self {
            Host::Cpal(host) => {
                let devices = match direction {
                    Direction::Microphone => host.input_devices().map(Vec::from_iter),
                    Direction::Speaker => host.output_devices().map(Vec::from_iter),
                };
                let found: Vec<Found> = devices.unwrap_or_default().into_iter().map(Found::of).collect();
                #[cfg(target_os = "linux")]
                if host.id() == cpal::HostId::Alsa {
                    return alsa::tell_apart(found, self.default_device(direction));
                }
                found
            }
            #[cfg(target_os = "linux")]
            Host::Pulse(connection) => connection.devices(direction),
        }
    }

    /// The one that is its default.
    pub fn default_device(&self, direction: Direction) -> Option<Found> {
        match self {
            Host::Cpal(host) => match direction {
                Direction::Microphone => host.default_input_device(),
                Direction::Speaker => host.default_output_device(),
            }
            .map(Found::of),
            #[cfg(target_os = "linux")]
            Host::Pulse(connection) => connection.default_device(direction),
        }
    }
}

impl Found {
    fn of(device: cpal::Device) -> Found {
        let id = device.id().map(|id| id.to_string()).unwrap_or_default();
        let name = device.description().map_or_else(|_| id.clone(), |d| d.name().to_owned());
        Found { id, name, how: How::Cpal(Box::new(device)), level: 0 }
    }

    /// Channels and frames a second that it has by itself; or why it does not tell.
    pub fn own(&self, direction: Direction) -> Result<(u16, u32), String> {
        match &self.how {
            How::Cpal(device) => {
                let config = match direction {
                    Direction::Microphone => device.default_input_config(),
                    Direction::Speaker => device.default_output_config(),
                };
                config.map(|c| (c.channels(), c.sample_rate())).map_err(|e| match e.kind() {
                    ErrorKind::DeviceBusy => "another program holds it".into(),
                    ErrorKind::PermissionDenied => "this user may not use it".into(),
                    ErrorKind::DeviceNotAvailable => without_cards(&self.id).map_or_else(|| told(&e), str::to_owned),
                    _ => told(&e),
                })
            }
            #[cfg(target_os = "linux")]
            How::Pulse { channels, rate } => Ok((*channels, *rate)),
        }
    }
}
