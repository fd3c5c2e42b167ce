//! `latentdvideodenoise` and `latentdvideoupscale` give, to the sample, the pictures that the library gives.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Dice, assert_alike, complaint, element, listen, refusal, stage, stages_of, write};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use latentd::config::Node;
use latentd::media::image::{Depth, Layout, Samples};
use latentd::media::{Image, Media};
use latentd::stage::{self as stages, Stage};

const DENOISE: &str = "latentdvideodenoise";
const UPSCALE: &str = "latentdvideoupscale";

/// The stage as an element runs it that is told nothing else: for video, by the fast model.
fn fast(name: &'static str, mut settings: Vec<(&'static str, Node)>) -> Vec<Box<dyn Stage>> {
    if settings.iter().all(|(key, _)| *key != "model") {
        let model = if name == "denoise" { "denoise-photo-fast" } else { "upscale-photo-x2-fast" };
        settings.push(("model", model.into()));
    }
    stage(name, settings)
}

/// Where each channel of a format lies in a pixel, and how long the pixel is.
const FORMATS: [(VideoFormat, &[usize], usize); 11] = [
    (VideoFormat::Rgb, &[0, 1, 2], 3),
    (VideoFormat::Bgr, &[2, 1, 0], 3),
    (VideoFormat::Rgbx, &[0, 1, 2], 4),
    (VideoFormat::Bgrx, &[2, 1, 0], 4),
    (VideoFormat::Xrgb, &[1, 2, 3], 4),
    (VideoFormat::Xbgr, &[3, 2, 1], 4),
    (VideoFormat::Rgba, &[0, 1, 2, 3], 4),
    (VideoFormat::Bgra, &[2, 1, 0, 3], 4),
    (VideoFormat::Argb, &[1, 2, 3, 0], 4),
    (VideoFormat::Abgr, &[3, 2, 1, 0], 4),
    (VideoFormat::Gray8, &[0], 1),
];

/// A picture with edges, noise and, where it has opacity, holes.
fn picture(width: usize, height: usize, layout: Layout) -> Image {
    let mut image = Image::new(width, height, layout, Depth::Eight);
    let mut dice = Dice((width * height) as u64);
    let channels = layout.channels();
    let Samples::U8(samples) = &mut image.samples else { unreachable!() };
    for (index, sample) in samples.iter_mut().enumerate() {
        let (x, y, channel) = (index / channels % width, index / channels / width, index % channels);
        let shape = if (x / 9 + y / 7) % 2 == 0 { 60.0 } else { 180.0 } + 20.0 * channel as f32;
        *sample = (shape + 25.0 * dice.next()).clamp(0.0, 255.0) as u8;
        if layout.has_alpha() && channel == channels - 1 {
            *sample = if x < 4 { 0 } else { 255 - x as u8 };
        }
    }
    image
}

fn layout(channels: usize) -> Layout {
    match channels {
        1 => Layout::Gray,
        3 => Layout::Rgb,
        _ => Layout::Rgba,
    }
}

fn process(stages: &[Box<dyn Stage>], image: Image) -> Image {
    match stages::process(stages, vec![Media::Image(image)], &common::crew()).unwrap().pop() {
        // A last stage that finds nothing to do passes on the 16 bits that there are between stages.
        Some(Media::Image(image)) => image.to_depth(Depth::Eight),
        other => panic!("{other:?}"),
    }
}

fn info(format: VideoFormat, width: usize, height: usize) -> VideoInfo {
    VideoInfo::builder(format, width as u32, height as u32).fps(gst::Fraction::new(25, 1)).build().unwrap()
}

/// The picture as a frame; with `padding`, in memory whose rows are longer than GStreamer would make them.
fn frame(image: &Image, format: VideoFormat, offsets: &[usize], pixel: usize, padding: usize) -> gst::Buffer {
    let info = info(format, image.width, image.height);
    let row = info.stride()[0] as usize + padding;
    let mut bytes = vec![0xa5u8; row * image.height];
    let Samples::U8(samples) = &image.samples else { unreachable!() };
    for (index, sample) in samples.iter().enumerate() {
        let (at, channel) = (index / offsets.len(), index % offsets.len());
        bytes[at / image.width * row + at % image.width * pixel + offsets[channel]] = *sample;
    }
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let filled = buffer.get_mut().unwrap();
    filled.set_pts(gst::ClockTime::from_seconds(3));
    filled.set_duration(gst::ClockTime::from_mseconds(40));
    if padding > 0 {
        let (width, height) = (image.width as u32, image.height as u32);
        let flags = gst_video::VideoFrameFlags::empty();
        gst_video::VideoMeta::add_full(filled, flags, format, width, height, &[0], &[row as i32]).unwrap();
    }
    buffer
}

