//! Which voice of a piece is the melody.

use super::{DRUM_CHANNEL, Melody, Voice};
use crate::error::{Error, Kind, Result};

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
        let found: Vec<String> = melody.voices.iter().map(describe).collect();
        return Err(Error::new(Kind::Input, what).mend(format!("there is: {}", found.join("; "))));
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
    let depth = |voice: &Voice| {
        let height = voice.notes.iter().map(|note| f64::from(note.pitch)).sum::<f64>() / voice.notes.len() as f64;
        let named = voice.name.as_deref().unwrap_or_default().to_lowercase().contains("bass");
        let called = if named || (32..40).contains(&voice.program) { 48.0 } else { 0.0 };
        called - height
    };
    // A voice of a few notes is no bass, however low.
    others.filter(|voice| voice.notes.len() >= 16).max_by(|a, b| depth(a).total_cmp(&depth(b)))
}

fn describe(voice: &Voice) -> String {
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
