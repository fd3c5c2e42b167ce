//! Onto the grid of 16ths and back: nothing is lost that lies on it, and what does not is told.

mod melody_common;

use latentd::media::melody::{
    HIGHEST, LOWEST, Line, Meter, Note, Part, STEP_CLASSES, Score, Step, dequantise, drum_notes, drum_pattern, lines,
    quantise, quantise_aloud, roll, stretches,
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
    piece.meters = vec![Meter { tick: 0, beats: 9, unit_log2: 2 }];
    let refusal = stretches(&piece, 96, 32).expect_err("too long");
    assert!(refusal.to_string().contains("a bar of 9/4 has 36 16th notes, and the model takes 32"), "{refusal}");
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