/// The samples of a frame in the order of a picture's.
fn samples(buffer: gst::Buffer, info: &VideoInfo, offsets: &[usize], pixel: usize) -> Vec<u8> {
    let frame = VideoFrame::from_buffer_readable(buffer, info).unwrap();
    let (row, data) = (frame.plane_stride()[0] as usize, frame.plane_data(0).unwrap());
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let at = |n: usize| n / width * row + n % width * pixel;
    (0..width * height).flat_map(|n| offsets.iter().map(move |o| data[at(n) + o])).collect()
}

/// Pushes one picture through an element and compares what comes out.
fn check(
    element: &gst::Element,
    image: &Image,
    format: (VideoFormat, &[usize], usize),
    padding: usize,
    expected: Image,
) {
    let (format, offsets, pixel) = format;
    let mut harness = Harness::with_element(element, Some("sink"), Some("src"));
    harness.set_src_caps(info(format, image.width, image.height).to_caps().unwrap());
    let out = harness.push_and_pull(frame(image, format, offsets, pixel, padding)).unwrap();
    assert_eq!(
        (out.pts(), out.duration()),
        (gst::ClockTime::from_seconds(3).into(), gst::ClockTime::from_mseconds(40).into())
    );
    let got = samples(out, &info(format, expected.width, expected.height), offsets, pixel);
    let Samples::U8(expected) = expected.samples else { unreachable!() };
    let what = format!("{format:?} of {} x {}, padding {padding}", image.width, image.height);
    assert_alike(&got, &expected, &what);
}

#[test]
fn denoised_frames_of_every_format_and_odd_sizes() {
    let stages = fast("denoise", vec![("sigma", 15.0.into())]);
    for (index, format) in FORMATS.into_iter().enumerate() {
        let (width, height) = [(33, 17), (64, 48), (1, 1), (71, 5)][index % 4];
        let image = picture(width, height, layout(format.1.len()));
        let element = element(DENOISE);
        element.set_property("sigma", "15");
        check(&element, &image, format, 0, process(&stages, image.clone()));
    }
}

#[test]
fn rows_may_be_padded() {
    let stages = fast("denoise", vec![("sigma", 15.0.into())]);
    for (format, padding) in [(FORMATS[0], 20), (FORMATS[7], 12), (FORMATS[10], 3)] {
        let image = picture(35, 19, layout(format.1.len()));
        let element = element(DENOISE);
        element.set_property("sigma", "15");
        check(&element, &image, format, padding, process(&stages, image.clone()));
    }
}

#[test]
fn sigma_is_measured_where_none_is_told_and_strength_counts() {
    let noisy = picture(200, 120, Layout::Rgb);
    check(&element(DENOISE), &noisy, FORMATS[0], 0, process(&fast("denoise", vec![]), noisy.clone()));
    let element = element(DENOISE);
    element.set_property("strength", 0.4);
    element.set_property("ensemble", true);
    let stages = fast("denoise", vec![("strength", 0.4.into()), ("ensemble", true.into())]);
    check(&element, &noisy, FORMATS[0], 0, process(&stages, noisy.clone()));
}

#[test]
fn enlarged_frames_of_every_format_and_odd_sizes() {
    let stages = fast("upscale", vec![]);
    for (index, format) in FORMATS.into_iter().enumerate() {
        let (width, height) = [(33, 17), (40, 24), (1, 3), (71, 5)][index % 4];
        let image = picture(width, height, layout(format.1.len()));
        check(&element(UPSCALE), &image, format, 0, process(&stages, image.clone()));
    }
    let element = element(UPSCALE);
    element.set_property("model", "upscale-photo-x4");
    let image = picture(31, 23, Layout::Rgb);
    let stages = fast("upscale", vec![("model", "upscale-photo-x4".into())]);
    check(&element, &image, FORMATS[0], 5, process(&stages, image.clone()));
}

#[test]
fn a_large_frame_is_the_same_with_the_machines_threads() {
    let image = picture(700, 430, Layout::Rgb);
    check(&element(UPSCALE), &image, FORMATS[0], 0, process(&fast("upscale", vec![]), image.clone()));
}

