//! The recurrence over the bands of spectra on burn's processor tensors, forward and backward.
//!
//! A clip is one piece of memory, `[channels, time, bands]`, and its sequences do not touch another clip's, so each clip
//! is one thread's from its first step to its last: no thread ever waits for another within a step, which is what costs
//! most where steps are small and the machine is shared. Products with the input are taken over [`STEPS`] steps at a
//! time, so that all in between stays in the second-level cache.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};
use latentd_conv::{Matrix, gemm, vectorise};
use rayon::prelude::*;

use super::math::{sigmoid, tanh};

/// Time steps whose products with the input are one.
const STEPS: usize = 16;

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
pub struct Trace {
    x: FlexTensor,
    input: FlexTensor,
    state: FlexTensor,
    /// All states, `[N, H, T, P]`.
    states: FlexTensor,
    /// For each clip and step `z`, `r`, `n` and the state's share of `n`: `[N, T, 4, H, P]`.
    gates: std::sync::Arc<Vec<f32>>,
}

/// Sizes of a layer and of what it is run over.
#[derive(Clone, Copy)]
struct Sizes {
    inputs: usize,
    units: usize,
    steps: usize,
    bands: usize,
}

/// All states `[N, H, T, P]` of a GRU over `x` `[N, I, T, P]`, which begins with zeros; `weights` are those of
/// [`GruWeights`](super::GruWeights), in its order.
pub fn forward(x: &FlexTensor, weights: [&FlexTensor; 4]) -> (FlexTensor, Trace) {
    let [clips, inputs, steps, bands] = x.shape().dims();
    let x = x.to_contiguous();
    let [input, input_bias, state, state_bias] = weights.map(FlexTensor::to_contiguous);
    let units = state.shape()[0];
    let sizes = Sizes { inputs, units, steps, bands };
    let mut states = vec![0f32; clips * units * steps * bands];
    let mut gates = vec![0f32; clips * steps * 4 * units * bands];
    let biases = (values(&input_bias), values(&state_bias));
    states
        .par_chunks_mut(units * steps * bands)
        .zip(gates.par_chunks_mut(steps * 4 * units * bands))
        .zip(values(&x).par_chunks(inputs * steps * bands))
        .for_each(|((states, gates), x)| clip(sizes, x, (values(&input), values(&state)), biases, states, gates));
    let states = tensor(states, [clips, units, steps, bands]);
    let trace = Trace { x, input, state, states: states.clone(), gates: std::sync::Arc::new(gates) };
    (states, trace)
}

/// One clip, forward.
fn clip(
    Sizes { inputs, units, steps, bands }: Sizes,
    x: &[f32],
    (input, state): (&[f32], &[f32]),
    (input_bias, state_bias): (&[f32], &[f32]),
    states: &mut [f32],
    gates: &mut [f32],
) {
    let size = units * bands;
    let plane = steps * bands;
    let mut of_x = vec![0f32; 3 * units * STEPS * bands];
    let mut of_h = vec![0f32; 3 * size];
    let mut h = vec![0f32; size];
    for first in (0..steps).step_by(STEPS) {
        let points = STEPS.min(steps - first) * bands;
        // [3H, points] = input^T [3H, I] * x [I, points]; a row-major result is a transposed column-major one.
        let lhs = Matrix { data: &x[first * bands..], rows: 1, columns: plane };
        let rhs = Matrix { data: input, rows: 3 * units, columns: 1 };
        gemm([points, 3 * units, inputs], (&mut of_x, STEPS * bands), false, lhs, rhs);
        for t in first..first + points / bands {
            let lhs = Matrix { data: &h, rows: 1, columns: bands };
            let rhs = Matrix { data: state, rows: 3 * units, columns: 1 };
            gemm([bands, 3 * units, units], (&mut of_h, bands), false, lhs, rhs);
            let at = (t - first) * bands;
            let gates = &mut gates[t * 4 * size..][..4 * size];
            vectorise!(step(units, bands, &of_x[at..], &of_h, (input_bias, state_bias), gates, &mut h));
            for (row, h) in states.chunks_exact_mut(plane).zip(h.chunks_exact(bands)) {
                row[t * bands..][..bands].copy_from_slice(h);
            }
        }
    }
}

