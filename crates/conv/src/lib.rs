//! f32 convolution on the CPU over the [`gemm`](https://docs.rs/gemm) crate, forward and backward.

mod conv2d;
mod epilogue;
mod error;
mod geometry;
mod kernel;
mod plan;
mod product;
mod scratch;
mod tile;
mod weight_gradient;

pub use conv2d::Conv2d;
pub use epilogue::{Activation, Epilogue};
pub use error::Error;
pub use geometry::Geometry;
pub use scratch::Scratch;
