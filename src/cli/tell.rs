//! `latentd pause`, `resume`, `bypass`, `strength`, `reload` and `drain`: what a running daemon can be told.

use std::process::ExitCode;

use super::daemon::Which;
use super::terminal;
use crate::daemon::control::{checked, encode};
use crate::daemon::status::Reload;
use crate::error::{Error, Kind, Result};

#[derive(Debug, clap::Args)]
pub struct Named {
    /// The pipeline's name
    pipeline: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
pub struct Bypass {
    #[command(flatten)]
    named: Named,
    /// Put its stages back to work
    #[arg(long)]
    off: bool,
}

pub fn pause(args: &Named) -> Result<ExitCode> {
    args.which.client().post(&format!("/v1/pipelines/{}/pause", encode(&args.pipeline)))?;
    say!("{} is paused: files wait in their folder until `latentd resume {}`", args.pipeline, args.pipeline);
    Ok(ExitCode::SUCCESS)
}

pub fn resume(args: &Named) -> Result<ExitCode> {
    args.which.client().post(&format!("/v1/pipelines/{}/resume", encode(&args.pipeline)))?;
    say!("{} goes on", args.pipeline);
    Ok(ExitCode::SUCCESS)
}

pub fn bypass(args: &Bypass) -> Result<ExitCode> {
    let Bypass { named: Named { pipeline, which }, off } = args;
    let what = if *off { "engage" } else { "bypass" };
    which.client().post(&format!("/v1/pipelines/{}/{what}", encode(pipeline)))?;
    if *off {
        say!("{pipeline} has its stages again");
    } else {
        say!("{pipeline} is bypassed: its sound passes as it is until `latentd bypass {pipeline} --off`");
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, clap::Args)]
pub struct Strength {
    #[command(flatten)]
    named: Named,
    /// The stages' share of the sound: 1 is all of what they do, 0 nothing
    #[arg(value_parser = share)]
    share: f32,
}

fn share(text: &str) -> std::result::Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "it is a number from 0 to 1".to_owned())
}

pub fn strength(args: &Strength) -> Result<ExitCode> {
    let Strength { named: Named { pipeline, which }, share } = args;
    which.client().post(&format!("/v1/pipelines/{}/strength/{share}", encode(pipeline)))?;
    say!("{pipeline} works with a strength of {share} until the daemon ends");
    Ok(ExitCode::SUCCESS)
}

pub fn drain(which: &Which) -> Result<ExitCode> {
    which.client().post("/v1/drain")?;
    say!("what has arrived is worked off, then the daemon ends");
    Ok(ExitCode::SUCCESS)
}

/// Whether a problem is told with its place, as in `FILE:LINE:COLUMN: ...`; others have nothing more to be shown.
fn has_place(problem: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = problem.split(':').collect();
    parts.windows(2).any(|pair| pair.iter().all(|part| is_number(part)))
}

pub fn reload(which: &Which) -> Result<ExitCode> {
    let (code, value) = which.client().ask("POST", "/v1/reload")?;
    // Mistakes in pipelines are an answer, and told as one.
    let value = if code == 422 { value } else { checked(code, value)? };
    let reload: Reload = serde_json::from_value(value)
        .map_err(|e| Error::new(Kind::Transient, "the daemon's answer cannot be read").because(e))?;
    if !reload.ok {
        reload.problems.iter().for_each(|problem| terminal::note(problem));
        let e = Error::new(
            Kind::Config,
            match reload.problems.len() {
                1 => "a mistake; the old configuration stays".to_owned(),
                count => format!("{count} mistakes; the old configuration stays"),
            },
        );
        let placed = reload.problems.iter().any(|problem| has_place(problem));
        return Err(if placed { e.mend("`latentd check` shows them with their places") } else { e });
    }
    let Reload { added, changed, removed, .. } = &reload;
    let told = [("added", added), ("changed", changed), ("removed", removed)];
    for (what, names) in told.iter().filter(|(_, names)| !names.is_empty()) {
        say!("{what}: {}", names.join(", "));
    }
    if told.iter().all(|(_, names)| names.is_empty()) {
        say!("nothing has changed");
    }
    Ok(ExitCode::SUCCESS)
}
