//! latentd's speech denoiser as a LADSPA plugin, for PipeWire, PulseAudio, ffmpeg, GStreamer, Audacity and every other host: the very stage and
//! model that `latentd apply` runs. docs/plugins.md tells how it is used.
//!
//! [`plugin`] is what hosts see, `denoiser` what happens in their callback, `worker` the thread beside it.

pub mod abi;
mod controls;
mod denoiser;
pub mod plugin;
mod worker;
