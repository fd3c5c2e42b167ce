//! Walks from one MIDI file to another in nine steps, and writes each as a MIDI file.
//!
//! ```text
//! cargo run --release --example morph_melodies -- a.mid b.mid morph/
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use latentd::durable::{Collision, Draft};
use latentd::media::{self, Media, MediaKind, image};
use latentd::model::Models;
use latentd::stage::{codec, interpolate};

fn main() -> latentd::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to), Some(out)) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: morph_melodies FROM.mid TO.mid FOLDER");
        std::process::exit(64);
    };
    let model = Models::new(vec![]).get("melody-2bar", Path::new("."))?;
    let codec = codec::open(&model, None)?;
    let [from, to] = [read(&from)?, read(&to)?];
    std::fs::create_dir_all(&out).map_err(|e| latentd::Error::io("make the folder", &out, e))?;
    for (number, piece) in interpolate::walk(codec.as_ref(), &from, &to, 9)?.into_iter().enumerate() {
        let path = out.join(format!("{}.mid", number + 1));
        let draft = Draft::new(&path)?.fill(|out| media::write(piece, &path, &image::EncodeOptions::default(), out))?;
        println!("{}", draft.publish(Collision::Rename)?.display());
    }
    Ok(())
}

fn read(path: &Path) -> latentd::Result<Media> {
    let file = File::open(path).map_err(|e| latentd::Error::io("open", path, e))?;
    media::read(MediaKind::Melody, file, path, &image::Limits::default())
}
