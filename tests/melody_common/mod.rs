//! Tunes that the tests write down themselves.
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use latentd::media::Melody;
use latentd::media::melody::{Note, Step, Voice, midi};
use latentd::model::Model;

/// "Ah! vous dirai-je, maman", French, before 1765: eight bars.
pub const MAMAN: &str = "c4:4 c4:4 g4:4 g4:4 a4:4 a4:4 g4:8 f4:4 f4:4 e4:4 e4:4 d4:4 d4:4 c4:8 \
                         g4:4 g4:4 f4:4 f4:4 e4:4 e4:4 d4:8 g4:4 g4:4 f4:4 f4:4 e4:4 e4:4 d4:8";

/// "Frère Jacques", French, before 1780: eight bars.
pub const JACQUES: &str = "c4:4 d4:4 e4:4 c4:4 c4:4 d4:4 e4:4 c4:4 e4:4 f4:4 g4:8 e4:4 f4:4 g4:8 \
                           g4:2 a4:2 g4:2 f4:2 e4:4 c4:4 g4:2 a4:2 g4:2 f4:2 e4:4 c4:4 c4:4 g3:4 c4:8 c4:4 g3:4 c4:8";

/// Ticks of a quarter note in these tunes.
pub const TICKS: u16 = 480;

/// A tune written as `pitch:length` in 16ths, `r:4` for a rest.
pub fn tune(text: &str) -> Melody {
    let mut now = 0u64;
    let mut notes = Vec::new();
    for word in text.split_whitespace() {
        let (name, length) = word.split_once(':').expect("pitch:length");
        let end = now + length.parse::<u64>().expect("a length") * u64::from(TICKS) / 4;
        if name != "r" {
            notes.push(Note { start: now, end, pitch: pitch(name), velocity: 90 });
        }
        now = end;
    }
    let mut melody = Melody::new(TICKS);
    melody.voices.push(Voice { name: Some("Melody".to_owned()), notes, ..Voice::default() });
    melody
}

fn pitch(name: &str) -> u8 {
    let (letter, octave) = name.split_at(name.len() - 1);
    let above_c = ["c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b"];
    let class = above_c.iter().position(|other| *other == letter).expect("a letter") as u8;
    12 * (octave.parse::<u8>().expect("an octave") + 1) + class
}

/// A tune `times` over.
pub fn repeated(melody: &Melody, times: u64) -> Melody {
    let mut long = melody.clone();
    let length = melody.end();
    for voice in &mut long.voices {
        let once = voice.notes.clone();
        for time in 1..times {
            voice.notes.extend(once.iter().map(|note| Note {
                start: note.start + time * length,
                end: note.end + time * length,
                ..*note
            }));
        }
    }
    long
}

/// Its bytes as a MIDI file.
pub fn bytes(melody: &Melody) -> Vec<u8> {
    let mut bytes = Vec::new();
    midi::write(melody, &mut bytes).expect("written");
    bytes
}

/// Writes it as a MIDI file.
pub fn save(melody: &Melody, path: &Path) {
    std::fs::write(path, bytes(melody)).expect("written");
}

/// Reads a MIDI file.
pub fn load(path: &Path) -> Melody {
    midi::read(std::fs::File::open(path).expect("there")).expect("a MIDI file")
}

/// A shipped model.
pub fn model(name: &str) -> Arc<Model> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    Arc::new(Model::from_path(&folder).expect("a shipped model"))
}

/// Steps as people read them: pitch names, `-` for hold, `.` for off; a space between quarters, a bar line between bars of 4/4.
pub fn shown(steps: &[Step]) -> String {
    let names = ["c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b"];
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate() {
        match at {
            0 => {}
            _ if at % 16 == 0 => text += " | ",
            _ if at % 4 == 0 => text.push(' '),
            _ => {}
        }
        match step {
            Step::Note(pitch) => text += &format!("{}{}", names[usize::from(*pitch) % 12], i32::from(*pitch) / 12 - 1),
            Step::Hold => text.push('-'),
            Step::Off => text.push('.'),
        }
    }
    text
}
