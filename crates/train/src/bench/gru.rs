use std::time::Duration;

use burn::module::{Module, Param};
use burn::nn::gru::{Gru, GruConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::{Speed, speed};
use crate::layers::Init;
use crate::ops::gru::{GruWeights, gru};
use crate::run;

const UNITS: usize = 256;
const BATCH: usize = 128;
const STEPS: usize = 32;

#[derive(Module, Debug)]
struct Layer {
    input: Param<Tensor<2>>,
    input_bias: Param<Tensor<1>>,
    state: Param<Tensor<2>>,
    state_bias: Param<Tensor<1>>,
}

/// Forward, backward and Adam of a GRU of 256 units on 256 inputs, batch 128, 32 steps. Each run takes about `budget`.
pub fn recurrence(device: &Device, budget: Duration) -> Speed {
    // Three products (forward, gradient of the operand, gradient of the weight) for input and state each; the input
    // needs no gradient.
    let product = (2 * 3 * UNITS * UNITS * BATCH * STEPS) as f64;
    let flop = 5.0 * product;
    let mut init = Init::new(1, device);
    let x = init.normal([BATCH, STEPS, UNITS], 1.0).val().detach();

    let mut burns: Gru = GruConfig::new(UNITS, UNITS, true).init(device);
    let mut optimizer = run::optimizer();
    let burn = speed(flop, budget, || {
        let gradients = GradientsParams::from_grads(burns.forward(x.clone(), None).mean().backward(), &burns);
        burns = optimizer.step(1e-4, burns.clone(), gradients);
    });

    let deviation = 1.0 / (UNITS as f64).sqrt();
    let mut layer = Layer {
        input: init.normal([UNITS, 3 * UNITS], deviation),
        input_bias: init.zeros([3 * UNITS]),
        state: init.normal([UNITS, 3 * UNITS], deviation),
        state_bias: init.zeros([3 * UNITS]),
    };
    let mut optimizer = run::optimizer();
    let x = x.swap_dims(0, 1).detach();
    let ours = speed(flop, budget, || {
        let weights = GruWeights {
            input: layer.input.val(),
            input_bias: layer.input_bias.val(),
            state: layer.state.val(),
            state_bias: layer.state_bias.val(),
        };
        let states = gru(x.clone(), Tensor::zeros([BATCH, UNITS], device), weights);
        let gradients = GradientsParams::from_grads(states.mean().backward(), &layer);
        layer = optimizer.step(1e-4, layer.clone(), gradients);
    });
    Speed { burn, ours }
}
