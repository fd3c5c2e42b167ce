//! The device that a run computes on.

use anyhow::Result;
use burn::tensor::Device;
use clap::ValueEnum;

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
}

impl DeviceKind {
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
            #[allow(unreachable_patterns, reason = "reached when a feature is off")]
            missing => {
                let name = missing.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
                anyhow::bail!(
                    "this latentd-train was built without the device `{name}`; build it with `cargo build --release -p \
                     latentd-train --features {name}`"
                )
            }
        }
    }
}
