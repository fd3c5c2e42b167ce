//! A program that uses the library and gives it what does not fit is told so: nothing panics, and nothing is spoilt in silence.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use latentd::Kind;
use latentd::crew::Crew;
use latentd::media::Media;
use latentd::media::audio::{Audio, AudioRead, Block, Chain, Delay, Depth, Format, Memory, Process, encode};
use latentd::media::image::{self, Image, Layout, Metadata, Samples};
use latentd::model::{Models, Stream};
use latentd::stage::{self, Context, Site};

fn tone(rate: u32, channels: usize) -> Memory {
    let plane: Vec<f32> = (0..rate).map(|n| (n as f32 * 0.05).sin() * 0.1).collect();
    Memory::new(rate, Block::from_planes(vec![plane; channels]))
}

/// Sound of 16 kHz came out at 48 kHz, three times as fast; of stereo one channel was gone.
#[test]
fn a_process_for_another_format_is_refused() {
    let model = Models::default().get("denoise-speech", Path::new("/nowhere")).unwrap();
    for (rate, channels) in [(16_000, 1), (48_000, 2)] {
        let stream = Stream::new(&model, 1).unwrap();
        let error = Audio::new(tone(rate, channels), Depth::Float).through(stream).read_all().unwrap_err();
        assert!(error.kind() == Kind::Bug && error.to_string().contains("48000 Hz and 1 channels"), "{error}");
        // As it is meant.
        let fitting = Stream::new(&model, 1).unwrap().at(Format { rate, channels }).unwrap();
        let found = Audio::new(tone(rate, channels), Depth::Float).through(fitting).read_all().unwrap();
        assert_eq!((found.frames(), found.channels()), (rate as usize, channels));
    }
    let mut chain = Chain::new(Format { rate: 48_000, channels: 1 });
    chain.push(Box::new(Delay::new(Format { rate: 44_100, channels: 2 }, 10)));
    let mut out = Block::new(2);
    assert_eq!(chain.process(&Block::new(1), &mut out).unwrap_err().kind(), Kind::Bug);
    let mut stream = Stream::new(&model, 2).unwrap();
    for (input, output) in [(1, 2), (2, 1)] {
        let error = stream.process(&Block::new(input), &mut Block::new(output)).unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
    }
}

/// What was no whole frame swapped the channels of all that came later.
#[test]
fn samples_that_make_no_frame_are_dropped() {
    let mut block = Block::new(2);
    block.append_interleaved([1.0, 2.0, 3.0]);
    block.append_interleaved([4.0, 5.0, 6.0]);
    assert_eq!(block.interleaved().collect::<Vec<_>>(), [1.0, 2.0, 4.0, 5.0]);
}

/// The model was blamed for them.
#[test]
fn samples_that_are_no_numbers_are_silence() {
    let mut memory = Memory::new(48_000, Block::from_planes(vec![vec![0.5, f32::NAN, f32::INFINITY]]));
    let mut block = Block::new(1);
    memory.read(&mut block).unwrap();
    assert_eq!(block.plane(0), [0.5, 0.0, 0.0]);
}

/// hound divided by zero, and the output was blamed for 12 bits.
#[test]
fn a_depth_that_there_is_not_is_refused() {
    for bits in [0, 12, 64] {
        let audio = Audio::new(tone(8_000, 1), Depth::Integer(bits));
        let error = encode::write(audio, &mut std::io::Cursor::new(Vec::new())).unwrap_err();
        assert_eq!(error.kind(), Kind::Bug, "{error}");
    }
}

/// Stages divided by zero, indexed beyond the end, or left the rest out.
#[test]
fn a_picture_of_another_size_than_its_samples_is_refused() {
    let models = Models::default();
    let site = Site { models: &models, folder: Path::new("/nowhere") };
    let all = [("model", "denoise-photo-fast".into())];
    let denoise = stage::named("denoise", all, &site).unwrap();
    let context = Context { crew: Crew::alone(), intermediate: false };
    for (width, height, count) in [(0, 0, 0), (64, 64, 100), (8, 8, 1000), (usize::MAX, 2, 6)] {
        let samples = Samples::U8(vec![7; count]);
        let image = Image {
            width,
            height,
            layout: Layout::Rgb,
            samples,
            depth: image::Depth::Eight,
            metadata: Metadata::default(),
        };
        assert_eq!(stage::estimate_sigma(&image), 0.0);
        let error = denoise.run(vec![Media::Image(image)], &context).unwrap_err();
        assert!(error.kind() == Kind::Bug && error.to_string().contains("make no"), "{error}");
    }
}

/// Whoever could write into the current folder chose the network.
#[test]
fn a_model_in_the_current_folder_is_taken_only_by_who_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let planted = folder.path().join("models/denoise-photo");
    std::fs::create_dir_all(&planted).unwrap();
    std::fs::write(planted.join("card.yaml"), "garbage").unwrap();
    assert!(Models::default().get("denoise-photo", folder.path()).is_ok());
    let error = Models::default().with_projects().get("denoise-photo", folder.path()).err().unwrap();
    assert!(error.to_string().contains("models/denoise-photo/card.yaml"), "{error}");
}

/// A model trained anew was not used where the pipeline lay beside the shipped one.
#[test]
fn a_folder_that_somebody_names_comes_before_a_projects_own() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits-denoise");
    for at in ["project/models", "mine"] {
        let to = folder.path().join(at).join("digits-denoise");
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(&shipped).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let place = |models: Models| {
        models.with_projects().get("digits-denoise", &folder.path().join("project")).unwrap().place.to_string()
    };
    assert!(place(Models::default()).contains("project"));
    assert!(place(Models::default().first_in(&[folder.path().join("mine")])).contains("mine"));
}

/// It was the struct with its fields.
#[test]
fn an_error_that_ends_a_program_reads_as_one_for_people() {
    let error = Models::default().get("denoise-foto", Path::new("/nowhere")).err().unwrap();
    assert_eq!(
        format!("{error:?}"),
        "there is no model named `denoise-foto` (model)\nhelp: did you mean `denoise-photo`?"
    );
}
