//! Onto the grid of 16ths and back: nothing is lost that lies on it, and what does not is told.

mod melody_common;

use latentd::media::melody::{
    HIGHEST, LOWEST, Line, Melody, Meter, Note, Part, STEP_CLASSES, Score, Step, Tempo, Voice, dequantise, drum_notes,
    drum_pattern, lines, quantise, quantise_aloud, roll, stretches,
};
use melody_common::{JACQUES, MAMAN, repeated, shown, tune};
use proptest::prelude::*;

/// Steps as a tune has them: no silence after silence, none held before the first note.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (LOWEST..=HIGHEST).prop_map(Step::Note),
        Just(Step::Hold),
        Just(Step::Hold),
        Just(Step::Hold),
        Just(Step::Off),
    ];
    prop::collection::vec(step, 1..100).prop_map(|steps| {
        let mut sounds = false;
        let clean = steps.into_iter().map(|step| match step {
            Step::Off if !sounds => Step::Hold,
            other => {
                sounds = match other {
                    Step::Note(_) => true,
                    Step::Off => false,
                    Step::Hold => sounds,
                };
                other
            }
        });
        clean.collect()
    })
}

proptest! {
    #[test]
    fn a_grid_survives_as_notes(steps in steps(), quarters in 1u16..200) {
        let ticks = 4 * quarters;
        let again = quantise(&dequantise(&steps, ticks, 90), ticks);
        // The grid ends with its last note.
        let rest = &steps[again.len().min(steps.len())..];
        prop_assert_eq!(&again[..], &steps[..again.len()]);
        prop_assert!(rest.iter().all(|step| !matches!(step, Step::Note(_))), "{:?}", rest);
    }

    #[test]
    fn notes_never_overlap_on_the_grid_and_stay_in_range(
        notes in prop::collection::vec((0u64..5000, 0u64..3000, 0u8..128), 0..60),
        ticks in 1u16..2000,
    ) {
        let notes: Vec<Note> = notes
            .into_iter()
            .map(|(start, length, pitch)| Note { start, end: start + length, pitch, velocity: 64 })
            .collect();
        for step in quantise(&notes, ticks) {
            if let Step::Note(pitch) = step {
                prop_assert!((LOWEST..=HIGHEST).contains(&pitch));
            }
        }
    }

    #[test]
    fn classes_and_rolls_are_undone(steps in steps()) {
        for class in 0..STEP_CLASSES {
            prop_assert_eq!(Step::from_class(class).class(), class);
        }
        let line = vec![Line::Notes(steps)];
        prop_assert_eq!(lines(&roll(&line, &[Part::Melody]), &[Part::Melody]), line);
    }

    #[test]
    fn drums_survive_as_notes(mut hits in prop::collection::vec(0u16..512, 1..64)) {
        hits.push(1);
        prop_assert_eq!(drum_pattern(&drum_notes(&hits, 480, 90), 480), hits);
    }
}

#[test]
fn tunes_stand_on_the_grid_as_they_are_written() {
    let steps = quantise(&tune(JACQUES).voices[0].notes, 480);
    assert_eq!(shown(&steps[64..96]), "g4-a4- g4-f4- e4--- c4--- | g4-a4- g4-f4- e4--- c4---");
    let rests = quantise(&tune("c4:3 r:1 d4:4").voices[0].notes, 480);
    assert_eq!(shown(&rests), "c4--. d4---");
}

#[test]
fn the_highest_of_a_chord_is_heard_and_the_rest_is_told() {
    let chord = [60, 64, 67].map(|pitch| Note { start: 0, end: 480, pitch, velocity: 80 });
    let quantised = quantise_aloud(&chord, 480);
    assert_eq!(shown(&quantised.steps), "g4---");
    assert_eq!(quantised.remark().as_deref(), Some("of 3 notes 2 below others that sound with them are left out"));
}

/// A held note over others was broken off by the first of them.
#[test]
fn what_accompanies_a_held_note_is_left_out_and_what_is_bound_to_it_is_not() {
    let note = |start: u64, end: u64, pitch| Note { start: start * 120, end: end * 120, pitch, velocity: 80 };
    let held = [note(0, 8, 84), note(0, 2, 48), note(2, 4, 55), note(4, 8, 52), note(8, 12, 83)];
    let quantised = quantise_aloud(&held, 480);
    assert_eq!(shown(&quantised.steps), "c6--- ---- b5---");
    assert_eq!(quantised.hidden, 3);
    assert_eq!(shown(&quantise(&[note(0, 5, 67), note(4, 8, 64)], 480)), "g4--- e4---");
}