#[test]
fn a_pipeline_decides_the_size() {
    let home = tempfile::tempdir().unwrap();
    let file = write(
        home.path(),
        "better.yaml",
        "name: x\nsource: { folder: { path: a } }\nstages:\n  - denoise: { sigma: 10 }\n  - upscale\n  - denoise\nsink: { folder: { path: b } }\n",
    );
    let element = element(UPSCALE);
    element.set_property("pipeline", file.to_str().unwrap());
    let image = picture(50, 37, Layout::Rgb);
    check(&element, &image, FORMATS[0], 0, process(&stages_of(&file), image.clone()));
}

#[test]
fn caps_are_scaled_both_ways() {
    let mut harness = Harness::with_element(&element(UPSCALE), Some("sink"), Some("src"));
    let caps = "video/x-raw, format=BGR, width=33, height=17, framerate=30000/1001, pixel-aspect-ratio=16/15, colorimetry=sRGB";
    harness.set_src_caps_str(caps);
    let image = picture(33, 17, Layout::Rgb);
    harness.push_and_pull(frame(&image, VideoFormat::Bgr, &[2, 1, 0], 3, 0)).unwrap();
    let out = harness.sinkpad().unwrap().current_caps().unwrap();
    let structure = out.structure(0).unwrap();
    assert_eq!(structure.get::<i32>("width"), Ok(66));
    assert_eq!(structure.get::<i32>("height"), Ok(34));
    assert_eq!(structure.get::<&str>("format"), Ok("BGR"));
    assert_eq!(structure.get::<gst::Fraction>("framerate"), Ok(gst::Fraction::new(30_000, 1001)));
    assert_eq!(structure.get::<gst::Fraction>("pixel-aspect-ratio"), Ok(gst::Fraction::new(16, 15)));
    assert_eq!(structure.get::<&str>("colorimetry"), Ok("sRGB"));

    // What is wanted behind the element tells what must come before it.
    let asked = |wanted: &str| {
        let upscale = element(UPSCALE);
        let mut harness = Harness::with_element(&upscale, Some("sink"), Some("src"));
        harness.set_sink_caps_str(wanted);
        upscale.static_pad("sink").unwrap().query_caps(None)
    };
    let half = asked("video/x-raw, format=RGB, width=640, height=480, framerate=25/1");
    let expected: gst::Caps = "video/x-raw, format=RGB, width=320, height=240, framerate=25/1".parse().unwrap();
    assert!(half.is_subset(&expected), "{half}");
    assert!(!half.is_empty());
    assert!(asked("video/x-raw, format=RGB, width=641, height=480").is_empty(), "641 is twice nothing");
}

/// The rows of two fields were taken for one picture.
#[test]
fn interlaced_frames_are_refused() {
    for name in [DENOISE, UPSCALE] {
        let element = element(name);
        let sink = element.static_pad("sink").unwrap();
        let takes = |mode: &str| {
            let caps = format!("video/x-raw, format=RGB, width=32, height=24, framerate=25/1{mode}");
            sink.query_accept_caps(&caps.parse::<gst::Caps>().unwrap())
        };
        assert!(takes("") && takes(", interlace-mode=progressive"), "{name}");
        assert!(!takes(", interlace-mode=interleaved") && !takes(", interlace-mode=mixed"), "{name}");
    }
}

#[test]
fn settings_change_while_it_plays() {
    let denoise = element(DENOISE);
    denoise.set_property("sigma", "20");
    let bus = listen(&denoise);
    let mut harness = Harness::with_element(&denoise, Some("sink"), Some("src"));
    let image = picture(40, 30, Layout::Rgb);
    let info = info(VideoFormat::Rgb, 40, 30);
    harness.set_src_caps(info.to_caps().unwrap());
    let mut run = || {
        let out = harness.push_and_pull(frame(&image, VideoFormat::Rgb, &[0, 1, 2], 3, 0)).unwrap();
        samples(out, &info, &[0, 1, 2], 3)
    };
    let assert_with = |run: &mut dyn FnMut() -> Vec<u8>, sigma: f64| {
        let expected = process(&fast("denoise", vec![("sigma", sigma.into())]), image.clone()).samples;
        let Samples::U8(expected) = expected else { unreachable!() };
        assert_alike(&run(), &expected, &format!("sigma {sigma}"));
    };
    assert_with(&mut run, 20.0);
    denoise.set_property("sigma", "5");
    assert_with(&mut run, 5.0);
    // A mistake is told, and the picture goes on as before.
    denoise.set_property("sigma", "a lot");
    assert_with(&mut run, 5.0);
    let said = complaint(&bus);
    assert!(said.contains("`sigma` must be") && said.contains("auto"), "{said}");
    // And what is set after it counts: the mistake stayed, and took every later change along.
    assert_eq!(denoise.property::<String>("sigma"), "5");
    denoise.set_property("strength", 0.0);
    let Samples::U8(before) = &image.samples else { unreachable!() };
    assert_eq!(run(), *before);
}

