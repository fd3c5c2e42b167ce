//! `latentd reconstruct`: what an autoencoder keeps of each file.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Common, files, models};
use crate::error::{Result, show_path};
use crate::stage::codec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// Files and folders
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Where the results go
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let codec = codec::open(&models::find(common, &args.model)?, args.class)?;
    files::each(&files::collect(&args.inputs, codec.media())?, |input| {
        let media = codec.reconstruct(&input.read(codec.media())?)?;
        let written = files::write(media, &args.out, &files::stem(&input.name))?;
        say!("{}", show_path(&written));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
