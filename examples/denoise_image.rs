//! Denoises one picture: `cargo run --release --example denoise_image -- noisy.jpg clean.png`.

use std::fs::File;
use std::path::Path;

use latentd::crew::Crew;
use latentd::durable::{Collision, Draft};
use latentd::media::Media;
use latentd::media::image::{EncodeOptions, Format, Limits, decode, encode};
use latentd::model::Models;
use latentd::stage::{self, Context, Site};
use latentd::{Error, Kind, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        return Err(Error::new(Kind::Usage, "give an input and an output").mend("denoise_image noisy.jpg clean.png"));
    };
    let (input, output) = (Path::new(input), Path::new(output));
    let format = Format::from_extension(output)?;

    let file = File::open(input).map_err(|e| Error::io("read", input, e))?;
    let image = decode::read(file, input, &Limits::default())?;

    // Every stage is described by a table; its settings are checked here as they are in YAML.
    let site = Site { models: &Models::default(), folder: Path::new(".") };
    let stage = stage::named("denoise", [("sigma", "auto".into()), ("strength", 0.9.into())], &site)?;

    let context = Context { crew: Crew::alone(), intermediate: false };
    let results = stage.run(vec![Media::Image(image)], &context)?;
    let [Media::Image(image)] = results.as_slice() else {
        return Err(Error::new(Kind::Bug, "one picture in, one out"));
    };

    // The result gets its name when it is whole; what was there before is kept if anything fails.
    let written = Draft::new(output)?.fill(|out| encode::write(image, format, &EncodeOptions::default(), out))?;
    written.publish(Collision::Replace).map(drop)
}
