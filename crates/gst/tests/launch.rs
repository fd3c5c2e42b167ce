//! The plugin as users run it: the built library, loaded by `gst-launch-1.0`. What comes out is what `latentd apply` writes: it reads the file by
//! `media::read`, runs the stages by `stage::process` and writes by `media::write`, and so does this test.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{assert_alike, assert_same, noisy_speech, stage};
use latentd::media::audio::{Block, Depth, Memory};
use latentd::media::image::{Limits, Samples};
use latentd::media::{self, Audio, Image, Media, MediaKind};
use latentd::stage::{self as stages, Stage};

/// A folder to work in, with the plugin alone in `plugins`: among the libraries of a build there are others that GStreamer would try to load.
fn folder() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let plugins = home.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    // The test lies in deps/ beside the library that was built with it.
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let built = deps.join("libgstlatentd.so");
    assert!(built.is_file(), "{} was not built", built.display());
    std::fs::copy(built, plugins.join("libgstlatentd.so")).unwrap();
    home
}

fn run(program: &str, home: &Path, words: &[&str]) -> Output {
    Command::new(program)
        .args(words)
        .current_dir(home)
        .env("GST_PLUGIN_PATH", home.join("plugins"))
        .envs(["XDG_CACHE_HOME", "XDG_DATA_HOME"].map(|name| (name, home.join("nothing"))))
        .env("GST_REGISTRY", home.join("registry.bin"))
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; install gstreamer1.0-tools"))
}

fn launch(home: &Path, line: &str) {
    let mut words = vec!["-q"];
    words.extend(line.split_whitespace());
    let out = run("gst-launch-1.0", home, &words);
    assert!(out.status.success(), "{line}\n{}{}", text(&out.stdout), text(&out.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(kind: MediaKind, path: PathBuf) -> Media {
    media::read(kind, File::open(&path).unwrap(), &path, &Limits::default()).unwrap()
}

fn picture(path: PathBuf) -> Image {
    match read(MediaKind::Image, path) {
        Media::Image(image) => image,
        other => panic!("{other:?}"),
    }
}

fn sound(path: PathBuf) -> Audio {
    match read(MediaKind::Audio, path) {
        Media::Audio(audio) => audio,
        other => panic!("{other:?}"),
    }
}

/// What `latentd apply` makes of a file.
fn apply(stages: &[Box<dyn Stage>], input: Media, out: &Path) {
    let result = stages::process(stages, vec![input], &common::crew()).unwrap().pop().unwrap();
    media::write(result, out, &Default::default(), &mut File::create(out).unwrap()).unwrap();
}

#[test]
fn a_video_is_enlarged_as_its_pictures_are() {
    let home = folder();
    let at = |name: &str| home.path().join(name);
    launch(
        home.path(),
        "videotestsrc num-buffers=2 ! video/x-raw,width=160,height=120 ! videoconvert ! latentdvideoupscale ! pngenc ! multifilesink location=alone-%d.png",
    );
    let alone = picture(at("alone-1.png"));
    assert_eq!((alone.width, alone.height), (320, 240));
    // The same with its input kept: two runs of the test picture differ in its corner of noise.
    launch(
        home.path(),
        "videotestsrc num-buffers=2 ! video/x-raw,width=161,height=99 ! videoconvert ! video/x-raw,format=RGB ! tee name=t \
         t. ! queue ! pngenc ! multifilesink location=in-%d.png \
         t. ! queue ! latentdvideoupscale ! pngenc ! multifilesink location=out-%d.png",
    );
    for n in 0..2 {
        apply(
            &stage("upscale", vec![("model", "upscale-photo-x2-fast".into())]),
            read(MediaKind::Image, at(&format!("in-{n}.png"))),
            &at("expected.png"),
        );
        let (got, expected) = (picture(at(&format!("out-{n}.png"))), picture(at("expected.png")));
        assert_eq!((got.width, got.height), (322, 198));
        let (Samples::U8(got), Samples::U8(expected)) = (got.samples, expected.samples) else { unreachable!() };
        assert_alike(&got, &expected, &format!("frame {n}"));
    }
}

#[test]
fn a_recording_is_cleaned_as_a_file_is() {
    let home = folder();
    let at = |name: &str| home.path().join(name);
    for (rate, channels) in [(48_000, 1), (44_100, 2)] {
        let planes = (0..channels).map(|c| noisy_speech(rate, rate as usize * 2 + 321, 11 + c)).collect();
        let noisy = Audio::new(Memory::new(rate, Block::from_planes(planes)), Depth::Integer(16));
        media::write(
            Media::Audio(noisy),
            &at("noisy.wav"),
            &Default::default(),
            &mut File::create(at("noisy.wav")).unwrap(),
        )
        .unwrap();
        launch(
            home.path(),
            "filesrc location=noisy.wav ! wavparse ! audioconvert ! latentdaudiodenoise ! audioconvert ! wavenc ! filesink location=clean.wav",
        );
        let mut input = sound(at("noisy.wav"));
        // wavenc writes the floats as they come, and `apply` keeps the depth of its input.
        input.depth = Depth::Float;
        apply(&stage("denoise", vec![("model", "denoise-speech".into())]), Media::Audio(input), &at("expected.wav"));
        let (got, expected) = (sound(at("clean.wav")), sound(at("expected.wav")));
        assert_eq!(got.format(), expected.format());
        let (got, expected) = (got.read_all().unwrap(), expected.read_all().unwrap());
        assert_same(got.planes(), expected.planes(), &format!("{rate} Hz"));
    }
}

#[test]
fn inspect_knows_the_plugin_and_its_elements() {
    let home = folder();
    let inspect = |what: &str| {
        let out = run("gst-inspect-1.0", home.path(), &[what]);
        assert!(out.status.success() && out.stderr.is_empty(), "{what}: {}", text(&out.stderr));
        text(&out.stdout)
    };
    assert!(inspect("latentd").contains("3 features"));
    let audio = inspect("latentdaudiodenoise");
    for property in ["model", "pipeline", "attenuation-limit", "strength"] {
        assert!(audio.contains(&format!("  {property} ")), "{property}\n{audio}");
    }
    assert!(inspect("latentdvideodenoise").contains("sigma"));
    assert!(inspect("latentdvideoupscale").contains("upscale-photo-x2"));
}

#[test]
fn a_mistake_is_told_on_the_terminal() {
    let home = folder();
    std::fs::write(home.path().join("bad.yaml"), "stages:\n  - upscale: { model: nowhere }\n").unwrap();
    let words = "-q videotestsrc num-buffers=1 ! videoconvert ! latentdvideoupscale pipeline=bad.yaml ! fakesink";
    let out = run("gst-launch-1.0", home.path(), &words.split_whitespace().collect::<Vec<_>>());
    assert!(!out.status.success());
    let said = text(&out.stderr);
    assert!(said.contains("bad.yaml:2:23: error: there is no model named `nowhere`"), "{said}");
}
