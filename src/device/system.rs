//! The system's microphones and speakers, by cpal. No other file but `formats.rs` knows cpal's types.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, Data, ErrorKind, HostId, SampleFormat, StreamConfig, SupportedBufferSize};

use super::formats::best;
use super::{Device, Direction, Feed, Moment, Opened, Tap, Wanted};
use crate::error::{Error, Kind, Result};

/// How long a device may take to open.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a sound server may take to answer at all.
#[cfg(target_os = "linux")]
const ANSWER: Duration = Duration::from_secs(2);

/// The sound systems that answer now. Made anew after one went away: a connection to a server that died stays dead.
pub struct Devices {
    /// The one that applications are meant to use comes first.
    hosts: Vec<cpal::Host>,
    /// Whether there is a sound server beside them that does not answer.
    silent: bool,
    clock: fn() -> Instant,
}

/// A device at work. It stops when this is dropped.
pub struct Stream {
    _running: Running,
    /// What it was opened as.
    pub opened: Opened,
}

/// What makes it run.
enum Running {
    /// A stream of cpal.
    Cpal(#[expect(dead_code, reason = "held until it is dropped")] cpal::Stream),
    /// A device of a PulseAudio server.
    #[cfg(target_os = "linux")]
    Pulse(#[expect(dead_code, reason = "held until it is dropped")] super::pulse::Working),
}

/// Keeps from stderr what ALSA has to say, on this thread: of each device that it tries and does not find, several lines at every try. What it has said
/// since the last call is let go of.
pub fn hush() {
    #[cfg(target_os = "linux")]
    let _ = alsa::Output::local_error_handler();
}

impl Devices {
    /// Those of this machine: PipeWire where latentd is built with it, PulseAudio (or what speaks its language), ALSA.
    ///
    /// # Errors
    /// Kind device: no sound system answers.
    pub fn system() -> Result<Devices> {
        hush();
        let mut ids = cpal::available_hosts();
        #[cfg(target_os = "linux")]
        let silent = ids.contains(&HostId::PulseAudio) && !super::pulse::answers(ANSWER);
        #[cfg(not(target_os = "linux"))]
        let silent = false;
        // cpal would wait for it as well, and leave a thread behind each time.
        ids.retain(|id| *id != HostId::Custom && !(silent && id.to_string().eq_ignore_ascii_case("pulseaudio")));
        let mut hosts: Vec<(u8, cpal::Host)> =
            ids.into_iter().filter_map(|id| Some((rank(&id), cpal::host_from_id(id).ok()?))).collect();
        hosts.sort_by_key(|(rank, _)| *rank);
        if hosts.is_empty() && silent {
            return Err(hangs());
        }
        if hosts.is_empty() {
            let mend = "start PipeWire or PulseAudio; as a service, latentd must run as the user whose session it is";
            return Err(Error::new(Kind::Device, "no sound system answers").mend(mend));
        }
        Ok(Devices { hosts: hosts.into_iter().map(|(_, host)| host).collect(), silent, clock: Instant::now })
    }

    /// Those of one host, whose callbacks ask `clock` for the time; for tests, which make both.
    pub fn of(host: cpal::Host, clock: fn() -> Instant) -> Devices {
        Devices { hosts: vec![host], silent: false, clock }
    }

    /// All that there are.
    pub fn list(&self) -> Vec<Device> {
        let mut found = Vec::new();
        for direction in [Direction::Microphone, Direction::Speaker] {
            let default = self.default_id(direction);
            for host in &self.hosts {
                for device in devices_of(host, direction) {
                    let Some(id) = id_of(&device) else { continue };
                    let config = match direction {
                        Direction::Microphone => device.default_input_config(),
                        Direction::Speaker => device.default_output_config(),
                    }
                    .ok();
                    found.push(Device {
                        direction,
                        default: Some(&id) == default.as_ref(),
                        name: name_of(&device, &id),
                        id,
                        rate: config.as_ref().map(|c| c.sample_rate()),
                        channels: config.as_ref().map(|c| c.channels()),
                    });
                }
            }
        }
        found
    }

    /// The id of the device that is opened where none is named.
    pub fn default_id(&self, direction: Direction) -> Option<String> {
        self.default(direction).as_ref().and_then(id_of)
    }

    /// Whether the system takes another device than this one where none is named. That a user made latentd's own microphone the default for
    /// other programs, or that there is only the sound of a speaker left, moves nothing, unless a server has come since.
    pub fn default_has_moved(&self, direction: Direction, id: &str) -> bool {
        let Some(now) = self.system_default(direction).and_then(|(_, device)| id_of(&device)) else { return false };
        let host = |id: &str| id.split_once(':').map(|(host, _)| host.to_owned());
        now != id && !(direction == Direction::Microphone && is_no_microphone(&now) && host(&now) == host(id))
    }

    /// Whether a sound server answered; else devices are those of ALSA alone.
    pub fn has_server(&self) -> bool {
        self.hosts.iter().any(|host| rank(&host.id()) < ALONE)
    }

    fn system_default(&self, direction: Direction) -> Option<(&cpal::Host, cpal::Device)> {
        self.hosts.iter().find_map(|host| Some((host, default_of(host, direction)?)))
    }

    /// The system's default; in place of one that would hear what latentd plays, another one.
    fn default(&self, direction: Direction) -> Option<cpal::Device> {
        let (host, device) = self.system_default(direction)?;
        let fits = |device: &cpal::Device| !id_of(device).is_some_and(|id| is_no_microphone(&id));
        if direction == Direction::Speaker || fits(&device) {
            return Some(device);
        }
        devices_of(host, direction).into_iter().find(fits)
    }

    /// Opens a microphone. `tap` makes the callback's end once rate and channels are known.
    ///
    /// # Errors
    /// Kind device: there is no such device, or it refuses.
    pub fn microphone(&self, wanted: &Wanted, tap: impl FnOnce(&Opened) -> Tap) -> Result<Stream> {
        let (device, config, format, opened) = self.choose(Direction::Microphone, wanted)?;
        let mut tap = tap(&opened);
        #[cfg(target_os = "linux")]
        if opened.id.starts_with(PULSE) {
            let recording = super::pulse::record(&opened, buffer(&config, wanted), tap, self.clock, PATIENCE)
                .map_err(|e| refused(Direction::Microphone, &opened.name, ErrorKind::DeviceNotAvailable, e))?;
            return Ok(Stream { _running: Running::Pulse(recording), opened });
        }
        let counters = std::sync::Arc::clone(tap.counters());
        let (channels, clock) = (opened.channels, self.clock);
        let callback = move |data: &Data, info: &cpal::InputCallbackInfo| {
            let time = info.timestamp();
            let latency = time.callback.saturating_duration_since(time.capture);
            let moment = Moment { at: clock(), latency };
            macro_rules! take {
                ($($format:ident => $type:ty),*) => {
                    match data.sample_format() {
                        $(SampleFormat::$format => if let Some(s) = data.as_slice::<$type>() { tap.take(s, channels, &moment) },)*
                        _ => {}
                    }
                };
            }
            take!(F32 => f32, I16 => i16, I24 => cpal::I24, I32 => i32, U8 => u8, U16 => u16, U32 => u32, I8 => i8, F64 => f64);
        };
        let stream = device
            .build_input_stream_raw(config, format, callback, move |e| note(&counters, &e), Some(PATIENCE))
            .map_err(|e| refused(Direction::Microphone, &opened.name, e.kind(), e))?;
        stream.play().map_err(|e| refused(Direction::Microphone, &opened.name, e.kind(), e))?;
        Ok(Stream { _running: Running::Cpal(stream), opened })
    }

    /// Opens a speaker. `feed` makes the callback's end once rate and channels are known.
    ///
    /// # Errors
    /// Kind device: there is no such device, or it refuses.
    pub fn speaker(&self, wanted: &Wanted, feed: impl FnOnce(&Opened) -> Feed) -> Result<Stream> {
        let (device, config, format, opened) = self.choose(Direction::Speaker, wanted)?;
        let mut feed = feed(&opened);
        #[cfg(target_os = "linux")]
        if opened.id.starts_with(PULSE) {
            let playing = super::pulse::play(&opened, buffer(&config, wanted), feed, self.clock, PATIENCE)
                .map_err(|e| refused(Direction::Speaker, &opened.name, ErrorKind::DeviceNotAvailable, e))?;
            return Ok(Stream { _running: Running::Pulse(playing), opened });
        }
        let counters = std::sync::Arc::clone(feed.counters());
        let (channels, clock) = (opened.channels, self.clock);
        let callback = move |data: &mut Data, info: &cpal::OutputCallbackInfo| {
            let time = info.timestamp();
            let latency = time.playback.saturating_duration_since(time.callback);
            let moment = Moment { at: clock(), latency };
            macro_rules! give {
                ($($format:ident => $type:ty),*) => {
                    match data.sample_format() {
                        $(SampleFormat::$format => if let Some(s) = data.as_slice_mut::<$type>() { feed.give(s, channels, &moment) },)*
                        _ => {}
                    }
                };
            }
            give!(F32 => f32, I16 => i16, I24 => cpal::I24, I32 => i32, U8 => u8, U16 => u16, U32 => u32, I8 => i8, F64 => f64);
        };
        let stream = device
            .build_output_stream_raw(config, format, callback, move |e| note(&counters, &e), Some(PATIENCE))
            .map_err(|e| refused(Direction::Speaker, &opened.name, e.kind(), e))?;
        stream.play().map_err(|e| refused(Direction::Speaker, &opened.name, e.kind(), e))?;
        Ok(Stream { _running: Running::Cpal(stream), opened })
    }

    fn choose(
        &self,
        direction: Direction,
        wanted: &Wanted,
    ) -> Result<(cpal::Device, StreamConfig, SampleFormat, Opened)> {
        let (device, id, name) = self.find(direction, &wanted.device).map(told)?;
        let (own, ranges) = match direction {
            Direction::Microphone => {
                (device.default_input_config(), device.supported_input_configs().map(Vec::from_iter))
            }
            Direction::Speaker => {
                (device.default_output_config(), device.supported_output_configs().map(Vec::from_iter))
            }
        };
        let ranges = ranges.map_err(|e| refused(direction, &name, e.kind(), e))?;
        let own = own.ok().map(|c| (c.channels(), c.sample_rate()));
        let (range, rate) = best(&ranges, own, wanted.rate).ok_or_else(|| {
            let what = format!("the {} `{name}` offers no format that latentd knows", direction.name());
            Error::new(Kind::Device, what).mend("choose another device; `latentd devices` shows them")
        })?;
        let buffer_size = match *range.buffer_size() {
            // Buffers are told at the rate that was wanted.
            SupportedBufferSize::Range { min, max } if min <= max => {
                let frames = u64::from(wanted.buffer) * u64::from(rate) / u64::from(wanted.rate.max(1));
                BufferSize::Fixed((frames as u32).clamp(min.max(1), max.max(1)))
            }
            _ => BufferSize::Default,
        };
        let config = StreamConfig { channels: range.channels(), sample_rate: rate, buffer_size };
        let opened = Opened { id, name, rate, channels: usize::from(range.channels()) };
        Ok((device, config, range.sample_format(), opened))
    }

    /// Id and name of the device that would be opened.
    ///
    /// # Errors
    /// Kind device: there is none, or more than one.
    pub fn named(&self, direction: Direction, asked: &str) -> Result<(String, String)> {
        let (_, id, name) = self.find(direction, asked).map(told)?;
        Ok((id, name))
    }

    fn find(&self, direction: Direction, asked: &str) -> Result<cpal::Device> {
        // What ALSA alone would open in its place is not what was meant.
        if asked == "default" && self.silent {
            return Err(hangs());
        }
        if asked == "default" {
            return self.default(direction).ok_or_else(|| {
                Error::new(Kind::Device, format!("the system has no default {}", direction.name()))
                    .mend("plug one in, or name a device; `latentd devices` shows them")
            });
        }
        let all: Vec<cpal::Device> = self.hosts.iter().flat_map(|host| devices_of(host, direction)).collect();
        let ids: Vec<String> = all.iter().map(|device| id_of(device).unwrap_or_default()).collect();
        let names: Vec<String> = all.iter().zip(&ids).map(|(device, id)| name_of(device, id)).collect();
        let own = |id: &str| id.split_once(':').map_or(String::new(), |(_, own)| own.to_owned());
        if let Some(at) = ids.iter().position(|id| id == asked).or_else(|| ids.iter().position(|id| own(id) == asked)) {
            return Ok(all[at].clone());
        }
        let mut same = names.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(asked)).map(|(at, _)| at);
        match (same.next(), same.next()) {
            (Some(at), None) => return Ok(all[at].clone()),
            (Some(one), Some(other)) => {
                let what = format!("more than one {} is called `{asked}`", direction.name());
                return Err(
                    Error::new(Kind::Device, what).mend(format!("name it by its id: `{}`, `{}`", ids[one], ids[other]))
                );
            }
            _ => {}
        }
        if self.silent {
            return Err(hangs());
        }
        let what = format!("there is no {} `{asked}`", direction.name());
        let owns: Vec<String> = ids.iter().map(|id| own(id)).collect();
        let words = names.iter().chain(&ids).chain(&owns).map(String::as_str);
        Err(Error::new(Kind::Device, what).mend(match crate::did_you_mean(asked, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`latentd devices` shows those that there are".into(),
        }))
    }
}

/// A sound server is there and does not answer.
pub(crate) fn hangs() -> Error {
    Error::new(Kind::Device, "the sound server does not answer")
        .mend("restart it: `systemctl --user restart pipewire pipewire-pulse`, or `pulseaudio -k`")
}

/// What ids of devices of a PulseAudio server begin with; the server's own name follows.
pub(super) const PULSE: &str = "pulseaudio:";

/// What a server calls the sound that goes to a speaker.
const MONITOR: &str = ".monitor";

/// Whether this is the microphone that latentd plays into (examples/virtual-microphone.sh makes it), or the sound of a speaker, which a server takes for
/// its default when the last microphone goes: a stream of it would hear itself. Who names one means it.
fn is_no_microphone(id: &str) -> bool {
    id.split_once(':').is_some_and(|(_, own)| own == "latentd_microphone" || own.ends_with(MONITOR))
}

/// The rank of a host without a server.
const ALONE: u8 = 2;

fn rank(id: &HostId) -> u8 {
    match id.to_string().to_lowercase().as_str() {
        "pipewire" => 0,
        "pulseaudio" => 1,
        _ => ALONE,
    }
}

/// Frames of a piece.
#[cfg(target_os = "linux")]
fn buffer(config: &StreamConfig, wanted: &Wanted) -> u32 {
    match config.buffer_size {
        BufferSize::Fixed(frames) => frames,
        BufferSize::Default => wanted.buffer,
    }
}

fn devices_of(host: &cpal::Host, direction: Direction) -> Vec<cpal::Device> {
    match direction {
        Direction::Microphone => host.input_devices().map(Vec::from_iter),
        Direction::Speaker => host.output_devices().map(Vec::from_iter),
    }
    .unwrap_or_default()
}

fn default_of(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Microphone => host.default_input_device(),
        Direction::Speaker => host.default_output_device(),
    }
}

