//! Where in the latent space the training tunes lie, as a mixture of normal distributions to draw from.
//!
//! The points of a variational autoencoder's training data do not fill the standard normal distribution that it is held to: some values hardly vary,
//! others go along with one another, and a draw of the prior falls between the tunes. A density fitted to the points after training mends that
//! (Ghosh et al. 2020, "From variational to deterministic autoencoders", section 4: ex-post density estimation).

use latentd::model::{Component, Draws};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Cuts in half, one after another: as many components as two to the power of this, each with as many points.
const CUTS: usize = 4;

/// The largest number of directions in which a component varies: those in which its points do most.
const DIRECTIONS: usize = 64;

/// A mixture of what the points, `latent` numbers each, are like: cut at the median along the direction in which they vary most, again and again;
/// each part is a component.
pub fn mixture(points: &[f32], latent: usize) -> Draws {
    let mut parts = vec![points.chunks_exact(latent).collect::<Vec<_>>()];
    for _ in 0..CUTS {
        parts = parts.into_iter().flat_map(|part| halves(part, latent)).collect();
    }
    let component = |part: &Vec<&[f32]>| {
        let (centre, covariance) = moments(part, latent);
        let (values, directions) = strongest(covariance);
        let deviation = |(value, direction): (&f64, &Vec<f64>)| {
            direction.iter().map(|v| (v * value.max(0.0).sqrt()) as f32).collect()
        };
        Component {
            centre: centre.iter().map(|v| *v as f32).collect(),
            deviations: values.iter().zip(&directions).take(DIRECTIONS).map(deviation).collect(),
        }
    };
    Draws::new(latent, parts.iter().map(component).collect())
}

/// Both halves of the points, cut at the median along the direction in which they vary most.
fn halves(mut points: Vec<&[f32]>, latent: usize) -> [Vec<&[f32]>; 2] {
    if points.len() < 2 {
        return [points.clone(), points];
    }
    let (_, directions) = strongest(moments(&points, latent).1);
    let along = |point: &[f32]| point.iter().zip(&directions[0]).map(|(v, d)| f64::from(*v) * d).sum::<f64>();
    points.sort_by(|a, b| along(a).total_cmp(&along(b)));
    let second = points.split_off(points.len() / 2);
    [points, second]
}

/// Mean and covariance.
fn moments(points: &[&[f32]], latent: usize) -> (DVector<f64>, DMatrix<f64>) {
    let share = 1.0 / points.len().max(1) as f64;
    let point = |row: &[f32]| DVector::from_iterator(latent, row.iter().map(|v| f64::from(*v)));
    let mut centre = DVector::zeros(latent);
    points.iter().for_each(|row| centre.axpy(share, &point(row), 1.0));
    let mut covariance = DMatrix::zeros(latent, latent);
    for row in points {
        let away = point(row) - &centre;
        covariance.ger(share, &away, &away, 1.0);
    }
    (centre, covariance)
}

/// Variances and directions of a covariance, the largest first.
fn strongest(covariance: DMatrix<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let found = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..found.eigenvalues.len()).collect();
    order.sort_by(|a, b| found.eigenvalues[*b].total_cmp(&found.eigenvalues[*a]));
    let direction = |at: &usize| found.eigenvectors.column(*at).iter().copied().collect();
    (order.iter().map(|at| found.eigenvalues[*at]).collect(), order.iter().map(direction).collect())
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn draws_lie_where_the_points_do() {
        // Two clouds far apart, each flat: the first value tells the cloud, the third is the second turned round.
        let mut rng = StdRng::seed_from_u64(1);
        let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
        let points: Vec<f32> = (0..4000)
            .flat_map(|at| {
                let (side, along) = (if at % 2 == 0 { 8.0 } else { -8.0 }, normal());
                [side + 0.1 * normal(), along, -along]
            })
            .collect();
        let mixture = mixture(&points, 3);
        let draws: Vec<Vec<f32>> =
            (0..2000).map(|_| mixture.draw(rng.random(), || StandardNormal.sample(&mut rng))).collect();
        let near = draws.iter().filter(|draw| (draw[0].abs() - 8.0).abs() < 5.0).count();
        assert!(near > 1900, "{near} of 2000 draws in one of the clouds");
        assert!(draws.iter().all(|draw| (draw[1] + draw[2]).abs() < 1e-3), "draws leave the plane of the points");
        let deviation = (draws.iter().map(|draw| draw[1] * draw[1]).sum::<f32>() / 2000.0).sqrt();
        assert!((deviation - 1.0).abs() < 0.1, "{deviation}");
    }

    #[test]
    fn few_points_are_drawn_again() {
        let two = mixture(&[1.0, 2.0, 3.0, 4.0], 2);
        let points = (0..16).map(|at| two.draw(at as f32 / 16.0, || 1.0));
        assert!(points.into_iter().all(|point| point == [1.0, 2.0] || point == [3.0, 4.0]));
    }
}
