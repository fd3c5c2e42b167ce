//! From a trained network to a published model: the ONNX file, the golden file, the card, and the proof that they agree.

mod data_sets;
mod folder;
mod golden;

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::Device;
use latentd::media::MediaKind;
use latentd::model::{
    Card, Dim, Kernel, Model, Place, Port, Size, Training, measure_context, picture_side, sha256_hex, verify,
};

pub use data_sets::data_sets;

use crate::onnx::Graph;
use crate::recipes::PhotoRecipe;

/// The largest difference between burn's output and tract's that a model is published with.
pub const TOLERANCE: f32 = 1e-4;

/// The noise level at which the context of tiles is measured: the more noise, the farther a network looks.
const NOISIEST: f32 = 50.0 / 255.0;

const LICENCE: &str = "MIT OR Apache-2.0";

/// The version of burn that this program is built with.
pub const BURN_VERSION: &str = "0.22.1";

/// The commit that this program was built from.
pub const COMMIT: &str = env!("LATENTD_COMMIT");

/// A model in memory, checked.
#[derive(Debug)]
pub struct Publication {
    /// `model.onnx`
    pub onnx: Vec<u8>,
    /// `golden.safetensors`
    pub golden: Vec<u8>,
    /// `card.yaml`
    pub card: Card,
    /// The largest difference between burn and tract on the golden input.
    pub difference: f32,
}

impl Publication {
    /// Writes the network as ONNX, runs burn and tract on the same input and compares.
    ///
    /// # Errors
    /// When tract cannot run the file or its output differs by more than [`TOLERANCE`].
    pub fn new<R: PhotoRecipe>(
        recipe: &R,
        network: &R::Network,
        name: &str,
        training: Training,
        device: &Device,
    ) -> Result<Self> {
        let mut graph = Graph::new(name);
        let value = recipe.write(network, &mut graph);
        graph.output("output", &value);
        let metadata = [("recipe", training.recipe.as_str()), ("licence", LICENCE), ("commit", &training.commit)];
        let onnx = graph.encode(&metadata);
        let about = recipe.about();
        let mut inputs = vec![port("image", 1)];
        inputs.extend(about.conditions);
        let card = Card {
            name: name.to_owned(),
            task: about.task,
            media: MediaKind::Image,
            summary: Some(about.summary),
            sha256: sha256_hex(&onnx),
            inputs,
            outputs: vec![port("output", value.scale())],
            scale: value.scale(),
            receptive_field: value.receptive_field(),
            tile_context: None,
            multiple_of: graph.multiple_of(),
            size: Some(Size {
                parameters: graph.parameters(),
                multiply_adds_per_pixel: graph.multiply_adds_per_pixel(),
            }),
            training: Some(training),
            metrics: Vec::new(),
            limits: about.limits,
            licence: Some(LICENCE.to_owned()),
        };
        let golden = golden::make(recipe, network, &card, device);
        let model = Model::new(card, &onnx, Place::Memory).context("the written model cannot be loaded")?;
        let mut difference = 0f32;
        for &kernel in Kernel::ALL {
            let found = verify(&model, &golden, kernel).context("the written model cannot be run")?;
            if found.is_nan() || found > TOLERANCE {
                let name = kernel.name();
                bail!("not published: burn and tract ({name}) differ by {found:.1e}, more than {TOLERANCE:.0e}");
            }
            difference = difference.max(found);
        }
        let side = picture_side(&model);
        let context = measure_context(&model, &golden::pattern(side, side), NOISIEST)
            .context("the written model cannot be run")?;
        let golden = golden.to_bytes().map_err(|error| anyhow!("{error}"))?;
        let card = Card { tile_context: Some(context), ..model.card };
        Ok(Self { onnx, golden, card, difference })
    }

    /// Puts the model's folder in place, whole or not at all, over one that may be there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let card = self.card.to_yaml().map_err(|error| anyhow!("{error}"))?;
        folder::replace(
            folder,
            &[
                (latentd::model::MODEL_FILE, &self.onnx),
                (latentd::model::GOLDEN_FILE, &self.golden),
                (latentd::model::CARD_FILE, card.as_bytes()),
            ],
        )
    }
}

/// Refuses, before hours of training, an output folder that holds anything but a model.
///
/// # Errors
/// When it does.
pub fn check_folder(folder: &Path) -> Result<()> {
    folder::check(folder, &[latentd::model::MODEL_FILE, latentd::model::GOLDEN_FILE, latentd::model::CARD_FILE])
}

/// A picture port, `scale` times the input's size.
fn port(name: &str, scale: usize) -> Port {
    let side = |axis: &str| Dim::Free(if scale == 1 { axis.to_owned() } else { format!("{scale}{axis}") });
    Port {
        name: name.to_owned(),
        role: None,
        shape: vec![Dim::Fixed(1), Dim::Fixed(3), side("H"), side("W")],
        range: [0.0, 1.0],
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cards_name_the_burn_that_is_built_in() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"burn\"\nversion = \"{}\"", super::BURN_VERSION)));
    }
}
