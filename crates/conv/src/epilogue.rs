//! What happens to a product on its way to the output.

use crate::error::{Error, expect_len};

/// The function applied last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Activation<'a> {
    /// None: the output is linear.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive and `slope * x` elsewhere; one slope, or one for each output channel.
    Prelu(&'a [f32]),
}

/// `output = activation(product + bias + residual)`, done while the product is still in cache.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Epilogue<'a> {
    /// One value for each output channel.
    pub bias: Option<&'a [f32]>,
    /// Values added to the output, of the output's length and layout.
    pub residual: Option<&'a [f32]>,
    /// The function applied last.
    pub activation: Activation<'a>,
}

impl Epilogue<'_> {
    /// Checks lengths against the output's channels and length.
    pub(crate) fn check(&self, channels: usize, output: usize) -> Result<(), Error> {
        if let Some(bias) = self.bias {
            expect_len("bias", bias.len(), channels)?;
        }
        if let Some(residual) = self.residual {
            expect_len("residual", residual.len(), output)?;
        }
        match self.activation {
            Activation::Prelu(slopes) if slopes.len() != 1 => expect_len("PReLU slope", slopes.len(), channels),
            _ => Ok(()),
        }
    }

    /// Writes a run of one channel's points; `offset` is where `output` starts in the whole output.
    #[inline(always)]
    pub(crate) fn write(&self, channel: usize, offset: usize, product: &[f32], output: &mut [f32]) {
        // Comparisons and not max(): NaN must reach the output.
        match self.activation {
            Activation::Identity => self.apply(channel, offset, product, output, |x| x),
            Activation::Relu => {
                self.apply(channel, offset, product, output, |x| if x < 0.0 { 0.0 } else { x });
            }
            Activation::Prelu(slopes) => {
                let slope = if let [only] = slopes { *only } else { slopes[channel] };
                self.apply(channel, offset, product, output, |x| if x < 0.0 { x * slope } else { x });
            }
        }
    }

    #[inline(always)]
    fn apply(&self, channel: usize, offset: usize, product: &[f32], output: &mut [f32], activate: impl Fn(f32) -> f32) {
        let bias = self.bias.map_or(0.0, |bias| bias[channel]);
        match self.residual {
            Some(residual) => {
                let residual = &residual[offset..][..output.len()];
                for ((to, from), add) in output.iter_mut().zip(product).zip(residual) {
                    *to = activate(from + bias + add);
                }
            }
            None => {
                for (to, from) in output.iter_mut().zip(product) {
                    *to = activate(from + bias);
                }
            }
        }
    }
}
