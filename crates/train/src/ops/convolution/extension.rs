//! The kernels as operations of burn: a backend extension with handwritten gradients.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::{Sweep, kernel};

/// See [`super::conv2d`].
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sweep: Sweep) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Kernels>::sweep(x, weight, bias, sweep))
}

/// See [`super::conv2d_residual`].
pub fn conv2d_residual(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    residual: Tensor<4>,
    sweep: Sweep,
) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Kernels>::sweep_residual(x, weight, bias, residual.into_dispatch(), sweep))
}

/// See [`super::conv_transpose2x2`].
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [x, weight, bias] = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    Tensor::from_dispatch(<Dispatch as Kernels>::grow(x, weight, bias))
}

#[backend_extension(Flex, Autodiff)]
trait Kernels: Backend {
    fn sweep(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self>;

    fn sweep_residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self>;

    fn grow(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn sweep(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, sweep: Sweep) -> FlexTensor {
        kernel::conv2d(&x, &weight, &bias, None, sweep)
    }

    fn sweep_residual(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        sweep: Sweep,
    ) -> FlexTensor {
        kernel::conv2d(&x, &weight, &bias, Some(&residual), sweep)
    }

    fn grow(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        kernel::conv_transpose2x2(&x, &weight, &bias)
    }
}

/// What the backward pass of a convolution needs: input, weight, the output where a ReLU has cut it.
type Swept = (FlexTensor, FlexTensor, Option<FlexTensor>, Sweep);

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn sweep(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let output = kernel::conv2d(&x, &weight, &bias, None, sweep);
        match SweepBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let cut = sweep.relu.then(|| output.clone());
                prep.finish((x, weight, cut, sweep), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn sweep_residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        sweep: Sweep,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node(), residual.node()];
        let [x, weight, bias, residual] = [x, weight, bias, residual].map(|tensor| tensor.into_primitive());
        let output = kernel::conv2d(&x, &weight, &bias, Some(&residual), sweep);
        match SweepResidualBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let cut = sweep.relu.then(|| output.clone());
                prep.finish((x, weight, cut, sweep), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn grow(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let output = kernel::conv_transpose2x2(&x, &weight, &bias);
        match GrowBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct SweepBackward;

impl Backward<Flex, 3> for SweepBackward {
    type State = Swept;

    fn backward(self, ops: Ops<Swept, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let gradient = linear_gradient(grads.consume::<Flex>(&ops.node), &ops.state);
        for (node, make) in [(x, swept_input as Make), (weight, swept_weight), (bias, swept_bias)] {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, make(&ops.state, &gradient));
            }
        }
    }
}

#[derive(Debug)]
struct SweepResidualBackward;

impl Backward<Flex, 4> for SweepResidualBackward {
    type State = Swept;

    fn backward(self, ops: Ops<Swept, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias, residual] = ops.parents;
        let gradient = linear_gradient(grads.consume::<Flex>(&ops.node), &ops.state);
        for (node, make) in [(x, swept_input as Make), (weight, swept_weight), (bias, swept_bias)] {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, make(&ops.state, &gradient));
            }
        }
        if let Some(node) = residual {
            grads.register::<Flex>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct GrowBackward;

impl Backward<Flex, 3> for GrowBackward {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node_x, node_weight, node_bias] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node);
        let (x, weight) = ops.state;
        if let Some(node) = node_x {
            grads.register::<Flex>(node.id, kernel::conv_transpose2x2_input_gradient(&x, &weight, &gradient));
        }
        if let Some(node) = node_weight {
            grads.register::<Flex>(node.id, kernel::conv_transpose2x2_weight_gradient(&x, &weight, &gradient));
        }
        if let Some(node) = node_bias {
            grads.register::<Flex>(node.id, kernel::bias_gradient(&gradient));
        }
    }
}

/// Makes one gradient of a convolution from its state and the gradient before the ReLU.
type Make = fn(&Swept, &FlexTensor) -> FlexTensor;

fn swept_input((x, weight, _, sweep): &Swept, gradient: &FlexTensor) -> FlexTensor {
    kernel::input_gradient(x, weight, gradient, *sweep)
}

fn swept_weight((x, weight, _, sweep): &Swept, gradient: &FlexTensor) -> FlexTensor {
    kernel::weight_gradient(x, weight, gradient, *sweep)
}

fn swept_bias(_: &Swept, gradient: &FlexTensor) -> FlexTensor {
    kernel::bias_gradient(gradient)
}

fn linear_gradient(gradient: FlexTensor, (_, _, cut, _): &Swept) -> FlexTensor {
    match cut {
        Some(output) => kernel::relu_gradient(output, gradient),
        None => gradient,
    }
}
