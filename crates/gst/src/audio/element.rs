//! The element: properties, events and queries around a [`Stream`].

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_base::subclass::prelude::*;
use latentd::media::MediaKind;
use latentd::media::audio::{Block, Format, RATES};
use latentd::model::Models;
use latentd::stage::{Stage, endless};

use super::settings::{self, Settings};
use super::stream::{self, Stream};
use super::timeline::{Timeline, length};
use crate::object::{fail, follow_controls, lock, templates};
use crate::{error, stages};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("latentdaudiodenoise", gst::DebugColorFlags::empty(), Some("latentd: noise out of sound"))
});

/// What there is between start and stop.
struct State {
    stages: Vec<Box<dyn Stage>>,
    /// What the network leaves of the sound as it was; none for a pipeline.
    keeps: Option<f64>,
    /// For other elements, as long as this one plays.
    _models: Arc<Models>,
    /// What flows, once the caps tell.
    format: Option<Format>,
    /// How far the result lags behind, in frames.
    latency: usize,
    /// The sound under way; none before the first buffer and after a drain.
    sound: Option<(Stream, Timeline)>,
    /// What [`BaseTransformImpl::generate_output`] gives next.
    ready: Option<gst::Buffer>,
}

#[derive(Default)]
pub struct AudioDenoise {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
}

#[glib::object_subclass]
impl ObjectSubclass for AudioDenoise {
    const NAME: &'static str = "GstLatentdAudioDenoise";
    type Type = super::AudioDenoise;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for AudioDenoise {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::properties);
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

impl GstObjectImpl for AudioDenoise {}

impl ElementImpl for AudioDenoise {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "latentd audio denoiser",
                "Filter/Effect/Audio",
                "Takes noise out of speech by a small recurrent network, or runs the sound stages of a latentd pipeline",
                "The latentd maintainers <maintainers@latentd.invalid>",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_audio::AudioCapsBuilder::new_interleaved()
                .format(gst_audio::AudioFormat::F32le)
                .rate_range(*RATES.start() as i32..=*RATES.end() as i32)
                .channels_range(1..=8)
                .build();
            templates(&caps)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for AudioDenoise {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let state = error::guarded(|| build(&settings)).map_err(|e| error::message(&e))?;
        *lock(&self.state) = Some(state);
        if let Some(text) = settings.warning() {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{text}"));
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.state) = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_audio::AudioInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "these are no caps of sound: {incaps}"))?;
        let format = Format { rate: info.rate(), channels: info.channels() as usize };
        // Messages are posted without the lock: whoever hears them may ask for the latency at once.
        match error::guarded(|| self.begin(format)) {
            Ok(changed) => {
                if changed {
                    self.tell_latency();
                }
                Ok(())
            }
            Err(e) => {
                self.post_error_message(error::message(&e));
                Err(gst::loggable_error!(CAT, "{}", error::text(&e)))
            }
        }
    }

    fn unit_size(&self, caps: &gst::Caps) -> Option<usize> {
        gst_audio::AudioInfo::from_caps(caps).ok().map(|info| info.bpf() as usize)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        use gst::EventView;
        match event.view() {
            // What follows has a time or a form of its own, so what is still inside goes out before.
            EventView::Segment(segment) if alike(segment.segment(), &self.obj().segment()) => {}
            EventView::Segment(_) | EventView::StreamStart(_) | EventView::Gap(_) => self.drain_before(&event),
            EventView::Eos(_) | EventView::SegmentDone(_) => self.drain_before(&event),
            EventView::Caps(caps) if self.obj().sink_pad().current_caps().is_some_and(|c| *c != *caps.caps()) => {
                self.drain_before(&event);
            }
            EventView::FlushStop(_) => self.forget(),
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if direction == gst::PadDirection::Src
            && let gst::QueryViewMut::Latency(latency) = query.view_mut()
        {
            let mut upstream = gst::query::Latency::new();
            if !self.obj().sink_pad().peer_query(&mut upstream) {
                return false;
            }
            let (live, min, max) = upstream.result();
            let own = self.latency();
            latency.set(live, min + own, max.map(|max| max + own));
            return true;
        }
        BaseTransformImplExt::parent_query(self, direction, query)
    }

    fn submit_input_buffer(&self, is_discont: bool, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (pts, breaks) = (buffer.pts(), buffer.flags().contains(gst::BufferFlags::DISCONT));
        self.parent_submit_input_buffer(is_discont, buffer)?;
        let Some(buffer) = self.take_queued_buffer() else { return Ok(gst::FlowSuccess::Ok) };
        let fits = lock(&self.state)
            .as_ref()
            .and_then(|state| state.sound.as_ref())
            .is_none_or(|(_, timeline)| !breaks && timeline.fits(pts));
        if !fits {
            gst::debug!(CAT, imp = self, "discontinuity at {pts:?}");
            self.drain()?;
        }
        follow_controls(&*self.obj(), pts);
        self.take(&buffer)
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let ready = lock(&self.state).as_mut().and_then(|state| state.ready.take());
        Ok(ready.map_or(GenerateOutputSuccess::NoOutput, GenerateOutputSuccess::Buffer))
    }
}

/// What the settings ask for, before anything flows.
fn build(settings: &Settings) -> latentd::Result<State> {
    let models = stages::models();
    let (stages, keeps) = match &settings.choice.pipeline {
        None => {
            let model = &settings.choice.model;
            let stage = stages::one("denoise", model, Vec::new(), MediaKind::Audio, &models)?;
            (vec![stage], Some(stages::keeps(model, &models)?))
        }
        Some(file) => (of_pipeline(file, &models)?, None),
    };
    Ok(State { stages, keeps, _models: models, format: None, latency: 0, sound: None, ready: None })
}

