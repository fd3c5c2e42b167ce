//! `latentd run`: the daemon in the foreground.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Common, paths, pipeline_files, print_mistakes, terminal, threads};
use crate::daemon::control::{Doors, Token, listen};
use crate::daemon::{self, Board, Event, Loaded, Options, Trial, Work};
use crate::durable::Stamp;
use crate::error::{Error, Kind, Result};
use crate::model::Models;
use crate::pipeline::{self, LoadError};
use crate::source::{Watch, resolve};

/// A pipeline that is being saved is read when nothing more has come for this long.
const SAVED: Duration = Duration::from_millis(300);
/// How often the configuration is looked at without a message.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pipelines, or folders of them; if none is named, those in the user's configuration folder (~/.config/latentd)
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Worker threads; as many as there are cores if not given
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Work again on files that are done already and still in their folder
    #[arg(long)]
    again: bool,
    /// Reload when a pipeline's file changes, as SIGHUP and `latentd reload` do
    #[arg(long)]
    watch_config: bool,
    /// The control socket, for `latentd status` and the like; in the user's runtime folder if not given
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Make no control socket
    #[arg(long, conflicts_with = "socket")]
    no_socket: bool,
    /// Answer HTTP at this address too (health, metrics, JSON), as in 127.0.0.1:9414
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// A file with the token that HTTP asks for; needed for changes, and for any address but this machine's own
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let given = given(&args.files, "latentd run pipelines/clean-photos.yaml")?;
    let doors = Doors {
        socket: (!args.no_socket).then(|| args.socket.clone().unwrap_or_else(paths::socket)),
        http: args.http,
        token: args.token_file.as_deref().map(Token::read).transpose()?,
    };
    doors.check()?;
    let events = unbounded();
    listen_to_signals(events.0.clone())?;
    let first = first_load(&given, common)?;
    if args.watch_config {
        watch(&given, &events.0)?;
    }
    let threads = threads(args.threads.map(usize::from));
    let board = Arc::new(Board::new(threads));
    let listening = listen(&doors, &board, &events.0)?;
    let models = first.models;
    if !models.recall().is_empty() && !daemon::prepare(move || models.tune(), &board, &events)? {
        return Ok(ExitCode::SUCCESS);
    }
    let (program, folders) = (program(), common.models.clone());
    let trial = Trial::new(move |files| loader(&program, files, &folders))?;
    // From here on only the supervisor and what it starts: those are the threads that see what strangers have made.
    daemon::confine();
    let options = Options { threads, state: paths::state(), again: args.again };
    let (again, folders) = (given.clone(), common.models.clone());
    let load = Box::new(move || reload(&again, &folders, &trial));
    let outcome = daemon::run(first.pipelines, load, &options, board, events);
    drop(listening);
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// What is named, or else the user's folder of pipelines; `example` shows how one is named.
pub(super) fn given(files: &[PathBuf], example: &str) -> Result<Vec<PathBuf>> {
    if !files.is_empty() {
        return Ok(files.to_vec());
    }
    let folder = paths::config();
    if folder.is_dir() {
        return Ok(vec![folder]);
    }
    let e = Error::new(Kind::Usage, "no pipeline is named, and there is no folder of pipelines").at(&folder);
    Err(e.mend(format!("name a pipeline, as in `{example}`; `latentd new` begins one")))
}

/// What was read.
pub(super) struct Read {
    /// The pipelines.
    pub pipelines: Vec<Loaded>,
    /// Their models.
    pub models: Models,
}

/// Reads all pipelines, and tells what is wrong with those that cannot be read.
fn read(given: &[PathBuf], models: Models) -> Result<(Read, Vec<LoadError>)> {
    let (mut pipelines, mut failed) = (Vec::new(), Vec::new());
    for file in pipeline_files(given)? {
        match pipeline::Loaded::load(&file, &models) {
            Ok(pipeline::Loaded::Files(pipeline)) => {
                pipelines.push(Loaded { file, work: Work::Folder(Arc::new(pipeline)) });
            }
            #[cfg(feature = "live")]
            Ok(pipeline::Loaded::Live(pipeline)) => {
                pipelines.push(Loaded { file, work: Work::Live(Arc::new(pipeline)) });
            }
            Err(e) => failed.push(e),
        }
    }
    Ok((Read { pipelines, models }, failed))
}

/// Reads all pipelines; all mistakes in all files are printed before giving up.
pub(super) fn first_load(given: &[PathBuf], common: &Common) -> Result<Read> {
    let (first, mut failed) = load_some(given, common)?;
    let last = failed.pop();
    failed.iter().for_each(terminal::print_error);
    last.map_or(Ok(first), Err)
}

