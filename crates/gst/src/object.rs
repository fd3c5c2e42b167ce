//! What every element needs of its own object.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib::prelude::*;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use crate::error;

/// A lock whose content is whole at every moment, so that a panic elsewhere does not spoil it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives properties that are controlled by time the values that they have at `pts`.
pub fn follow_controls(element: &impl IsA<gst_base::BaseTransform>, pts: Option<gst::ClockTime>) {
    let element = element.upcast_ref::<gst_base::BaseTransform>();
    if !element.has_active_control_bindings() {
        return;
    }
    let segment = element.segment().downcast::<gst::ClockTime>().ok();
    if let Some(now) = segment.and_then(|segment| segment.to_stream_time(pts))
        && let Err(e) = element.sync_values(now)
    {
        gst::warning!(gst::CAT_RUST, obj = element, "the controlled properties stay as they are: {e}");
    }
}

/// The templates of a source and a sink pad that are always there, both of these caps.
pub fn templates(caps: &gst::Caps) -> Vec<gst::PadTemplate> {
    let pad = |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps);
    [pad("src", gst::PadDirection::Src), pad("sink", gst::PadDirection::Sink)].into_iter().flatten().collect()
}

/// Posts the error of an element, which ends what flows through it.
pub fn fail<E: ElementImpl>(element: &E, e: &latentd::Error) -> gst::FlowError
where
    E::Type: IsA<gst::Element>,
{
    element.post_error_message(error::message(e));
    gst::FlowError::Error
}
