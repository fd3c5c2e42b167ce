//! The recurrence as an operation of burn, with its gradient.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::kernel::{self, Trace};

/// See [`super::plain::recur`].
pub fn recur(gates_of_x: Tensor<3>, h: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let (gates_of_x, h) = (gates_of_x.into_dispatch(), h.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Recurrence>::recur(gates_of_x, h, weight.into_dispatch(), bias.into_dispatch()))
}

#[backend_extension(Flex, Autodiff)]
trait Recurrence: Backend {
    fn recur(
        gates_of_x: FloatTensor<Self>,
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl Recurrence for Flex {
    fn recur(gates_of_x: FlexTensor, h: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        kernel::forward(&gates_of_x, &h, &weight, &bias).0
    }
}

impl<C: CheckpointStrategy> Recurrence for Autodiff<Flex, C> {
    fn recur(
        gates_of_x: FloatTensor<Self>,
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [gates_of_x.node(), h.node(), weight.node(), bias.node()];
        let [gates_of_x, h, weight, bias] = [gates_of_x, h, weight, bias].map(|tensor| tensor.into_primitive());
        let (states, trace) = kernel::forward(&gates_of_x, &h, &weight, &bias);
        match RecurBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(trace, states),
            OpsKind::UnTracked(prep) => prep.finish(states),
        }
    }
}

#[derive(Debug)]
struct RecurBackward;

impl Backward<Flex, 4> for RecurBackward {
    type State = Trace;

    fn backward(self, ops: Ops<Trace, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let kernel::Gradients { gates_of_x, h, weight, bias } = kernel::backward(&ops.state, &gradient);
        for (node, gradient) in ops.parents.into_iter().zip([gates_of_x, h, weight, bias]) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}
