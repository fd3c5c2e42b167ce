//! `latentd models`: what models there are, what they say of themselves, whether they are whole, how fast they are here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Common, card, terminal};
use crate::error::{Error, Kind, Result};
use crate::media::MediaKind;
use crate::media::audio::{Block, Process};
use crate::model::{Card, GOLDEN_TOLERANCE, Golden, Kernel, Model, Place, Stream, tune, verify};

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List the models in reach
    List {
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Show the card of a model
    Show {
        /// Name or path
        #[arg(value_name = "MODEL")]
        name: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Print the card itself, as it lies beside the network
        #[arg(long, conflicts_with = "json")]
        yaml: bool,
    },
    /// Check the hash, and hold the output to the one that training computed
    Verify {
        /// Names or paths; all models if none is given
        #[arg(value_name = "MODEL")]
        names: Vec<String>,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Time models on one thread, and remember the fastest way for this machine
    Bench {
        /// Names or paths; all models if none is given
        #[arg(value_name = "MODEL")]
        names: Vec<String>,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
}

pub fn run(verb: &Verb, common: &Common) -> Result<ExitCode> {
    match verb {
        Verb::List { json } => list(common, *json),
        Verb::Show { name, json, yaml } => show(common, name, *json, *yaml),
        Verb::Verify { names, json } => verify_all(common, names, *json),
        Verb::Bench { names, json } => bench(common, names, *json),
    }
}

fn here() -> &'static Path {
    Path::new(".")
}

/// The model that an argument names: a name, or a path.
pub fn find(common: &Common, name: &str) -> Result<Arc<Model>> {
    // What lies at the path is meant rather than a model of that name, as completions of the shell write it.
    let path = Path::new(name);
    let name = if path.join(crate::model::CARD_FILE).is_file() { format!("./{name}") } else { name.to_owned() };
    let name = if path.is_absolute() { path.to_string_lossy().into_owned() } else { name };
    common.models().get(&name, here())
}

fn names(common: &Common, asked: &[String]) -> Vec<String> {
    match asked {
        [] => common.models().list(here()).into_iter().map(|(name, _, _)| name).collect(),
        _ => asked.to_vec(),
    }
}

fn list(common: &Common, json: bool) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (name, place, card) in common.models().list(here()) {
        match card {
            Ok(card) if json => {
                let place = match &place {
                    Place::Folder(path) => path.to_string_lossy().into_owned(),
                    other => other.to_string(),
                };
                let object = serde_json::json!({ "name": name, "ok": true, "place": place, "task": card.task, "media": card.media,
                    "scale": card.scale, "size": card.size, "summary": card.summary, "metrics": card.metrics });
                say!("{object}");
            }
            Ok(card) => say!("{name:<24} {:<10} {}", card.task.name(), summary(&card, &place.to_string())),
            Err(e) => {
                code = e.kind().exit_code().into();
                if json {
                    let object = serde_json::json!({ "name": name, "ok": false, "error": e.to_string(), "kind": e.kind().name(), "mend": e.mend_text() });
                    say!("{object}");
                }
                terminal::print_error(&e);
            }
        }
    }
    Ok(code)
}

fn summary(card: &Card, place: &str) -> String {
    let size = card.size.map(|s| format!("{}k parameters, ", (s.parameters + 500) / 1000)).unwrap_or_default();
    format!("{}  ({size}{place})", card.summary.as_deref().unwrap_or(""))
}

