//! Self-supervision: how much of a digit's class a linear classifier reads out of latents that were learnt without labels.

use anyhow::Result;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData, activation};
use latentd::plot::components::Components;

use super::{Desk, own};
use crate::data::SmallPictures;
use crate::data::idx::Part;
use crate::layers::{Init, Linear};

/// Numbers of labels that classifiers are trained with.
pub const LABELS: [usize; 3] = [100, 1_000, 10_000];

/// Steps of full-batch Adam.
const STEPS: usize = 400;

/// One row of the table: what was given to the classifier, and the share of test digits it is right on for each of [`LABELS`].
pub struct Row {
    /// What the classifier saw.
    pub features: String,
    /// How many numbers that is.
    pub size: usize,
    /// One for each of [`LABELS`].
    pub accuracy: Vec<f64>,
}

/// Trains classifiers on frozen latents of each model, on as many principal components, and on raw pixels.
///
/// # Errors
/// When a model or the data cannot be read.
pub fn probe(desk: &Desk, models: &[String], tell: &mut dyn FnMut(&Row)) -> Result<()> {
    let most = LABELS[LABELS.len() - 1];
    let all = SmallPictures::from_idx(&desk.mnist, Part::Training)?;
    let pixels: Vec<Vec<f32>> = (0..all.len()).map(|index| all.picture(index)).collect();
    let test: Vec<Vec<f32>> = (0..desk.test.len()).map(|index| desk.test.picture(index)).collect();
    let task = Task { labels: &all.labels[..most.min(all.len())], test: &desk.test.labels };
    let training = &pixels[..task.labels.len()];

    let mut sizes = Vec::new();
    for name in models {
        let codec = desk.codec(name, None)?;
        let encode = |pictures: &[Vec<f32>]| -> Result<Vec<Vec<f32>>> {
            pictures.iter().map(|picture| Ok(codec.posterior(picture).map_err(own)?.mean)).collect()
        };
        let (latents, judged) = (encode(training)?, encode(&test)?);
        sizes.push(latents[0].len());
        tell(&task.row(name, &latents, &judged));
    }
    sizes.sort_unstable();
    sizes.dedup();
    let largest = sizes.last().copied().unwrap_or(0);
    // No labels are needed for principal components either: they may see all training digits.
    let components = Components::of(&pixels.iter().map(Vec::as_slice).collect::<Vec<_>>(), largest);
    let project = |pictures: &[Vec<f32>], size: usize| -> Vec<Vec<f32>> {
        pictures
            .iter()
            .map(|picture| {
                let mut place = components.project(picture);
                place.truncate(size);
                place
            })
            .collect()
    };
    for size in sizes {
        tell(&task.row("principal components", &project(training, size), &project(&test, size)));
    }
    tell(&task.row("raw pixels", training, &test));
    Ok(())
}

struct Task<'a> {
    labels: &'a [u8],
    test: &'a [u8],
}

impl Task<'_> {
    fn row(&self, features: &str, training: &[Vec<f32>], test: &[Vec<f32>]) -> Row {
        let (training, test) = standardised(training, test);
        let accuracy = LABELS.iter().map(|&count| self.accuracy(&training, &test, count.min(training.len()))).collect();
        Row { features: features.to_owned(), size: training[0].len(), accuracy }
    }

    /// Softmax regression with a little weight decay, trained on the first `count` digits.
    fn accuracy(&self, training: &[Vec<f32>], test: &[Vec<f32>], count: usize) -> f64 {
        let device = Device::flex().autodiff();
        let tensor = |rows: &[Vec<f32>], device: &Device| -> Tensor<2> {
            let data = rows.iter().flatten().copied().collect::<Vec<f32>>();
            Tensor::from_data(TensorData::new(data, [rows.len(), rows[0].len()]), device)
        };
        let x = tensor(&training[..count], &device);
        let mut targets = vec![0f32; count * 10];
        for (row, &label) in targets.chunks_exact_mut(10).zip(self.labels) {
            row[usize::from(label)] = 1.0;
        }
        let targets: Tensor<2> = Tensor::from_data(TensorData::new(targets, [count, 10]), &device);
        let mut layer = Linear::new(&mut Init::new(1, &device), training[0].len(), 10, 0.01);
        let mut optimizer = AdamConfig::new().init();
        for step in 0..STEPS {
            let log_likelihood = (activation::log_softmax(layer.forward(x.clone()), 1) * targets.clone()).sum();
            let decay = layer.weight.val().square().sum() * 0.5;
            let loss = (decay - log_likelihood) / count as f64;
            let gradients = GradientsParams::from_grads(loss.backward(), &layer);
            let rate = 0.03 * (1.0 - step as f64 / STEPS as f64);
            layer = optimizer.step(rate, layer, gradients);
        }
        let layer = layer.valid();
        let scores: Vec<f32> = layer.forward(tensor(test, &device.inner())).into_data().iter::<f32>().collect();
        let told = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        let right = scores.chunks_exact(10).zip(self.test).filter(|(row, label)| told(row) == usize::from(**label));
        right.count() as f64 / self.test.len() as f64
    }
}

/// Both sets with each feature at mean 0 and deviation 1 over the first; features that never vary become 0.
fn standardised(training: &[Vec<f32>], test: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let (size, count) = (training[0].len(), training.len() as f32);
    let mut mean = vec![0f32; size];
    training.iter().for_each(|row| mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / count));
    let mut variance = vec![0f32; size];
    for row in training {
        variance.iter_mut().zip(row.iter().zip(&mean)).for_each(|(s, (v, m))| *s += (v - m) * (v - m) / count);
    }
    // A pixel that is lit once in a thousand digits must not outweigh all others.
    let floor = 0.05 * variance.iter().copied().fold(0f32, f32::max);
    let scale: Vec<f32> = variance.iter().map(|v| 1.0 / v.max(floor).max(1e-12).sqrt()).collect();
    let apply = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let value = |(k, v): (usize, &f32)| (v - mean[k]) * scale[k];
        rows.iter().map(|row| row.iter().enumerate().map(value).collect()).collect()
    };
    (apply(training), apply(test))
}
