//! MIDI files of all sorts come in as the notes that they mean, go out as files that others read, and hostile ones are refused with a reason.

mod melody_common;

use latentd::Kind;
use latentd::media::melody::{Choice, Key, Melody, Meter, Note, Tempo, Voice, choose, midi};
use melody_common::{JACQUES, MAMAN, bytes, tune};
use proptest::prelude::*;

fn read(bytes: &[u8]) -> latentd::Result<Melody> {
    midi::read(bytes)
}

/// A header, then tracks of raw events.
fn file(format: u16, division: u16, tracks: &[&[u8]]) -> Vec<u8> {
    let mut file = b"MThd\0\0\0\x06".to_vec();
    file.extend(format.to_be_bytes());
    file.extend((tracks.len() as u16).to_be_bytes());
    file.extend(division.to_be_bytes());
    for events in tracks {
        file.extend(b"MTrk");
        file.extend((events.len() as u32).to_be_bytes());
        file.extend(*events);
    }
    file
}

const END: &[u8] = &[0, 0xff, 0x2f, 0];

fn with_end(events: &[u8]) -> Vec<u8> {
    [events, END].concat()
}

#[test]
fn running_status_and_velocity_zero_mean_what_the_standard_says() {
    // Note on 60, then by running status 64 and both off by velocity 0.
    let events = with_end(&[0, 0x90, 60, 100, 96, 64, 80, 96, 60, 0, 0, 64, 0]);
    let melody = read(&file(0, 96, &[&events])).expect("a file");
    let notes = &melody.voices[0].notes;
    assert_eq!(notes[0], Note { start: 0, end: 192, pitch: 60, velocity: 100 });
    assert_eq!(notes[1], Note { start: 96, end: 192, pitch: 64, velocity: 80 });
}

/// Instruments are a channel's, and stood on another track than its notes.
#[test]
fn an_instrument_told_on_another_track_counts() {
    let (setup, notes) = (with_end(&[0, 0xc0, 73, 96, 0xc1, 40]), with_end(&[0, 0x90, 60, 100, 0, 0x91, 60, 100]));
    let melody = read(&file(1, 96, &[&setup, &notes])).expect("a file");
    assert_eq!(melody.voices.iter().map(|voice| voice.program).collect::<Vec<_>>(), [73, 40]);
    // In the next sequence of format 2 they have not been told.
    let melody = read(&file(2, 96, &[&setup, &notes])).expect("a file");
    assert_eq!(melody.voices[0].program, 0);
}

/// It was music.
#[test]
fn what_follows_the_end_of_a_track_does_not_count() {
    let events = [&with_end(&[0, 0x90, 60, 100, 96, 60, 0])[..], &[0, 0x90, 64, 100, 96, 64, 0], END].concat();
    let read = read(&file(0, 96, &[&events]));
    assert!(read.is_ok_and(|melody| melody.voices[0].notes.len() == 1));
}

/// A piece began with an instrument that is told behind the end of its first track.
#[test]
fn no_instrument_counts_that_follows_the_end_of_a_track() {
    let setup = [END, &[0, 0xc0, 56, 0, 0xb0, 7, 99], END].concat();
    let melody = read(&file(1, 96, &[&setup, &with_end(&[0, 0x90, 60, 100, 96, 60, 0])])).expect("a file");
    assert_eq!((melody.voices[0].program, melody.voices[0].controls.len()), (0, 0));
}

/// 8,000 tracks of 16 voices took a second and a half, and eight times as many sixty times as long.
#[test]
fn many_tracks_cost_no_more_than_their_notes() {
    let voices: Vec<u8> = (0..16).flat_map(|channel| [0, 0x90 | channel, 60, 100]).collect();
    let track = with_end(&voices);
    let melody = read(&file(1, 96, &vec![&track[..]; 65_535])).expect("a file");
    assert_eq!(melody.voices.len(), 16 * 65_535);
}

#[test]
fn sequences_of_format_2_follow_one_another() {
    let one = with_end(&[0, 0x90, 60, 100, 96, 0x80, 60, 0]);
    let melody = read(&file(2, 96, &[&one, &one])).expect("a file");
    // Each was a voice of its own, and all but one of them were dropped.
    assert_eq!(melody.voices.len(), 1);
    assert_eq!(melody.voices[0].notes.iter().map(|note| note.start).collect::<Vec<_>>(), [0, 96]);
}

