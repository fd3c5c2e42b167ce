//! A convolution for training: the forward pass and its gradients.

use crate::epilogue::Epilogue;
use crate::error::{Error, expect_len};
use crate::geometry::Geometry;
use crate::plan::Plan;
use crate::scratch::Scratch;
use crate::{product, weight_gradient};

/// A convolution whose weight is a slice that may change with every call.
///
/// All slices are contiguous NCHW. The batch is what the lengths of the slices say; any number of
/// images may follow one another, including none. Results are overwritten, never added to.
#[derive(Debug, Clone)]
pub struct Conv2d {
    geometry: Geometry,
    forward: Plan,
    backward: Plan,
}

impl Conv2d {
    /// Prepares the geometry (microseconds; nothing that depends on a weight).
    ///
    /// # Errors
    ///
    /// A geometry with a zero size, with a kernel larger than its padded input, or depthwise with
    /// unequal channels.
    pub fn new(geometry: Geometry) -> Result<Self, Error> {
        geometry.check()?;
        if geometry.depthwise {
            return Err(Error::Unsupported("the dense convolution"));
        }
        Ok(Self {
            geometry,
            forward: Plan::convolution(&geometry),
            backward: Plan::input_gradient(&geometry),
        })
    }

    /// The geometry given to [`Self::new`].
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
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
        product::run(
            &self.forward,
            &scratch.packed,
            epilogue,
            (input, output),
            &mut scratch.workers,
        );
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
        self.lengths(
            ("input_gradient", input_gradient.len()),
            ("output_gradient", output_gradient.len()),
        )?;
        expect_len("weight", weight.len(), self.geometry.weight_len())?;
        self.backward.pack(weight, &mut scratch.packed);
        let slices = (output_gradient, input_gradient);
        product::run(
            &self.backward,
            &scratch.packed,
            &Epilogue::default(),
            slices,
            &mut scratch.workers,
        );
        Ok(())
    }

    /// The gradient with respect to the weight, summed over the batch, in the weight's layout.
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
        self.lengths(
            ("input", input.len()),
            ("output_gradient", output_gradient.len()),
        )?;
        expect_len(
            "weight_gradient",
            weight_gradient.len(),
            self.geometry.weight_len(),
        )?;
        weight_gradient::run(
            &self.forward,
            (input, output_gradient),
            weight_gradient,
            &mut scratch.workers,
        );
        Ok(())
    }

    /// The gradient with respect to the bias: the output's gradient summed over images and points,
    /// one value for each output channel.
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn bias_gradient(
        &self,
        output_gradient: &[f32],
        bias_gradient: &mut [f32],
    ) -> Result<(), Error> {
        self.geometry.batch(
            "output_gradient",
            output_gradient.len(),
            self.geometry.output_len(),
        )?;
        expect_len(
            "bias_gradient",
            bias_gradient.len(),
            self.geometry.out_channels,
        )?;
        let [height, width] = self.geometry.output();
        weight_gradient::bias(output_gradient, height * width, bias_gradient);
        Ok(())
    }

    /// Checks that both slices hold whole images, and equally many.
    fn lengths(
        &self,
        input: (&'static str, usize),
        output: (&'static str, usize),
    ) -> Result<(), Error> {
        let batch = self
            .geometry
            .batch(input.0, input.1, self.geometry.input_len())?;
        expect_len(output.0, output.1, batch * self.geometry.output_len())
    }
}
