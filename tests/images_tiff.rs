//! TIFF has more ways to store a picture than latentd reads: those that it does not are told, and none comes out as another picture.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::Kind;
use latentd::media::image::Format;

/// A picture of 4 x 2 pixels, `bits` a sample, with these tags beside the usual ones.
fn tiff(bits: &[u8], samples: &[u8], more: &[TiffTag]) -> Vec<u8> {
    let at = |start: u32| {
        let (count, start) = ((bits.len() / 2) as u32, start.to_le_bytes());
        let (length, channels) = ((samples.len() as u32).to_le_bytes(), (count as u16).to_le_bytes());
        let mut tags: Vec<TiffTag> = vec![
            (256, 3, 1, &[4, 0]),
            (257, 3, 1, &[2, 0]),
            (258, 3, count, bits),
            (259, 3, 1, &[1, 0]),
            (262, 3, 1, &[1, 0]),
            (273, 4, 1, &start),
            (277, 3, 1, &channels),
            (278, 3, 1, &[2, 0]),
            (279, 4, 1, &length),
        ];
        tags.retain(|tag| more.iter().all(|other| other.0 != tag.0));
        tags.extend_from_slice(more);
        tags.sort_by_key(|tag| tag.0);
        tiff_structure(&[&tags], None)
    };
    let start = at(0).len() as u32;
    [at(start), samples.to_vec()].concat()
}

fn refused(bytes: &[u8]) -> String {
    let error = decoded(bytes, Format::Tiff).unwrap_err();
    assert!(error.kind() == Kind::Input && error.mend_text().is_some(), "{error}");
    error.to_string()
}

/// Faxes and scanners store bits so; they came out in the wrong order.
#[test]
fn bits_in_reverse_order_are_told() {
    let plain = decoded(&tiff(&[1, 0], &[0xa0, 0x50], &[]), Format::Tiff).unwrap();
    let latentd::media::image::Samples::U8(samples) = &plain.samples else { panic!("{plain:?}") };
    assert_eq!(samples[..], [255, 0, 255, 0, 0, 255, 0, 255]);
    let error = refused(&tiff(&[1, 0], &[0x05, 0x0a], &[(266, 3, 1, &[2, 0])]));
    assert!(error.contains("FillOrder 2"), "{error}");
}

/// The crate that reads TIFF makes another picture of it.
#[test]
fn gray_with_opacity_as_jpeg_is_told() {
    let more: &[TiffTag] = &[(338, 3, 1, &[2, 0])];
    let pixels = [10, 255, 20, 255, 30, 255, 40, 255, 50, 255, 60, 255, 70, 255, 80, 255];
    decoded(&tiff(&[8, 0, 8, 0], &pixels, more), Format::Tiff).unwrap();
    let error = refused(&tiff(&[8, 0, 8, 0], &pixels, &[more, &[(259, 3, 1, &[7, 0])]].concat()));
    assert!(error.contains("gray with opacity, compressed as JPEG"), "{error}");
}
