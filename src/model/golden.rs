//! The golden file: an input, and the output that the training framework gave for it. `models verify` holds tract to it.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::find::Place;
use super::{GOLDEN_FILE, Kernel, Model, Session, builtin::BUILTIN};
use crate::error::{Error, Kind, Result};

/// Tensors by the names of the graph's inputs and outputs: shape and f32 values in row-major order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Golden(pub BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Golden {
    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// Kind model: not safetensors, or not f32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Golden> {
        let wrong = |why: String| Error::new(Kind::Model, "the golden file cannot be read").because(why);
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
        let mut golden = Golden::default();
        for (name, view) in tensors.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(wrong(format!("`{name}` is not f32")));
            }
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            golden.0.insert(name, (view.shape().to_vec(), values));
        }
        Ok(golden)
    }

    /// The bytes of a safetensors file.
    ///
    /// # Errors
    /// Kind bug: a shape and its values disagree.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let wrong =
            |e: safetensors::SafeTensorError| Error::new(Kind::Bug, "the golden file cannot be written").because(e);
        let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let mut views = Vec::new();
        for (name, shape, bytes) in &raw {
            views.push((name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).map_err(wrong)?));
        }
        safetensors::serialize(views, None).map_err(wrong)
    }

    /// The golden file that belongs to a model.
    ///
    /// # Errors
    /// Kind model: it is missing or cannot be read.
    pub fn of(model: &Model) -> Result<Golden> {
        match &model.place {
            Place::Folder(folder) => Golden::from_file(&folder.join(GOLDEN_FILE)),
            Place::BuiltIn => match BUILTIN.iter().find(|b| b.name == model.card.name) {
                Some(b) => Golden::from_bytes(b.golden),
                None => Err(Error::new(Kind::Model, "the model has no golden file")),
            },
            Place::Memory => Err(Error::new(Kind::Model, "a model in memory has no golden file")),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Kind model: it is missing or cannot be read.
    pub fn from_file(path: &Path) -> Result<Golden> {
        let bytes = std::fs::read(path).map_err(|e| {
            Error::new(Kind::Model, format!("cannot read {}", crate::error::show_path(path)))
                .because(e)
                .mend("publish the model again with latentd-train, which writes its golden file")
        })?;
        Golden::from_bytes(&bytes).map_err(|e| e.at(path))
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
