//! What the speech recipe draws: every voice has its share, however the files lie.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use latentd::media::audio::{Audio, Block, Depth, Memory, encode};
use latentd_train::data::speech::{Corpus, RATE, Recording};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn write_wav(path: &Path, seconds: usize) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let samples = (0..seconds * RATE as usize).map(|n| (n as f32 * 0.05).sin() * 0.3).collect();
    let audio = Audio::new(Memory::new(RATE, Block::from_planes(vec![samples])), Depth::Integer(16));
    encode::write(audio, &mut File::create(path).expect("a file")).expect("a WAV file");
}

/// Nine voices of a second each in one folder, and sixteen seconds of one voice in another.
fn lay_out(folder: &Path) {
    for n in 0..9 {
        write_wav(&folder.join(format!("speech/many/{n}.wav")), 1);
    }
    for n in 0..4 {
        write_wav(&folder.join(format!("speech/one/{n}.wav")), 4);
    }
    write_wav(&folder.join("noise/a.wav"), 1);
}

fn load(folder: &Path) -> anyhow::Result<Corpus> {
    Corpus::load(&[folder.join("speech")], &[folder.join("noise")])
}

/// Share of what is drawn that lies in the folder `many`.
fn share_of_many(corpus: &Corpus) -> f64 {
    let mut rng = StdRng::seed_from_u64(1);
    let many = (0..2000).filter(|_| {
        let path = &corpus.speech.draw(&mut rng).draw(&mut rng).path;
        path.parent().is_some_and(|folder| folder.ends_with("many"))
    });
    many.count() as f64 / 2000.0
}

#[test]
fn voices_that_the_index_tells_count_one_by_one_though_they_lie_in_one_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path());
    let without = load(folder.path()).expect("recordings");
    assert_eq!(without.speech.groups(), 2);
    // Roots of 9 and of 16 seconds.
    assert!((share_of_many(&without) - 3.0 / 7.0).abs() < 0.05, "{}", share_of_many(&without));

    let mut index = "seconds,path,speaker\n".to_owned();
    for n in 0..9 {
        index += &format!("1,many/{n}.wav,voice {n}\n");
    }
    index += "4,one/0.wav,ann\n4,one/1.wav,ann\n4,one/2.wav,ann\n4,one/3.wav,ann\n9,not-here.wav,nobody\n";
    fs::write(folder.path().join("speech/index.csv"), index).expect("an index");
    let with = load(folder.path()).expect("recordings");
    assert_eq!(with.speech.groups(), 10);
    // Nine roots of one second and one of sixteen.
    assert!((share_of_many(&with) - 9.0 / 13.0).abs() < 0.05, "{}", share_of_many(&with));
}

#[test]
fn a_speaker_in_several_folders_is_one_voice() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path());
    let mut index = "path,speaker\n".to_owned();
    (0..9).for_each(|n| index += &format!("many/{n}.wav,ann\n"));
    (0..4).for_each(|n| index += &format!("one/{n}.wav,ann\n"));
    fs::write(folder.path().join("speech/index.csv"), index).expect("an index");
    assert_eq!(load(folder.path()).expect("recordings").speech.groups(), 1);
}

#[test]
fn an_index_of_something_else_is_no_harm_and_a_damaged_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path());
    let index = folder.path().join("speech/index.csv");
    fs::write(&index, "song,artist\na,b\n").expect("an index");
    assert_eq!(load(folder.path()).expect("recordings").speech.groups(), 2);
    fs::write(&index, "path,speaker\nmany/0.wav\n").expect("an index");
    let error = format!("{:#}", load(folder.path()).expect_err("a row is too short"));
    assert!(error.contains("index.csv"), "{error}");
}

/// One of hundreds ended the whole training.
#[test]
fn recordings_that_cannot_be_read_are_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path());
    fs::write(folder.path().join("speech/one/0.wav"), b"RIFF and no more").expect("a file");
    assert_eq!(load(folder.path()).expect("recordings").speech.recordings().count(), 12);
    fs::write(folder.path().join("noise/a.wav"), b"").expect("a file");
    let error = format!("{:#}", load(folder.path()).expect_err("no noise is left"));
    assert!(error.contains("none of the 1 audio files"), "{error}");
}

#[test]
fn voices_of_one_recording_each_are_held_out_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..24 {
        write_wav(&folder.path().join(format!("speech/{n:02}/a.wav")), 1);
    }
    write_wav(&folder.path().join("noise/a.wav"), 1);
    let mut corpus = load(folder.path()).expect("recordings");
    let held = corpus.hold_out(12, 1);
    assert_eq!((held.speech.groups(), corpus.speech.groups()), (2, 22));
    let seconds = |corpus: &Corpus| -> BTreeMap<_, usize> {
        corpus.speech.recordings().map(|Recording { path, samples, .. }| (path.clone(), samples.len())).collect()
    };
    let learnt = seconds(&corpus);
    assert!(seconds(&held).keys().all(|path| !learnt.contains_key(path)));
    // One recording of noise is all there is, and is kept.
    assert!(held.noise.is_empty() && !corpus.noise.is_empty());
}
