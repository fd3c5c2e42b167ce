//! Publishing of networks that make a picture of a picture.

use std::collections::BTreeMap;

use anyhow::Result;
use burn::tensor::Device;
use latentd::media::MediaKind;
use latentd::model::{Card, Dim, Golden, Model, Port, Role, Size, measure_context, picture_side};

use super::Publish;
use crate::onnx::Graph;
use crate::recipes::{Frame, PhotoRecipe};

/// Sides of the golden input in pixels: unequal, so that mistaking one for the other shows.
const SIZE: [usize; 2] = [48, 64];

/// The noise level of the golden input, 0..1.
const SIGMA: f32 = 25.0 / 255.0;

/// The noise level at which the context of tiles is measured: the more noise, the farther a network looks.
const NOISIEST: f32 = 50.0 / 255.0;

impl<R: PhotoRecipe> Publish for R {
    fn write(&self, network: &R::Network, graph: &mut Graph) {
        let picture = PhotoRecipe::write(self, network, graph);
        graph.output("output", &picture);
    }

    fn card(&self, graph: &Graph) -> Card {
        let about = self.about();
        let mut inputs = vec![port("image", 1)];
        inputs.extend(about.conditions);
        Card {
            summary: Some(about.summary),
            inputs,
            outputs: vec![port("output", graph.scale())],
            scale: graph.scale(),
            receptive_field: graph.receptive_field(),
            multiple_of: graph.multiple_of(),
            size: Some(Size {
                parameters: graph.parameters(),
                multiply_adds_per_pixel: Some(graph.multiply_adds_per_pixel()),
            }),
            limits: about.limits,
            ..Card::new(about.task, MediaKind::Image)
        }
    }

    fn golden(&self, network: &R::Network, card: &Card, device: &Device) -> Golden {
        let [height, width] = SIZE.map(|side| side.next_multiple_of(card.multiple_of));
        let frame = Frame { planes: pattern(height, width), height, width };
        let output = self.infer(network, &frame, SIGMA, device);
        let mut tensors = BTreeMap::new();
        for port in &card.inputs {
            let tensor = match port.role() {
                Role::Image => (vec![1, 3, height, width], frame.planes.clone()),
                Role::Sigma => (vec![1, 1, 1, 1], vec![SIGMA]),
            };
            tensors.insert(port.name.clone(), tensor);
        }
        let shape = vec![1, 3, height * card.scale, width * card.scale];
        tensors.insert(card.outputs[0].name.clone(), (shape, output));
        Golden(tensors)
    }

    fn measure(&self, model: &Model, card: &mut Card) -> Result<()> {
        let side = picture_side(model);
        card.tile_context = Some(measure_context(model, &pattern(side, side), NOISIEST)?);
        Ok(())
    }
}

/// A picture port, `scale` times the input's size.
fn port(name: &str, scale: usize) -> Port {
    let side = |axis: &str| Dim::Free(if scale == 1 { axis.to_owned() } else { format!("{scale}{axis}") });
    Port {
        name: name.to_owned(),
        role: None,
        shape: vec![Dim::Fixed(1), Dim::Fixed(3), side("H"), side("W")],
        range: [0.0, 1.0],
    }
}

/// Waves, edges and grain of 0..1, the same every time: something of all that pictures have.
fn pattern(height: usize, width: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut grain = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut planes = Vec::with_capacity(3 * height * width);
    for c in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let wave = (x as f32 * 0.2 + c as f32).sin() * (y as f32 * 0.13).cos();
                let edge = if (x / 16 + y / 12) % 2 == 0 { 0.2 } else { -0.2 };
                planes.push((0.5 + 0.25 * wave + edge + 0.2 * grain()).clamp(0.0, 1.0));
            }
        }
    }
    planes
}
