//! A convolution, its input gradient and a transposed convolution seen as one thing: sums of
//! products of weight matrices with shifted, subsampled views of the input.
//!
//! Along one axis, output `out_step * t + out_phase` is the sum over the taps of that output phase
//! of `weight[kernel] * input[in_step * (t + shift) + in_phase]`. A convolution of stride s reads s
//! input phases into one output phase; its input gradient reads one and writes s. Once the input
//! phases are separated, every tap of either reads contiguous points.

use crate::geometry::Geometry;

/// One kernel index along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AxisTap {
    pub kernel: usize,
    pub out_phase: usize,
    pub in_phase: usize,
    pub shift: isize,
}

/// One axis of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub input: usize,
    pub output: usize,
    pub in_step: usize,
    pub out_step: usize,
    pub taps: Vec<AxisTap>,
    /// Smallest shift, and the largest less the smallest.
    pub first: isize,
    pub halo: usize,
}

impl Axis {
    fn new(input: usize, output: usize, in_step: usize, out_step: usize, taps: Vec<AxisTap>) -> Self {
        let first = taps.iter().map(|tap| tap.shift).min().unwrap_or(0);
        let last = taps.iter().map(|tap| tap.shift).max().unwrap_or(0);
        Self { input, output, in_step, out_step, taps, first, halo: (last - first) as usize }
    }

    /// An axis that is read as it is.
    pub fn plain(len: usize) -> Self {
        Self::new(len, len, 1, 1, Vec::new())
    }

    fn convolution(geometry: &Geometry, axis: usize) -> Self {
        let step = geometry.stride[axis];
        let taps = (0..geometry.kernel[axis]).map(|kernel| {
            let offset = (kernel * geometry.dilation[axis]) as isize - geometry.padding[axis][0] as isize;
            AxisTap {
                kernel,
                out_phase: 0,
                in_phase: offset.rem_euclid(step as isize) as usize,
                shift: offset.div_euclid(step as isize),
            }
        });
        Self::new(geometry.input[axis], geometry.output()[axis], step, 1, taps.collect())
    }

    /// Input point x takes part in output point o when `x = stride * o + dilation * k - padding`.
    fn input_gradient(geometry: &Geometry, axis: usize) -> Self {
        let step = geometry.stride[axis];
        let taps = (0..geometry.kernel[axis]).map(|kernel| {
            let offset = (kernel * geometry.dilation[axis]) as isize - geometry.padding[axis][0] as isize;
            AxisTap {
                kernel,
                out_phase: offset.rem_euclid(step as isize) as usize,
                in_phase: 0,
                shift: -offset.div_euclid(step as isize),
            }
        });
        Self::new(geometry.output()[axis], geometry.input[axis], 1, step, taps.collect())
    }

    /// Steps t from the first output point to the last.
    pub fn steps(&self) -> usize {
        self.output.div_ceil(self.out_step)
    }

    /// Input phases that some tap reads, in order.
    fn in_phases(&self) -> Vec<usize> {
        let mut phases: Vec<usize> = self.taps.iter().map(|tap| tap.in_phase).collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }
}

/// One kernel point: where it reads and where its weight matrix starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    /// Index into [`Plan::in_phases`].
    pub in_phase: usize,
    /// Rows and columns from the gathered tile's first point.
    pub shift: [usize; 2],
    /// Index of the kernel point, row-major.
    pub kernel: usize,
}

/// A sum of shifted products.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Input and output channels; one of each when depthwise.
    pub channels: [usize; 2],
    pub axes: [Axis; 2],
    /// The input phases that are read, as row and column phase.
    pub in_phases: Vec<[usize; 2]>,
    /// For each output phase, row-major, its taps.
    pub out_phases: Vec<Vec<Tap>>,
    /// Kernel points.
    pub kernel_len: usize,
    /// Every channel is convolved alone, by its own kernel.
    pub depthwise: bool,
    /// Distance in the weight from one output channel to the next, and from one input channel.
    weight_strides: [usize; 2],
}

impl Plan {
    /// The forward pass.
    pub fn convolution(geometry: &Geometry) -> Self {
        let kernel = geometry.kernel[0] * geometry.kernel[1];
        let strides = [geometry.in_channels * kernel, kernel];
        let channels = [geometry.in_channels, geometry.out_channels];
        Self::new(geometry, channels, strides, Axis::convolution)
    }

    /// The gradient with respect to the input, whose own input is the output's gradient.
    pub fn input_gradient(geometry: &Geometry) -> Self {
        let kernel = geometry.kernel[0] * geometry.kernel[1];
        let strides = [kernel, geometry.in_channels * kernel];
        let channels = [geometry.out_channels, geometry.in_channels];
        Self::new(geometry, channels, strides, Axis::input_gradient)
    }

    fn new(
        geometry: &Geometry,
        channels: [usize; 2],
        weight_strides: [usize; 2],
        axis: impl Fn(&Geometry, usize) -> Axis,
    ) -> Self {
        let axes = [axis(geometry, 0), axis(geometry, 1)];
        let columns = axes[1].in_phases();
        let in_phases: Vec<[usize; 2]> =
            axes[0].in_phases().iter().flat_map(|&row| columns.iter().map(move |&column| [row, column])).collect();
        let mut out_phases = vec![Vec::new(); axes[0].out_step * axes[1].out_step];
        for row in &axes[0].taps {
            for column in &axes[1].taps {
                let phase = [row.in_phase, column.in_phase];
                out_phases[row.out_phase * axes[1].out_step + column.out_phase].push(Tap {
                    in_phase: in_phases.iter().position(|&known| known == phase).unwrap_or(0),
                    shift: [(row.shift - axes[0].first) as usize, (column.shift - axes[1].first) as usize],
                    kernel: row.kernel * geometry.kernel[1] + column.kernel,
                });
            }
        }
        let kernel_len = geometry.kernel[0] * geometry.kernel[1];
        let channels = if geometry.depthwise { [1, 1] } else { channels };
        Self { channels, axes, in_phases, out_phases, kernel_len, depthwise: geometry.depthwise, weight_strides }
    }

    /// Height and width in steps.
    pub fn steps(&self) -> [usize; 2] {
        [self.axes[0].steps(), self.axes[1].steps()]
    }

    /// The weight as the products read it: for each output phase `[out channel][tap][in channel]`.
    pub fn pack(&self, weight: &[f32], packed: &mut Vec<f32>) {
        let [inputs, outputs] = self.channels;
        packed.clear();
        packed.reserve(weight.len());
        for taps in &self.out_phases {
            for output in 0..outputs {
                for tap in taps {
                    packed.extend((0..inputs).map(|input| weight[self.weight_index(output, input, tap.kernel)]));
                }
            }
        }
    }

    /// Where the weight between two channels is for one kernel point.
    pub fn weight_index(&self, output: usize, input: usize, kernel: usize) -> usize {
        output * self.weight_strides[0] + input * self.weight_strides[1] + kernel
    }
}
