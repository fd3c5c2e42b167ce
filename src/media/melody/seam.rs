//! What a line does from the start of a stretch on. A network sees a silence that goes on and a note that goes on as the same, so what it
//! makes of a stretch may let the last note before sound for as long as the silence lasts.

use super::{Line, Step, Stretch};

/// What a line does from the start of a stretch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seam {
    /// It is silent throughout.
    Silent,
    /// It begins with silence.
    Rests,
    /// It may hold one note throughout.
    Holds,
    /// It plays.
    Plays,
}

impl Seam {
    /// What a line does in each of its stretches.
    pub fn all(line: &Line, stretches: &[Stretch]) -> Vec<Seam> {
        // Whether a note sounds.
        let mut sounds = false;
        let seam = |stretch: &Stretch| {
            let range = stretch.start.min(line.len())..stretch.end().min(line.len());
            match line {
                Line::Hits(hits) if hits[range.clone()].iter().all(|hits| *hits == 0) => Seam::Silent,
                Line::Hits(_) => Seam::Plays,
                Line::Notes(steps) => {
                    let own = &steps[range];
                    let silent = match own.first() {
                        Some(Step::Note(_)) => false,
                        Some(Step::Hold) => !sounds,
                        Some(Step::Off) | None => true,
                    };
                    let strikes = own.iter().any(|step| matches!(step, Step::Note(_)));
                    // Behind the line's end there is silence.
                    let whole = own.len() == stretch.length;
                    sounds = whole && sounds_after(own, sounds);
                    match (silent, strikes) {
                        (true, false) => Seam::Silent,
                        (true, true) => Seam::Rests,
                        (false, false) if sounds => Seam::Holds,
                        _ => Seam::Plays,
                    }
                }
            }
        };
        stretches.iter().map(seam).collect()
    }

    /// Makes what a network gave for a stretch silent where the line is. `sounds` tells whether a note sounds over its start, and then whether one
    /// sounds over its end.
    pub fn mend(self, line: &mut Line, sounds: &mut bool) {
        match line {
            Line::Hits(hits) if self == Seam::Silent => hits.fill(0),
            Line::Hits(_) => {}
            Line::Notes(steps) => {
                if self == Seam::Silent {
                    steps.fill(Step::Hold);
                }
                let ends = match self {
                    Seam::Silent | Seam::Rests => true,
                    Seam::Plays => steps.iter().all(|step| *step == Step::Hold),
                    Seam::Holds => false,
                };
                if ends && *sounds && steps.first() == Some(&Step::Hold) {
                    steps[0] = Step::Off;
                }
                *sounds = sounds_after(steps, *sounds);
            }
        }
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

    #[test]
    fn what_is_held_is_told_from_what_is_silent() {
        let steps = [
            [Note(60), Hold, Hold, Hold],
            [Hold, Hold, Hold, Hold],
            [Hold, Hold, Off, Hold],
            [Hold, Hold, Hold, Hold],
            [Hold, Hold, Note(62), Hold],
            [Off, Hold, Hold, Hold],
        ];
        let line = Line::Notes(steps.concat());
        let told = [Seam::Plays, Seam::Holds, Seam::Plays, Seam::Silent, Seam::Rests, Seam::Silent, Seam::Silent];
        assert_eq!(Seam::all(&line, &stretches(7)), told);
        assert_eq!(
            Seam::all(&Line::Hits(vec![0, 0, 0, 0, 0, 1]), &stretches(3)),
            [Seam::Silent, Seam::Plays, Seam::Silent]
        );
    }

    /// The last note before a long rest sounded for all of it.
    #[test]
    fn nothing_sounds_on_into_silence() {
        let mended = |seam: Seam, steps: [Step; 4], mut sounds: bool| {
            let mut line = Line::Notes(steps.to_vec());
            seam.mend(&mut line, &mut sounds);
            let Line::Notes(steps) = line else { unreachable!("notes") };
            (steps, sounds)
        };
        let held = [Hold, Hold, Hold, Hold];
        let ended = (vec![Off, Hold, Hold, Hold], false);
        for seam in [Seam::Silent, Seam::Rests, Seam::Plays] {
            assert_eq!(mended(seam, held, true), ended);
            assert_eq!(mended(seam, held, false), (held.to_vec(), false));
        }
        assert_eq!(mended(Seam::Silent, [Note(60), Hold, Hold, Hold], true), ended);
        assert_eq!(mended(Seam::Holds, held, true), (held.to_vec(), true));
        let late = [Hold, Hold, Note(60), Hold];
        assert_eq!(mended(Seam::Rests, late, true), (vec![Off, Hold, Note(60), Hold], true));
        assert_eq!(mended(Seam::Plays, late, true), (late.to_vec(), true));
        let mut hits = Line::Hits(vec![1, 0, 3]);
        Seam::Silent.mend(&mut hits, &mut false);
        assert_eq!(hits, Line::Hits(vec![0; 3]));
    }
}
