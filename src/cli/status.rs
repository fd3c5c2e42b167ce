//! `latentd status`: how a running daemon is.

use std::process::ExitCode;

use super::daemon::{Which, ago, live_line};
use crate::daemon::status::{PipelineStatus, Status, now};
use crate::error::{Error, Kind, Result, show_path, show_paths};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let status = args.which.client().status()?;
    if args.json {
        let json = serde_json::to_string_pretty(&status);
        say!("{}", json.map_err(|e| Error::new(Kind::Bug, "the status cannot be written").because(e))?);
    } else {
        print(&status);
    }
    let reloaded = status.reload.as_ref().is_none_or(|reload| reload.ok);
    Ok(if status.ready && reloaded { ExitCode::SUCCESS } else { Kind::Transient.exit_code().into() })
}

fn print(status: &Status) {
    let up = ago(now().saturating_sub(status.started));
    let memory = status.memory as f64 / 1e6;
    say!("latentd {}, process {}, up {up}, {} threads, {memory:.0} MB", status.latentd, status.pid, status.threads);
    for PipelineStatus { name, state, reason, queue, counts, last, source, sink, live, .. } in &status.pipelines {
        say!("\n{name}: {state}{}", reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default());
        say!("  {} -> {}", show_path(source.as_ref()), show_path(sink.as_ref()));
        if let Some(live) = live {
            say!("  {}", live_line(live));
            continue;
        }
        say!(
            "  since its start or last change {} done, {} put into quarantine; {} being written, {} waiting, {} worked on, {} to be tried again{}",
            counts.done,
            counts.quarantined,
            queue.settling,
            queue.ready,
            queue.working,
            queue.later,
            if queue.originals > 0 { format!(", {} whose originals stay", queue.originals) } else { String::new() }
        );
        if let Some(last) = last {
            say!(
                "  {} ago: {} -> {}",
                ago(now().saturating_sub(last.time)),
                show_paths(&last.inputs),
                show_paths(&last.results)
            );
        }
    }
    if let Some(reload) = status.reload.as_ref().filter(|reload| !reload.ok) {
        say!("\nthe last reload failed, and the old configuration stays:");
        reload.problems.iter().for_each(|problem| say!("  {problem}"));
    }
}
