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
        let main = folder.join("latentd.1");
        std::fs::write(&main, page()?).map_err(|e| Error::io("write", &main, e))?;
        return Ok(ExitCode::SUCCESS);
    }
    stdout::bytes(&page()?);
    Ok(ExitCode::SUCCESS)
}

/// The page of the program itself: what clap knows of it, and what holds for every verb.
fn page() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|e| Error::new(Kind::Bug, "the manual page cannot be written").because(e))?;
    let mut section = |title: &str, entries: &[(String, &str)]| {
        text.extend(format!(".SH \"{title}\"\n").bytes());
        for (name, meaning) in entries {
            text.extend(format!(".TP\n\\fB{name}\\fR\n{meaning}.\n").bytes());
        }
    };
    let mut codes = vec![("0".to_owned(), "all went well")];
    codes.extend(Kind::ALL.map(|kind| (kind.exit_code().to_string(), kind.meaning())));
    codes.sort_by_key(|(code, _)| code.parse::<u8>().unwrap_or_default());
    section("EXIT STATUS", &codes);
    section("ENVIRONMENT", &ENVIRONMENT.map(|(name, meaning)| (name.to_owned(), meaning)));
    section("FILES", &FILES.map(|(name, meaning)| (name.to_owned(), meaning)));
    Ok(text)
}

/// Variables that count.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("LATENTD_LOG", "what is logged, instead of -v and -q: debug, or by target, as in latentd=debug,warn"),
    ("LATENTD_SOCKET", "the control socket"),
    ("LATENTD_KERNEL", "how models compute, instead of what is measured: tract, tract-im2col, direct or winograd"),
    ("NO_COLOR", "messages without colours; so does TERM=dumb"),
    (
        "HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_CACHE_HOME, XDG_RUNTIME_DIR",
        "where the files below are",
    ),
    ("XDG_DATA_DIRS", "where models for everybody are, instead of /usr/local/share and /usr/share"),
    ("TMPDIR", "where the stage level keeps a recording that it measures, instead of /var/tmp"),
    ("TZ", "the clock of dates and times in names of results"),
    (
        "PULSE_SERVER, PULSE_RUNTIME_PATH, PULSE_COOKIE",
        "the sound server's socket (unix:PATH), the folder that pulse/native lies in, and its cookie, where they are not in their usual places",
    ),
];

/// Where things lie.
const FILES: [(&str, &str); 6] = [
    ("~/.config/latentd/*.yaml", "pipelines of a user's service"),
    ("/etc/latentd/*.yaml", "pipelines of the machine's service"),
    (
        "~/.local/share/latentd/models/",
        "models of your own; everybody's are in latentd/models/ below /usr/local/share and /usr/share, or $XDG_DATA_DIRS",
    ),
    ("~/.local/state/latentd/", "journals: what was done"),
    ("~/.cache/latentd/", "how each model runs fastest here"),
    ("$XDG_RUNTIME_DIR/latentd/", "the control socket"),
];
