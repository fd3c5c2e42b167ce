//! `latentd similar`: pieces near one, or with more or less of a quality.

use std::path::PathBuf;
use std::process::ExitCode;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::pieces::{Output, stem};
use super::voice::Voice;
use super::{Common, files, models};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::{Latent, Media};
use crate::model::Draws;
use crate::stage::codec;
use crate::stage::interpolate::between;

/// How often another piece is drawn in the place of one without a note.
const TRIES: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The piece to begin with
    file: PathBuf,
    /// A variational autoencoder: of melodies for MIDI files, of pictures for pictures
    #[arg(long, short, default_value = "melody-2bar")]
    model: String,
    /// How many to make
    #[arg(long, short = 'n', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=999))]
    count: u16,
    /// How far from the piece, from 0 (as the model rebuilds it) to 1 (anywhere)
    #[arg(long, short, default_value_t = 0.3)]
    amount: f32,
    /// More of a quality, such as `density`; `density=2` for twice as much more (may be given more than once)
    #[arg(long, value_name = "QUALITY")]
    more: Vec<String>,
    /// Less of a quality (may be given more than once)
    #[arg(long, value_name = "QUALITY")]
    less: Vec<String>,
    /// The same seed makes the same pieces
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    voice: Voice,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
    #[command(flatten)]
    output: Output,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    if !(0.0..=1.0).contains(&args.amount) {
        let e = Error::new(Kind::Usage, format!("the amount is from 0 to 1, and not {}", args.amount));
        return Err(
            e.mend("write `--amount 0` for the piece as the model rebuilds it, or up to 1 for any piece at all")
        );
    }
    args.output.check()?;
    let model = models::find(common, &args.model)?;
    let codec = codec::open_choosing(&model, args.class.map(usize::from), args.voice.choice())?;
    let piece = files::read_for_model(codec.media(), &args.file, "--model ")?;
    let mut point = files::encode(codec.as_ref(), &piece, &args.file).map_err(|e| files::naming(e, &args.file))?;
    let wanted = wanted(args)?;
    if !wanted.is_empty() {
        let Some(melodies) = codec.melodies() else {
            let what = format!("`{}` knows no qualities", args.model);
            return Err(Error::new(Kind::Usage, what).mend("choose a model of melodies"));
        };
        let direction = melodies.direction(&wanted)?;
        let moved = point.values.iter().zip(direction.iter().cycle()).map(|(value, change)| value + change);
        point.values = moved.collect();
    }
    let draws = Draws::of(&model)?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    let mut draw = || {
        let values = anywhere(&draws, &mut rng, point.rows().len());
        let near = between(&point, &Latent { values, ..point.clone() }, args.amount);
        codec.decode_between(&near, &[(&piece, 1.0)])
    };
    // Nobody asks for silence.
    let silent = |piece: &Media| matches!(piece, Media::Melody(melody) if melody.end() == 0);
    // At no distance all draws are the same.
    let tries = if args.amount > 0.0 { TRIES } else { 1 };
    let bar = files::bar(usize::from(args.count));
    let mut made = Vec::new();
    for _ in 0..args.count {
        let mut found = draw()?;
        for _ in 1..tries {
            if !silent(&found) {
                break;
            }
            found = draw()?;
        }
        made.push(found);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let silences = made.iter().filter(|piece| silent(piece)).count();
    if silences > 0 {
        let (file, made) = (show_path(&args.file), made.len());
        tracing::warn!(
            "{file}: {silences} of {made} pieces without a note, since the model knows nothing like this one (another --amount may help)"
        );
    }
    let labels: Vec<String> = (1..=made.len()).map(|number| format!("{} {number}", stem(&args.file))).collect();
    let original = match &piece {
        Media::Melody(melody) => Some((format!("{}, the original", stem(&args.file)), melody)),
        _ => None,
    };
    args.output.write_beside(original, "similar", made, &labels, 1)?;
    Ok(ExitCode::SUCCESS)
}

/// A point of where the training data lie for each stretch of a piece, as `sample` draws them; all of one component of the mixture, as the stretches of one tune
/// are alike.
fn anywhere(draws: &Draws, rng: &mut StdRng, stretches: usize) -> Vec<f32> {
    let place: f32 = if draws.fitted() { rng.random() } else { 0.0 };
    (0..stretches).flat_map(|_| draws.draw(place, || StandardNormal.sample(rng))).collect()
}

/// Qualities and how much more of each, in deviations of the training tunes; less is negative.
fn wanted(args: &Args) -> Result<Vec<(String, f32)>> {
    let signed = [(&args.more, 1.0f32), (&args.less, -1.0)];
    let words = signed.into_iter().flat_map(|(words, sign)| words.iter().map(move |word| (word, sign)));
    words
        .map(|(word, sign)| {
            let (name, amount) = word.split_once('=').unwrap_or((word, "1"));
            let amount = amount.parse::<f32>().ok().filter(|amount| (0.0..=10.0).contains(amount));
            let amount = amount.ok_or_else(|| {
                Error::new(Kind::Usage, format!("`{word}` tells no amount from 0 to 10"))
                    .mend("write it like `density=1.5`")
            })?;
            Ok((name.to_owned(), sign * amount))
        })
        .collect()
}
