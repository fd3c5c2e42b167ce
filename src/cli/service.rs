//! `latentd service`: starting with the machine or the session.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Subcommand;

use super::{Common, paths, pipeline_files, run};
use crate::daemon::control::{Doors, Token};
use crate::daemon::service::{Profile, Unit, launchd, launchd_path, systemd, systemd_path};
use crate::durable;
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::outputs;
use crate::source::resolve;

/// What the machine's service runs when nothing is named.
const SYSTEM_PIPELINES: &str = "/etc/latentd";
const UNIT: &str = "latentd.service";
/// What asks launchd.
const LAUNCHD_LIST: [&str; 3] = ["launchctl", "list", "io.github.latentd"];

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a service file for systemd (launchd on macOS), for this user unless --system is given
    Install(Install),
    /// Stop the service and remove its file
    Uninstall {
        #[command(flatten)]
        whose: Whose,
    },
    /// Tell whether it is installed and runs
    Status {
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Debug, clap::Args)]
pub struct Whose {
    /// The system's, not this user's
    #[arg(long)]
    system: bool,
}

#[derive(Debug, clap::Args)]
pub struct Install {
    /// Pipelines, or folders of them; if none is named, those in the user's configuration folder, with --system in /etc/latentd
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    whose: Whose,
    /// What it may do: `files` keeps it from devices and realtime, `audio` allows live sound
    #[arg(long, value_enum, default_value_t = Profile::Files)]
    profile: Profile,
    /// Worker threads; as many as there are cores if not given
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Answer HTTP at this address too, as in 127.0.0.1:9414
    #[arg(long, value_name = "ADDRESS")]
    http: Option<std::net::SocketAddr>,
    /// A file with the token that HTTP asks for; needed for changes, and for any address but this machine's own
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
    /// Only print the file
    #[arg(long)]
    print: bool,
}

pub fn run(verb: &Verb, common: &Common) -> Result<ExitCode> {
    match verb {
        Verb::Install(install) => self::install(install, common),
        Verb::Uninstall { whose } => uninstall(whose.system),
        Verb::Status { whose } => status(whose.system),
    }
}

fn place(system: bool) -> PathBuf {
    let (home, config) = paths::home_and_config();
    if cfg!(target_os = "macos") { launchd_path(system, &home) } else { systemd_path(system, &config) }
}

/// The service's file, if there is one: ours, or one that came with a package, which systemd knows.
fn installed(system: bool) -> Result<PathBuf> {
    let path = place(system);
    if path.is_file() {
        return Ok(path);
    }
    let packaged = ["show", "--property=FragmentPath", "--value", UNIT];
    let packaged = if cfg!(target_os = "macos") { None } else { tell(&systemctl(system, &packaged)) };
    if let Some(path) = packaged.map(PathBuf::from).filter(|path| path.is_file()) {
        return Ok(path);
    }
    let e = Error::new(Kind::NoInput, "the service is not installed").at(&path);
    Err(e.mend("`latentd service install` installs it; with --system, the machine's is meant"))
}

/// What the service is to run.
fn given(install: &Install) -> Result<Vec<PathBuf>> {
    if !install.files.is_empty() {
        return Ok(install.files.clone());
    }
    let folder: PathBuf = if install.whose.system { SYSTEM_PIPELINES.into() } else { paths::config() };
    if !folder.is_dir() || pipeline_files(std::slice::from_ref(&folder)).is_err() {
        let e = Error::new(Kind::Usage, "no pipeline is named, and none can be read in this folder").at(&folder);
        return Err(e.mend("put one there, or name it: `latentd service install pipelines/clean-photos.yaml`"));
    }
    Ok(vec![folder])
}

/// A path as a service file can tell it: such a file is text, and any other name would stand for a file that is not there.
fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let e = Error::new(Kind::Usage, "the path is not UTF-8, and a service file cannot tell it").at(path);
        e.mend("rename what it names, or the folder that this lies in")
    })
}