fn show(common: &Common, name: &str, json: bool, yaml: bool) -> Result<ExitCode> {
    let model = find(common, name)?;
    let unwritten = |e| Error::new(Kind::Bug, "the card cannot be written").because(e);
    match (json, yaml) {
        (true, _) => say!("{}", serde_json::to_string(&model.card).map_err(unwritten)?),
        (_, true) => say!("{}", model.card.to_yaml()?.trim_end()),
        _ => card::print(&model.card, &model.place.to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

fn verify_all(common: &Common, asked: &[String], json: bool) -> Result<ExitCode> {
    let mut worst = None;
    for name in names(common, asked) {
        match verify_one(common, &name) {
            Ok((found, differences)) if json => {
                let object =
                    serde_json::json!({ "model": name, "ok": true, "found": found, "differences": differences });
                say!("{object}");
            }
            Ok((found, _)) => say!("{name}: {found}"),
            Err(e) => {
                worst = Some(e.kind());
                if json {
                    let object = serde_json::json!({ "model": name, "ok": false, "error": e.to_string(), "kind": e.kind().name(), "mend": e.mend_text() });
                    say!("{object}");
                }
                terminal::print_error(&e);
            }
        }
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into()))
}

/// What was found, and by how much the output of each kernel differs from the golden one at worst.
type Verified = (String, BTreeMap<&'static str, f32>);

fn verify_one(common: &Common, name: &str) -> Result<Verified> {
    let without_golden = |found: &str| Ok((found.to_owned(), BTreeMap::new()));
    let model = find(common, name)?;
    let Some(golden) = Golden::of(&model)? else {
        match model.card.media {
            MediaKind::Audio => drop(Stream::new(&model, 1)?),
            _ if model.card.is_tiled() => {
                let side = model.choice().tile;
                drop(model.plan(side, side, Kernel::Direct)?);
            }
            _ => return without_golden("hash ok; there is no golden file to run it by"),
        }
        return without_golden("hash ok, the graph runs; there is no golden file to compare with");
    };
    let mut differences = BTreeMap::new();
    for &kernel in Kernel::ALL {
        let difference = verify(&model, &golden, kernel)?;
        if difference > GOLDEN_TOLERANCE {
            let what = format!("`{name}` by {kernel:?} differs from its golden output by {difference:.1e}");
            return Err(
                Error::new(Kind::Model, what).mend("copy the model again, or publish it again with latentd-train")
            );
        }
        differences.insert(kernel.name(), difference);
    }
    let shown: Vec<String> = differences.iter().map(|(kernel, by)| format!("{kernel} {by:.1e}")).collect();
    Ok((format!("hash ok, worst difference from golden: {}", shown.join(", ")), differences))
}

fn bench(common: &Common, asked: &[String], json: bool) -> Result<ExitCode> {
    for name in names(common, asked) {
        let model = find(common, &name)?;
        if model.card.media == MediaKind::Audio {
            bench_sound(&name, &model, json)?;
            continue;
        }
        if !model.card.is_tiled() {
            let why = "an autoencoder runs once a picture or tune, and is not timed here";
            if json {
                say!("{}", serde_json::json!({ "model": name, "skipped": why }));
            } else {
                terminal::note(&format!("{name}: {why}"));
            }
            continue;
        }
        let timings = tune::time_all(&model, &tune::right_kernels(&model), Duration::from_millis(700))?;
        let Some(&best) = timings.first() else {
            return Err(Error::new(Kind::Model, format!("`{name}` gives its golden output by no kernel")));
        };
        common.models().remember(&model, best.choice);
        let tract = timings.iter().find(|t| t.choice == tune::Choice { kernel: Kernel::Tract, ..best.choice });
        if json {
            let object = serde_json::json!({ "model": name, "tile": [best.choice.tile, best.choice.tile], "kernel": best.choice.kernel,
                "threads": 1, "ms": best.ms, "tract_ms": tract.map(|t| t.ms), "ns_per_pixel": best.ns_per_pixel });
            say!("{object}");
        } else {
            say!("{name}");
            for t in &timings {
                let mark = if t.choice == best.choice { "*" } else { " " };
                say!(
                    " {mark} {:<13} tile {:>3}  {:>8.1} ms a tile  {:>6.2} s a megapixel",
                    t.choice.kernel.name(),
                    t.choice.tile,
                    t.ms,
                    t.ns_per_pixel / 1e3
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Times a network of sound on one channel: the mean over 3 s of noise, frame by frame as in a live stream.
fn bench_sound(name: &str, model: &Model, json: bool) -> Result<()> {
    for &kernel in Kernel::ALL {
        let mut stream = Stream::by(model, 1, kernel)?;
        let rate = stream.output().rate as usize;
        let hop = model.card.audio.as_ref().map_or(rate / 100, |audio| audio.hop);
        let noise = (0..hop as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.5).collect();
        let (block, mut output) = (Block::from_planes(vec![noise]), Block::new(1));
        let frames = 3 * rate / hop;
        let mut worst = Duration::ZERO;
        let begin = Instant::now();
        for _ in 0..frames {
            let start = Instant::now();
            stream.process(&block, &mut output)?;
            worst = worst.max(start.elapsed());
        }
        let ms = begin.elapsed().as_secs_f64() * 1e3 / frames as f64;
        let factor = ms * rate as f64 / hop as f64 / 1e3;
        if json {
            let object = serde_json::json!({ "model": name, "kernel": kernel, "threads": 1, "ms_per_frame": ms,
                "worst_ms": worst.as_secs_f64() * 1e3, "real_time_factor": factor });
            say!("{object}");
        } else {
            let worst = worst.as_secs_f64() * 1e3;
            say!(
                "{name:<24} {:<13} {ms:>6.3} ms a frame (worst {worst:.2}), real-time factor {factor:.3}",
                kernel.name()
            );
        }
    }
    Ok(())
}
