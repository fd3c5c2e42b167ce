//! `interpolate`: what lies between two pieces of media, on the way through a latent space.

mod melodies;

pub use melodies::lines_between;

use super::codec::{self, Codec};
use super::spacing::spaced;
use super::{Context, Site, Stage, model_for};
use crate::config::{Component, Description, Field, Kind as FieldKind, Presence, Problem, Value};
use crate::error::{Error, Kind, Result};
use crate::media::{Latent, Media, MediaKind};
use crate::model::Task;

pub(super) const DESCRIPTION: Description = Description {
    name: "interpolate",
    doc: "Makes what lies between two files, from the first to the second; the source must say `group: 2`.",
    takes: &[MediaKind::Image, MediaKind::Melody],
    gives: &[MediaKind::Image, MediaKind::Melody],
    example: "interpolate: { model: melody-2bar, steps: 9 }",
    fields: &[
        Field {
            name: "model",
            doc: "Name of a variational autoencoder, or the path of an ONNX file with a card beside it.",
            kind: FieldKind::Text,
            presence: Presence::Default("melody-2bar"),
        },
        Field {
            name: "steps",
            doc: "How many results there are, both ends included.",
            kind: FieldKind::Integer { min: 2, max: 99 },
            presence: Presence::Default("9"),
        },
        codec::TRACK,
        codec::CHANNEL,
        codec::CLASS,
    ],
};

#[derive(Debug)]
struct Interpolate {
    codec: Box<dyn Codec>,
    steps: usize,
}

pub(super) fn build(component: &Component, site: &Site) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let model = model_for(component, Task::Autoencode, site)?;
    let number =
        |name: &str| settings.get(name).and_then(Value::as_integer).and_then(|number| usize::try_from(number).ok());
    let choice = codec::choice_of(component)?;
    let codec = codec::open_choosing(&model, number("class"), choice)
        .map_err(|e| vec![Problem::of(settings.span("model"), &e)])?;
    Ok(Box::new(Interpolate { codec, steps: usize::try_from(settings.integer("steps")).unwrap_or(9) }))
}

impl Stage for Interpolate {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        self.codec.media()
    }

    fn pieces(&self, given: usize) -> Result<usize> {
        if given == 2 {
            return Ok(self.steps);
        }
        let what = format!("`interpolate` goes from one piece to another, and is given {given}");
        Err(Error::new(Kind::Config, what).mend("set `group: 2` in the pipeline's source"))
    }

    fn run(&self, media: Vec<Media>, _context: &Context) -> Result<Vec<Media>> {
        let [from, to] = media.as_slice() else {
            return self.pieces(media.len()).map(|_| Vec::new());
        };
        walk(self.codec.as_ref(), from, to, self.steps)
    }
}

/// A piece on a walk.
#[derive(Debug)]
pub struct Stop {
    /// The piece.
    pub piece: Media,
    /// Where it lies by what is heard or seen of it: at 0 where it is the first, at 1 where it is the last.
    pub place: f64,
}

/// The pieces of [`stops`] alone.
///
/// # Errors
/// As for stops.
pub fn walk(codec: &dyn Codec, from: &Media, to: &Media, steps: usize) -> Result<Vec<Media>> {
    Ok(stops(codec, from, to, steps)?.into_iter().map(|stop| stop.piece).collect())
}

/// `steps` pieces from one to the other, both ends included as the model rebuilds them. They lie on the arc between the two, where each is about as
/// unlike the one before: at equal angles most of the change would fall into the middle. Where what the model
/// finds there is too unlike both tunes, their first parts go ahead of their last, or the way leads over what the model finds for tunes that begin as
/// the one and end as the other. Where that is of no use either, the one grows into the other from its beginning on.
///
/// # Errors
/// As for the codec; where it is about one end, the error tells which.
pub fn stops(codec: &dyn Codec, from: &Media, to: &Media, steps: usize) -> Result<Vec<Stop>> {
    if let Some(codec) = codec.melodies() {
        return melodies::stops(codec, [from, to], steps);
    }
    let point = |part: usize, piece: &Media| codec.encode(piece).map_err(|e| e.of_part(part));
    let (a, b) = (point(0, from)?, point(1, to)?);
    let at = |shares: &[f32]| {
        let piece = |t: &f32| codec.decode_between(&between(&a, &b, *t), &[(from, 1.0 - t), (to, *t)]);
        shares.iter().map(piece).collect::<Result<Vec<Media>>>()
    };
    // What has no beginning is wholly the nearer one.
    let mixed = |shares: &[f32]| at(&shares.iter().map(|share| share.round()).collect::<Vec<f32>>());
    let way = spaced(steps, at, mixed, Media::distance)?;
    let places = places(&way, Media::distance);
    Ok(way.into_iter().zip(places).map(|(piece, place)| Stop { piece, place }).collect())
}

