//! Photoshop's image resources, which other programs write too because the caption block (IPTC) is one of them. They stand in a
//! JPEG's APP13 segments and a TIFF's tag 34377, and are carried as they are but for those that speak of the old pixels.

/// What stands before them in each segment of a JPEG.
pub(super) const SEGMENT: &[u8] = b"Photoshop 3.0\0";
const CAPTION: u16 = 0x0404;
/// Told elsewhere and made true there, so that a second copy would contradict: the resolution, thumbnails of two kinds, the colour
/// profile, EXIF in two parts and XMP.
const DROPPED: [u16; 7] = [0x03ed, 0x0409, 0x040c, 0x040f, 0x0422, 0x0423, 0x0424];
/// Far more than captions take.
const MAX_BYTES: usize = 1 << 20;

/// Those worth carrying, as far as they can be followed; `None` if there are none.
pub(super) fn settle(resources: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut has_all = true;
    for resource in each(resources).filter(|resource| !DROPPED.contains(&resource.id)) {
        if kept.len() + resource.whole.len() < MAX_BYTES {
            kept.extend_from_slice(resource.whole);
            // The last one may lack its padding.
            kept.resize(kept.len().next_multiple_of(2), 0);
        } else {
            has_all = false;
        }
    }
    if !has_all {
        tracing::warn!(
            "what Photoshop keeps beside its pixels is longer than 1 MiB, and not all of it is carried over"
        );
    }
    (!kept.is_empty()).then_some(kept)
}

/// Whether there is a caption block among them.
pub(super) fn has_caption(resources: &[u8]) -> bool {
    each(resources).any(|resource| resource.id == CAPTION && !resource.content.is_empty())
}

/// A caption block as a resource.
pub(super) fn caption(block: &[u8]) -> Vec<u8> {
    let mut resource = b"8BIM".to_vec();
    resource.extend(CAPTION.to_be_bytes());
    // No name.
    resource.extend([0, 0]);
    resource.extend((block.len() as u32).to_be_bytes());
    resource.extend_from_slice(block);
    resource.resize(resource.len().next_multiple_of(2), 0);
    resource
}

struct Resource<'a> {
    id: u16,
    content: &'a [u8],
    /// With its head and padding.
    whole: &'a [u8],
}

fn each(mut resources: &[u8]) -> impl Iterator<Item = Resource<'_>> {
    std::iter::from_fn(move || {
        let resource = first(resources)?;
        resources = &resources[resource.whole.len()..];
        Some(resource)
    })
}

fn first(resources: &[u8]) -> Option<Resource<'_>> {
    let signature = resources.first_chunk::<4>()?;
    if ![b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"].contains(&signature) {
        return None;
    }
    let id = u16::from_be_bytes(*resources.get(4..)?.first_chunk()?);
    let name = usize::from(*resources.get(6)?) + 1;
    let at = 6 + name.next_multiple_of(2);
    let length = u32::from_be_bytes(*resources.get(at..)?.first_chunk()?) as usize;
    let content = resources.get(at + 4..)?.get(..length)?;
    let end = (at + 4 + length).next_multiple_of(2).min(resources.len());
    Some(Resource { id, content, whole: &resources[..end] })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_speaks_of_old_pixels_is_dropped() {
        let caption = caption(b"\x1c\x02\x78\0\x03sea");
        let thumbnail = b"8BIM\x04\x0c\0\0\0\0\0\x03old\0";
        let named = b"8BIM\x04\x06\x02hi\0\0\0\0\x02ab";
        let all = [&thumbnail[..], &named[..], &caption].concat();
        assert!(has_caption(&all));
        assert_eq!(settle(&all).unwrap(), [&named[..], &caption].concat());
        assert_eq!(settle(thumbnail), None);
        // The last one's padding is missing, or more than that.
        let odd = b"8BIM\x04\x04\0\0\0\0\0\x01x";
        assert_eq!(settle(odd).unwrap(), [&odd[..], b"\0"].concat());
        assert_eq!(settle(&odd[..12]), None);
        assert!(!has_caption(b"8BIM\x04\x04\0\0\0\0\0\0"));
    }

    #[test]
    fn too_much_is_bounded() {
        let large = [caption(&[7; 900_000]), caption(&[7; 900_000]), caption(b"x")].concat();
        assert_eq!(settle(&large).unwrap(), [caption(&[7; 900_000]), caption(b"x")].concat());
    }

    proptest! {
        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let bytes = [b"8BIM\x04".to_vec(), bytes].concat();
            if let Some(settled) = settle(&bytes) {
                prop_assert_eq!(settle(&settled), Some(settled.clone()));
            }
            has_caption(&bytes);
        }
    }
}
