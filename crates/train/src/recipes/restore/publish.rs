//! What publishing a restorer asks for.

use std::collections::BTreeMap;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData, activation};
use latentd::media::MediaKind;
use latentd::model::{Card, Dim, Golden, Model, Port, Size, Task, measure_context, picture_side};

use super::{Damage, Restore, Restorer};
use crate::data::{depth_to_space, space_to_depth};
use crate::onnx::Graph;
use crate::publish::Publish;

/// Height and width of the golden input: unequal, so that mistaking one for the other shows.
const GOLDEN: [usize; 2] = [28, 36];

impl Publish for Restore {
    fn write(&self, network: &Restorer, graph: &mut Graph) {
        network.write(&self.shape, graph);
    }

    fn card(&self, graph: &Graph) -> Card {
        let (task, what, limit) = match self.shape.damage {
            Damage::Noise => (
                Task::Denoise,
                "Takes noise N(0.5, 0.5), clipped to 0..1, out of small pictures such as digits",
                "trained on one kind and strength of noise: it is not told how strong the noise is, and harms a clean picture",
            ),
            Damage::Halving => (
                Task::Upscale,
                "Makes small pictures such as digits twice as large on each side",
                "trained on pictures made small by the mean of 2x2 pixels",
            ),
        };
        let scale = graph.scale();
        Card {
            summary: Some(what.to_owned()),
            inputs: vec![port("image", self.shape.channels, 1)],
            outputs: vec![port("output", self.shape.channels, scale)],
            scale,
            receptive_field: graph.receptive_field(),
            multiple_of: graph.multiple_of(),
            size: Some(Size {
                parameters: graph.parameters(),
                multiply_adds_per_pixel: Some(graph.multiply_adds_per_pixel()),
            }),
            limits: vec![
                limit.to_owned(),
                "it knows only the kind of pictures that it was trained on: others come out in that kind's manner"
                    .to_owned(),
            ],
            ..Card::new(task, MediaKind::Image)
        }
    }

    fn golden(&self, network: &Restorer, card: &Card, device: &Device) -> Golden {
        let device = device.clone().inner();
        let channels = self.shape.channels;
        let [height, width] = GOLDEN.map(|side| side.next_multiple_of(card.multiple_of));
        let image: Vec<f32> = pattern(channels * height * width);
        let depth = 2 / card.scale;
        let input = if depth == 2 { space_to_depth(&image, channels, height, width, 2) } else { image.clone() };
        let shape = [1, self.shape.channels_in(), height / depth, width / depth];
        let output = network.forward(Tensor::from_data(TensorData::new(input, shape), &device));
        let output: Vec<f32> = activation::sigmoid(output).into_data().iter::<f32>().collect();
        let (high, wide) = (height * card.scale, width * card.scale);
        let output = depth_to_space(&output, channels, high, wide, 2);
        Golden(BTreeMap::from([
            ("image".to_owned(), (vec![1, channels, height, width], image)),
            ("output".to_owned(), (vec![1, channels, high, wide], output)),
        ]))
    }

    fn measure(&self, model: &Model, card: &mut Card) -> Result<()> {
        let side = picture_side(model);
        card.tile_context = Some(measure_context(model, &pattern(self.shape.channels * side * side), 0.0)?);
        Ok(())
    }
}

/// Waves of 0..1.
fn pattern(values: usize) -> Vec<f32> {
    (0..values).map(|i| 0.5 + 0.5 * (i as f32 * 0.37).sin() * (i as f32 * 0.011).cos()).collect()
}

/// A picture port, `scale` times the input's size.
fn port(name: &str, channels: usize, scale: usize) -> Port {
    let side = |axis: &str| Dim::Free(if scale == 1 { axis.to_owned() } else { format!("{scale}{axis}") });
    let shape = vec![Dim::Fixed(1), Dim::Fixed(channels), side("H"), side("W")];
    Port { name: name.to_owned(), role: None, shape, range: [0.0, 1.0] }
}
