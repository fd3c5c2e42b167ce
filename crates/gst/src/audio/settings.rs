//! The properties of the element.

use gst::glib;
use gst::prelude::*;
use latentd::stage;

const MODEL: &str = "denoise-speech";
/// At this attenuation nothing of the noise is kept.
const NO_LIMIT: f64 = 100.0;

/// Rates that sound may have for latentd, in Hz.
pub const RATES: std::ops::RangeInclusive<i32> = 1_000..=768_000;

/// Their values.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name or path of a model.
    pub model: String,
    /// Path of a YAML file whose stages run instead.
    pub pipeline: Option<String>,
    attenuation_limit: f64,
    strength: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { model: MODEL.to_owned(), pipeline: None, attenuation_limit: NO_LIMIT, strength: 1.0 }
    }
}

impl Settings {
    /// The share of the network's result.
    pub fn share(&self) -> f32 {
        let limit = Some(self.attenuation_limit).filter(|limit| *limit < NO_LIMIT && self.pipeline.is_none());
        stage::share(self.strength, limit)
    }

    /// Sets the property `name`.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        let text = || value.get::<Option<String>>().ok().flatten().filter(|text| !text.is_empty());
        match name {
            "model" => self.model = text().unwrap_or_else(|| MODEL.to_owned()),
            "pipeline" => self.pipeline = text(),
            "attenuation-limit" => self.attenuation_limit = value.get().unwrap_or(NO_LIMIT),
            "strength" => self.strength = value.get().unwrap_or(1.0),
            _ => {}
        }
    }

    /// The value of the property `name`.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "model" => Some(self.model.to_value()),
            "pipeline" => Some(self.pipeline.to_value()),
            "attenuation-limit" => Some(self.attenuation_limit.to_value()),
            "strength" => Some(self.strength.to_value()),
            _ => None,
        }
    }
}

/// Their descriptions.
pub fn properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecString::builder("model")
            .nick("Model")
            .blurb("Name of a denoising model for sound, or the path of its folder or ONNX file")
            .default_value(MODEL)
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("pipeline")
            .nick("Pipeline")
            .blurb("Path of a latentd YAML file whose stages run instead of the model")
            .mutable_ready()
            .build(),
        glib::ParamSpecDouble::builder("attenuation-limit")
            .nick("Attenuation limit")
            .blurb("By how many decibels noise is made quieter at most; 100 for no limit. Not with `pipeline`")
            .minimum(0.0)
            .maximum(NO_LIMIT)
            .default_value(NO_LIMIT)
            .mutable_playing()
            .controllable()
            .build(),
        glib::ParamSpecDouble::builder("strength")
            .nick("Strength")
            .blurb("How much of the noise to take away, from 0 (none) to 1 (all)")
            .minimum(0.0)
            .maximum(1.0)
            .default_value(1.0)
            .mutable_playing()
            .controllable()
            .build(),
    ]
}
