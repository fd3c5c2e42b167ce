//! `latentd sample`: media that nobody made, decoded from draws of where the training data lie, or of the prior.

use std::process::ExitCode;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::results::Results;
use super::{Common, files, models};
use crate::error::{Error, Kind, Result};
use crate::media::Latent;
use crate::model::Draws;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder whose latents follow a prior: name or path
    model: String,
    /// How many
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    number: u32,
    /// Draws are the same for the same seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The deviation of the draws: below 1 more usual, above 1 more unusual
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    #[command(flatten)]
    results: Results,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let model = models::find(common, &args.model)?;
    let codec = codec::open(&model, args.class.map(usize::from))?;
    if !(0.0..=10.0).contains(&args.temperature) {
        let e = Error::new(Kind::Usage, format!("the temperature is 0 to 10, and not {}", args.temperature));
        return Err(
            e.mend("write `--temperature 1` for what the training data are like, or less for what is most usual")
        );
    }
    args.results.check()?;
    if !codec.space().prior {
        tracing::warn!(
            "the latents of `{}` follow no prior: draws are decoded, but need not look like anything",
            model.card.name
        );
    }
    let size = codec.space().size;
    let draws = Draws::of(&model)?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    let bar = files::bar(args.number as usize);
    for index in 0..args.number {
        // Where nothing is chosen nothing is drawn, so that a seed means the same to models with and without draws of their own.
        let place = if draws.fitted() { rng.random() } else { 0.0 };
        let noise = || args.temperature * Distribution::<f32>::sample(&StandardNormal, &mut rng);
        let values = draws.draw(place, noise);
        let point = Latent { values, size, model: model.card.name.clone(), source: None, frame: None };
        let media = codec.decode(&point)?;
        args.results.write(media, &format!("{index:05}"), None)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}
