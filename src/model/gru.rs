//! The step of a GRU inside tract. Graphs of sound spell it out, for one frame at a time: two products, the gates, and the blend of the state before and
//! what is new. As one operation it is not two dozen passes over a few thousand values.
//!
//! `h' = n + z (h - n)` with `z, r = sigmoid(..)`, `n = tanh(W x + b + r (U h + c))`: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder"
//! (2014), the gate `r` behind the product, as in ONNX's `GRU` with `linear_before_reset`.

use std::cell::RefCell;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::StridedSlice;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::math::{Add, Mul, Sub};
use tract_onnx::tract_core::tract_linalg::Func;

use super::convolution::{Convolution, patch};

thread_local! {
    /// Both products, kept for the next frame.
    static PRODUCTS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// One step: the input and the state before, each `[size, points]`, make the state behind it. Rows of both products are `z`, `r` and `n`, a third each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gru {
    input: Convolution,
    state: Convolution,
    shape: TVec<usize>,
}

impl Op for Gru {
    fn name(&self) -> StaticName {
        "LatentdGru".into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for Gru {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (x, state) = (inputs[0].try_as_plain_ram()?, inputs[1].try_as_plain_ram()?);
        let (x, state) = (x.as_slice::<f32>()?, state.as_slice::<f32>()?);
        let mut next = Tensor::zero::<f32>(&self.shape)?;
        PRODUCTS.with_borrow_mut(|[of_input, of_state]| {
            of_input.resize(3 * state.len(), 0.0);
            of_state.resize(3 * state.len(), 0.0);
            self.input.run(x, None, of_input)?;
            self.state.run(state, None, of_state)?;
            let mut plain = next.try_as_plain_ram_mut()?;
            step([of_input, of_state], state, plain.as_slice_mut::<f32>()?)
        })?;
        Ok(tvec!(next.into_tvalue()))
    }
}

impl TypedOp for Gru {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.len() == 2);
        Ok(tvec!(f32::fact(&self.shape)))
    }

    as_op!();
}

/// The state behind both products, which are used up.
fn step([of_input, of_state]: [&mut [f32]; 2], state: &[f32], next: &mut [f32]) -> TractResult<()> {
    let (gates, new) = of_input.split_at_mut(2 * state.len());
    let (more, reset) = of_state.split_at(2 * state.len());
    for (gate, more) in gates.iter_mut().zip(more) {
        *gate += more;
    }
    Func::Sigmoid.ew_f32()?.run(gates)?;
    let (keep, let_through) = gates.split_at(state.len());
    for ((new, share), reset) in new.iter_mut().zip(let_through).zip(reset) {
        *new += share * reset;
    }
    Func::Tanh.ew_f32()?.run(new)?;
    for (((next, new), keep), state) in next.iter_mut().zip(&*new).zip(keep).zip(state) {
        *next = new + keep * (state - new);
    }
    Ok(())
}

/// Puts [`Gru`] in place of every step that `model`, with its products already latentd-conv's, spells out.
pub(super) fn replace(model: &mut TypedModel) -> TractResult<()> {
    for node in model.eval_order()? {
        if let Some((op, inputs)) = found(model, node.into()) {
            patch(model, node, op, &inputs)?;
        }
    }
    model.compact()
}

/// The step that ends in `end`, with the outlets of its input and its state.
fn found(model: &TypedModel, end: OutletId) -> Option<(Gru, [OutletId; 2])> {
    turns(binary::<Add>(model, end)?).into_iter().find_map(|[new, kept]| {
        let sum = unary(model, new, "Tanh")?;
        turns(binary::<Mul>(model, kept)?).into_iter().find_map(|[keep, change]| {
            let [state, subtracted] = binary::<Sub>(model, change)?;
            (subtracted == new).then_some(())?;
            gates(model, [keep, sum, state])
        })
    })
}

