//! The device that a run computes on.

use anyhow::Result;
use burn::tensor::Device;
use clap::ValueEnum;

use crate::refuse;

/// Devices that burn knows; each is there when its cargo feature was on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceKind {
    /// The processor.
    #[default]
    Flex,
    /// An NVIDIA GPU.
    Cuda,
    /// Any GPU with Vulkan, Metal or DirectX 12.
    Wgpu,
    /// An NVIDIA GPU by LibTorch (the processor, where LibTorch finds none).
    Tch,
}

impl DeviceKind {
    /// LibTorch's device.
    #[cfg(feature = "tch")]
    #[allow(deprecated, reason = "the only one of burn's GPU devices with cuDNN's convolutions")]
    pub(crate) fn torch() -> Device {
        if tch::Cuda::is_available() { Device::libtorch_cuda(0) } else { Device::libtorch() }
    }

    /// Opens the first device of this kind.
    ///
    /// # Errors
    /// When this program was built without it.
    pub fn open(self) -> Result<Device> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "tch")]
            Self::Tch => Ok(Self::torch()),
            #[allow(unreachable_patterns, reason = "reached when a feature is off")]
            missing => {
                let name = missing.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
                refuse!(
                    Usage,
                    "this latentd-train was built without the device `{name}`; build it with `cargo build --release -p \
                     latentd-train --features {name}`"
                )
            }
        }
    }
}