/// What tells no tempo and no meter got those of the sequence before it.
#[test]
fn each_sequence_of_format_2_has_its_own_tempo_and_meter() {
    let plain = with_end(&[0, 0x90, 60, 100, 0x83, 0, 0x80, 60, 0]);
    let slow = [&[0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 0, 0xff, 0x58, 4, 3, 2, 24, 8][..], &plain].concat();
    let melody = read(&file(2, 96, &[&slow, &plain, &plain, &slow])).expect("a file");
    let tempos = |tick: u64, microseconds: u32| Tempo { tick, microseconds };
    assert_eq!(melody.tempos, [tempos(0, 1_000_000), tempos(384, 500_000), tempos(1152, 1_000_000)]);
    let meters: Vec<(u64, u8)> = melody.meters.iter().map(|meter| (meter.tick, meter.beats)).collect();
    assert_eq!(meters, [(0, 3), (384, 4), (1152, 3)]);
}

/// All but the instrument that a voice begins with was lost.
#[test]
fn keys_instruments_and_settings_of_a_channel_are_kept() {
    let mut melody = tune(MAMAN);
    melody.keys = vec![Key { tick: 0, sharps: -3, minor: true }, Key { tick: 1920, sharps: 2, minor: false }];
    melody.voices[0].program = 40;
    melody.voices[0].programs = vec![(960, 73), (1920, 40)];
    melody.voices[0].controls = vec![(0, 1), (32, 2), (7, 100), (10, 30), (11, 90)];
    let again = read(&bytes(&melody)).expect("a file");
    assert_eq!((&again.keys, &again.voices[0].programs), (&melody.keys, &melody.voices[0].programs));
    assert_eq!((again.voices[0].program, &again.voices[0].controls), (40, &melody.voices[0].controls));
    // Settings may stand on a track of their own, and what is set later is no beginning.
    let (setup, notes) =
        (with_end(&[0, 0xb0, 7, 99, 0, 0xb0, 64, 127, 10, 0xb0, 10, 5]), with_end(&[0, 0x90, 60, 100, 96, 60, 0]));
    assert_eq!(read(&file(1, 96, &[&setup, &notes])).expect("a file").voices[0].controls, [(7, 99)]);
}

/// 12.5 ticks to a quarter note were 13, and everything 4% faster.
#[test]
fn frames_a_second_last_as_long_as_they_say() {
    for (division, ticks) in [(0xe701, 25.0), (0xe201, 30.0), (0xe850, 1920.0), (0xe304, 4.0 * 30.0 / 1.001)] {
        let events = with_end(&[0, 0x90, 60, 100, 0x87, 0x68, 0x80, 60, 0]);
        let seconds = read(&file(0, division, &[&events])).expect("a file").seconds();
        assert!((seconds / (1000.0 / ticks) - 1.0).abs() < 1e-4, "{division:x}: {seconds}");
    }
}

/// It was taken for damaged UTF-8.
#[test]
fn names_in_latin_1_are_read() {
    let named = |name: &[u8]| {
        let length = u8::try_from(name.len()).expect("a short name");
        let events = [&[0, 0xff, 3, length][..], name, &with_end(&[0, 0x90, 60, 100, 96, 60, 0])].concat();
        read(&file(0, 96, &[&events])).expect("a file").voices.remove(0).name.expect("a name")
    };
    assert_eq!(named(b"Fl\xf6te"), "Flöte");
    assert_eq!(named("Flöte".as_bytes()), "Flöte");
}

/// Players took them, and here they were refused as damaged.
#[test]
fn a_missing_end_and_a_track_too_many_are_forgiven() {
    let unended = [0, 0x90, 60, 100, 96, 0x80, 60, 0];
    let whole = read(&file(0, 96, &[&with_end(&unended)])).expect("a file");
    assert_eq!(read(&file(0, 96, &[&unended])).expect("a file"), whole);
    let mut counted = file(1, 96, &[&with_end(&unended)]);
    counted[11] = 2;
    assert_eq!(read(&counted).expect("a file"), whole);
    // Only of the last track, and only where all of it is understood.
    assert!(read(&file(1, 96, &[&unended, &with_end(&unended)])).is_err());
    for end in 1..unended.len() {
        let cut = read(&file(0, 96, &[&unended[..end]]));
        assert!(cut.is_err() || end == 4, "{end}: {cut:?}");
    }
}

#[test]
fn tempo_and_meter_are_kept_where_they_change() {
    let mut melody = tune(MAMAN);
    melody.tempos = vec![Tempo { tick: 0, microseconds: 400_000 }, Tempo { tick: 960, microseconds: 600_000 }];
    melody.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }, Meter { tick: 1440, beats: 6, unit_log2: 3 }];
    assert_eq!(read(&bytes(&melody)).expect("a file").tempos, melody.tempos);
    assert_eq!(read(&bytes(&melody)).expect("a file").meters, melody.meters);
    assert!((melody.seconds_at(1440) - (2.0 * 0.4 + 0.6)).abs() < 1e-9);
}

