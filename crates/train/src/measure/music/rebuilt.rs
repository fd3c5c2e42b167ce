//! What of held-out music survives: MIDI in, encode, decode, MIDI out, step by step on the grid.

use anyhow::{Result, anyhow};
use latentd::media::melody::{Line, Melody, Score, Step, midi};
use latentd::stage::codec::MelodyCodec;

use super::{Finding, finding, mean};

/// How alike two voices are.
struct Likeness {
    /// The share of steps that are the same.
    steps: f64,
    /// F1 of the steps at which notes start.
    onsets: f64,
    /// The share of common onsets with the same pitch.
    pitches: f64,
}

/// Step accuracy of every part; for voices of notes F1 of onsets and accuracy of pitches too.
pub fn measure(codec: &MelodyCodec, stretches: &[Vec<Line>]) -> Result<Vec<Finding>> {
    let parts = &codec.melody().parts;
    let window = codec.melody().steps;
    let mut likenesses: Vec<Vec<Likeness>> = parts.iter().map(|_| Vec::new()).collect();
    for lines in stretches {
        let blank = Score::blank(parts, window, codec.melody().windows);
        let before = through_midi(&blank.compose(lines))?;
        // Music that does not sound is no MIDI file.
        let Ok(score) = codec.score(&before) else { continue };
        let points = codec.points(&score).map_err(|error| anyhow!("{error}"))?;
        let rebuilt = codec.lines(&points, &score).map_err(|error| anyhow!("{error}"))?;
        let after = through_midi(&score.compose(&rebuilt))
            .and_then(|piece| Score::of(&piece, parts, window, Default::default()).map_err(|error| anyhow!("{error}")));
        for (at, truth) in score.lines.iter().enumerate() {
            let silence = Line::silence(parts[at], truth.len());
            let found = after.as_ref().ok().and_then(|score| score.lines.get(at)).unwrap_or(&silence);
            likenesses[at].push(compare(truth, found));
        }
    }
    let mut findings = Vec::new();
    for (part, likenesses) in parts.iter().zip(&likenesses) {
        let name = |what: &str| match parts.len() {
            1 => what.to_owned(),
            _ => format!("{}: {what}", part.name()),
        };
        findings.push(finding(name("step accuracy"), mean(likenesses.iter().map(|l| l.steps))));
        findings.push(finding(name("onset F1"), mean(likenesses.iter().map(|l| l.onsets))));
        findings.push(finding(name("pitch given onset"), mean(likenesses.iter().map(|l| l.pitches))));
    }
    Ok(findings)
}

fn through_midi(piece: &Melody) -> Result<Melody> {
    let mut bytes = Vec::new();
    midi::write(piece, &mut bytes).map_err(|error| anyhow!("{error}"))?;
    midi::read(bytes.as_slice()).map_err(|error| anyhow!("{error}"))
}

fn compare(truth: &Line, found: &Line) -> Likeness {
    let steps = truth.len().max(found.len());
    let (truth, found) = (truth.window(0, steps, false), found.window(0, steps, false));
    match (&truth, &found) {
        (Line::Notes(a), Line::Notes(b)) => {
            let onset = |step: &Step| matches!(step, Step::Note(_));
            let both = a.iter().zip(b).filter(|(a, b)| onset(a) && onset(b)).count();
            let same = a.iter().zip(b).filter(|(a, b)| onset(a) && a == b).count();
            let all = a.iter().chain(b).filter(|step| onset(step)).count();
            Likeness {
                steps: 1.0 - truth.distance(&found),
                onsets: 2.0 * both as f64 / all.max(1) as f64,
                pitches: if both > 0 { same as f64 / both as f64 } else { 0.0 },
            }
        }
        (Line::Hits(a), Line::Hits(b)) => {
            let hits = |hits: &[u16]| hits.iter().map(|hits| hits.count_ones()).sum::<u32>();
            let both: u32 = a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum();
            let onsets = 2.0 * f64::from(both) / f64::from((hits(a) + hits(b)).max(1));
            let struck = a.iter().zip(b).filter(|(a, b)| **a != 0 && **b != 0);
            let (count, same) = struck.fold((0, 0), |(n, same), (a, b)| (n + 1, same + usize::from(a == b)));
            Likeness {
                steps: 1.0 - truth.distance(&found),
                onsets,
                pitches: f64::from(same as u32) / f64::from(count.max(1)),
            }
        }
        _ => Likeness { steps: 0.0, onsets: 0.0, pitches: 0.0 },
    }
}
