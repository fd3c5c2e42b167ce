//! Principal components: the directions in which points differ most.

use nalgebra::{DMatrix, SymmetricEigen};

/// The mean of rows and the directions in which they differ most, strongest first.
#[derive(Debug, Clone)]
pub struct Components {
    mean: Vec<f64>,
    /// One direction of unit length a row.
    directions: Vec<Vec<f64>>,
    /// The variance along each direction as a share of the whole.
    pub shares: Vec<f64>,
}

impl Components {
    /// The first `count` principal components of `rows`, all of one length, by the eigenvectors of their covariance (Pearson 1901).
    pub fn of(rows: &[&[f32]], count: usize) -> Components {
        let size = rows.first().map_or(0, |row| row.len());
        let n = rows.len().max(1) as f64;
        let mut mean = vec![0.0; size];
        for row in rows {
            mean.iter_mut().zip(*row).for_each(|(m, v)| *m += f64::from(*v) / n);
        }
        let mut covariance = DMatrix::<f64>::zeros(size, size);
        // In blocks, so that the product is one of matrices.
        for block in rows.chunks(512) {
            let centred = DMatrix::from_fn(block.len(), size, |r, c| f64::from(block[r][c]) - mean[c]);
            covariance += centred.tr_mul(&centred) / n;
        }
        let total = covariance.trace().max(f64::MIN_POSITIVE);
        let eigen = SymmetricEigen::new(covariance);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.truncate(count);
        let directions = order.iter().map(|&k| eigen.eigenvectors.column(k).iter().copied().collect()).collect();
        Components { mean, directions, shares: order.iter().map(|&k| eigen.eigenvalues[k] / total).collect() }
    }

    /// Where a row lies along the components.
    pub fn project(&self, row: &[f32]) -> Vec<f32> {
        let along = |direction: &Vec<f64>| -> f64 {
            row.iter().zip(&self.mean).zip(direction).map(|((v, m), d)| (f64::from(*v) - m) * d).sum()
        };
        self.directions.iter().map(|direction| along(direction) as f32).collect()
    }

    /// The row at a place along the components: the best that a line, plane, ... through the mean can do.
    pub fn restore(&self, place: &[f32]) -> Vec<f32> {
        let mut row = self.mean.clone();
        for (along, direction) in place.iter().zip(&self.directions) {
            row.iter_mut().zip(direction).for_each(|(v, d)| *v += f64::from(*along) * d);
        }
        row.into_iter().map(|v| v as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_direction_comes_first_and_all_restore_exactly() {
        let rows: Vec<[f32; 3]> = (0..40)
            .map(|i| {
                let (t, s) = ((i as f32 * 0.7).sin(), (i as f32 * 1.9).cos());
                [1.0 + 3.0 * t, 2.0 - 3.0 * t + 0.1 * s, 0.5 * s]
            })
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(|row| row.as_slice()).collect();
        let one = Components::of(&rows, 1);
        assert!(one.shares[0] > 0.97);
        let all = Components::of(&rows, 3);
        assert!((all.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let restored = all.restore(&all.project(rows[7]));
        assert!(restored.iter().zip(rows[7]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
