//! Convolution over the gemm crate.
