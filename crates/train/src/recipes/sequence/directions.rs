//! Directions of the latent space along which a quality grows.

use burn::tensor::{Tensor, TensorData};
use latentd::media::melody::{Line, lines, qualities};

use super::{SequenceVae, Sequences, rolls};

/// Training stretches that directions are found with, at most.
const SAMPLES: usize = 4000;

/// What is added to the diagonal of the matrix that is inverted: qualities that say nearly the same, or that the space hardly knows, do not blow
/// one another up.
const RIDGE: f64 = 0.02;

/// Stretches that the length of a direction is found on, at most.
const TRIED: usize = 250;

/// Lengths that are tried, shortest first, beside that of the linear estimate.
const LENGTHS: [f32; 10] = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0];

/// One row of `latent` values for each quality: the direction that moves its linear estimate and those of the other qualities not at all. A plain
/// difference of means would also move what goes along with a quality in tunes, such as leaps with range. It is as long as it takes to move
/// what is really heard by one standard deviation: the decoder is not linear, and small moves change nothing.
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
    let mut rows = fit(&standardised(measured), &means, recipe.shape.latent);
    let stride = stretches.len().div_ceil(TRIED).max(1);
    let points: Vec<&[f32]> = means.chunks_exact(recipe.shape.latent).step_by(stride).collect();
    let heard = |direction: &[f32], length: f32| -> Vec<Vec<f32>> {
        let moved = points.iter().flat_map(|point| point.iter().zip(direction).map(|(z, d)| z + d * length));
        let moved = TensorData::new(moved.collect::<Vec<f32>>(), [points.len(), recipe.shape.latent]);
        let scores = network.decode(Tensor::from_data(moved, &device), &recipe.shape);
        let scores: Vec<f32> = scores.into_data().iter::<f32>().collect();
        let row = recipe.shape.values() * recipe.shape.all_steps();
        scores.chunks_exact(row).map(|row| qualities(&lines(row, &recipe.shape.parts)[0])).collect()
    };
    for (quality, direction) in rows.iter_mut().enumerate() {
        let column =
            |length: f32| -> Vec<f64> { heard(direction, length).iter().map(|row| f64::from(row[quality])).collect() };
        let length = length(&column(0.0), column);
        direction.iter_mut().for_each(|v| *v *= length);
    }
    rows
}

/// The shortest length at which the mean of what is heard has risen by a deviation of `before`, or else the one at which it rises most.
fn length(before: &[f64], heard: impl Fn(f32) -> Vec<f64>) -> f32 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let centre = mean(before);
    let deviation = mean(&before.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>()).sqrt();
    let mut best = (1.0, 0.0);
    for length in LENGTHS {
        let rise = mean(&heard(length)) - centre;
        if rise > best.1 {
            best = (length, rise);
        }
        if rise >= deviation {
            break;
        }
    }
    best.0
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

/// `(C C' + ridge)^-1 C` of the covariances `C` of standardised qualities and latent values, whose own covariance is close to the identity.
fn fit(measured: &[Vec<f64>], means: &[f32], latent: usize) -> Vec<Vec<f32>> {
    let kinds = measured.first().map_or(0, Vec::len);
    let count = measured.len().max(1) as f64;
    let mut covariances = vec![vec![0f64; latent]; kinds];
    for (row, z) in measured.iter().zip(means.chunks_exact(latent)) {
        for (quality, of_quality) in row.iter().zip(&mut covariances) {
            of_quality.iter_mut().zip(z).for_each(|(sum, z)| *sum += quality * f64::from(*z) / count);
        }
    }
    // The square matrix with the covariances beside it, solved by Gauss and Jordan; it is positive definite, so no pivot is zero.
    let mut table: Vec<Vec<f64>> = Vec::with_capacity(kinds);
    for (at, a) in covariances.iter().enumerate() {
        let products = covariances.iter().map(|b| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>());
        let mut line: Vec<f64> = products.collect();
        line[at] += RIDGE;
        line.extend(a);
        table.push(line);
    }
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
    fn a_direction_is_as_long_as_it_takes() {
        let before: Vec<f64> = (0..100).map(f64::from).collect();
        let rising = |slope: f64| {
            let before = &before;
            // Nothing happens up to a length of 1.
            length(before, move |by| before.iter().map(|v| v + slope * f64::from((by - 1.0).max(0.0))).collect())
        };
        assert_eq!((rising(1000.0), rising(30.0), rising(1.0), rising(-1.0)), (1.25, 2.0, 4.0, 1.0));
    }

    #[test]
    fn a_direction_moves_its_quality_and_no_other() {
        // Qualities a and b that go together, in a space of two independent values: a = x, b = (x + y) / sqrt 2.
        let mut state = 1u32;
        let mut draw = || {
            // Sums of twelve uniform draws are close to normal.
            (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f64::from(state >> 8) / f64::from(1 << 24)
                })
                .sum::<f64>()
                - 6.0
        };
        let points: Vec<[f64; 2]> = (0..4000).map(|_| [draw(), draw()]).collect();
        let rows = points.iter().map(|[x, y]| vec![*x, (x + y) / 2f64.sqrt()]).collect();
        let means: Vec<f32> = points.iter().flatten().map(|v| *v as f32).collect();
        let found = fit(&standardised(rows), &means, 2);
        for (row, (a, b)) in found.iter().zip([(1.0, 0.0), (0.0, 1.0)]) {
            let (x, y) = (f64::from(row[0]), f64::from(row[1]));
            assert!((x - a).abs() < 0.15 && ((x + y) / 2f64.sqrt() - b).abs() < 0.15, "{found:?}");
        }
    }
}
