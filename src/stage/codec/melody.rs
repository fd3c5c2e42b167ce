use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{Codec, check_finite, check_latent};
use crate::error::{Error, Kind, Result};
use crate::media::melody::{Choice, Line, Part, Score, lines, roll};
use crate::media::{Latent, Media, MediaKind, Melody};
use crate::model::{LatentSpace, MelodySpace, Model, Session};

/// Rows that go through a network together where there are many: larger products are faster.
const MANY: usize = 8;

/// An autoencoder of melodies. A piece of any length goes through it stretch by stretch; each starts with a bar, and what sounds over a seam is
/// held over it.
#[derive(Debug)]
pub struct MelodyCodec {
    name: String,
    space: LatentSpace,
    melody: MelodySpace,
    choice: Choice,
    encoder: Rows,
    decoder: Rows,
    directions: Rows,
}

impl MelodyCodec {
    /// The codec of a model; parts of its graph are made ready when they are first used.
    ///
    /// # Errors
    /// Kind model: the card does not tell what an autoencoder of melodies must.
    pub fn open(model: &Arc<Model>) -> Result<MelodyCodec> {
        let card = &model.card;
        let wrong = |what: &str| Error::new(Kind::Model, format!("the card of `{}` {what}", card.name));
        let space = card.latent.clone().ok_or_else(|| wrong("tells of no latent space"))?;
        let melody = card.melody.clone().ok_or_else(|| wrong("tells nothing of melodies"))?;
        let sequence = [melody.all_steps(), melody.values()];
        Ok(MelodyCodec {
            name: card.name.clone(),
            encoder: Rows::new(model, ("notes", &sequence), ("z_mean", space.size)),
            decoder: Rows::new(model, ("latent", &[space.size]), ("output", sequence[0] * sequence[1])),
            directions: Rows::new(model, ("qualities", &[melody.qualities.len()]), ("direction", space.size)),
            space,
            melody,
            choice: Choice::Auto,
        })
    }

    /// Takes the melody from a track or channel of choice.
    ///
    /// # Errors
    /// Kind usage: there is a choice, and the model takes no melody.
    pub fn choosing(self, choice: Choice) -> Result<MelodyCodec> {
        if choice != Choice::Auto && !self.melody.parts.contains(&Part::Melody) {
            let what = format!("`{}` takes drums, wherever they are, and no melody", self.name);
            return Err(Error::new(Kind::Usage, what).mend("leave `track` and `channel` out"));
        }
        Ok(MelodyCodec { choice, ..self })
    }

    /// What the card tells of melodies.
    pub fn melody(&self) -> &MelodySpace {
        &self.melody
    }

    /// A piece on the grid, as this model takes it.
    ///
    /// # Errors
    /// Kind input: it lacks a part that the model takes, or its meter does not fit.
    pub fn score(&self, piece: &Melody) -> Result<Score> {
        Score::of(piece, &self.melody.parts, self.melody.steps, self.choice)
    }

    /// The points of a score, each `size` numbers, for all its stretches.
    ///
    /// # Errors
    /// Kind model: the model failed.
    pub fn points(&self, score: &Score) -> Result<Vec<Vec<f32>>> {
        let windows = score.windows(self.melody.steps);
        let silence = || self.melody.parts.iter().map(|part| Line::silence(*part, self.melody.steps)).collect();
        let groups = windows.chunks(self.melody.windows).map(|group| {
            let missing = (group.len()..self.melody.windows).map(|_| silence());
            let windows = group.iter().cloned().chain(missing);
            windows.flat_map(|lines: Vec<Line>| roll(&lines, &self.melody.parts)).collect::<Vec<f32>>()
        });
        each_once(&groups.collect::<Vec<_>>(), |groups| self.encoder.run(groups))
    }

    /// A piece on the grid, and the points of it.
    ///
    /// # Errors
    /// As for [`score`](Self::score). Kind model: the model failed.
    pub fn encode_score(&self, media: &Media) -> Result<(Score, Latent)> {
        let score = self.score(self.piece(media)?)?;
        let values = self.points(&score)?.concat();
        let frame = Some(score.told());
        Ok((score, Latent { values, size: self.space.size, model: self.name.clone(), source: None, frame }))
    }

    /// The points of stretches that fill the model's windows, each the lines of all parts.
    ///
    /// # Errors
    /// Kind model: the model failed.
    pub fn encode_lines(&self, stretches: &[Vec<Line>]) -> Result<Vec<Vec<f32>>> {
        self.encoder.run(&stretches.iter().map(|lines| roll(lines, &self.melody.parts)).collect::<Vec<_>>())
    }

