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
    // Made ready once, for one channel; `at` copies it for each channel of the recording, and resamples on the way in and out.
    let network = Stream::new(&model, 1)?.at(noisy.format())?;
    // Nothing is computed yet: `write` pulls the blocks through the network as it writes them.
    let clean = noisy.through(network);
    // The result gets its name when it is whole, so it may even be that of the recording.
    Draft::new(&to)?.fill(|out| encode::write(clean, out))?.publish(Collision::Replace).map(drop)
}
