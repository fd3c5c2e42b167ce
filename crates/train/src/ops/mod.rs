//! The operations that networks are made of. On the processor they run on kernels of our own, several times faster than
//! burn's; on any other device burn's are used. Each operation's `plain` module is what burn itself would do.

pub mod convolution;
pub mod gru;

pub use convolution::{Sweep, conv_transpose2x2, conv2d, conv2d_residual};
pub use gru::{gru, gru_bands};

#[cfg(feature = "tch")]
use crate::device::DeviceKind;

#[cfg(feature = "flex")]
fn on_flex(device: &burn::tensor::Device) -> bool {
    // Devices compare without their autodiff setting.
    *device == burn::tensor::Device::flex()
}

#[cfg(feature = "tch")]
fn on_torch(device: &burn::tensor::Device) -> bool {
    *device == DeviceKind::torch()
}
