//! What hosts see: two plugins, for one channel and for two, with the same controls.
#![allow(unsafe_code, reason = "the interface is one of C pointers")]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use latentd::media::audio::{BLOCK, Block};

use crate::abi::{
    ABOVE, AUDIO, BELOW, CONTROL, DEFAULT_0, DEFAULT_1, DEFAULT_100, Descriptor, HARD_REALTIME, INPUT, INTEGER, OUTPUT,
    PortRangeHint, TOGGLED,
};
use crate::controls::{Controls, Mode};
use crate::denoiser::Denoiser;

/// Ports before those of sound; the sound's follow, all inputs and then all outputs.
const CONTROLS: usize = 6;
const ATTENUATION_LIMIT: usize = 0;
const STRENGTH: usize = 1;
const MODE: usize = 2;
const OFFLINE: usize = 3;
const LATENCY: usize = 4;
const LATE: usize = 5;

/// The most ports that a plugin here has.
const MOST_PORTS: usize = CONTROLS + 4;

const CONTROL_NAMES: [&CStr; CONTROLS] = [
    c"Attenuation Limit (dB)",
    c"Strength",
    c"Mode (0 process, 1 bypass, 2 mute)",
    c"Offline",
    c"latency",
    c"Late Blocks",
];

const CONTROL_HINTS: [PortRangeHint; CONTROLS] = [
    PortRangeHint { hints: BELOW | ABOVE | DEFAULT_100, lower: 0.0, upper: 100.0 },
    PortRangeHint { hints: BELOW | ABOVE | DEFAULT_1, lower: 0.0, upper: 1.0 },
    PortRangeHint { hints: BELOW | ABOVE | INTEGER | DEFAULT_0, lower: 0.0, upper: 2.0 },
    PortRangeHint { hints: TOGGLED | DEFAULT_0, lower: 0.0, upper: 1.0 },
    PortRangeHint { hints: BELOW | INTEGER, lower: 0.0, upper: 0.0 },
    PortRangeHint { hints: BELOW | INTEGER, lower: 0.0, upper: 0.0 },
];

/// Tables of one plugin, as pointers to them stand in its [`Descriptor`].
struct Tables {
    kinds: [c_int; MOST_PORTS],
    names: [*const c_char; MOST_PORTS],
    hints: [PortRangeHint; MOST_PORTS],
}

// They are never written to.
unsafe impl Sync for Tables {}

const fn tables(sound: [&CStr; 4], channels: usize) -> Tables {
    let none = PortRangeHint { hints: 0, lower: 0.0, upper: 0.0 };
    let mut tables = Tables { kinds: [0; MOST_PORTS], names: [ptr::null(); MOST_PORTS], hints: [none; MOST_PORTS] };
    let mut port = 0;
    while port < CONTROLS {
        tables.kinds[port] = CONTROL | if port < LATENCY { INPUT } else { OUTPUT };
        tables.names[port] = CONTROL_NAMES[port].as_ptr();
        tables.hints[port] = CONTROL_HINTS[port];
        port += 1;
    }
    while port < CONTROLS + 2 * channels {
        tables.kinds[port] = AUDIO | if port < CONTROLS + channels { INPUT } else { OUTPUT };
        tables.names[port] = sound[port - CONTROLS].as_ptr();
        port += 1;
    }
    tables
}

static MONO: Tables = tables([c"Input", c"Output", c"", c""], 1);
static STEREO: Tables = tables([c"Input Left", c"Input Right", c"Output Left", c"Output Right"], 2);

/// A [`Descriptor`] for hosts in any thread.
#[repr(transparent)]
struct Published(Descriptor);

// It is never written to.
unsafe impl Sync for Published {}

const fn publish(
    unique_id: c_ulong,
    (label, name): (&'static CStr, &'static CStr),
    tables: &'static Tables,
    channels: usize,
    instantiate: unsafe extern "C" fn(*const Descriptor, c_ulong) -> *mut c_void,
) -> Published {
    Published(Descriptor {
        unique_id,
        label: label.as_ptr(),
        properties: HARD_REALTIME,
        name: name.as_ptr(),
        maker: c"latentd".as_ptr(),
        copyright: c"MIT OR Apache-2.0".as_ptr(),
        port_count: (CONTROLS + 2 * channels) as c_ulong,
        port_descriptors: tables.kinds.as_ptr(),
        port_names: tables.names.as_ptr(),
        port_range_hints: tables.hints.as_ptr(),
        implementation_data: ptr::null_mut(),
        instantiate: Some(instantiate),
        connect_port: Some(connect_port),
        activate: Some(activate),
        run: Some(run),
        run_adding: None,
        set_run_adding_gain: None,
        deactivate: Some(deactivate),
        cleanup: Some(cleanup),
    })
}

static PLUGINS: [Published; 2] = [
    publish(0x6c_61_01, (c"latentd_denoise_mono", c"latentd speech denoiser (mono)"), &MONO, 1, instantiate_of::<1>),
    publish(
        0x6c_61_02,
        (c"latentd_denoise_stereo", c"latentd speech denoiser (stereo)"),
        &STEREO,
        2,
        instantiate_of::<2>,
    ),
];

/// The plugin at `index`, or null behind the last: the one function that hosts look for by name.
#[unsafe(no_mangle)]
pub extern "C" fn ladspa_descriptor(index: c_ulong) -> *const Descriptor {
    usize::try_from(index).ok().and_then(|index| PLUGINS.get(index)).map_or(ptr::null(), |plugin| &raw const plugin.0)
}

