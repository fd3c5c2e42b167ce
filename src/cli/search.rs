//! `latentd search`: files like this one, by the distance of their latents. What was encoded once is kept in an index and encoded again only when
//! the file has changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::voice::Voice;
use super::{Common, files, models, paths};
use crate::durable;
use crate::durable::Stamp;
use crate::error::{Error, Kind, Result, show_path};
use crate::media::Latent;
use crate::media::latent::{LatentFormat, read_latents, write_latents};
use crate::media::melody::Choice;
use crate::model::{Model, sha256_hex};
use crate::stage::codec::{self, Codec};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An autoencoder: name or path
    model: String,
    /// What is looked for
    query: PathBuf,
    /// Where: files and folders
    #[arg(long = "in", required = true, num_args = 1.., value_name = "DIR")]
    places: Vec<PathBuf>,
    /// How many of the nearest to tell
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
    /// Keep the index in this file; one for each model and set of places in the cache folder if not given
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<u16>,
    #[command(flatten)]
    voice: Voice,
    /// Print one JSON object for each
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    args.index.as_deref().map(check_index).transpose()?;
    let model = models::find(common, &args.model)?;
    let codec = codec::open_choosing(&model, args.class.map(usize::from), args.voice.choice())?;
    let query = files::Input { path: args.query.clone(), name: String::new() };
    let query =
        files::encode(codec.as_ref(), &query.read(codec.media())?, &args.query).map_err(|e| e.at(&args.query))?;
    let (entries, outcome) = bring_up_to_date(args, &model, codec.as_ref())?;
    let mut found: Vec<(f32, &Path)> =
        entries.iter().map(|(path, point)| (distance(&query, point), path.as_path())).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    for (distance, path) in found.iter().take(args.number as usize) {
        if args.json {
            say!("{}", serde_json::json!({ "path": path.to_string_lossy(), "distance": distance }));
        } else {
            say!("{distance:9.4}  {}", show_path(path));
        }
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// The Euclidean distance of two points. Of pieces of several points it is the root of the mean square over the longer one, while the shorter begins
/// anew when it is over: summed over what both have, whatever is short would be near to everything.
fn distance(query: &Latent, values: &[f32]) -> f32 {
    let longest = query.values.len().max(values.len());
    let pairs = query.values.iter().cycle().zip(values.iter().cycle()).take(longest);
    let sum: f32 = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
    (sum / (longest / query.size.max(1)).max(1) as f32).sqrt()
}

/// Files and their points, and what kept others from having one.
type Found = (Vec<(PathBuf, Vec<f32>)>, Result<()>);

/// A file's point, under a key that tells its path and state: what has changed has another key.
fn bring_up_to_date(args: &Args, model: &Model, codec: &dyn Codec) -> Result<Found> {
    let inputs = files::collect(&args.places, codec.media())?;
    let identity = identity(model, args.class, args.voice.choice());
    let path = args.index.clone().unwrap_or_else(|| index_path(&args.places, &identity));
    let mut known = read(&path, &identity, args.index.is_some())?;
    let (mut entries, mut index, mut fresh) = (Vec::new(), Vec::new(), 0usize);
    let outcome = files::each(&inputs, |input| {
        let stamp = Stamp::of(&input.path).map_err(|e| Error::io("read", &input.path, e))?;
        let full = std::path::absolute(&input.path).unwrap_or_else(|_| input.path.clone());
        let key = format!("{}|{}|{}", stamp.length, stamp.modified, full.to_string_lossy());
        let values = match known.remove(&key) {
            Some(values) => values,
            None => {
                fresh += 1;
                // How each of many files was read is no answer to what was asked.
                let (latent, remarks) = codec.encode_aloud(&input.read(codec.media())?)?;
                remarks.iter().for_each(|remark| tracing::debug!("{}: {remark}", show_path(&input.path)));
                latent.values
            }
        };
        let size = codec.space().size;
        index.push(Latent { values: values.clone(), size, model: identity.clone(), source: Some(key), frame: None });
        entries.push((input.path.clone(), values));
        Ok(())
    });
    // A file that is no picture does not keep the others from being found.
    if entries.is_empty() {
        return outcome.map(|()| (entries, Ok(())));
    }
    // What is gone is forgotten, unless the index is the user's own and may serve other places too.
    if fresh > 0 || (args.index.is_none() && !known.is_empty()) {
        if args.index.is_some() {
            let size = codec.space().size;
            index.extend(known.into_iter().map(|(key, values)| Latent {
                values,
                size,
                model: identity.clone(),
                source: Some(key),
                frame: None,
            }));
        }
        let mut bytes = Vec::new();
        write_latents(&index, LatentFormat::Safetensors, &mut bytes)?;
        durable::write(&path, &bytes)?;
    }
    tracing::debug!("{fresh} of {} files encoded, the others known", inputs.len());
    Ok((entries, outcome))
}

/// Points of another model of the same name, for another class, or of another voice, must not be taken for these.
fn identity(model: &Model, class: Option<u16>, choice: Choice) -> String {
    let class = class.map(|class| format!(":{class}")).unwrap_or_default();
    let voice = match choice {
        Choice::Auto => String::new(),
        Choice::Track(number) => format!(":track {number}"),
        Choice::Channel(number) => format!(":channel {number}"),
    };
    format!("{}:{}{class}{voice}", model.card.name, model.card.sha256)
}

/// What the index holds, by key. One of ours that is damaged, or of an older model, is made anew; a file that the user named and that is no index of
/// this model is not ours to replace.
fn read(path: &Path, identity: &str, named: bool) -> Result<HashMap<String, Vec<f32>>> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(HashMap::new()) };
    let foreign = |what| {
        Error::new(Kind::Usage, what)
            .at(path)
            .mend("name another file for --index, or delete this one if nothing else needs it")
    };
    match read_latents(file, path) {
        Ok(latents) if named && latents.iter().any(|latent| latent.model != identity) => {
            Err(foreign("holds latents, but is no index of a search by this model"))
        }
        Ok(latents) => {
            let own = latents.into_iter().filter(|latent| latent.model == identity);
            Ok(own.filter_map(|latent| Some((latent.source?, latent.values))).collect())
        }
        Err(e) if named => Err(foreign("is no index of a search").because(e)),
        Err(e) => {
            tracing::warn!("the index is made anew: {e}");
            Ok(HashMap::new())
        }
    }
}

