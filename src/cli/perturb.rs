//! `latentd perturb`: noise of growing size added to the latent of a file, and decoded.

use std::path::PathBuf;
use std::process::ExitCode;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::pieces::stem;
use super::results::Results;
use super::voice::Voice;
use super::{Common, files, models};
use crate::error::{Error, Kind, Result};
use crate::media::Latent;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// The file
    input: PathBuf,
    /// Deviations of the noise, in units of the latent; results are called STEM-DRAW-AMOUNT
    #[arg(long, value_delimiter = ',', default_value = "0,0.25,0.5,1,2")]
    amounts: Vec<f32>,
    /// Draws of noise; each is used at all amounts
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,
    /// Draws are the same for the same seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    results: Results,
    #[command(flatten)]
    voice: Voice,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    if args.amounts.iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
        let e = Error::new(Kind::Usage, "the amounts of noise are numbers from 0");
        return Err(e.mend("write them like `--amounts 0,0.5,1`"));
    }
    if args.input.is_dir() {
        return Err(Error::new(Kind::Usage, "a folder, and one file is perturbed").at(&args.input).mend("name a file"));
    }
    args.results.check()?;
    let codec = codec::open_choosing(&models::find(common, &args.model)?, args.class, args.voice.choice())?;
    let original = files::read_for_model(codec.media(), &args.input, "")?;
    let point = files::encode(codec.as_ref(), &original, &args.input).map_err(|e| files::naming(e, &args.input))?;
    let bar = files::bar(args.number as usize * args.amounts.len());
    for (draw, noise) in draws(args.seed, args.number, point.values.len()).enumerate() {
        for amount in &args.amounts {
            let values = point.values.iter().zip(&noise).map(|(value, noise)| value + amount * noise).collect();
            // What a latent does not hold, such as a tune's meter and tempo, is the original's.
            let media = codec.decode_between(&Latent { values, ..point.clone() }, &[(&original, 1.0)])?;
            let name = format!("{}-{draw}-{amount}", stem(&args.input));
            args.results.write(media, &name, Some(&format!("draw {draw}, noise of {amount}")))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}

/// `number` draws of `size` numbers of the standard normal distribution.
fn draws(seed: u64, number: u32, size: usize) -> impl Iterator<Item = Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..number).map(move |_| (0..size).map(|_| StandardNormal.sample(&mut rng)).collect())
}
