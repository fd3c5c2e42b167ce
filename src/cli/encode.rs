//! `latentd encode`: files to latents.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::results::elsewhere;
use super::voice::Voice;
use super::{Common, files, models, stdout};
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::media::latent::{LatentFormat, write_latents};
use crate::media::melody::Score;
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
    /// Replace the file that is there; its latents are lost
    #[arg(long, requires = "out")]
    overwrite: bool,
    #[command(flatten)]
    voice: Voice,
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
    let model = models::find(common, &args.model)?;
    let codec = codec::open_choosing(&model, args.class.map(usize::from), args.voice.choice())?;
    let inputs = files::collect(&args.inputs, codec.media())?;
    if let Some(out) = &args.out {
        files::check_apart(out, inputs.iter().map(|input| input.path.as_path()))?;
        check_free(out, args.overwrite)?;
    }
    let mut latents = Vec::new();
    let outcome = files::each(&inputs, |input| {
        // Nobody reads on.
        if format.is_none() && stdout::is_lost() {
            return Ok(());
        }
        let media = input.read(codec.media())?;
        let mut latent = match codec.melodies() {
            Some(codec) => {
                let (score, latent) = codec.encode_score(&media)?;
                files::remark(&score.remarks, &input.path);
                if format.is_some_and(|format| !format.has_frames()) {
                    warn_of_seams(&score, codec.melody().steps, &input.path);
                }
                latent
            }
            None => files::encode(codec.as_ref(), &media, &input.path)?,
        };
        latent.source = Some(input.name.clone());
        match format {
            // Shown as they come.
            None => {
                let mut lines = Vec::new();
                write_latents(&[latent], LatentFormat::JsonLines, &mut lines)?;
                files::above_bar(|| stdout::bytes(&lines));
            }
            Some(_) => latents.push(latent),
        }
        Ok(())
    });
    if let (Some(path), Some(format)) = (&args.out, format) {
        if latents.is_empty() {
            return outcome.and(Err(Error::new(Kind::NoInput, "there is nothing to encode")));
        }
        let fill = |draft: Draft| draft.fill(|out| write_latents(&latents, format, out).map_err(|e| e.at(path)));
        // Another program may have taken the name since.
        let collision = if args.overwrite { Collision::Replace } else { Collision::Rename };
        let written = Draft::new(path).and_then(fill).and_then(|draft| draft.publish(collision)).map_err(elsewhere)?;
        if written != *path {
            tracing::warn!("{} is there by now: the latents are in {}", show_path(path), show_path(&written));
        }
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Refuses to replace what is there: it may be a table of other files' latents, which a pipeline has gathered.
fn check_free(out: &Path, overwrite: bool) -> Result<()> {
    if overwrite || out.symlink_metadata().is_err() {
        return Ok(());
    }
    let e = Error::new(Kind::Usage, "is there already, and its latents would be lost").at(out);
    Err(e.mend("name another file after `--out`, or say `--overwrite`"))
}

/// Says of a tune whose bars leave windows of the model partly empty what will become of it where the file holds no meter: `decode` plays whole windows.
fn warn_of_seams(score: &Score, window: usize, path: &Path) {
    // After the last there is only silence.
    if score.stretches.iter().rev().skip(1).any(|stretch| stretch.length < window) {
        let path = show_path(path);
        tracing::warn!(
            "{path}: its bars do not fill the model's {window} steps, and this format holds no meter: `latentd decode` will play some beats twice (.safetensors and .jsonl hold it; `reconstruct`, `perturb` and `similar` have the file)"
        );
    }
}
