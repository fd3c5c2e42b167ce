//! `latentd service`: starting with the machine or the session.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Subcommand;

use super::{Common, paths, run};
use crate::daemon::service::{Profile, Unit, launchd, launchd_path, systemd, systemd_path};
use crate::durable;
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::outputs;
use crate::source::resolve;

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
    /// Pipelines, or folders of them; those in the configuration folder if none is named
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    whose: Whose,
    /// What it may do: `files` keeps it from devices and realtime, `audio` allows live sound
    #[arg(long, value_enum, default_value_t = Profile::Files)]
    profile: Profile,
    /// Answer HTTP at this address too, as in 127.0.0.1:9414
    #[arg(long, value_name = "ADDRESS")]
    http: Option<std::net::SocketAddr>,
    /// Only print the file
    #[arg(long)]
    print: bool,
}

pub fn run(verb: &Verb, common: &Common) -> Result<ExitCode> {
    match verb {
        Verb::Install(install) => self::install(install, common),
        Verb::Uninstall { whose } => {
            let path = place(whose.system);
            if cfg!(target_os = "macos") {
                tell(&["launchctl", "unload", &path.to_string_lossy()]);
            } else {
                tell(&systemctl(whose.system, &["disable", "--now", "latentd.service"]));
            }
            std::fs::remove_file(&path).map_err(|e| Error::io("delete", &path, e))?;
            say!("{} is removed; journals, pipelines and files stay", show_path(&path));
            Ok(ExitCode::SUCCESS)
        }
        Verb::Status { whose } => status(whose.system),
    }
}

fn place(system: bool) -> PathBuf {
    let (home, config) = paths::home_and_config();
    if cfg!(target_os = "macos") { launchd_path(system, &home) } else { systemd_path(system, &config) }
}

fn install(install: &Install, common: &Common) -> Result<ExitCode> {
    let system = install.whose.system;
    // What cannot be loaded here would not be by the service either. The system's pipelines may not be there yet.
    let mut writes = Vec::new();
    if !install.files.is_empty() || paths::config().is_dir() {
        let pipelines = run::first_load(&run::given(&install.files)?, common)?.pipelines;
        for pipeline in pipelines.iter().filter_map(|loaded| loaded.folder()) {
            writes.push(pipeline.source.root.clone());
            writes.extend(outputs(&pipeline.sink).into_iter().map(|(.., path)| path.to_path_buf()));
        }
        writes.sort();
        writes.dedup();
    }
    let program = std::env::current_exe().map_err(|e| Error::new(Kind::Bug, "where am I?").because(e))?;
    let mut arguments: Vec<String> = vec!["--watch-config".into()];
    arguments.extend(install.http.map(|address| format!("--http={address}")));
    let absolute = |path: &Path| resolve(path).to_string_lossy().into_owned();
    arguments.extend(common.models.iter().map(|folder| format!("--models={}", absolute(folder))));
    arguments.extend(install.files.iter().map(|file| absolute(file)));
    let network = install.http.is_some();
    let unit = Unit { program, arguments, system, profile: install.profile, writes, network };
    let text = if cfg!(target_os = "macos") { launchd(&unit) } else { systemd(&unit) };
    if install.print {
        say!("{}", text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let path = place(system);
    durable::write(&path, text.as_bytes())?;
    say!("{} is written. To start it now and at every start:\n", show_path(&path));
    match (cfg!(target_os = "macos"), system) {
        (true, _) => say!("    launchctl load -w {}", show_path(&path)),
        (false, true) => {
            say!("    useradd --system --home-dir /var/lib/latentd --shell /usr/sbin/nologin latentd   # once");
            say!("    systemctl daemon-reload && systemctl enable --now latentd");
        }
        (false, false) => {
            say!("    systemctl --user daemon-reload && systemctl --user enable --now latentd");
            say!("    loginctl enable-linger    # if it shall run while nobody is logged in");
        }
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

fn status(system: bool) -> Result<ExitCode> {
    let path = place(system);
    if !path.is_file() {
        let e = Error::new(Kind::NoInput, "the service is not installed").at(&path);
        return Err(e.mend("`latentd service install` does it"));
    }
    say!("installed: {}", show_path(&path));
    if !cfg!(target_os = "macos") {
        for (what, words) in [("enabled", "is-enabled"), ("active", "is-active")] {
            let answer = tell(&systemctl(system, &[words, "latentd.service"])).filter(|answer| !answer.is_empty());
            say!("{what}: {}", answer.as_deref().unwrap_or("systemd does not answer"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
