//! `latentd reconstruct`: what an autoencoder keeps of each file.

use std::path::PathBuf;
use std::process::ExitCode;

use super::results::Results;
use super::voice::Voice;
use super::{Common, files, models};
use crate::error::Result;
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// Files and folders
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    results: Results,
    #[command(flatten)]
    voice: Voice,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    args.results.check()?;
    let codec = codec::open_choosing(&models::find(common, &args.model)?, args.class, args.voice.choice())?;
    files::each(&files::collect(&args.inputs, codec.media())?, |input| {
        let (media, remarks) = codec.reconstruct_aloud(&input.read(codec.media())?)?;
        files::remark(&remarks, &input.path);
        args.results.write(media, &files::stem(&input.name), Some(&input.name))
    })?;
    Ok(ExitCode::SUCCESS)
}
