//! What tests of sound share: speech and noise made by the test, small networks, files, and how alike two sounds are.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use latentd::crew::Crew;
use latentd::media::audio::{Block, decode};
use latentd::media::{Audio, Media};
use latentd::model::{Models, sha256_hex};
use latentd::pipeline::Pipeline;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    type_proto,
};

/// Numbers that look random and are the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// -1..1
    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

/// The formants of four vowels, in Hz.
pub const VOWELS: [[f64; 3]; 4] =
    [[700.0, 1220.0, 2600.0], [300.0, 2200.0, 3000.0], [320.0, 800.0, 2500.0], [500.0, 1700.0, 2500.0]];

/// What makes a voice of pulses: three resonances.
pub struct Throat {
    rate: f64,
    states: [[f64; 2]; 3],
}

impl Throat {
    pub fn new(rate: u32) -> Throat {
        Throat { rate: f64::from(rate), states: [[0.0; 2]; 3] }
    }

    /// The next sample of the voice.
    pub fn sample(&mut self, pulse: f64, formants: [f64; 3]) -> f64 {
        let mut value = 0.0;
        for (state, formant) in self.states.iter_mut().zip(formants) {
            let radius = 1.0 - 260.0 / self.rate;
            let turn = 2.0 * std::f64::consts::PI * formant / self.rate;
            let y = pulse + 2.0 * radius * turn.cos() * state[0] - radius * radius * state[1];
            (state[1], state[0]) = (state[0], y);
            value += y / (3.0 + formant / 500.0);
        }
        value
    }
}

/// Something like a voice: a pulse train whose pitch glides, through three formants that change with each syllable, and pauses between words.
pub fn speech(rate: u32, seconds: f64) -> Vec<f32> {
    let mut dice = Dice::new(7);
    let (mut phase, mut throat) = (0.0f64, Throat::new(rate));
    let frames = (f64::from(rate) * seconds) as usize;
    let syllable = f64::from(rate) * 0.22;
    (0..frames)
        .map(|n| {
            let number = (n as f64 / syllable) as usize;
            let within = (n as f64 / syllable).fract();
            let pause = number % 5 == 4;
            let envelope = if pause { 0.0 } else { (std::f64::consts::PI * within).sin().powf(0.6) };
            let pitch = 120.0 + 25.0 * (n as f64 / f64::from(rate) * 3.1).sin();
            phase += pitch / f64::from(rate);
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 } + 0.01 * f64::from(dice.next());
            phase = phase.fract();
            let formants = VOWELS[(number * 7 / 3) % VOWELS.len()];
            (throat.sample(pulse, formants) * envelope * 0.08) as f32
        })
        .collect()
}

/// Noise that falls by 3 dB an octave or so, of this root mean square.
pub fn noise(frames: usize, level: f32, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let mut slow = [0.0f32; 3];
    let raw: Vec<f32> = (0..frames)
        .map(|_| {
            let white = dice.next();
            for (state, pole) in slow.iter_mut().zip([0.99f32, 0.9, 0.5]) {
                *state = *state * pole + white * (1.0 - pole) * 2.0;
            }
            slow.iter().sum::<f32>() + white * 0.2
        })
        .collect();
    let rms = (raw.iter().map(|v| v * v).sum::<f32>() / frames.max(1) as f32).sqrt();
    raw.into_iter().map(|v| v * level / rms).collect()
}

pub fn rms(values: &[f32]) -> f32 {
    (values.iter().map(|v| v * v).sum::<f32>() / values.len().max(1) as f32).sqrt()
}

/// Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., "SDR - half-baked or well done?", 2019).
pub fn si_sdr(estimate: &[f32], reference: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let scale = product(estimate, reference) / product(reference, reference);
    let (mut target, mut rest) = (0.0, 0.0);
    for (e, r) in estimate.iter().zip(reference) {
        let part = scale * f64::from(*r);
        target += part * part;
        rest += (f64::from(*e) - part).powi(2);
    }
    10.0 * (target / rest).log10()
}

/// By how many frames `late` lags behind `early`, 0..most, by their correlation.
pub fn lag(early: &[f32], late: &[f32], most: usize) -> usize {
    let count = early.len().min(late.len() - most);
    let product =
        |by: usize| early[..count].iter().zip(&late[by..]).step_by(3).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    (0..most).max_by(|a, b| product(*a).total_cmp(&product(*b))).unwrap()
}

