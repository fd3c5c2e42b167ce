//! Cleans one recording without a pipeline, block by block: `cargo run --release --example denoise_recording -- noisy.wav clean.wav`

use std::fs::File;
use std::path::{Path, PathBuf};

use latentd::durable::{Collision, Draft};
use latentd::media::audio::{decode, encode};
use latentd::model::{Models, Stream};
use latentd::{Error, Kind, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(Kind::Usage, "usage: denoise_recording noisy.wav clean.wav"));
    };
    let model = Models::default().get("denoise-speech", Path::new("."))?;
    let file = File::open(&from).map_err(|e| Error::io("read", &from, e))?;
    let noisy = decode::read(file, &from, u64::MAX)?;
    let network = Stream::new(&model, noisy.format().channels)?;
    // A stage of a pipeline would resample; here it is the caller's to care.
    if model.card.audio.as_ref().is_some_and(|audio| audio.sample_rate != noisy.format().rate) {
        return Err(Error::new(Kind::Input, "this example wants a recording at the model's own rate").at(&from));
    }
    // Nothing is computed yet: `write` pulls the blocks through the network as it writes them.
    let clean = noisy.through(network);
    // The result gets its name when it is whole, so it may even be that of the recording.
    Draft::new(&to)?.fill(|out| encode::write(clean, out))?.publish(Collision::Replace).map(drop)
}
