//! The properties of the element.

use gst::glib;
use gst::prelude::*;
use latentd::stage;

use crate::choice::{self, Choice};

const MODEL: &str = "denoise-speech";
/// At this attenuation there is no limit but the network's own.
const NO_LIMIT: f64 = 100.0;

/// Their values.
#[derive(Debug, Clone)]
pub struct Settings {
    pub choice: Choice,
    attenuation_limit: f64,
    strength: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { choice: Choice::new(MODEL), attenuation_limit: NO_LIMIT, strength: 1.0 }
    }
}

impl Settings {
    /// The share of the result. A network `keeps` some of the sound as it was by itself; for a pipeline, which tells nothing of the kind, no limit
    /// of attenuation counts.
    pub fn share(&self, keeps: Option<f64>) -> f32 {
        let limit = keeps.map(|_| self.attenuation_limit).filter(|limit| *limit < NO_LIMIT);
        stage::share(self.strength, limit, keeps.unwrap_or(0.0))
    }

    /// What to warn of at the start.
    pub fn warning(&self) -> Option<String> {
        self.choice.warning(&[("attenuation-limit", self.attenuation_limit < NO_LIMIT)])
    }

    /// Sets the property `name`; false if there is none.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "attenuation-limit" => self.attenuation_limit = value.get().unwrap_or(NO_LIMIT),
            "strength" => self.strength = value.get().unwrap_or(1.0),
            _ => return self.choice.set(name, value),
        }
        true
    }

    /// The value of the property `name`.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "attenuation-limit" => Some(self.attenuation_limit.to_value()),
            "strength" => Some(self.strength.to_value()),
            _ => self.choice.get(name),
        }
    }
}

/// Their descriptions.
pub fn properties() -> Vec<glib::ParamSpec> {
    let blurb = "Name of a denoising model for sound, or the path of its folder or ONNX file";
    let mut properties = choice::properties(MODEL, blurb);
    properties.push(
        glib::ParamSpecDouble::builder("attenuation-limit")
            .nick("Attenuation limit")
            .blurb("By how many decibels noise is made quieter at most; 100 for no limit but the model's own (denoise-speech: 30). Not with `pipeline`")
            .minimum(0.0)
            .maximum(NO_LIMIT)
            .default_value(NO_LIMIT)
            .mutable_playing()
            .controllable()
            .build(),
    );
    properties.push(choice::strength("How much of the noise to take away, from 0 (none) to 1 (all)"));
    properties
}
