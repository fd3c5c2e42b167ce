//! What publishing an autoencoder asks for.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use burn::tensor::{Device, Tensor, TensorData, activation};
use latentd::media::MediaKind;
use latentd::model::{Card, Dim, Golden, LatentSpace, Model, Novelty, Port, Task};
use latentd::stage::codec::ImageCodec;

use super::network::{Autoencoder, Shape};
use super::{AutoencoderRecipe, Kind, Likeness, write};
use crate::data::{depth_to_space, space_to_depth};
use crate::onnx::Graph;
use crate::publish::Publish;
use crate::tell;

/// Quantiles in a card: percentiles.
const QUANTILES: usize = 101;

/// Pictures that the novelty score is calibrated on, at most.
const CALIBRATED: usize = 2500;

/// Fewer pictures tell no percentiles.
const FEWEST: usize = 100;

impl Publish for AutoencoderRecipe {
    fn write(&self, network: &Autoencoder, graph: &mut Graph) {
        write::write(network, &self.shape, graph);
    }

    fn card(&self, _graph: &Graph) -> Card {
        let shape = &self.shape;
        let picture = |name| port(name, &[1, shape.channels, shape.side, shape.side]);
        let row = |name, values| port(name, &[1, values]);
        let mut inputs = vec![picture("image"), row("latent", shape.latent)];
        let mut outputs = vec![row("z_mean", shape.latent)];
        if shape.kind.is_variational() {
            outputs.push(row("z_log_var", shape.latent));
        }
        outputs.push(picture("output"));
        if shape.told() > 0 {
            inputs.push(row("class", shape.classes));
            outputs.push(row("class_scores", shape.classes));
        }
        Card {
            summary: Some(self.summary()),
            inputs,
            outputs,
            latent: Some(LatentSpace {
                size: shape.latent,
                prior: shape.kind != Kind::Plain,
                classes: shape.told(),
                novelty: None,
            }),
            limits: vec![
                "an autoencoder works only for the kind of pictures that it was trained on; all others come out as \
                 something between those"
                    .to_owned(),
            ],
            ..Card::new(Task::Autoencode, MediaKind::Image)
        }
    }

    fn golden(&self, network: &Autoencoder, _card: &Card, device: &Device) -> Golden {
        let device = device.clone().inner();
        let Shape { side, channels, latent, .. } = self.shape;
        let wave = |i: usize| 0.5 + 0.5 * (i as f32 * 0.37).sin() * (i as f32 * 0.011).cos();
        let image: Vec<f32> = (0..channels * side * side).map(wave).collect();
        let point: Vec<f32> = (0..latent).map(|i| (i as f32 * 1.3).sin()).collect();
        let class: Vec<f32> = (0..self.shape.told()).map(|k| if k == 3 { 1.0 } else { 0.0 }).collect();
        let tensor = |values: &[f32], shape: &[usize]| TensorData::new(values.to_vec(), shape.to_vec());

        let squares = space_to_depth(&image, channels, side, side, 2);
        let squares: Tensor<4> = Tensor::from_data(tensor(&squares, &[1, 4 * channels, side / 2, side / 2]), &device);
        let told: Option<Tensor<2>> =
            (!class.is_empty()).then(|| Tensor::from_data(tensor(&class, &[1, class.len()]), &device));
        let (mean, log_var) = network.encoder.forward(squares.clone(), told.clone());
        let output = network.decoder.forward(Tensor::from_data(tensor(&point, &[1, latent]), &device), told);
        let output: Vec<f32> = activation::sigmoid(output).into_data().iter::<f32>().collect();

        let mut golden = BTreeMap::new();
        let mut add =
            |name: &str, shape: &[usize], values: Vec<f32>| golden.insert(name.to_owned(), (shape.to_vec(), values));
        let picture = [1, channels, side, side];
        add("output", &picture, depth_to_space(&output, channels, side, side, 2));
        add("image", &picture, image);
        add("latent", &[1, latent], point);
        add("z_mean", &[1, latent], values(mean));
        if let Some(log_var) = log_var {
            add("z_log_var", &[1, latent], values(log_var));
        }
        if let Some(classifier) = &network.classifier {
            add("class_scores", &[1, class.len()], values(classifier.forward(squares)));
            add("class", &[1, class.len()], class);
        }
        Golden(golden)
    }

    fn measure(&self, model: &Model, card: &mut Card) -> Result<()> {
        // A conditional model would have to be told the class of what it is to judge.
        let (Some(space), true) = (&mut card.latent, self.shape.told() == 0) else { return Ok(()) };
        let count = self.development.len().min(CALIBRATED);
        if count < FEWEST {
            tell(format_args!(
                "warning: {count} held-out pictures tell no percentiles of novelty, for which {FEWEST} are needed: the stage `novelty` will not take \
                 this model; give more pictures, or a higher --held-out"
            ));
            return Ok(());
        }
        let codec = ImageCodec::open(model, None).map_err(|error| anyhow!("{error}"))?;
        let scores = (0..count).map(|index| codec.novelty(&self.development.picture(index)));
        let mut scores = scores.collect::<Result<Vec<_>, _>>().map_err(|error| anyhow!("{error}"))?;
        scores.sort_by(f32::total_cmp);
        let quantile = |k: usize| scores[(k * (scores.len() - 1)) / (QUANTILES - 1)];
        space.novelty = Some(Novelty { quantiles: (0..QUANTILES).map(quantile).collect() });
        Ok(())
    }
}

impl AutoencoderRecipe {
    fn summary(&self) -> String {
        let Shape { latent, side, channels, .. } = self.shape;
        let kind = match self.shape.kind {
            Kind::Plain => "Autoencoder",
            Kind::Variational => "Variational autoencoder",
            Kind::Conditional => "Variational autoencoder that is told the class",
            Kind::Adversarial => "Adversarial autoencoder",
        };
        let colours = if channels == 1 { "gray" } else { "colour" };
        let likeness = match self.likeness {
            Likeness::CrossEntropy => "cross-entropy",
            Likeness::SquaredError => "squared error",
        };
        format!("{kind} of {colours} pictures {side}x{side}: {latent} numbers a picture, trained on {likeness}")
    }
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn port(name: &str, shape: &[usize]) -> Port {
    let shape = shape.iter().map(|&length| Dim::Fixed(length)).collect();
    Port { name: name.to_owned(), role: None, shape, range: [0.0, 1.0] }
}
