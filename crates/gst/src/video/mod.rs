//! `latentdvideodenoise` and `latentdvideoupscale`: each frame through stages for pictures.

mod caps;
mod denoise;
mod frame;
mod upscale;
mod worker;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct VideoDenoise(ObjectSubclass<denoise::VideoDenoise>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

glib::wrapper! {
    pub struct VideoUpscale(ObjectSubclass<upscale::VideoUpscale>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "latentdvideodenoise", gst::Rank::NONE, VideoDenoise::static_type())?;
    gst::Element::register(Some(plugin), "latentdvideoupscale", gst::Rank::NONE, VideoUpscale::static_type())
}
