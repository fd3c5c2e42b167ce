//! What can be wrong with a caller's shapes or slices.

/// Why a convolution was refused; nothing has been computed when one is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// The dilated kernel is larger than the padded input along an axis.
    #[error("the dilated kernel spans {kernel} points but the padded {axis} is only {padded}")]
    KernelTooLarge {
        /// `"height"` or `"width"`.
        axis: &'static str,
        /// Points that the dilated kernel spans.
        kernel: usize,
        /// The input's size with its padding.
        padded: usize,
    },
    /// Sizes of which the number of values is beyond all memory.
    #[error("weight, input or output would hold more values than can be counted")]
    TooLarge,
    /// A depthwise convolution whose channel counts differ.
    #[error("a depthwise convolution has as many outputs as inputs, not {outputs} for {inputs}")]
    Depthwise {
        /// Input channels.
        inputs: usize,
        /// Output channels.
        outputs: usize,
    },
    /// A slice whose length does not follow from the geometry (and the batch of the input).
    #[error("{name} holds {found} values where {expected} are needed")]
    Length {
        /// Which argument.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The length that the geometry asks for.
        expected: usize,
    },
    /// A slice that is not a whole number of images.
    #[error("{name} holds {found} values, which is not a whole number of images of {image}")]
    Batch {
        /// Which argument.
        name: &'static str,
        /// Its length.
        found: usize,
        /// Values in one image.
        image: usize,
    },
    /// The algorithm cannot compute this geometry.
    #[error("{0} cannot compute this geometry")]
    Unsupported(&'static str),
}

/// Checks a slice's length.
pub(crate) fn expect_len(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { name, found, expected }) }
}
