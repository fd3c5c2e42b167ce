use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::zones::{POSITIONS, ZONES};
use crate::layers::{Conv, GruLayer, Init};

/// The size of a [`Network`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Values of each position: channels.
    pub width: usize,
    /// Blocks of a recurrence over time and mixing over frequency.
    pub blocks: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { width: 64, blocks: 3 }
    }
}

/// A vector for each of 32 positions along frequency; blocks that look back in time, each position for itself with the
/// same weights, and then mix the positions; a complex factor for each bin of the last frames (a gain for each band above
/// 8 kHz) as answer.
///
/// Tensors are `[clips, channels, time, positions]`.
#[derive(Module, Debug)]
pub struct Network {
    /// One layer a zone: what a position sees, to channels.
    pub encoder: Vec<Conv>,
    /// Which position it is, `[1, width, 1, POSITIONS]`.
    pub place: Param<Tensor<4>>,
    /// Time and frequency in turn.
    pub blocks: Vec<Block>,
    /// A last look at the neighbours.
    pub tail: Conv,
    /// One layer a zone: channels to what a position answers.
    pub decoder: Vec<Conv>,
}

/// One block.
#[derive(Module, Debug)]
pub struct Block {
    /// Over time.
    pub gru: GruLayer,
    /// Its states and those of the neighbours, to be added.
    pub near: Conv,
    /// Before the mixing, with a ReLU.
    pub spread: Conv,
    /// Every position from every other, `[POSITIONS, POSITIONS]`.
    pub mix: Param<Tensor<2>>,
    /// After the mixing, to be added.
    pub gather: Conv,
}

impl Block {
    fn new(init: &mut Init, width: usize) -> Self {
        Self {
            gru: GruLayer::new(init, width, width),
            near: Conv::row(init, width, width, 3, 1.0),
            spread: Conv::row(init, width, width, 1, 2f64.sqrt()),
            mix: init.normal([POSITIONS, POSITIONS], 1.0 / (POSITIONS as f64).sqrt()),
            gather: Conv::row(init, width, width, 1, 0.3),
        }
    }

    fn copy_that_adds_nothing(&self) -> Self {
        let mut copy = self.clone().map(&mut Renew);
        for layer in [&mut copy.near, &mut copy.gather] {
            layer.weight = zeros(&layer.weight);
            layer.bias = zeros(&layer.bias);
        }
        copy
    }

    /// What the block makes of `x`, and the states on the way, both `[N, width, T, POSITIONS]`.
    fn forward(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let states = self.gru.forward_bands(x.clone());
        let x = self.near.forward_residual(states.clone(), x);
        let spread = self.spread.forward_relu(x.clone());
        let [clips, channels, steps, positions] = spread.dims();
        let mixed = spread.reshape([clips * channels * steps, positions]).matmul(self.mix.val());
        (self.gather.forward_residual(mixed.reshape([clips, channels, steps, positions]), x), states)
    }
}

/// Gives parameters an identity of their own: an optimizer tells them apart by it, and a clone has its original's.
struct Renew;

impl ModuleMapper for Renew {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        Param::from_tensor(param.val().detach())
    }
}

fn zeros<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    Param::from_tensor(param.val().detach().zeros_like())
}

impl Network {
    /// A network that starts by changing nothing.
    pub fn new(init: &mut Init, shape: &Shape) -> Self {
        let width = shape.width;
        let decoder = ZONES.map(|zone| {
            let mut layer = Conv::row(init, width, zone.outputs(), 1, 0.1);
            // Frames before hardly count at first.
            let mut weights: Vec<f32> = layer.weight.val().into_data().iter::<f32>().collect();
            weights[zone.answers * zone.points * width..].iter_mut().for_each(|weight| *weight *= 0.1);
            layer.weight = init.values([zone.outputs(), width, 1, 1], weights);
            // The first answers are 1: real parts, gains.
            let ones = (0..zone.outputs()).map(|row| if row < zone.points { 1.0 } else { 0.0 }).collect();
            layer.bias = init.values([zone.outputs()], ones);
            layer
        });
        Self {
            encoder: ZONES.map(|zone| Conv::row(init, zone.inputs(), width, 1, 1.0)).into(),
            place: init.normal([1, width, 1, POSITIONS], 0.3),
            blocks: (0..shape.blocks).map(|_| Block::new(init, width)).collect(),
            tail: Conv::row(init, width, width, 3, 2f64.sqrt()),
            decoder: decoder.into(),
        }
    }

    /// Blocks whose tensors are among those `absent` become copies of the last one that has its own, and add nothing yet: a deeper network computes what
    /// the shallower one did and learns on from there.
    pub fn grown(mut self, absent: &[String]) -> Self {
        for index in 1..self.blocks.len() {
            if absent.contains(&format!("blocks.{index}.mix")) {
                self.blocks[index] = self.blocks[index - 1].copy_that_adds_nothing();
            }
        }
        self
    }

    /// The answers, `[N, outputs, T, positions]` a zone, to what each zone shows, `[N, inputs, T, positions]`.
    pub fn forward(&self, features: [Tensor<4>; 3]) -> [Tensor<4>; 3] {
        self.trace(features).0
    }

    /// [`forward`](Self::forward), and the states of each block, `[N, width, T, POSITIONS]`.
    pub fn trace(&self, features: [Tensor<4>; 3]) -> ([Tensor<4>; 3], Vec<Tensor<4>>) {
        let seen = self.encoder.iter().zip(features).map(|(layer, features)| layer.forward(features)).collect();
        let mut x = Tensor::cat(seen, 3) + self.place.val();
        let mut states = Vec::new();
        for block in &self.blocks {
            let after;
            (x, after) = block.forward(x);
            states.push(after);
        }
        let x = self.tail.forward_relu(x);
        let mut first = 0;
        let answers = std::array::from_fn(|zone| {
            let positions = ZONES[zone].positions;
            let part = x.clone().narrow(3, first, positions);
            first += positions;
            self.decoder[zone].forward(part)
        });
        (answers, states)
    }
}
