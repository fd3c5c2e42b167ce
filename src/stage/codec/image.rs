use super::{Codec, check_finite, check_latent, space_of};
use crate::error::{Error, Kind, Result};
use crate::media::image::{Depth, Layout, Tile, fill_under_alpha, resize};
use crate::media::{Image, Latent, Media, MediaKind};
use crate::model::{Dim, LatentSpace, Model, Session};

/// An autoencoder of pictures of one size. Of any other picture it takes the middle square, resampled to that size.
#[derive(Clone)]
pub struct ImageCodec {
    model: String,
    space: LatentSpace,
    encoder: Session,
    decoder: Session,
    /// 1 (gray) or 3.
    channels: usize,
    height: usize,
    width: usize,
    /// One number for each class, for models that are told it.
    class: Option<Vec<f32>>,
}

/// What the encoder says of a picture: a Gaussian over points, or one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// The point, or the distribution's mean.
    pub mean: Vec<f32>,
    /// The logarithm of the distribution's variance, where there is one.
    pub log_var: Option<Vec<f32>>,
}

impl Posterior {
    /// A draw, for which `noise` gives draws of the standard normal distribution; the point itself where there is no distribution.
    pub fn draw(&self, mut noise: impl FnMut() -> f32) -> Vec<f32> {
        match &self.log_var {
            Some(log_var) => self.mean.iter().zip(log_var).map(|(m, lv)| m + (lv / 2.0).exp() * noise()).collect(),
            None => self.mean.clone(),
        }
    }

    /// The Kullback-Leibler divergence from the standard normal distribution in nats; 0 for a point.
    pub fn divergence(&self) -> f32 {
        let log_vars = self.log_var.iter().flatten();
        self.mean.iter().zip(log_vars).map(|(m, lv)| (m * m + lv.exp() - lv - 1.0) / 2.0).sum()
    }
}

impl std::fmt::Debug for ImageCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageCodec").field("model", &self.model).finish_non_exhaustive()
    }
}

impl ImageCodec {
    /// Makes encoder and decoder ready. `class` is what a conditional model is told, counted from 0.
    ///
    /// # Errors
    /// Kind model: the card or the graph is not that of an autoencoder of pictures of one size. Kind usage: a class that the model does not have,
    /// or none where it needs one.
    pub fn open(model: &Model, class: Option<usize>) -> Result<ImageCodec> {
        let card = &model.card;
        let wrong = |what: &str| Error::new(Kind::Model, format!("the card of `{}` {what}", card.name));
        let space = space_of(model, class)?.clone();
        if card.media != MediaKind::Image {
            let what = format!("`{}` encodes {}, not pictures", card.name, card.media.with_article());
            return Err(
                Error::new(Kind::Usage, what).mend("choose a model of pictures; `latentd models list` shows them")
            );
        }
        let port =
            card.inputs.iter().find(|port| port.name == "image").ok_or_else(|| wrong("names no input `image`"))?;
        let &[Dim::Fixed(1), Dim::Fixed(channels @ (1 | 3)), Dim::Fixed(height), Dim::Fixed(width)] =
            port.shape.as_slice()
        else {
            return Err(wrong("takes pictures of other shapes than [1, 1, height, width] and [1, 3, height, width]"));
        };
        let picture = [1, channels, height, width];
        let (point, classes) = ([1, space.size], [1, space.classes]);
        let told = (space.classes > 0).then_some(("class", classes.as_slice()));
        let has_log_var = card.outputs.iter().any(|port| port.name == "z_log_var");
        let outputs: &[&str] = if has_log_var { &["z_mean", "z_log_var"] } else { &["z_mean"] };
        let inputs: Vec<_> = [("image", picture.as_slice())].into_iter().chain(told).collect();
        let encoder = Session::new(model, &inputs, outputs)?;
        let inputs: Vec<_> = [("latent", point.as_slice())].into_iter().chain(told).collect();
        let decoder = Session::new(model, &inputs, &["output"])?;
        if decoder.output_shapes()[0] != picture || encoder.output_shapes().iter().any(|shape| *shape != point) {
            return Err(wrong("tells other shapes than its graph has"));
        }
        let class = class.map(|class| (0..space.classes).map(|k| if k == class { 1.0 } else { 0.0 }).collect());
        Ok(ImageCodec { model: card.name.clone(), space, encoder, decoder, channels, height, width, class })
    }

