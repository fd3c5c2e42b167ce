//! A model made ready for one size of input: shapes fixed, graph optimised, convolutions chosen.

use std::sync::Arc;

use tract_onnx::prelude::*;

use super::load::guarded;
use super::session::optimise;
use super::{Card, Dim, Role};
use crate::error::{Error, Kind, Result};

/// Which code computes the convolutions. What is fastest differs by model, tile and machine (a factor of 2 to 3), so it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// tract as it comes.
    Tract,
    /// tract without its direct spatial kernel, which is AVX2 only where its matrix products use AVX-512.
    TractIm2col,
    /// latentd-conv, matrix products over strips of the picture.
    Direct,
    /// latentd-conv, Winograd's F(4x4, 3x3) where it suits the layer; rounding errors are a few times larger.
    Winograd,
}

impl Kernel {
    /// All of them.
    pub const ALL: &[Kernel] = &[Kernel::Tract, Kernel::TractIm2col, Kernel::Direct, Kernel::Winograd];

    /// The word in `--json` and in the cache.
    pub const fn name(self) -> &'static str {
        match self {
            Kernel::Tract => "tract",
            Kernel::TractIm2col => "tract-im2col",
            Kernel::Direct => "direct",
            Kernel::Winograd => "winograd",
        }
    }

    /// What to use before anything is measured.
    pub const BEST_GUESS: Kernel = Kernel::Winograd;
}

/// A model ready to run on pictures of one size, shared by all threads.
pub struct Plan {
    runnable: Arc<TypedRunnableModel>,
    /// For each input of the graph: what it carries, its shape, and its range.
    inputs: Vec<(Role, Vec<usize>, [f32; 2])>,
    output_range: [f32; 2],
    output_shape: Vec<usize>,
}

impl Plan {
    pub(super) fn new(
        graph: &InferenceModel,
        card: &Card,
        height: usize,
        width: usize,
        kernel: Kernel,
    ) -> Result<Plan> {
        let output = &card.outputs[0];
        let mut inputs = Vec::new();
        for outlet in &graph.inputs {
            let name = &graph.nodes[outlet.node].name;
            let port = card
                .inputs
                .iter()
                .find(|p| p.name == *name)
                .ok_or_else(|| Error::new(Kind::Model, format!("the card does not tell of the input `{name}`")))?;
            let shape = port.shape.iter().enumerate().map(|(axis, dim)| match dim {
                Dim::Fixed(n) => *n,
                Dim::Free(_) if axis == 0 => 1,
                Dim::Free(_) if axis == 2 => height,
                Dim::Free(_) => width,
            });
            inputs.push((port.role(), shape.collect::<Vec<_>>(), port.range));
        }
        let runnable = guarded("prepare", || {
            let mut graph = graph.clone();
            graph.select_outputs_by_name([&output.name])?;
            for (index, (_, shape, _)) in inputs.iter().enumerate() {
                graph.set_input_fact(index, f32::fact(shape).into())?;
            }
            optimise(graph, kernel)
        })?;
        let fact =
            guarded("prepare", || Ok(runnable.model().output_fact(0)?.shape.as_concrete().map(<[usize]>::to_vec)))?;
        let output_shape = fact.ok_or_else(|| Error::new(Kind::Model, "the graph's output has no fixed shape"))?;
        let scale = card.scale;
        let expected = [1, card.channels(), height * scale, width * scale];
        if output_shape[..] != expected {
            return Err(Error::new(
                Kind::Model,
                format!("the graph makes {output_shape:?} of {height}x{width}, and its card tells of {expected:?}"),
            )
            .mend("write the true shapes and the true scale into the card"));
        }
        Ok(Plan { runnable, inputs, output_range: output.range, output_shape })
    }

    /// Runs the network on one picture.
    ///
    /// `planes` holds the colours as planes of 0..1, `[channels, height, width]`, as many as the graph takes; `sigma` is the noise's standard
    /// deviation in 0..1 (that of 8-bit values over 255). Returns planes of 0..1 (not clamped) in `output_shape`.
    ///
    /// # Errors
    /// Kind model: tract failed. Kind bug: `planes` has the wrong length.
    pub fn run(&self, planes: Vec<f32>, sigma: f32) -> Result<Vec<f32>> {
        let mut planes = Some(planes);
        let mut feeds: TVec<TValue> = tvec!();
        for (role, shape, [low, high]) in &self.inputs {
            let mut values = match role {
                Role::Image => planes.take().ok_or_else(|| Error::new(Kind::Model, "the graph takes two pictures"))?,
                Role::Sigma => vec![sigma; shape.iter().product()],
            };
            if (*low, *high) != (0.0, 1.0) {
                values.iter_mut().for_each(|v| *v = low + *v * (high - low));
            }
            let tensor = Tensor::from_shape(shape, &values)
                .map_err(|e| Error::new(Kind::Bug, "a tile of the wrong size").because(e.to_string()))?;
            feeds.push(tensor.into());
        }
        let mut values = guarded("run", || {
            let outputs = self.runnable.run(feeds)?;
            Ok(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        })?;
        let [low, high] = self.output_range;
        if (low, high) != (0.0, 1.0) {
            values.iter_mut().for_each(|v| *v = (*v - low) / (high - low));
        }
        Ok(values)
    }

    /// Batch, channels, height and width of what [`Plan::run`] returns.
    pub fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }
}
