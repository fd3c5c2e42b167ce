//! The section `audio:` of a card: how a stream of samples becomes what the network takes, frame by frame, and back. It is rich enough for
//! the streaming models that others have published; docs/sound.md tells how to write one.

use serde::{Deserialize, Serialize};

use super::{Dim, Port};
use crate::media::audio::{Overlap, RATES, Taper};

/// States that a model may have.
pub const MOST_STATES: usize = 63;

/// How to run a network that takes one frame of sound and gives one, with every state an input and an output of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioCard {
    /// Frames a second that it was trained on. Other sound is resampled on the way in and out.
    pub sample_rate: u32,
    /// Samples of a frame.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The weights of a frame before the network.
    #[serde(default)]
    pub taper: Taper,
    /// The weights behind it, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<Taper>,
    /// How frames become samples again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Frames that the output lags behind the input within the network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lookahead: usize,
    /// The share of the sound as it was, 0..1, that the network leaves in what it gives.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keeps: f64,
    /// What the network takes.
    pub input: AudioPort,
    /// What it gives.
    pub output: AudioPort,
    /// What it carries from frame to frame; all zero at the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<AudioState>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An input or output of the graph that carries sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioPort {
    /// Its name.
    pub port: String,
    /// What it carries.
    #[serde(default)]
    pub form: Form,
}

/// What a frame is to the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Real and imaginary parts of `window / 2 + 1` bins, on an axis of 2.
    #[default]
    Spectrum,
    /// Absolute values of the bins; an input only.
    Magnitude,
    /// A factor for each bin of the input's spectrum; an output only.
    Gain,
    /// The samples of the frame.
    Waveform,
}

/// A state: what comes out here goes in there with the next frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioState {
    /// Name of the input.
    pub input: String,
    /// Name of the output.
    pub output: String,
}

/// Where in a tensor a frame's values lie: `value(k, part)` is at `k * step + part * part_step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// From one bin or sample to the next.
    pub step: usize,
    /// From the real to the imaginary part.
    pub part_step: usize,
    /// Values in all.
    pub size: usize,
}

impl AudioCard {
    /// Samples that what comes out lags behind what went in, in the stream.
    pub fn delay(&self) -> usize {
        self.window - self.hop + self.lookahead * self.hop
    }

    /// Samples that a sample waits at least before it can be heard, the wait for a whole frame included: the algorithmic latency.
    pub fn latency(&self) -> usize {
        self.window + self.lookahead * self.hop
    }

    /// Values of a frame, by form.
    fn length(&self, form: Form) -> usize {
        if form == Form::Waveform { self.window } else { self.window / 2 + 1 }
    }

    /// Where the values of a frame lie in `port`; nothing if its shape cannot hold one.
    pub fn layout(&self, port: &Port, form: Form) -> Option<Layout> {
        let shape = port_shape(port);
        let length = self.length(form);
        let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let long = shape.iter().position(|&n| n == length)?;
        let parts = match form {
            Form::Spectrum => Some(shape.iter().enumerate().position(|(axis, &n)| n == 2 && axis != long)?),
            _ => None,
        };
        let rest = shape.iter().enumerate().all(|(axis, &n)| axis == long || Some(axis) == parts || n == 1);
        let layout = Layout { step: stride(long), part_step: parts.map_or(0, stride), size: shape.iter().product() };
        rest.then_some(layout)
    }

    /// What is wrong with the section, as the end of "the card ...".
    pub(super) fn check(&self, inputs: &[Port], outputs: &[Port]) -> Option<String> {
        if !RATES.contains(&self.sample_rate) {
            return Some("has a sample_rate outside 1000..768000".into());
        }
        if !(1..=65_536).contains(&self.window) || !(1..=self.window).contains(&self.hop) || self.lookahead > 1000 {
            return Some("has a window outside 1..65536, a hop outside 1..window or a lookahead above 1000".into());
        }
        if !(0.0..1.0).contains(&self.keeps) {
            return Some("has a `keeps` outside 0..1".into());
        }
        if self.states.len() > MOST_STATES {
            return Some(format!("names more than {MOST_STATES} states"));
        }
        if matches!(self.input.form, Form::Gain) || matches!(self.output.form, Form::Magnitude) {
            return Some("takes a gain or gives a magnitude; a gain is an output, a magnitude an input".into());
        }
        if self.output.form == Form::Gain && self.input.form == Form::Waveform {
            return Some("gives a gain for a spectrum, but takes a waveform".into());
        }
        for (side, ports, sound) in [("input", inputs, &self.input), ("output", outputs, &self.output)] {
            let Some(port) = ports.iter().find(|p| p.name == sound.port) else {
                return Some(format!("names the audio {side} `{}`, but lists no such port", sound.port));
            };
            if self.layout(port, sound.form).is_none() {
                let parts =
                    if sound.form == Form::Spectrum { " and one of 2 for real and imaginary parts" } else { "" };
                let length = self.length(sound.form);
                return Some(format!(
                    "gives `{}` the shape {}, but a frame needs one axis of {length}{parts}, and 1 elsewhere",
                    sound.port,
                    port.shape_text()
                ));
            }
        }
        for state in &self.states {
            let find = |ports: &[Port], name: &str| ports.iter().find(|p| p.name == name).map(port_shape);
            match (find(inputs, &state.input), find(outputs, &state.output)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(_), Some(_)) => {
                    return Some(format!("gives `{}` and `{}` different shapes", state.input, state.output));
                }
                _ => {
                    return Some(format!(
                        "names the state `{}` -> `{}`, but lists no such ports",
                        state.input, state.output
                    ));
                }
            }
        }
        let known = |name: &str| name == self.input.port || self.states.iter().any(|s| s.input == name);
        let stray = inputs.iter().find(|p| !known(&p.name));
        stray.map(|p| format!("does not tell what the input `{}` is; name it in `audio: states:`", p.name))
    }
}

/// The shape of a port of which one frame at a time is taken: axes that are free are 1.
pub fn port_shape(port: &Port) -> Vec<usize> {
    port.shape.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(shape: &[usize]) -> Port {
        Port { name: "x".into(), role: None, shape: shape.iter().map(|&n| Dim::Fixed(n)).collect(), range: [0.0, 1.0] }
    }

    #[test]
    fn the_shape_tells_the_layout() {
        let card: AudioCard = serde_yaml::from_str(
            "{sample_rate: 16000, window: 512, hop: 256, input: {port: x}, output: {port: y, form: spectrum}}",
        )
        .unwrap();
        assert_eq!((card.delay(), card.latency(), card.taper), (256, 512, Taper::Sine));
        let planes = card.layout(&port(&[1, 2, 257]), Form::Spectrum).unwrap();
        assert_eq!((planes.step, planes.part_step, planes.size), (1, 257, 514));
        let pairs = card.layout(&port(&[1, 257, 1, 2]), Form::Spectrum).unwrap();
        assert_eq!((pairs.step, pairs.part_step, pairs.size), (2, 1, 514));
        assert!(card.layout(&port(&[1, 1, 512]), Form::Waveform).is_some());
        assert!(card.layout(&port(&[1, 3, 257]), Form::Spectrum).is_none());
        assert!(card.layout(&port(&[2, 257]), Form::Magnitude).is_none());
    }
}
