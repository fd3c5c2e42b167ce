//! f32 convolution on the CPU over the [`gemm`](https://docs.rs/gemm) crate, forward and backward.
//!
//! Dense and depthwise convolutions of any kernel, stride, padding and dilation over NCHW images
//! ([`Conv2d`]), their transposes ([`TransposedConv2d`]), both with packed weights for inference
//! ([`Prepared`]); bias, residual and activation are added on the way to the output
//! ([`Epilogue`]). 1-D convolution is the case of height 1.
//!
//! The input is taken in tiles that stay in the second-level cache, gathered with their padding and
//! with the phases of a stride apart. Every kernel point then reads a contiguous run of points, so
//! that it is one matrix product straight from the tile; only inputs of few channels are worth
//! copying into columns. 3x3 kernels of stride 1 have Winograd's F(4x4, 3x3) as well. `gemm` picks
//! AVX-512, AVX2 or NEON when it runs. Work is shared among threads by tiles of all images, when
//! the caller's [`Scratch`] asks for threads; it also owns all working memory.
//!
//! ```
//! use latentd_conv::{Activation, Conv2d, Epilogue, Geometry, Scratch};
//!
//! let geometry = Geometry::same(3, 16, 3, [32, 48]);
//! let conv = Conv2d::new(geometry)?;
//! let mut scratch = Scratch::single();
//! let (input, weight) = (vec![1.0; geometry.input_len()], vec![0.1; geometry.weight_len()]);
//! let mut output = vec![0.0; geometry.output_len()];
//! let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::default() };
//! conv.forward(&input, &weight, &mut output, &epilogue, &mut scratch)?;
//! assert!((output[33 + 48] - 2.7).abs() < 1e-5);
//! # Ok::<(), latentd_conv::Error>(())
//! ```
//!
//! # Accuracy
//!
//! Relative to the largest output, for inputs and weights uniform in [-1, 1), the direct sum errs
//! by about 3e-7 and Winograd's algorithm by 6e-6 (64 channels); the tests bound the latter by 2e-5.
//!
//! # Speed
//!
//! GFLOP/s of one thread of an AMD EPYC of the Zen 5 generation (AVX-512), 48x48 points, counting
//! the direct sum's operations for every path: forward pass, input gradient, weight gradient. Two
//! threads on two idle cores nearly double it (3x3 of 64 channels by Winograd: 650 in all three
//! passes). `cargo run --release -p latentd-conv --example speed [threads]` measures it, and
//! `cargo bench -p latentd-conv` does in detail.
//!
//! | shape                 | direct          | Winograd        |
//! |-----------------------|-----------------|-----------------|
//! | 3x3, 16 to 16         | 150 / 150 / 115 | 203 / 204 / 172 |
//! | 3x3, 32 to 32         | 191 / 191 / 212 | 342 / 341 / 300 |
//! | 3x3, 64 to 64         | 223 / 221 / 240 | 484 / 479 / 439 |
//! | 3x3, 128 to 128       | 220 / 223 / 239 | 596 / 568 / 495 |
//! | 3x3, 64 to 64, 24x24  | 208 / 208 / 229 | 317 / 316 / 329 |
//! | 3x3, 3 to 64          | 139 / 104 / 111 | 76 / 87 / 77    |
//! | 3x3, 64 to 12         | 190 / 157 / 178 | 254 / 236 / 174 |
//! | 3x3, 64 to 3          | 106 / 139 / 93  | 88 / 74 / 42    |
//! | 1x1, 64 to 64         | 180 / 181 / 153 |                 |
//! | 5x5, 32 to 32         | 203 / 202 / 223 |                 |
//! | 2x2 by 2, 64 to 128   | 187 / 191 / 162 |                 |
//! | 2x2 by 2, transposed  | 197 / 189 / 161 |                 |
//! | 3x3, depthwise        | 36 / 35 / 29    |                 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod conv2d;
mod depthwise;
#[doc(hidden)]
pub mod dispatch;
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
mod winograd_gradient;

pub use conv2d::Conv2d;
pub use epilogue::{Activation, Epilogue};
pub use error::Error;
pub use geometry::Geometry;
pub use kernel::{Matrix, gemm};
pub use pass::Algorithm;
pub use prepared::Prepared;
pub use scratch::Scratch;
pub use transposed::TransposedConv2d;
