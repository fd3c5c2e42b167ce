//! `latentd interpolate`: the way from one piece to another, or the table between four.

use std::path::PathBuf;
use std::process::ExitCode;

use super::pieces::{Output, stem};
use super::voice::Voice;
use super::{Common, files, models};
use crate::error::{Error, Kind, Result};
use crate::media::Media;
use crate::stage::codec;
use crate::stage::interpolate::{Stop, stops, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Two files to go from and to, or four for the corners of a table
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A variational autoencoder: of melodies for MIDI files, of pictures for pictures
    #[arg(long, short, default_value = "melody-2bar")]
    model: String,
    /// How many results there are, both ends included; of a table, along each side
    #[arg(long, short, default_value_t = 9, value_parser = clap::value_parser!(u16).range(2..=99))]
    steps: u16,
    #[command(flatten)]
    voice: Voice,
    /// The class that a conditional model is told, from 0
    #[arg(long, value_name = "N")]
    class: Option<usize>,
    #[command(flatten)]
    output: Output,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    if !matches!(args.files.len(), 2 | 4) {
        return Err(neither_two_nor_four(args.files.len()));
    }
    args.output.check()?;
    let model = models::find(common, &args.model)?;
    let codec = codec::open_choosing(&model, args.class, args.voice.choice())?;
    let read = |file: &PathBuf| files::read_for_model(codec.media(), file, "--model ");
    let media = args.files.iter().map(read).collect::<Result<Vec<Media>>>()?;
    let steps = usize::from(args.steps);
    let names: Vec<String> = args.files.iter().map(|file| stem(file)).collect();
    let blame = |e: Error| match e.part().and_then(|part| args.files.get(part)) {
        Some(file) => files::naming(e, file),
        None => e,
    };
    let (made, labels, columns) = match media.as_slice() {
        [from, to] => {
            let _spinner = files::spinner("looking for the way from one to the other");
            let way = stops(codec.as_ref(), from, to, steps).map_err(blame)?;
            let label = |(at, stop): (usize, &Stop)| match at {
                0 => names[0].clone(),
                last if last + 1 == steps => names[1].clone(),
                _ => format!("{:.0}%", 100.0 * stop.place),
            };
            let labels = way.iter().enumerate().map(label).collect::<Vec<_>>();
            (way.into_iter().map(|stop| stop.piece).collect::<Vec<_>>(), labels, 1)
        }
        [a, b, c, d] => {
            let _spinner = files::spinner("making the table");
            let made = table(codec.as_ref(), [a, b, c, d], steps, steps).map_err(blame)?;
            let last = steps - 1;
            let corner = |at: usize| match (at / steps, at % steps) {
                (0, 0) => names[0].clone(),
                (0, column) if column == last => names[1].clone(),
                (row, 0) if row == last => names[2].clone(),
                (row, column) if row == last && column == last => names[3].clone(),
                _ => String::new(),
            };
            (made, (0..steps * steps).map(corner).collect(), steps)
        }
        _ => return Err(neither_two_nor_four(media.len())),
    };
    args.output.write("morph", made, &labels, columns)?;
    Ok(ExitCode::SUCCESS)
}

fn neither_two_nor_four(given: usize) -> Error {
    let what = if given == 1 { "one file was given".to_owned() } else { format!("{given} files were given") };
    Error::new(Kind::Usage, what).mend("give two to go from one to the other, or four for a table")
}
