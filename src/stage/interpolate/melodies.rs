//! Walks and tables of melodies, whose pieces are compared on the grid as the model makes them: before bars are cut and a tempo and an instrument
//! are taken from one end or the other, which would count as a change of everything.

use super::{Stop, between, cells, leading, places};
use crate::error::{Error, Result};
use crate::media::melody::{Line, Score, distance_of};
use crate::media::{Latent, Media};
use crate::stage::codec::{Codec, MelodyCodec, mixed};
use crate::stage::spacing::spaced_by;

/// What remarks call the pieces that they are about.
const ORDINALS: [&str; 4] = ["first", "second", "third", "fourth"];

/// A way through the latent space from one tune to another; all that lies on it is what the model makes of points.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Along the arcs, the first point so far ahead of the last as [`leading`] takes it: where fewer points are on their way at once,
    /// fewer are unlike both ends at once.
    Lead(f32),
    /// Over so many points between, evenly, along the arcs from each to the next: those that the model finds for tunes in which the one has grown into
    /// the other.
    Over(u8),
}

/// What is tried in turn until one is straight enough.
const WAYS: [Way; 5] = [Way::Lead(0.0), Way::Lead(1.0), Way::Lead(3.0), Way::Over(1), Way::Over(3)];

/// The walk from one end to the other. Meter, instrument and loudness change in its middle, wherever that lies between the two points.
pub fn stops(codec: &MelodyCodec, ends: [&Media; 2], steps: usize) -> Result<Vec<Stop>> {
    let (scores, points) = encoded(codec, &ends)?;
    let heard = Heard::of(codec, [&scores[0], &scores[1]]);
    let way = way(codec, [&points[0], &points[1]], &heard, steps)?;
    let places = places(&way, |a, b| distance_of(a, b));
    let stop = |(number, (lines, place)): (usize, (&Vec<Line>, f64))| {
        let share = number as f32 / steps.saturating_sub(1).max(1) as f32;
        let score = codec.score_between(&[(&scores[0], 1.0 - share), (&scores[1], share)]);
        let piece = score.compose(&score.assemble(&heard.windows(lines)));
        Stop { piece: Media::Melody(piece), place }
    };
    Ok(way.iter().zip(places).enumerate().map(stop).collect())
}

/// What is heard on the way from one latent to the other, both ends included as the model rebuilds them: for each of `steps` pieces a line a part.
fn way(codec: &MelodyCodec, [a, b]: [&Latent; 2], heard: &Heard, steps: usize) -> Result<Vec<Vec<Line>>> {
    let at = |way: Way, shares: &[f32]| -> Result<Vec<Vec<Line>>> {
        let over = match way {
            Way::Lead(_) => Vec::new(),
            Way::Over(count) => hubs(codec, [a, b], count)?,
        };
        let point = |t: f32| match way {
            Way::Lead(lead) => leading(a, b, t, lead),
            Way::Over(_) => along(&over, t),
        };
        let lines = |t: &f32| codec.windows_of(&point(*t)).map(|windows| heard.lines(&windows));
        shares.iter().map(lines).collect()
    };
    let grown = |shares: &[f32]| {
        let ends = at(Way::Lead(0.0), &[0.0, 1.0])?;
        Ok::<_, Error>(shares.iter().map(|share| mixed(&ends[0], &ends[1], *share)).collect())
    };
    // One point has none to go ahead of.
    let alone = a.rows().len().max(b.rows().len()) < 2;
    let ways = WAYS.into_iter().filter(|way| !(alone && matches!(way, Way::Lead(lead) if *lead > 0.0)));
    spaced_by(steps, &ways.collect::<Vec<_>>(), at, grown, |a, b| distance_of(a, b))
}

/// The walk from one point to another where all of it is heard, as [`stops`] goes it: for each of `steps` pieces a line a part.
///
/// # Errors
/// Kind input: a point of another size. Kind model: the model failed.
pub fn lines_between(codec: &MelodyCodec, ends: [&[f32]; 2], steps: usize) -> Result<Vec<Vec<Line>>> {
    let latent = |values: &[f32]| Latent {
        values: values.to_vec(),
        size: codec.space().size,
        model: codec.name().to_owned(),
        source: None,
        frame: None,
    };
    let heard = Heard { lengths: vec![codec.melody().steps; codec.melody().windows] };
    way(codec, [&latent(ends[0]), &latent(ends[1])], &heard, steps)
}

