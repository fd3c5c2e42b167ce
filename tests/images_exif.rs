//! EXIF that costs more than it can be worth.
#![allow(missing_docs, clippy::unwrap_used)]

mod images_common;

use images_common::*;
use latentd::media::image::{Depth, Format, Layout};

/// Each of 65,535 entries of each of five directories claimed the whole block, and all of it was marked anew for each: minutes for a file of 1 MB,
/// hours for the largest.
#[test]
fn ranges_that_overlap_are_marked_once() {
    let size = 4_000_000_u32;
    let entries = 65_535_u16;
    let mut block = b"II\x2a\0\x08\0\0\0".to_vec();
    block.extend(entries.to_le_bytes());
    let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
        block.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        block.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    };
    for _ in 3..entries {
        entry(0x9000, 7, size, 0);
    }
    // Three directories, and the next one too, are this one again.
    for pointer in [0x8769, 0x8825, 0xa005] {
        entry(pointer, 4, 1, 8);
    }
    block.extend(8_u32.to_le_bytes());
    block.resize(size as usize, 0);
    let png = encoded(&picture(8, 8, Layout::Rgb, Depth::Eight), Format::Png);
    let (start, rest) = png.split_at(33);
    let image = decoded(&[start, &chunk(b"eXIf", &block), rest].concat(), Format::Png).unwrap();
    let kept = image.metadata.exif.unwrap();
    assert_eq!(kept.len(), block.len(), "the directory that both own stays");
    assert_eq!(kept[..8], block[..8]);
}