/// Reads those pipelines that can be read. Mistakes in the others are printed, and what came of those is given too.
pub(super) fn load_some(given: &[PathBuf], common: &Common) -> Result<(Read, Vec<Error>)> {
    let (first, failed) = read(given, common.models())?;
    Ok((first, failed.into_iter().map(print_mistakes).collect()))
}

/// This program, also if another has taken its place by now.
fn program() -> PathBuf {
    let own = Path::new("/proc/self/exe");
    if own.exists() { own.to_path_buf() } else { std::env::current_exe().unwrap_or_default() }
}

/// The program that loads pipelines and their models as [`reload`] does, and is done.
fn loader(program: &Path, files: &[PathBuf], folders: &[PathBuf]) -> Command {
    let mut command = Command::new(program);
    command.args(["check", "--ready"]);
    for folder in folders {
        command.arg("--models").arg(folder);
    }
    command.arg("--").args(files);
    command
}

/// The same while the daemon runs, where nobody reads what is printed. Models are read anew too, since they may have changed.
fn reload(given: &[PathBuf], folders: &[PathBuf], trial: &Trial) -> std::result::Result<Vec<Loaded>, Vec<String>> {
    let told = |e: Error| vec![e.to_string()];
    super::check_models(folders).map_err(told)?;
    trial.load(pipeline_files(given).map_err(told)?).map_err(told)?;
    let (again, failed) = read(given, super::find_models(folders)).map_err(told)?;
    if !failed.is_empty() {
        let told = failed.into_iter().flat_map(|e| match e {
            LoadError::Report(report) => report.to_string().lines().map(str::to_owned).collect(),
            LoadError::Other(e) => vec![e.to_string()],
        });
        return Err(told.collect());
    }
    // Measuring takes longer than the supervisor may be silent: new models run as is most often fastest until they are measured.
    if !again.models.recall().is_empty() {
        let models = again.models;
        let thread = std::thread::Builder::new().name("tune".into()).spawn(move || models.tune());
        thread.map_err(|e| vec![format!("no thread to measure new models: {e}")])?;
    }
    Ok(again.pipelines)
}

/// SIGINT and SIGTERM end the daemon, the second time at once; SIGHUP makes it reload.
fn listen_to_signals(events: Sender<Event>) -> Result<()> {
    let trouble = |e: std::io::Error| Error::new(Kind::Transient, "the system's signals cannot be heard").because(e);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(trouble)?;
    let work = move || {
        let mut ending = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP => drop(events.send(Event::Reload(None))),
                _ if ending => std::process::exit(128 + signal),
                _ => {
                    ending = true;
                    let _ = events.send(Event::Stop);
                }
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(work).map_err(trouble)?;
    Ok(())
}

/// Tells the supervisor when a pipeline's file was written, made or taken away.
fn watch(given: &[PathBuf], events: &Sender<Event>) -> Result<()> {
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in given {
        // An empty path is no folder, where a bare name lies.
        let folder = if path.is_dir() { path.clone() } else { Path::new(".").join(path.parent().unwrap_or(path)) };
        folders.entry(resolve(&folder)).or_default().push(path.clone());
    }
    for (folder, given) in folders {
        let (watch, events) = (Watch::new(&folder, false)?, events.clone());
        let work = move || {
            let mut known = snapshot(&given);
            loop {
                // A file that is taken away sends no message that is of use elsewhere, so it is looked for now and then.
                let woken = watch.wake().recv_timeout(LOOK).is_ok();
                // An editor writes, renames and writes again.
                while woken && watch.wake().recv_timeout(SAVED).is_ok() {}
                let now = snapshot(&given);
                if now != known && events.send(Event::Reload(None)).is_err() {
                    return;
                }
                known = now;
            }
        };
        let thread = std::thread::Builder::new().name("config".into()).spawn(work);
        thread.map_err(|e| Error::new(Kind::Transient, "no thread to watch the configuration").because(e))?;
    }
    Ok(())
}

/// The pipelines that are meant, and in which state they are; of links, what they lead to.
fn snapshot(given: &[PathBuf]) -> Vec<(PathBuf, Option<Stamp>)> {
    let files = given.iter().flat_map(|path| pipeline_files(std::slice::from_ref(path)).unwrap_or_default());
    let stamp = |file: &Path| std::fs::metadata(file).ok().map(|metadata| Stamp::from(&metadata));
    files.map(|file| (file.clone(), stamp(&file))).collect()
}
