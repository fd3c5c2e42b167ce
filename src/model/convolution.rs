//! latentd-conv inside tract: a pass over the graph puts it in place of convolutions, and takes the bias, the residual sum and the ReLU
//! that follow one into its write-back. tract keeps the graph and every other operation.

use std::cell::RefCell;
use std::sync::Arc;

use latentd_conv::{Activation, Algorithm, Conv2d, Epilogue, Geometry, Prepared, Scratch, TransposedConv2d};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, PoolSpec};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::math::{Add, Max};
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::optim::Optimizer;

thread_local! {
    /// One for each thread that runs networks; it grows to what the largest layer needs and is used again.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::single());
}

/// A convolution, or a transposed one, with all that is fused into it.
#[derive(Debug, Clone)]
pub(super) struct Convolution {
    prepared: Arc<Prepared>,
    bias: Arc<[f32]>,
    pub(super) output: TVec<usize>,
    /// Whether a second input is added.
    residual: bool,
    relu: bool,
}

impl Convolution {
    /// Whether nothing but a bias is fused into it.
    pub(super) fn linear(&self) -> bool {
        !self.residual && !self.relu
    }

    /// Computes `output` of `input`, with `residual` added.
    pub(super) fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> TractResult<()> {
        let activation = if self.relu { Activation::Relu } else { Activation::Identity };
        let epilogue = Epilogue { bias: Some(&self.bias), residual, activation };
        SCRATCH.with_borrow_mut(|scratch| {
            self.prepared.run(input, output, &epilogue, scratch).map_err(|e| format_err!("{e}"))
        })
    }
}

impl PartialEq for Convolution {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prepared, &other.prepared) && (self.residual, self.relu) == (other.residual, other.relu)
    }
}

impl Eq for Convolution {}

