//! Tensors by name in a safetensors file beside a model.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::builtin::{BUILTIN, Builtin};
use super::{Model, Place};
use crate::durable;
use crate::error::{Error, Kind, Result};

/// Shape and f32 values in row-major order, by name.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Reads the bytes of a safetensors file, which is called `what` in errors.
///
/// # Errors
/// Kind model: not safetensors, or not f32.
pub fn read(bytes: &[u8], what: &str) -> Result<Tensors> {
    let wrong = |why: String| Error::new(Kind::Model, format!("{what} cannot be read")).because(why);
    let file = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
    let mut tensors = Tensors::default();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(wrong(format!("`{name}` is not f32")));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        tensors.insert(name, (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// The bytes of a safetensors file, which is called `what` in errors.
///
/// # Errors
/// Kind bug: a shape and its values disagree.
pub fn write(tensors: &Tensors, what: &str) -> Result<Vec<u8>> {
    let wrong = |e: safetensors::SafeTensorError| Error::new(Kind::Bug, format!("{what} cannot be written")).because(e);
    let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::new();
    for (name, shape, bytes) in &raw {
        views.push((name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).map_err(wrong)?));
    }
    safetensors::serialize(views, None).map_err(wrong)
}

/// A file that belongs to a model: `file` in its folder, or what the program carries of it; none for a model in memory.
///
/// # Errors
/// Kind model: the file cannot be read.
pub fn beside(
    model: &Model,
    file: &str,
    what: &str,
    carried: fn(&Builtin) -> Option<&'static [u8]>,
) -> Result<Option<Tensors>> {
    match &model.place {
        Place::Folder(folder) => match contents(&folder.join(file)) {
            Ok(bytes) => read(&bytes, what).map(Some).map_err(|e| e.at(&folder.join(file))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::new(Kind::Model, format!("{what} cannot be read")).because(e).at(&folder.join(file))),
        },
        Place::BuiltIn => {
            let builtin = BUILTIN.iter().find(|builtin| builtin.name == model.card.name);
            builtin.and_then(carried).map(|bytes| read(bytes, what)).transpose()
        }
        Place::Memory => Ok(None),
    }
}

fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    durable::open_file(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