/// Where each of a way lies between its ends, 0..=1, by how far it is from both.
fn places<T>(way: &[T], distance: impl Fn(&T, &T) -> f64) -> Vec<f64> {
    let last = way.len().saturating_sub(1);
    let place = |(at, piece): (usize, &T)| match (distance(&way[0], piece), distance(piece, &way[last])) {
        // All are alike.
        (0.0, 0.0) => at as f64 / last.max(1) as f64,
        (from, to) => from / (from + to),
    };
    way.iter().enumerate().map(place).collect()
}

/// A table of `rows` x `columns` pieces with the four given ones at its corners: first and second at the top, third and fourth at the bottom. Row by
/// row.
///
/// # Errors
/// As for the codec; where it is about one corner, the error tells which.
pub fn table(codec: &dyn Codec, corners: [&Media; 4], rows: usize, columns: usize) -> Result<Vec<Media>> {
    if let Some(codec) = codec.melodies() {
        return melodies::table(codec, corners, rows, columns);
    }
    let point = |(part, corner): (usize, &&Media)| codec.encode(corner).map_err(|e| e.of_part(part));
    let points = corners.iter().enumerate().map(point).collect::<Result<Vec<_>>>()?;
    cells(&points, rows, columns, |point, weights| {
        codec.decode_between(point, &corners.into_iter().zip(weights).collect::<Vec<_>>())
    })
}

/// What `piece` makes of each place of a table between four points, and of how much each of these counts there.
fn cells(
    points: &[Latent],
    rows: usize,
    columns: usize,
    piece: impl Fn(&Latent, [f32; 4]) -> Result<Media>,
) -> Result<Vec<Media>> {
    let share = |at: usize, count: usize| at as f32 / count.saturating_sub(1).max(1) as f32;
    let mut pieces = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let (down, across) = (share(row, rows), share(column, columns));
            let [top, bottom] = [0, 2].map(|at| between(&points[at], &points[at + 1], across));
            let weights = [(1.0 - down) * (1.0 - across), (1.0 - down) * across, down * (1.0 - across), down * across];
            pieces.push(piece(&between(&top, &bottom, down), weights)?);
        }
    }
    Ok(pieces)
}

/// The latent at `t` of the way (0..=1) between two, point by point; the shorter one begins anew when it is over.
pub fn between(a: &Latent, b: &Latent, t: f32) -> Latent {
    leading(a, b, t, 0.0)
}

/// As [`between`], but the first point goes ahead of the last: each takes 1 of 1 + `lead` of the way for all of its own, the first at once and the last
/// at the end.
fn leading(a: &Latent, b: &Latent, t: f32, lead: f32) -> Latent {
    let [left, right] = [a, b].map(|latent| latent.rows().collect::<Vec<_>>());
    let count = left.len().max(right.len());
    let behind = |at: usize| lead * at as f32 / count.saturating_sub(1).max(1) as f32;
    let own = |at: usize| ((1.0 + lead) * t - behind(at)).clamp(0.0, 1.0);
    let pairs = left.iter().cycle().zip(right.iter().cycle()).take(count).enumerate();
    Latent { values: pairs.flat_map(|(at, (a, b))| slerp(a, b, own(at))).collect(), source: None, ..a.clone() }
}

/// Spherical interpolation (Shoemake 1985): along the arc between two points as seen from the origin. Draws of a normal distribution in many dimensions
/// lie near a sphere, and the straight line between two would cut through its inside, where there are hardly any.
pub fn slerp(a: &[f32], b: &[f32], t: f32) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let t = f64::from(t);
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-30);
    let angle = cosine.clamp(-1.0, 1.0).acos();
    // Where there is no arc (the same direction, or opposite ones), the line.
    let (of_a, of_b) = match angle.sin() {
        sine if sine < 1e-4 => (1.0 - t, t),
        sine => (((1.0 - t) * angle).sin() / sine, (t * angle).sin() / sine),
    };
    a.iter().zip(b).map(|(x, y)| (of_a * f64::from(*x) + of_b * f64::from(*y)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_point_goes_ahead_of_the_last_and_all_arrive() {
        let latent = |point: [f32; 2]| Latent {
            values: point.repeat(3),
            size: 2,
            model: String::new(),
            source: None,
            frame: None,
        };
        let (a, b) = (latent([1.0, 0.0]), latent([0.0, 1.0]));
        let near = |t: f32, expected: &[f32]| {
            let found = leading(&a, &b, t, 1.0).values;
            assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-6), "{t}: {found:?}");
        };
        let half = std::f32::consts::FRAC_1_SQRT_2;
        near(0.0, &a.values);
        near(0.5, &[0.0, 1.0, half, half, 1.0, 0.0]);
        near(1.0, &b.values);
        // Without a lead all go at once.
        assert_eq!(leading(&a, &b, 0.3, 0.0).values, slerp(&[1.0, 0.0], &[0.0, 1.0], 0.3).repeat(3));
    }
}
