//! From a trained network to a published model: the ONNX file, the golden file, the card, and the proof that they agree.

mod data_sets;
mod folder;
mod photo;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::Device;
use latentd::model::{
    CARD_FILE, Card, DRAWS_FILE, DataSet, Draws, GOLDEN_FILE, Golden, Kernel, MODEL_FILE, Model, Place, Size, Training,
    sha256_hex, verify,
};

pub use data_sets::{SUPPLIED, data_sets};

use crate::onnx::Graph;
use crate::recipes::Recipe;
use crate::refuse;
use crate::tell;

/// The largest difference between burn's output and tract's that a model is published with.
pub const TOLERANCE: f32 = 1e-4;

/// The licence of models that learnt from known sets alone.
const LICENCE: &str = "MIT OR Apache-2.0";

/// The file of a run's folder that tells which models it has published: their hashes, one a line.
const PUBLISHED: &str = "published";

/// The version of burn that this program is built with.
pub const BURN_VERSION: &str = "0.22.1";

/// The commit that this program was built from.
pub const COMMIT: &str = env!("LATENTD_COMMIT");

/// What publishing needs to know of a recipe, whatever the media.
pub trait Publish: Recipe {
    /// Writes the network into an ONNX graph: all its inputs and all its outputs.
    fn write(&self, network: &Self::Network, graph: &mut Graph);

    /// The card as far as the recipe knows it; name, hash, number of parameters, training and licence are filled in by the publisher.
    fn card(&self, graph: &Graph) -> Card;

    /// Values for every input of the graph, and what burn makes of them, by the names of the card's ports.
    fn golden(&self, network: &Self::Network, card: &Card, device: &Device) -> Golden;

    /// Where in the finished model's latent space the training data lie, for models to be drawn from.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn draws(&self, _model: &Arc<Model>) -> Result<Option<Draws>> {
        Ok(None)
    }

    /// Adds to the card what can only be measured on the finished model.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn measure(&self, _model: &Model, _card: &mut Card) -> Result<()> {
        Ok(())
    }
}

/// A model in memory, checked.
#[derive(Debug)]
pub struct Publication {
    /// `model.onnx`
    pub onnx: Vec<u8>,
    /// `golden.safetensors`
    pub golden: Vec<u8>,
    /// `draws.safetensors`, for models to be drawn from.
    pub draws: Option<Vec<u8>>,
    /// `card.yaml`
    pub card: Card,
    /// The largest difference between burn and tract on the golden input.
    pub difference: f32,
}

impl Publication {
    /// Writes the network as ONNX, runs burn and tract on the same input and compares. Without a licence none is told.
    ///
    /// # Errors
    /// When tract cannot run the file or its output differs by more than [`TOLERANCE`], or its card would be refused.
    pub fn new<R: Publish>(
        recipe: &R,
        network: &R::Network,
        name: &str,
        training: Training,
        licence: Option<&str>,
        device: &Device,
    ) -> Result<Self> {
        let mut graph = Graph::new(name);
        recipe.write(network, &mut graph);
        let mut metadata = vec![("recipe", training.recipe.as_str()), ("commit", training.commit.as_str())];
        metadata.extend(licence.map(|licence| ("licence", licence)));
        let onnx = graph.encode(&metadata);
        let mut card = recipe.card(&graph);
        card.name = name.to_owned();
        card.sha256 = sha256_hex(&onnx);
        let multiply_adds_per_pixel = card.size.and_then(|size| size.multiply_adds_per_pixel);
        card.size = Some(Size { parameters: graph.parameters(), multiply_adds_per_pixel });
        card.training = Some(training);
        card.licence = licence.map(str::to_owned);
        let golden = recipe.golden(network, &card, device);
        let model = Arc::new(Model::new(card, &onnx, Place::Memory).context("the written model cannot be loaded")?);
        let mut difference = 0f32;
        for &kernel in Kernel::ALL {
            let found = verify(&model, &golden, kernel).context("the written model cannot be run")?;
            if found.is_nan() || found > TOLERANCE {
                let name = kernel.name();
                bail!("not published: burn and tract ({name}) differ by {found:.1e}, more than {TOLERANCE:.0e}");
            }
            difference = difference.max(found);
        }
        let golden = golden.to_bytes().map_err(|error| anyhow!("{error}"))?;
        let draws = recipe.draws(&model).context("the written model cannot be run")?;
        let draws = draws.map(|draws| draws.to_bytes()).transpose().map_err(|error| anyhow!("{error}"))?;
        let mut card = model.card.clone();
        recipe.measure(&model, &mut card).context("the written model cannot be run")?;
        // As whoever loads the model reads it.
        let card = Card::from_yaml(&card.to_yaml()?).context("not published: the card cannot be loaded")?;
        Ok(Self { onnx, golden, draws, card, difference })
    }

