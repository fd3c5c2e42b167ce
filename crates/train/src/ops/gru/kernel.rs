//! The recurrence on burn's processor tensors, forward and backward.

use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;

use super::math::{sigmoid, tanh};

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The first state and all that followed but the last, `[T, N, H]`.
    before: FlexTensor,
    /// `z`, `r`, `n` and the state's share of `n`, side by side, `[T, N, 4H]`.
    gates: FlexTensor,
    /// The state's weights, `[H, 3H]`.
    weight: FlexTensor,
}

/// Gradients of the recurrence's inputs.
pub struct Gradients {
    /// Of the inputs' share of the gates, `[T, N, 3H]`.
    pub gates_of_x: FlexTensor,
    /// Of the first state, `[N, H]`.
    pub h: FlexTensor,
    /// Of the state's weights, `[H, 3H]`.
    pub weight: FlexTensor,
    /// Of the state's bias, `[3H]`.
    pub bias: FlexTensor,
}

/// See [`super::plain::recur`]; also what [`backward`] needs.
pub fn forward(gates_of_x: &FlexTensor, h: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> (FlexTensor, Trace) {
    let [steps, batch, _] = gates_of_x.shape().dims();
    let units = h.shape()[1];
    let [gates_of_x, h, bias] = [gates_of_x, h, bias].map(FlexTensor::to_contiguous);
    let bias = values(&bias);
    let size = batch * units;
    let mut before = vec![0f32; steps * size];
    let mut after = vec![0f32; steps * size];
    let mut gates = vec![0f32; steps * size * 4];
    for t in 0..steps {
        let previous = if t == 0 { values(&h) } else { &after[(t - 1) * size..t * size] };
        before[t * size..][..size].copy_from_slice(previous);
        let product = Flex::float_matmul(tensor(previous.to_vec(), [batch, units]), weight.clone());
        let rows = after[t * size..][..size].par_chunks_mut(units);
        rows.zip(gates[4 * t * size..][..4 * size].par_chunks_mut(4 * units))
            .zip(values(&product).par_chunks(3 * units))
            .zip(values(&gates_of_x)[3 * t * size..].par_chunks(3 * units))
            .zip(before[t * size..].par_chunks(units))
            .for_each(|((((h, gates), s), x), before)| step(x, s, bias, before, gates, h));
    }
    let states = tensor(after, [steps, batch, units]);
    let before = tensor(before, [steps, batch, units]);
    let trace = Trace { before, gates: tensor(gates, [steps, batch, 4 * units]), weight: weight.clone() };
    (states, trace)
}

/// One row of one time step.
fn step(x: &[f32], s: &[f32], bias: &[f32], before: &[f32], gates: &mut [f32], h: &mut [f32]) {
    let units = h.len();
    let ([xz, xr, xn], [sz, sr, sn], [bz, br, bn]) = (thirds(x), thirds(s), thirds(bias));
    let (z, rest) = gates.split_at_mut(units);
    let (r, rest) = rest.split_at_mut(units);
    let (n, share) = rest.split_at_mut(units);
    for i in 0..units {
        z[i] = sigmoid(xz[i] + sz[i] + bz[i]);
        r[i] = sigmoid(xr[i] + sr[i] + br[i]);
        share[i] = sn[i] + bn[i];
        n[i] = tanh(xn[i] + r[i] * share[i]);
        h[i] = n[i] + z[i] * (before[i] - n[i]);
    }
}

/// The gradients, from that of all states `[T, N, H]`.
pub fn backward(trace: &Trace, gradient: &FlexTensor) -> Gradients {
    let [steps, batch, units] = trace.before.shape().dims();
    let gradient = gradient.to_contiguous();
    let size = batch * units;
    let mut of_x = vec![0f32; steps * size * 3];
    let mut of_s = vec![0f32; steps * size * 3];
    // The gradient of the state that reaches a step from the one after it.
    let mut carried = vec![0f32; size];
    let transposed = trace.weight.transpose(0, 1);
    for t in (0..steps).rev() {
        let rows = of_x[3 * t * size..][..3 * size].par_chunks_mut(3 * units);
        rows.zip(of_s[3 * t * size..][..3 * size].par_chunks_mut(3 * units))
            .zip(carried.par_chunks_mut(units))
            .zip(values(&gradient)[t * size..].par_chunks(units))
            .zip(values(&trace.gates)[4 * t * size..].par_chunks(4 * units))
            .zip(values(&trace.before)[t * size..].par_chunks(units))
            .for_each(|(((((x, s), carried), from), gates), before)| step_back(from, gates, before, carried, x, s));
        let s = tensor(of_s[3 * t * size..][..3 * size].to_vec(), [batch, 3 * units]);
        let product = Flex::float_matmul(s, transposed.clone());
        carried.iter_mut().zip(values(&product)).for_each(|(c, p)| *c += p);
    }
    let mut bias = vec![0f32; 3 * units];
    for row in of_s.chunks(3 * units) {
        bias.iter_mut().zip(row).for_each(|(b, v)| *b += v);
    }
    // One product over all time steps.
    let states = trace.before.reshape(Shape::new([steps * batch, units])).transpose(0, 1);
    let weight = Flex::float_matmul(states, tensor(of_s, [steps * batch, 3 * units]));
    Gradients {
        gates_of_x: tensor(of_x, [steps, batch, 3 * units]),
        h: tensor(carried, [batch, units]),
        weight,
        bias: tensor(bias, [3 * units]),
    }
}

/// One row of one time step, backward: turns `carried` from the gradient of the state after the step into the share of
/// the state before it that does not pass through the product.
fn step_back(from: &[f32], gates: &[f32], before: &[f32], carried: &mut [f32], x: &mut [f32], s: &mut [f32]) {
    let units = carried.len();
    let (z, r, n, share) =
        (&gates[..units], &gates[units..2 * units], &gates[2 * units..3 * units], &gates[3 * units..]);
    let (xz, rest) = x.split_at_mut(units);
    let (xr, xn) = rest.split_at_mut(units);
    let (sz, rest) = s.split_at_mut(units);
    let (sr, sn) = rest.split_at_mut(units);
    for i in 0..units {
        let h = from[i] + carried[i];
        xz[i] = h * (before[i] - n[i]) * z[i] * (1.0 - z[i]);
        xn[i] = h * (1.0 - z[i]) * (1.0 - n[i] * n[i]);
        xr[i] = xn[i] * share[i] * r[i] * (1.0 - r[i]);
        (sz[i], sr[i], sn[i]) = (xz[i], xr[i], xn[i] * r[i]);
        carried[i] = h * z[i];
    }
}

fn thirds(values: &[f32]) -> [&[f32]; 3] {
    let (first, rest) = values.split_at(values.len() / 3);
    let (second, third) = rest.split_at(first.len());
    [first, second, third]
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().expect("networks are of contiguous f32 tensors")
}
