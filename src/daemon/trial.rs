//! Some models take the process with them that loads them: tract follows what a graph says of sizes until the stack or the memory ends, and no error comes
//! of that. So before a running daemon loads anything anew another process does. A confined thread can start none: one that is not does it when asked.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded, unbounded};

use crate::error::{Error, Kind, Result};

/// How long it may take: the supervisor waits, and whoever started the daemon must not take it for one that hangs.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often to see whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The thread that starts processes.
#[derive(Debug, Clone)]
pub struct Trial(Sender<(Vec<PathBuf>, Sender<Result<()>>)>);

impl Trial {
    /// Begins. `command` makes the program that loads these pipelines, and their models, as the daemon would.
    ///
    /// # Errors
    /// Kind transient: there is no thread for it.
    pub fn new(command: impl Fn(&[PathBuf]) -> Command + Send + 'static) -> Result<Trial> {
        let (requests, asked) = unbounded::<(Vec<PathBuf>, Sender<Result<()>>)>();
        let work = move || {
            for (files, answer) in asked {
                let _ = answer.send(attempt(&files, &command));
            }
        };
        let thread = std::thread::Builder::new().name("trial".into()).spawn(work);
        thread.map_err(|e| Error::new(Kind::Transient, "no thread to try models").because(e))?;
        Ok(Trial(requests))
    }

    /// Loads these pipelines elsewhere. Where that cannot be tried it is no error, nor are mistakes, which whoever loads them finds as well.
    ///
    /// # Errors
    /// Kind model: the process was ended by it, or was not done in time.
    pub fn load(&self, files: Vec<PathBuf>) -> Result<()> {
        let (answer, answered) = bounded(1);
        let _ = self.0.send((files, answer));
        answered.recv().unwrap_or(Ok(()))
    }
}

/// All at once, and if that goes wrong one after the other, to name the one.
fn attempt(files: &[PathBuf], command: &impl Fn(&[PathBuf]) -> Command) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let Some(why) = ends_by(command(files), until) else { return Ok(()) };
    let alone =
        |file: &&PathBuf| Instant::now() < until && ends_by(command(std::slice::from_ref(*file)), until).is_some();
    let e = Error::new(Kind::Model, format!("a model {why}")).mend("take it out, or get it again from whom you trust");
    Err(match files.iter().find(alone) {
        Some(file) => e.at(file),
        None => e,
    })
}

/// What ends a program that is not to end so.
fn ends_by(mut command: Command, until: Instant) -> Option<String> {
    // In a group of its own: Ctrl-C is for the daemon.
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => {
            tracing::debug!("models are loaded untried: {e}");
            return None;
        }
    };
    // Where the memory ends, this one goes before all others.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "1000");
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return status.signal().map(|signal| format!("ends the program that loads it (signal {signal})"));
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Some(format!("takes longer than {} s to load", PATIENCE.as_secs()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a shell is told by the name of a file.
    fn shell(files: &[PathBuf]) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>().join("\n"));
        command
    }

    #[test]
    fn only_what_ends_the_process_is_refused_and_the_file_is_named() {
        let trial = Trial::new(shell).unwrap();
        let load = |files: &[&str]| trial.load(files.iter().map(PathBuf::from).collect());
        load(&["true", "false"]).unwrap();
        // Mistakes are found by whoever loads it.
        load(&["exit 78"]).unwrap();
        let refused = load(&["true", "kill -ABRT $$", "true"]).unwrap_err();
        assert_eq!(refused.kind(), Kind::Model);
        assert!(
            refused.message().starts_with("kill -ABRT $$: ") && refused.message().contains("signal 6"),
            "{refused}"
        );
        load(&["true"]).unwrap();
    }

    #[test]
    fn what_cannot_be_tried_is_not_refused() {
        let trial = Trial::new(|_: &[PathBuf]| Command::new("/nonexistent/program")).unwrap();
        trial.load(vec!["a.yaml".into()]).unwrap();
    }

    #[test]
    fn what_hangs_is_given_up() {
        let begin = Instant::now();
        let why = ends_by(shell(&["exec sleep 600".into()]), begin + Duration::from_millis(50));
        assert!(why.is_some_and(|why| why.starts_with("takes longer")));
    }
}