#[test]
fn notes_without_an_end_end_with_their_track() {
    let events = [&[0, 0x90, 60, 100, 96][..], &END[1..]].concat();
    assert_eq!(read(&file(0, 96, &[&events])).expect("a file").voices[0].notes[0].end, 96);
}

/// The notes of a file with one track of raw events and 96 ticks to a quarter note: start, end, pitch.
fn notes(events: &[u8]) -> Vec<(u64, u64, u8)> {
    let melody = read(&file(0, 96, &[&with_end(events)])).expect("a file");
    melody.voices[0].notes.iter().map(|note| (note.start, note.end, note.pitch)).collect()
}

/// They lasted to the end of the track, and hid the tune below them.
#[test]
fn notes_struck_twice_and_let_go_once_swallow_no_tune() {
    // 72 and 60, each struck twice at one tick.
    let twice: [[u8; 12]; 2] =
        [[0, 0x90, 72, 90, 0, 0x90, 72, 100, 48, 0x80, 72, 0], [0, 0x90, 60, 100, 0, 0x90, 60, 90, 48, 0x80, 60, 0]];
    assert_eq!(notes(&twice.concat()), [(0, 48, 72), (48, 96, 60)]);
    // 72 is struck again before it is let go.
    let again = [0, 0x90, 72, 90, 48, 0x90, 72, 90, 48, 0x80, 72, 0, 0, 0x90, 60, 90, 48, 0x80, 60, 0];
    assert_eq!(notes(&again), [(0, 48, 72), (48, 96, 72), (96, 144, 60)]);
    // It is struck again at the tick at which the one before ends, and never let go.
    let on = [0, 0x90, 72, 90, 48, 0x90, 72, 90, 0, 0x80, 72, 0, 48, 0x90, 60, 90, 48, 0x80, 60, 0];
    assert_eq!(notes(&on), [(0, 48, 72), (48, 96, 72), (96, 144, 60)]);
    // Where each strike has its note-off, the note that has sounded longest ends first.
    let each = [0, 0x90, 72, 90, 48, 0x90, 72, 90, 48, 0x80, 72, 0, 48, 0x80, 72, 0];
    assert_eq!(notes(&each), [(0, 96, 72), (48, 144, 72)]);
}

/// One that a file had lost hid ten notes of sixteen.
#[test]
fn a_missing_note_off_costs_one_note_its_length() {
    let next = [0, 0x90, 72, 90, 48, 0x90, 60, 90, 48, 0x80, 60, 0];
    assert_eq!(notes(&next), [(0, 48, 72), (48, 96, 60)]);
    // A chord stays one, and no note is held through a long rest: for four quarter notes at most.
    let chord = [0, 0x90, 60, 90, 0, 0x90, 64, 90, 0x88, 0, 0x90, 67, 90, 48, 0x80, 67, 0];
    assert_eq!(notes(&chord), [(0, 384, 60), (0, 384, 64), (1024, 1072, 67)]);
    // Another channel's notes do not end it.
    let other = [0, 0x90, 60, 90, 48, 0x91, 72, 90, 48, 0x81, 72, 0];
    assert_eq!(notes(&other), [(0, 96, 60)]);
}

