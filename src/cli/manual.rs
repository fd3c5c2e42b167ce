//! `latentd schema`, `completions` and `man`: what other programs show of this one, all made of the same definitions.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;

use super::{Cli, stdout};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::pipeline::CATALOG;

pub fn schema() -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(&config::schema(&CATALOG))
        .map_err(|e| Error::new(Kind::Bug, "the schema cannot be written").because(e))?;
    say!("{text}");
    Ok(ExitCode::SUCCESS)
}

pub fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "latentd", &mut text);
    stdout::bytes(&text);
    Ok(ExitCode::SUCCESS)
}

pub fn man(folder: Option<&Path>) -> Result<ExitCode> {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
        clap_mangen::generate_to(Cli::command(), folder).map_err(|e| Error::io("write in", folder, e))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|e| Error::new(Kind::Bug, "the manual page cannot be written").because(e))?;
    stdout::bytes(&text);
    Ok(ExitCode::SUCCESS)
}