/// Of all that begin within a step the highest was heard: a short note from above, and then silence.
#[test]
fn what_ornaments_a_note_is_left_out_and_told() {
    for bound in [0, 5] {
        let quarter = |at: u64, pitch: u8| {
            let (start, end) = (480 * at, 480 * (at + 1));
            let ornament = Note { start, end: start + 40 + bound, pitch: pitch + 2, velocity: 90 };
            [ornament, Note { start: start + 40, end, pitch, velocity: 90 }]
        };
        let notes = [quarter(0, 60), quarter(1, 64)].concat();
        let made = quantise_aloud(&notes, 480);
        let hold = Step::Hold;
        assert_eq!(made.steps, [Step::Note(60), hold, hold, hold, Step::Note(64), hold, hold, hold]);
        assert_eq!((made.ornaments, made.hidden), (2, 0));
        assert!(made.remark().is_some_and(|said| said.contains("2 that share a 16th with a longer one are left out")));
    }
}

#[test]
fn triplets_go_to_the_nearest_16th_aloud() {
    let triplet = [0, 160, 320].map(|start| Note { start, end: start + 160, pitch: 60, velocity: 80 });
    let quantised = quantise_aloud(&triplet, 480);
    assert_eq!(shown(&quantised.steps), "c4c4-c4");
    assert_eq!(quantised.remark().as_deref(), Some("of 3 notes 2 of triplets go to the nearest 16th"));
}

#[test]
fn stretches_are_of_whole_bars_in_any_meter() {
    let mut piece = repeated(&tune(MAMAN), 2);
    let lengths = |piece: &latentd::media::Melody| -> Vec<usize> {
        stretches(piece, 96, 32).expect("fits").iter().map(|stretch| stretch.length).collect()
    };
    assert_eq!(lengths(&piece), [32, 32, 32]);
    piece.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }];
    assert_eq!(lengths(&piece), [24, 24, 24, 24]);
    piece.meters = vec![Meter { tick: 0, beats: 6, unit_log2: 3 }];
    assert_eq!(lengths(&piece), [24, 24, 24, 24]);
    piece.meters = vec![Meter { tick: 0, beats: 4, unit_log2: 2 }, Meter { tick: 4 * 480, beats: 3, unit_log2: 2 }];
    assert_eq!(lengths(&piece), [28, 24, 24, 24]);
    // A bar longer than the window was refused, and the mend led to a model that refused it too.
    piece.meters = vec![Meter { tick: 0, beats: 9, unit_log2: 2 }];
    assert_eq!(lengths(&piece), [20, 16, 20, 16, 20, 16]);
    piece.meters = vec![Meter { tick: 0, beats: 5, unit_log2: 5 }];
    assert!(stretches(&piece, 96, 32).expect_err("no 16ths").mend_text().is_some());
}

#[test]
fn stretches_put_together_are_the_tune_and_keep_its_sound() {
    let mut piece = tune("c4:4 d4:4 e4:4 f4:12 g4:16 r:4 a4:12 b4:4");
    piece.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }];
    piece.voices[0].program = 73;
    piece.voices[0].notes[3].velocity = 120;
    let score = Score::of(&piece, &[Part::Melody], 32, Default::default()).expect("a score");
    let lines = score.assemble(&score.windows(32));
    assert_eq!(lines, score.lines);
    assert_eq!(score.compose(&lines), piece);
}

/// Sixteenths fell together into chords where a file counts few ticks.
#[test]
fn few_ticks_are_made_finer() {
    for (ticks, fine) in [(1, 96), (10, 100), (24, 96), (120, 120), (99, 396), (16_383, 16_383)] {
        let mut piece = Melody::new(ticks);
        let notes = (0..8).map(|at| at * u64::from(ticks)).map(|start| Note {
            start,
            end: start + u64::from(ticks),
            pitch: 60,
            velocity: 80,
        });
        piece.voices.push(Voice { notes: notes.collect(), programs: vec![(u64::from(ticks), 7)], ..Voice::default() });
        let score = Score::of(&piece, &[Part::Melody], 32, Default::default()).expect("a score");
        assert_eq!(score.frame.ticks_per_quarter, fine);
        assert_eq!(score.voices[0].programs, [(u64::from(fine), 7)]);
        assert_eq!(score.compose(&score.lines).seconds(), piece.seconds());
        let sixteenths = score.compose(&[Line::Notes(vec![Step::Note(72); 16])]);
        let mut starts: Vec<u64> = sixteenths.voices[0].notes.iter().map(|note| note.start).collect();
        starts.dedup();
        assert_eq!(starts.len(), 16, "{ticks}");
    }
}

