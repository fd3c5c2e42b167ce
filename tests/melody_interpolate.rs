//! From one tune to another: the ends are the tunes, the way is smooth, everything that a file tells beside its notes is kept, and the very
//! same comes out of the verb and the pipeline.

mod common;
mod melody_common;

use latentd::media::melody::{Line, Meter, Part, Tempo, quantise};
use latentd::media::{Media, Melody};
use latentd::stage::codec::{Codec, MelodyCodec};
use latentd::stage::interpolate::{slerp, stops, walk};
use melody_common::{JACQUES, MAMAN, bytes, load, model, repeated, save, shown, tune};

fn steps(melody: &Melody) -> Line {
    Line::Notes(quantise(&melody.voices[0].notes, melody.ticks_per_quarter))
}

fn melody(media: &Media) -> &Melody {
    match media {
        Media::Melody(melody) => melody,
        other => panic!("not a melody: {other:?}"),
    }
}

fn two_bars() -> MelodyCodec {
    MelodyCodec::open(&model("melody-2bar")).expect("a codec")
}

#[test]
fn the_morph_of_two_tunes_is_the_one_that_was_looked_at() {
    let codec = two_bars();
    let [from, to] = [MAMAN, JACQUES].map(|text| Media::Melody(tune(text)));
    let way = walk(&codec, &from, &to, 9).expect("a way");
    let mut text = String::new();
    for piece in &way {
        let Line::Notes(steps) = steps(melody(piece)) else { unreachable!("quantised to notes") };
        text += &shown(&steps[..32.min(steps.len())]);
        text.push('\n');
    }
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/melody/morph.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).expect("written");
    }
    assert_eq!(text, std::fs::read_to_string(&golden).expect("a golden file"));
}

#[test]
fn the_ends_are_the_tunes_and_every_step_leads_away_from_the_first() {
    let codec = two_bars();
    let [a, b] = [MAMAN, JACQUES].map(tune);
    let way = walk(&codec, &Media::Melody(a.clone()), &Media::Melody(b.clone()), 9).expect("a way");
    let way: Vec<Line> = way.iter().map(|piece| steps(melody(piece))).collect();
    assert!(way[0].distance(&steps(&a)) < 0.05, "{:?}", way[0]);
    assert!(way[8].distance(&steps(&b)) < 0.05, "{:?}", way[8]);
    let from_a: Vec<f64> = way.iter().map(|line| line.distance(&way[0])).collect();
    let back = from_a.windows(2).filter(|pair| pair[1] + 0.02 < pair[0]).count();
    assert_eq!(back, 0, "{from_a:?}");
    let whole = way[0].distance(&way[8]);
    let largest = way.windows(2).map(|pair| pair[0].distance(&pair[1])).fold(0.0, f64::max);
    assert!(largest < 0.5 * whole, "a step takes {largest} of {whole}");
}

/// In five steps and in six the one was glued to the end of the other, and nothing between was a tune of the model's.
#[test]
fn a_walk_in_few_steps_leads_over_tunes_between_too() {
    let codec = two_bars();
    let [a, mut b] = [MAMAN, JACQUES].map(tune);
    b.voices[0].notes.iter_mut().for_each(|note| note.pitch += 6);
    let onsets = |line: &Line| match line {
        Line::Notes(steps) => latentd::media::melody::onsets(steps).collect::<Vec<_>>(),
        other => panic!("not notes: {other:?}"),
    };
    for count in [3, 4, 5, 6, 7, 11] {
        let way = walk(&codec, &Media::Melody(a.clone()), &Media::Melody(b.clone()), count).expect("a way");
        let way: Vec<Line> = way.iter().map(|piece| steps(melody(piece))).collect();
        let (first, last) = (&way[0], &way[count - 1]);
        for pair in way.windows(2) {
            assert!(pair[1].distance(first) + 0.02 > pair[0].distance(first), "{count}: {pair:?}");
            assert!(pair[1].distance(last) < pair[0].distance(last) + 0.02, "{count}: {pair:?}");
        }
        let known = [onsets(first), onsets(last)].concat();
        for piece in &way[1..count - 1] {
            let struck = onsets(piece);
            let own = struck.iter().filter(|onset| !known.contains(onset)).count();
            assert!(own as f64 > 0.08 * struck.len() as f64, "{count}: {own} of {struck:?}");
        }
    }
}

