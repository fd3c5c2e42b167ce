//! `latentd decode`: latents to the media that they stand for.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{Common, files, models};
use crate::error::{Error, Result, show_path};
use crate::media::latent::read_latents;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The autoencoder that the latents came from: name or path
    model: String,
    /// Files of latents: .safetensors, .npy, .csv or .jsonl
    #[arg(required = true, value_name = "LATENTS")]
    inputs: Vec<PathBuf>,
    /// Where the results go
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let model = models::find(common, &args.model)?;
    let codec = codec::open(&model, args.class)?;
    for path in &args.inputs {
        let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
        let latents = read_latents(file, path)?;
        let bar = files::bar(latents.len());
        for (index, mut latent) in latents.into_iter().enumerate() {
            // Formats that hold numbers only do not tell the model; the user has.
            if latent.model.is_empty() {
                latent.model.clone_from(&model.card.name);
            }
            let media = codec.decode(&latent).map_err(|e| e.at(path))?;
            let name = latent.source.map_or_else(|| format!("{index:05}"), |source| files::stem(&source));
            let written = files::write(media, &args.out, &name)?;
            bar.suspend(|| say!("{}", show_path(&written)));
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    Ok(ExitCode::SUCCESS)
}
