//! `latentd encode`: files to latents.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Common, files, models, stdout};
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result};
use crate::media::latent::{LatentFormat, write_latents};
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// Files and folders
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write into this file: .safetensors, .npy, .csv or .jsonl; JSON lines on stdout if not given
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    // It is the command line that is wrong here, and no pipeline.
    let format = args.out.as_deref().map(LatentFormat::from_extension).transpose().map_err(|e| {
        let mend = e.mend_text().unwrap_or("name a .safetensors").to_owned();
        Error::new(Kind::Usage, e.message()).mend(mend)
    })?;
    let codec = codec::open(&models::find(common, &args.model)?, args.class.map(usize::from))?;
    let mut latents = Vec::new();
    let outcome = files::each(&files::collect(&args.inputs, codec.media())?, |input| {
        // Nobody reads on.
        if format.is_none() && stdout::is_lost() {
            return Ok(());
        }
        let mut latent = codec.encode(&input.read(codec.media())?)?;
        latent.source = Some(input.name.clone());
        match format {
            // Shown as they come.
            None => {
                let mut lines = Vec::new();
                write_latents(&[latent], LatentFormat::JsonLines, &mut lines)?;
                stdout::bytes(&lines);
            }
            Some(_) => latents.push(latent),
        }
        Ok(())
    });
    if let (Some(path), Some(format)) = (&args.out, format) {
        if latents.is_empty() {
            return outcome.and(Err(Error::new(Kind::NoInput, "there is nothing to encode")));
        }
        let draft = Draft::new(path)?.fill(|out| write_latents(&latents, format, out).map_err(|e| e.at(path)))?;
        draft.publish(Collision::Replace)?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}
