//! Transposed convolution: the adjoint of a convolution, run forward.

use crate::conv2d::Conv2d;
use crate::epilogue::Epilogue;
use crate::error::{Error, expect_len};
use crate::geometry::Geometry;
use crate::pass::Algorithm;
use crate::prepared::Prepared;
use crate::scratch::Scratch;

/// A transposed convolution (a "deconvolution"), as burn and ONNX define it.
///
/// It is the adjoint of a convolution whose input is this one's output: the forward pass is that
/// convolution's input gradient, and the other way round. The weight is
/// `[in_channels, out_channels, kernel[0], kernel[1]]`, row-major.
#[derive(Debug, Clone)]
pub struct TransposedConv2d {
    adjoint: Conv2d,
}

impl TransposedConv2d {
    /// Prepares a transposed convolution: `geometry` tells its own input size and channels, and its
    /// `padding` is what is cut from the output; `output_padding` (below the stride or dilation) is
    /// added to the output's lower and right edges.
    ///
    /// The output has `(input - 1) * stride + dilation * (kernel - 1) + 1 - padding +
    /// output_padding` points along each axis.
    ///
    /// # Errors
    ///
    /// As [`Conv2d::new`]; also [`Error::Zero`] when the padding cuts off the whole output, and
    /// [`Error::Unsupported`] when `output_padding` is so large that no convolution has this adjoint.
    pub fn new(geometry: Geometry, output_padding: [usize; 2]) -> Result<Self, Error> {
        let mut output = [0; 2];
        for axis in 0..2 {
            let full = (geometry.input[axis].max(1) - 1) * geometry.stride[axis] + geometry.span(axis);
            let cut = geometry.padding[axis][0] + geometry.padding[axis][1];
            output[axis] = (full + output_padding[axis]).checked_sub(cut).ok_or(Error::Zero("output"))?;
        }
        let adjoint = Geometry {
            in_channels: geometry.out_channels,
            out_channels: geometry.in_channels,
            input: output,
            ..geometry
        };
        let adjoint = Conv2d::new(adjoint)?;
        if adjoint.geometry().output() != geometry.input {
            return Err(Error::Unsupported("a transposed convolution"));
        }
        Ok(Self { adjoint })
    }

    /// The convolution whose adjoint this is: its input is this one's output.
    pub fn adjoint(&self) -> &Geometry {
        self.adjoint.geometry()
    }

    /// `output = activation(transposed convolution + bias + residual)`.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] or [`Error::Batch`] for a slice whose length the geometry does not allow.
    pub fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        output: &mut [f32],
        epilogue: &Epilogue,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        epilogue.check(self.adjoint().in_channels, output.len())?;
        self.adjoint.backward(("input", input), weight, ("output", output), epilogue, scratch)
    }

    /// As [`Conv2d::input_gradient`].
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn input_gradient(
        &self,
        output_gradient: &[f32],
        weight: &[f32],
        input_gradient: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.adjoint.forward(output_gradient, weight, input_gradient, &Epilogue::default(), scratch)
    }

    /// As [`Conv2d::weight_gradient`].
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn weight_gradient(
        &self,
        input: &[f32],
        output_gradient: &[f32],
        weight_gradient: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.adjoint.weight_gradient(output_gradient, input, weight_gradient, scratch)
    }

    /// As [`Conv2d::bias_gradient`].
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn bias_gradient(&self, output_gradient: &[f32], bias_gradient: &mut [f32]) -> Result<(), Error> {
        let adjoint = self.adjoint();
        crate::geometry::batch("output_gradient", output_gradient.len(), adjoint.input_len())?;
        expect_len("bias_gradient", bias_gradient.len(), adjoint.in_channels)?;
        let plane = adjoint.input[0] * adjoint.input[1];
        crate::weight_gradient::bias(output_gradient, plane, bias_gradient);
        Ok(())
    }

    /// As [`Conv2d::prepare`].
    ///
    /// # Errors
    ///
    /// As [`Conv2d::prepare`].
    pub fn prepare(&self, weight: &[f32], algorithm: Option<Algorithm>) -> Result<Prepared, Error> {
        self.adjoint.prepare_adjoint(weight, algorithm)
    }
}
