//! What every element needs of its own object.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib::prelude::*;
use gst::prelude::*;
use gst_base::prelude::*;

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
