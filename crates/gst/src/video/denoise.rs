//! `latentdvideodenoise`: frames without their noise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::VideoFrameRef;
use gst_video::subclass::prelude::*;
use latentd::config::Node;

use super::worker::{self, Common, Worker};
use crate::object::{fail, follow_controls, lock};
use crate::{choice, error};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("latentdvideodenoise", gst::DebugColorFlags::empty(), Some("latentd: noise out of frames"))
});

const MODEL: &str = "denoise-photo-fast";
const SIGMA: &str = "auto";

#[derive(Debug, Clone)]
struct Settings {
    common: Common,
    sigma: String,
    strength: f64,
}

impl Settings {
    fn stage(&self) -> Vec<(&'static str, Node)> {
        // What is not a number must be a word that the stage knows, or it says which it does.
        let sigma = self.sigma.trim().parse::<f64>().map_or_else(|_| Node::from(self.sigma.as_str()), Node::from);
        let mut settings = self.common.settings();
        settings.extend([("sigma", sigma), ("strength", self.strength.into())]);
        settings
    }
}

pub struct VideoDenoise {
    settings: Mutex<Settings>,
    /// Whether a property that may be changed while playing has been.
    changed: AtomicBool,
    /// What runs, and by which settings: of those that count from the next start on, the ones that it was started with.
    playing: Mutex<Option<(Worker, Settings)>>,
}

impl Default for VideoDenoise {
    fn default() -> VideoDenoise {
        let settings = Settings { common: Common::new(MODEL), sigma: SIGMA.to_owned(), strength: 1.0 };
        VideoDenoise { settings: Mutex::new(settings), changed: AtomicBool::new(false), playing: Mutex::default() }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for VideoDenoise {
    const NAME: &'static str = "GstLatentdVideoDenoise";
    type Type = super::VideoDenoise;
    type ParentType = gst_video::VideoFilter;
}

impl ObjectImpl for VideoDenoise {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let blurb = "Name of a denoising model for pictures, or the path of its folder or ONNX file";
            let mut properties = worker::properties(MODEL, blurb);
            properties.push(
                glib::ParamSpecString::builder("sigma")
                    .nick("Sigma")
                    .blurb("How strong the noise is: its standard deviation in steps of an 8-bit picture (0 to 75), or `auto` to measure it in each frame. Not with `pipeline`")
                    .default_value(SIGMA)
                    .mutable_playing()
                    .build(),
            );
            properties.push(choice::strength("How much of the noise to take away, from 0 (none) to 1 (all)"));
            properties
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        let before = (settings.sigma.clone(), settings.strength);
        match pspec.name() {
            "sigma" => settings.sigma = choice::text(value).unwrap_or_else(|| SIGMA.to_owned()),
            "strength" => settings.strength = value.get().unwrap_or(1.0),
            name if settings.common.set(name, value) => return,
            other => return gst::error!(CAT, imp = self, "no property `{other}`"),
        }
        // What is controlled by time is set with every frame, mostly to what it is.
        if before != (settings.sigma.clone(), settings.strength) {
            self.changed.store(true, Ordering::Release);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match pspec.name() {
            "sigma" => settings.sigma.to_value(),
            "strength" => settings.strength.to_value(),
            name => settings.common.get(name).unwrap_or_else(|| pspec.default_value().clone()),
        }
    }
}

impl GstObjectImpl for VideoDenoise {}

impl ElementImpl for VideoDenoise {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "latentd video denoiser",
                "Filter/Effect/Video",
                "Takes noise out of frames by a small convolutional network, or runs the picture stages of a latentd pipeline",
                "The latentd maintainers <maintainers@latentd.invalid>",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(worker::templates);
        &TEMPLATES
    }
}

impl BaseTransformImpl for VideoDenoise {
    const MODE: BaseTransformMode = BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.changed.store(false, Ordering::Release);
        let settings = lock(&self.settings).clone();
        let worker = match &settings.common.choice.pipeline {
            None => Worker::of_stage("denoise", &settings.common.choice.model, settings.stage()),
            Some(file) => Worker::of_pipeline(file, |stage| {
                let what = || format!("`{}` changes the size, and this element keeps it", stage.name());
                let mend = match stage.name() {
                    "upscale" => "use the element latentdvideoupscale for it",
                    _ => "leave it out of the pipeline; videoscale does that",
                };
                (!worker::keeps_size(stage)).then(|| (what(), mend.to_owned()))
            }),
        };
        let worker = worker.map_err(|e| error::message(&e))?;
        let warning = settings.common.warning(&[("sigma", settings.sigma != SIGMA)]);
        *lock(&self.playing) = Some((worker, settings));
        if let Some(text) = warning {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{text}"));
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.playing) = None;
        Ok(())
    }

    fn before_transform(&self, buffer: &gst::BufferRef) {
        follow_controls(&*self.obj(), buffer.pts());
    }
}

impl VideoFilterImpl for VideoDenoise {
    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut playing = lock(&self.playing);
        let (worker, settings) = playing.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let mut share = 1.0;
        if settings.common.choice.pipeline.is_some() {
            // Its stages do not know of the property.
            share = lock(&self.settings).strength as f32;
        } else if self.changed.swap(false, Ordering::AcqRel) {
            let wanted = Settings { common: settings.common.clone(), ..lock(&self.settings).clone() };
            let mut replace =
                |wanted: &Settings| worker.replace("denoise", &wanted.common.choice.model, wanted.stage());
            if let Err(e) = replace(&wanted) {
                // Somebody who mistypes a number while it plays shall not lose the picture, nor what is set after that.
                gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{}", error::text(&e)));
                let mut now = lock(&self.settings);
                if now.sigma == wanted.sigma {
                    now.sigma.clone_from(&settings.sigma);
                }
                drop(now);
                settings.strength = wanted.strength;
                replace(settings).map_err(|e| fail(self, &e))?;
            } else {
                *settings = wanted;
            }
        }
        worker.run(input, output, share).map(|()| gst::FlowSuccess::Ok).map_err(|e| fail(self, &e))
    }
}
