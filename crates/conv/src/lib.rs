//! f32 convolution on the CPU over the [`gemm`](https://docs.rs/gemm) crate, forward and backward.

mod conv2d;
mod depthwise;
mod epilogue;
mod error;
mod geometry;
mod kernel;
mod lanes;
mod pass;
mod plan;
mod prepared;
mod product;
mod scratch;
mod tile;
mod transform;
mod transposed;
mod weight_gradient;
mod winograd;

pub use conv2d::Conv2d;
pub use epilogue::{Activation, Epilogue};
pub use error::Error;
pub use geometry::Geometry;
pub use pass::Algorithm;
pub use prepared::Prepared;
pub use scratch::Scratch;
pub use transposed::TransposedConv2d;
