//! Denoises one picture: `cargo run --release --example denoise_image -- noisy.jpg clean.png`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use latentd::crew::Crew;
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

    let file = File::create(output).map_err(|e| Error::io("write", output, e))?;
    let mut out = BufWriter::new(file);
    encode::write(image, Format::from_extension(output)?, &EncodeOptions::default(), &mut out)?;
    out.flush().map_err(|e| Error::io("write", output, e))
}