    /// Planes of a picture that the model takes, its rows, and its pixels a row.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// What the model sees of a picture: the middle of it, resampled to the model's size, as planes of 0..=1.
    ///
    /// # Errors
    /// Kind input: a picture too large to resample.
    pub fn view(&self, picture: &Image) -> Result<Vec<f32>> {
        let scale = (self.width as f64 / picture.width as f64).max(self.height as f64 / picture.height as f64);
        let side = |whole: usize, seen: usize| ((seen as f64 / scale).round() as usize).clamp(1, whole);
        // First, since what is one pixel wide and a million high would be a giant at the model's width.
        let mut picture = picture.middle(side(picture.width, self.width), side(picture.height, self.height));
        fill_under_alpha(&mut picture);
        if (picture.width, picture.height) != (self.width, self.height) {
            picture = resize(&picture, self.width, self.height)?;
        }
        Ok(picture.tile_f32(Tile { y: 0, x: 0, height: self.height, width: self.width }, self.channels))
    }

    /// What the encoder says of planes as [`view`](Self::view) gives them.
    ///
    /// # Errors
    /// Kind model: the model failed, or gave something that is not a number.
    pub fn posterior(&self, planes: &[f32]) -> Result<Posterior> {
        let mut outputs = self.encoder.run(&self.inputs(planes))?.into_iter();
        let (mean, log_var) = (outputs.next().unwrap_or_default(), outputs.next());
        check_finite(&self.model, &mean)?;
        Ok(Posterior { mean, log_var })
    }

    /// The planes that a point stands for, 0..=1.
    ///
    /// # Errors
    /// Kind model: the model failed, or gave something that is not a number.
    pub fn planes(&self, point: &[f32]) -> Result<Vec<f32>> {
        let planes = self.decoder.run(&self.inputs(point))?.into_iter().next().unwrap_or_default();
        check_finite(&self.model, &planes)?;
        Ok(planes)
    }

    /// How unlike its training data the model finds planes as [`view`](Self::view) gives them: the squared error of the reconstruction,
    /// summed over the values, and the divergence of the posterior in nats. Larger is less alike; the card's
    /// [`Novelty`](crate::model::Novelty) makes a percentile of it.
    ///
    /// # Errors
    /// Kind model: the model failed.
    pub fn novelty(&self, planes: &[f32]) -> Result<f32> {
        let posterior = self.posterior(planes)?;
        let reconstruction = self.planes(&posterior.mean)?;
        let error: f32 = planes.iter().zip(&reconstruction).map(|(a, b)| (a - b) * (a - b)).sum();
        let score = error + posterior.divergence();
        // What is not a number is above no bound, and would pass every gate.
        check_finite(&self.model, &[score])?;
        Ok(score)
    }

    /// A point as a latent of this model.
    pub fn latent(&self, values: Vec<f32>) -> Latent {
        Latent { values, size: self.space.size, model: self.model.clone(), source: None, frame: None }
    }

    /// Planes of 0..=1 as a picture of 8 bits.
    pub fn picture(&self, planes: &[f32]) -> Image {
        let layout = if self.channels == 1 { Layout::Gray } else { Layout::Rgb };
        let mut picture = Image::new(self.width, self.height, layout, Depth::Eight);
        let whole = Tile { y: 0, x: 0, height: self.height, width: self.width };
        picture.put_tile_f32(planes, self.channels, whole, whole);
        picture
    }

    fn inputs<'a>(&'a self, first: &'a [f32]) -> Vec<&'a [f32]> {
        [first].into_iter().chain(self.class.as_deref()).collect()
    }
}

impl Codec for ImageCodec {
    fn name(&self) -> &str {
        &self.model
    }

    fn media(&self) -> MediaKind {
        MediaKind::Image
    }

    fn space(&self) -> &LatentSpace {
        &self.space
    }

    fn encode(&self, media: &Media) -> Result<Latent> {
        let Media::Image(picture) = media else {
            return Err(Error::new(
                Kind::Bug,
                format!("a codec for pictures was given {}", media.kind().with_article()),
            ));
        };
        Ok(self.latent(self.posterior(&self.view(picture)?)?.mean))
    }

    /// Colours mean what the nearer end's profile says, and its metadata goes along.
    fn decode_between(&self, latent: &Latent, ends: &[(&Media, f32)]) -> Result<Media> {
        let mut media = self.decode(latent)?;
        let nearest = ends.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        if let (Media::Image(picture), Some((Media::Image(end), _))) = (&mut media, nearest) {
            picture.metadata = end.metadata.clone();
            if picture.layout.colors() != end.layout.colors() {
                picture.metadata.icc = None;
            }
        }
        Ok(media)
    }

    fn decode(&self, latent: &Latent) -> Result<Media> {
        check_latent(&self.model, &self.space, latent)?;
        match latent.rows().len() {
            1 => Ok(Media::Image(self.picture(&self.planes(&latent.values)?))),
            n => Err(Error::new(Kind::Input, format!("a latent of {n} points, and a picture has one"))),
        }
    }
}
