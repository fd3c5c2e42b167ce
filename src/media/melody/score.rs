//! A piece as a network takes it: lines on the grid, cut at bars. And the way back, with what the grid does not hold: instruments, tempo, loudness.

use super::choice::describe;
use super::drums::remark_on_drums;
use super::seam::Seam;
use super::{
    Choice, DRUM_CHANNEL, Frame, GRID_PER_QUARTER, Line, Melody, Note, Part, Quantised, Step, Stretch, Voice, choose,
    choose_bass, dequantise, drum_notes, drum_pattern, quantise_aloud, stretches,
};
use crate::error::{Error, Kind, Result};

/// Ticks of a quarter note of pieces that come from no file.
const TICKS: u16 = 480;

/// Loudness of notes that come from no file.
const VELOCITY: u8 = 90;

/// The instruments of parts that come from no file, by General MIDI: piano, finger bass, drums (which have none).
const PROGRAMS: [(Part, u8, u8); 3] = [(Part::Melody, 0, 0), (Part::Bass, 1, 33), (Part::Drums, DRUM_CHANNEL, 0)];

/// Lines on the grid, and how they are to sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// A line for each part.
    pub lines: Vec<Line>,
    /// For each part the voice it comes from, whose instrument and loudness it keeps.
    pub voices: Vec<Voice>,
    /// The bars that go through the network together, one after another.
    pub stretches: Vec<Stretch>,
    /// Tempo, meter and ticks; no voices.
    pub frame: Melody,
    /// What a person should know of the way onto the grid.
    pub remarks: Vec<String>,
    /// For each part what it does in each stretch.
    seams: Vec<Vec<Seam>>,
}

impl Score {
    /// The lines of a piece for `parts`, cut into stretches of at most `window` steps.
    ///
    /// # Errors
    /// Kind input: a part is not there, or the meter is one that a window cannot hold.
    pub fn of(piece: &Melody, parts: &[Part], window: usize, choice: Choice) -> Result<Score> {
        // In a file's own ticks, if they are few, 16ths would fall together.
        let piece = &*piece.fine();
        let mut score = Score {
            lines: Vec::new(),
            voices: Vec::new(),
            stretches: Vec::new(),
            frame: Melody { voices: Vec::new(), ..piece.clone() },
            remarks: Vec::new(),
            seams: Vec::new(),
        };
        for part in parts {
            let (line, voice) = score.line(piece, *part, choice)?;
            score.lines.push(line);
            score.voices.push(voice);
        }
        let steps = score.lines.iter().map(Line::len).max().unwrap_or(0);
        score.stretches = stretches(piece, steps, window)?;
        score.seams = score.lines.iter().map(|line| Seam::all(line, &score.stretches)).collect();
        Ok(score)
    }

    /// A score of `count` empty stretches of `window` steps, at 120 quarters a minute in 4/4.
    pub fn blank(parts: &[Part], window: usize, count: usize) -> Score {
        let voice = |part: &Part| {
            let (_, channel, program) = PROGRAMS.iter().find(|(of, ..)| of == part).copied().unwrap_or(PROGRAMS[0]);
            Voice { channel, program, name: Some(part.name().to_owned()), ..Voice::default() }
        };
        Score {
            lines: parts.iter().map(|part| Line::silence(*part, window * count)).collect(),
            voices: parts.iter().map(voice).collect(),
            stretches: (0..count).map(|at| Stretch { start: at * window, length: window }).collect(),
            frame: Melody::new(TICKS),
            remarks: Vec::new(),
            // In what comes from no file, silence is likelier than one note through all of a window, and a network sees them as the same.
            seams: vec![vec![Seam::PLAYS; count]; parts.len()],
        }
    }

    /// A score of so many empty windows of `window` steps, of which `windows` are one point of a latent, in the meter and tempo of `frame`; `None` where
    /// that is no frame of so many windows.
    pub fn framed(parts: &[Part], window: usize, windows: usize, points: usize, frame: &Frame) -> Option<Score> {
        let piece = frame.piece()?;
        let stretches = stretches(&piece, frame.steps, window).ok()?;
        if stretches.len().div_ceil(windows.max(1)) != points {
            return None;
        }
        Some(Score {
            lines: parts.iter().map(|part| Line::silence(*part, frame.steps)).collect(),
            seams: vec![vec![Seam::PLAYS; stretches.len()]; parts.len()],
            stretches,
            frame: piece,
            ..Score::blank(parts, window, 0)
        })
    }

    /// What [`framed`](Self::framed) needs to know of this score.
    pub fn told(&self) -> Frame {
        Frame::of(&self.frame, self.lines.iter().map(Line::len).max().unwrap_or(0))
    }

