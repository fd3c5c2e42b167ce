//! GStreamer elements that denoise and enlarge by latentd's networks: `latentdaudiodenoise`, `latentdvideodenoise`, `latentdvideoupscale`.
//!
//! Each is a thin shell: properties become the settings of a stage, or a pipeline's YAML names the stages, and buffers go through them as files
//! do. `audio/` owns delay and timestamps, `video/` sizes and formats.

mod audio;
mod choice;
mod error;
mod helpers;
mod object;
mod stages;
mod video;

use gst::glib;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    audio::register(plugin)?;
    video::register(plugin)
}

/// What GStreamer finds in the library.
#[allow(missing_docs)] // the macro's items are GStreamer's, and have no words of their own
mod plugin {
    use super::plugin_init;

    // GStreamer knows a few names of licences; of latentd's two this is the one among them.
    gst::plugin_define!(
        latentd,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        env!("CARGO_PKG_VERSION"),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        "https://crates.io/crates/latentd"
    );
}

/// Makes the elements known to this process, for Rust programs that link this crate in place of loading the plugin.
///
/// # Errors
/// GStreamer is not initialised, or refuses the plugin.
pub fn register() -> Result<(), glib::BoolError> {
    plugin::plugin_register_static()
}
