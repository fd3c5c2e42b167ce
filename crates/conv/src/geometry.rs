//! The shape of a convolution.

use crate::error::Error;

/// A 2-D cross-correlation (what networks call a convolution) over NCHW `f32` images of one size.
///
/// A 1-D convolution is the case `input[0] == kernel[0] == 1`. Pairs are `[vertical, horizontal]`.
/// The weight is `[out_channels, in_channels, kernel[0], kernel[1]]`, or
/// `[channels, 1, kernel[0], kernel[1]]` when depthwise, row-major as burn and ONNX store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Channels of the input, at least 1.
    pub in_channels: usize,
    /// Channels of the output, at least 1.
    pub out_channels: usize,
    /// Height and width of the input in points, at least 1.
    pub input: [usize; 2],
    /// Height and width of the kernel, at least 1.
    pub kernel: [usize; 2],
    /// Input points from one output point to the next, at least 1.
    pub stride: [usize; 2],
    /// Zeros before and after the input, for each axis: `[[top, bottom], [left, right]]`.
    pub padding: [[usize; 2]; 2],
    /// Input points from one kernel point to the next, at least 1.
    pub dilation: [usize; 2],
    /// Each channel is convolved by its own kernel (`groups == in_channels == out_channels`).
    pub depthwise: bool,
}

impl Geometry {
    /// A square kernel of stride 1 whose zero padding keeps the image's size (of an even kernel's
    /// padding, the odd zero comes after).
    pub fn same(in_channels: usize, out_channels: usize, kernel: usize, input: [usize; 2]) -> Self {
        let padding = [[(kernel - kernel.min(1)) / 2, kernel / 2]; 2];
        Self {
            in_channels,
            out_channels,
            input,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding,
            dilation: [1; 2],
            depthwise: false,
        }
    }

    /// Height and width of the output in points; zero where the kernel does not fit.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = self.input[axis] + self.padding[axis][0] + self.padding[axis][1];
            match padded.checked_sub(self.span(axis)) {
                Some(room) => room / self.stride[axis] + 1,
                None => 0,
            }
        })
    }

    /// Multiplications and additions of one product for `batch` images: the forward pass, the input
    /// gradient and the weight gradient each count this much, whatever algorithm computes them.
    pub fn flops(&self, batch: usize) -> u64 {
        let [height, width] = self.output();
        2 * (batch * height * width * self.weight_len()) as u64
    }

    /// Values in the weight.
    pub fn weight_len(&self) -> usize {
        let inputs = if self.depthwise { 1 } else { self.in_channels };
        self.out_channels * inputs * self.kernel[0] * self.kernel[1]
    }

    /// Values in one input image.
    pub fn input_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1]
    }

    /// Values in one output image.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.out_channels * height * width
    }

    /// Points that the dilated kernel spans.
    pub(crate) fn span(&self, axis: usize) -> usize {
        (self.kernel[axis].max(1) - 1) * self.dilation[axis] + 1
    }

    /// Something, if weight, input and output can be counted at all: everything else here reckons without looking.
    fn countable(&self) -> Option<()> {
        let mut padded = [0; 2];
        for (axis, padded) in padded.iter_mut().enumerate() {
            let [before, after] = self.padding[axis];
            *padded = self.input[axis].checked_add(before)?.checked_add(after)?;
            (self.kernel[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)?;
        }
        let product = |sizes: [usize; 4]| {
            let product = sizes.into_iter().try_fold(1usize, usize::checked_mul)?;
            // No slice holds more bytes than this, and operations are counted in twice as many.
            (product <= isize::MAX as usize / size_of::<f32>()).then_some(product)
        };
        product([self.out_channels, self.in_channels, self.kernel[0], self.kernel[1]])?;
        product([1, self.in_channels, padded[0], padded[1]])?;
        product([1, self.out_channels, padded[0], padded[1]])?;
        Some(())
    }

    /// Refuses sizes that no convolution has.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("input", self.input[0].min(self.input[1])),
            ("kernel", self.kernel[0].min(self.kernel[1])),
            ("stride", self.stride[0].min(self.stride[1])),
            ("dilation", self.dilation[0].min(self.dilation[1])),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Zero(name));
        }
        if self.depthwise && self.in_channels != self.out_channels {
            return Err(Error::Depthwise { inputs: self.in_channels, outputs: self.out_channels });
        }
        self.countable().ok_or(Error::TooLarge)?;
        for (index, axis) in ["height", "width"].into_iter().enumerate() {
            let padded = self.input[index] + self.padding[index][0] + self.padding[index][1];
            let kernel = self.span(index);
            if kernel > padded {
                return Err(Error::KernelTooLarge { axis, kernel, padded });
            }
        }
        Ok(())
    }
}

/// The number of images in a slice of whole images.
pub(crate) fn batch(name: &'static str, found: usize, image: usize) -> Result<usize, Error> {
    if found.is_multiple_of(image) { Ok(found / image) } else { Err(Error::Batch { name, found, image }) }
}
