//! What a line does from the start of a stretch on. A network sees a silence that goes on and a note that goes on as the same, so what it
//! makes of a stretch may let the last note before sound for as long as the silence lasts.

use super::{Line, Step, Stretch};

/// What a line does in a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seam {
    start: Start,
    /// The step from which on it is silent, if it still is when the next stretch starts, or strikes no note before. Other silence is left to the
    /// network.
    end: Option<usize>,
}

/// What a line does from the start of a stretch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// It is silent.
    Rests,
    /// It holds the note before, and strikes none.
    Holds,
    /// It plays.
    Plays,
}

impl Seam {
    /// Silence throughout.
    pub const SILENT: Seam = Seam { start: Start::Rests, end: Some(0) };

    /// Notes throughout, or it is not known what.
    pub const PLAYS: Seam = Seam { start: Start::Plays, end: None };

    /// What a line does in each of its stretches.
    pub fn all(line: &Line, stretches: &[Stretch]) -> Vec<Seam> {
        // Whether a note sounds.
        let mut sounds = false;
        let seam = |stretch: &Stretch| {
            let range = stretch.start.min(line.len())..stretch.end().min(line.len());
            match line {
                Line::Hits(hits) if hits[range.clone()].iter().all(|hits| *hits == 0) => (false, Seam::SILENT),
                Line::Hits(_) => (true, Seam::PLAYS),
                Line::Notes(steps) => {
                    let own = &steps[range];
                    let strikes = own.iter().any(|step| matches!(step, Step::Note(_)));
                    let start = match own.first() {
                        Some(Step::Hold) if !sounds => Start::Rests,
                        Some(Step::Hold) if !strikes => Start::Holds,
                        Some(Step::Hold | Step::Note(_)) => Start::Plays,
                        Some(Step::Off) | None => Start::Rests,
                    };
                    let end = silent_from(own, sounds, stretch.length);
                    sounds = end.is_none();
                    (strikes, Seam { start, end })
                }
            }
        };
        let (strikes, mut seams): (Vec<bool>, Vec<Seam>) = stretches.iter().map(seam).unzip();
        for at in (0..seams.len()).filter(|at| strikes[*at]) {
            // Behind the line's end there is silence.
            if seams.get(at + 1).is_some_and(|next| next.start != Start::Rests) {
                seams[at].end = None;
            }
        }
        seams
    }

    /// What a line does that lies between this one and others: it may sound for as long as any of them.
    pub fn beside(self, others: impl IntoIterator<Item = Seam>) -> Seam {
        let mut ends = others.into_iter().map(|other| other.end).chain([self.end]);
        let end = ends.try_fold(0, |latest: usize, end| Some(latest.max(end?)));
        Seam { end, ..self }
    }

    /// Makes what a network gave for a stretch silent where the line is. `sounds` tells whether a note sounds over its start, and then whether one
    /// sounds over its end.
    pub fn mend(self, line: &mut Line, sounds: &mut bool) {
        match line {
            Line::Hits(hits) if self == Seam::SILENT => hits.fill(0),
            Line::Hits(_) => {}
            Line::Notes(steps) => {
                let rests = match self.start {
                    Start::Rests => true,
                    Start::Plays => steps.iter().all(|step| *step == Step::Hold),
                    Start::Holds => false,
                };
                if rests && *sounds && steps.first() == Some(&Step::Hold) {
                    steps[0] = Step::Off;
                }
                if let Some(end) = self.end.filter(|end| *end < steps.len()) {
                    steps[end..].fill(Step::Hold);
                    if sounds_after(&steps[..end], *sounds) {
                        steps[end] = Step::Off;
                    }
                }
                *sounds = sounds_after(steps, *sounds);
            }
        }
    }
}

/// The step from which on there is silence to the end of a stretch of `length` steps, of which a line has `steps`; `None` where a note sounds over the end.
fn silent_from(steps: &[Step], before: bool, length: usize) -> Option<usize> {
    match sounds_after(steps, before) {
        true => Some(steps.len()).filter(|end| *end < length),
        false => Some(steps.iter().rposition(|step| *step != Step::Hold).unwrap_or(0)),
    }
}