/// One step of one clip; `of_x` has its rows `STEPS * bands` apart.
#[inline(always)]
fn step(
    units: usize,
    bands: usize,
    of_x: &[f32],
    of_h: &[f32],
    (input_bias, state_bias): (&[f32], &[f32]),
    gates: &mut [f32],
    h: &mut [f32],
) {
    let size = units * bands;
    let (z, rest) = gates.split_at_mut(size);
    let (r, rest) = rest.split_at_mut(size);
    let (n, share) = rest.split_at_mut(size);
    for unit in 0..units {
        let row = |gate: usize| &of_x[(gate * units + unit) * STEPS * bands..][..bands];
        let (xz, xr, xn) = (row(0), row(1), row(2));
        let row = |gate: usize| &of_h[(gate * units + unit) * bands..][..bands];
        let (hz, hr, hn) = (row(0), row(1), row(2));
        let bias = |gate: usize| input_bias[gate * units + unit] + state_bias[gate * units + unit];
        let (bz, br) = (bias(0), bias(1));
        let (bx, bh) = (input_bias[2 * units + unit], state_bias[2 * units + unit]);
        let own = unit * bands..(unit + 1) * bands;
        let (z, r, n, share) = (&mut z[own.clone()], &mut r[own.clone()], &mut n[own.clone()], &mut share[own.clone()]);
        let h = &mut h[own];
        for i in 0..bands {
            z[i] = sigmoid(xz[i] + hz[i] + bz);
            r[i] = sigmoid(xr[i] + hr[i] + br);
            share[i] = hn[i] + bh;
            n[i] = tanh(xn[i] + bx + r[i] * share[i]);
            h[i] = n[i] + z[i] * (h[i] - n[i]);
        }
    }
}

/// The gradients of the input `[N, I, T, P]` and of the four weights, from that of all states `[N, H, T, P]`.
pub fn backward(trace: &Trace, gradient: &FlexTensor) -> [FlexTensor; 5] {
    let [_, inputs, steps, bands] = trace.x.shape().dims();
    let units = trace.state.shape()[0];
    let sizes = Sizes { inputs, units, steps, bands };
    let gradient = gradient.to_contiguous();
    let weights = (values(&trace.input), values(&trace.state));
    let mut of_x = vec![0f32; trace.x.shape().num_elements()];
    let sums: Vec<[Vec<f32>; 4]> = of_x
        .par_chunks_mut(inputs * steps * bands)
        .zip(values(&gradient).par_chunks(units * steps * bands))
        .zip(values(&trace.states).par_chunks(units * steps * bands))
        .zip(values(&trace.x).par_chunks(inputs * steps * bands))
        .zip(trace.gates.par_chunks(steps * 4 * units * bands))
        .map(|((((of_x, gradient), states), x), gates)| clip_back(sizes, weights, (x, states, gates), gradient, of_x))
        .collect();
    // In the clips' order, so that the sum is the same whatever the threads did.
    let sum = |which: usize| {
        let mut total = vec![0f32; sums[0][which].len()];
        for clip in &sums {
            total.iter_mut().zip(&clip[which]).for_each(|(total, v)| *total += v);
        }
        total
    };
    [
        tensor(of_x, trace.x.shape()),
        tensor(sum(0), [inputs, 3 * units]),
        tensor(sum(1), [3 * units]),
        tensor(sum(2), [units, 3 * units]),
        tensor(sum(3), [3 * units]),
    ]
}

