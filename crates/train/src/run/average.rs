use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Moves `average` a step towards `network`: `average = decay * average + (1 - decay) * network`, value by value. The
/// running average of the weights scores better than the weights of any one step.
pub fn follow<M: Module>(average: M, network: &M, decay: f64) -> M {
    let mut weights = Weights(GradientsParams::new());
    network.visit(&mut weights);
    average.map(&mut Follow { weights, decay })
}

/// The weights by parameter id. Burn's container for gradients is one for any tensors of parameters.
struct Weights(GradientsParams);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val().inner());
    }
}

struct Follow {
    weights: Weights,
    decay: f64,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.weights.0.remove::<D>(param.id) {
            Some(weight) => param.map(|value| value * self.decay + weight * (1.0 - self.decay)),
            None => param,
        }
    }
}
