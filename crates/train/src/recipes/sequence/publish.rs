//! What publishing a model of sequences asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use latentd::media::MediaKind;
use latentd::media::melody::{Line, Part, Step, quality_names, roll};
use latentd::model::{Card, Dim, Draws, Golden, LatentSpace, MelodySpace, Model, Port, Task};

use super::directions::directions;
use super::network::{SequenceVae, Shape};
use super::{Sequences, write};
use crate::measure::music;
use crate::onnx::{Axis, Graph};
use crate::publish::Publish;

/// The range in which nearly all latent values lie.
const LATENT: [f32; 2] = [-4.0, 4.0];

/// The range in which nearly all scores lie.
const SCORES: [f32; 2] = [-20.0, 20.0];

impl Publish for Sequences {
    fn write(&self, network: &SequenceVae, graph: &mut Graph) {
        write::write(network, &self.shape, graph);
        let rows = directions(self, network);
        let asked = graph.input("qualities", &[Axis::Fixed(1), Axis::Fixed(rows.len())]);
        let matrix = graph.constant("directions", &[rows.len(), self.shape.latent], &rows.concat());
        let direction = graph.matmul("direction", &asked, &matrix);
        graph.output_shaped("direction", &direction, &[Axis::Fixed(1), Axis::Fixed(self.shape.latent)]);
    }

    fn draws(&self, model: &Arc<Model>) -> Result<Option<Draws>> {
        music::draws(model, &self.training).map(Some)
    }

    fn card(&self, _graph: &Graph) -> Card {
        let shape = &self.shape;
        let (sequence, point) = ([shape.all_steps(), shape.values()], [shape.latent]);
        let silence = Line::silence(shape.parts[0], 0);
        let qualities: Vec<String> = quality_names(&silence).iter().map(|name| (*name).to_owned()).collect();
        let asked = Port { shape: vec![Dim::Fixed(1), Dim::Fixed(qualities.len())], ..port("qualities", &[], LATENT) };
        let direction = Port { shape: vec![Dim::Fixed(1), Dim::Fixed(shape.latent)], ..port("direction", &[], LATENT) };
        Card {
            summary: Some(summary(shape)),
            inputs: vec![port("notes", &sequence, [0.0, 1.0]), port("latent", &point, LATENT), asked],
            outputs: vec![
                port("z_mean", &point, LATENT),
                port("z_log_var", &point, LATENT),
                port("output", &sequence, SCORES),
                direction,
            ],
            latent: Some(LatentSpace { size: shape.latent, prior: true, classes: 0, novelty: None }),
            melody: Some(MelodySpace {
                parts: shape.parts.clone(),
                steps: shape.steps,
                windows: shape.windows,
                qualities,
            }),
            limits: limits(shape),
            ..Card::new(Task::Autoencode, MediaKind::Melody)
        }
    }

    fn golden(&self, network: &SequenceVae, _card: &Card, device: &Device) -> Golden {
        let device = device.clone().inner();
        let shape = &self.shape;
        let lines: Vec<Line> = shape.parts.iter().map(|part| made_up(*part, shape.all_steps())).collect();
        let notes = roll(&lines, &shape.parts);
        let point: Vec<f32> = (0..shape.latent).map(|i| (i as f32 * 1.3).sin()).collect();
        let sequence = vec![1, shape.all_steps(), shape.values()];
        let tensor = |values: &[f32], shape: &[usize]| TensorData::new(values.to_vec(), shape.to_vec());

        let [mean, log_var] = network.encode(Tensor::from_data(tensor(&notes, &sequence), &device), shape);
        let output = network.decode(Tensor::from_data(tensor(&point, &[1, shape.latent]), &device), shape);
        let rows = directions(self, network);
        let asked: Vec<f32> = (0..rows.len()).map(|kind| 1.0 - 0.5 * kind as f32).collect();
        let moved = |at: usize| rows.iter().zip(&asked).map(|(row, amount)| row[at] * amount).sum::<f32>();
        let direction: Vec<f32> = (0..shape.latent).map(moved).collect();
        Golden(BTreeMap::from([
            ("notes".to_owned(), (sequence.clone(), notes)),
            ("latent".to_owned(), (vec![1, shape.latent], point)),
            ("z_mean".to_owned(), (vec![1, shape.latent], mean.into_data().iter::<f32>().collect())),
            ("z_log_var".to_owned(), (vec![1, shape.latent], log_var.into_data().iter::<f32>().collect())),
            ("output".to_owned(), (sequence, output.into_data().iter::<f32>().collect())),
            ("qualities".to_owned(), (vec![1, asked.len()], asked)),
            ("direction".to_owned(), (vec![1, shape.latent], direction)),
        ]))
    }
}

/// A port over batches of N.
fn port(name: &str, rest: &[usize], range: [f32; 2]) -> Port {
    let mut shape = vec![Dim::Free("N".to_owned())];
    shape.extend(rest.iter().map(|length| Dim::Fixed(*length)));
    Port { name: name.to_owned(), role: None, shape, range }
}

fn summary(shape: &Shape) -> String {
    let parts: Vec<&str> = shape.parts.iter().map(|part| part.name()).collect();
    let bars = shape.all_steps() / 16;
    format!(
        "Variational autoencoder of {} on a grid of 16th notes: {} numbers for {bars} bars of 4/4",
        parts.join(", "),
        shape.latent
    )
}

fn limits(shape: &Shape) -> Vec<String> {
    let mut limits = vec!["what is faster than 16th notes, or off their grid, goes to the nearest one".to_owned()];
    if shape.parts == [Part::Melody] {
        limits.push("samples and paths between tunes sound like the music that it was trained on".to_owned());
        limits.push("one note at a time: of chords the highest note is heard".to_owned());
    }
    if shape.parts.len() > 1 {
        limits.push(
            "tunes unlike those that it was trained on are rebuilt roughly; of few of them, samples resemble one another"
                .to_owned(),
        );
    }
    limits
}

/// The same music every time: scales that turn round, with rests; drums of a plain beat.
fn made_up(part: Part, steps: usize) -> Line {
    match part {
        Part::Drums => Line::Hits((0..steps).map(|at| [1, 0, 4, 0, 2, 0, 4, 16][at % 8]).collect()),
        part => {
            let low = if part == Part::Bass { 36 } else { 60 };
            let step = |at: usize| match at % 16 {
                13 => Step::Off,
                odd if odd % 2 == 1 => Step::Hold,
                even => Step::Note(low + [0, 2, 4, 5, 7, 9, 11, 12][(even / 2 * (1 + at / 16)) % 8]),
            };
            Line::Notes((0..steps).map(step).collect())
        }
    }
}