#[test]
fn the_melody_is_found_by_name_or_by_looks_and_the_reason_is_told() {
    let mut piece = tune(JACQUES);
    piece.voices[0].name = None;
    let chords = piece.voices[0].notes.iter().flat_map(|note| [48, 52, 55].map(|pitch| Note { pitch, ..*note }));
    piece.voices.insert(0, Voice { track: 0, channel: 1, notes: chords.collect(), ..Voice::default() });
    piece.voices[1].track = 1;
    let (voice, why) = choose(&piece, Choice::Auto).expect("a melody");
    assert_eq!((voice.track, why.contains("looks most like a melody")), (1, true), "{why}");
    piece.voices[0].name = Some("Lead vocal".to_owned());
    let (voice, why) = choose(&piece, Choice::Auto).expect("a melody");
    assert_eq!((voice.track, why.contains("its name says")), (0, true), "{why}");
    assert_eq!(choose(&piece, Choice::Track(2)).expect("there").0.track, 1);
    let refusal = choose(&piece, Choice::Channel(7)).expect_err("not there");
    assert!(refusal.mend_text().expect("a mend").contains("track 1, channel 2"), "{refusal:?}");
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let huge_delta = with_end(&[0xff, 0xff, 0xff, 0x7f, 0x90, 60, 100, 96, 0x80, 60, 0]);
    let track = with_end(&[0, 0x90, 60, 100, 96, 0x80, 60, 0]);
    let two = file(1, 96, &[&track, &track]);
    assert!(read(&two).is_ok());
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "no MIDI file"),
        ("text", b"not music at all".to_vec(), "no MIDI file"),
        ("PNG", b"\x89PNG\r\n\x1a\n0000000000".to_vec(), "no MIDI file"),
        ("header only", b"MThd\0\0\0\x06".to_vec(), ""),
        ("no ticks", file(0, 0, &[&with_end(&[0, 0x90, 60, 100, 96, 0x80, 60, 0])]), "0 ticks"),
        ("no notes", file(0, 96, &[END]), "no note"),
        ("for years", file(0, 1, &[&huge_delta]), "longer than"),
        (
            "cut off",
            {
                let mut bytes = two.clone();
                bytes.truncate(two.len() - 6);
                bytes
            },
            "",
        ),
        ("no event at all", file(0, 96, &[&with_end(&[0, 0x90, 60, 100, 96, 0x80, 60, 0, 0, 0xff])]), ""),
        ("too large", [b"MThd\0\0\0\x06\0\0\0\x01\0\x60".to_vec(), vec![0; 9 << 20]].concat(), "larger than"),
    ];
    for (what, bytes, reason) in cases {
        let refusal = read(&bytes).expect_err(what);
        assert_eq!(refusal.kind(), Kind::Input, "{what}: {refusal}");
        assert!(refusal.to_string().contains(reason), "{what}: {refusal}");
        assert!(refusal.mend_text().is_some(), "{what}");
    }
}

/// Found by fuzzing: midly's parser overflowed.
#[test]
fn a_time_base_of_128_frames_a_second_is_refused() {
    let mut bytes = file(0, 0x8028, &[&with_end(&[0, 0x90, 60, 100, 96, 0x80, 60, 0])]);
    let why = |bytes: &[u8]| format!("{:?}", read(bytes).expect_err("no such rate"));
    assert!(why(&bytes).contains("no 128 frames"), "{}", why(&bytes));
    // 25 are fine.
    bytes[12..14].copy_from_slice(&[0xe7, 40]);
    assert!(read(&bytes).is_ok());
}

/// Where ticks are parts of a second, a tempo that is left over in the file changes nothing.
#[test]
fn no_tempo_counts_in_frames_a_second() {
    let note = [0, 0x90, 60, 100, 0x87, 0x68, 0x80, 60, 0];
    let tempo = [0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40];
    for events in [with_end(&note), with_end(&[&tempo[..], &note].concat())] {
        let melody = read(&file(0, 0xe728, &[&events])).expect("a file");
        assert!((melody.seconds() - 1.0).abs() < 1e-6, "{}", melody.seconds());
    }
}

fn pieces() -> impl Strategy<Value = Melody> {
    let note = (0u64..4000, 1u64..2000, 0u8..128, 1u8..128);
    let voice = (0u8..16, 0u8..128, prop::collection::vec(note, 1..30));
    (1u16..2000, prop::collection::vec(voice, 1..4)).prop_map(|(ticks, voices)| {
        let mut melody = Melody::new(ticks);
        for (track, (channel, program, notes)) in voices.into_iter().enumerate() {
            let mut notes: Vec<Note> = notes
                .into_iter()
                .map(|(start, length, pitch, velocity)| Note { start, end: start + length, pitch, velocity })
                .collect();
            // Of notes of one pitch that overlap, a MIDI file cannot tell which ends first.
            notes.sort_by_key(|note| (note.pitch, note.start));
            notes.dedup_by(|next, note| next.pitch == note.pitch && next.start < note.end);
            notes.sort_unstable();
            melody.voices.push(Voice { track: track + 1, channel, program, notes, ..Voice::default() });
        }
        melody
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(piece in pieces()) {
        prop_assert_eq!(read(&bytes(&piece)).expect("a file"), piece);
    }

    #[test]
    fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400, byte: u8) {
        let _ = read(&noise);
        let _ = read(&[b"MThd\0\0\0\x06\0\x01\0\x02\0\x60MTrk".as_slice(), &noise].concat());
        let mut damaged = bytes(&tune(JACQUES));
        let at = at % damaged.len();
        damaged[at] = byte;
        let _ = read(&damaged);
        let _ = read(&damaged[..at]);
    }
}
