//! The network as ONNX: three disjoint parts of one graph. Names of trained tensors are their paths in the network, by which
//! they are read back.

use super::network::{BEAT, Block, Conductor, Decoder, Encoder, SequenceVae, Shape};
use crate::layers::Linear;
use crate::onnx::{Axis, Graph, Value};

/// Writes `notes` `[N, steps, values]` to `z_mean` and `z_log_var` `[N, latent]`, and `latent` `[N, latent]` to `output`, the scores of each
/// step's values.
pub fn write(network: &SequenceVae, shape: &Shape, graph: &mut Graph) {
    let free = || Axis::Free("N".to_owned());
    let sequence = [free(), Axis::Fixed(shape.all_steps()), Axis::Fixed(shape.values())];
    let point = [free(), Axis::Fixed(shape.latent)];
    let notes = graph.input("notes", &sequence);
    let latent = graph.input("latent", &point);

    let single = shape.windows == 1;
    let windows = if single { notes } else { graph.reshape("windows", &notes, &sizes(&[shape.steps, shape.values()])) };
    let features = network.encoder.write(graph, shape, &windows);
    let (features, heads) = match &network.conductor {
        None => (features, ("encoder", &network.encoder.mean, &network.encoder.log_var)),
        Some(conductor) => {
            let means = network.encoder.mean.write(graph, "encoder.mean", &features);
            (conductor.write_gather(graph, shape, &means), ("conductor", &conductor.mean, &conductor.log_var))
        }
    };
    let (path, mean, log_var) = heads;
    let mean = mean.write(graph, &format!("{path}.mean"), &features);
    graph.output_shaped("z_mean", &mean, &point);
    let log_var = log_var.write(graph, &format!("{path}.log_var"), &features);
    graph.output_shaped("z_log_var", &log_var, &point);

    let windows = match &network.conductor {
        None => latent,
        Some(conductor) => conductor.write_spread(graph, shape, &latent),
    };
    let scores = network.decoder.write(graph, shape, &windows);
    let whole = graph.reshape("whole", &scores, &sizes(&[shape.all_steps(), shape.values()]));
    graph.output_shaped("output", &whole, &sequence);
}

impl Encoder {
    /// All beats of a window side by side, `[N, beats * beat width]`, before the two heads.
    fn write(&self, graph: &mut Graph, shape: &Shape, x: &Value) -> Value {
        let x = relu(graph, "encoder.embed", &self.embed, x);
        let x = self.near.write(graph, "encoder.near", &x, shape.steps);
        let x = graph.reshape("encoder.beats", &x, &sizes(&[shape.beats(), BEAT * shape.step_width]));
        let mut x = relu(graph, "encoder.gather", &self.gather, &x);
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.write(graph, &format!("encoder.blocks.{at}"), &x, shape.beats());
        }
        let x = graph.relu("encoder.blocks.relu", &x);
        graph.reshape("encoder.flat", &x, &sizes(&[shape.beats() * shape.beat_width]))
    }
}

impl Conductor {
    fn write_gather(&self, graph: &mut Graph, shape: &Shape, means: &Value) -> Value {
        let x = graph.reshape("conductor.windows", means, &sizes(&[shape.windows, shape.window_latent]));
        let x = linear(graph, "conductor.enter", &self.enter, &x);
        let x = self.up.write(graph, "conductor.up", &x, shape.windows);
        graph.reshape("conductor.flat", &x, &sizes(&[shape.windows * shape.conductor_width]))
    }

    fn write_spread(&self, graph: &mut Graph, shape: &Shape, z: &Value) -> Value {
        let x = self.open.write(graph, "conductor.open", z);
        let x = graph.reshape("conductor.opened", &x, &sizes(&[shape.windows, shape.conductor_width]));
        let x = self.down.write(graph, "conductor.down", &x, shape.windows);
        let x = linear(graph, "conductor.leave", &self.leave, &x);
        graph.reshape("conductor.left", &x, &sizes(&[shape.window_latent]))
    }
}

impl Decoder {
    fn write(&self, graph: &mut Graph, shape: &Shape, z: &Value) -> Value {
        let x = self.spread.write_relu(graph, "decoder.spread", z);
        let mut x = graph.reshape("decoder.beats", &x, &sizes(&[shape.beats(), shape.beat_width]));
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.write(graph, &format!("decoder.blocks.{at}"), &x, shape.beats());
        }
        let x = graph.relu("decoder.blocks.relu", &x);
        let x = relu(graph, "decoder.scatter", &self.scatter, &x);
        let x = graph.reshape("decoder.steps", &x, &sizes(&[shape.steps, shape.step_width]));
        let x = self.near.write(graph, "decoder.near", &x, shape.steps);
        let x = graph.relu("decoder.near.relu", &x);
        linear(graph, "decoder.output", &self.output, &x)
    }
}

impl Block {
    fn write(&self, graph: &mut Graph, name: &str, x: &Value, places: usize) -> Value {
        let first = format!("{name}.first");
        let wide = neighbours(graph, &first, x, places);
        let inner = relu(graph, &first, &self.first, &wide);
        let second = format!("{name}.second");
        let wide = neighbours(graph, &second, &inner, places);
        let change = linear(graph, &second, &self.second, &wide);
        graph.add(&format!("{name}.sum"), x, &change)
    }
}

/// Each of `places` places with the one before and the one after it, zeros beyond the ends.
fn neighbours(graph: &mut Graph, name: &str, x: &Value, places: usize) -> Value {
    let padded = graph.pad(&format!("{name}.padded"), x, &[0, 1, 0], &[0, 1, 0]);
    let places = places as i64;
    let parts: Vec<Value> =
        (0..3).map(|shift| graph.slice(&format!("{name}.shift{shift}"), &padded, 1, shift, shift + places)).collect();
    graph.concat(&format!("{name}.neighbours"), &parts.iter().collect::<Vec<_>>(), 2)
}

fn linear(graph: &mut Graph, name: &str, layer: &Linear, x: &Value) -> Value {
    graph.linear_last(name, x, &layer.weight, &layer.bias)
}

fn relu(graph: &mut Graph, name: &str, layer: &Linear, x: &Value) -> Value {
    let y = linear(graph, name, layer, x);
    graph.relu(&format!("{name}.relu"), &y)
}

/// A shape whose first axis takes what is left.
fn sizes(rest: &[usize]) -> Vec<i64> {
    std::iter::once(-1).chain(rest.iter().map(|&size| size as i64)).collect()
}
