//! `latentd doctor`: what could keep pipelines from working here.

use std::path::PathBuf;
use std::process::ExitCode;

use super::daemon::Which;
use super::{Common, paths, run};
use crate::daemon::doctor::{Check, Verdict, examine};
use crate::error::{Error, Kind, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pipelines, or folders of them; those in the user's configuration folder if none is named
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Print one JSON object for each check
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let given = run::given(&args.files, "latentd doctor pipelines/clean-photos.yaml")?;
    let (read, failed) = run::load_some(&given, common)?;
    let status = args.which.client().status();
    let running =
        status.iter().flat_map(|status| &status.pipelines).filter(|p| p.kind == "live" && p.state == "running");
    let at_work: Vec<&str> = running.map(|pipeline| pipeline.name.as_str()).collect();
    let mut checks = examine(&read.pipelines, &paths::state(), &at_work);
    checks.extend(failed.iter().map(|e| Check::bad("pipeline", e)));
    checks.push(match status {
        Ok(status) if status.ready => {
            Check::good("daemon", format!("process {} runs {} pipelines", status.pid, status.pipelines.len()))
        }
        Ok(status) => Check { verdict: Verdict::Doubtful, ..Check::good("daemon", status.reasons.join("; ")) },
        Err(e) if e.kind() == Kind::Device => Check::good("daemon", "none runs"),
        Err(e) => Check::bad("daemon", &e),
    });
    for check in &checks {
        if args.json {
            let json = serde_json::to_string(check);
            say!("{}", json.map_err(|e| Error::new(Kind::Bug, "a check cannot be written").because(e))?);
            continue;
        }
        let sign = match check.verdict {
            Verdict::Good => "ok   ",
            Verdict::Doubtful => "maybe",
            Verdict::Bad => "BAD  ",
        };
        say!("{sign} {}: {}", check.what, check.found);
        if let Some(mend) = &check.mend {
            say!("      {mend}");
        }
    }
    match checks.iter().filter(|check| check.verdict == Verdict::Bad).count() {
        0 => Ok(ExitCode::SUCCESS),
        bad => {
            let kind = failed.first().map_or(Kind::Config, Error::kind);
            let what =
                if bad == 1 { "one thing does not work".to_owned() } else { format!("{bad} things do not work") };
            Err(Error::new(kind, what))
        }
    }
}
