//! The command line: one verb a file. Data goes to stdout, messages and logs to stderr.

/// Prints a line of data to stdout. If that fails it is no reason to panic, nor to stop work: `stdout::finish` tells of it.
macro_rules! say {
    ($($arg:tt)*) => { $crate::cli::stdout::line(format_args!($($arg)*)) };
}

mod apart;
mod apply;
mod card;
mod check;
mod compare;
mod daemon;
mod decode;
#[cfg(feature = "live")]
mod devices;
mod doctor;
mod encode;
mod files;
mod history;
mod interpolate;
mod manual;
mod models;
mod new;
mod paths;
mod perturb;
mod pieces;
mod plain;
mod plot;
mod plot_compare;
mod plot_sound;
mod quarantine;
mod reconstruct;
mod repeats;
mod results;
mod run;
mod sample;
mod search;
mod service;
mod similar;
mod stages;
mod status;
mod stdout;
mod tell;
mod terminal;
mod top;
mod voice;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Kind, Result, show_path};
use crate::model::Models;
use crate::pipeline::{LoadError, Pipeline, Shipped};

/// Makes images, sound and melodies better with small trained autoencoders, on an ordinary CPU.
///
/// A pipeline is a YAML file: a source, stages, a sink. `latentd run` watches its folder; `latentd apply` does the same once.
#[derive(Debug, Parser)]
#[command(name = "latentd", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

/// What every verb understands.
#[derive(Debug, clap::Args)]
struct Common {
    /// Look for models in this folder first (may be given more than once)
    #[arg(long, global = true, value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: terminal::LogFormat,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run pipelines until told to stop (Ctrl-C): watch their folders and work on what is put there
    Run(run::Args),
    /// Run a pipeline once over files and folders
    Apply(apply::Args),
    /// Begin a pipeline of your own with one that the program carries
    New(new::Args),
    /// Tell all mistakes in pipelines
    Check(check::Args),
    /// Show two pictures side by side, and how alike they are
    Compare(compare::Args),
    /// Encode files into latents: the few numbers that an autoencoder says of each
    Encode(encode::Args),
    /// Decode latents into the media that they stand for
    Decode(decode::Args),
    /// Show what an autoencoder keeps of files
    Reconstruct(reconstruct::Args),
    /// Make media that nobody made, from draws of an autoencoder's prior
    Sample(sample::Args),
    /// Add noise of growing size to a file's latent, and decode it
    Perturb(perturb::Args),
    /// Find files like this one, by their latents
    Search(search::Args),
    /// Draw recordings, latent spaces, reconstructions and training runs
    Plot(plot::Args),
    /// List microphones and speakers, or measure the delay from one to the other
    #[cfg(feature = "live")]
    Devices(devices::Args),
    /// Make what lies between two files, or the table between four: melodies or pictures
    Interpolate(interpolate::Args),
    /// Make pieces that are like one, or with more or less of a quality
    Similar(similar::Args),
    /// List, show, verify and time models
    #[command(subcommand)]
    Models(models::Verb),
    /// Tell how a running daemon is
    Status(status::Args),
    /// Show a running daemon in the terminal
    Top(top::Args),
    /// Tell what happened to files
    History(history::Args),
    /// Let a pipeline's files wait in their folder
    Pause(tell::Named),
    /// Let a paused pipeline go on
    Resume(tell::Named),
    /// Let a live pipeline's sound pass as it is, or with `--off` through its stages again
    Bypass(tell::Bypass),
    /// Change how much of what a live pipeline's stages do is heard
    Strength(tell::Strength),
    /// Read the pipelines anew; if one of them is wrong, nothing changes
    Reload(daemon::Which),
    /// Work off what has arrived, then end the daemon
    Drain(daemon::Which),
    /// See what could not be worked on, and try it again
    #[command(subcommand)]
    Quarantine(quarantine::Verb),
    /// Start with the machine or the session: systemd, launchd
    #[command(subcommand)]
    Service(service::Verb),
    /// Look for what could keep pipelines from working here
    Doctor(doctor::Args),
    /// Tell what pipelines are made of: sources, stages, sinks and all their settings
    Stages(stages::Args),
    /// Print the JSON Schema of pipelines, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write a page for each verb into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Parses the command line, does what it says, and gives the exit code by the convention of sysexits.
pub fn main() -> ExitCode {
    // Panics of decoders and models are caught where they happen and told as errors; the rest is caught here.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    survive_limits();
    let outcome = std::panic::catch_unwind(parse_and_do);
    outcome.unwrap_or_else(|_| {
        let e = Error::new(Kind::Bug, "latentd has a mistake of its own");
        terminal::print_error(&e.mend("run it again with -v, and report what it says; your files are as they were"));
        Kind::Bug.exit_code().into()
    })
}

/// Where files may not grow beyond a limit (`ulimit -f`, `LimitFSIZE=`), the system sends a signal that by itself ends the program. Heard, it is an
/// error of the write that was too long, as a full disk is.
fn survive_limits() {
    let heard = Arc::new(AtomicBool::new(false));
    if let Err(e) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, heard) {
        tracing::debug!("{e}");
    }
}

fn parse() -> std::result::Result<Cli, clap::Error> {
    let mut command = with_negative_numbers(Cli::command());
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|e| e.format(&mut command))
}

