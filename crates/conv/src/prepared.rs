//! A convolution for inference: fixed geometry, algorithm and weight.

use crate::epilogue::Epilogue;
use crate::error::{Error, expect_len};
use crate::pass::{Algorithm, Pass};
use crate::scratch::Scratch;

/// A convolution, or a transposed one, whose weight is already as its algorithm reads it.
///
/// Made by [`Conv2d::prepare`](crate::Conv2d::prepare) and
/// [`TransposedConv2d::prepare`](crate::TransposedConv2d::prepare). Holds no working memory, so
/// that threads may share one.
#[derive(Debug, Clone)]
pub struct Prepared {
    pass: Pass,
    packed: Vec<f32>,
    channels: usize,
    /// Values in one image of the input and of the output.
    lens: [usize; 2],
}

impl Prepared {
    pub(crate) fn new(pass: Pass, weight: &[f32], channels: usize, lens: [usize; 2]) -> Self {
        let mut packed = Vec::new();
        pass.pack(weight, &mut packed);
        packed.shrink_to_fit();
        Self { pass, packed, channels, lens }
    }

    /// The algorithm that [`Self::run`] uses.
    pub fn algorithm(&self) -> Algorithm {
        self.pass.algorithm()
    }

    /// Values in one input image.
    pub fn input_len(&self) -> usize {
        self.lens[0]
    }

    /// Values in one output image.
    pub fn output_len(&self) -> usize {
        self.lens[1]
    }

    /// `output = activation(input * weight + bias + residual)`, for as many images as `input` holds.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] or [`Error::Batch`] for a slice whose length the geometry does not allow.
    pub fn run(
        &self,
        input: &[f32],
        output: &mut [f32],
        epilogue: &Epilogue,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let batch = crate::geometry::batch("input", input.len(), self.lens[0])?;
        expect_len("output", output.len(), batch * self.lens[1])?;
        epilogue.check(self.channels, output.len())?;
        self.pass.run(&self.packed, epilogue, (input, output), &mut scratch.workers);
        Ok(())
    }
}