/// Follows the gate `z`, what `tanh` is taken of, and the state, up to both products.
fn gates(model: &TypedModel, [keep, sum, state]: [OutletId; 3]) -> Option<(Gru, [OutletId; 2])> {
    let (gates, keep) = rows(model, keep)?;
    turns(binary::<Add>(model, sum)?).into_iter().find_map(|[of_x, share]| {
        let (of_x, new_of_x) = rows(model, of_x)?;
        let (input, x) = product(model, of_x)?;
        turns(binary::<Mul>(model, share)?).into_iter().find_map(|[reset, of_h]| {
            let (of_h, new_of_h) = rows(model, of_h)?;
            let (hidden, h) = product(model, of_h)?;
            let (same, reset) = rows(model, reset)?;
            let added = turns(binary::<Add>(model, unary(model, gates, "Sigmoid")?)?);
            let &[rows_of_both, points] = &input.output[..] else { return None };
            let size = rows_of_both / 3;
            let shape = tvec![size, points];
            let both = Some((of_x, [0, 2 * size]));
            let fits = same == gates
                && h == state
                && rows_of_both == 3 * size
                && input.output == hidden.output
                && (keep, reset) == ([0, size], [size, 2 * size])
                && [new_of_x, new_of_h] == [[2 * size, 3 * size]; 2]
                && added.iter().any(|[a, b]| rows(model, *a) == both && rows(model, *b) == Some((of_h, [0, 2 * size])))
                && model.outlet_fact(state).ok()?.shape.as_concrete() == Some(&shape);
            fits.then(|| (Gru { input: input.clone(), state: hidden.clone(), shape }, [x, h]))
        })
    })
}

/// A pair and its reverse: sums and products are written either way.
fn turns([a, b]: [OutletId; 2]) -> [[OutletId; 2]; 2] {
    [[a, b], [b, a]]
}

/// The operands, if the outlet is of that operation.
fn binary<O: BinMiniOp>(model: &TypedModel, outlet: OutletId) -> Option<[OutletId; 2]> {
    let node = model.node(outlet.node);
    node.op_as::<TypedBinOp>().filter(|op| op.0.is::<O>())?;
    node.inputs[..].try_into().ok()
}

/// The operand, if the outlet is of the operation of that name.
fn unary(model: &TypedModel, outlet: OutletId, name: &str) -> Option<OutletId> {
    let node = model.node(outlet.node);
    (node.op().name() == name).then(|| node.inputs.first().copied())?
}

/// The outlet whose rows are taken, and from which to which, if the outlet is a slice of rows.
fn rows(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, [usize; 2])> {
    let node = model.node(outlet.node);
    let slice = node.op_as::<StridedSlice>()?;
    let plain =
        (slice.begin_mask, slice.end_mask, slice.shrink_axis_mask, slice.optional_steps_input) == (0, 0, 0, None);
    let one = |input: usize| {
        let value = model.outlet_fact(*node.inputs.get(input)?).ok()?.konst.as_ref()?;
        usize::try_from((value.len() == 1).then(|| value.cast_to_scalar::<i64>().ok())??).ok()
    };
    (plain && one(slice.optional_axes_input?)? == 0).then_some(())?;
    Some((node.inputs[0], [one(1)?, one(2)?]))
}

/// The product with a constant matrix that the outlet is of, and what is multiplied.
fn product(model: &TypedModel, outlet: OutletId) -> Option<(&Convolution, OutletId)> {
    let node = model.node(outlet.node);
    let op = node.op_as::<Convolution>().filter(|op| op.linear())?;
    Some((op, *node.inputs.first()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use tract_onnx::prelude::InferenceModelExt;

    use super::*;
    use crate::model::{Kernel, Model, Session, convolution};

    fn shipped() -> Model {
        Model::from_path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/denoise-speech")).unwrap()
    }

    #[test]
    fn every_step_of_the_shipped_model_is_found() {
        let mut graph = shipped().graph().clone().into_typed().unwrap();
        convolution::products(&mut graph).unwrap();
        replace(&mut graph).unwrap();
        let count = |name: &str| graph.nodes.iter().filter(|node| node.op().name() == name).count();
        // Both products of each are in it, and none of its gates is left; one product more adds up what the filter over time makes of four frames.
        assert_eq!(["LatentdGru", "LatentdConvolution", "Sigmoid", "Tanh"].map(count), [3, 1, 0, 0]);
    }

    #[test]
    fn a_step_is_what_tract_makes_of_its_parts() {
        let model = shipped();
        let ports = &model.card.inputs;
        let shapes: Vec<Vec<usize>> = ports.iter().map(crate::model::card::audio::port_shape).collect();
        let inputs: Vec<(&str, &[usize])> =
            ports.iter().zip(&shapes).map(|(port, shape)| (port.name.as_str(), &shape[..])).collect();
        let outputs: Vec<&str> = model.card.outputs.iter().map(|port| port.name.as_str()).collect();
        let value = |k: usize| ((k * 7919 % 2003) as f32 / 1001.0 - 1.0) * 0.9;
        let values: Vec<Vec<f32>> =
            shapes.iter().map(|shape| (0..shape.iter().product()).map(value).collect()).collect();
        let feeds: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let by = |kernel| Session::by(&model, &inputs, &outputs, kernel).unwrap().run(&feeds).unwrap();
        for (ours, theirs) in by(Kernel::Winograd).iter().zip(&by(Kernel::Tract)) {
            let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{worst}");
        }
    }
}