/// One clip, backward: fills the gradient of its input and returns its share of the gradients of the weights.
fn clip_back(
    Sizes { inputs, units, steps, bands }: Sizes,
    (input, state): (&[f32], &[f32]),
    (x, states, gates): (&[f32], &[f32], &[f32]),
    gradient: &[f32],
    of_x: &mut [f32],
) -> [Vec<f32>; 4] {
    let size = units * bands;
    let plane = steps * bands;
    let pitch = STEPS * bands;
    let mut sums =
        [vec![0f32; inputs * 3 * units], vec![0f32; 3 * units], vec![0f32; units * 3 * units], vec![0f32; 3 * units]];
    // Gradients of the gates' sums: of the input's share, of the state's share, both [3H, STEPS, P].
    let mut by_input = vec![0f32; 3 * units * pitch];
    let mut by_state = vec![0f32; 3 * units * pitch];
    let mut carried = vec![0f32; size];
    let mut before = vec![0f32; size];
    for first in (0..steps).step_by(STEPS).rev() {
        let count = STEPS.min(steps - first);
        for t in (first..first + count).rev() {
            if t == 0 {
                before.fill(0.0);
            } else {
                for (row, before) in states.chunks_exact(plane).zip(before.chunks_exact_mut(bands)) {
                    before.copy_from_slice(&row[(t - 1) * bands..][..bands]);
                }
            }
            let at = (t - first) * bands;
            let own = (&gradient[t * bands..], plane);
            let (by_input, by_state) = (&mut by_input[at..], &mut by_state[at..]);
            let gates = &gates[t * 4 * size..][..4 * size];
            vectorise!(step_back(units, bands, own, gates, &before, &mut carried, by_input, by_state));
            // carried [H, P] += state [H, 3H] * by_state [3H, P]
            let lhs = Matrix { data: by_state, rows: 1, columns: pitch };
            let rhs = Matrix { data: state, rows: 1, columns: 3 * units };
            gemm([bands, units, 3 * units], (&mut carried, bands), true, lhs, rhs);
        }
        let points = count * bands;
        // of_x [I, points] = input [I, 3H] * by_input [3H, points]
        let lhs = Matrix { data: &by_input, rows: 1, columns: pitch };
        let rhs = Matrix { data: input, rows: 1, columns: 3 * units };
        gemm([points, inputs, 3 * units], (&mut of_x[first * bands..], plane), false, lhs, rhs);
        // input's [I, 3H] += x [I, points] * by_input^T [points, 3H]
        let lhs = Matrix { data: &by_input, rows: pitch, columns: 1 };
        let rhs = Matrix { data: &x[first * bands..], rows: 1, columns: plane };
        gemm([3 * units, inputs, points], (&mut sums[0], 3 * units), true, lhs, rhs);
        // state's [H, 3H] += states before [H, points] * by_state^T [points, 3H]; before the first they are zeros.
        let skipped = if first == 0 { bands } else { 0 };
        if points > skipped {
            let lhs = Matrix { data: &by_state[skipped..], rows: pitch, columns: 1 };
            let rhs = Matrix { data: &states[(first * bands + skipped) - bands..], rows: 1, columns: plane };
            gemm([3 * units, units, points - skipped], (&mut sums[2], 3 * units), true, lhs, rhs);
        }
        for (which, by) in [(1, &by_input), (3, &by_state)] {
            for (sum, row) in sums[which].iter_mut().zip(by.chunks_exact(pitch)) {
                *sum += row[..points].iter().sum::<f32>();
            }
        }
    }
    sums
}

/// One step of one clip, backward: turns `carried` from the gradient of the state after the step into the share of the
/// state before it that does not pass through the product.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "it is one loop, apart only to be compiled for wide vectors")]
fn step_back(
    units: usize,
    bands: usize,
    (gradient, plane): (&[f32], usize),
    gates: &[f32],
    before: &[f32],
    carried: &mut [f32],
    by_input: &mut [f32],
    by_state: &mut [f32],
) {
    let size = units * bands;
    let pitch = STEPS * bands;
    for unit in 0..units {
        let own = unit * bands..(unit + 1) * bands;
        let gate = |which: usize| &gates[which * size..][own.clone()];
        let (z, r, n, share) = (gate(0), gate(1), gate(2), gate(3));
        let (before, carried) = (&before[own.clone()], &mut carried[own.clone()]);
        let gradient = &gradient[unit * plane..][..bands];
        for i in 0..bands {
            let h = gradient[i] + carried[i];
            let of_z = h * (before[i] - n[i]) * z[i] * (1.0 - z[i]);
            let of_n = h * (1.0 - z[i]) * (1.0 - n[i] * n[i]);
            let of_r = of_n * share[i] * r[i] * (1.0 - r[i]);
            let (at_z, at_r, at_n) = (unit * pitch + i, (units + unit) * pitch + i, (2 * units + unit) * pitch + i);
            (by_input[at_z], by_input[at_r], by_input[at_n]) = (of_z, of_r, of_n);
            (by_state[at_z], by_state[at_r], by_state[at_n]) = (of_z, of_r, of_n * r[i]);
            carried[i] = h * z[i];
        }
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().expect("networks are of contiguous f32 tensors")
}
