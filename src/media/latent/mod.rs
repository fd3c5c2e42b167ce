//! What an encoder makes of a piece of media: a few numbers that say the most of it.

/// Points in a model's latent space.
#[derive(Debug, Clone, PartialEq)]
pub struct Latent {
    /// The points, one after another; see [`Latent::rows`].
    pub values: Vec<f32>,
    /// Numbers of one point.
    pub size: usize,
    /// Name of the model whose space it is: points of one model mean nothing to another.
    pub model: String,
    /// The file that was encoded, as the user knows it.
    pub source: Option<String>,
}

impl Latent {
    /// The points: one for a picture, one for each window of a melody.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.size.max(1))
    }
}
