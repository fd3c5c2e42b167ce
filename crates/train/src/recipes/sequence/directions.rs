//! Directions of the latent space along which a quality grows.

use burn::tensor::Tensor;
use latentd::media::melody::{Line, qualities};

use super::{SequenceVae, Sequences, rolls};

/// Training stretches that directions are found with, at most.
const SAMPLES: usize = 4000;

/// What is added to the diagonal of the normal equations, as a share of the samples: qualities that say nearly the same do not blow one
/// another up.
const RIDGE: f64 = 0.01;

/// One row of `latent` values for each quality: by how much the latent vector moves where the quality is a standard deviation above the mean and the
/// others are as they are. It is the least-squares fit of latent means by qualities of the first line; a plain difference of means would mix what goes
/// together in tunes, such as density and leaps.
pub fn directions(recipe: &Sequences, network: &SequenceVae) -> Vec<Vec<f32>> {
    let training = &recipe.training;
    let stride = training.len().div_ceil(SAMPLES).max(1);
    let stretches: Vec<Vec<Line>> = (0..training.len()).step_by(stride).map(|at| training.get(at)).collect();
    let device = network.encoder.embed.weight.val().device();
    let mut means: Vec<f32> = Vec::new();
    for chunk in stretches.chunks(128) {
        let notes = Tensor::from_data(rolls(chunk, &recipe.shape), &device);
        let [mean, _] = network.encode(notes, &recipe.shape);
        means.extend(mean.into_data().iter::<f32>());
    }
    let measured: Vec<Vec<f64>> =
        stretches.iter().map(|lines| qualities(&lines[0]).into_iter().map(f64::from).collect()).collect();
    fit(&standardised(measured), &means, recipe.shape.latent)
}

/// Each column with mean 0 and deviation 1.
fn standardised(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let count = rows.len().max(1) as f64;
    for column in 0..rows.first().map_or(0, Vec::len) {
        let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
        let variance = rows.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / count;
        let deviation = variance.sqrt().max(1e-9);
        rows.iter_mut().for_each(|row| row[column] = (row[column] - mean) / deviation);
    }
    rows
}

/// The least-squares rows `d` with `z = q d + const` for standardised `q`.
fn fit(measured: &[Vec<f64>], means: &[f32], latent: usize) -> Vec<Vec<f32>> {
    let kinds = measured.first().map_or(0, Vec::len);
    let count = measured.len() as f64;
    // The normal equations, with the right-hand sides beside the matrix.
    let mut table = vec![vec![0f64; kinds + latent]; kinds];
    for (row, z) in measured.iter().zip(means.chunks_exact(latent)) {
        for (a, line) in table.iter_mut().enumerate() {
            (0..kinds).for_each(|b| line[b] += row[a] * row[b]);
            (0..latent).for_each(|b| line[kinds + b] += row[a] * f64::from(z[b]));
        }
    }
    (0..kinds).for_each(|a| table[a][a] += RIDGE * count);
    // Gauss and Jordan; the matrix is positive definite, so no pivot is zero.
    for pivot in 0..kinds {
        let scale = table[pivot][pivot];
        table[pivot].iter_mut().for_each(|v| *v /= scale);
        let row = table[pivot].clone();
        for other in (0..kinds).filter(|other| *other != pivot) {
            let factor = table[other][pivot];
            table[other].iter_mut().zip(&row).for_each(|(v, p)| *v -= factor * p);
        }
    }
    table.into_iter().map(|row| row[kinds..].iter().map(|v| *v as f32).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_those_that_made_the_points() {
        // z = (2a, b - a): found again from a and b that go together.
        let rows: Vec<Vec<f64>> =
            (0..400).map(|i| (f64::from(i) * 0.7).sin()).map(|a| vec![a, a + (a * 90.0).cos()]).collect();
        let rows = standardised(rows);
        let means: Vec<f32> = rows.iter().flat_map(|row| [2.0 * row[0] as f32, (row[1] - row[0]) as f32]).collect();
        let found = fit(&rows, &means, 2);
        for (found, truth) in found.iter().flatten().zip([2.0, -1.0, 0.0, 1.0]) {
            assert!((found - truth).abs() < 0.1, "{found} is not {truth}");
        }
    }
}
