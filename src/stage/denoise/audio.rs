//! Sound: a network that takes frames and keeps states. Other rates than the model's are resampled on the way in and out; every channel is
//! worked on by itself.

use std::sync::Arc;

use super::super::{Context, Stage, each_audio};
use super::DESCRIPTION;
use crate::config::{Component, Problem, Value};
use crate::error::Result;
use crate::media::audio::{BLOCK, Block, Chain, Format, Process};
use crate::media::{Media, MediaKind};
use crate::model::{Model, Stream};

#[derive(Debug)]
struct Denoise {
    /// The network made ready; each stretch of sound gets a stream of its own through it.
    network: Stream,
    /// The network's share of the result; the rest is the sound as it was.
    wet: f32,
}

pub(super) fn build(component: &Component, model: Arc<Model>) -> std::result::Result<Box<dyn Stage>, Vec<Problem>> {
    let settings = &component.settings;
    let limit = settings.get("attenuation_limit_db").and_then(Value::as_number);
    let wet = share(settings.number("strength"), limit, model.card.keeps());
    // What a graph cannot do is told now, not with the first file; one channel is as good as many for that.
    match Stream::new(&model, 1) {
        Ok(network) => Ok(Box::new(Denoise { network, wet })),
        Err(e) => {
            let problem = Problem::new(settings.span("model"), e.to_string());
            Err(vec![problem.mend(e.mend_text().unwrap_or("choose another model"))])
        }
    }
}

/// The network's share of a sound of which `strength` (0..1) of the noise is taken away, and which gets quieter by at most `limit` decibels. What the
/// network `keeps` of the sound by itself, as its card tells, is part of what stays.
pub fn share(strength: f64, limit: Option<f64>, keeps: f64) -> f32 {
    let stays = limit.map_or(0.0, |decibels| 10f64.powf(-decibels / 20.0));
    (strength * ((1.0 - stays) / (1.0 - keeps)).min(1.0)) as f32
}

impl Stage for Denoise {
    fn name(&self) -> &'static str {
        DESCRIPTION.name
    }

    fn takes(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn run(&self, media: Vec<Media>, _: &Context) -> Result<Vec<Media>> {
        each_audio(media, |audio| {
            let process = Denoised::new(&self.network, audio.format(), self.wet)?;
            Ok(audio.through(process))
        })
    }

    fn live(&self, format: Format) -> Result<Option<Box<dyn Process>>> {
        Ok(Some(Box::new(Denoised::new(&self.network, format, self.wet)?)))
    }
}

/// The network with what surrounds it, and the dry sound in time with it.
struct Denoised {
    chain: Chain,
    dry: Block,
    wet: f32,
}

impl Denoised {
    fn new(network: &Stream, format: Format, wet: f32) -> Result<Denoised> {
        let chain = network.at(format)?;
        let mut dry = Block::with_room(format.channels, chain.delay() + 4 * BLOCK);
        dry.append_silence(chain.delay());
        Ok(Denoised { chain, dry, wet })
    }
}

impl Process for Denoised {
    fn output(&self) -> Format {
        self.chain.output()
    }

    fn delay(&self) -> usize {
        self.chain.delay()
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        self.dry.append(input);
        self.chain.process(input, output)?;
        for (plane, dry) in output.planes_mut().iter_mut().zip(self.dry.planes()) {
            for (wet, dry) in plane.iter_mut().zip(dry) {
                *wet = *wet * self.wet + dry * (1.0 - self.wet);
            }
        }
        self.dry.drop_front(output.frames());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    /// What stays of noise of which the network itself leaves `keeps` and nothing else, in dB.
    fn left(limit: Option<f64>, keeps: f64) -> f64 {
        let wet = f64::from(share(1.0, limit, keeps));
        20.0 * (1.0 - wet * (1.0 - keeps)).log10()
    }

    /// The 3 % that `denoise-speech` leaves were added to what the limit leaves: 24.4 dB where 30 were asked for.
    #[test]
    fn a_limit_is_met_whatever_the_network_leaves_itself() {
        for limit in [6.0, 20.0, 30.0] {
            assert!((left(Some(limit), 0.03) + limit).abs() < 0.01, "{limit}: {}", left(Some(limit), 0.03));
            assert!((left(Some(limit), 0.0) + limit).abs() < 0.01);
        }
        let own = 20.0 * 0.03f64.log10();
        assert!((left(None, 0.03) - own).abs() < 0.01 && (left(Some(60.0), 0.03) - own).abs() < 0.01);
        assert_eq!((share(0.5, Some(0.0), 0.03), share(0.5, None, 0.03)), (0.0, 0.5));
    }
}