/// Every option's value may be a negative number: one that makes no sense is refused for that, and not taken for an option that is not there.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let takes = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    let command = command.mut_args(|arg| if takes(&arg) { arg.allow_negative_numbers(true) } else { arg });
    command.mut_subcommands(with_negative_numbers)
}

fn parse_and_do() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(e) => {
            let printed = e.print();
            // A terminal that is gone is no reason to fail on top.
            if e.use_stderr() {
                return Kind::Usage.exit_code().into();
            }
            stdout::keep(printed);
            return end(Ok(ExitCode::SUCCESS));
        }
    };
    terminal::start_logging(&cli.common, matches!(cli.verb, Verb::Run(_)));
    end(dispatch(&cli))
}

/// The exit code of what a verb came to, once its error is told.
fn end(outcome: Result<ExitCode>) -> ExitCode {
    outcome.and_then(|code| stdout::finish().map(|()| code)).unwrap_or_else(|e| {
        terminal::print_error(&e);
        e.kind().exit_code().into()
    })
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    let common = &cli.common;
    check_models(&common.models)?;
    match &cli.verb {
        Verb::Run(args) => run::run(args, common),
        Verb::Apply(args) => apply::run(args, common),
        Verb::New(args) => new::run(args, common),
        Verb::Check(args) => check::run(args, common),
        Verb::Compare(args) => compare::run(args),
        Verb::Encode(args) => encode::run(args, common),
        Verb::Decode(args) => decode::run(args, common),
        Verb::Reconstruct(args) => reconstruct::run(args, common),
        Verb::Sample(args) => sample::run(args, common),
        Verb::Perturb(args) => perturb::run(args, common),
        Verb::Search(args) => search::run(args, common),
        Verb::Plot(args) => plot::run(args, common),
        #[cfg(feature = "live")]
        Verb::Devices(args) => devices::run(args),
        Verb::Interpolate(args) => interpolate::run(args, common),
        Verb::Similar(args) => similar::run(args, common),
        Verb::Models(verb) => models::run(verb, common),
        Verb::Status(args) => status::run(args),
        Verb::Top(args) => top::run(args),
        Verb::History(args) => history::run(args),
        Verb::Pause(args) => tell::pause(args),
        Verb::Resume(args) => tell::resume(args),
        Verb::Bypass(args) => tell::bypass(args),
        Verb::Strength(args) => tell::strength(args),
        Verb::Reload(which) => tell::reload(which),
        Verb::Drain(which) => tell::drain(which),
        Verb::Quarantine(verb) => quarantine::run(verb, common),
        Verb::Service(verb) => service::run(verb, common),
        Verb::Doctor(args) => doctor::run(args, common),
        Verb::Stages(args) => stages::run(args),
        Verb::Schema => manual::schema(),
        Verb::Completions { shell } => manual::completions(*shell),
        Verb::Man { out } => manual::man(out.as_deref()),
    }
}

impl Common {
    fn models(&self) -> Models {
        find_models(&self.models)
    }
}

/// A folder that is named and is not there would be passed over, and another model taken for the one that was meant.
fn check_models(folders: &[PathBuf]) -> Result<()> {
    match folders.iter().find(|folder| !folder.is_dir()) {
        Some(folder) => Err(Error::new(Kind::NoInput, "there is no such folder of models")
            .at(folder)
            .mend("check the path after `--models`; it names a folder that holds a folder for each model")),
        None => Ok(()),
    }
}

/// A store of models: these folders first, then those beside a pipeline, the user's own and those for everybody.
fn find_models(folders: &[PathBuf]) -> Models {
    find_models_apart(folders).with_projects()
}

/// [`find_models`] but for those beside a pipeline.
fn find_models_apart(folders: &[PathBuf]) -> Models {
    Models::new(paths::models()).first_in(folders).remembering(paths::cache())
}

/// Loads a pipeline; its mistakes are printed as a report, and the error tells only how many there are.
fn load(file: &Path, models: &Models) -> Result<Pipeline> {
    Pipeline::load(file, models).map_err(print_mistakes)
}

fn print_mistakes(e: LoadError) -> Error {
    match e {
        LoadError::Report(report) => {
            terminal::print_report(&report);
            let count = report.problems.len();
            let errors = if count == 1 { "error" } else { "errors" };
            Error::new(Kind::Config, format!("{count} {errors} in {}", show_path(&report.file)))
        }
        LoadError::Other(error) => error,
    }
}

/// The pipelines in a file, or in all `.yaml` and `.yml` files of a folder, by name.
fn pipeline_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, e))?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| is_yaml(p)).collect();
            if found.is_empty() {
                return Err(Error::new(Kind::NoInput, "there is no .yaml file in this folder").at(path));
            }
            found.sort();
            files.extend(found);
        } else if let Some(shipped) = path.to_str().and_then(Shipped::find).filter(|_| !path.exists()) {
            let what =
                "there is no such file; the program carries a pipeline of that name, which `apply` alone runs so";
            let mend = format!("write it down first: `latentd new {}`", shipped.name);
            return Err(Error::new(Kind::NoInput, what).at(path).mend(mend));
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
}

fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}
