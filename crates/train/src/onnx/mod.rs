//! Networks as ONNX files: written from burn's weights, read back into them.

mod graph;
mod proto;
mod weights;

pub use graph::{Graph, OPSET, Value};
pub use proto::Axis;
pub use weights::{Loaded, Weights};
