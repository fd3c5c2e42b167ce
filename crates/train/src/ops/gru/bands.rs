//! A GRU over time that the bands of a spectrum share, as an operation of burn with its gradient.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::GruWeights;
use super::bands_kernel::{self, Trace};

/// See [`super::gru_bands`].
pub fn recur(x: Tensor<4>, weights: GruWeights) -> Tensor<4> {
    let (input, input_bias) = (weights.input.into_dispatch(), weights.input_bias.into_dispatch());
    let (state, state_bias) = (weights.state.into_dispatch(), weights.state_bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Bands>::bands(x.into_dispatch(), input, input_bias, state, state_bias))
}

#[backend_extension(Flex, Autodiff)]
trait Bands: Backend {
    fn bands(
        x: FloatTensor<Self>,
        input: FloatTensor<Self>,
        input_bias: FloatTensor<Self>,
        state: FloatTensor<Self>,
        state_bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl Bands for Flex {
    fn bands(
        x: FlexTensor,
        input: FlexTensor,
        input_bias: FlexTensor,
        state: FlexTensor,
        state_bias: FlexTensor,
    ) -> FlexTensor {
        bands_kernel::forward(&x, [&input, &input_bias, &state, &state_bias]).0
    }
}

impl<C: CheckpointStrategy> Bands for Autodiff<Flex, C> {
    fn bands(
        x: FloatTensor<Self>,
        input: FloatTensor<Self>,
        input_bias: FloatTensor<Self>,
        state: FloatTensor<Self>,
        state_bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), input.node(), input_bias.node(), state.node(), state_bias.node()];
        let [x, input, input_bias, state, state_bias] =
            [x, input, input_bias, state, state_bias].map(|tensor| tensor.into_primitive());
        let (states, trace) = bands_kernel::forward(&x, [&input, &input_bias, &state, &state_bias]);
        match BandsBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(trace, states),
            OpsKind::UnTracked(prep) => prep.finish(states),
        }
    }
}

#[derive(Debug)]
struct BandsBackward;

impl Backward<Flex, 5> for BandsBackward {
    type State = Trace;

    fn backward(self, ops: Ops<Trace, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let gradients = bands_kernel::backward(&ops.state, &gradient);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}
