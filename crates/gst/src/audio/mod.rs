//! `latentdaudiodenoise`: sound through stages, in time.

mod element;
mod settings;
mod stream;
mod timeline;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct AudioDenoise(ObjectSubclass<element::AudioDenoise>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "latentdaudiodenoise", gst::Rank::NONE, AudioDenoise::static_type())
}
