//! What both video elements do: frames through stages, with the machine's threads; and the properties that both have.

use std::path::Path;
use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gst_video::VideoFrameRef;
use latentd::config::Node;
use latentd::media::{Media, MediaKind};
use latentd::model::Models;
use latentd::stage::{self, Stage};
use latentd::{Error, Kind, Result};

use super::frame;
use crate::choice::Choice;
use crate::error::guarded;
use crate::helpers::Helpers;
use crate::{choice, object, stages};

/// What there is between start and stop.
pub struct Worker {
    models: Arc<Models>,
    stages: Vec<Box<dyn Stage>>,
    helpers: Helpers,
}

impl Worker {
    /// Runs the stage `name` with this model and these settings.
    ///
    /// # Errors
    /// Kind config or model.
    pub fn of_stage(name: &str, model: &str, settings: Vec<(&str, Node)>) -> Result<Worker> {
        guarded(|| {
            let models = stages::models();
            let stages = vec![stages::one(name, model, settings, MediaKind::Image, &models)?];
            Ok(Worker { models, stages, helpers: Helpers::start() })
        })
    }

    /// Runs the stages of a pipeline's file; `misfit` tells what else the element cannot use about a stage.
    ///
    /// # Errors
    /// Kind config, with every mistake and its place; or the file cannot be read.
    pub fn of_pipeline(file: &str, misfit: impl Fn(&dyn Stage) -> Option<(String, String)>) -> Result<Worker> {
        guarded(|| {
            let models = stages::models();
            let stages = stages::of_pipeline(Path::new(file), MediaKind::Image, &models, misfit)?;
            Ok(Worker { models, stages, helpers: Helpers::start() })
        })
    }

    /// Puts another stage in place of what ran; its model is at hand if it is the same.
    ///
    /// # Errors
    /// Kind config or model; then all stays as it was.
    pub fn replace(&mut self, name: &str, model: &str, settings: Vec<(&str, Node)>) -> Result<()> {
        self.stages = guarded(|| Ok(vec![stages::one(name, model, settings, MediaKind::Image, &self.models)?]))?;
        Ok(())
    }

    /// Width and height of what comes of a frame of this size.
    pub fn size(&self, frame: (usize, usize)) -> (usize, usize) {
        self.stages.iter().fold(frame, |(width, height), stage| stage.size(width, height))
    }

    /// What to do where frames become another size than the element can give.
    pub fn mend(&self) -> &'static str {
        let has = |name: &str| self.stages.iter().any(|stage| stage.name() == name);
        if has("reconstruct") {
            "`reconstruct` makes pictures of its model's size and channels: bring frames to those before the element, by videoscale and videoconvert"
        } else if has("resize") {
            "leave `resize` out of the pipeline; videoscale does that"
        } else {
            "choose another model"
        }
    }

    /// One frame. `share` is how much of the result there is in it, the rest is the frame as it was.
    ///
    /// # Errors
    /// Kind model: a network failed. Kind config: the stages made something else than was agreed on.
    pub fn run(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
        share: f32,
    ) -> Result<()> {
        guarded(|| {
            let picture = frame::to_image(input)?;
            let before = (share < 1.0).then(|| picture.clone());
            let mut results = stage::process(&self.stages, vec![Media::Image(picture)], self.helpers.crew())?;
            match (results.pop(), results.is_empty()) {
                (Some(Media::Image(mut image)), true) => {
                    if let Some(before) = before {
                        image = frame::blend(image, &before, share);
                    }
                    frame::put_image(image, self.mend(), output)
                }
                _ => Err(Error::new(Kind::Config, "the stages did not make one picture of one picture")
                    .mend("leave out the stage that does not")),
            }
        })
    }
}

/// Frames by whose fate it is told what stages do to sizes: one as large as any, since some stages leave smaller ones alone, and a small one,
/// since others leave large ones alone.
pub const SIZES: [(usize, usize); 2] = [(8192, 4320), (64, 48)];

/// Whether frames stay as large as they are.
pub fn keeps_size(stage: &dyn Stage) -> bool {
    SIZES.iter().all(|&(width, height)| stage.size(width, height) == (width, height))
}

/// The pads' templates of both elements.
pub fn templates() -> Vec<gst::PadTemplate> {
    // A frame of two fields is two pictures, and its rows are of one and of the other.
    let caps = gst_video::VideoCapsBuilder::new().format_list(frame::FORMATS).field("interlace-mode", "progressive");
    object::templates(&caps.build())
}

/// The properties `model`, `pipeline` and `ensemble`.
pub fn properties(model: &'static str, blurb: &'static str) -> Vec<glib::ParamSpec> {
    let mut properties = choice::properties(model, blurb);
    properties.push(
        glib::ParamSpecBoolean::builder("ensemble")
            .nick("Ensemble")
            .blurb("Take the mean over eight mirrored and turned copies: a little better, and eight times the work. Not with `pipeline`")
            .default_value(false)
            .mutable_ready()
            .build(),
    );
    properties
}

/// The values of these properties.
#[derive(Debug, Clone)]
pub struct Common {
    pub choice: Choice,
    ensemble: bool,
}

impl Common {
    /// With this model unless another is named.
    pub fn new(model: &'static str) -> Common {
        Common { choice: Choice::new(model), ensemble: false }
    }

    /// Sets the property `name`; false if it is none of these.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        if name == "ensemble" {
            self.ensemble = value.get().unwrap_or_default();
            return true;
        }
        self.choice.set(name, value)
    }

    /// The value of the property `name`, if it is one of these.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        if name == "ensemble" { Some(self.ensemble.to_value()) } else { self.choice.get(name) }
    }

    /// What to warn of at the start, where an element has the properties `own` beside these: see [`Choice::warning`].
    pub fn warning(&self, own: &[(&str, bool)]) -> Option<String> {
        self.choice.warning(&[own, &[("ensemble", self.ensemble)]].concat())
    }

    /// The settings of a stage that follow, beside its model.
    pub fn settings(&self) -> Vec<(&'static str, Node)> {
        vec![("ensemble", self.ensemble.into())]
    }
}
