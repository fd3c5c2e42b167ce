//! Walks through a latent space: from one picture to another along the great circle between their points, and writes the
//! pictures that lie on the way.
//!
//! ```text
//! cargo run --release --example latent_walk -- models/digits-vae20 three.png eight.png walk/
//! ```

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use latentd::durable::{Collision, Draft};
use latentd::media::image::{EncodeOptions, Limits};
use latentd::media::{self, Latent, Media, MediaKind};
use latentd::model::Model;
use latentd::stage::codec;
use latentd::{Error, Kind, Result};

const STEPS: usize = 9;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, from, to, folder] = arguments.as_slice() else {
        eprintln!("usage: latent_walk MODEL FROM TO FOLDER");
        return ExitCode::from(Kind::Usage.exit_code());
    };
    match walk(Path::new(model), Path::new(from), Path::new(to), Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn walk(model: &Path, from: &Path, to: &Path, folder: &Path) -> Result<()> {
    let model = Arc::new(Model::from_path(model)?);
    let codec = codec::open(&model, None)?;
    let encode = |path: &Path| {
        let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
        codec.encode(&media::read(MediaKind::Image, file, path, &Limits::default())?)
    };
    let (a, b) = (encode(from)?, encode(to)?);
    for step in 0..STEPS {
        let t = step as f32 / (STEPS - 1) as f32;
        let point = Latent { values: between(&a.values, &b.values, t), ..a.clone() };
        write(codec.decode(&point)?, &folder.join(format!("{step}.png")))?;
    }
    Ok(())
}

/// Spherical interpolation (Shoemake 1985): the straight line would lead through the middle, where few draws of the prior lie.
fn between(a: &[f32], b: &[f32], t: f32) -> Vec<f32> {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let angle = (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)).clamp(-1.0, 1.0).acos();
    let (of_a, of_b) = match angle.sin() {
        near if near < 1e-3 => (1.0 - t, t),
        sine => (((1.0 - t) * angle).sin() / sine, (t * angle).sin() / sine),
    };
    a.iter().zip(b).map(|(a, b)| of_a * a + of_b * b).collect()
}

fn write(media: Media, path: &Path) -> Result<()> {
    let mut draft = Draft::new(path)?;
    media::write(media, path, &EncodeOptions::default(), draft.file())?;
    println!("{}", draft.publish(Collision::Replace)?.display());
    Ok(())
}
