//! Convolutions on LibTorch, with gradients by LibTorch's own automatic differentiation: burn would make a weight's
//! gradient by a convolution whose kernel is as large as the picture.
#![allow(deprecated, reason = "the only one of burn's GPU devices with cuDNN's convolutions")]

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::libtorch::TchTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;

use super::Sweep;

/// The convolution alone, whatever `sweep` says of a ReLU.
pub fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sweep: Sweep) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Kernels>::convolve(x, weight, bias, sweep))
}

/// See [`super::conv_transpose2x2`]: a convolution by kernels of one pixel, whose channels are then laid out as squares.
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [inputs, outputs, _, _] = weight.dims();
    let [examples, _, height, width] = x.dims();
    let weight = weight.permute([1, 2, 3, 0]).reshape([4 * outputs, inputs, 1, 1]);
    let bias = bias.reshape([outputs, 1]).expand([outputs, 4]).reshape([4 * outputs]);
    let squares = convolve(x, weight, bias, Sweep { stride: 1, padding: 0, relu: false });
    let squares = squares.reshape([examples, outputs, 2, 2, height, width]).permute([0, 1, 4, 2, 5, 3]);
    squares.reshape([examples, outputs, 2 * height, 2 * width])
}

#[backend_extension(LibTorch, Autodiff)]
trait Kernels: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self>;
}

fn run(x: &tch::Tensor, weight: &tch::Tensor, bias: &tch::Tensor, sweep: Sweep) -> tch::Tensor {
    let size = weight.size();
    let padding = sweep.paddings([size[2] as usize, size[3] as usize]).map(|zeros| zeros as i64);
    x.conv2d(weight, Some(bias), [sweep.stride as i64; 2], padding, [1; 2], 1)
}

impl Kernels for LibTorch {
    fn convolve(x: TchTensor, weight: TchTensor, bias: TchTensor, sweep: Sweep) -> TchTensor {
        TchTensor::new(run(&x.tensor, &weight.tensor, &bias.tensor, sweep))
    }
}

/// What the backward pass needs: the inputs as leaves of LibTorch's graph and the output on top of it. The inputs
/// themselves are kept as well, so that burn does not take their memory for results meanwhile.
#[derive(Clone, Debug)]
struct Recorded {
    leaves: [TchTensor; 3],
    output: TchTensor,
    _inputs: [TchTensor; 3],
}

impl<C: CheckpointStrategy> Kernels for Autodiff<LibTorch, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let inputs = [x, weight, bias].map(|tensor| tensor.into_primitive());
        match ConvolveBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let leaves = inputs.each_ref().map(|input| input.tensor.detach().set_requires_grad(true));
                let output = run(&leaves[0], &leaves[1], &leaves[2], sweep);
                let result = TchTensor::new(output.detach());
                let recorded =
                    Recorded { leaves: leaves.map(TchTensor::new), output: TchTensor::new(output), _inputs: inputs };
                prep.finish(recorded, result)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(TchTensor::new(run(&inputs[0].tensor, &inputs[1].tensor, &inputs[2].tensor, sweep)))
            }
        }
    }
}

#[derive(Debug)]
struct ConvolveBackward;

impl Backward<LibTorch, 3> for ConvolveBackward {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<LibTorch>(&ops.node);
        let Recorded { leaves, output, .. } = ops.state;
        // A sum that has this gradient.
        let sum = (&output.tensor * gradient.tensor).sum(output.tensor.kind());
        let wanted: Vec<_> =
            ops.parents.iter().zip(&leaves).filter_map(|(node, leaf)| node.as_ref().zip(Some(leaf))).collect();
        let leaves: Vec<&tch::Tensor> = wanted.iter().map(|(_, leaf)| &leaf.tensor).collect();
        let found = tch::Tensor::run_backward(&[sum], &leaves, false, false);
        for ((node, _), gradient) in wanted.into_iter().zip(found) {
            grads.register::<LibTorch>(node.id, TchTensor::new(gradient));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::super::{Sweep, conv_transpose2x2, conv2d};
    use crate::device::DeviceKind;

    /// A tensor of numbers all over -0.5..0.5.
    fn filled<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
        Tensor::from_data(TensorData::new::<f32, _>(values, shape), device).require_grad()
    }

    /// The output and the gradients of its squares' sum, on one device.
    fn all(kind: DeviceKind, transposed: bool) -> Vec<Vec<f32>> {
        let device = kind.open().unwrap().autodiff();
        let x = filled([2, 6, 9, 8], &device);
        let weight = filled(if transposed { [6, 5, 2, 2] } else { [5, 6, 3, 3] }, &device);
        let bias = filled([5], &device);
        let y = if transposed {
            conv_transpose2x2(x.clone(), weight.clone(), bias.clone())
        } else {
            conv2d(x.clone(), weight.clone(), bias.clone(), Sweep { stride: 1, padding: 1, relu: true })
        };
        let gradients = (y.clone() * y.clone()).sum().backward();
        let host = |data: TensorData| data.iter::<f32>().collect();
        vec![
            host(y.into_data()),
            host(x.grad(&gradients).unwrap().into_data()),
            host(weight.grad(&gradients).unwrap().into_data()),
            host(bias.grad(&gradients).unwrap().into_data()),
        ]
    }

    #[test]
    fn gradients_are_those_of_the_processors_kernels() {
        for transposed in [false, true] {
            let [ours, torchs] = [DeviceKind::Flex, DeviceKind::Tch].map(|kind| all(kind, transposed));
            for (ours, torchs) in ours.iter().zip(&torchs) {
                let worst = ours.iter().zip(torchs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let largest = ours.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                assert!(ours.len() == torchs.len() && worst < 1e-3 * largest, "{transposed}: {worst} of {largest}");
            }
        }
    }
}