/// The last note before a long rest was held for all of it.
#[test]
fn a_long_rest_stays_silent() {
    // The model forgets where silence starts.
    let forgetful = |score: &Score| -> Vec<Vec<Line>> {
        let forget = |line: Line| match line {
            Line::Notes(steps) => {
                Line::Notes(steps.into_iter().map(|step| if step == Step::Off { Step::Hold } else { step }).collect())
            }
            hits => hits,
        };
        score.windows(32).into_iter().map(|lines| lines.into_iter().map(forget).collect()).collect()
    };
    let of = |text: &str| Score::of(&tune(text), &[Part::Melody], 32, Default::default()).expect("a score");
    let seam = of("c4:16 d4:16 r:320 e4:4");
    assert_eq!(seam.assemble(&forgetful(&seam)), seam.lines);
    // It lasted to the end of the stretch that it is in.
    for inside in ["c4:4 d4:4 r:340 e4:4", "c4:40 r:300 e4:4", "r:4 c4:4 r:40 e4:20"].map(of) {
        assert_eq!(inside.assemble(&forgetful(&inside)), inside.lines);
    }
    // What is held through a stretch is no silence.
    let held = of("c4:100 d4:4");
    assert_eq!(held.assemble(&held.windows(32)), held.lines);

    // Between two, it is silent where both are.
    let (a, b) = (of("c4:32 r:64 d4:4"), of("e4:32 r:32 e4:32 d4:4"));
    let noisy: Vec<Vec<Line>> = (0..4).map(|_| vec![Line::Notes(vec![Step::Note(70); 32])]).collect();
    let between = Score::between(&[(&a, 0.5), (&b, 0.5)], 1).assemble(&noisy);
    let Line::Notes(steps) = &between[0] else { unreachable!("notes") };
    let struck = |from: usize| steps[from..from + 4].iter().all(|step| matches!(step, Step::Note(_)));
    assert_eq!([0, 32, 64, 96].map(struck), [true, false, true, true]);
}

/// Of what is told within the first 16th only what the piece begins with was.
#[test]
fn what_is_told_last_within_a_step_counts_when_a_piece_begins_anew() {
    let mut short = tune("c4:16 d4:16");
    short.voices[0].program = 40;
    short.voices[0].programs = vec![(10, 7), (60, 73)];
    short.tempos.extend([10, 60].map(|tick| Tempo { tick, microseconds: 400_000 + tick as u32 }));
    let of = |piece: &Melody| Score::of(piece, &[Part::Melody], 32, Default::default()).expect("a score");
    let (short, long) = (of(&short), of(&repeated(&tune("e4:32"), 2)));
    let between = Score::between(&[(&short, 1.0), (&long, 0.0)], 1);
    assert_eq!(between.voices[0].program, 40);
    assert_eq!(between.voices[0].programs, [(60, 73), (3840, 40), (3900, 73)]);
    let tempos: Vec<_> = between.frame.tempos.iter().map(|tempo| (tempo.tick, tempo.microseconds)).collect();
    assert_eq!(tempos, [(0, 500_000), (60, 400_060), (3840, 500_000), (3900, 400_060)]);
}

#[test]
fn what_drums_and_basses_lose_is_told() {
    let mut piece = Melody::new(480);
    let note = |start: u64, pitch: u8| Note { start, end: start + 60, pitch, velocity: 80 };
    let notes = vec![note(0, 36), note(400, 38), note(480, 62), note(960, 63)];
    piece.voices.push(Voice { channel: 9, notes, ..Voice::default() });
    let remarks =
        |piece: &Melody, parts: &[Part]| Score::of(piece, parts, 32, Default::default()).expect("a score").remarks;
    let told = "of 4 drums 1 off the grid go to the nearest 16th, 2 that are not of a drum kit are left out";
    assert_eq!(remarks(&piece, &[Part::Drums]), [told]);
    let mut song = tune(MAMAN);
    let notes = vec![note(0, 40), note(0, 43)];
    song.voices.push(Voice { track: 1, channel: 1, program: 33, notes, ..Voice::default() });
    let told = remarks(&song, &[Part::Melody, Part::Bass]);
    assert!(told.iter().any(|remark| remark == "the bass is track 2, channel 2, 2 notes"), "{told:?}");
    assert!(told.iter().any(|remark| remark.starts_with("in the bass, of 2 notes 1 below others")), "{told:?}");
}
