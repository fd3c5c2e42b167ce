//! One pass over a plan, by the algorithm chosen for it.

use crate::depthwise;
use crate::epilogue::Epilogue;
use crate::error::Error;
use crate::plan::Plan;
use crate::product;
use crate::scratch::Worker;
use crate::tile::Layout;
use crate::winograd::{self, Blocks};

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

#[derive(Debug, Clone)]
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

impl Pass {
    /// The pass by the given algorithm, or by the one that is usually fastest.
    pub fn new(plan: Plan, algorithm: Option<Algorithm>) -> Result<Self, Error> {
        let method = match algorithm {
            _ if plan.depthwise => match algorithm {
                Some(Algorithm::Winograd) => {
                    return Err(Error::Unsupported("Winograd's algorithm"));
                }
                _ => Method::Depthwise(Layout::new(&plan)),
            },
            Some(Algorithm::Direct) => Method::Direct(Layout::new(&plan)),
            Some(Algorithm::Winograd) => {
                Method::Winograd(Blocks::new(&plan).ok_or(Error::Unsupported("Winograd's algorithm"))?)
            }
            None => match Blocks::new(&plan) {
                Some(blocks) if blocks.pays(&plan) => Method::Winograd(blocks),
                _ => Method::Direct(Layout::new(&plan)),
            },
        };
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
