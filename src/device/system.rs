//! The system's microphones and speakers: which there are, which one is meant, and which is the default.

#[cfg(target_os = "linux")]
use std::time::Duration;
use std::time::Instant;

use cpal::HostId;

use super::host::{ALONE, Found, Host};
use super::open::{self, Stream};
#[cfg(target_os = "linux")]
use super::server::{self, Reply};
use super::{Device, Direction, Feed, Opened, Tap, Wanted};
use crate::error::{Error, Kind, Result};

/// How long a sound server may take to answer at all.
#[cfg(target_os = "linux")]
const ANSWER: Duration = Duration::from_secs(2);

/// The sound systems that answer now. Made anew after one went away: a connection to a server that died stays dead.
pub struct Devices {
    /// In the order of their ranks.
    hosts: Vec<Host>,
    /// Whether there is a sound server beside them that does not answer.
    silent: bool,
    clock: fn() -> Instant,
}

/// Keeps from stderr what ALSA has to say, on this thread: of each device that it tries and does not find, several lines at every try. What it has said
/// since the last call is let go of.
pub fn hush() {
    #[cfg(target_os = "linux")]
    let _ = alsa::Output::local_error_handler();
}

impl Devices {
    /// Those of this machine: PulseAudio (or what speaks its language), PipeWire where latentd is built with it, ALSA.
    ///
    /// # Errors
    /// Kind device: no sound system answers.
    pub fn system() -> Result<Devices> {
        hush();
        let mut hosts: Vec<Host> = cpal_hosts().map(Host::Cpal).collect();
        #[cfg(target_os = "linux")]
        let silent = match server::connect(ANSWER) {
            Reply::Connected(connection) => {
                hosts.push(Host::Pulse(connection));
                false
            }
            Reply::Refused => false,
            Reply::Hangs => true,
        };
        #[cfg(not(target_os = "linux"))]
        let silent = false;
        hosts.sort_by_key(Host::rank);
        if hosts.is_empty() && silent {
            return Err(hangs());
        }
        if hosts.is_empty() {
            let mend = "start PipeWire or PulseAudio; as a service, latentd must run as the user whose session it is";
            return Err(Error::new(Kind::Device, "no sound system answers").mend(mend));
        }
        Ok(Devices { hosts, silent, clock: Instant::now })
    }

    /// Those of one host, whose callbacks ask `clock` for the time; for tests, which make both.
    pub fn of(host: cpal::Host, clock: fn() -> Instant) -> Devices {
        Devices { hosts: vec![Host::Cpal(host)], silent: false, clock }
    }

    /// Those that people are shown: of the first sound system, whose cards are the same as those of the others, and no parts of ALSA. Or `all` that can
    /// be named.
    pub fn list(&self, all: bool) -> Vec<Device> {
        let mut listed = Vec::new();
        for direction in [Direction::Microphone, Direction::Speaker] {
            let default = self.default_id(direction);
            let shown = |found: &Found| (all || found.level == 0) && !found.id.is_empty();
            let mut devices: Vec<Found> = self.all(direction).into_iter().filter(shown).collect();
            // The default first; last the sound of speakers, which is no microphone that people look for.
            devices.sort_by_key(|found| (Some(&found.id) != default.as_ref(), found.id.ends_with(MONITOR)));
            for found in devices {
                let own = found.own(direction);
                listed.push(Device {
                    direction,
                    default: Some(&found.id) == default.as_ref(),
                    id: found.id,
                    name: found.name,
                    rate: own.as_ref().ok().map(|(_, rate)| *rate),
                    channels: own.as_ref().ok().map(|(channels, _)| *channels),
                    trouble: own.err(),
                });
            }
        }
        listed
    }

    /// How many more can be named than people are shown.
    pub fn unlisted(&self) -> usize {
        let both = [Direction::Microphone, Direction::Speaker];
        both.into_iter().flat_map(|direction| self.all(direction)).filter(|found| found.level > 0).count()
    }

    /// All that can be named, by the order of their sound systems. What is not of the first is not shown.
    fn all(&self, direction: Direction) -> Vec<Found> {
        let first = self.hosts.first().map_or(0, Host::rank);
        let of = |host: &Host| {
            let behind = host.rank() - first;
            let mut found = host.devices(direction);
            found.iter_mut().for_each(|found| found.level += 2 * behind);
            found
        };
        self.hosts.iter().flat_map(of).collect()
    }

    /// The id of the device that is opened where none is named.
    pub fn default_id(&self, direction: Direction) -> Option<String> {
        self.default(direction).map(|found| found.id).filter(|id| !id.is_empty())
    }

    /// Whether the system takes another device than this one where none is named; nothing if that cannot be told. That a user made latentd's own
    /// microphone the default for other programs, or that there is only the sound of a speaker left, moves nothing, unless a server has come since.
    pub fn default_has_moved(&self, direction: Direction, id: &str) -> Option<bool> {
        let now = self.system_default(direction).map(|(_, found)| found.id).filter(|id| !id.is_empty())?;
        let same_host = parts(&now).0 == parts(id).0;
        Some(now != id && !(direction == Direction::Microphone && is_no_microphone(&now) && same_host))
    }

    /// Whether a sound server answered; else devices are those of ALSA alone.
    pub fn has_server(&self) -> bool {
        self.hosts.iter().any(|host| host.rank() < ALONE)
    }

