use std::collections::BTreeMap;

use burn::tensor::Device;
use latentd::model::{Card, Golden, Role};

use crate::recipes::{Frame, PhotoRecipe};

/// Sides of the golden input in pixels: unequal, so that mistaking one for the other shows.
const SIZE: [usize; 2] = [48, 64];

/// The noise level of the golden input, 0..1.
const SIGMA: f32 = 25.0 / 255.0;

/// A made-up picture and what burn makes of it, by the names of the card's ports.
pub fn make<R: PhotoRecipe>(recipe: &R, network: &R::Network, card: &Card, device: &Device) -> Golden {
    let [height, width] = SIZE.map(|side| side.next_multiple_of(card.multiple_of));
    let frame = Frame { planes: pattern(height, width), height, width };
    let output = recipe.infer(network, &frame, SIGMA, device);
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

/// Waves, edges and grain of 0..1, the same every time: something of all that pictures have.
pub(super) fn pattern(height: usize, width: usize) -> Vec<f32> {
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
