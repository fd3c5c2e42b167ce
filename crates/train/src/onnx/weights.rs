use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};

/// Trained tensors of an ONNX file by name.
pub struct Weights(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

/// What became of each tensor when weights were loaded into a network.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Tensors of the network that were set.
    pub copied: usize,
    /// Tensors of convolutions that are larger here: the file's values in their first channels, see [`Weights::load_into`].
    pub widened: usize,
    /// Tensors of the network that the file does not hold: left as they were.
    pub absent: Vec<String>,
    /// Tensors of the network that the file holds in another shape: left as they were.
    pub left: Vec<String>,
    /// Of those left, the ones that are larger in the file: it is of a wider network.
    pub larger: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unused: Vec<String>,
    /// Values that were taken from the file.
    pub taken: usize,
    /// Values that the file holds.
    pub there: usize,
    /// Values of the network.
    pub here: usize,
}

impl Weights {
    /// Reads the tensors of a model: an ONNX file, or a folder with `model.onnx` in it.
    ///
    /// # Errors
    /// When the file cannot be read, is no ONNX file, or holds no f32 tensors.
    pub fn read(model: &Path) -> Result<Self> {
        let file = if model.is_dir() { model.join(latentd::model::MODEL_FILE) } else { model.to_owned() };
        let bytes = fs::read(&file).with_context(|| {
            let here = if file.is_relative() { " (from the current folder on)" } else { "" };
            format!("cannot read {}{here}", file.display())
        })?;
        let weights = Self::decode(&bytes).with_context(|| format!("{} is no model to start from", file.display()))?;
        Ok(weights)
    }

    /// Reads the tensors of an ONNX file's bytes.
    ///
    /// # Errors
    /// When they are no ONNX file or it holds no f32 tensors.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let graph = ModelProto::decode(bytes)?.graph.context("the file has no graph")?;
        let tensors = graph.initializer.iter().filter(|tensor| tensor.data_type == DataType::Float as i32);
        let weights =
            tensors.map(|tensor| Ok((tensor.name.clone(), values(tensor)?))).collect::<Result<BTreeMap<_, _>>>()?;
        if weights.is_empty() {
            bail!("the file holds no f32 tensors");
        }
        Ok(Self(weights))
    }

    /// Takes out a tensor that must have this shape.
    ///
    /// # Errors
    /// When there is none of this name, or it has another shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (found, values) = self.0.remove(name).with_context(|| format!("no tensor `{name}`"))?;
        if found != shape {
            bail!("tensor `{name}` has the shape {found:?}, not {shape:?}");
        }
        Ok(values)
    }

    /// Sets every tensor of `network` that the file holds; the tensors' names are their paths in the network.
    ///
    /// Where a convolution is wider than the file's, the file's values fill the first channels, new channels begin as they
    /// were initialised, and nothing flows from them into the old ones yet: a wider network of convolutions computes what
    /// the narrow one did and learns on from there (Chen et al. 2016, "Net2Net", with zeros in place of copies). Other
    /// layers have no first channels (the gates of a GRU lie side by side in one tensor), and are left if they differ.
    pub fn load_into<M: Module>(self, network: M) -> (M, Loaded) {
        let mut load = Load { path: Vec::new(), containers: Vec::new(), weights: self, loaded: Loaded::default() };
        load.loaded.there = load.weights.0.values().map(|(_, values)| values.len()).sum();
        let network = network.map(&mut load);
        load.loaded.unused = load.weights.0.into_keys().collect();
        (network, load.loaded)
    }
}

fn values(tensor: &TensorProto) -> Result<(Vec<usize>, Vec<f32>)> {
    let shape: Vec<usize> = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>()?;
    let values: Vec<f32> = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    if shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) != Some(values.len()) {
        bail!("tensor `{}` has {} values for the shape {shape:?}", tensor.name, values.len());
    }
    Ok((shape, values))
}

struct Load {
    path: Vec<String>,
    /// The types of the modules on the path.
    containers: Vec<String>,
    weights: Weights,
    loaded: Loaded,
}

impl ModuleMapper for Load {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let shape = param.lazy_shape().to_vec();
        self.loaded.here += shape.iter().product::<usize>();
        match self.weights.0.remove(&name) {
            Some((found, values)) if found == shape => {
                self.loaded.copied += 1;
                self.loaded.taken += values.len();
                param.map(|old| {
                    let new = Tensor::from_data(TensorData::new(values, found), &old.device());
                    new.set_require_grad(old.is_require_grad())
                })
            }
            Some((found, values))
                if self.is_of_convolution(D)
                    && found.len() == D
                    && found.iter().zip(&shape).all(|(a, b)| a <= b)
                    && !is_of_other_samples(&name, &found, &shape) =>
            {
                self.loaded.widened += 1;
                self.loaded.taken += values.len();
                // Transposed convolutions keep their inputs first.
                let transposed = self.is_in("Upconv");
                param.map(|old| {
                    let mut wide: Vec<f32> = old.to_data().iter::<f32>().collect();
                    widen(&mut wide, &shape, &values, &found, transposed);
                    let new = Tensor::from_data(TensorData::new(wide, shape), &old.device());
                    new.set_require_grad(old.is_require_grad())
                })
            }
            Some((found, _)) => {
                let what = format!("{name} is {found:?} there, {shape:?} here");
                let larger = found.len() == D && found.iter().zip(&shape).any(|(a, b)| a > b);
                if larger && !is_of_other_samples(&name, &found, &shape) {
                    self.loaded.larger.push(what.clone());
                }
                self.loaded.left.push(what);
                param
            }
            None => {
                self.loaded.absent.push(name);
                param
            }
        }
    }
}

impl Load {
    /// Whether the parameter at hand, of so many axes, is a convolution's, or a value for each of its channels.
    fn is_of_convolution(&self, axes: usize) -> bool {
        axes == 4 || (axes == 1 && (self.is_in("Conv") || self.is_in("Upconv")))
    }

    /// Whether the module that the parameter at hand lies in is of this type.
    fn is_in(&self, kind: &str) -> bool {
        self.containers.last().is_some_and(|container| container.rsplit(':').next() == Some(kind))
    }
}

/// Whether this is the last layer with another number of outputs: they are samples of the picture, and more or fewer of them lie in another order.
fn is_of_other_samples(name: &str, found: &[usize], shape: &[usize]) -> bool {
    name.starts_with("tail.") && found[0] != shape[0]
}

/// Puts `values` of shape `found` into the first channels of `wide`, and zeros where a new input meets an old output.
fn widen(wide: &mut [f32], shape: &[usize], values: &[f32], found: &[usize], transposed: bool) {
    let (output, input) = if transposed { (1, 0) } else { (0, 1) };
    let mut narrow = values.iter();
    for (at, value) in wide.iter_mut().enumerate() {
        let mut rest = at;
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            (index[axis], rest) = (rest % shape[axis], rest / shape[axis]);
        }
        if index.iter().zip(found).all(|(i, n)| i < n) {
            // Row-major order visits the old values in their own order.
            *value = narrow.next().copied().unwrap_or_default();
        } else if shape.len() == 4 && index[output] < found[output] && index[input] >= found[input] {
            *value = 0.0;
        }
    }
}