fn id_of(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

/// A device with its id and its name.
fn told(device: cpal::Device) -> (cpal::Device, String, String) {
    let id = id_of(&device).unwrap_or_default();
    let name = name_of(&device, &id);
    (device, id, name)
}

fn name_of(device: &cpal::Device, id: &str) -> String {
    device.description().map_or_else(|_| id.to_owned(), |d| d.name().to_owned())
}

/// What a device tells while it works. It is told in a callback, so it is only noted.
fn note(counters: &super::Counters, error: &cpal::Error) {
    match error.kind() {
        ErrorKind::Xrun => {
            counters.xruns.fetch_add(1, Relaxed);
        }
        // Sound goes on.
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
        _ => counters.gone.store(true, Relaxed),
    }
}

fn refused(
    direction: Direction,
    name: &str,
    kind: ErrorKind,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let mend = match kind {
        ErrorKind::PermissionDenied => {
            "give the user that runs latentd the right to use sound (on Linux, the group `audio`)"
        }
        ErrorKind::DeviceBusy => {
            "another program holds it; stop that, or use PipeWire or PulseAudio, which share devices"
        }
        ErrorKind::HostUnavailable => "start PipeWire or PulseAudio",
        _ => "see whether other programs can use it; `latentd devices` shows what there is",
    };
    Error::new(Kind::Device, format!("the {} `{name}` cannot be opened", direction.name())).because(error).mend(mend)
}