impl Op for Convolution {
    fn name(&self) -> StaticName {
        "LatentdConvolution".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{:?}, residual: {}, relu: {}", self.prepared.algorithm(), self.residual, self.relu)])
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for Convolution {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut output = Tensor::zero::<f32>(&self.output)?;
        let input = inputs[0].try_as_plain_ram()?;
        let residual = if self.residual { Some(inputs[1].try_as_plain_ram()?) } else { None };
        let residual = residual.as_ref().map(|r| r.as_slice::<f32>()).transpose()?;
        self.run(input.as_slice::<f32>()?, residual, output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?)?;
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Convolution {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.len() == 1 + usize::from(self.residual));
        Ok(tvec!(f32::fact(&self.output)))
    }

    as_op!();
}

/// Puts latentd-conv in place of every convolution of `model` that it can compute; with `algorithm` where that can, else by its own choice.
pub(super) fn replace(model: &mut TypedModel, algorithm: Option<Algorithm>) -> TractResult<()> {
    for node in model.eval_order()? {
        if let Some((op, input)) = convolution(model, node, algorithm)? {
            patch(model, node, op, &[input])?;
        }
    }
    // First the sums, then the ReLUs behind them.
    fuse(model)?;
    fuse(model)?;
    model.compact()
}

/// Puts latentd-conv in place of every product of a constant matrix and one that is not, as the gates of a GRU are: a convolution by a kernel of 1x1.
pub(super) fn products(model: &mut TypedModel) -> TractResult<()> {
    Optimizer::prop_consts().optimize(model)?;
    for node in model.eval_order()? {
        if let Some((op, input)) = product(model, node)? {
            patch(model, node, op, &[input])?;
        }
    }
    fuse(model)?;
    model.compact()
}

/// Takes into each convolution what reads it, if that can be fused: one reader, which comes later in the order, so that all are met.
fn fuse(model: &mut TypedModel) -> TractResult<()> {
    for node in model.eval_order()? {
        if let Some((follower, op, inputs)) = fused(model, node)? {
            patch(model, follower, op, &inputs)?;
        }
    }
    Ok(())
}

/// The operation for a node that is such a product, and the outlet it reads.
fn product(model: &TypedModel, node: usize) -> TractResult<Option<(Convolution, OutletId)>> {
    let node = model.node(node);
    let Some(product) = node.op_as::<EinSum>().filter(|op| op.q_params.is_none()) else { return Ok(None) };
    let [weight, x] = node.inputs[..] else { return Ok(None) };
    let (Some(weight), Some(&[depth, points])) =
        (&model.outlet_fact(weight)?.konst, model.outlet_fact(x)?.shape.as_concrete())
    else {
        return Ok(None);
    };
    let (&[rows, columns], false) = (weight.shape(), model.outlet_fact(x)?.konst.is_some()) else { return Ok(None) };
    if weight.datum_type() != f32::datum_type() || columns != depth || product.axes != "mk,kn->mn".parse()? {
        return Ok(None);
    }
    let conv = Conv2d::new(Geometry::same(depth, rows, 1, [1, points]));
    let weight = weight.try_as_plain_ram()?;
    let weight = weight.as_slice::<f32>()?;
    let Ok(prepared) = conv.and_then(|c| c.prepare(weight, None)) else {
        return Ok(None);
    };
    let bias = vec![0.0; rows].into();
    let op =
        Convolution { prepared: Arc::new(prepared), bias, output: tvec![rows, points], residual: false, relu: false };
    Ok(Some((op, x)))
}

/// Puts `op`, which reads `inputs`, in place of a node.
pub(super) fn patch(
    model: &mut TypedModel,
    replaced: usize,
    op: impl Into<Box<dyn TypedOp>>,
    inputs: &[OutletId],
) -> TractResult<()> {
    let mut patch = TypedModelPatch::default();
    let taps = inputs.iter().map(|i| patch.tap_model(model, *i)).collect::<TractResult<TVec<_>>>()?;
    let name = format!("{}.latentd", model.node(replaced).name);
    let wires = patch.wire_node(name, op, &taps)?;
    patch.shunt_outside(model, replaced.into(), wires[0])?;
    patch.apply(model)
}

/// The operation for a node that is a convolution of f32 pictures with constant weights, and the outlet it reads.
fn convolution(
    model: &TypedModel,
    node: usize,
    algorithm: Option<Algorithm>,
) -> TractResult<Option<(Convolution, OutletId)>> {
    let node = model.node(node);
    let (spec, format, group, adjustments) = if let Some(conv) = node.op_as::<Conv>() {
        if conv.q_params.is_some() {
            return Ok(None);
        }
        (&conv.pool_spec, conv.kernel_fmt, conv.group, None)
    } else if let Some(deconv) = node.op_as::<Deconv>() {
        (&deconv.pool_spec, deconv.kernel_format, deconv.group, Some(&deconv.adjustments))
    } else {
        return Ok(None);
    };
    let [x, weight, bias] = node.inputs[..] else { return Ok(None) };
    let input = model.outlet_fact(x)?;
    let (Some(shape), Some(weight), Some(bias)) =
        (input.shape.as_concrete(), &model.outlet_fact(weight)?.konst, &model.outlet_fact(bias)?.konst)
    else {
        return Ok(None);
    };
    if input.datum_type != f32::datum_type() || shape.len() != 4 || spec.data_format != DataFormat::NCHW {
        return Ok(None);
    }
    let depthwise = group > 1 && group == spec.input_channels && group == spec.output_channels;
    if (group != 1 && (!depthwise || adjustments.is_some())) || format != KernelFormat::OIHW {
        return Ok(None);
    }
    let output = if adjustments.is_none() {
        spec.output_shape(shape)?.shape
    } else {
        node.outputs[0].fact.shape.as_concrete().unwrap_or(&[]).into()
    };
    let geometry = geometry(spec, shape, depthwise, adjustments.is_some());
    let weight = weight.try_as_plain_ram()?;
    let weight = weight.as_slice::<f32>()?;
    let prepared = match adjustments {
        None => Conv2d::new(geometry).and_then(|c| c.prepare(weight, algorithm).or_else(|_| c.prepare(weight, None))),
        Some(a) => {
            let weight = swap_channels(weight, spec.output_channels, spec.input_channels);
            TransposedConv2d::new(geometry, [a[0], a[1]]).and_then(|c| c.prepare(&weight, None))
        }
    };
    let Ok(prepared) = prepared else { return Ok(None) };
    if prepared.output_len() * shape[0] != output.iter().product::<usize>() {
        return Ok(None);
    }
    let bias = bias.try_as_plain_ram()?;
    let bias = bias.as_slice::<f32>()?;
    let bias: Arc<[f32]> = match bias.len() {
        1 => vec![bias[0]; spec.output_channels].into(),
        n if n == spec.output_channels => bias.into(),
        _ => return Ok(None),
    };
    Ok(Some((Convolution { prepared: Arc::new(prepared), bias, output, residual: false, relu: false }, x)))
}

/// tract keeps the weight of a transposed convolution as `[out, in, h, w]`; latentd-conv reads `[in, out, h, w]`, as ONNX has it.
fn swap_channels(weight: &[f32], outer: usize, inner: usize) -> Vec<f32> {
    let taps = weight.len() / (outer * inner).max(1);
    let block = |i: usize, o: usize| &weight[(o * inner + i) * taps..][..taps];
    (0..inner).flat_map(|i| (0..outer).flat_map(move |o| block(i, o))).copied().collect()
}

fn geometry(spec: &PoolSpec, shape: &[usize], depthwise: bool, transposed: bool) -> Geometry {
    let pads = if transposed {
        spec.padding
            .compute_for_deconv(&shape[2..], &spec.kernel_shape, &spec.dilations(), &spec.strides(), &tvec!(0, 0))
            .map(|p| p.iter().map(|p| [p.pad_before, p.pad_after]).collect::<TVec<_>>())
            .unwrap_or_default()
    } else {
        spec.computed_padding(&shape[2..]).iter().map(|p| [p.pad_before, p.pad_after]).collect()
    };
    Geometry {
        in_channels: spec.input_channels,
        out_channels: spec.output_channels,
        input: [shape[2], shape[3]],
        kernel: [spec.kernel_shape[0], spec.kernel_shape[1]],
        stride: [spec.stride(0), spec.stride(1)],
        padding: [pads[0], pads[1]],
        dilation: [spec.dilation(0), spec.dilation(1)],
        depthwise,
    }
}

/// If `node` is our convolution and its only reader is a ReLU, or a sum with something of the same shape: the reader, and the operation that
/// does both.
fn fused(model: &TypedModel, node: usize) -> TractResult<Option<(usize, Convolution, TVec<OutletId>)>> {
    let conv = model.node(node);
    let Some(op) = conv.op_as::<Convolution>().filter(|op| !op.relu) else { return Ok(None) };
    let [reader] = conv.outputs[0].successors[..] else { return Ok(None) };
    if model.output_outlets()?.contains(&OutletId::new(node, 0)) {
        return Ok(None);
    }
    let follower = model.node(reader.node);
    let Some(binary) = follower.op_as::<TypedBinOp>() else { return Ok(None) };
    let other = follower.inputs[1 - reader.slot];
    let fact = model.outlet_fact(other)?;
    let mut inputs: TVec<OutletId> = conv.inputs.iter().copied().collect();
    if binary.0.is::<Max>() {
        let zero = fact.konst.as_ref().is_some_and(|k| k.len() == 1 && k.is_all_zero().unwrap_or(false));
        return Ok(zero.then(|| (reader.node, Convolution { relu: true, ..op.clone() }, inputs)));
    }
    if binary.0.is::<Add>()
        && let Some(bias) = &fact.konst
        && fact.shape.as_concrete() == Some(&[op.bias.len(), 1])
        && !op.residual
    {
        let bias = bias.try_as_plain_ram()?;
        let bias = op.bias.iter().zip(bias.as_slice::<f32>()?).map(|(own, more)| own + more).collect();
        return Ok(Some((reader.node, Convolution { bias, ..op.clone() }, inputs)));
    }
    let same = fact.konst.is_none() && fact.shape.as_concrete() == Some(&op.output);
    // The other summand must not depend on this sum; it cannot, since it is one of its inputs.
    if binary.0.is::<Add>() && same && !op.residual && other != OutletId::new(node, 0) {
        inputs.push(other);
        return Ok(Some((reader.node, Convolution { residual: true, ..op.clone() }, inputs)));
    }
    Ok(None)
}