#[test]
fn tempo_instrument_loudness_and_length_survive_the_way_through_the_model() {
    let codec = two_bars();
    let mut piece = repeated(&tune(JACQUES), 3);
    piece.tempos = vec![Tempo { tick: 0, microseconds: 350_000 }, Tempo { tick: 7680, microseconds: 450_000 }];
    piece.voices[0].program = 73;
    piece.voices[0].channel = 4;
    let half = piece.voices[0].notes.len() / 2;
    piece.voices[0].notes[half..].iter_mut().for_each(|note| note.velocity = 50);
    let rebuilt = codec.reconstruct(&Media::Melody(piece.clone())).expect("rebuilt");
    let rebuilt = melody(&rebuilt);
    assert_eq!((&rebuilt.tempos, &rebuilt.meters), (&piece.tempos, &piece.meters));
    assert_eq!((rebuilt.voices[0].program, rebuilt.voices[0].channel), (73, 4));
    assert_eq!(rebuilt.end(), piece.end());
    let loud: Vec<u8> = rebuilt.voices[0].notes.iter().map(|note| note.velocity).collect();
    assert_eq!((loud[0], loud[loud.len() - 1]), (90, 50));
    assert!(steps(rebuilt).distance(&steps(&piece)) < 0.05);
}

/// The last note before a rest of ten minutes sounded for all of them, and then to the end of the two bars that it is in.
#[test]
fn no_note_is_held_over_a_long_rest() {
    let codec = two_bars();
    let rests =
        |before: &str, rest: u64| Media::Melody(tune(&format!("{before} r:{rest} g4:4 f4:4 e4:8 d4:4 c4:4 c4:8")));
    for (before, length) in [("c4:4 d4:4 e4:8 f4:4 g4:4 a4:8", 32), ("c4:4 d4:4 e4:4", 12)] {
        let rebuilt = codec.reconstruct(&rests(before, 672 - length)).expect("rebuilt");
        let notes = &melody(&rebuilt).voices[0].notes;
        let (start, end) = (120 * length, 120 * 672);
        assert!(notes.iter().all(|note| note.end <= start || note.start >= end), "{notes:?}");
    }
    let longest = |piece: &Media| {
        let notes = melody(piece).voices.iter().flat_map(|voice| &voice.notes);
        notes.map(|note| (note.end - note.start) / 120).max().unwrap_or(0)
    };
    let from = rests("c4:4 d4:4 e4:8 f4:4 g4:4 a4:8", 640);
    let way = walk(&codec, &from, &Media::Melody(tune(MAMAN)), 5).expect("a way");
    assert!(way.iter().all(|piece| longest(piece) <= 64), "{:?}", way.iter().map(longest).collect::<Vec<_>>());
}

/// Seven steps did next to nothing, and the last did the rest: where the meter changed, all had changed.
#[test]
fn a_walk_to_another_meter_goes_step_by_step() {
    let codec = two_bars();
    let mut waltz = tune(&"g4:4 c5:4 c5:4 e5:8 d5:4 c5:4 b4:4 c5:4 d5:12 ".repeat(2));
    waltz.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }];
    let way = stops(&codec, &Media::Melody(tune(MAMAN)), &Media::Melody(waltz), 9).expect("a way");
    let places: Vec<f64> = way.iter().map(|stop| stop.place).collect();
    assert_eq!((places[0], places[8]), (0.0, 1.0));
    assert!(places.windows(2).all(|pair| (0.05..0.25).contains(&(pair[1] - pair[0]))), "{places:?}");
    let beats: Vec<u8> = way.iter().map(|stop| melody(&stop.piece).meters[0].beats).collect();
    assert_eq!(beats, [4, 4, 4, 4, 3, 3, 3, 3, 3]);
}

#[test]
fn a_waltz_goes_bar_by_bar() {
    let codec = two_bars();
    let mut waltz =
        tune("g4:4 c5:4 c5:4 e5:8 d5:4 c5:4 b4:4 c5:4 d5:12 g4:4 d5:4 d5:4 f5:8 e5:4 d5:4 c#5:4 d5:4 e5:12");
    waltz.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }];
    let score = codec.score(&waltz).expect("a score");
    assert!(score.stretches.iter().all(|stretch| stretch.length == 24));
    let rebuilt = codec.reconstruct(&Media::Melody(waltz.clone())).expect("rebuilt");
    assert!(steps(melody(&rebuilt)).distance(&steps(&waltz)) < 0.1);
    assert_eq!(melody(&rebuilt).meters, waltz.meters);
}

