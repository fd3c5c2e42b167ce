use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

/// Draws a network's first weights: the same for the same seed, whatever the device.
pub struct Init {
    rng: StdRng,
    device: Device,
}

impl Init {
    /// An initialiser that places parameters on `device`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), device: device.clone() }
    }

    /// A parameter of independent normal values with mean 0 and the given standard deviation.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                let value: f64 = StandardNormal.sample(&mut self.rng);
                (value * deviation) as f32
            })
            .collect();
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A parameter of given values.
    pub fn values<const D: usize>(&mut self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A parameter of zeros.
    pub fn zeros<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        let zeros = vec![0f32; shape.iter().product()];
        Param::from_data(TensorData::new(zeros, shape), &self.device)
    }
}