#[test]
fn what_counts_from_the_next_start_on_changes_nothing_before() {
    let denoise = element(DENOISE);
    denoise.set_property("sigma", "20");
    let mut harness = Harness::with_element(&denoise, Some("sink"), Some("src"));
    let image = picture(40, 30, Layout::Rgb);
    harness.set_src_caps(info(VideoFormat::Rgb, 40, 30).to_caps().unwrap());
    let info = info(VideoFormat::Rgb, 40, 30);
    let mut run = || {
        let out = harness.push_and_pull(frame(&image, VideoFormat::Rgb, &[0, 1, 2], 3, 0)).unwrap();
        samples(out, &info, &[0, 1, 2], 3)
    };
    let with = |sigma: f64| process(&fast("denoise", vec![("sigma", sigma.into())]), image.clone()).samples;
    run();
    denoise.set_property("model", "there-is-none");
    denoise.set_property("pipeline", "/nowhere.yaml");
    denoise.set_property("sigma", "5");
    let Samples::U8(expected) = with(5.0) else { unreachable!() };
    assert_alike(&run(), &expected, "the model that it was started with");
}

#[test]
fn what_is_wrong_is_told_with_the_mend() {
    let unknown = refusal(UPSCALE, &[("model", "upscale-photo-x5")]);
    assert!(
        unknown.starts_with("there is no model named `upscale-photo-x5` (did you mean `upscale-photo-x"),
        "{unknown}"
    );
    let sound = refusal(DENOISE, &[("model", "denoise-speech")]);
    assert!(sound.contains("`denoise-speech` is a model for sound, and this element works on an image"), "{sound}");
    let sigma = refusal(DENOISE, &[("sigma", "90")]);
    assert!(sigma.contains("`sigma` must be"), "{sigma}");

    let home = tempfile::tempdir().unwrap();
    let file = |text| write(home.path(), "bad.yaml", text).to_str().unwrap().to_owned();
    let place = refusal(UPSCALE, &[("pipeline", &file("stages:\n  - upscal\n"))]);
    assert!(place.contains("bad.yaml:2:5: error: unknown stage `upscal` (did you mean `upscale`?"), "{place}");
    let size = refusal(DENOISE, &[("pipeline", &file("stages:\n  - denoise\n  - upscale\n"))]);
    assert!(size.contains("bad.yaml:3:5: error: `upscale` changes the size, and this element keeps it ("), "{size}");
    let resized = refusal(DENOISE, &[("pipeline", &file("stages:\n  - resize: { long_side: 20 }\n"))]);
    assert!(resized.contains("`resize` changes the size, and this element keeps it ("), "{resized}");
    let uneven = refusal(UPSCALE, &[("pipeline", &file("stages:\n  - resize: { scale: 1.5 }\n"))]);
    assert!(
        uneven.starts_with("frames of 8192 x 4320 would become 12288 x 6480, and this element makes all frames larger"),
        "{uneven}"
    );
    let media = refusal(DENOISE, &[("pipeline", &file("stages:\n  - high_pass\n"))]);
    assert!(
        media.contains("bad.yaml:2:5: error: `high_pass` is for sound, and this element works on an image"),
        "{media}"
    );
    let syntax = refusal(DENOISE, &[("pipeline", &file("stages: [\n"))]);
    assert!(syntax.contains("bad.yaml:"), "{syntax}");
}

#[test]
fn another_model_after_a_stop() {
    common::init();
    let line = "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=24 ! videoconvert ! latentdvideoupscale name=up ! fakesink";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let up = pipeline.by_name("up").unwrap();
    let bus = pipeline.bus().unwrap();
    for (model, width) in [("upscale-photo-x2", 64), ("upscale-photo-x4", 128), ("upscale-photo-x2", 64)] {
        up.set_property("model", model);
        pipeline.set_state(gst::State::Playing).unwrap();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted).unwrap();
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
        let caps = up.static_pad("src").unwrap().current_caps().unwrap();
        assert_eq!(caps.structure(0).unwrap().get::<i32>("width"), Ok(width), "{model}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