/// What a host's handle points to.
struct Instance {
    denoiser: Denoiser,
    channels: usize,
    ports: [*mut f32; MOST_PORTS],
    block: Block,
}

/// # Safety
/// As the interface has it; nothing is taken from the descriptor.
unsafe extern "C" fn instantiate_of<const CHANNELS: usize>(_: *const Descriptor, rate: c_ulong) -> *mut c_void {
    let made = catch_unwind(|| match Denoiser::new(usize::try_from(rate).unwrap_or(0), CHANNELS) {
        Ok(denoiser) => {
            let block = Block::with_room(CHANNELS, BLOCK);
            let ports = [ptr::null_mut(); MOST_PORTS];
            Box::into_raw(Box::new(Instance { denoiser, channels: CHANNELS, ports, block })).cast()
        }
        Err(e) => {
            say(e);
            ptr::null_mut()
        }
    });
    made.unwrap_or(ptr::null_mut())
}

/// Tells the host's standard error, since the interface has no words for what went wrong. Where nobody reads that it stays unsaid: `eprintln!`
/// would panic.
fn say(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "latentd: {what}");
}

/// Calls `work` with what `handle` points to; a panic ends there.
///
/// # Safety
/// `handle` is null or from [`instantiate_of`], and nobody else uses it now.
unsafe fn with(handle: *mut c_void, work: impl FnOnce(&mut Instance)) {
    // SAFETY: by the promise above.
    if let Some(instance) = unsafe { handle.cast::<Instance>().as_mut() } {
        let _ = catch_unwind(AssertUnwindSafe(|| work(instance)));
    }
}

unsafe extern "C" fn connect_port(handle: *mut c_void, port: c_ulong, place: *mut f32) {
    // SAFETY: the host's promise.
    unsafe {
        with(handle, |instance| {
            if let Some(port) = usize::try_from(port).ok().and_then(|port| instance.ports.get_mut(port)) {
                *port = place;
            }
        });
    }
}

unsafe extern "C" fn activate(handle: *mut c_void) {
    // SAFETY: the host's promise.
    unsafe {
        with(handle, |instance| {
            if let Err(e) = instance.denoiser.activate() {
                say(format_args!("{e}; the sound passes as it is"));
            }
        });
    }
}

unsafe extern "C" fn run(handle: *mut c_void, frames: c_ulong) {
    // SAFETY: the host's promise, which includes that every port's place is as long as it has to be.
    unsafe { with(handle, |instance| instance.run(usize::try_from(frames).unwrap_or(0))) }
}

unsafe extern "C" fn deactivate(handle: *mut c_void) {
    // SAFETY: the host's promise.
    unsafe { with(handle, |instance| instance.denoiser.deactivate()) }
}

unsafe extern "C" fn cleanup(handle: *mut c_void) {
    if !handle.is_null() {
        // SAFETY: it is from `instantiate_of`, and the host does not use it again.
        let instance = unsafe { Box::from_raw(handle.cast::<Instance>()) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(instance)));
    }
}

impl Instance {
    /// # Safety
    /// Every port that is not null points to a value, those of sound to `frames` of them; inputs and outputs may be the same.
    unsafe fn run(&mut self, frames: usize) {
        // SAFETY: by the promise above.
        let controls = unsafe { self.controls() };
        self.denoiser.begin(frames, &controls);
        let (inputs, outputs) = (CONTROLS, CONTROLS + self.channels);
        for from in (0..frames).step_by(BLOCK) {
            let length = BLOCK.min(frames - from);
            self.block.clear();
            for (channel, plane) in self.block.planes_mut().iter_mut().enumerate() {
                let place = self.ports[inputs + channel];
                if place.is_null() {
                    plane.resize(length, 0.0);
                } else {
                    // SAFETY: by the promise above; the slice is gone before anything is written.
                    plane.extend_from_slice(unsafe { std::slice::from_raw_parts(place.add(from), length) });
                }
            }
            self.denoiser.run(&mut self.block, &controls);
            for (channel, plane) in self.block.planes().iter().enumerate() {
                let place = self.ports[outputs + channel];
                if !place.is_null() {
                    // SAFETY: by the promise above.
                    unsafe { std::slice::from_raw_parts_mut(place.add(from), length) }.copy_from_slice(plane);
                }
            }
        }
        for (port, value) in [(LATENCY, self.denoiser.latency()), (LATE, self.denoiser.late())] {
            if !self.ports[port].is_null() {
                // SAFETY: by the promise above.
                unsafe { *self.ports[port] = value as f32 };
            }
        }
    }

    /// # Safety
    /// As [`run`](Self::run).
    unsafe fn controls(&self) -> Controls {
        let value = |port: usize, default: f32| {
            let place = self.ports[port];
            // SAFETY: by the promise above.
            if place.is_null() { default } else { unsafe { *place } }
        };
        let usual = Controls::default();
        Controls {
            attenuation_limit_db: value(ATTENUATION_LIMIT, usual.attenuation_limit_db),
            strength: value(STRENGTH, usual.strength),
            mode: match value(MODE, 0.0).round() as i32 {
                1 => Mode::Bypass,
                2 => Mode::Mute,
                _ => Mode::Process,
            },
            offline: value(OFFLINE, 0.0) > 0.5,
        }
    }
}
