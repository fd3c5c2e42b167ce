//! The networks as ONNX. Names of trained tensors are their paths in the network, by which they are read back.

use super::network::{Autoencoder, Classifier, Decoder, Encoder, Shape};
use crate::layers::Linear;
use crate::onnx::{Axis, Graph, Value};

/// Writes encoder and decoder, and the classifier where there is one, as disjoint parts of one graph: `image` (and `class`)
/// to `z_mean` (and `z_log_var`), `latent` (and `class`) to `output`, `image` to `class_scores`. The discriminator has
/// done its work and stays behind.
pub fn write(network: &Autoencoder, shape: &Shape, graph: &mut Graph) {
    let row = |values: usize| [Axis::Fixed(1), Axis::Fixed(values)];
    let picture = [1, shape.channels, shape.side, shape.side].map(Axis::Fixed);
    let image = graph.input("image", &picture);
    let latent = graph.input("latent", &row(shape.latent));
    let class = (shape.told() > 0).then(|| graph.input("class", &row(shape.classes)));
    let squares = graph.space_to_depth("squares", &image, 2);

    let (mean, log_var) = network.encoder.write(graph, shape, &squares, class.as_ref());
    graph.output_shaped("z_mean", &mean, &row(shape.latent));
    if let Some(log_var) = log_var {
        graph.output_shaped("z_log_var", &log_var, &row(shape.latent));
    }
    let output = network.decoder.write(graph, shape, &latent, class.as_ref());
    graph.output_shaped("output", &output, &picture);
    if let Some(classifier) = &network.classifier {
        let scores = classifier.write(graph, shape, &squares);
        graph.output_shaped("class_scores", &scores, &row(shape.classes));
    }
}

impl Encoder {
    fn write(
        &self,
        graph: &mut Graph,
        shape: &Shape,
        squares: &Value,
        class: Option<&Value>,
    ) -> (Value, Option<Value>) {
        let mut x = self.head.write_relu(graph, "encoder.head", squares);
        for (at, level) in self.levels.iter().enumerate() {
            x = level.write(graph, &format!("encoder.levels.{at}"), &x);
        }
        let narrow = self.narrow.write_relu(graph, "encoder.narrow", &x);
        let flat = graph.flatten("encoder.flat", &narrow, shape.coarsest());
        let x = with_class(graph, "encoder.told", flat, class);
        let x = write_relu(graph, "encoder.dense", &self.dense, x);
        let mean = self.mean.write(graph, "encoder.mean", &x);
        (mean, self.log_var.as_ref().map(|layer| layer.write(graph, "encoder.log_var", &x)))
    }
}

impl Decoder {
    fn write(&self, graph: &mut Graph, shape: &Shape, latent: &Value, class: Option<&Value>) -> Value {
        let x = with_class(graph, "decoder.told", latent.clone(), class);
        let flat = write_relu(graph, "decoder.dense", &self.dense, x);
        let narrow = graph.unflatten("decoder.narrow", &flat, shape.narrow, shape.coarsest());
        let mut x = self.widen.write_relu(graph, "decoder.widen", &narrow);
        for (at, level) in self.levels.iter().enumerate() {
            x = level.write(graph, &format!("decoder.levels.{at}"), &x);
        }
        let squares = self.tail.write(graph, "decoder.tail", &x);
        let squares = graph.sigmoid("decoder.values", &squares);
        graph.depth_to_space("decoder.pixels", &squares, 2)
    }
}

impl Classifier {
    fn write(&self, graph: &mut Graph, shape: &Shape, squares: &Value) -> Value {
        let x = self.head.write_relu(graph, "classifier.head", squares);
        let x = self.shrink.write_relu(graph, "classifier.shrink", &x);
        let x = self.block.write(graph, "classifier.block", &x);
        let x = self.narrow.write_relu(graph, "classifier.narrow", &x);
        let mut x = graph.flatten("classifier.flat", &x, shape.side / 4);
        for (at, layer) in self.layers.iter().enumerate() {
            let name = format!("classifier.layers.{at}");
            x = if at + 1 < self.layers.len() {
                layer.write_relu(graph, &name, &x)
            } else {
                layer.write(graph, &name, &x)
            };
        }
        x
    }
}

fn with_class(graph: &mut Graph, name: &str, x: Value, class: Option<&Value>) -> Value {
    match class {
        Some(class) => graph.concat(name, &[&x, class], 1),
        None => x,
    }
}

fn write_relu(graph: &mut Graph, name: &str, layers: &[Linear], x: Value) -> Value {
    layers.iter().enumerate().fold(x, |x, (at, layer)| layer.write_relu(graph, &format!("{name}.{at}"), &x))
}
