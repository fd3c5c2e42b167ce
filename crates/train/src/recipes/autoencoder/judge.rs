//! What is asked of the latent space beside the loss, on held-out pictures and draws of its own: to see during training how it goes, and to
//! choose between runs without a look at the test pictures.

use burn::tensor::{Device, Tensor, TensorData, activation};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Autoencoder, AutoencoderRecipe, Batch, SCORED};
use crate::measure::statistics;

/// Samples of each class.
const SAMPLES: usize = 50;

/// Another seed than the evaluation's, so that the draws are others.
const SEED: u64 = 77;

fn normal(rng: &mut StdRng, count: usize) -> Vec<f32> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// The squared maximum mean discrepancy of held-out latents and draws of the prior.
pub fn discrepancy(recipe: &AutoencoderRecipe, network: &Autoencoder, device: &Device) -> f64 {
    let count = recipe.development.len().min(SCORED);
    let batch = Batch::of(&recipe.development, &recipe.shape, &(0..count).collect::<Vec<_>>());
    let (mean, _) = network.encoder.forward(Tensor::from_data(batch.image, &device.clone().inner()), None);
    let rows = |values: Vec<f32>| values.chunks_exact(recipe.shape.latent).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let prior = normal(&mut StdRng::seed_from_u64(SEED), count * recipe.shape.latent);
    statistics::discrepancy(&rows(mean.into_data().iter::<f32>().collect()), &rows(prior))
}

/// The share of samples of a conditional network that its classifier takes for the class they were made for.
pub fn told(recipe: &AutoencoderRecipe, network: &Autoencoder, device: &Device) -> f64 {
    let Some(classifier) = &network.classifier else { return 0.0 };
    let (device, shape) = (device.clone().inner(), &recipe.shape);
    let count = shape.classes * SAMPLES;
    let mut class = vec![0f32; count * shape.classes];
    for (at, row) in class.chunks_exact_mut(shape.classes.max(1)).enumerate() {
        row[at / SAMPLES] = 1.0;
    }
    let draws = normal(&mut StdRng::seed_from_u64(SEED), count * shape.latent);
    let tensor = |values: Vec<f32>, width: usize| -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, [count, width]), &device)
    };
    let pictures =
        activation::sigmoid(network.decoder.forward(tensor(draws, shape.latent), Some(tensor(class, shape.classes))));
    let scores: Vec<f32> = classifier.forward(pictures).into_data().iter::<f32>().collect();
    let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
    let right = scores.chunks_exact(shape.classes.max(1)).enumerate().filter(|(at, row)| best(row) == at / SAMPLES);
    right.count() as f64 / count.max(1) as f64
}
