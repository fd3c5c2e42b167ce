//! The digits models judged on MNIST's 10,000 test digits, as they are published: their ONNX files, run by tract.

mod bars;
mod exercises;
pub mod probe;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use latentd::model::{Model, Session};
use latentd::stage::codec::ImageCodec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use crate::data::SmallPictures;
use crate::data::idx::Part;
use crate::own;

pub use bars::bars;
pub use exercises::exercises;

/// Where models and data are.
pub struct Desk {
    /// The folder of the models.
    pub models: PathBuf,
    /// The folder of MNIST's files.
    pub mnist: PathBuf,
    /// MNIST's test digits.
    pub test: SmallPictures,
}

/// One measured number.
#[derive(Clone, Debug)]
pub struct Line {
    /// The model.
    pub model: String,
    /// What was measured.
    pub what: String,
    /// The number.
    pub value: f64,
    /// What it must stay below or above, if anything.
    pub bar: Option<Bar>,
    /// What else there is to say.
    pub note: String,
}

/// What a number must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Less than this.
    Below(f64),
    /// At least this.
    AtLeast(f64),
}

impl Line {
    fn new(model: &str, what: &str, value: f64) -> Self {
        Self { model: model.to_owned(), what: what.to_owned(), value, bar: None, note: String::new() }
    }

    fn below(self, bar: f64) -> Self {
        Self { bar: Some(Bar::Below(bar)), ..self }
    }

    fn at_least(self, bar: f64) -> Self {
        Self { bar: Some(Bar::AtLeast(bar)), ..self }
    }

    fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the bar is reached; a number without one always is.
    pub fn passes(&self) -> bool {
        match self.bar {
            Some(Bar::Below(bar)) => self.value < bar,
            Some(Bar::AtLeast(bar)) => self.value >= bar,
            None => true,
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match (self.bar, self.passes()) {
            (None, _) => String::new(),
            (Some(Bar::Below(bar)), true) => format!("< {bar}"),
            (Some(Bar::AtLeast(bar)), true) => format!(">= {bar}"),
            (Some(Bar::Below(bar)), false) => format!("MISSED, not < {bar}"),
            (Some(Bar::AtLeast(bar)), false) => format!("MISSED, not >= {bar}"),
        };
        let line = format!("{:<18} {:<52} {:>9.4}  {verdict:<16} {}", self.model, self.what, self.value, self.note);
        f.write_str(line.trim_end())
    }
}

impl Desk {
    /// Opens the test digits.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(models: &Path, mnist: &Path) -> Result<Self> {
        let test = SmallPictures::from_idx(mnist, Part::Test)?;
        Ok(Self { models: models.to_owned(), mnist: mnist.to_owned(), test })
    }

    /// A published model.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn model(&self, name: &str) -> Result<Arc<Model>> {
        Ok(Arc::new(Model::from_path(&self.models.join(name)).map_err(own)?))
    }

    /// A published autoencoder.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn codec(&self, name: &str, class: Option<usize>) -> Result<ImageCodec> {
        ImageCodec::open(&*self.model(name)?, class).map_err(own)
    }

    /// A published network that makes a picture of a picture of `side` x `side`.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn restorer(&self, name: &str, side: usize) -> Result<Session> {
        Session::new(&*self.model(name)?, &[("image", &[1, 1, side, side])], &["output"]).map_err(own)
    }
}

/// What a restorer makes of one picture.
fn restore(session: &Session, picture: &[f32]) -> Result<Vec<f32>> {
    Ok(session.run(&[picture]).map_err(own)?.swap_remove(0))
}

/// A generator that is the same every time.
fn generator() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn normal(rng: &mut StdRng) -> f32 {
    StandardNormal.sample(rng)
}