    /// The windows that points stand for, each the lines of all parts.
    ///
    /// # Errors
    /// Kind model: the model failed.
    pub fn windows(&self, points: &[Vec<f32>]) -> Result<Vec<Vec<Line>>> {
        let one = self.melody.steps * self.melody.values();
        let windows = each_once(points, |points| {
            let scores = self.decoder.run(points)?;
            scores.iter().try_for_each(|row| check_finite(&self.name, row))?;
            let windows = |row: &Vec<f32>| row.chunks_exact(one).map(|row| lines(row, &self.melody.parts)).collect();
            Ok(scores.iter().map(windows).collect::<Vec<Vec<Vec<Line>>>>())
        })?;
        Ok(windows.into_iter().flatten().collect())
    }

    /// The windows that a latent stands for.
    ///
    /// # Errors
    /// Kind input: points of another model or number. Kind model: the model failed.
    pub fn windows_of(&self, latent: &Latent) -> Result<Vec<Vec<Line>>> {
        self.windows(&self.rows(latent)?)
    }

    /// How a piece between others is to sound, each of which counts as much as its weight tells.
    ///
    /// # Panics
    /// When there are no others.
    pub fn score_between(&self, ends: &[(&Score, f32)]) -> Score {
        Score::between(ends, self.melody.windows)
    }

    /// The lines that points stand for, with the stretches of `score`.
    ///
    /// # Errors
    /// Kind model: the model failed.
    pub fn lines(&self, points: &[Vec<f32>], score: &Score) -> Result<Vec<Line>> {
        Ok(score.assemble(&self.windows(points)?))
    }

