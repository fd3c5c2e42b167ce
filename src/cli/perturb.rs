//! `latentd perturb`: noise of growing size added to the latent of a file, and decoded.

use std::path::PathBuf;
use std::process::ExitCode;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Common, files, models};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::Latent;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// The file
    input: PathBuf,
    /// Deviations of the noise, in units of the latent
    #[arg(long, value_delimiter = ',', default_value = "0,0.25,0.5,1,2")]
    amounts: Vec<f32>,
    /// Draws of noise; each is used at all amounts
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,
    /// Draws are the same for the same seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the results go, as STEM-DRAW-AMOUNT
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let codec = codec::open(&models::find(common, &args.model)?, args.class)?;
    if args.amounts.iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
        return Err(Error::new(Kind::Usage, "the amounts of noise are numbers from 0"));
    }
    if args.input.is_dir() {
        return Err(Error::new(Kind::Usage, "a folder, and one file is perturbed").at(&args.input).mend("name a file"));
    }
    let inputs = files::collect(std::slice::from_ref(&args.input), codec.media())?;
    files::each(&inputs[..1], |input| {
        let point = codec.encode(&input.read(codec.media())?)?;
        for (draw, noise) in draws(args.seed, args.number, point.values.len()).enumerate() {
            for amount in &args.amounts {
                let values = point.values.iter().zip(&noise).map(|(value, noise)| value + amount * noise).collect();
                let media = codec.decode(&Latent { values, ..point.clone() })?;
                let name = format!("{}-{draw}-{amount}", files::stem(&input.name));
                say!("{}", show_path(&files::write(media, &args.out, &name)?));
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `number` draws of `size` numbers of the standard normal distribution.
pub fn draws(seed: u64, number: u32, size: usize) -> impl Iterator<Item = Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..number).map(move |_| (0..size).map(|_| StandardNormal.sample(&mut rng)).collect())
}