fn index_path(places: &[PathBuf], identity: &str) -> PathBuf {
    let mut text = identity.to_owned();
    for place in places {
        text.push('\n');
        text.push_str(&std::path::absolute(place).unwrap_or_else(|_| place.clone()).to_string_lossy());
    }
    paths::cache().join("search").join(&sha256_hex(text.as_bytes())[..32]).with_extension("safetensors")
}

/// Refuses an index that is no file of latents by its name, before any work.
fn check_index(path: &Path) -> Result<()> {
    match LatentFormat::from_extension(path) {
        Ok(LatentFormat::Safetensors) => Ok(()),
        _ => Err(Error::new(Kind::Usage, "an index ends in .safetensors")
            .at(path)
            .mend("name another file after `--index`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was short was near to everything.
    #[test]
    fn a_variant_is_nearer_than_a_scrap() {
        let values = vec![1.0, 2.0, -1.0, 0.5, 3.0, 1.0];
        let query = Latent { values, size: 2, model: String::new(), source: None, frame: None };
        let variant: Vec<f32> = query.values.iter().map(|value| value + 0.1).collect();
        assert!(distance(&query, &variant) < distance(&query, &query.values[..2]));
        let point = Latent { values: vec![3.0, 0.0], ..query };
        assert_eq!(distance(&point, &[0.0, 4.0]), 5.0);
    }
}