/// Both ends and `count` points between them: what the model finds for the tunes of each point, the second grown so far into the first.
fn hubs(codec: &MelodyCodec, [a, b]: [&Latent; 2], count: u8) -> Result<Vec<Latent>> {
    // Both with as many points as the longer has.
    let [first, last] = [between(a, b, 0.0), between(a, b, 1.0)];
    let whole = |windows: &[Vec<Line>]| -> Vec<Line> {
        let parts = windows.first().map_or(0, Vec::len);
        let part = |at: usize| Line::join(windows.iter().filter_map(|lines| lines.get(at).cloned()));
        (0..parts).filter_map(part).collect()
    };
    let tunes = |latent: &Latent| -> Result<Vec<Vec<Line>>> {
        Ok(codec.windows_of(latent)?.chunks(codec.melody().windows.max(1)).map(whole).collect())
    };
    let (from, to) = (tunes(&first)?, tunes(&last)?);
    let mut points = vec![first];
    for number in 1..=count {
        let share = f32::from(number) / (f32::from(count) + 1.0);
        let grown: Vec<Vec<Line>> = from.iter().zip(&to).map(|(from, to)| mixed(from, to, share)).collect();
        points.push(Latent { values: codec.encode_lines(&grown)?.concat(), ..last.clone() });
    }
    points.push(last);
    Ok(points)
}

/// The latent at `t` of the way (0..=1) over all of `points`, of which there are two at least.
fn along(points: &[Latent], t: f32) -> Latent {
    let gaps = points.len().saturating_sub(1).max(1);
    let way = t.clamp(0.0, 1.0) * gaps as f32;
    // The gap that it falls into.
    let at = (way.floor() as usize).min(gaps - 1);
    between(&points[at], &points[at + 1], way - at as f32)
}

/// The table between four corners.
pub fn table(codec: &MelodyCodec, corners: [&Media; 4], rows: usize, columns: usize) -> Result<Vec<Media>> {
    let (scores, points) = encoded(codec, &corners)?;
    cells(&points, rows, columns, |point, weights| {
        let score = codec.score_between(&scores.iter().zip(weights).collect::<Vec<_>>());
        Ok(Media::Melody(score.compose(&score.assemble(&codec.windows_of(point)?))))
    })
}

/// Pieces on the grid and their points, once for all places between them. What is to be known of a piece is logged, and which it is.
fn encoded(codec: &MelodyCodec, pieces: &[&Media]) -> Result<(Vec<Score>, Vec<Latent>)> {
    let (mut scores, mut points) = (Vec::new(), Vec::new());
    for (part, piece) in pieces.iter().enumerate() {
        let (score, point) = codec.encode_score(piece).map_err(|e| e.of_part(part))?;
        for remark in &score.remarks {
            tracing::info!("of the {}: {remark}", ORDINALS[part % ORDINALS.len()]);
        }
        scores.push(score);
        points.push(point);
    }
    Ok((scores, points))
}

/// How much of each window is heard at one end of a walk or the other. Ends of other meters have other stretches, and of all of them
/// the longer counts.
struct Heard {
    lengths: Vec<usize>,
}

impl Heard {
    fn of(codec: &MelodyCodec, [a, b]: [&Score; 2]) -> Heard {
        let [a, b] = [[1.0, 0.0], [0.0, 1.0]].map(|[of_a, of_b]| codec.score_between(&[(a, of_a), (b, of_b)]));
        let longer = a.stretches.iter().zip(&b.stretches).map(|(a, b)| a.length.max(b.length));
        Heard { lengths: longer.collect() }
    }

    /// What is heard of windows, one after another, for each part.
    fn lines(&self, windows: &[Vec<Line>]) -> Vec<Line> {
        let parts = windows.first().map_or(0, Vec::len);
        let line = |part: usize| {
            let heard = windows.iter().zip(&self.lengths);
            Line::join(heard.filter_map(|(lines, length)| Some(lines.get(part)?.window(0, *length, false))))
        };
        (0..parts).filter_map(line).collect()
    }

    /// [`lines`](Self::lines) cut into windows again.
    fn windows(&self, lines: &[Line]) -> Vec<Vec<Line>> {
        let mut end = 0;
        let window = |length: &usize| {
            let start = end;
            end += length;
            lines.iter().map(|line| line.window(start, *length, false)).collect()
        };
        self.lengths.iter().map(window).collect()
    }
}