    fn line(&mut self, piece: &Melody, part: Part, choice: Choice) -> Result<(Line, Voice)> {
        let voice = match part {
            Part::Drums => {
                let drums: Vec<&Voice> = piece.voices.iter().filter(|voice| voice.channel == DRUM_CHANNEL).collect();
                let Some(first) = drums.first() else {
                    return Err(Error::new(Kind::Input, "there are no drums in it (nothing on channel 10)")
                        .mend("give a file with drums, or choose a model of melodies"));
                };
                let mut notes: Vec<Note> = drums.iter().flat_map(|voice| &voice.notes).copied().collect();
                notes.sort_unstable();
                let hits = drum_pattern(&notes, piece.ticks_per_quarter);
                if hits.is_empty() {
                    return Err(Error::new(Kind::Input, "none of its drums is part of a drum kit")
                        .mend("give a file with bass drum, snare, hi-hats, toms or cymbals"));
                }
                self.remarks.extend(remark_on_drums(&notes, piece.ticks_per_quarter));
                return Ok((Line::Hits(hits), Voice { notes, ..(*first).clone() }));
            }
            Part::Melody => {
                let (voice, why) = choose(piece, choice)?;
                self.remarks.push(format!("the melody is {why}"));
                voice
            }
            Part::Bass => {
                let (melody, _) = choose(piece, choice)?;
                let bass = choose_bass(piece, melody).ok_or_else(|| {
                    Error::new(Kind::Input, "there is no bass in it beside the melody")
                        .mend("give a file with a bass on a track of its own, or choose a model of melodies")
                })?;
                self.remarks.push(format!("the bass is {}", describe(bass)));
                bass
            }
        };
        let quantised: Quantised = quantise_aloud(&voice.notes, piece.ticks_per_quarter);
        let remark = quantised.remark().map(|remark| match part {
            Part::Bass => format!("in the bass, {remark}"),
            _ => remark,
        });
        self.remarks.extend(remark);
        Ok((Line::Notes(quantised.steps), voice.clone()))
    }

    /// The windows of `steps` steps that the stretches start with: each sees what follows its stretch too, as far as it reaches. The first strikes what
    /// sounds over its start, the others hold it.
    pub fn windows(&self, steps: usize) -> Vec<Vec<Line>> {
        let window =
            |stretch: &Stretch| self.lines.iter().map(|line| line.window(stretch.start, steps, false)).collect();
        self.stretches.iter().map(window).collect()
    }

    /// Puts windows back together: of each its stretch, and nothing beyond the end of the piece. Where the piece is silent over a seam, it
    /// stays so, whatever the windows have.
    pub fn assemble(&self, windows: &[Vec<Line>]) -> Vec<Line> {
        let steps = self.lines.iter().map(Line::len).max().unwrap_or(0);
        let part = |at: usize| {
            let mut sounds = false;
            let places = self.stretches.iter().zip(self.seams.get(at)?);
            let cut = windows.iter().zip(places).filter_map(|(lines, (stretch, seam))| {
                let length = stretch.length.min(steps.saturating_sub(stretch.start));
                let mut line = lines.get(at)?.window(0, length, false);
                seam.mend(&mut line, &mut sounds);
                Some(line)
            });
            Line::join(cut)
        };
        (0..self.lines.len()).filter_map(part).collect()
    }

    /// A piece in which `lines` sound as this score's lines do: on the same instruments, as loud where they are, in the same tempo.
    pub fn compose(&self, lines: &[Line]) -> Melody {
        let mut piece = self.frame.clone();
        for (line, voice) in lines.iter().zip(&self.voices) {
            let mut notes = match line {
                Line::Notes(steps) => dequantise(steps, piece.ticks_per_quarter, VELOCITY),
                Line::Hits(hits) => drum_notes(hits, piece.ticks_per_quarter, VELOCITY),
            };
            for note in &mut notes {
                let before = voice.notes.partition_point(|own| own.start <= note.start);
                let own = voice.notes.get(before.saturating_sub(1));
                note.velocity = own.map_or(VELOCITY, |own| own.velocity);
            }
            piece.voices.push(Voice { notes, ..voice.clone() });
        }
        piece
    }

