//! A part of a model's graph made ready for fixed shapes: what stages use whose models are more than picture in, picture out.

use std::sync::Arc;

use latentd_conv::Algorithm;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::knobs::KnobScope;

use super::load::guarded;
use super::{Kernel, Model, convolution, gru};
use crate::error::{Error, Kind, Result};

/// Inputs and outputs of a graph, chosen by name, at fixed shapes. An autoencoder's encoder and decoder are two sessions of one model.
///
/// Sessions are cheap to clone, and a clone may run on another thread.
#[derive(Clone)]
pub struct Session {
    runnable: Arc<TypedRunnableModel>,
    inputs: Vec<Vec<usize>>,
    outputs: Vec<Vec<usize>>,
}

impl Session {
    /// The part of the graph that makes `outputs` of `inputs`, each input with its shape.
    ///
    /// # Errors
    /// Kind model: the graph has no such names, needs further inputs, or cannot take these shapes.
    pub fn new(model: &Model, inputs: &[(&str, &[usize])], outputs: &[&str]) -> Result<Session> {
        Session::by(model, inputs, outputs, Kernel::BEST_GUESS)
    }

    /// [`Session::new`] by a kernel of choice.
    ///
    /// # Errors
    /// As for [`Session::new`].
    pub fn by(model: &Model, inputs: &[(&str, &[usize])], outputs: &[&str], kernel: Kernel) -> Result<Session> {
        let runnable = guarded("prepare", || {
            let mut graph = model.graph().clone();
            graph.set_input_names(inputs.iter().map(|(name, _)| name))?;
            graph.select_outputs_by_name(outputs)?;
            for (index, (_, shape)) in inputs.iter().enumerate() {
                graph.set_input_fact(index, f32::fact(*shape).into())?;
            }
            // What leads to other outputs goes, so that its inputs need no shape.
            graph.compact()?;
            optimise(graph, kernel)
        })?;
        let outputs = guarded("prepare", || {
            let model = runnable.model();
            (0..outputs.len())
                .map(|slot| Ok(model.output_fact(slot)?.shape.as_concrete().map(<[usize]>::to_vec)))
                .collect::<TractResult<Option<Vec<_>>>>()
        })?;
        let outputs = outputs.ok_or_else(|| Error::new(Kind::Model, "an output of the graph has no fixed shape"))?;
        Ok(Session { runnable, inputs: inputs.iter().map(|(_, shape)| shape.to_vec()).collect(), outputs })
    }

    /// Runs it. `inputs` are row-major values in the order of the names given; so are the outputs that come back.
    ///
    /// # Errors
    /// Kind bug: an input of the wrong length. Kind model: tract failed.
    pub fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::new(Kind::Bug, "another number of inputs than the session has"));
        }
        let mut feeds: TVec<TValue> = tvec!();
        for (values, shape) in inputs.iter().zip(&self.inputs) {
            let tensor = Tensor::from_shape(shape, values)
                .map_err(|e| Error::new(Kind::Bug, "an input of the wrong size").because(e.to_string()))?;
            feeds.push(tensor.into());
        }
        guarded("run", || {
            let outputs = self.runnable.run(feeds)?;
            outputs.iter().map(|output| Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())).collect()
        })
    }

    /// Shapes of the outputs, in the order of the names given.
    pub fn output_shapes(&self) -> &[Vec<usize>] {
        &self.outputs
    }
}

/// Makes a graph whose inputs have their facts ready to run, with the convolutions computed by `kernel`.
pub(super) fn optimise(graph: InferenceModel, kernel: Kernel) -> TractResult<Arc<TypedRunnableModel>> {
    let mut typed = graph.into_typed()?;
    if matches!(kernel, Kernel::Direct | Kernel::Winograd) {
        // Before tract cuts them up by what reads parts of them.
        convolution::products(&mut typed)?;
        gru::replace(&mut typed)?;
    }
    let mut typed = typed.into_decluttered()?;
    match kernel {
        Kernel::Tract | Kernel::TractIm2col => {}
        Kernel::Direct => convolution::replace(&mut typed, Some(Algorithm::Direct))?,
        Kernel::Winograd => convolution::replace(&mut typed, None)?,
    }
    let direct = if kernel == Kernel::TractIm2col { "1" } else { "0" };
    KnobScope::new([("TRACT_DISABLE_DIRECT_SPATIAL", direct)])?.enter(|| typed.into_optimized()?.into_runnable())
}
