//! The interface that hosts and plugins share, LADSPA 1.1 (`ladspa.h`). No crate has it without the copies and allocations of a framework
//! around it, which have no place in a sound callback.

#![allow(missing_docs, reason = "the names are those of ladspa.h, which tells what they mean")]

use std::ffi::{c_char, c_int, c_ulong, c_void};

/// `LADSPA_Descriptor`: one plugin of a library.
#[repr(C)]
pub struct Descriptor {
    pub unique_id: c_ulong,
    pub label: *const c_char,
    pub properties: c_int,
    pub name: *const c_char,
    pub maker: *const c_char,
    pub copyright: *const c_char,
    pub port_count: c_ulong,
    pub port_descriptors: *const c_int,
    pub port_names: *const *const c_char,
    pub port_range_hints: *const PortRangeHint,
    pub implementation_data: *mut c_void,
    pub instantiate: Option<unsafe extern "C" fn(*const Descriptor, c_ulong) -> *mut c_void>,
    pub connect_port: Option<unsafe extern "C" fn(*mut c_void, c_ulong, *mut f32)>,
    pub activate: Option<unsafe extern "C" fn(*mut c_void)>,
    pub run: Option<unsafe extern "C" fn(*mut c_void, c_ulong)>,
    pub run_adding: Option<unsafe extern "C" fn(*mut c_void, c_ulong)>,
    pub set_run_adding_gain: Option<unsafe extern "C" fn(*mut c_void, f32)>,
    pub deactivate: Option<unsafe extern "C" fn(*mut c_void)>,
    pub cleanup: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// `LADSPA_PortRangeHint`: what values a control takes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PortRangeHint {
    pub hints: c_int,
    pub lower: f32,
    pub upper: f32,
}

/// The plugin neither waits for anything nor takes longer the more there is to be done elsewhere.
pub const HARD_REALTIME: c_int = 0x4;

pub const INPUT: c_int = 0x1;
pub const OUTPUT: c_int = 0x2;
pub const CONTROL: c_int = 0x4;
pub const AUDIO: c_int = 0x8;

pub const BELOW: c_int = 0x1;
pub const ABOVE: c_int = 0x2;
pub const TOGGLED: c_int = 0x4;
pub const INTEGER: c_int = 0x20;
pub const DEFAULT_0: c_int = 0x200;
pub const DEFAULT_1: c_int = 0x240;
pub const DEFAULT_100: c_int = 0x280;
