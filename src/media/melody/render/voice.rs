//! A plain voice for machines without a SoundFont: a few harmonics that fade, and noise for drums.

use realfft::num_complex::Complex;

use super::{Player, RATE};
use crate::error::Result;
use crate::media::melody::{DRUM_CHANNEL, Melody, Note};

/// Harmonics and how loud each is.
const HARMONICS: [(f32, f32); 4] = [(1.0, 1.0), (2.0, 0.35), (3.0, 0.15), (4.0, 0.06)];

/// Seconds in which a tone fades to a third, while it is held and after it was let go.
const HELD: f32 = 0.9;
const LET_GO: f32 = 0.06;

/// Seconds of a drum's sound, at most.
const DRUM: f32 = 0.35;

/// A note as it is struck.
struct Strike {
    /// Its first sample.
    start: usize,
    /// Samples for which it is held.
    held: usize,
    note: Note,
    drum: bool,
}

/// A piece that the plain voice plays.
pub struct Plain {
    /// What is still to be struck, the next one last.
    strikes: Vec<Strike>,
    sounding: Vec<Sound>,
    now: usize,
    length: usize,
}

impl Plain {
    /// The piece from its beginning.
    pub fn new(piece: &Melody) -> Plain {
        let rate = f64::from(RATE);
        let mut strikes = Vec::new();
        for voice in &piece.voices {
            for note in &voice.notes {
                let [start, end] = [note.start, note.end].map(|tick| (piece.seconds_at(tick) * rate) as usize);
                let (held, drum) = (end.saturating_sub(start), voice.channel == DRUM_CHANNEL);
                strikes.push(Strike { start, held, note: *note, drum });
            }
        }
        strikes.sort_by_key(|strike| std::cmp::Reverse(strike.start));
        Plain { strikes, sounding: Vec::new(), now: 0, length: ((piece.seconds() + 0.5) * rate) as usize }
    }
}

impl Player for Plain {
    fn length(&self) -> usize {
        self.length
    }

    fn play(&mut self, left: &mut [f32], right: &mut [f32]) -> Result<()> {
        left.fill(0.0);
        self.sounding.retain_mut(|sound| sound.add(left));
        let end = self.now + left.len();
        while let Some(strike) = self.strikes.pop_if(|strike| strike.start < end) {
            let mut sound = match strike.drum {
                true => Sound::Drum(Drum::new(&strike.note)),
                false => Sound::Tone(Tone::new(&strike.note, strike.held)),
            };
            if sound.add(&mut left[strike.start - self.now..]) {
                self.sounding.push(sound);
            }
        }
        right.copy_from_slice(left);
        self.now = end;
        Ok(())
    }
}

/// What sounds.
enum Sound {
    Tone(Tone),
    Drum(Drum),
}

impl Sound {
    /// Adds what comes next of it to samples; whether it goes on after them.
    fn add(&mut self, room: &mut [f32]) -> bool {
        match self {
            Sound::Tone(tone) => tone.add(room),
            Sound::Drum(drum) => drum.add(room),
        }
    }
}

/// A tone. Sines are turned and envelopes shrunk from sample to sample: asked for anew each time they would take longer than all the rest of a morph.
struct Tone {
    /// Of each harmonic where it is, its level included, and by how much it turns.
    turning: Vec<[Complex<f32>; 2]>,
    envelope: f32,
    at: usize,
    held: usize,
}

impl Tone {
    /// One that is held for `held` samples.
    fn new(note: &Note, held: usize) -> Tone {
        let frequency = 440.0 * ((f32::from(note.pitch) - 69.0) / 12.0).exp2();
        let audible = HARMONICS.iter().filter(|(number, _)| number * frequency < RATE as f32 / 2.0);
        let turning = audible.map(|(number, level)| {
            let angle = f64::from(number * frequency) * std::f64::consts::TAU / f64::from(RATE);
            [Complex::new(*level, 0.0), Complex::new(angle.cos() as f32, angle.sin() as f32)]
        });
        Tone { turning: turning.collect(), envelope: f32::from(note.velocity) / 127.0, at: 0, held }
    }

    fn add(&mut self, room: &mut [f32]) -> bool {
        let rate = RATE as f32;
        let length = self.held + (LET_GO * 4.0 * rate) as usize;
        let [while_held, let_go] = [HELD, LET_GO].map(|seconds| (-1.0 / (seconds * rate)).exp());
        for sample in room.iter_mut().take(length - self.at) {
            let wave: f32 = self.turning.iter().map(|[at, _]| at.im).sum();
            self.turning.iter_mut().for_each(|[at, by]| *at *= *by);
            *sample += (self.at as f32 / (0.005 * rate)).min(1.0) * self.envelope * wave;
            self.envelope *= if self.at < self.held { while_held } else { while_held * let_go };
            self.at += 1;
        }
        self.at < length
    }
}

/// A drum: noise that is the shorter and brighter the higher the key, over a falling tone for the low ones.
struct Drum {
    loud: f32,
    /// Seconds in which it fades, how much of it is tone, and how high.
    shape: (f32, f32, f32),
    /// Of the noise.
    state: u32,
    at: usize,
}

impl Drum {
    fn new(note: &Note) -> Drum {
        let shape = match note.pitch {
            ..=36 => (0.12, 1.0, 60.0),
            37..=40 => (0.10, 0.4, 180.0),
            41 | 43 | 45 | 47 | 48 | 50 => (0.14, 0.8, 90.0 + 12.0 * f32::from(note.pitch - 41)),
            42 | 44 => (0.03, 0.0, 0.0),
            _ => (0.2, 0.0, 0.0),
        };
        Drum { loud: f32::from(note.velocity) / 127.0, shape, state: u32::from(note.pitch) * 7919 + 1, at: 0 }
    }

    fn add(&mut self, room: &mut [f32]) -> bool {
        let rate = RATE as f32;
        let length = (DRUM * rate) as usize;
        let (fade, tonal, pitch) = self.shape;
        for sample in room.iter_mut().take(length - self.at) {
            let time = self.at as f32 / rate;
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (self.state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let tone = (std::f32::consts::TAU * pitch * time * (1.0 - time).max(0.2)).sin();
            *sample += self.loud * (-time / fade).exp() * (tonal * tone + (1.0 - tonal) * 0.5 * noise);
            self.at += 1;
        }
        self.at < length
    }
}
