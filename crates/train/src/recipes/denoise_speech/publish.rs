//! What is published of the network.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use latentd::media::MediaKind;
use latentd::model::{AudioCard, AudioPort, AudioState, Card, Dim, Form, Golden, Port, Size, Task};
use realfft::num_complex::Complex;

use super::graph::{LOW, OUTPUT, PAST_NAMES, SPECTRUM, state_names};
use super::zones::{BINS, HOP, KEPT, PAST, POSITIONS, WINDOW};
use super::{DenoiseSpeech, Network, host};
use crate::data::speech::{Clip, RATE};
use crate::onnx::Graph;
use crate::publish::Publish;

/// Frames before the golden one: its states are then not zeros.
const GOLDEN_FRAMES: usize = 40;

/// What a network gives, frame by frame, when it is run over a whole sound at once.
pub struct Trace {
    /// The spectra that it takes, a frame each, `[2, BINS]`.
    pub input: Vec<Vec<f32>>,
    /// The spectra that it gives, a frame each, `[2, BINS]`.
    pub output: Vec<Vec<f32>>,
    /// The states after each frame, in the order of the graph's outputs: `states[block][frame]` `[width, POSITIONS]`, then the
    /// frames before, `[2 PAST, LOW]`.
    pub states: Vec<Vec<Vec<f32>>>,
}

impl DenoiseSpeech {
    /// Runs the network over `samples`, `(T + 1) * HOP` of them.
    pub fn trace(&self, network: &Network, samples: &[f32], device: &Device) -> Trace {
        let device = device.clone().inner();
        let clip = Clip { noisy: samples.to_vec(), clean: samples.to_vec(), taught: None };
        let batch = self.gather(&[clip]);
        let (answers, states) = network.trace(batch.features.map(|zone| Tensor::from_data(zone, &device)));
        let answers = answers.map(host);
        let spectra = &batch.scenes[0].spectra;
        let mut cleaned = self.loss.layout.apply([&answers[0], &answers[1], &answers[2]], spectra);
        cleaned.iter_mut().zip(spectra).for_each(|(bin, noisy)| *bin = *bin * (1.0 - KEPT) + noisy * KEPT);
        let frames = |spectra: &[Complex<f32>]| spectra.chunks_exact(BINS).map(flat).collect();
        let states = states.into_iter().map(|states| {
            let [_, width, steps, positions] = states.dims();
            let values = host(states);
            let at = |t: usize| {
                (0..width).flat_map(|c| values[(c * steps + t) * positions..][..positions].to_vec()).collect()
            };
            (0..steps).map(at).collect()
        });
        let past = (0..spectra.len() / BINS).map(|t| {
            let frame = |back: usize| t.checked_sub(back).map(|t| &spectra[t * BINS..][..LOW]);
            (0..PAST).flat_map(|back| frame(back).map_or_else(|| vec![0.0; 2 * LOW], flat)).collect()
        });
        let states = states.chain(std::iter::once(past.collect()));
        Trace { input: frames(spectra), output: frames(&cleaned), states: states.collect() }
    }
}

/// Real parts, then imaginary parts.
fn flat(bins: &[Complex<f32>]) -> Vec<f32> {
    bins.iter().map(|bin| bin.re).chain(bins.iter().map(|bin| bin.im)).collect()
}

/// Tones, a hiss and a silence, the same every time.
pub fn pattern(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..samples)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let time = n as f32 / RATE as f32;
            let tone =
                (time * 1100.0).sin() + (time * 2300.0 + (time * 30.0).sin()).sin() + 0.3 * (time * 31_000.0).sin();
            let gate = if (n / 4800) % 3 == 2 { 0.0 } else { 1.0 };
            gate * (0.1 * tone + 0.05 * hiss)
        })
        .collect()
}

impl Publish for DenoiseSpeech {
    fn write(&self, network: &Network, graph: &mut Graph) {
        network.write(graph);
    }

    fn card(&self, graph: &Graph) -> Card {
        let fixed = |shape: &[usize]| shape.iter().map(|&n| Dim::Fixed(n)).collect::<Vec<_>>();
        let port = |name: &str, shape: &[usize]| Port {
            name: name.to_owned(),
            role: None,
            shape: fixed(shape),
            range: [-1.0, 1.0],
        };
        let blocks = self.shape.blocks;
        let names: Vec<[String; 2]> = (0..blocks).map(state_names).chain([PAST_NAMES.map(str::to_owned)]).collect();
        let ports = |spectrum: &str, which: usize| {
            let states = names.iter().enumerate().map(|(index, names)| {
                let shape = if index < blocks { [1, self.shape.width, POSITIONS] } else { [1, 2 * PAST, LOW] };
                port(&names[which], &shape)
            });
            std::iter::once(port(spectrum, &[1, 2, BINS])).chain(states).collect::<Vec<_>>()
        };
        let sound = |port: &str| AudioPort { port: port.to_owned(), form: Form::Spectrum };
        let states = names.iter().cloned().map(|[input, output]| AudioState { input, output });
        Card {
            summary: Some(
                "Takes everything but speech out of sound at 48 kHz, live, with 20 ms of delay; band-limited speech is as \
                 welcome as full-band"
                    .to_owned(),
            ),
            inputs: ports(SPECTRUM, 0),
            outputs: ports(OUTPUT, 1),
            size: Some(Size { parameters: graph.parameters(), multiply_adds_per_pixel: None }),
            audio: Some(AudioCard {
                sample_rate: RATE,
                window: WINDOW,
                hop: HOP,
                taper: latentd::media::audio::Taper::Sine,
                synthesis: None,
                overlap: latentd::media::audio::Overlap::default(),
                lookahead: 0,
                keeps: f64::from((KEPT * 1000.0).round()) / 1000.0,
                input: sound(SPECTRUM),
                output: sound(OUTPUT),
                states: states.collect(),
            }),
            limits: vec![
                "music and singing are noise to it, and so is anybody who talks in the background only sometimes: two voices \
                 at a like level are both kept"
                    .to_owned(),
                "in noise as loud as the voice or louder it takes parts of the voice away".to_owned(),
                "noise is made 30 dB quieter at most: that little of it hides what would sound artificial".to_owned(),
            ],
            ..Card::new(Task::Denoise, MediaKind::Audio)
        }
    }

    fn golden(&self, network: &Network, card: &Card, device: &Device) -> Golden {
        let trace = self.trace(network, &pattern((GOLDEN_FRAMES + 2) * HOP), device);
        let mut tensors = BTreeMap::new();
        for (ports, spectra, back) in [(&card.inputs, &trace.input, 1), (&card.outputs, &trace.output, 0)] {
            let states = trace.states.iter().map(|states| &states[GOLDEN_FRAMES - back]);
            for (port, values) in ports.iter().zip(std::iter::once(&spectra[GOLDEN_FRAMES]).chain(states)) {
                let shape = port.shape.iter().map(|dim| if let Dim::Fixed(n) = dim { *n } else { 1 }).collect();
                tensors.insert(port.name.clone(), (shape, values.clone()));
            }
        }
        Golden(tensors)
    }
}
