//! One pass over a plan, by the algorithm chosen for it.

use crate::epilogue::Epilogue;
use crate::error::Error;
use crate::plan::Plan;
use crate::product;
use crate::scratch::Worker;
use crate::tile::Layout;
use crate::winograd::{self, Blocks};
use crate::{depthwise, weight_gradient, winograd_gradient};

/// A way to compute a convolution; all give the same result but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// The sum itself, as products of shifted views of tiles. Computes every geometry.
    Direct,
    /// Winograd's minimal filtering F(4x4, 3x3), from Lavin and Gray, "Fast Algorithms for
    /// Convolutional Neural Networks" (2016). Dense 3x3 kernels of stride and dilation 1 only.
    Winograd,
}

impl Algorithm {
    /// All of them, for a tuner to try; not every one computes every geometry.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Winograd];
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Direct(Layout),
    Winograd(Blocks),
    Depthwise(Layout),
}

/// A plan with the layout of the algorithm that computes it.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    plan: Plan,
    method: Method,
}

impl Method {
    /// The method of the given algorithm, or of the one that is usually fastest; `blocks` is how
    /// Winograd's would take its tiles.
    fn new(plan: &Plan, algorithm: Option<Algorithm>, blocks: Option<Blocks>) -> Result<Self, Error> {
        match (algorithm, blocks) {
            (Some(Algorithm::Winograd), None) => Err(Error::Unsupported("Winograd's algorithm")),
            (Some(Algorithm::Winograd), Some(blocks)) => Ok(Self::Winograd(blocks)),
            (None, Some(blocks)) if blocks.pays(plan) => Ok(Self::Winograd(blocks)),
            _ if plan.depthwise => Ok(Self::Depthwise(Layout::new(plan))),
            _ => Ok(Self::Direct(Layout::new(plan))),
        }
    }
}

impl Pass {
    /// The pass by the given algorithm, or by the one that is usually fastest.
    pub fn new(plan: Plan, algorithm: Option<Algorithm>) -> Result<Self, Error> {
        let method = Method::new(&plan, algorithm, Blocks::new(&plan))?;
        Ok(Self { plan, method })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The algorithm of this pass.
    pub fn algorithm(&self) -> Algorithm {
        match self.method {
            Method::Winograd(_) => Algorithm::Winograd,
            Method::Direct(_) | Method::Depthwise(_) => Algorithm::Direct,
        }
    }

    /// The weight as [`Self::run`] reads it.
    pub fn pack(&self, weight: &[f32], packed: &mut Vec<f32>) {
        match self.method {
            Method::Direct(_) => self.plan.pack(weight, packed),
            Method::Winograd(_) => winograd::pack(&self.plan, weight, packed),
            Method::Depthwise(_) => {
                packed.clear();
                packed.extend_from_slice(weight);
            }
        }
    }

    /// Computes whole images.
    pub fn run(&self, packed: &[f32], epilogue: &Epilogue, images: (&[f32], &mut [f32]), workers: &mut [Worker]) {
        match &self.method {
            Method::Direct(layout) => product::run(&self.plan, layout, packed, epilogue, images, workers),
            Method::Winograd(blocks) => winograd::run(&self.plan, blocks, packed, epilogue, images, workers),
            Method::Depthwise(layout) => depthwise::run(&self.plan, layout, packed, epilogue, images, workers),
        }
    }
}

/// How the weight gradient of a plan is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightGradient(Method);

impl WeightGradient {
    /// As [`Pass::new`].
    pub fn new(plan: &Plan, algorithm: Option<Algorithm>) -> Result<Self, Error> {
        Method::new(plan, algorithm, Blocks::for_gradient(plan)).map(Self)
    }

    /// Writes the gradient, summed over the batch, from the input and the output's gradient.
    pub fn run(&self, plan: &Plan, images: (&[f32], &[f32]), gradient: &mut [f32], workers: &mut [Worker]) {
        match &self.0 {
            Method::Direct(layout) => weight_gradient::run(plan, layout, images, gradient, workers),
            Method::Winograd(blocks) => winograd_gradient::run(plan, blocks, images, gradient, workers),
            Method::Depthwise(layout) => depthwise::weight_gradient(plan, layout, images, gradient, workers),
        }
    }
}
