use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Init;
use crate::onnx::{Graph, Value};
use crate::ops;
use crate::ops::gru::GruWeights;

/// A layer of gated recurrent units whose gates lie side by side, in ONNX's order: update, reset, new.
#[derive(Module, Debug)]
pub struct GruLayer {
    /// Input to gates, `[values in, 3 * units]`.
    pub input: Param<Tensor<2>>,
    /// Bias of the input's share, `[3 * units]`.
    pub input_bias: Param<Tensor<1>>,
    /// State to gates, `[units, 3 * units]`.
    pub state: Param<Tensor<2>>,
    /// Bias of the state's share, `[3 * units]`.
    pub state_bias: Param<Tensor<1>>,
}

impl GruLayer {
    /// Weights of the deviation `1 / sqrt(values in)` and `1 / sqrt(units)`.
    pub fn new(init: &mut Init, values_in: usize, units: usize) -> Self {
        Self {
            input: init.normal([values_in, 3 * units], 1.0 / (values_in as f64).sqrt()),
            input_bias: init.zeros([3 * units]),
            state: init.normal([units, 3 * units], 1.0 / (units as f64).sqrt()),
            state_bias: init.zeros([3 * units]),
        }
    }

    /// All states `[N, units, T, P]` over `x` `[N, values in, T, P]`: see [`ops::gru_bands`].
    pub fn forward_bands(&self, x: Tensor<4>) -> Tensor<4> {
        ops::gru_bands(x, self.weights())
    }

    /// The tensors as the operation takes them.
    pub fn weights(&self) -> GruWeights {
        GruWeights {
            input: self.input.val(),
            input_bias: self.input_bias.val(),
            state: self.state.val(),
            state_bias: self.state_bias.val(),
        }
    }

    /// Writes one step for `x` `[values in, P]` from the state `h` `[units, P]` into an ONNX graph; returns the next state. It
    /// is spelt out, since there is no operator of one step.
    pub fn write_step(&self, graph: &mut Graph, name: &str, x: &Value, h: &Value) -> Value {
        let units = self.state.lazy_shape()[0] as i64;
        let mut sums = |of: &str, x: &Value, weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>| {
            let path = format!("{name}.{of}");
            let weight = graph.weight(&path, weight);
            let weight = graph.transpose(&format!("{path}.transposed"), &weight, &[1, 0]);
            let bias = graph.weight(&format!("{path}_bias"), bias);
            let bias = graph.reshape(&format!("{path}_bias.column"), &bias, &[-1, 1]);
            let product = graph.matmul(&format!("{path}.product"), &weight, x);
            graph.add(&format!("{path}.sum"), &product, &bias)
        };
        let of_x = sums("input", x, &self.input, &self.input_bias);
        let of_h = sums("state", h, &self.state, &self.state_bias);
        // Both gates at once.
        let [gates_x, gates_h] = [("x", &of_x), ("h", &of_h)]
            .map(|(of, sum)| graph.slice(&format!("{name}.gates_of_{of}"), sum, 0, 0, 2 * units));
        let gates = graph.add(&format!("{name}.gates.sum"), &gates_x, &gates_h);
        let gates = graph.sigmoid(&format!("{name}.gates"), &gates);
        let z = graph.slice(&format!("{name}.z"), &gates, 0, 0, units);
        let r = graph.slice(&format!("{name}.r"), &gates, 0, units, 2 * units);
        let [new_x, new_h] = [("x", &of_x), ("h", &of_h)]
            .map(|(of, sum)| graph.slice(&format!("{name}.new_of_{of}"), sum, 0, 2 * units, 3 * units));
        let share = graph.mul(&format!("{name}.share"), &r, &new_h);
        let n = graph.add(&format!("{name}.n.sum"), &new_x, &share);
        let n = graph.tanh(&format!("{name}.n"), &n);
        let change = graph.sub(&format!("{name}.change"), h, &n);
        let kept = graph.mul(&format!("{name}.kept"), &z, &change);
        graph.add(&format!("{name}.next"), &n, &kept)
    }
}
