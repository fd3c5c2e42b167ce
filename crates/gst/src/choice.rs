//! The properties that all elements have: which stages run.

use gst::glib;
use gst::prelude::*;

/// The values of `model` and `pipeline`.
#[derive(Debug, Clone)]
pub struct Choice {
    default: &'static str,
    /// Name or path of a model.
    pub model: String,
    /// Path of a YAML file whose stages run instead.
    pub pipeline: Option<String>,
}

impl Choice {
    /// This model unless another is named.
    pub fn new(model: &'static str) -> Choice {
        Choice { default: model, model: model.to_owned(), pipeline: None }
    }

    /// Sets the property `name`; false if it is none of these.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "model" => self.model = text(value).unwrap_or_else(|| self.default.to_owned()),
            "pipeline" => self.pipeline = text(value),
            _ => return false,
        }
        true
    }

    /// The value of the property `name`, if it is one of these.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "model" => Some(self.model.to_value()),
            "pipeline" => Some(self.pipeline.to_value()),
            _ => None,
        }
    }

    /// What to warn of where a pipeline's stages run: they take no notice of these properties, of which some are set.
    pub fn warning(&self, properties: &[(&str, bool)]) -> Option<String> {
        self.pipeline.as_ref()?;
        let set: Vec<String> = properties.iter().filter(|(_, set)| *set).map(|(name, _)| format!("`{name}`")).collect();
        let names = set.join(" and ");
        (!set.is_empty())
            .then(|| format!("the stages of `pipeline` take no notice of {names} (say it in the YAML file)"))
    }
}

/// A property's text; none if it is empty, which stands for its default.
pub fn text(value: &glib::Value) -> Option<String> {
    value.get::<Option<String>>().ok().flatten().filter(|text| !text.is_empty())
}

/// The descriptions of `model` and `pipeline`.
pub fn properties(model: &'static str, blurb: &'static str) -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecString::builder("model").nick("Model").blurb(blurb).default_value(model).mutable_ready().build(),
        glib::ParamSpecString::builder("pipeline")
            .nick("Pipeline")
            .blurb("Path of a latentd YAML file whose stages run instead of the model")
            .mutable_ready()
            .build(),
    ]
}

/// The description of `strength`.
pub fn strength(blurb: &'static str) -> glib::ParamSpec {
    glib::ParamSpecDouble::builder("strength")
        .nick("Strength")
        .blurb(blurb)
        .minimum(0.0)
        .maximum(1.0)
        .default_value(1.0)
        .mutable_playing()
        .controllable()
        .build()
}
