//! Bytes to a checked model. ONNX bytes are a stranger's: the hash is compared first, and a panic inside the parser becomes an error.

use std::collections::HashMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::prelude::*;

use super::{CARD_FILE, Card, Choice, GOLDEN_FILE, Kernel, MODEL_FILE, Place, Plan, sha256_hex};
use crate::durable;
use crate::error::{Error, Kind, Result};

const CARD_LIMIT: u64 = 256 << 10;
const ONNX_LIMIT: u64 = 512 << 20;
/// Plans of one model kept at a time; each holds the weights as its kernel reads them.
const MOST_PLANS: usize = 12;

/// A model in memory, its card checked, its graph parsed; plans for sizes of input are made when first asked for and kept.
pub struct Model {
    /// What it says of itself.
    pub card: Card,
    /// Where it came from.
    pub place: Place,
    graph: InferenceModel,
    plans: Mutex<HashMap<(usize, usize, Kernel), Arc<Plan>>>,
    choice: Mutex<Choice>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("name", &self.card.name).field("place", &self.place).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads from a folder, or from an ONNX file with `card.yaml` beside it.
    ///
    /// # Errors
    /// Kind model: a file is missing or damaged, the hash differs from the card's, or tract cannot read the graph.
    pub fn from_path(path: &Path) -> Result<Model> {
        let (folder, onnx) = match path.is_dir() {
            true => (path, path.join(MODEL_FILE)),
            false => (path.parent().unwrap_or(Path::new(".")), path.to_path_buf()),
        };
        let card = read_capped(&folder.join(CARD_FILE), CARD_LIMIT)?;
        let card = String::from_utf8(card)
            .map_err(|_| Error::new(Kind::Model, "the card is not text in UTF-8").at(&folder.join(CARD_FILE)))?;
        let card = Card::from_yaml(&card).map_err(|e| e.at(&folder.join(CARD_FILE)))?;
        let bytes = read_capped(&onnx, ONNX_LIMIT)?;
        Model::new(card, &bytes, Place::Folder(folder.to_path_buf())).map_err(|e| e.at(&onnx))
    }

    /// Makes a model of a card and the bytes of its ONNX file.
    ///
    /// # Errors
    /// Kind model, as for [`Model::from_path`].
    pub fn new(card: Card, onnx: &[u8], place: Place) -> Result<Model> {
        let found = sha256_hex(onnx);
        if !found.eq_ignore_ascii_case(&card.sha256) {
            return Err(Error::new(
                Kind::Model,
                format!("the ONNX file is not the one that the card of `{}` describes (SHA-256 {found})", card.name),
            )
            .mend("copy the model again; if you changed it yourself, write the new hash into its card"));
        }
        let graph = guarded("read", || tract_onnx::onnx().model_for_read(&mut Cursor::new(onnx)))?;
        let verifiable = match &place {
            Place::BuiltIn => true,
            Place::Folder(folder) => folder.join(GOLDEN_FILE).is_file(),
            Place::Memory => false,
        };
        let choice = Mutex::new(Choice::first(&card, verifiable));
        let model = Model { card, place, graph, plans: Mutex::default(), choice };
        model.check_ports()?;
        Ok(model)
    }

    /// The model made ready for pictures of `height` x `width` (multiples of the card's `multiple_of`) by `kernel`; kept for the next time.
    ///
    /// # Errors
    /// Kind model: the graph cannot take that size.
    pub fn plan(&self, height: usize, width: usize, kernel: Kernel) -> Result<Arc<Plan>> {
        let key = (height, width, kernel);
        if let Some(plan) = self.lock().get(&key) {
            return Ok(Arc::clone(plan));
        }
        // Made outside the lock: it takes a while, and two threads that make the same plan at once only waste a little.
        let plan = Arc::new(Plan::new(&self.graph, &self.card, height, width, kernel)?);
        let mut plans = self.lock();
        // Pictures of many sizes need many plans; those in use live on in their users' hands.
        if plans.len() >= MOST_PLANS {
            plans.clear();
        }
        Ok(Arc::clone(plans.entry(key).or_insert(plan)))
    }

    /// The graph as it was read.
    pub(super) fn graph(&self) -> &InferenceModel {
        &self.graph
    }

    /// How to run it on this machine: what was tuned, or a good guess.
    pub fn choice(&self) -> Choice {
        *self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how to run it from now on.
    pub fn choose(&self, choice: Choice) {
        *self.choice.lock().unwrap_or_else(PoisonError::into_inner) = choice;
    }

    /// Forgets all plans, which frees their memory.
    pub fn forget_plans(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(usize, usize, Kernel), Arc<Plan>>> {
        // The map is whole at every moment, so a panic elsewhere does not spoil it.
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The card names the graph's own inputs, all of them, and an output that there is.
    fn check_ports(&self) -> Result<()> {
        let graph_inputs: Vec<&str> =
            self.graph.inputs.iter().map(|o| self.graph.nodes[o.node].name.as_str()).collect();
        let card_inputs: Vec<&str> = self.card.inputs.iter().map(|p| p.name.as_str()).collect();
        if graph_inputs.len() != card_inputs.len() || !graph_inputs.iter().all(|n| card_inputs.contains(n)) {
            return Err(Error::new(
                Kind::Model,
                format!("the graph takes {graph_inputs:?}, its card tells of {card_inputs:?}"),
            )
            .mend("name each input of the graph in the card"));
        }
        if self.card.is_tiled() {
            let name = &self.card.outputs[0].name;
            guarded("read", || self.graph.clone().select_outputs_by_name([name])).map_err(|e| {
                Error::new(Kind::Model, format!("the graph has no output `{name}`, which its card tells of"))
                    .because(e.to_string())
                    .mend("write the output's true name into the card")
            })?;
        }
        Ok(())
    }
}

/// Runs a piece of tract, and makes an error of whatever goes wrong in it.
pub(super) fn guarded<T>(what: &str, work: impl FnOnce() -> TractResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(Error::new(Kind::Model, format!("tract cannot {what} this model")).because(format!("{e:#}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned();
            Err(Error::new(Kind::Model, format!("tract cannot {what} this model")).because(text))
        }
    }
}

fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>> {
    use std::io::Read;
    let missing = |e: std::io::Error| {
        Error::new(Kind::Model, format!("cannot read {}", crate::error::show_path(path)))
            .because(e)
            .mend("a model is a folder with model.onnx and card.yaml in it")
    };
    let file = durable::open_file(path).map_err(missing)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(missing)?;
    if bytes.len() as u64 > limit {
        let most = if limit >> 20 == 0 { format!("{} KiB", limit >> 10) } else { format!("{} MiB", limit >> 20) };
        let e = Error::new(Kind::Model, format!("the file is larger than {most}")).at(path);
        return Err(e.mend("see that it is the file it is meant to be"));
    }
    Ok(bytes)
}
