//! The golden file: an input, and the output that the training framework gave for it. `models verify` holds tract to it.

use super::tensors::{self, Tensors};
use super::{GOLDEN_FILE, Kernel, Model, Session};
use crate::error::{Error, Kind, Result};

/// Tensors by the names of the graph's inputs and outputs: shape and f32 values in row-major order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Golden(pub Tensors);

/// What the file is called in errors.
const WHAT: &str = "the golden file";

impl Golden {
    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// Kind model: not safetensors, or not f32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Golden> {
        tensors::read(bytes, WHAT).map(Golden)
    }

    /// The bytes of a safetensors file.
    ///
    /// # Errors
    /// Kind bug: a shape and its values disagree.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        tensors::write(&self.0, WHAT)
    }

    /// The golden file that belongs to a model, if it has one.
    ///
    /// # Errors
    /// Kind model: it cannot be read.
    pub fn of(model: &Model) -> Result<Option<Golden>> {
        Ok(tensors::beside(model, GOLDEN_FILE, WHAT, |builtin| Some(builtin.golden))?.map(Golden))
    }
}

/// Runs the model on its golden input by `kernel`, and returns the largest difference from the golden outputs; where a port has a range
/// other than 0..1, as a share of it.
///
/// # Errors
/// Kind model: the golden file is missing or does not fit the graph, or tract cannot run it.
pub fn verify(model: &Model, golden: &Golden, kernel: Kernel) -> Result<f32> {
    let find = |name: &str| {
        golden.0.get(name).ok_or_else(|| Error::new(Kind::Model, format!("the golden file has no tensor `{name}`")))
    };
    let card = &model.card;
    let inputs = card.inputs.iter().map(|port| find(&port.name)).collect::<Result<Vec<_>>>()?;
    let names: Vec<(&str, &[usize])> =
        card.inputs.iter().zip(&inputs).map(|(port, (shape, _))| (port.name.as_str(), shape.as_slice())).collect();
    let outputs: Vec<&str> = card.outputs.iter().map(|port| port.name.as_str()).collect();
    let session = Session::by(model, &names, &outputs, kernel)?;
    let found = session.run(&inputs.iter().map(|(_, values)| values.as_slice()).collect::<Vec<_>>())?;
    let mut worst = 0f32;
    for (port, found) in card.outputs.iter().zip(&found) {
        let (_, expected) = find(&port.name)?;
        if found.len() != expected.len() {
            return Err(Error::new(Kind::Model, "the golden output has another size than the graph's output"));
        }
        let [low, high] = port.range;
        for (a, b) in found.iter().zip(expected) {
            let difference = (a - b).abs() / (high - low);
            // NaN must not pass as "no difference".
            worst = if difference.is_nan() { f32::INFINITY } else { worst.max(difference) };
        }
    }
    Ok(worst)
}
