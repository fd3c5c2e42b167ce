//! Operators on tensors of any shape: what dense and recurrent networks are made of.

use burn::module::Param;
use burn::tensor::Tensor;

use super::{Graph, Value};
use crate::onnx::proto::{self, Axis};

impl Graph {
    /// An input of any shape.
    pub fn input(&mut self, name: &str, shape: &[Axis]) -> Value {
        self.proto.input.push(proto::port(name, shape));
        Value { name: name.to_owned(), channels: 1, cell: 1.0, reach: 0.0 }
    }

    /// Makes `value` the output `name`, of this shape.
    pub fn output_shaped(&mut self, name: &str, value: &Value, shape: &[Axis]) {
        self.proto.output.push(proto::port(name, shape));
        self.rename_maker(name, value);
    }

    /// `x * weight + bias` for `x` `[N, values in]` and weights `[values in, values out]`.
    pub fn linear(&mut self, name: &str, x: &Value, weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>) -> Value {
        let (weight, weights) = self.parameter(&format!("{name}.weight"), weight);
        let (bias, _) = self.parameter(&format!("{name}.bias"), bias);
        self.multiply_adds += weights as f64 / (x.cell * x.cell);
        self.push("Gemm", name, &[&x.name, &weight, &bias], vec![], x.clone())
    }

    /// [`linear`](Self::linear) over the last axis of `x` `[..., values in]`, of any rank.
    pub fn linear_last(&mut self, name: &str, x: &Value, weight: &Param<Tensor<2>>, bias: &Param<Tensor<1>>) -> Value {
        let (weight, _) = self.parameter(&format!("{name}.weight"), weight);
        let (bias, _) = self.parameter(&format!("{name}.bias"), bias);
        let product = self.push("MatMul", &format!("{name}.product"), &[&x.name, &weight], vec![], x.clone());
        self.push("Add", name, &[&product.name, &bias], vec![], x.clone())
    }

    /// A trained tensor as a value, under the name of its path in the network.
    pub fn weight<const D: usize>(&mut self, name: &str, weight: &Param<Tensor<D>>) -> Value {
        let (name, _) = self.parameter(name, weight);
        Value { name, channels: 1, cell: 1.0, reach: 0.0 }
    }

