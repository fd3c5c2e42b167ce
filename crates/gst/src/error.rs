//! latentd's errors as GStreamer tells them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use latentd::{Error, Kind, Result};

/// The error as an element posts it: what is wrong and, in brackets, the mend.
pub fn message(error: &Error) -> gst::ErrorMessage {
    let text = text(error);
    match error.kind() {
        Kind::Usage | Kind::Config => gst::error_msg!(gst::LibraryError::Settings, ("{text}")),
        Kind::Input => gst::error_msg!(gst::StreamError::Format, ("{text}")),
        Kind::NoInput => gst::error_msg!(gst::ResourceError::NotFound, ("{text}")),
        Kind::Model | Kind::Device => gst::error_msg!(gst::ResourceError::Failed, ("{text}")),
        Kind::Output => gst::error_msg!(gst::ResourceError::Write, ("{text}")),
        Kind::Transient => gst::error_msg!(gst::ResourceError::Busy, ("{text}")),
        Kind::Bug => gst::error_msg!(gst::LibraryError::Failed, ("{text}")),
    }
}

/// One line, for logs and warnings too.
pub fn text(error: &Error) -> String {
    match error.mend_text() {
        Some(mend) => format!("{error} ({mend})"),
        None => error.to_string(),
    }
}

/// Makes an error of a panic, which must not cross into C; gstreamer-rs would stop it too, but could not say what to do.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let e = Error::new(Kind::Bug, "latentd stumbled over these media");
        Err(e.mend("please report it, with the media if you can"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_a_mend() {
        let e = guarded::<()>(|| panic!("made to fail")).unwrap_err();
        assert_eq!(e.kind(), Kind::Bug);
        assert!(text(&e).ends_with("(please report it, with the media if you can)"), "{}", text(&e));
    }
}
