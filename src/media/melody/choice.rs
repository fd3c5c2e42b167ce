//! Which voice of a piece is the melody.

use super::{DRUM_CHANNEL, Melody, Voice};
use crate::error::{Error, Kind, Result};

/// The most voices that an error lists.
const LISTED: usize = 12;

/// The fewest notes of a bass that is not called so: what has fewer is none, however low.
const BASS_NOTES: usize = 16;

/// How the melody is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// By its looks: name, range, how often it sings alone.
    #[default]
    Auto,
    /// By its track, counted from 1.
    Track(usize),
    /// By its channel, counted from 1.
    Channel(usize),
}

impl Choice {
    /// By the track if one is named, else by the channel, else by its looks.
    pub fn of(track: Option<usize>, channel: Option<usize>) -> Choice {
        match (track, channel) {
            (Some(track), _) => Choice::Track(track),
            (_, Some(channel)) => Choice::Channel(channel),
            _ => Choice::Auto,
        }
    }
}

/// The voice that is the melody, and why it was taken, in words.
///
/// # Errors
/// Kind input: there is none but drums, or no such track or channel; the mend lists those that there are.
pub fn choose(melody: &Melody, choice: Choice) -> Result<(&Voice, String)> {
    let voices = || melody.voices.iter().filter(|voice| voice.channel != DRUM_CHANNEL);
    let wanted = |voice: &&Voice| match choice {
        Choice::Auto => true,
        Choice::Track(number) => voice.track + 1 == number,
        Choice::Channel(number) => usize::from(voice.channel) + 1 == number,
    };
    let best = voices().filter(wanted).max_by(|a, b| looks(a).total_cmp(&looks(b)));
    let Some(best) = best else {
        let what = match choice {
            Choice::Auto => "there are only drums in it".to_owned(),
            Choice::Track(number) => format!("there are no notes on track {number}"),
            Choice::Channel(number) => format!("there are no notes on channel {number}"),
        };
        // What was asked for may be there, and be no melody.
        let drums = melody.voices.iter().any(|voice| voice.channel == DRUM_CHANNEL && wanted(&voice));
        let (what, mend) = match (drums, voices().next().is_some()) {
            (true, true) => (format!("{what} but drums"), format!("there is: {}", list(voices()))),
            (true, false) => (what, "choose a model of drums, such as `drums-2bar`".to_owned()),
            _ => (what, format!("there is: {}", list(melody.voices.iter()))),
        };
        return Err(Error::new(Kind::Input, what).mend(mend));
    };
    let why = match choice {
        Choice::Auto if voices().count() == 1 => "the only voice".to_owned(),
        Choice::Auto if named_so(best) => "its name says that it is the melody".to_owned(),
        Choice::Auto => {
            let alone = (100.0 * alone(best)).round();
            format!("of {} voices it looks most like a melody: {alone}% of its notes sound alone", voices().count())
        }
        Choice::Track(_) => "the track that was asked for".to_owned(),
        Choice::Channel(_) => "the channel that was asked for".to_owned(),
    };
    Ok((best, format!("{}: {why}", describe(best))))
}

/// The voice that is the bass below `melody`: one that is called so, has a bass's program, or is the lowest.
pub fn choose_bass<'a>(piece: &'a Melody, melody: &Voice) -> Option<&'a Voice> {
    let is_melody = |voice: &&Voice| voice.track == melody.track && voice.channel == melody.channel;
    let others = piece.voices.iter().filter(|voice| voice.channel != DRUM_CHANNEL && !is_melody(voice));
    let called = |voice: &Voice| {
        let named = voice.name.as_deref().unwrap_or_default().to_lowercase().contains("bass");
        named || (32..40).contains(&voice.program)
    };
    let depth = |voice: &Voice| {
        let height = voice.notes.iter().map(|note| f64::from(note.pitch)).sum::<f64>() / voice.notes.len() as f64;
        if called(voice) { 48.0 - height } else { -height }
    };
    others.filter(|voice| called(voice) || voice.notes.len() >= BASS_NOTES).max_by(|a, b| depth(a).total_cmp(&depth(b)))
}