    /// Puts the model's folder in place, whole or not at all. A model that is there and that the run in the folder `run` has not published is kept
    /// beside it, under the name that is returned.
    ///
    /// # Errors
    /// When the folder holds anything but a model, or cannot be written.
    pub fn write(&self, folder: &Path, run: &Path) -> Result<Option<PathBuf>> {
        // Somebody may have put something there since the training began.
        check_folder(folder)?;
        let card = self.card.to_yaml().map_err(|error| anyhow!("{error}"))?;
        let mut files: Vec<(&str, &[u8])> =
            vec![(MODEL_FILE, &self.onnx), (GOLDEN_FILE, &self.golden), (CARD_FILE, card.as_bytes())];
        files.extend(self.draws.as_deref().map(|draws| (DRAWS_FILE, draws)));
        let list = run.join(PUBLISHED);
        let mut own = fs::read_to_string(&list).unwrap_or_default();
        let is_own = |hash: &str| own.lines().chain([self.card.sha256.as_str()]).any(|line| line == hash);
        let kept = match fs::read(folder.join(MODEL_FILE)) {
            Ok(bytes) if is_own(&sha256_hex(&bytes)) => None,
            Ok(_) => Some(folder::before(folder)?),
            Err(_) => None,
        };
        folder::replace(folder, &files, kept.as_deref())?;
        if !own.lines().any(|line| line == self.card.sha256) {
            own += &format!("{}\n", self.card.sha256);
            if let Err(error) = latentd::durable::write(&list, own.as_bytes()) {
                tell(format_args!("warning: the run will not know this model as its own: {error}"));
            }
        }
        Ok(kept)
    }
}

/// The licence that a model gets where nobody tells one: none, if it learnt from anything but known sets: that is for whoever has the
/// data to say.
pub fn licence(data: &[DataSet]) -> Option<&'static str> {
    data.iter().all(|set| set.licence != SUPPLIED).then_some(LICENCE)
}

/// Refuses, before hours of training, a name that no card may have.
///
/// # Errors
/// When it is one.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        refuse!(
            Usage,
            "`{name}` cannot be a model's name, which may hold letters, digits and `-` only; end --out in another"
        );
    }
    Ok(())
}

/// Refuses, before hours of training, an output folder that holds anything but a model, or cannot be made.
///
/// # Errors
/// When it is one.
pub fn check_folder(folder: &Path) -> Result<()> {
    folder::check(folder, &[MODEL_FILE, GOLDEN_FILE, DRAWS_FILE, CARD_FILE])
}

#[cfg(test)]
mod tests {
    use latentd::media::MediaKind;
    use latentd::model::{Card, DataSet, Task};

    /// A model of another name was trained for hours, published, and could not be loaded.
    #[test]
    fn names_are_refused_that_cards_refuse() {
        for name in ["a-b2", "a_b", "a.b", "a b", "caf\u{e9}", ""] {
            let card = Card { name: name.to_owned(), ..Card::new(Task::Denoise, MediaKind::Image) };
            let refused =
                Card::from_yaml(&card.to_yaml().expect("YAML")).expect_err("nothing else is told").to_string();
            assert_eq!(super::check_name(name).is_err(), refused.contains("letters, digits and `-` only"), "{name}");
        }
    }

    /// Whatever anybody trained was published under the licence of this project's models.
    #[test]
    fn a_licence_is_told_of_known_data_only() {
        let set = |licence: &str| DataSet { name: "a set".to_owned(), licence: licence.to_owned() };
        assert_eq!(super::licence(&[set("research"), set("CC0")]), Some(super::LICENCE));
        assert_eq!(super::licence(&[set("research"), set(super::SUPPLIED)]), None);
    }

    #[test]
    fn cards_name_the_burn_that_is_built_in() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"burn\"\nversion = \"{}\"", super::BURN_VERSION)));
    }
}