    /// What is to be added to a point so that it has more or less of each quality of the card, in deviations of the training tunes.
    ///
    /// # Errors
    /// Kind usage: a quality that the model has no direction for. Kind model: the model failed.
    pub fn direction(&self, wanted: &[(String, f32)]) -> Result<Vec<f32>> {
        let known = &self.melody.qualities;
        let mut amounts = vec![0f32; known.len()];
        for (quality, amount) in wanted {
            let Some(at) = known.iter().position(|name| name == quality) else {
                let what = format!("`{}` knows no quality `{quality}`", self.name);
                let mend = match crate::did_you_mean(quality, known.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`? It knows {}", known.join(", ")),
                    None if known.is_empty() => "choose a model whose card lists `qualities`".to_owned(),
                    None => format!("it knows {}", known.join(", ")),
                };
                return Err(Error::new(Kind::Usage, what).mend(mend));
            };
            amounts[at] += amount;
        }
        Ok(self.directions.run(&[amounts])?.remove(0))
    }

    fn piece<'a>(&self, media: &'a Media) -> Result<&'a Melody> {
        match media {
            Media::Melody(piece) => Ok(piece),
            other => {
                let what = format!("`{}` encodes melodies, and this is {}", self.name, other.kind().with_article());
                Err(Error::new(Kind::Input, what).mend("give a MIDI file"))
            }
        }
    }

    fn rows(&self, latent: &Latent) -> Result<Vec<Vec<f32>>> {
        check_latent(&self.name, &self.space, latent)?;
        Ok(latent.rows().map(<[f32]>::to_vec).collect())
    }
}

impl Codec for MelodyCodec {
    fn name(&self) -> &str {
        &self.name
    }

    fn media(&self) -> MediaKind {
        MediaKind::Melody
    }

    fn space(&self) -> &LatentSpace {
        &self.space
    }

    fn melodies(&self) -> Option<&MelodyCodec> {
        Some(self)
    }

    fn encode(&self, media: &Media) -> Result<Latent> {
        let (latent, remarks) = self.encode_aloud(media)?;
        remarks.iter().for_each(|remark| tracing::info!("{remark}"));
        Ok(latent)
    }

    fn encode_aloud(&self, media: &Media) -> Result<(Latent, Vec<String>)> {
        self.encode_score(media).map(|(score, latent)| (latent, score.remarks))
    }

    fn reconstruct_aloud(&self, media: &Media) -> Result<(Media, Vec<String>)> {
        let (score, latent) = self.encode_score(media)?;
        let heard = self.score_between(&[(&score, 1.0)]);
        Ok((Media::Melody(heard.compose(&heard.assemble(&self.windows_of(&latent)?))), score.remarks))
    }

    fn decode(&self, latent: &Latent) -> Result<Media> {
        let points = self.rows(latent)?;
        let (parts, steps, windows) = (&self.melody.parts, self.melody.steps, self.melody.windows);
        let framed = |frame| Score::framed(parts, steps, windows, points.len(), frame);
        let score = latent.frame.as_ref().and_then(framed);
        let score = score.unwrap_or_else(|| Score::blank(parts, steps, points.len() * windows));
        Ok(Media::Melody(score.compose(&self.lines(&points, &score)?)))
    }

    fn decode_between(&self, latent: &Latent, ends: &[(&Media, f32)]) -> Result<Media> {
        if ends.is_empty() {
            return self.decode(latent);
        }
        let scores = ends.iter().map(|(media, weight)| Ok((self.score(self.piece(media)?)?, *weight)));
        let scores = scores.collect::<Result<Vec<(Score, f32)>>>()?;
        let ends: Vec<(&Score, f32)> = scores.iter().map(|(score, weight)| (score, *weight)).collect();
        let score = self.score_between(&ends);
        Ok(Media::Melody(score.compose(&score.assemble(&self.windows_of(latent)?))))
    }
}

/// What `make` makes of rows, of equal ones only once: tunes repeat themselves, and all silence is alike.
fn each_once<T: Clone>(rows: &[Vec<f32>], make: impl FnOnce(&[Vec<f32>]) -> Result<Vec<T>>) -> Result<Vec<T>> {
    let mut known: HashMap<&[u8], usize> = HashMap::new();
    let mut once = Vec::new();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let place = known.entry(bytemuck::cast_slice(row)).or_insert_with(|| {
            once.push(row.clone());
            once.len() - 1
        });
        places.push(*place);
    }
    let made = make(&once)?;
    Ok(places.into_iter().map(|place| made[place].clone()).collect())
}

/// Lines that are those of `second` up to `done` of their length, 0..=1, and then those of `first`.
pub fn mixed(first: &[Line], second: &[Line], done: f32) -> Vec<Line> {
    let one = |(first, second): (&Line, &Line)| {
        let at = (done * second.len() as f32).round() as usize;
        Line::join([second.window(0, at, false), first.window(at, first.len().saturating_sub(at), false)])
    };
    first.iter().zip(second).filter_map(one).collect()
}

/// A part of a graph that makes one row of numbers of another, for any number of rows.
struct Rows {
    model: Arc<Model>,
    input: &'static str,
    row: Vec<usize>,
    output: &'static str,
    yields: usize,
    one: OnceLock<Session>,
    many: OnceLock<Session>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.input, self.output)
    }
}

impl Rows {
    fn new(
        model: &Arc<Model>,
        (input, row): (&'static str, &[usize]),
        (output, yields): (&'static str, usize),
    ) -> Rows {
        let (one, many) = (OnceLock::new(), OnceLock::new());
        Rows { model: Arc::clone(model), input, row: row.to_vec(), output, yields, one, many }
    }

    fn run(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let mut results = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            // A few rows more than needed cost less than one after another.
            let count = if rest.len() > 2 { MANY } else { 1 };
            let taken = count.min(rest.len());
            let mut values = rest[..taken].concat();
            values.resize(count * self.row.iter().product::<usize>(), 0.0);
            let outputs = self.session(count)?.run(&[&values])?;
            results.extend(outputs[0].chunks_exact(self.yields.max(1)).take(taken).map(<[f32]>::to_vec));
            rest = &rest[taken..];
        }
        Ok(results)
    }

    fn session(&self, count: usize) -> Result<&Session> {
        let cell = if count == 1 { &self.one } else { &self.many };
        if let Some(session) = cell.get() {
            return Ok(session);
        }
        let shape: Vec<usize> = std::iter::once(count).chain(self.row.iter().copied()).collect();
        let session = Session::new(&self.model, &[(self.input, &shape)], &[self.output])?;
        if session.output_shapes()[0].iter().product::<usize>() != count * self.yields {
            let name = &self.model.card.name;
            return Err(Error::new(Kind::Model, format!("the card of `{name}` tells other shapes than its graph has")));
        }
        Ok(cell.get_or_init(|| session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::melody::Step;

    /// A tune of two notes and an hour of silence took minutes.
    #[test]
    fn what_comes_again_is_made_once() {
        let rows = [1.0, 2.0, 1.0, 1.0, 3.0].map(|value| vec![value, 0.0]);
        let made = each_once(&rows, |once| {
            assert_eq!(once.len(), 3);
            Ok(once.iter().map(|row| row[0]).collect())
        });
        assert_eq!(made.ok(), Some(vec![1.0, 2.0, 1.0, 1.0, 3.0]));
    }

    #[test]
    fn a_mixture_begins_as_the_second_and_ends_as_the_first() {
        let line = |pitch| vec![Line::Notes(vec![Step::Note(pitch), Step::Hold, Step::Note(pitch + 2), Step::Hold])];
        let (first, second) = (line(60), line(72));
        assert_eq!((mixed(&first, &second, 0.0), mixed(&first, &second, 1.0)), (first.clone(), second.clone()));
        // What sounds at the seam is held over it.
        let seam = vec![Step::Note(72), Step::Hold, Step::Note(74), Step::Hold];
        assert_eq!(mixed(&first, &second, 0.75), [Line::Notes(seam)]);
        let half = vec![Step::Note(72), Step::Hold, Step::Note(62), Step::Hold];
        assert_eq!(mixed(&first, &second, 0.5), [Line::Notes(half)]);
    }
}
