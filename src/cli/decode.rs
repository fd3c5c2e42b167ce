//! `latentd decode`: latents to the media that they stand for.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{Common, files, models};
use crate::error::{Error, Kind, Result, show_path};
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
    class: Option<u16>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let model = models::find(common, &args.model)?;
    let codec = codec::open(&model, args.class.map(usize::from))?;
    let inputs = args.inputs.iter().map(|path| files::Input { path: path.clone(), name: String::new() });
    files::each(&inputs.collect::<Vec<_>>(), |input| {
        let path = &input.path;
        let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
        let latents = read_latents(file, path)?;
        if latents.is_empty() {
            return Err(Error::new(Kind::Input, "there is no latent in it"));
        }
        for (index, mut latent) in latents.into_iter().enumerate() {
            codec::adopt(&model, &mut latent)?;
            let media = codec.decode(&latent)?;
            let name = latent.source.map_or_else(|| format!("{index:05}"), |source| files::stem(&source));
            say!("{}", show_path(&files::write(media, &args.out, &name)?));
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
