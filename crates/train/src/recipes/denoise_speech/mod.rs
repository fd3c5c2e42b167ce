//! `denoise-speech`: everything but speech out of 48 kHz sound, frame by frame, with 20 ms of delay.

mod graph;
mod listener;
pub mod loss;
mod loudness;
mod network;
mod pooling;
mod publish;
pub mod zones;

use burn::tensor::{Device, Tensor, TensorData};
pub use listener::Listener;
use loss::{Loss, Scene};
pub use network::{Network, Shape};
pub use publish::{Trace, pattern};
use rand::rngs::StdRng;
use zones::{HOP, ZONES};

use super::Recipe;
use crate::data::speech::{Clip, Corpus, Mixer, Taught};
use crate::dsp::math::si_sdr;
use crate::layers::Init;

/// The recipe with its recordings.
pub struct DenoiseSpeech {
    /// The network's size.
    pub shape: Shape,
    /// What mixtures are made of.
    pub corpus: Corpus,
    /// Held-out mixtures for the score during training.
    pub development: Vec<Clip>,
    /// Clips a batch.
    pub batch: usize,
    /// Makes clips.
    pub mixer: Mixer,
    /// Makes twice as long ones.
    pub longer: Mixer,
    /// Mixtures that another denoiser has cleaned: they are learnt from in place of new ones.
    pub taught: Option<Taught>,
    /// Judges them.
    pub loss: Loss,
}

/// What one step learns from.
pub struct Batch {
    scenes: Vec<Scene>,
    /// For each zone `[N, inputs, T, positions]`.
    features: [TensorData; 3],
}

/// The share of a run after which clips are twice as long (and half as many): states must hold for longer than a clip.
const LONGER_FROM: f64 = 0.75;

impl DenoiseSpeech {
    /// A batch of clips of equal length. A listener judges every second one: it costs as much as all else.
    fn gather(&self, clips: &[Clip]) -> Batch {
        let mut scenes: Vec<Scene> = clips.iter().map(|clip| self.loss.scene(clip)).collect();
        scenes.iter_mut().skip(1).step_by(2).for_each(|scene| scene.judged = None);
        let frames = clips[0].noisy.len() / HOP - 1;
        let mut features = ZONES.map(|zone| Vec::with_capacity(clips.len() * zone.inputs() * frames * zone.positions));
        for scene in &scenes {
            let seen = self.loss.layout.features(&scene.spectra);
            features.iter_mut().zip(seen).for_each(|(all, seen)| all.extend(seen));
        }
        let mut features = features
            .into_iter()
            .zip(ZONES)
            .map(|(values, zone)| TensorData::new(values, [clips.len(), zone.inputs(), frames, zone.positions]));
        let features = std::array::from_fn(|_| features.next().unwrap_or_else(|| unreachable!("three zones")));
        Batch { scenes, features }
    }

    /// What the network makes of a clip, without its first and last frame's half.
    fn clean(&self, network: &Network, clip: &Clip, device: &Device) -> Vec<f32> {
        let device = device.clone().inner();
        let batch = self.gather(std::slice::from_ref(clip));
        let answers = network.forward(batch.features.map(|zone| Tensor::from_data(zone, &device)));
        let answers = answers.map(host);
        self.loss.waveform(&batch.scenes[0], [&answers[0], &answers[1], &answers[2]])
    }
}

impl Recipe for DenoiseSpeech {
    type Network = Network;
    type Batch = Batch;

    const SCORE: (&'static str, &'static str) = ("SI-SDR", "dB");

    fn network(&self, init: &mut Init) -> Network {
        Network::new(init, &self.shape)
    }

    fn grown(&self, network: Network, absent: &[String]) -> Network {
        network.grown(absent)
    }

    fn batch(&self, rng: &mut StdRng, progress: f64) -> Batch {
        let (mixer, count) =
            if progress < LONGER_FROM { (&self.mixer, self.batch) } else { (&self.longer, (self.batch / 2).max(1)) };
        let taught = |rng: &mut StdRng| self.taught.as_ref()?.draw(rng, mixer.samples());
        let clips: Vec<Clip> =
            (0..count).map(|_| taught(rng).unwrap_or_else(|| mixer.draw(rng, &self.corpus))).collect();
        self.gather(&clips)
    }

    fn loss(&self, network: &Network, batch: Batch, _progress: f64, device: &Device) -> Tensor<1> {
        let answers = network.forward(batch.features.map(|zone| Tensor::from_data(zone, device)));
        let values = answers.clone().map(host);
        let (loss, gradient) = self.loss.measure(&batch.scenes, [&values[0], &values[1], &values[2]]);
        // A sum that has this gradient; the loss's own value takes its place.
        let mut sum = Tensor::zeros([1], device);
        for (answers, gradient) in answers.into_iter().zip(gradient) {
            let gradient = Tensor::from_data(TensorData::new(gradient, answers.dims()), device);
            sum = sum + (answers * gradient).sum();
        }
        let value = sum.clone().detach();
        sum - value + loss
    }

    fn score(&self, network: &Network, device: &Device) -> f64 {
        let scores = self.development.iter().map(|clip| {
            let found = self.clean(network, clip, device);
            si_sdr(&clip.clean[HOP..clip.clean.len() - HOP], &found)
        });
        scores.sum::<f64>() / self.development.len() as f64
    }
}

fn host(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
