//! Latents as tensors: safetensors, which tells all, and NumPy's format, which tells numbers only.

use std::collections::HashMap;
use std::io::{Cursor, Write};

use npyz::{NpyFile, WriteOptions, WriterBuilder};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use super::{Latent, check_count, check_model, damaged, one_size};
use crate::error::{Error, Kind, Result};
use crate::media::melody::Frame;

/// The tensor's name.
const TENSOR: &str = "latents";
/// Bytes of an array's header, at most: NumPy itself reads no more unless it is told to.
const MOST_HEADER: u64 = 10_000;
/// Brackets that open in one, at most: a table needs two, and each costs the parser some of its stack.
const MOST_BRACKETS: usize = 16;

/// One piece of media among the rows of the tensor.
#[derive(Serialize, Deserialize)]
struct Piece {
    source: Option<String>,
    rows: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<Frame>,
}

pub fn write_safetensors(latents: &[Latent], out: &mut impl Write) -> Result<()> {
    let (size, rows) = one_size(latents)?;
    let bytes: Vec<u8> = latents.iter().flat_map(|l| l.values.iter().flat_map(|v| v.to_le_bytes())).collect();
    let piece = |l: &Latent| Piece { source: l.source.clone(), rows: l.rows().len(), frame: l.frame.clone() };
    let pieces: Vec<Piece> = latents.iter().map(piece).collect();
    let failed =
        |e: Box<dyn std::error::Error + Send + Sync>| Error::new(Kind::Output, "latents cannot be written").because(e);
    let pieces = serde_json::to_string(&pieces).map_err(|e| failed(e.into()))?;
    let model = latents.first().map(|l| l.model.clone()).unwrap_or_default();
    let metadata = HashMap::from([("model".to_owned(), model), ("pieces".to_owned(), pieces)]);
    let view = TensorView::new(Dtype::F32, vec![rows, size], &bytes).map_err(|e| failed(e.into()))?;
    let file = safetensors::serialize([(TENSOR, view)], Some(metadata)).map_err(|e| failed(e.into()))?;
    out.write_all(&file).map_err(|e| failed(e.into()))
}

pub fn read_safetensors(bytes: &[u8]) -> Result<Vec<Latent>> {
    let wrong = |e: safetensors::SafeTensorError| damaged(e.to_string());
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let view = tensors.tensor(TENSOR).map_err(wrong)?;
    let &[rows, size] = view.shape() else { return Err(damaged("the tensor is no table of rows")) };
    if view.dtype() != Dtype::F32 || size == 0 {
        return Err(damaged("the tensor holds no 32-bit floats"));
    }
    let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let model = metadata.get("model").cloned().unwrap_or_default();
    // Every piece gets a copy.
    check_model(&model)?;
    let pieces: Vec<Piece> = match metadata.get("pieces") {
        Some(text) => serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?,
        None => {
            // Before there is memory for each of them.
            check_count(rows)?;
            (0..rows).map(|_| Piece { source: None, rows: 1, frame: None }).collect()
        }
    };
    check_count(pieces.len())?;
    let told = pieces.iter().try_fold(0usize, |sum, piece| sum.checked_add(piece.rows));
    if told != Some(rows) || pieces.iter().any(|piece| piece.rows == 0) {
        return Err(damaged("its pieces and its rows are not as many"));
    }
    let mut rest = values.as_slice();
    Ok(pieces
        .into_iter()
        .map(|piece| {
            let (values, after) = rest.split_at(piece.rows * size);
            rest = after;
            Latent { values: values.to_vec(), size, model: model.clone(), source: piece.source, frame: piece.frame }
        })
        .collect())
}

pub fn write_npy(latents: &[Latent], out: &mut impl Write) -> Result<()> {
    let (size, rows) = one_size(latents)?;
    let mut write = || -> std::io::Result<()> {
        let shape = [rows as u64, size as u64];
        let mut writer = WriteOptions::new().default_dtype().shape(&shape).writer(&mut *out).begin_nd()?;
        writer.extend(latents.iter().flat_map(|latent| latent.values.iter().copied()))?;
        writer.finish()
    };
    write().map_err(|e| Error::new(Kind::Output, "latents cannot be written").because(e))
}

pub fn read_npy(bytes: &[u8]) -> Result<Vec<Latent>> {
    let wrong = |e: std::io::Error| damaged(e.to_string());
    check_header(bytes)?;
    let file = NpyFile::new(Cursor::new(bytes)).map_err(wrong)?;
    let &[rows, size] = file.shape() else { return Err(damaged("the array is no table of rows")) };
    let count = rows.checked_mul(size).filter(|&count| size > 0 && count <= bytes.len() as u64 / 4);
    let (Some(count), npyz::Order::C) = (count, file.order()) else {
        return Err(damaged("its shape and its length do not fit, or its order is not C"));
    };
    check_count((count / size) as usize)?;
    let values = file.data::<f32>().map_err(|_| damaged("the array is not of float32"))?;
    let values = values.take(count as usize).collect::<std::io::Result<Vec<f32>>>().map_err(wrong)?;
    let size = size as usize;
    let row =
        |values: &[f32]| Latent { values: values.to_vec(), size, model: String::new(), source: None, frame: None };
    Ok(values.chunks_exact(size).map(row).collect())
}

/// Whether the header of an array is one that can be parsed: npyz takes as much memory at once as the header says that it has.
fn check_header(bytes: &[u8]) -> Result<()> {
    let (at, length) = match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (10, u64::from(u16::from_le_bytes([*a, *b]))),
        [_, _, _, _, _, _, 2..=255, _, a, b, c, d, ..] => (12, u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => return Err(damaged("the file ends within its header")),
    };
    if length > MOST_HEADER {
        return Err(damaged(format!("a header of {length} bytes; the limit is {MOST_HEADER}")));
    }
    let Some(header) = bytes.get(at..at + length as usize) else {
        return Err(damaged("the file ends within its header"));
    };
    match header.iter().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count() {
        brackets if brackets > MOST_BRACKETS => Err(damaged("its header is no description of a table")),
        _ => Ok(()),
    }
}
