//! Points of a model's latent space, drawn from where its training data lie.

use super::tensors::{self, Tensors};
use super::{DRAWS_FILE, Model};
use crate::error::{Error, Kind, Result};

/// The name of the tensor in the file.
const TENSOR: &str = "components";
/// What the file is called in errors.
const WHAT: &str = "the file of where the training data lie";

/// A mixture of normal distributions of equal weight. The points of a variational autoencoder's training data do not fill the standard normal
/// distribution that they are held to, and draws of a density fitted to them are more like the data (Ghosh et al. 2020, "From variational to
/// deterministic autoencoders", section 4: ex-post density estimation).
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    size: usize,
    components: Vec<Component>,
}

/// One normal distribution of a mixture.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its centre, as many numbers as a point of the space has.
    pub centre: Vec<f32>,
    /// Directions, each as long as the deviation along it; a draw adds a standard normal multiple of each to the centre.
    pub deviations: Vec<Vec<f32>>,
}

impl Draws {
    /// Of a mixture whose components have as many deviations each; of none, the standard normal distribution.
    pub fn new(size: usize, components: Vec<Component>) -> Draws {
        Draws { size, components }
    }

    /// Of the file beside a model; without one, the standard normal distribution.
    ///
    /// # Errors
    /// Kind model: it has no latent space, or the file cannot be read or does not fit it.
    pub fn of(model: &Model) -> Result<Draws> {
        let Some(space) = &model.card.latent else {
            return Err(Error::new(Kind::Model, format!("the card of `{}` tells of no latent space", model.card.name)));
        };
        match tensors::beside(model, DRAWS_FILE, WHAT, |builtin| builtin.draws)? {
            Some(tensors) => Draws::from_tensors(&tensors, space.size),
            None => Ok(Draws::new(space.size, Vec::new())),
        }
    }

    /// Of the tensor `components` `[components, deviations + 1, size]`, the last row of each its centre.
    fn from_tensors(tensors: &Tensors, size: usize) -> Result<Draws> {
        let wrong = |why: String| Error::new(Kind::Model, format!("{WHAT} does not fit the model")).because(why);
        let Some((shape, values)) = tensors.get(TENSOR) else {
            return Err(wrong(format!("it has no tensor `{TENSOR}`")));
        };
        let &[components, rows, found] = shape.as_slice() else {
            return Err(wrong(format!("`{TENSOR}` has the shape {shape:?}")));
        };
        if components == 0 || rows == 0 || found != size || size == 0 {
            return Err(wrong(format!("`{TENSOR}` has the shape {shape:?}, and the space {size} numbers a point")));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(wrong(format!("`{TENSOR}` holds what is no number")));
        }
        let component = |values: &[f32]| {
            let mut deviations: Vec<Vec<f32>> = values.chunks_exact(size).map(<[f32]>::to_vec).collect();
            let centre = deviations.pop().unwrap_or_default();
            Component { centre, deviations }
        };
        Ok(Draws::new(size, values.chunks_exact(rows * size).map(component).collect()))
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Kind bug: components of different sizes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let rows = self.components.first().map_or(0, |component| component.deviations.len()) + 1;
        let of = |component: &Component| [component.deviations.concat(), component.centre.clone()].concat();
        let values = self.components.iter().flat_map(of).collect();
        let shape = vec![self.components.len(), rows, self.size];
        tensors::write(&Tensors::from([(TENSOR.to_owned(), (shape, values))]), WHAT)
    }

    /// Whether it is a mixture that was fitted to the training data.
    pub fn fitted(&self) -> bool {
        !self.components.is_empty()
    }

    /// One point. `place`, 0..1, drawn evenly, chooses the component; `noise` gives draws of the standard normal distribution, or of a narrower one
    /// for more usual points.
    pub fn draw(&self, place: f32, mut noise: impl FnMut() -> f32) -> Vec<f32> {
        let at = (place * self.components.len() as f32) as usize;
        let Some(component) = self.components.get(at).or(self.components.last()) else {
            return (0..self.size).map(|_| noise()).collect();
        };
        let mut point = component.centre.clone();
        for direction in &component.deviations {
            let amount = noise();
            point.iter_mut().zip(direction).for_each(|(value, along)| *value += amount * along);
        }
        point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixture() -> Draws {
        let component = |centre: f32| Component { centre: vec![centre, 0.0], deviations: vec![vec![0.0, 2.0]] };
        Draws::new(2, vec![component(-5.0), component(5.0)])
    }

    #[test]
    fn draws_are_of_the_components() {
        assert_eq!(mixture().draw(0.0, || 0.5), [-5.0, 1.0]);
        assert_eq!(mixture().draw(0.49, || 0.0), [-5.0, 0.0]);
        assert_eq!(mixture().draw(0.5, || -1.0), [5.0, -2.0]);
        assert_eq!(mixture().draw(1.0, || 0.0), [5.0, 0.0]);
        assert_eq!(Draws::new(3, Vec::new()).draw(0.7, || 0.25), [0.25; 3]);
    }

    #[test]
    fn a_file_gives_back_what_was_written_and_others_are_refused() {
        let tensors = tensors::read(&mixture().to_bytes().unwrap(), WHAT).unwrap();
        assert_eq!(Draws::from_tensors(&tensors, 2).unwrap(), mixture());
        let file = |name: &str, shape: Vec<usize>, value: f32| {
            let values = vec![value; shape.iter().product()];
            Tensors::from([(name.to_owned(), (shape, values))])
        };
        for (tensors, why) in [
            (file("other", vec![1, 2, 2], 0.0), "no tensor"),
            (file(TENSOR, vec![4, 2], 0.0), "the shape [4, 2]"),
            (file(TENSOR, vec![1, 2, 3], 0.0), "2 numbers a point"),
            (file(TENSOR, vec![0, 2, 2], 0.0), "the shape [0, 2, 2]"),
            (file(TENSOR, vec![1, 2, 2], f32::NAN), "no number"),
        ] {
            let error = Draws::from_tensors(&tensors, 2).unwrap_err();
            assert_eq!(error.kind(), Kind::Model);
            assert!(format!("{error:?}").contains(why), "{error:?}: {why}");
        }
    }
}