    /// Lets tempo, meter, key, instruments and loudness of the first `steps` steps come again until there are `all`.
    fn repeat(&mut self, steps: usize, all: usize) {
        let quarter = u64::from(self.frame.ticks_per_quarter);
        let [period, end] = [steps, all].map(|steps| (steps as u64 * quarter / GRID_PER_QUARTER).max(1));
        let again = Again { period, end, quarter };
        again.all(&mut self.frame.tempos, |tempo| tempo.tick, |tempo, by| tempo.tick += by);
        again.all(&mut self.frame.meters, |meter| meter.tick, |meter, by| meter.tick += by);
        again.all(&mut self.frame.keys, |key| key.tick, |key, by| key.tick += by);
        for voice in &mut self.voices {
            // What comes again begins on the first instrument.
            if !voice.programs.is_empty() {
                voice.programs.insert(0, (0, voice.program));
                again.all(&mut voice.programs, |(tick, _)| *tick, |(tick, _), by| *tick += by);
                (_, voice.program) = voice.programs.remove(0);
            }
            let later = |note: &mut Note, by: u64| (note.start, note.end) = (note.start + by, note.end + by);
            again.all(&mut voice.notes, |note| note.start, later);
        }
    }

    /// What a part does in a stretch where the piece begins anew when it is over, as [`between`](Self::between) lets it.
    fn seam(&self, part: usize, at: usize, windows: usize) -> Seam {
        let period = self.stretches.len().next_multiple_of(windows.max(1)).max(1);
        self.seams.get(part).and_then(|seams| seams.get(at % period)).copied().unwrap_or(Seam::SILENT)
    }

    /// A score between others, each with its weight: stretches as many as the longest has, all else as the heaviest has it, the tempo between
    /// all. What is shorter begins anew when it is over, and the silence with it that fills the last of the `windows` that are one point of a latent.
    ///
    /// # Panics
    /// When there are no others.
    pub fn between(scores: &[(&Score, f32)], windows: usize) -> Score {
        let (nearest, _) = scores.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).expect("scores to be between");
        let mut score = nearest.clone();
        let count = scores.iter().map(|(score, _)| score.stretches.len()).max().unwrap_or(0);
        let own = nearest.stretches.len();
        let period = own.next_multiple_of(windows.max(1));
        for at in own..count {
            let start = score.stretches.last().map_or(0, Stretch::end);
            let like = nearest.stretches.get(at % period.max(1)).or(nearest.stretches.first());
            score.stretches.push(Stretch { start, length: like.map_or(1, |stretch| stretch.length) });
        }
        if let Some(steps) = score.stretches.last().map(Stretch::end).filter(|_| count > own) {
            if let Some(once) = score.stretches.get(period.saturating_sub(1)).filter(|_| count > period) {
                score.repeat(once.end().max(1), steps);
            }
            score.lines = score.lines.iter().map(|line| line.window(0, steps, false)).collect();
        }
        let seam = |part: usize, at: usize| {
            let heard = scores.iter().filter(|(_, weight)| *weight > 0.0);
            nearest.seam(part, at, windows).beside(heard.map(|(score, _)| score.seam(part, at, windows)))
        };
        score.seams = (0..nearest.seams.len()).map(|part| (0..count).map(|at| seam(part, at)).collect()).collect();
        let tempo = |score: &Score| f64::from(score.frame.tempo_at(0)).ln();
        let total: f64 = scores.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let wanted =
            scores.iter().map(|(score, weight)| tempo(score) * f64::from(*weight)).sum::<f64>() / total.max(1e-9);
        let factor = (wanted - tempo(nearest)).exp();
        for tempo in &mut score.frame.tempos {
            tempo.microseconds = (f64::from(tempo.microseconds) * factor).round().clamp(1.0, 16_777_215.0) as u32;
        }
        score
    }
}

/// How a piece begins anew, in ticks: after `period`, until `end`. A quarter note has `quarter`.
struct Again {
    period: u64,
    end: u64,
    quarter: u64,
}

impl Again {
    /// Lets all events of the first period come again. Of one kind there is one a step, however many a stranger has put there: the last, which is
    /// what notes on the grid would find, and beside it what the piece begins with.
    fn all<T: Clone>(&self, events: &mut Vec<T>, tick: impl Fn(&T) -> u64, later: impl Fn(&mut T, u64)) {
        events.retain(|event| tick(event) < self.period);
        events.reverse();
        events.dedup_by_key(|event| (tick(event) * GRID_PER_QUARTER).div_ceil(self.quarter));
        events.reverse();
        let once = events.clone();
        for time in 1..self.end.div_ceil(self.period) {
            let mut again = once.clone();
            again.iter_mut().for_each(|event| later(event, time * self.period));
            events.append(&mut again);
        }
        events.retain(|event| tick(event) < self.end);
    }
}

/// Whether there is a note in any of the lines.
pub fn sounds(lines: &[Line]) -> bool {
    lines.iter().any(|line| match line {
        Line::Notes(steps) => steps.iter().any(|step| matches!(step, Step::Note(_))),
        Line::Hits(hits) => hits.iter().any(|hits| *hits != 0),
    })
}
