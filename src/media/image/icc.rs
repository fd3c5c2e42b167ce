//! The little that must be known of an ICC profile: whether it can describe the pixels it travels with.

use super::Layout;

/// Whether `profile` describes colours of `layout`. A profile of another colour space (that of a CMYK file whose pixels have
/// become RGB, or RGB on gray) would make every viewer show wrong colours, so it is better dropped.
pub(super) fn fits(profile: &[u8], layout: Layout) -> bool {
    // ICC.1:2022, 7.2: bytes 16..20 name the colour space, bytes 36..40 are the signature.
    if profile.get(36..40) != Some(b"acsp") {
        return false;
    }
    match profile.get(16..20) {
        Some(b"GRAY") => layout.colors() == 1,
        Some(b"RGB ") => layout.colors() == 3,
        _ => false,
    }
}
