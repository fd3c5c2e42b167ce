//! A convolution for training: the forward pass and its gradients.

use crate::epilogue::Epilogue;
use crate::error::{Error, expect_len};
use crate::geometry::{Geometry, batch};
use crate::pass::{Algorithm, Pass, WeightGradient};
use crate::plan::Plan;
use crate::prepared::Prepared;
use crate::scratch::Scratch;
use crate::weight_gradient;

/// A convolution whose weight is a slice that may change with every call.
///
/// All slices are contiguous NCHW. The batch is what the lengths of the slices say; any number of
/// images may follow one another, including none. Results are overwritten, never added to.
#[derive(Debug, Clone)]
pub struct Conv2d {
    geometry: Geometry,
    forward: Pass,
    backward: Pass,
    weights: WeightGradient,
}

impl Conv2d {
    /// Prepares the geometry (microseconds; nothing that depends on a weight), each pass by the
    /// algorithm that is usually fastest.
    ///
    /// # Errors
    ///
    /// A geometry with a zero size, with a kernel larger than its padded input, or depthwise with
    /// unequal channels.
    pub fn new(geometry: Geometry) -> Result<Self, Error> {
        Self::build(geometry, None)
    }

    /// As [`Self::new`], with all passes by the given algorithm.
    ///
    /// # Errors
    ///
    /// Also [`Error::Unsupported`] when the algorithm cannot compute this geometry.
    pub fn with_algorithm(geometry: Geometry, algorithm: Algorithm) -> Result<Self, Error> {
        Self::build(geometry, Some(algorithm))
    }

    fn build(geometry: Geometry, algorithm: Option<Algorithm>) -> Result<Self, Error> {
        geometry.check()?;
        let forward = Pass::new(Plan::convolution(&geometry), algorithm)?;
        let backward = Pass::new(Plan::input_gradient(&geometry), algorithm)?;
        let weights = WeightGradient::new(forward.plan(), algorithm)?;
        Ok(Self { geometry, forward, backward, weights })
    }

    /// The geometry given to [`Self::new`].
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The weight packed once for inference by an algorithm, or by the one that is usually fastest.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for the weight's length and [`Error::Unsupported`] when the algorithm
    /// cannot compute this geometry.
    pub fn prepare(&self, weight: &[f32], algorithm: Option<Algorithm>) -> Result<Prepared, Error> {
        let g = &self.geometry;
        expect_len("weight", weight.len(), g.weight_len())?;
        let pass = Pass::new(self.forward.plan().clone(), algorithm)?;
        Ok(Prepared::new(pass, weight, g.out_channels, [g.input_len(), g.output_len()]))
    }

    /// As [`Self::prepare`], for the input gradient.
    pub(crate) fn prepare_adjoint(&self, weight: &[f32], algorithm: Option<Algorithm>) -> Result<Prepared, Error> {
        let g = &self.geometry;
        expect_len("weight", weight.len(), g.weight_len())?;
        let pass = Pass::new(self.backward.plan().clone(), algorithm)?;
        Ok(Prepared::new(pass, weight, g.in_channels, [g.output_len(), g.input_len()]))
    }

    /// `output = activation(input * weight + bias + residual)`.
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
        self.lengths(("input", input.len()), ("output", output.len()))?;
        expect_len("weight", weight.len(), self.geometry.weight_len())?;
        epilogue.check(self.geometry.out_channels, output.len())?;
        self.forward.pack(weight, &mut scratch.packed);
        self.forward.run(&scratch.packed, epilogue, (input, output), &mut scratch.workers);
        Ok(())
    }

    /// The gradient of a loss with respect to the input, from that with respect to the output of
    /// the linear part (before any activation).
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
        let (from, to) = (("output_gradient", output_gradient), ("input_gradient", input_gradient));
        self.backward(from, weight, to, &Epilogue::default(), scratch)
    }

    /// The input gradient, which is also the forward pass of a transposed convolution.
    pub(crate) fn backward(
        &self,
        output: (&'static str, &[f32]),
        weight: &[f32],
        input: (&'static str, &mut [f32]),
        epilogue: &Epilogue,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.lengths((input.0, input.1.len()), (output.0, output.1.len()))?;
        expect_len("weight", weight.len(), self.geometry.weight_len())?;
        self.backward.pack(weight, &mut scratch.packed);
        self.backward.run(&scratch.packed, epilogue, (output.1, input.1), &mut scratch.workers);
        Ok(())
    }

    /// The gradient with respect to the weight, summed over the batch, in the weight's layout.
    ///
    /// Reproducible to the bit for one number of threads; the other passes are for any number.
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
        self.lengths(("input", input.len()), ("output_gradient", output_gradient.len()))?;
        expect_len("weight_gradient", weight_gradient.len(), self.geometry.weight_len())?;
        let images = (input, output_gradient);
        self.weights.run(self.forward.plan(), images, weight_gradient, &mut scratch.workers);
        Ok(())
    }

    /// The gradient with respect to the bias: the output's gradient summed over images and points,
    /// one value for each output channel.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn bias_gradient(&self, output_gradient: &[f32], bias_gradient: &mut [f32]) -> Result<(), Error> {
        batch("output_gradient", output_gradient.len(), self.geometry.output_len())?;
        expect_len("bias_gradient", bias_gradient.len(), self.geometry.out_channels)?;
        let [height, width] = self.geometry.output();
        weight_gradient::bias(output_gradient, height * width, bias_gradient);
        Ok(())
    }

    /// Checks that both slices hold whole images, and equally many.
    fn lengths(&self, input: (&'static str, usize), output: (&'static str, usize)) -> Result<(), Error> {
        let images = batch(input.0, input.1, self.geometry.input_len())?;
        expect_len(output.0, output.1, images * self.geometry.output_len())
    }
}