fn list<'a>(voices: impl Iterator<Item = &'a Voice>) -> String {
    let mut found: Vec<String> = voices.map(describe).collect();
    let more = found.len().saturating_sub(LISTED);
    found.truncate(LISTED);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    found.join("; ") + &rest
}

pub(super) fn describe(voice: &Voice) -> String {
    let name = voice.name.as_deref().map(|name| format!(" \"{}\"", name.escape_debug())).unwrap_or_default();
    format!("track {}, channel {}{name}, {} notes", voice.track + 1, voice.channel + 1, voice.notes.len())
}

fn named_so(voice: &Voice) -> bool {
    let name = voice.name.as_deref().unwrap_or_default().to_lowercase();
    ["melody", "lead", "vocal", "voice", "sopran", "solo", "sing", "cantus"].iter().any(|word| name.contains(word))
}

/// Higher for what looks more like a melody.
fn looks(voice: &Voice) -> f64 {
    let notes = voice.notes.len() as f64;
    let height = voice.notes.iter().map(|note| f64::from(note.pitch)).sum::<f64>() / notes;
    // Melodies lie about an octave above middle C; basses of programs 32..40 are none.
    let range = 1.0 - (height - 72.0).abs() / 40.0;
    let bass = if (32..40).contains(&voice.program) { 1.0 } else { 0.0 };
    let named = if named_so(voice) { 3.0 } else { 0.0 };
    2.0 * alone(voice) + range + named - bass + (notes.min(200.0) / 200.0)
}

/// The share of notes at whose start no other note of the voice sounds, 0..=1.
fn alone(voice: &Voice) -> f64 {
    let mut until = 0;
    let mut alone = 0;
    for (at, note) in voice.notes.iter().enumerate() {
        let with_next = voice.notes.get(at + 1).is_some_and(|next| next.start == note.start);
        if note.start >= until && !with_next {
            alone += 1;
        }
        until = until.max(note.end);
    }
    alone as f64 / voice.notes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::melody::Note;

    fn voice(channel: u8, program: u8, pitch: u8, count: u64) -> Voice {
        let note = |at: u64| Note { start: 480 * at, end: 480 * (at + 1), pitch, velocity: 90 };
        Voice {
            track: usize::from(channel),
            channel,
            program,
            notes: (0..count).map(note).collect(),
            ..Voice::default()
        }
    }

    /// Four whole notes of a bass were said to be none.
    #[test]
    fn a_bass_that_is_called_so_may_have_few_notes() {
        let voices = vec![voice(0, 0, 72, 32), voice(1, 33, 40, 4), voice(2, 0, 30, 4)];
        let piece = Melody { voices, ..Melody::new(480) };
        assert_eq!(choose_bass(&piece, &piece.voices[0]).map(|bass| bass.channel), Some(1));
        let unnamed = Melody { voices: vec![voice(0, 0, 72, 32), voice(2, 0, 30, 4)], ..Melody::new(480) };
        assert_eq!(choose_bass(&unnamed, &unnamed.voices[0]), None);
    }

    /// There were said to be no notes on channel 10, and then to be some.
    #[test]
    fn drums_that_are_asked_for_are_told() {
        let piece = Melody { voices: vec![voice(0, 0, 72, 32), voice(DRUM_CHANNEL, 0, 36, 8)], ..Melody::new(480) };
        let told = choose(&piece, Choice::Channel(10)).expect_err("drums");
        assert!(told.message().ends_with("on channel 10 but drums"), "{told}");
        assert!(!told.mend_text().unwrap_or_default().contains("channel 10"), "{told}");
        let many = Melody { voices: (0..40).map(|_| voice(0, 0, 72, 1)).collect(), ..Melody::new(480) };
        let told = choose(&many, Choice::Track(7)).expect_err("no such track");
        assert!(told.mend_text().unwrap_or_default().ends_with("; and 28 more"), "{told:?}");
    }
}