#[test]
fn the_shorter_tune_begins_anew_and_the_tempo_goes_along() {
    let codec = two_bars();
    let (mut short, mut long) = (tune(MAMAN), repeated(&tune(JACQUES), 2));
    short.tempos[0].microseconds = 400_000;
    long.tempos[0].microseconds = 900_000;
    let way = walk(&codec, &Media::Melody(short), &Media::Melody(long), 3).expect("a way");
    let tempos: Vec<u32> = way.iter().map(|piece| melody(piece).tempos[0].microseconds).collect();
    assert_eq!(tempos, [400_000, 600_000, 900_000]);
    let bars: Vec<u64> = way.iter().map(|piece| melody(piece).end().div_ceil(4 * 480)).collect();
    assert_eq!(bars, [16, 16, 16]);
}

#[test]
fn the_verb_writes_all_that_it_promises_and_the_pipeline_the_same_tunes() {
    let home = common::Home::new();
    let inbox = home.folder("inbox");
    save(&tune(MAMAN), &inbox.join("a.mid"));
    save(&tune(JACQUES), &inbox.join("b.mid"));
    let run = home.run(&["interpolate", "inbox/a.mid", "inbox/b.mid", "--steps", "5", "--out", "morph"]);
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    // Remarks did not tell which of the two they are about.
    assert!(run.status.success() && told.contains("of the second: the melody is"), "{told}");
    let names =
        ["01.mid", "02.mid", "03.mid", "04.mid", "05.mid", "all.mid", "all.wav"].map(|n| format!("morph/morph-{n}"));
    for name in names.iter().map(String::as_str).chain(["morph/morph.png"]) {
        assert!(std::fs::metadata(home.path(name)).is_ok_and(|file| file.len() > 100), "{name}");
    }
    let wav = std::fs::read(home.path("morph/morph-all.wav")).expect("a WAV file");
    assert!(wav.starts_with(b"RIFF") && wav[100_000..].chunks(2).any(|sample| sample[1] != 0), "silence");

    // What a verb made before stays, and so does a tune that comes from there.
    let before = std::fs::read(home.path("morph/morph-01.mid")).expect("a file");
    let again =
        home.run(&["interpolate", "morph/morph-01.mid", "inbox/b.mid", "--steps", "2", "--out", "morph", "--no-wav"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(std::fs::read(home.path("morph/morph-01.mid")).expect("a file"), before);
    assert!(home.path("morph/morph-01-1.mid").exists() && home.path("morph/morph-1.png").exists());

    let pipeline = home.pipeline(
        ", group: 2",
        "interpolate: { model: melody-2bar, steps: 5 }",
        ", name: \"{stem}-{index}.{ext}\"",
    );
    let applied = home.run(&["apply", pipeline.to_str().expect("UTF-8"), "inbox", "--out", "outbox"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    for number in 1..=5 {
        let [verb, stage] =
            [format!("morph/morph-0{number}.mid"), format!("outbox/a+b-{number}.mid")].map(|n| load(&home.path(&n)));
        assert_eq!(verb, stage);
    }
    // Of results that would have one name, all but the last were lost where older ones are written over.
    let text = std::fs::read_to_string(&pipeline).expect("a pipeline");
    let same = text.replace("{stem}-{index}.{ext}", "same.{ext}").replace("outbox,", "outbox, overwrite: true,");
    std::fs::write(&pipeline, same).expect("a pipeline");
    for _ in 0..2 {
        let applied = home.run(&["apply", pipeline.to_str().expect("UTF-8"), "inbox", "--out", "over"]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        assert_eq!(common::count(&home.path("over")), 5);
    }
}

/// Of hundreds each had a few pixels.
#[test]
fn a_picture_of_many_pieces_shows_as_many_as_can_be_read() {
    let home = common::Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    let run = home.run(&["similar", "a.mid", "-n", "26", "--no-wav", "--out", "near"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(told.contains("near/similar.png  to look at: 24 of 26"), "{told}");
}

/// A good tune went to quarantine with a bad one, as if it were the bad one.
#[test]
fn only_the_bad_one_of_two_is_blamed() {
    let home = common::Home::new();
    let inbox = home.folder("inbox");
    save(&tune(MAMAN), &inbox.join("1-good.mid"));
    let mut bad = tune(MAMAN);
    bad.meters[0] = Meter { tick: 0, beats: 5, unit_log2: 5 };
    save(&bad, &inbox.join("2-bad.mid"));
    let pipeline =
        home.pipeline(", group: 2", "interpolate: { model: melody-2bar }", ", name: \"{stem}-{index}.{ext}\"");
    let pipeline = pipeline.to_str().expect("UTF-8");
    for args in [&["apply", pipeline, "inbox"][..], &["interpolate", "inbox/1-good.mid", "inbox/2-bad.mid", "-o", "x"]]
    {
        let run = home.run(args);
        let told = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(65), "{told}");
        assert!(told.contains("2-bad.mid") && !told.contains("1-good.mid: "), "{told}");
    }
}

/// Each file was tried again for ever, of what no file could mend.
#[test]
fn a_pipeline_that_cannot_work_is_refused_at_the_start() {
    let home = common::Home::new();
    let one = "interpolate: { model: melody-2bar }";
    for (group, stages, wrong) in [
        ("", one.to_owned(), "and is given 1"),
        (", group: 3", one.to_owned(), "and is given 3"),
        (", group: 2", format!("{one}, {one}"), "and is given 9"),
    ] {
        let pipeline = home.pipeline(group, &stages, "");
        let run = home.run(&["check", pipeline.to_str().expect("UTF-8")]);
        let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.code() == Some(78) && told.contains(wrong) && told.contains("group: 2"), "{told}");
    }
    for (stage, wrong) in [
        ("interpolate: { model: drums-2bar, track: 1 }", "takes drums"),
        ("interpolate: { track: 1, channel: 1 }", "both say"),
    ] {
        let pipeline = home.pipeline(", group: 2", stage, "");
        let models = format!("{}/models", env!("CARGO_MANIFEST_DIR"));
        let run = home.run(&["check", pipeline.to_str().expect("UTF-8"), "--models", &models]);
        let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.code() == Some(78) && told.contains(wrong), "{told}");
    }
}

/// From its second pass on a shorter tune had the tempo and the loudness of its end.
#[test]
fn a_tune_that_begins_anew_sounds_anew() {
    let codec = two_bars();
    let mut short = tune(MAMAN);
    let end = short.end();
    short.tempos.push(Tempo { tick: end - 480, microseconds: 2_000_000 });
    short.voices[0].notes.iter_mut().filter(|note| note.start >= end - 1920).for_each(|note| note.velocity = 20);
    let long = repeated(&tune(MAMAN), 4);
    let way = walk(&codec, &Media::Melody(short), &Media::Melody(long), 2).expect("a way");
    let first = melody(&way[0]);
    assert!(first.end() > 3 * end && first.end() <= 4 * end);
    assert_eq!(first.tempos.iter().map(|tempo| tempo.tick).collect::<Vec<_>>()[..3], [0, end - 480, end]);
    assert_eq!(first.tempo_at(2 * end), first.tempo_at(0));
    let second: Vec<u8> =
        first.voices[0].notes.iter().filter(|note| note.start >= end).map(|note| note.velocity).collect();
    assert_eq!(second[0], 90);
}

/// Names of files reached the terminal as they are.
#[test]
fn labels_are_told_without_control_characters() {
    let home = common::Home::new();
    save(&tune(MAMAN), &home.path("e\u{1b}[31mred.mid"));
    let run = home.run(&["similar", "e\u{1b}[31mred.mid", "-n", "1", "--no-wav", "--no-png", "--out", "near"]);
    assert!(run.status.success() && !run.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&run.stdout));
}

/// It was told when all else was written.
#[test]
fn a_soundfont_that_is_not_there_is_told_first() {
    let home = common::Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    let run = home.run(&["similar", "a.mid", "--soundfont", "none.sf2", "--out", "near"]);
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.code() == Some(66) && told.contains("none.sf2"), "{told}");
    assert!(!home.path("near").exists());
}

#[test]
fn more_of_a_quality_gives_more_of_it() {
    let codec = two_bars();
    let score = codec.score(&tune(MAMAN)).expect("a score");
    let points = codec.points(&score).expect("points");
    let density = |amount: f32| {
        let direction = codec.direction(&[("density".to_owned(), amount)]).expect("a direction");
        let moved: Vec<Vec<f32>> =
            points.iter().map(|point| point.iter().zip(&direction).map(|(v, d)| v + d).collect()).collect();
        let lines = codec.lines(&moved, &score).expect("lines");
        latentd::media::melody::qualities(&lines[0])[0]
    };
    assert!(
        density(1.0) > density(0.0) && density(0.0) > density(-1.0),
        "{} {} {}",
        density(1.0),
        density(0.0),
        density(-1.0)
    );
    let refusal = codec.direction(&[("densety".to_owned(), 1.0)]).expect_err("no such quality");
    assert!(refusal.mend_text().expect("a mend").contains("`density`"));
}

#[test]
fn what_is_no_melody_is_refused_by_name() {
    let home = common::Home::new();
    let inbox = home.folder("inbox");
    std::fs::write(inbox.join("noise.mid"), b"not music").expect("written");
    save(&tune(MAMAN), &inbox.join("a.mid"));
    let mut drums = tune(MAMAN);
    drums.voices[0].channel = 9;
    save(&drums, &inbox.join("drums.mid"));
    for (file, reason) in [("noise.mid", "no MIDI file"), ("drums.mid", "only drums"), ("absent.mid", "cannot open")] {
        let run = home.run(&["interpolate", "inbox/a.mid", &format!("inbox/{file}"), "--out", "morph"]);
        let told = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && told.contains(reason) && told.contains("help"), "{file}: {told}");
        assert!(told.contains(file), "{file}: {told}");
    }
    let alone = home.run(&["interpolate", "inbox/a.mid", "--out", "morph"]);
    assert_eq!(alone.status.code(), Some(64));
}

#[test]
fn the_arc_keeps_the_ends_and_the_distance_from_the_origin() {
    let (a, b) = ([3.0f32, 0.0, 0.0], [0.0f32, 3.0, 0.0]);
    assert_eq!(slerp(&a, &b, 0.0), a);
    let middle = slerp(&a, &b, 0.5);
    assert!((middle.iter().map(|v| v * v).sum::<f32>().sqrt() - 3.0).abs() < 1e-5);
    assert_eq!(slerp(&a, &a, 0.3), a);
    assert!(slerp(&a, &[-3.0, 0.0, 0.0], 0.5).iter().all(|v| v.is_finite()));
}

#[test]
fn drums_and_songs_go_through_their_models() {
    for (name, parts) in [("drums-2bar", vec![Part::Drums]), ("trio-4bar", vec![Part::Melody, Part::Bass, Part::Drums])]
    {
        let codec = MelodyCodec::open(&model(name)).expect("a codec");
        let mut piece = Melody::new(480);
        for part in &parts {
            let mut voice = match part {
                Part::Melody => repeated(&tune(MAMAN), 1).voices.remove(0),
                Part::Bass => tune(&"c2:8 g2:8 ".repeat(16)).voices.remove(0),
                Part::Drums => {
                    let beat: Vec<u16> = (0..128).map(|at| [1u16, 0, 4, 0, 3, 0, 4, 0][at % 8]).collect();
                    let notes = latentd::media::melody::drum_notes(&beat, 480, 90);
                    latentd::media::melody::Voice { channel: 9, notes, ..Default::default() }
                }
            };
            voice.track = piece.voices.len() + 1;
            voice.channel = if *part == Part::Drums { 9 } else { piece.voices.len() as u8 };
            voice.name = Some(part.name().to_owned());
            piece.voices.push(voice);
        }
        let rebuilt = codec.reconstruct(&Media::Melody(piece.clone())).expect(name);
        let (before, after) = (codec.score(&piece).expect("a score"), codec.score(melody(&rebuilt)).expect("a score"));
        let wrong: f64 =
            before.lines.iter().zip(&after.lines).map(|(a, b)| a.distance(b)).sum::<f64>() / parts.len() as f64;
        assert!(wrong < 0.25, "{name}: {wrong} of the steps differ");
        assert!(!bytes(melody(&rebuilt)).is_empty());
    }
}
