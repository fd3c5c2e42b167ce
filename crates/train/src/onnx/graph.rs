mod general;

use burn::module::Param;
use burn::tensor::Tensor;
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto};

use super::proto::{self, Axis};

/// The operator set that the files ask for.
pub const OPSET: i64 = 17;

/// The version of the file format that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// An ONNX graph over pictures under construction. Beside the file it knows what a card must tell: how far an output
/// pixel sees, what sizes fit, how much there is to compute.
pub struct Graph {
    proto: GraphProto,
    multiply_adds: f64,
    parameters: u64,
    largest_cell: f64,
    scale: usize,
    receptive_field: usize,
}

/// A tensor in the graph.
#[derive(Clone, Debug)]
pub struct Value {
    name: String,
    channels: usize,
    /// Side of the square of input pixels that one point of this tensor stands for.
    cell: f64,
    /// How many input pixels beyond its own square a point depends on, to each side.
    reach: f64,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        let proto = GraphProto { name: name.to_owned(), ..Default::default() };
        Self { proto, multiply_adds: 0.0, parameters: 0, largest_cell: 1.0, scale: 1, receptive_field: 0 }
    }

    /// The picture: `[1, channels, H, W]`.
    pub fn picture(&mut self, name: &str, channels: usize) -> Value {
        let free = |axis: &str| Axis::Free(axis.to_owned());
        let shape = [Axis::Fixed(1), Axis::Fixed(channels), free("H"), free("W")];
        self.proto.input.push(proto::port(name, &shape));
        Value { name: name.to_owned(), channels, cell: 1.0, reach: 0.0 }
    }

    /// A number: `[1, 1, 1, 1]`.
    pub fn number(&mut self, name: &str) -> Value {
        self.proto.input.push(proto::port(name, &[Axis::Fixed(1), Axis::Fixed(1), Axis::Fixed(1), Axis::Fixed(1)]));
        Value { name: name.to_owned(), channels: 1, cell: 1.0, reach: 0.0 }
    }

    /// Makes `value` the output `name`, `[1, channels, scale * H, scale * W]`.
    pub fn output(&mut self, name: &str, value: &Value) {
        let scale = (1.0 / value.cell).round() as usize;
        self.scale = scale;
        self.receptive_field = self.receptive_field.max(value.reach.floor() as usize);
        let free = |axis: &str| Axis::Free(if scale == 1 { axis.to_owned() } else { format!("{scale}*{axis}") });
        let shape = [Axis::Fixed(1), Axis::Fixed(value.channels), free("H"), free("W")];
        self.proto.output.push(proto::port(name, &shape));
        self.rename_maker(name, value);
    }

    /// The node that makes an output carries the output's name.
    fn rename_maker(&mut self, name: &str, value: &Value) {
        let maker = self.proto.node.iter_mut().find(|node| node.output[0] == value.name);
        let maker = maker.expect("an output is made by a node");
        maker.output[0] = name.to_owned();
        maker.name = name.to_owned();
    }

    /// Convolution with bias, weights `[O, I, K, K]`.
    pub fn conv(
        &mut self,
        name: &str,
        x: &Value,
        weight: &Param<Tensor<4>>,
        bias: &Param<Tensor<1>>,
        stride: usize,
        padding: usize,
    ) -> Value {
        let [channels, _, kernel, _] = weight.val().dims();
        let (weight, weights) = self.parameter(&format!("{name}.weight"), weight);
        let (bias, _) = self.parameter(&format!("{name}.bias"), bias);
        let cell = x.cell * stride as f64;
        self.multiply_adds += weights as f64 / (cell * cell);
        let attributes = vec![
            proto::ints("kernel_shape", &[kernel; 2]),
            proto::ints("strides", &[stride; 2]),
            proto::ints("pads", &[padding; 4]),
        ];
        // A kernel as wide as its stride stays inside the new, larger square.
        let reach = x.reach + x.cell * (kernel - stride) as f64 / 2.0;
        self.push("Conv", name, &[&x.name, &weight, &bias], attributes, Value { channels, cell, reach, ..x.clone() })
    }

    /// Transposed convolution 2x2 of stride 2 with bias, weights `[I, O, 2, 2]`.
    pub fn conv_transpose2x2(
        &mut self,
        name: &str,
        x: &Value,
        weight: &Param<Tensor<4>>,
        bias: &Param<Tensor<1>>,
    ) -> Value {
        let channels = weight.val().dims()[1];
        let (weight, weights) = self.parameter(&format!("{name}.weight"), weight);
        let (bias, _) = self.parameter(&format!("{name}.bias"), bias);
        self.multiply_adds += weights as f64 / (x.cell * x.cell);
        let attributes = vec![proto::ints("kernel_shape", &[2, 2]), proto::ints("strides", &[2, 2])];
        let cell = x.cell / 2.0;
        let value = Value { channels, cell, reach: x.reach + cell, ..x.clone() };
        self.push("ConvTranspose", name, &[&x.name, &weight, &bias], attributes, value)
    }

    /// `max(x, 0)`
    pub fn relu(&mut self, name: &str, x: &Value) -> Value {
        self.push("Relu", name, &[&x.name], vec![], x.clone())
    }

    /// `a + b`, where `b` may be one value a channel.
    pub fn add(&mut self, name: &str, a: &Value, b: &Value) -> Value {
        let value = Value { reach: a.reach.max(b.reach), ..a.clone() };
        self.push("Add", name, &[&a.name, &b.name], vec![], value)
    }

    /// `a - b`
    pub fn sub(&mut self, name: &str, a: &Value, b: &Value) -> Value {
        let value = Value { reach: a.reach.max(b.reach), ..a.clone() };
        self.push("Sub", name, &[&a.name, &b.name], vec![], value)
    }

    /// A number times a weight `[1, C, 1, 1]`.
    pub fn scaled_channels(&mut self, name: &str, number: &Value, weight: &Param<Tensor<4>>) -> Value {
        let channels = weight.val().dims()[1];
        let (weight, _) = self.parameter(name, weight);
        let value = Value { channels, ..number.clone() };
        self.push("Mul", &format!("{name}.scaled"), &[&number.name, &weight], vec![], value)
    }

    /// The same channels `times` over.
    pub fn repeat_channels(&mut self, name: &str, x: &Value, times: usize) -> Value {
        let inputs = vec![x.name.as_str(); times];
        let value = Value { channels: x.channels * times, ..x.clone() };
        self.push("Concat", name, &inputs, vec![proto::int("axis", 1)], value)
    }

    /// Each square of `side` x `side` points becomes one point with all their channels.
    pub fn space_to_depth(&mut self, name: &str, x: &Value, side: usize) -> Value {
        let value = Value { channels: x.channels * side * side, cell: x.cell * side as f64, ..x.clone() };
        self.push("SpaceToDepth", name, &[&x.name], vec![proto::int("blocksize", side as i64)], value)
    }

    /// The inverse of [`space_to_depth`](Self::space_to_depth).
    pub fn depth_to_space(&mut self, name: &str, x: &Value, side: usize) -> Value {
        let cell = x.cell / side as f64;
        let value = Value { channels: x.channels / (side * side), cell, reach: x.reach + x.cell - cell, ..x.clone() };
        let attributes = vec![proto::int("blocksize", side as i64), proto::string("mode", "DCR")];
        self.push("DepthToSpace", name, &[&x.name], attributes, value)
    }

    /// Trained numbers.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Multiply-adds of the convolutions for each input pixel.
    pub fn multiply_adds_per_pixel(&self) -> u64 {
        self.multiply_adds.round() as u64
    }

    /// Height and width of the input must be multiples of this.
    pub fn multiple_of(&self) -> usize {
        self.largest_cell.round() as usize
    }

    /// How far an input pixel can be from an output pixel that depends on it, in input pixels along one side.
    pub fn receptive_field(&self) -> usize {
        self.receptive_field
    }

    /// Pixels of the output for each input pixel, along one side.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// The file's bytes. `metadata` is written into it as pairs of key and value.
    pub fn encode(&self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let pair = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.proto.clone()),
            metadata_props: metadata.iter().map(pair).collect(),
            ..Default::default()
        };
        model.encode_to_vec()
    }

    fn parameter<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<D>>) -> (String, usize) {
        let data = parameter.val().into_data();
        let values: Vec<f32> = data.iter::<f32>().collect();
        self.proto.initializer.push(proto::tensor(name, &parameter.val().dims(), &values));
        self.parameters += values.len() as u64;
        (name.to_owned(), values.len())
    }

    fn push(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<tract_onnx::pb::AttributeProto>,
        value: Value,
    ) -> Value {
        let node: NodeProto = proto::node(operator, name, inputs, attributes);
        self.proto.node.push(node);
        self.largest_cell = self.largest_cell.max(value.cell);
        Value { name: name.to_owned(), ..value }
    }
}