/// Whether a note sounds after steps, and did before them.
fn sounds_after(steps: &[Step], before: bool) -> bool {
    steps.iter().rev().find(|step| **step != Step::Hold).map_or(before, |step| matches!(step, Step::Note(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Hold, Note, Off};

    fn stretches(count: usize) -> Vec<Stretch> {
        (0..count).map(|at| Stretch { start: 4 * at, length: 4 }).collect()
    }

    /// What becomes of a network's steps, and whether a note sounds after them.
    fn mended(seam: Seam, steps: [Step; 4], mut sounds: bool) -> (Vec<Step>, bool) {
        let mut line = Line::Notes(steps.to_vec());
        seam.mend(&mut line, &mut sounds);
        let Line::Notes(steps) = line else { unreachable!("notes") };
        (steps, sounds)
    }

    #[test]
    fn what_is_held_is_told_from_what_is_silent() {
        let steps = [
            [Note(60), Hold, Hold, Hold],
            [Hold, Hold, Hold, Hold],
            [Hold, Hold, Off, Hold],
            [Hold, Hold, Hold, Hold],
            [Hold, Hold, Note(62), Hold],
            [Off, Hold, Hold, Hold],
            [Hold, Note(64), Off, Hold],
            [Note(65), Hold, Off, Hold],
            [Off, Note(65), Hold, Off],
        ];
        let line = Line::Notes(steps.concat());
        let seam = |start: Start, end: Option<usize>| Seam { start, end };
        let told = [
            seam(Start::Plays, None),
            seam(Start::Holds, None),
            seam(Start::Holds, Some(2)),
            Seam::SILENT,
            seam(Start::Rests, None),
            Seam::SILENT,
            // What follows begins with a note.
            seam(Start::Rests, None),
            seam(Start::Plays, Some(2)),
            seam(Start::Rests, Some(3)),
            Seam::SILENT,
        ];
        assert_eq!(Seam::all(&line, &stretches(10)), told);
        assert_eq!(
            Seam::all(&Line::Hits(vec![0, 0, 0, 0, 0, 1]), &stretches(3)),
            [Seam::SILENT, Seam::PLAYS, Seam::SILENT]
        );
    }

    /// The last note before a long rest sounded for all of it.
    #[test]
    fn nothing_sounds_on_into_silence() {
        let rests = Seam { start: Start::Rests, end: None };
        let holds = Seam { start: Start::Holds, end: None };
        let held = [Hold, Hold, Hold, Hold];
        let ended = (vec![Off, Hold, Hold, Hold], false);
        for seam in [Seam::SILENT, rests, Seam::PLAYS] {
            assert_eq!(mended(seam, held, true), ended);
            assert_eq!(mended(seam, held, false), (held.to_vec(), false));
        }
        assert_eq!(mended(Seam::SILENT, [Note(60), Hold, Hold, Hold], true), ended);
        assert_eq!(mended(holds, held, true), (held.to_vec(), true));
        let late = [Hold, Hold, Note(60), Hold];
        assert_eq!(mended(rests, late, true), (vec![Off, Hold, Note(60), Hold], true));
        assert_eq!(mended(Seam::PLAYS, late, true), (late.to_vec(), true));
        let mut hits = Line::Hits(vec![1, 0, 3]);
        Seam::SILENT.mend(&mut hits, &mut false);
        assert_eq!(hits, Line::Hits(vec![0; 3]));
    }

    /// It sounded to the end of its stretch all the same.
    #[test]
    fn the_last_note_before_a_rest_ends_where_the_rest_starts() {
        let until = |start: Start| Seam { start, end: Some(2) };
        assert_eq!(mended(until(Start::Plays), [Note(60), Hold, Hold, Hold], false).0, [Note(60), Hold, Off, Hold]);
        assert_eq!(mended(until(Start::Holds), [Hold, Hold, Hold, Hold], true), (vec![Hold, Hold, Off, Hold], false));
        // What is struck in the silence is not heard.
        assert_eq!(mended(until(Start::Plays), [Note(60), Off, Hold, Note(62)], false).0, [Note(60), Off, Hold, Hold]);
        // Between two tunes a note may last as long as in either.
        let late = Seam { end: Some(3), ..Seam::PLAYS };
        assert_eq!(until(Start::Plays).beside([late]), late);
        assert_eq!(Seam::SILENT.beside([late, Seam::PLAYS]), Seam { end: None, ..Seam::SILENT });
    }
}
