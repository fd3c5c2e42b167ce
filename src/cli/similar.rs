//! `latentd similar`: pieces near one, or with more or less of a quality.

use std::path::PathBuf;
use std::process::ExitCode;

use super::perturb::draws;
use super::pieces::{Output, stem};
use super::{Common, files, models};
use crate::error::{Error, Kind, Result};
use crate::media::melody::Choice;
use crate::media::{Latent, MediaKind};
use crate::stage::codec::{self, MelodyCodec};
use crate::stage::interpolate::between;

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
    /// The melody is on this track, counted from 1
    #[arg(long, conflicts_with = "channel")]
    track: Option<u16>,
    /// The melody is on this channel, counted from 1
    #[arg(long)]
    channel: Option<u16>,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
    #[command(flatten)]
    output: Output,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    if !(0.0..=1.0).contains(&args.amount) {
        return Err(Error::new(Kind::Usage, "--amount is from 0 to 1"));
    }
    args.output.check()?;
    let model = models::find(common, &args.model)?;
    let choice = Choice::of(args.track.map(usize::from), args.channel.map(usize::from));
    let codec = codec::open_choosing(&model, args.class.map(usize::from), choice)?;
    let piece = files::read(codec.media(), &args.file)?;
    let mut point = codec.encode(&piece).map_err(|e| files::naming(e, &args.file))?;
    let wanted = wanted(args)?;
    if !wanted.is_empty() {
        if codec.media() != MediaKind::Melody {
            let what = format!("`{}` knows no qualities", args.model);
            return Err(Error::new(Kind::Usage, what).mend("choose a model of melodies"));
        }
        let direction = MelodyCodec::open(&model)?.direction(&wanted)?;
        let moved = point.values.iter().zip(direction.iter().cycle()).map(|(value, change)| value + change);
        point.values = moved.collect();
    }
    let mut made = Vec::new();
    for values in draws(args.seed, u32::from(args.count), point.values.len()) {
        let elsewhere = Latent { values, ..point.clone() };
        made.push(codec.decode_between(&between(&point, &elsewhere, args.amount), &[(&piece, 1.0)])?);
    }
    let labels: Vec<String> = (1..=made.len()).map(|number| format!("{} {number}", stem(&args.file))).collect();
    args.output.write("similar", made, &labels, 1)?;
    Ok(ExitCode::SUCCESS)
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