fn of_pipeline(file: &str, models: &Models) -> latentd::Result<Vec<Box<dyn Stage>>> {
    // Any format does: whether a stage has a live form is not a matter of the format.
    let format = Format { rate: 48_000, channels: 1 };
    stages::of_pipeline(Path::new(file), MediaKind::Audio, models, |stage| match stage.live(format) {
        Ok(Some(_)) => None,
        Ok(None) => Some((endless(stage.name()), "leave it out of the pipeline of an element".to_owned())),
        Err(e) => Some((e.to_string(), e.mend_text().unwrap_or("choose another model").to_owned())),
    })
}

/// Whether two segments are the same stretch of time, wherever playing has come to in each.
fn alike(one: &gst::Segment, other: &gst::Segment) -> bool {
    let from_start = |segment: &gst::Segment| {
        let mut segment = segment.clone();
        segment.set_position(segment.start());
        segment
    };
    one.format() == other.format() && from_start(one) == from_start(other)
}

/// Samples as a buffer with their time.
fn buffer(block: &Block, timeline: &mut Timeline) -> Option<gst::Buffer> {
    if block.is_empty() {
        return None;
    }
    let bytes: Vec<u8> = block.interleaved().flat_map(f32::to_le_bytes).collect();
    let (pts, duration) = timeline.give(block.frames());
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(pts);
        buffer.set_duration(duration);
    }
    Some(buffer)
}

impl AudioDenoise {
    /// Makes all ready for sound of this format; whether that changes the latency.
    fn begin(&self, format: Format) -> latentd::Result<bool> {
        let mut state = lock(&self.state);
        let Some(state) = state.as_mut().filter(|state| state.format != Some(format)) else { return Ok(false) };
        let latency = stream::latency(&state.stages, format.rate)?;
        let stream = Stream::new(&state.stages, format)?;
        gst::debug!(CAT, imp = self, "{format:?}, {latency} frames of latency");
        let changed = state.latency != latency || state.format.is_some_and(|f| f.rate != format.rate);
        (state.format, state.latency) = (Some(format), latency);
        state.sound = Some((stream, Timeline::new(format.rate)));
        Ok(changed)
    }

    /// Takes a buffer; what it makes ready is given by `generate_output`.
    fn take(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let map = buffer.map_readable().map_err(|_| {
            gst::element_imp_error!(self, gst::ResourceError::Read, ("a buffer cannot be read"));
            gst::FlowError::Error
        })?;
        let taken = error::guarded(|| {
            let mut state = lock(&self.state);
            let Some(State { stages, keeps, format: Some(format), sound, ready, .. }) = state.as_mut() else {
                return Ok(false);
            };
            let share = lock(&self.settings).share(*keeps);
            let (stream, timeline) = match sound {
                Some(sound) => sound,
                None => sound.insert((Stream::new(stages, *format)?, Timeline::new(format.rate))),
            };
            let (samples, _) = map.as_slice().as_chunks();
            let whole = samples.len() - samples.len() % format.channels;
            timeline.take(whole / format.channels, buffer.pts());
            let block = stream.push(samples[..whole].iter().map(|bytes| f32::from_le_bytes(*bytes)), share)?;
            *ready = self::buffer(block, timeline);
            Ok(true)
        });
        match taken {
            Ok(true) => Ok(gst::FlowSuccess::Ok),
            Ok(false) => Err(gst::FlowError::NotNegotiated),
            Err(e) => Err(fail(self, &e)),
        }
    }

    /// Pushes all that is still inside. What comes next is sound of its own, with a network at its beginning.
    fn drain(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let sound = lock(&self.state).as_mut().and_then(|state| Some((state.sound.take()?, state.keeps)));
        let Some(((stream, mut timeline), keeps)) = sound else { return Ok(gst::FlowSuccess::Ok) };
        let share = lock(&self.settings).share(keeps);
        let rest = error::guarded(|| stream.finish(share)).map_err(|e| fail(self, &e))?;
        match buffer(&rest, &mut timeline) {
            // Without any lock held: elements behind may ask for the latency while they take it.
            Some(rest) => self.obj().src_pad().push(rest),
            None => Ok(gst::FlowSuccess::Ok),
        }
    }

    fn drain_before(&self, event: &gst::Event) {
        if let Err(e) = self.drain() {
            gst::debug!(CAT, imp = self, "what was left before {:?} was not wanted: {e}", event.type_());
        }
    }

    /// Sound that is under way is worth nothing any more.
    fn forget(&self) {
        if let Some(state) = lock(&self.state).as_mut() {
            (state.sound, state.ready) = (None, None);
        }
    }

    /// How far the result lags behind.
    fn latency(&self) -> gst::ClockTime {
        let state = lock(&self.state);
        let known = state.as_ref().and_then(|state| Some((state.latency as u64, state.format?.rate)));
        // Rounded up: less than the truth would make sinks late.
        known.map_or(gst::ClockTime::ZERO, |(frames, rate)| length(frames, rate) + gst::ClockTime::NSECOND)
    }

    /// The pipeline shall ask for the latency anew.
    fn tell_latency(&self) {
        let message = gst::message::Latency::builder().src(&*self.obj()).build();
        if let Err(e) = self.obj().post_message(message) {
            gst::debug!(CAT, imp = self, "nobody hears that the latency is another: {e}");
        }
    }
}