fn install(install: &Install, common: &Common) -> Result<ExitCode> {
    let system = install.whose.system;
    // What does not start here would not as a service either.
    let token = install.token_file.as_deref().map(Token::read).transpose()?;
    Doors { socket: None, http: install.http, token }.check()?;
    let given = given(install)?;
    let program = std::env::current_exe().map_err(|e| Error::new(Kind::Bug, "where am I?").because(e))?;
    text(&program)?;
    // Where cargo puts it, whose `clean` would take it away.
    if program.parent().is_some_and(|folder| folder.ends_with("target/release") || folder.ends_with("target/debug")) {
        let program = show_path(&program);
        tracing::warn!(
            "the service will run {program}, and end with that folder: install the program first, as with `sudo install {program} /usr/local/bin/`"
        );
    }
    let mut arguments: Vec<String> = vec!["--watch-config".into()];
    arguments.extend(install.threads.map(|threads| format!("--threads={threads}")));
    arguments.extend(install.http.map(|address| format!("--http={address}")));
    if let Some(file) = &install.token_file {
        arguments.push(format!("--token-file={}", text(&resolve(file))?));
    }
    for folder in &common.models {
        arguments.push(format!("--models={}", text(&resolve(folder))?));
    }
    for path in &given {
        arguments.push(text(&resolve(path))?);
    }
    let pipelines = run::first_load(&given, common)?.pipelines;
    if install.profile == Profile::Files && pipelines.iter().any(|loaded| loaded.folder().is_none()) {
        let kept = if system { "sound devices and realtime" } else { "realtime" };
        tracing::warn!(
            "the profile `files` keeps the service from {kept}, which a live pipeline needs: give `--profile audio`"
        );
    }
    let mut writes = Vec::new();
    for pipeline in pipelines.iter().filter_map(|loaded| loaded.folder()) {
        writes.push(pipeline.source.root.clone());
        writes.extend(outputs(&pipeline.sink).into_iter().map(|(.., path)| path.to_path_buf()));
    }
    writes.sort();
    writes.dedup();
    if system {
        writes.iter().try_for_each(|path| text(path).map(drop))?;
    }
    let network = install.http.is_some();
    let unit = Unit { program, arguments, system, profile: install.profile, writes, network };
    let file = if cfg!(target_os = "macos") { launchd(&unit) } else { systemd(&unit) };
    if install.print {
        say!("{}", file.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let path = place(system);
    durable::write(&path, file.as_bytes())?;
    say!("{} is written. To start it now and at every start:\n", show_path(&path));
    match (cfg!(target_os = "macos"), system) {
        (true, _) => say!("    launchctl load -w {}", show_path(&path)),
        (false, true) => {
            say!("    useradd --system --home-dir /var/lib/latentd --shell /usr/sbin/nologin latentd   # once");
            if let Some(file) = &install.token_file {
                say!("    chown latentd {}   # the service reads it as this user", show_path(file));
            }
            say!("    systemctl daemon-reload && systemctl enable --now latentd");
        }
        (false, false) => {
            say!("    systemctl --user daemon-reload && systemctl --user enable --now latentd");
            say!("    loginctl enable-linger    # if it shall run while nobody is logged in");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn uninstall(system: bool) -> Result<ExitCode> {
    let path = installed(system)?;
    if path != place(system) {
        let whose = if system { "" } else { "--user " };
        let e = Error::new(Kind::Usage, "the service came with a package, and goes with it").at(&path);
        return Err(e.mend(format!("`systemctl {whose}disable --now {UNIT}` stops it for good")));
    }
    let mac = cfg!(target_os = "macos");
    let file = path.to_string_lossy();
    let stop = if mac { vec!["launchctl", "unload", &*file] } else { systemctl(system, &["disable", "--now", UNIT]) };
    tell(&stop);
    // launchd says nothing of what is not loaded.
    let state = if mac { tell(&LAUNCHD_LIST) } else { ask(system, "is-active") };
    if state.as_deref().is_some_and(|state| !matches!(state, "" | "inactive" | "failed" | "unknown")) {
        let e = Error::new(Kind::Transient, "the service could not be stopped, and stays installed").at(&path);
        return Err(e.mend(format!("see what `{}` says", stop.join(" "))));
    }
    std::fs::remove_file(&path).map_err(|e| Error::io("delete", &path, e))?;
    if !mac {
        tell(&systemctl(system, &["daemon-reload"]));
    }
    say!("{} is removed; journals, pipelines and files stay", show_path(&path));
    if state.is_none() {
        say!("systemd does not answer: if the service runs, `latentd drain` ends it");
    }
    Ok(ExitCode::SUCCESS)
}

fn systemctl<'a>(system: bool, what: &[&'a str]) -> Vec<&'a str> {
    let mut command = vec!["systemctl"];
    command.extend((!system).then_some("--user"));
    command.extend(what);
    command
}

/// Runs a program of the system's and gives what it says; nothing if it is not there.
fn tell(command: &[&str]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What systemd answers to a question about the service; nothing if it does not.
fn ask(system: bool, question: &str) -> Option<String> {
    tell(&systemctl(system, &[question, UNIT])).filter(|answer| !answer.is_empty())
}

fn status(system: bool) -> Result<ExitCode> {
    let path = installed(system)?;
    say!("installed: {}", show_path(&path));
    let active = if cfg!(target_os = "macos") {
        // launchd tells the process of what runs.
        let runs = tell(&LAUNCHD_LIST).is_some_and(|told| told.contains("\"PID\""));
        say!("active: {}", if runs { "active" } else { "inactive" });
        runs
    } else {
        let [enabled, active] = ["is-enabled", "is-active"].map(|question| ask(system, question));
        for (what, answer) in [("enabled", &enabled), ("active", &active)] {
            say!("{what}: {}", answer.as_deref().unwrap_or("systemd does not answer"));
        }
        matches!(active.as_deref(), Some("active" | "reloading"))
    };
    Ok(if active { ExitCode::SUCCESS } else { Kind::Transient.exit_code().into() })
}
