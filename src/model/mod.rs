//! A model is a folder: an ONNX file that tract runs, and a card that says what it is.
//! [`Models`] finds one by name, [`Model`] holds it checked in memory, [`Plan`] is it made ready for one size of picture.

mod builtin;
mod card;
mod context;
mod convolution;
mod draws;
mod find;
mod golden;
mod gru;
mod load;
mod plan;
mod session;
mod stream;
mod tensors;
pub mod tune;

pub use card::audio::{AudioCard, AudioPort, AudioState, Form};
pub use card::{Card, DataSet, Dim, LatentSpace, MelodySpace, Metric, Novelty, Port, Role, Size, Task, Training};
pub use context::{measure_context, picture_side};
pub use draws::{Component, Draws};
pub use find::{Models, Place, is_path};
pub use golden::{Golden, verify};
pub use load::Model;
pub use plan::{Kernel, Plan};
pub use session::Session;
pub use stream::Stream;
pub use tune::Choice;

/// SHA-256 in lower-case hex, as cards write it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// How far tract may differ from what training computed, on values of 0..1.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;

/// The name of the card's file in a model's folder.
pub const CARD_FILE: &str = "card.yaml";
/// The name of the ONNX file in a model's folder.
pub const MODEL_FILE: &str = "model.onnx";
/// The name of the file with an input and the output that training gave for it.
pub const GOLDEN_FILE: &str = "golden.safetensors";
/// The name of the file that tells where in the latent space the training data lie.
pub const DRAWS_FILE: &str = "draws.safetensors";
