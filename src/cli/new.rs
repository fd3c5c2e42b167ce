//! `latentd new`: a pipeline of one's own, from those that the program carries.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::results::{check_folder, elsewhere, tell};
use super::{Common, print_mistakes, terminal};
use crate::durable::{Collision, Draft};
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::{Loaded, SHIPPED, Shipped};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to begin with; without a name, all that there are
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The folder that they are written to; those that watch folders watch them beside it
    #[arg(long, short, value_name = "DIR", default_value = "pipelines")]
    out: PathBuf,
    /// Print one JSON object for each
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    if args.names.is_empty() {
        list(args.json);
        return Ok(ExitCode::SUCCESS);
    }
    check_folder(&args.out)?;
    let chosen = args.names.iter().map(|name| find(name)).collect::<Result<Vec<_>>>()?;
    // None is written if one cannot be.
    let path = |shipped: &Shipped| args.out.join(format!("{}.yaml", shipped.name));
    if let Some(taken) = chosen.iter().map(|shipped| path(shipped)).find(|path| path.symlink_metadata().is_ok()) {
        return Err(Error::new(Kind::Usage, "is there already")
            .at(&taken)
            .mend("name another folder after `--out`, or use the one that is there"));
    }
    let mut made = Vec::new();
    for shipped in chosen {
        let path = path(shipped);
        let fill =
            |out: &mut dyn Write| out.write_all(shipped.text.as_bytes()).map_err(|e| Error::io("write", &path, e));
        let written = Draft::new(&path).and_then(|draft| draft.fill(|out| fill(out)));
        let path = written.and_then(|draft| draft.publish(Collision::Rename)).map_err(elsewhere)?;
        tell(&path, Some(&shipped.purpose()), args.json);
        made.push(path);
    }
    // One may name a model that is not in reach here.
    for path in made {
        explain(&Loaded::load(&path, &common.models()).map_err(print_mistakes)?);
    }
    terminal::note(&format!("start with `latentd run {}`", show_path(&args.out)));
    Ok(ExitCode::SUCCESS)
}

/// Says what to do with it.
fn explain(made: &Loaded) {
    match made {
        Loaded::Files(files) => {
            let [from, to] = [&files.source.root, &files.sink.root].map(|folder| show_path(folder));
            terminal::note(&format!("what is put into {from} comes out in {to}"));
        }
        #[cfg(feature = "live")]
        Loaded::Live(_) => {}
    }
}

fn find(name: &str) -> Result<&'static Shipped> {
    Shipped::find(name).ok_or_else(|| {
        let names = SHIPPED.iter().map(|shipped| shipped.name);
        let e = Error::new(Kind::Usage, format!("there is no pipeline named `{name}` to begin with"));
        match crate::did_you_mean(name, names) {
            Some(near) => e.mend(format!("did you mean `{near}`?")),
            None => e.mend("`latentd new` lists them"),
        }
    })
}

fn list(json: bool) {
    for shipped in SHIPPED {
        let (name, purpose) = (shipped.name, shipped.purpose());
        match json {
            true => say!("{}", serde_json::json!({ "name": name, "purpose": purpose })),
            false => say!("{name:<24} {purpose}"),
        }
    }
}
