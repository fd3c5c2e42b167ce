//! `latentd decode`: latents to the media that they stand for.

use std::path::PathBuf;
use std::process::ExitCode;

use super::results::Results;
use super::{Common, files, models};
use crate::error::Result;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The autoencoder that the latents came from: name or path
    model: String,
    /// Files of latents: .safetensors, .npy, .csv or .jsonl
    #[arg(required = true, value_name = "LATENTS")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    results: Results,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    args.results.check()?;
    let model = models::find(common, &args.model)?;
    let codec = codec::open(&model, args.class.map(usize::from))?;
    let inputs = args.inputs.iter().map(|path| files::Input { path: path.clone(), name: String::new() });
    files::each(&inputs.collect::<Vec<_>>(), |input| {
        for (index, mut latent) in files::read_latents(&input.path)?.into_iter().enumerate() {
            codec::adopt(&model, &mut latent)?;
            let media = codec.decode(&latent)?;
            let source = latent.source.as_deref();
            let name = source.map_or_else(|| format!("{index:05}"), files::stem);
            args.results.write(media, &name, source)?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
