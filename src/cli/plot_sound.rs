//! `latentd plot FILE.wav`: waveform and spectrogram of recordings, and of what a pipeline makes of them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::results::elsewhere;
use super::{Common, files, find_models_apart, load, print_mistakes};
use crate::crew::Crew;
use crate::durable::Collision;
use crate::error::{Error, Kind, Result, show_path};
use crate::media::{Media, MediaKind};
use crate::pipeline::{Pipeline, SHIPPED, Shipped};
use crate::plot::sound::{Sounds, Strip};
use crate::plot::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings, drawn one below the other
    #[arg(value_name = "SOUND")]
    pub sounds: Vec<PathBuf>,
    /// Draw each recording again after the stages of this pipeline: a file, or the name of one that comes with the program
    #[arg(long, value_name = "FILE|NAME")]
    pipeline: Option<PathBuf>,
    /// The picture: .png or .svg; beside the first recording if not given
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args, common: &Common) -> Result<ExitCode> {
    let Some(first) = args.sounds.first() else {
        return Err(Error::new(Kind::Usage, "no recording is named").mend("name one: `latentd plot talk.wav`"));
    };
    // A name that nobody asked for takes the place of nothing.
    let (out, collision) = match &args.out {
        Some(out) => (out.clone(), Collision::Replace),
        None => (first.with_extension("png"), Collision::Rename),
    };
    Format::from_extension(&out)?;
    if collision == Collision::Replace {
        files::check_apart(&out, args.sounds.iter().map(PathBuf::as_path))?;
    }
    let pipeline = args.pipeline.as_deref().map(|named| pipeline(named, common)).transpose()?;
    if let Some(pipeline) = &pipeline
        && pipeline.takes != MediaKind::Audio
    {
        return Err(Error::new(
            Kind::Usage,
            format!("the pipeline takes {}, not sound", pipeline.takes.with_article()),
        ));
    }
    let (mut strips, mut first) = (Vec::new(), None);
    for path in &args.sounds {
        match strips_of(path, pipeline.as_ref()) {
            Ok(more) => strips.extend(more),
            Err(e) => files::note(&mut first, files::naming(e, path)),
        }
    }
    let outcome = first.map_or(Ok(ExitCode::SUCCESS), Err);
    if strips.is_empty() {
        return outcome;
    }
    say!("{}", show_path(&plot::publish(&Sounds(strips), &out, collision).map_err(elsewhere)?));
    outcome
}

/// The pipeline that is named: a file, or one that the program carries.
fn pipeline(named: &Path, common: &Common) -> Result<Pipeline> {
    let name = named.to_string_lossy();
    // As for `apply`: a folder of that name is one that the pipeline has watched.
    let missing = named.symlink_metadata().map_or(true, |metadata| metadata.is_dir());
    if let Some(shipped) = Shipped::find(&name).filter(|_| missing) {
        return shipped.pipeline(&find_models_apart(&common.models)).map_err(print_mistakes);
    }
    let near = crate::did_you_mean(&name, SHIPPED.iter().map(|shipped| shipped.name)).filter(|_| missing);
    load(named, &common.models()).map_err(|e| match near {
        Some(near) => e.mend(format!("did you mean `{near}`?")),
        None => e,
    })
}

/// A recording, and what the pipeline makes of it.
fn strips_of(path: &Path, pipeline: Option<&Pipeline>) -> Result<Vec<Strip>> {
    let mut strips = vec![Strip::of(&show_path(path), open(path)?)?];
    if let Some(pipeline) = pipeline {
        for result in pipeline.process(vec![Media::Audio(open(path)?)], &Crew::alone())? {
            if let Media::Audio(audio) = result {
                strips.push(Strip::of(&format!("{} after {}", show_path(path), pipeline.name), audio)?);
            }
        }
    }
    Ok(strips)
}

fn open(path: &Path) -> Result<crate::media::Audio> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    crate::media::audio::decode::read(file, path, u64::MAX)
}
