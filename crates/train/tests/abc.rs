//! ABC is read as its standard says, and any text at all is read without a panic.

use latentd::media::melody::{Note, Step, quantise};
use latentd_train::data::melodies::abc::{AbcTune, TICKS_PER_QUARTER, read};
use proptest::prelude::*;

fn one(header: &str, music: &str) -> AbcTune {
    let tunes = read(&format!("X:1\nT:Test\n{header}\n{music}\n"));
    assert_eq!(tunes.len(), 1);
    tunes.into_iter().next().expect("a tune")
}

/// Pitches, and lengths in 16ths.
fn notes(header: &str, music: &str) -> Vec<(u8, f64)> {
    let quarter = f64::from(TICKS_PER_QUARTER);
    one(header, music).notes.iter().map(|n| (n.pitch, (n.end - n.start) as f64 / quarter * 4.0)).collect()
}

#[test]
fn pitches_follow_key_accidentals_and_octaves() {
    let pitches = |header: &str, music: &str| notes(header, music).iter().map(|n| n.0).collect::<Vec<_>>();
    assert_eq!(pitches("K:C", "C,C c c'"), [48, 60, 72, 84]);
    assert_eq!(pitches("K:D", "FCfc"), [66, 61, 78, 73]);
    // An accidental holds to the end of its bar.
    assert_eq!(pitches("K:D", "=F F | F _B ^^C"), [65, 65, 66, 70, 62]);
    assert_eq!(pitches("K:Gm", "B [K:G] B"), [70, 71]);
}

#[test]
fn lengths_follow_unit_broken_rhythm_tuplets_and_ties() {
    let lengths = |header: &str, music: &str| notes(header, music).iter().map(|n| n.1).collect::<Vec<_>>();
    assert_eq!(lengths("L:1/8\nK:C", "C C2 C/ C// C3/2"), [2.0, 4.0, 1.0, 0.5, 3.0]);
    // 2/4 is below 3/4: the unit is a 16th; in 4/4 it is an eighth.
    assert_eq!(lengths("M:2/4\nK:C", "C"), [1.0]);
    assert_eq!(lengths("M:C\nK:C", "C"), [2.0]);
    assert_eq!(lengths("L:1/8\nK:C", "C>D E<F G>>A"), [3.0, 1.0, 1.0, 3.0, 3.5, 0.5]);
    let third = 4.0 / 3.0;
    assert_eq!(lengths("L:1/8\nK:C", "(3CDE F"), [third, third, third, 2.0]);
    // A tie joins the same pitch, across a bar line too; between others it is a slur.
    assert_eq!(lengths("L:1/8\nK:C", "C2-|C2 D-E"), [8.0, 2.0, 2.0]);
}

#[test]
fn signs_that_are_no_notes_are_passed_over() {
    let plain = notes("L:1/8\nK:G", "G A B c");
    assert_eq!(notes("L:1/8\nK:G", "\"Am\"G !trill!A ~B {Bc}c % comment"), plain);
    assert_eq!(notes("L:1/8\nK:G", "vG uA .B (c)"), plain);
    assert_eq!(notes("L:1/8\nK:G", "|: G A |1 B c :|\nw: la la la"), plain);
    assert_eq!(notes("L:1/8\nK:G", "[EG] [FA] [DB] [Gc]"), plain);
}

#[test]
fn bars_are_where_full_bars_start() {
    let tune = one("M:2/4\nL:1/8\nK:C", "C | DEFG | ABcd | e :|");
    let quarter = u64::from(TICKS_PER_QUARTER);
    assert_eq!(tune.bars, [quarter / 2, quarter / 2 + 2 * quarter]);
    assert_eq!(tune.title, "Test");
}

#[test]
fn several_tunes_in_a_file_are_several() {
    let tunes = read("X:1\nT:One\nK:C\nCDE\n\nX:2\nT:Two\nM:6/8\nK:G\nGAB\n");
    assert_eq!(tunes.iter().map(|tune| tune.title.as_str()).collect::<Vec<_>>(), ["One", "Two"]);
}

/// It was learnt as notes.
#[test]
fn what_is_written_after_a_tune_is_no_music() {
    assert_eq!(notes("L:1/8\nK:C", "CDE\n% a remark\nF\n\nAnother good reel from Galway"), notes("L:1/8\nK:C", "CDEF"));
}

/// Its rhythm and fields changed the first voice.
#[test]
fn a_second_voice_changes_nothing() {
    let alone = notes("L:1/8\nM:4/4\nK:C", "CDEF GABc | CDEF GABc");
    let with = "V:1\nCDEF GABc |\nV:2\nK:D\nL:1/4\nA>B (3cde |\nV:1\nCDEF GABc";
    assert_eq!(notes("L:1/8\nM:4/4\nK:C", with), alone);
}

#[test]
fn clefs_are_no_accidentals() {
    for clef in ["clef=bass", "clef=alto middle=d", "bass"] {
        assert_eq!(notes(&format!("K:F {clef}"), "B d e"), notes("K:F", "B d e"), "{clef}");
    }
}

/// A tune of 16ths as ABC writes it with `L:1/16` in C major.
fn written(tune: &[(u8, u64)]) -> String {
    let name = |pitch: u8| {
        let classes = ["C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B"];
        let class = classes[usize::from(pitch % 12)];
        // Accidentals hold in their bar, so every note tells its own.
        let class = if class.starts_with('^') { class.to_owned() } else { format!("={class}") };
        match i32::from(pitch) / 12 - 5 {
            low if low < 0 => class + &",".repeat(low.unsigned_abs() as usize),
            high => class + &"'".repeat(high as usize),
        }
    };
    let notes: Vec<String> = tune.iter().map(|(pitch, length)| format!("{}{length}", name(*pitch))).collect();
    format!("X:1\nT:T\nL:1/16\nM:4/4\nK:C\n{}\n", notes.join(" "))
}

proptest! {
    #[test]
    fn any_tune_of_16ths_is_read_as_it_was_written(tune in prop::collection::vec((24u8..108, 1u64..17), 1..40)) {
        let read = read(&written(&tune));
        let mut now = 0;
        let expected: Vec<Note> = tune.iter().map(|(pitch, length)| {
            let start = now;
            now += length * u64::from(TICKS_PER_QUARTER) / 4;
            Note { start, end: now, pitch: *pitch, velocity: 80 }
        }).collect();
        prop_assert_eq!(&read[0].notes, &expected);
        let steps = quantise(&read[0].notes, TICKS_PER_QUARTER);
        prop_assert_eq!(steps.iter().filter(|step| matches!(step, Step::Note(_))).count(), tune.len());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[A-Ga-gzZxX0-9|:\\[\\](){}<>/'^_=,.\"!+&~\\- \nKLMVT%*]{0,300}") {
        let _ = read(&text);
        for tune in read(&format!("X:1\nM:6/8\nK:D\n{text}")) {
            prop_assert!(tune.notes.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert!(tune.notes.iter().all(|note| note.start < note.end));
        }
    }
}
