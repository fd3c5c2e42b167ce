//! Builds a pipeline without YAML and runs it over a folder once: `cargo run --release --example pipeline_in_code -- photos thumbnails`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam::channel::unbounded;
use latentd::config::{self, Component};
use latentd::model::Models;
use latentd::pipeline::{CATALOG, Forgetful, Input, Job, Outcome, Pipeline, Pool};
use latentd::{Error, Kind, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err(Error::new(Kind::Usage, "give two folders").mend("pipeline_in_code photos thumbnails"));
    };
    let source = Component::new(&CATALOG.sources[0], [("path", from.as_str().into())])?;
    let small = Component::new(describe("resize")?, [("long_side", 320.into())])?;
    let sink = Component::new(&CATALOG.sinks[0], [("path", to.as_str().into()), ("name", "{stem}.jpg".into())])?;
    let config = config::Pipeline::new("thumbnails", source, [small], sink)?;
    let pipeline = Pipeline::build(&config, &Models::default()).map_err(|problems| config.report(problems))?;
    let pipeline = Arc::new(pipeline);

    let mut files: Vec<PathBuf> = Vec::new();
    let mut found = Vec::new();
    pipeline.source.scan(Path::new(&pipeline.source.root), &mut |f| found.push(f), &mut |path, e| {
        eprintln!("{}: {e}", path.display());
    });

    let pool = Pool::new(2)?;
    let (home, tickets) = unbounded();
    let lane = pool.lane(1.0);
    for f in found {
        let relative = f.path.strip_prefix(&pipeline.source.root).unwrap_or(&f.path).to_path_buf();
        let inputs = vec![Input { relative, path: f.path, stamp: f.stamp }];
        let (pipeline, ledger) = (Arc::clone(&pipeline), Arc::new(Forgetful));
        lane.push(Job { pipeline, inputs, ledger, home: home.clone() });
    }
    drop(home);
    for ticket in tickets {
        match ticket.outcome {
            Outcome::Done(results) | Outcome::Known(results) => files.extend(results),
            Outcome::Failed { error, .. } => eprintln!("{error}"),
            Outcome::Vanished | Outcome::Dropped => {}
        }
    }
    pool.finish();
    println!("{} thumbnails", files.len());
    Ok(())
}

fn describe(stage: &str) -> Result<&'static config::Description> {
    let found = CATALOG.stages.iter().find(|d| d.name == stage);
    found.ok_or_else(|| Error::new(Kind::Bug, format!("no stage `{stage}`")))
}
