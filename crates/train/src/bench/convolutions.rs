use std::time::Duration;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::{Speed, speed};
use crate::layers::{Conv, Init};
use crate::ops::convolution::{self, Sweep, plain};
use crate::run;

const LAYERS: usize = 8;
const CHANNELS: usize = 64;
const SIDE: usize = 48;
const BATCH: usize = 16;

#[derive(Module, Debug)]
struct Stack {
    layers: Vec<Conv>,
}

type Convolve = fn(Tensor<4>, Tensor<4>, Tensor<1>, Sweep) -> Tensor<4>;

/// Forward, backward and Adam of 8 layers of 3x3 convolution with ReLU, 64 channels, 48x48 points, batch 16. Each run
/// takes about `budget`.
pub fn convolutions(device: &Device, budget: Duration) -> Speed {
    Speed { burn: measure(plain::conv2d, device, budget), ours: measure(convolution::conv2d, device, budget) }
}

fn measure(convolve: Convolve, device: &Device, budget: Duration) -> f64 {
    let mut init = Init::new(1, device);
    let layers = (0..LAYERS).map(|_| Conv::new(&mut init, CHANNELS, CHANNELS, 3, 1, 2f64.sqrt())).collect();
    let mut network = Stack { layers };
    let mut optimizer = run::optimizer();
    let input = init.normal([BATCH, CHANNELS, SIDE, SIDE], 1.0).val().detach();
    let product = (2 * CHANNELS * CHANNELS * 9 * SIDE * SIDE * BATCH) as f64;
    // Three products a layer; the input of the first needs no gradient.
    let flop = product * (3 * LAYERS - 1) as f64;
    speed(flop, budget, || {
        let sweep = Sweep { stride: 1, padding: 1, relu: true };
        let layer = |x, layer: &Conv| convolve(x, layer.weight.val(), layer.bias.val(), sweep);
        let loss = network.layers.iter().fold(input.clone(), layer).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-4, network.clone(), gradients);
    })
}
