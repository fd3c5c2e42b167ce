//! Frames to pictures and back: samples are only moved, never converted.

use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef};
use latentd::media::Image;
use latentd::media::image::{Depth, Layout, Samples};
use latentd::{Error, Kind, Result};

/// What both elements take; videoconvert brings the others.
pub const FORMATS: [VideoFormat; 11] = [
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Xrgb,
    VideoFormat::Xbgr,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Argb,
    VideoFormat::Abgr,
    VideoFormat::Gray8,
];

/// How the samples of a frame lie: all formats above have one plane of 8 bits a sample.
struct Packing {
    layout: Layout,
    /// Where in a pixel each channel of the layout is.
    offsets: Vec<usize>,
    /// Bytes from one pixel to the next.
    pixel: usize,
    /// Bytes from one row to the next.
    row: usize,
}

impl Packing {
    fn of(info: &gst_video::VideoInfo) -> Packing {
        let format = info.format_info();
        let layout = match (format.is_gray(), format.has_alpha()) {
            (true, _) => Layout::Gray,
            (false, false) => Layout::Rgb,
            (false, true) => Layout::Rgba,
        };
        let offsets = format.poffset()[..layout.channels()].iter().map(|offset| *offset as usize).collect();
        let row = usize::try_from(info.stride()[0]).unwrap_or(0);
        Packing { layout, offsets, pixel: format.pixel_stride()[0] as usize, row }
    }

    /// Whether a row of the frame is a row of a picture.
    fn is_plain(&self) -> bool {
        self.pixel == self.offsets.len() && self.offsets.iter().enumerate().all(|(channel, offset)| channel == *offset)
    }
}

/// The frame as a picture.
///
/// # Errors
/// Kind bug: the frame has less memory than its size needs.
pub fn to_image(frame: &VideoFrameRef<&gst::BufferRef>) -> Result<Image> {
    let packing = Packing::of(frame.info());
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (channels, bytes) = (packing.layout.channels(), width * packing.pixel);
    let data = frame.plane_data(0).map_err(|_| no_memory())?;
    let mut samples = vec![0; width * height * channels];
    for (y, row) in samples.chunks_exact_mut(width * channels).enumerate() {
        let source = data.get(y * packing.row..).and_then(|rest| rest.get(..bytes)).ok_or_else(no_memory)?;
        if packing.is_plain() {
            row.copy_from_slice(source);
            continue;
        }
        for (to, from) in row.chunks_exact_mut(channels).zip(source.chunks_exact(packing.pixel)) {
            for (sample, offset) in to.iter_mut().zip(&packing.offsets) {
                *sample = from[*offset];
            }
        }
    }
    let metadata = Default::default();
    Ok(Image { width, height, layout: packing.layout, samples: Samples::U8(samples), depth: Depth::Eight, metadata })
}

/// `share` of the picture's samples and, for the rest, of those of the picture as it was `before`, at 8 bits.
pub fn blend(image: Image, before: &Image, share: f32) -> Image {
    let mut image = image.to_depth(Depth::Eight);
    if let (Samples::U8(samples), Samples::U8(before)) = (&mut image.samples, &before.samples) {
        for (sample, before) in samples.iter_mut().zip(before) {
            let (from, to) = (f32::from(*before), f32::from(*sample));
            *sample = (from + share * (to - from)).round() as u8;
        }
    }
    image
}

/// Puts a picture into a frame.
///
/// # Errors
/// Kind config: it has another size or other channels than the frame, about which `mend` tells what to do.
pub fn put_image(image: Image, mend: &str, frame: &mut VideoFrameRef<&mut gst::BufferRef>) -> Result<()> {
    let packing = Packing::of(frame.info());
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    if (image.width, image.height, image.layout) != (width, height, packing.layout) {
        let what = format!(
            "the stages made a picture of {} x {} ({:?}) where {width} x {height} ({:?}) was to be expected",
            image.width, image.height, image.layout, packing.layout
        );
        return Err(Error::new(Kind::Config, what).mend(mend));
    }
    // A last stage that had nothing to do passes on what it got, which between stages has 16 bits.
    let Samples::U8(samples) = image.to_depth(Depth::Eight).samples else { return Err(no_memory()) };
    let (channels, bytes) = (packing.layout.channels(), width * packing.pixel);
    let data = frame.plane_data_mut(0).map_err(|_| no_memory())?;
    for (y, row) in samples.chunks_exact(width * channels).enumerate() {
        let target = data.get_mut(y * packing.row..).and_then(|rest| rest.get_mut(..bytes)).ok_or_else(no_memory)?;
        if packing.is_plain() {
            target.copy_from_slice(row);
            continue;
        }
        if packing.pixel > channels {
            // The byte that means nothing: opaque, for whoever takes it for opacity.
            target.fill(u8::MAX);
        }
        for (to, from) in target.chunks_exact_mut(packing.pixel).zip(row.chunks_exact(channels)) {
            for (sample, offset) in from.iter().zip(&packing.offsets) {
                to[*offset] = *sample;
            }
        }
    }
    Ok(())
}

fn no_memory() -> Error {
    Error::new(Kind::Bug, "a frame has less memory than its size needs")
}