    /// The system's default. A server that tells of none, or not any more, does not mean what ALSA alone would open in its place.
    fn system_default(&self, direction: Direction) -> Option<(&Host, Found)> {
        let served = self.has_server();
        let mut asked = self.hosts.iter().filter(|host| !served || host.rank() < ALONE);
        asked.find_map(|host| Some((host, host.default_device(direction)?)))
    }

    /// The system's default; in place of one that would hear what latentd plays, another one.
    fn default(&self, direction: Direction) -> Option<Found> {
        let (host, found) = self.system_default(direction)?;
        if direction == Direction::Speaker || !is_no_microphone(&found.id) {
            return Some(found);
        }
        host.devices(direction).into_iter().find(|found| !is_no_microphone(&found.id))
    }

    /// Opens a microphone. `tap` makes the callback's end once rate and channels are known.
    ///
    /// # Errors
    /// Kind device: there is no such device, or it refuses.
    pub fn microphone(&self, wanted: &Wanted, tap: impl FnMut(&Opened) -> Tap) -> Result<Stream> {
        open::microphone(self.find(Direction::Microphone, &wanted.device)?, wanted, tap, self.clock)
    }

    /// Opens a speaker. `feed` makes the callback's end once rate and channels are known.
    ///
    /// # Errors
    /// Kind device: there is no such device, or it refuses.
    pub fn speaker(&self, wanted: &Wanted, feed: impl FnMut(&Opened) -> Feed) -> Result<Stream> {
        open::speaker(self.find(Direction::Speaker, &wanted.device)?, wanted, feed, self.clock)
    }

    /// What a device would be opened as. It is opened for a moment, and no sound goes through it; a server is only asked what it has.
    ///
    /// # Errors
    /// Kind device: there is no such device, or it refuses.
    pub fn tried(&self, direction: Direction, wanted: &Wanted) -> Result<Opened> {
        open::tried(self.find(direction, &wanted.device)?, direction, wanted)
    }

    /// Id and name of the device that would be opened.
    ///
    /// # Errors
    /// Kind device: there is none, or more than one.
    pub fn named(&self, direction: Direction, asked: &str) -> Result<(String, String)> {
        self.find(direction, asked).map(|found| (found.id, found.name))
    }

    /// Why ALSA has no card, where `all` there is are ALSA's.
    fn without_cards(all: &[Found]) -> Option<&'static str> {
        #[cfg(target_os = "linux")]
        if all.iter().all(|found| found.id.starts_with(super::alsa::ALSA)) {
            return super::alsa::without_cards();
        }
        let _ = all;
        None
    }

    fn find(&self, direction: Direction, asked: &str) -> Result<Found> {
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
        let mut all = self.all(direction);
        let by_id = all.iter().position(|found| found.id == asked);
        if let Some(at) = by_id.or_else(|| all.iter().position(|found| parts(&found.id).1 == asked)) {
            return Ok(all.swap_remove(at));
        }
        let called = |found: &Found| found.name.eq_ignore_ascii_case(asked);
        let level = all.iter().filter(|found| called(found)).map(|found| found.level).min();
        let is_meant = |at: &usize| called(&all[*at]) && Some(all[*at].level) == level;
        let meant: Vec<usize> = (0..all.len()).filter(is_meant).collect();
        match meant[..] {
            [at] => return Ok(all.swap_remove(at)),
            [one, other, ..] => {
                let what = format!("more than one {} is called `{asked}`", direction.name());
                let mend = format!("name it by its id: `{}`, `{}`", all[one].id, all[other].id);
                return Err(Error::new(Kind::Device, what).mend(mend));
            }
            [] => {}
        }
        if self.silent {
            return Err(hangs());
        }
        let what = format!("there is no {} `{asked}`", direction.name());
        let names = all.iter().map(|found| found.name.as_str());
        let ids = all.iter().map(|found| found.id.as_str());
        let words = names.chain(ids).chain(all.iter().map(|found| parts(&found.id).1));
        Err(Error::new(Kind::Device, what).mend(match crate::did_you_mean(asked, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => Self::without_cards(&all).unwrap_or("`latentd devices` shows those that there are").into(),
        }))
    }
}

/// The hosts of cpal that answer.
fn cpal_hosts() -> impl Iterator<Item = cpal::Host> {
    // On Linux PulseAudio is asked without it.
    let other = |id: &HostId| cfg!(target_os = "linux") && id.to_string().eq_ignore_ascii_case("pulseaudio");
    let ids = cpal::available_hosts().into_iter().filter(move |id| *id != HostId::Custom && !other(id));
    ids.filter_map(|id| cpal::host_from_id(id).ok())
}

/// A sound server is there and does not answer.
pub(crate) fn hangs() -> Error {
    Error::new(Kind::Device, "the sound server does not answer")
        .mend("restart it: `systemctl --user restart pipewire pipewire-pulse`, or `pulseaudio -k`")
}

/// What a server calls the sound that goes to a speaker.
const MONITOR: &str = ".monitor";

/// Whether this is the microphone that latentd plays into (examples/virtual-microphone.sh makes it), or the sound of a speaker, which a server takes for
/// its default when the last microphone goes: a stream of it would hear itself. Who names one means it.
fn is_no_microphone(id: &str) -> bool {
    let own = parts(id).1;
    own == "latentd_microphone" || own.ends_with(MONITOR)
}

/// The sound system in an id, and its own name of the device.
fn parts(id: &str) -> (&str, &str) {
    id.split_once(':').unwrap_or_default()
}
