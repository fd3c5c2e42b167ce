use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::Shape;
use crate::data::{SmallPictures, space_to_depth};

/// What one step learns from.
pub struct Batch {
    /// `[N, 4 C, S / 2, S / 2]`, in depth layout, values 0..1
    pub image: TensorData,
    /// `[N, classes]`: 1 for the picture's class, 0 elsewhere
    pub class: TensorData,
    /// `[N, latent]`: draws of the prior
    pub noise: TensorData,
}

impl Batch {
    /// Draws `count` pictures.
    pub fn draw(rng: &mut StdRng, pictures: &SmallPictures, shape: &Shape, count: usize) -> Self {
        let chosen: Vec<usize> = (0..count).map(|_| rng.random_range(0..pictures.len())).collect();
        let images = chosen.iter().map(|&index| pictures.draw(rng, index)).collect::<Vec<_>>();
        Self::new(rng, images, chosen.iter().map(|&index| pictures.labels[index]), shape)
    }

    /// These pictures, as they are, with the same noise every time.
    pub fn of(pictures: &SmallPictures, shape: &Shape, indices: &[usize]) -> Self {
        let images = indices.iter().map(|&index| pictures.picture(index)).collect();
        let labels = indices.iter().map(|&index| pictures.labels[index]);
        Self::new(&mut StdRng::seed_from_u64(1), images, labels, shape)
    }

    fn new(rng: &mut StdRng, images: Vec<Vec<f32>>, labels: impl Iterator<Item = u8>, shape: &Shape) -> Self {
        let (count, side) = (images.len(), shape.side);
        let image = images.iter().flat_map(|planes| space_to_depth(planes, shape.channels, side, side, 2)).collect();
        let mut class = vec![0f32; count * shape.classes];
        for (row, label) in class.chunks_exact_mut(shape.classes.max(1)).zip(labels) {
            if let Some(cell) = row.get_mut(usize::from(label)) {
                *cell = 1.0;
            }
        }
        let noise: Vec<f32> = (0..count * shape.latent).map(|_| StandardNormal.sample(rng)).collect();
        Self {
            image: TensorData::new::<f32, _>(image, [count, 4 * shape.channels, side / 2, side / 2]),
            class: TensorData::new(class, [count, shape.classes]),
            noise: TensorData::new(noise, [count, shape.latent]),
        }
    }
}
