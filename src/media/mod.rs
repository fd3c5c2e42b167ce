//! What flows through a pipeline. Media knows nothing of models, stages or pipelines.

pub mod image;
pub mod melody;

pub use image::Image;

/// The kinds of media, as type-checking and messages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture.
    Image,
}

impl MediaKind {
    /// With its article, for sentences: "takes an image".
    pub const fn with_article(self) -> &'static str {
        match self {
            MediaKind::Image => "an image",
        }
    }
}

/// One piece of media.
#[derive(Debug, Clone)]
pub enum Media {
    /// A picture.
    Image(Image),
}

impl Media {
    /// Its kind.
    pub fn kind(&self) -> MediaKind {
        match self {
            Media::Image(_) => MediaKind::Image,
        }
    }
}
