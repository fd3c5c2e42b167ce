//! `latentdvideoupscale`: larger frames.

use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::VideoFrameRef;
use gst_video::subclass::prelude::*;
use latentd::{Error, Kind};

use super::caps::{self, Way};
use super::worker::{self, Common, SIZES, Worker};
use crate::error;
use crate::object::{fail, lock};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("latentdvideoupscale", gst::DebugColorFlags::empty(), Some("latentd: larger frames"))
});

const MODEL: &str = "upscale-photo-x2-fast";

/// What there is between start and stop.
struct State {
    worker: Worker,
    /// How many times as wide and as high frames become.
    scale: i32,
}

pub struct VideoUpscale {
    settings: Mutex<Common>,
    /// Not the state's lock: caps are asked for while a frame is worked on.
    scale: Mutex<Option<i32>>,
    state: Mutex<Option<State>>,
}

impl Default for VideoUpscale {
    fn default() -> VideoUpscale {
        VideoUpscale { settings: Mutex::new(Common::new(MODEL)), scale: Mutex::default(), state: Mutex::default() }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for VideoUpscale {
    const NAME: &'static str = "GstLatentdVideoUpscale";
    type Type = super::VideoUpscale;
    type ParentType = gst_video::VideoFilter;
}

impl ObjectImpl for VideoUpscale {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let blurb = "Name of an upscaling model (upscale-photo-x2, -x3, -x4, each also with -fast behind it; upscale-camera-x2, -x4), or the path of its folder or ONNX file";
            worker::properties(MODEL, blurb)
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !lock(&self.settings).set(pspec.name(), value) {
            gst::error!(CAT, imp = self, "no property `{}`", pspec.name());
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        lock(&self.settings).get(pspec.name()).unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for VideoUpscale {}

impl ElementImpl for VideoUpscale {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "latentd video upscaler",
                "Filter/Converter/Video/Scaler",
                "Makes frames 2, 3 or 4 times as wide and high by a small network, or runs the picture stages of a latentd pipeline",
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

impl BaseTransformImpl for VideoUpscale {
    const MODE: BaseTransformMode = BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let state = start(&settings).map_err(|e| error::message(&e))?;
        *lock(&self.scale) = Some(state.scale);
        *lock(&self.state) = Some(state);
        if let Some(text) = settings.warning(&[]) {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{text}"));
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.scale) = None;
        *lock(&self.state) = None;
        Ok(())
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let way = if direction == gst::PadDirection::Sink { Way::Up } else { Way::Down };
        let other = caps::scaled(caps, *lock(&self.scale), way);
        gst::debug!(CAT, imp = self, "{caps} becomes {other}");
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&other, gst::CapsIntersectMode::First),
            None => other,
        })
    }
}

impl VideoFilterImpl for VideoUpscale {
    fn transform_frame(
        &self,
        input: &VideoFrameRef<&gst::BufferRef>,
        output: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let state = lock(&self.state);
        let state = state.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        state.worker.run(input, output, 1.0).map(|()| gst::FlowSuccess::Ok).map_err(|e| fail(self, &e))
    }
}

fn start(settings: &Common) -> latentd::Result<State> {
    let worker = match &settings.choice.pipeline {
        None => Worker::of_stage("upscale", &settings.choice.model, settings.settings())?,
        Some(file) => Worker::of_pipeline(file, |_| None)?,
    };
    let scale = worker.size(SIZES[0]).0 / SIZES[0].0;
    let odd = SIZES.into_iter().find(|size| worker.size(*size) != (size.0 * scale, size.1 * scale));
    match (odd, i32::try_from(scale)) {
        (None, Ok(scale)) => Ok(State { worker, scale }),
        _ => {
            let (width, height) = odd.unwrap_or(SIZES[0]);
            let made = worker.size((width, height));
            let what = format!(
                "frames of {width} x {height} would become {} x {}, and this element makes all frames larger by one whole factor",
                made.0, made.1
            );
            Err(Error::new(Kind::Config, what).mend(worker.mend()))
        }
    }
}
