//! A host: it talks to the plugin as other people's programs do, by its C interface.
#![allow(dead_code, unsafe_code, missing_docs, clippy::unwrap_used)]

use std::f32::consts::TAU;
use std::ffi::{CStr, c_void};
use std::path::Path;

use latentd::config::Node;
use latentd::crew::Crew;
use latentd::media::audio::{Block, Depth, Memory};
use latentd::media::{Audio, Media};
use latentd::model::Models;
use latentd::stage::{Site, named, process};
use latentd_ladspa::plugin::ladspa_descriptor;

/// The controls, by port.
pub const ATTENUATION_LIMIT: usize = 0;
pub const STRENGTH: usize = 1;
pub const MODE: usize = 2;
pub const OFFLINE: usize = 3;
pub const LATENCY: usize = 4;
pub const LATE: usize = 5;
const CONTROLS: usize = 6;

/// An instance of the plugin with its ports connected.
pub struct Plugin {
    descriptor: &'static latentd_ladspa::abi::Descriptor,
    handle: *mut c_void,
    /// The values of the controls.
    pub controls: Box<[f32; CONTROLS]>,
    channels: usize,
}

impl Plugin {
    pub fn new(channels: usize, rate: u32) -> Plugin {
        let descriptor = unsafe { ladspa_descriptor(channels as u64 - 1).as_ref() }.unwrap();
        let handle = unsafe { descriptor.instantiate.unwrap()(descriptor, u64::from(rate)) };
        assert!(!handle.is_null());
        let mut controls = Box::new([100.0, 1.0, 0.0, 1.0, -1.0, -1.0]);
        for (port, value) in controls.iter_mut().enumerate() {
            unsafe { descriptor.connect_port.unwrap()(handle, port as u64, value) };
        }
        Plugin { descriptor, handle, controls, channels }
    }

    pub fn activate(&mut self) {
        unsafe { self.descriptor.activate.unwrap()(self.handle) };
    }

    pub fn deactivate(&mut self) {
        unsafe { self.descriptor.deactivate.unwrap()(self.handle) };
    }

    /// One block, in the host's own buffers, in place.
    pub fn block(&mut self, planes: &mut [&mut [f32]]) {
        let frames = planes[0].len();
        for (channel, plane) in planes.iter_mut().enumerate() {
            for port in [CONTROLS + channel, CONTROLS + self.channels + channel] {
                unsafe { self.descriptor.connect_port.unwrap()(self.handle, port as u64, plane.as_mut_ptr()) };
            }
        }
        unsafe { self.descriptor.run.unwrap()(self.handle, frames as u64) };
    }

    /// A whole sound in blocks of these sizes, again and again.
    pub fn run(&mut self, sound: &[Vec<f32>], sizes: &[usize]) -> Vec<Vec<f32>> {
        let mut result = sound.to_vec();
        let (mut from, mut sizes) = (0, sizes.iter().cycle());
        while from < result[0].len() {
            let to = result[0].len().min(from + sizes.next().unwrap());
            let mut planes: Vec<&mut [f32]> = result.iter_mut().map(|plane| &mut plane[from..to]).collect();
            self.block(&mut planes);
            from = to;
        }
        result
    }

    pub fn latency(&self) -> usize {
        self.controls[LATENCY] as usize
    }

    pub fn label(&self) -> &'static str {
        unsafe { CStr::from_ptr(self.descriptor.label) }.to_str().unwrap()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        unsafe { self.descriptor.cleanup.unwrap()(self.handle) };
    }
}

/// What the stage `denoise` makes of a sound as a file: what `latentd apply` does.
pub fn apply(rate: u32, sound: &[Vec<f32>], settings: &[(&str, f64)]) -> Vec<Vec<f32>> {
    let mut all = vec![("model", Node::from("denoise-speech"))];
    all.extend(settings.iter().map(|&(key, value)| (key, Node::from(value))));
    let stage = named("denoise", all, &Site { models: &Models::default(), folder: Path::new("") }).unwrap();
    let audio = Audio::new(Memory::new(rate, Block::from_planes(sound.to_vec())), Depth::Float);
    let mut done = process(&[stage], vec![Media::Audio(audio)], &Crew::alone()).unwrap();
    let Some(Media::Audio(audio)) = done.pop() else { panic!("not sound") };
    audio.read_all().unwrap().planes().to_vec()
}

/// A voice of tones that come and go in noise.
pub fn noisy(rate: u32, seconds: f64, channels: usize) -> Vec<Vec<f32>> {
    let frames = (f64::from(rate) * seconds) as usize;
    (0..channels)
        .map(|channel| {
            let mut state = 7 + channel as u32;
            (0..frames)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let hiss = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                    let t = n as f32 / rate as f32;
                    let voice: f32 = (1..9).map(|k| (TAU * 140.0 * k as f32 * t).sin() / k as f32).sum();
                    0.1 * voice * (TAU * 2.0 * t).sin().max(0.0) + 0.02 * hiss
                })
                .collect()
        })
        .collect()
}

/// The largest difference between `late` and `sound`, which is `by` frames earlier; before it there must be silence. Both must have as many
/// channels; what one is longer by does not count.
pub fn difference(sound: &[Vec<f32>], late: &[Vec<f32>], by: usize) -> f32 {
    assert_eq!(sound.len(), late.len(), "channels");
    assert!(late.iter().all(|plane| !plane.is_empty()), "no sound");
    let apart = |(sound, late): (&Vec<f32>, &Vec<f32>)| {
        let expected = std::iter::repeat_n(&0.0, by).chain(sound);
        late.iter().zip(expected).fold(0f32, |most, (a, b)| most.max((a - b).abs()))
    };
    sound.iter().zip(late).map(apart).fold(0.0, f32::max)
}