    /// Fixed numbers that are not trained.
    pub fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        self.proto.initializer.push(proto::tensor(name, shape, values));
        Value { name: name.to_owned(), channels: 1, cell: 1.0, reach: 0.0 }
    }

    /// `a * b`, the product of matrices.
    pub fn matmul(&mut self, name: &str, a: &Value, b: &Value) -> Value {
        self.push("MatMul", name, &[&a.name, &b.name], vec![], a.clone())
    }

    /// `a * b`, value by value, with broadcasting.
    pub fn mul(&mut self, name: &str, a: &Value, b: &Value) -> Value {
        self.push("Mul", name, &[&a.name, &b.name], vec![], a.clone())
    }

    /// `1 / (1 + exp(-x))`
    pub fn sigmoid(&mut self, name: &str, x: &Value) -> Value {
        self.push("Sigmoid", name, &[&x.name], vec![], x.clone())
    }

    /// `tanh(x)`
    pub fn tanh(&mut self, name: &str, x: &Value) -> Value {
        self.push("Tanh", name, &[&x.name], vec![], x.clone())
    }

    /// `exp(x)`
    pub fn exp(&mut self, name: &str, x: &Value) -> Value {
        self.push("Exp", name, &[&x.name], vec![], x.clone())
    }

    /// `exp(x) / sum(exp(x))` over `axis`, which may be counted from the end (-1: the last).
    pub fn softmax(&mut self, name: &str, x: &Value, axis: i64) -> Value {
        self.push("Softmax", name, &[&x.name], vec![proto::int("axis", axis)], x.clone())
    }

    /// Tensors one after another along `axis`.
    ///
    /// # Panics
    /// When there is none.
    pub fn concat(&mut self, name: &str, values: &[&Value], axis: i64) -> Value {
        let inputs: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
        let value = Value { channels: values.iter().map(|value| value.channels).sum(), ..values[0].clone() };
        self.push("Concat", name, &inputs, vec![proto::int("axis", axis)], value)
    }

    /// The same values in another shape; -1 for the axis that takes what is left, 0 for one that stays as it is.
    pub fn reshape(&mut self, name: &str, x: &Value, shape: &[i64]) -> Value {
        let shape = self.integers(&format!("{name}.shape"), shape);
        self.push("Reshape", name, &[&x.name, &shape], vec![], x.clone())
    }

    /// `[N, C, S, S] -> [N, C S S]`: one value then stands for the whole picture.
    pub fn flatten(&mut self, name: &str, x: &Value, side: usize) -> Value {
        let value = Value { channels: 1, cell: x.cell * side as f64, ..x.clone() };
        self.push("Flatten", name, &[&x.name], vec![proto::int("axis", 1)], value)
    }

    /// The inverse of [`flatten`](Self::flatten): `[N, C S S] -> [N, C, S, S]`.
    pub fn unflatten(&mut self, name: &str, x: &Value, channels: usize, side: usize) -> Value {
        let shape = [0, channels as i64, side as i64, side as i64];
        let value = self.reshape(name, x, &shape);
        Value { channels, cell: x.cell / side as f64, ..value }
    }

    /// Axis `k` of the result is axis `order[k]` of `x`.
    pub fn transpose(&mut self, name: &str, x: &Value, order: &[usize]) -> Value {
        self.push("Transpose", name, &[&x.name], vec![proto::ints("perm", order)], x.clone())
    }

    /// The part `start..end` of one axis.
    pub fn slice(&mut self, name: &str, x: &Value, axis: i64, start: i64, end: i64) -> Value {
        let bounds = [("starts", start), ("ends", end), ("axes", axis)];
        let bounds = bounds.map(|(what, value)| self.integers(&format!("{name}.{what}"), &[value]));
        let inputs = [&x.name, &bounds[0], &bounds[1], &bounds[2]].map(String::as_str);
        self.push("Slice", name, &inputs, vec![], x.clone())
    }

    /// Zeros before and after the values, as many along each axis as told.
    pub fn pad(&mut self, name: &str, x: &Value, before: &[i64], after: &[i64]) -> Value {
        let pads = self.integers(&format!("{name}.pads"), &[before, after].concat());
        self.push("Pad", name, &[&x.name, &pads], vec![], x.clone())
    }

    /// `x^exponent`, value by value.
    pub fn pow(&mut self, name: &str, x: &Value, exponent: f32) -> Value {
        let exponent = self.constant(&format!("{name}.exponent"), &[1], &[exponent]);
        self.push("Pow", name, &[&x.name, &exponent.name], vec![], x.clone())
    }

    /// Values below `least` become `least`, those above `most` become `most`.
    pub fn clip(&mut self, name: &str, x: &Value, least: f32, most: f32) -> Value {
        let least = self.constant(&format!("{name}.least"), &[], &[least]);
        let most = self.constant(&format!("{name}.most"), &[], &[most]);
        self.push("Clip", name, &[&x.name, &least.name, &most.name], vec![], x.clone())
    }

    /// Convolution along rows of `[N, C, 1, W]` with bias, weights `[O, I, 1, kernel]`, and zeros before and after each row.
    pub fn conv_row(
        &mut self,
        name: &str,
        x: &Value,
        (weight, bias): (&Value, &Value),
        (kernel, stride): (usize, usize),
        [before, after]: [usize; 2],
    ) -> Value {
        let attributes = vec![
            proto::ints("kernel_shape", &[1, kernel]),
            proto::ints("strides", &[1, stride]),
            proto::ints("pads", &[0, before, 0, after]),
        ];
        self.push("Conv", name, &[&x.name, &weight.name, &bias.name], attributes, x.clone())
    }

    /// Fixed whole numbers that an operator takes as an input; returns their name.
    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.proto.initializer.push(proto::integers(name, values));
        name.to_owned()
    }
}