pub fn write_wav(path: &Path, rate: u32, planes: &[Vec<f32>], bits: u16, float: bool) {
    let sample_format = if float { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels: planes.len() as u16, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for n in 0..planes[0].len() {
        for plane in planes {
            if float {
                writer.write_sample(plane[n]).unwrap();
            } else {
                let full = 2f64.powi(i32::from(bits) - 1);
                writer.write_sample((f64::from(plane[n]) * full).round().clamp(-full, full - 1.0) as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
}

pub fn open(path: &Path) -> latentd::Result<Audio> {
    decode::read(fs::File::open(path).unwrap(), path, u64::MAX)
}

pub fn read(path: &Path) -> Block {
    open(path).unwrap().read_all().unwrap()
}

/// How a tiny network lies in its ONNX file.
#[derive(Clone, Copy)]
pub struct Tiny {
    pub rate: u32,
    pub window: usize,
    pub hop: usize,
    /// `[1, bins, 1, 2]` instead of `[1, 2, bins]`.
    pub pairs: bool,
    /// What the spectrum is multiplied with.
    pub gain: f32,
    /// Whether the gain falls by a thousandth with each frame, by a state that counts them.
    pub fades: bool,
}

pub const HALF: Tiny = Tiny { rate: 48_000, window: 960, hop: 480, pairs: false, gain: 0.5, fades: false };

/// A file of sound that the tests bring along.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)).unwrap()
}

/// The sound of a file of these bytes, written to `path`, or what is wrong with it.
pub fn decoded(path: &Path, bytes: &[u8]) -> latentd::Result<Block> {
    fs::write(path, bytes).unwrap();
    open(path)?.read_all()
}

/// Numbers that a network holds.
pub fn constants(name: &str, values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..Default::default()
    }
}

/// A number that a network holds.
pub fn constant(name: &str, value: f32) -> TensorProto {
    constants(name, &[value])
}

/// A step of a network, called what it gives.
pub fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: output.into(),
        input: inputs.iter().map(|s| (*s).to_owned()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// An input or output of a network: its name and shape.
pub type Port<'a> = (&'a str, &'a [usize]);

fn port(&(name, shape): &Port) -> ValueInfoProto {
    let dim = |n: &usize| Dimension { value: Some(dimension::Value::DimValue(*n as i64)), denotation: String::new() };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value, denotation: String::new() }),
        ..Default::default()
    }
}

/// Writes a model that multiplies the spectrum, and counts frames in a state on the way.
pub fn tiny_model(folder: &Path, tiny: Tiny) -> PathBuf {
    let bins = tiny.window / 2 + 1;
    let shape: Vec<usize> = if tiny.pairs { vec![1, bins, 1, 2] } else { vec![1, 2, bins] };
    let fade = if tiny.fades { -0.001 } else { 0.0 };
    let nodes = vec![
        node("Add", &["state_0", "one"], "next_state_0"),
        node("Mul", &["state_0", "fade"], "falls"),
        node("Add", &["falls", "gain"], "factor"),
        node("Mul", &["spectrum", "factor"], "output"),
    ];
    let held = vec![constant("one", 1.0), constant("fade", fade), constant("gain", tiny.gain)];
    let inputs: [Port; 2] = [("spectrum", &shape), ("state_0", &[1])];
    let outputs: [Port; 2] = [("output", &shape), ("next_state_0", &[1])];
    let audio = format!(
        "sample_rate: {}, window: {}, hop: {}, input: {{port: spectrum}}, output: {{port: output}}, \
         states: [{{input: state_0, output: next_state_0}}]",
        tiny.rate, tiny.window, tiny.hop
    );
    sound_model(folder, nodes, held, [&inputs, &outputs], &audio)
}

/// Writes a model of sound: a network of these steps and numbers, and a card with these lines in its section `audio`.
pub fn sound_model(
    folder: &Path,
    nodes: Vec<NodeProto>,
    held: Vec<TensorProto>,
    [inputs, outputs]: [&[Port]; 2],
    audio: &str,
) -> PathBuf {
    let graph = GraphProto {
        name: "tiny".into(),
        node: nodes,
        initializer: held,
        input: inputs.iter().map(port).collect(),
        output: outputs.iter().map(port).collect(),
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(graph),
        ..Default::default()
    };
    let onnx = model.encode_to_vec();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.onnx"), &onnx).unwrap();
    let listed = |ports: &[Port]| {
        let each = ports.iter().map(|(name, shape)| format!("{{name: {name}, shape: {shape:?}}}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let card = format!(
        "name: tiny\ntask: denoise\nmedia: audio\nsha256: {}\ninputs: [{}]\noutputs: [{}]\naudio: {{{audio}}}\n",
        sha256_hex(&onnx),
        listed(inputs),
        listed(outputs)
    );
    fs::write(folder.join("card.yaml"), card).unwrap();
    folder.to_path_buf()
}

/// A pipeline with these stages in a folder of its own.
pub fn pipeline(folder: &Path, stages: &str) -> Pipeline {
    let file = folder.join("pipeline.yaml");
    let text = format!(
        "name: test\nsource: {{folder: {{path: ./in}}}}\nstages: [{stages}]\nsink: {{folder: {{path: ./out}}}}\n"
    );
    fs::write(&file, text).unwrap();
    match Pipeline::load(&file, &Models::default().with_projects()) {
        Ok(pipeline) => pipeline,
        Err(e) => panic!("{}", latentd::Error::from(e)),
    }
}

/// The sound after the stages of a pipeline.
pub fn through(pipeline: &Pipeline, audio: Audio) -> latentd::Result<Audio> {
    let (crew, _calls) = Crew::new(0);
    match pipeline.process(vec![Media::Audio(audio)], &crew)?.pop() {
        Some(Media::Audio(audio)) => Ok(audio),
        other => panic!("{other:?}"),
    }
}
