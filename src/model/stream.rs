//! A network of sound at work: samples into frames, frames through the graph, states carried, frames into samples. Files and microphones go
//! this way alike.

use std::sync::Arc;

use super::card::audio::{AudioCard, Form, Layout, MOST_STATES, port_shape};
use super::{Kernel, Model, Port, Session};
use crate::error::{Error, Kind, Result};
use crate::media::audio::{Block, Chain, Delay, Format, Process, Resample, Spectrum};

/// Below this a value is taken for 0. It is far below what any sound holds, and far above where floats become denormal, which makes some
/// processors a hundred times slower: silence after speech would cost more than speech.
const TINY: f32 = 1e-20;

/// A model that runs on every channel of a stream, each with states of its own.
pub struct Stream {
    network: Arc<Network>,
    format: Format,
    channels: Vec<Channel>,
    /// What the network takes, in its layout.
    tensor: Vec<f32>,
    /// Less than a hop.
    waiting: Block,
}

/// What all streams through a model share.
struct Network {
    card: AudioCard,
    session: Session,
    input: Layout,
    output: Layout,
    /// The states at the beginning.
    zeros: Vec<Vec<f32>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("format", &self.format).finish_non_exhaustive()
    }
}

struct Channel {
    spectrum: Spectrum,
    states: Vec<Vec<f32>>,
}

impl Stream {
    /// The model for `channels` channels at the rate of its card.
    ///
    /// # Errors
    /// Kind model: it is no model of sound, or the graph is not what its card says.
    pub fn new(model: &Model, channels: usize) -> Result<Stream> {
        Stream::by(model, channels, model.choice().kernel)
    }

    /// [`Stream::new`] by a kernel of choice.
    ///
    /// # Errors
    /// As for [`Stream::new`].
    pub fn by(model: &Model, channels: usize, kernel: Kernel) -> Result<Stream> {
        let what = || Error::new(Kind::Model, format!("`{}` is not a model that runs on sound", model.card.name));
        let card = model.card.audio.clone().ok_or_else(what)?;
        let find = |ports: &'_ [Port], name: &str| ports.iter().find(|p| p.name == name).cloned().ok_or_else(what);
        let input = find(&model.card.inputs, &card.input.port)?;
        let output = find(&model.card.outputs, &card.output.port)?;
        let states = card.states.iter().map(|s| Ok(port_shape(&find(&model.card.inputs, &s.input)?)));
        let states = states.collect::<Result<Vec<Vec<usize>>>>()?;
        let shape = port_shape(&input);
        let mut inputs: Vec<(&str, &[usize])> = vec![(&card.input.port, &shape)];
        inputs.extend(card.states.iter().zip(&states).map(|(state, shape)| (state.input.as_str(), shape.as_slice())));
        let mut outputs = vec![card.output.port.as_str()];
        outputs.extend(card.states.iter().map(|state| state.output.as_str()));
        let session = Session::by(model, &inputs, &outputs, kernel)?;
        let expected = [port_shape(&output)].into_iter().chain(states.iter().cloned());
        for ((name, found), expected) in outputs.iter().zip(session.output_shapes()).zip(expected) {
            if *found != expected {
                let what = format!("the graph gives `{name}` as {found:?}, and its card tells of {expected:?}");
                return Err(Error::new(Kind::Model, what).mend("write the true shapes into the card"));
            }
        }
        let zeros: Vec<Vec<f32>> = states.iter().map(|shape| vec![0.0; shape.iter().product()]).collect();
        let layout = |port: &Port, form| card.layout(port, form).ok_or_else(what);
        let (input_layout, output_layout) = (layout(&input, card.input.form)?, layout(&output, card.output.form)?);
        let network = Network { card, session, input: input_layout, output: output_layout, zeros };
        Stream::begin(Arc::new(network), channels)
    }

    /// Another stream through the same network, at its beginning; much cheaper than a first one.
    ///
    /// # Errors
    /// None that the first one had not.
    pub fn another(&self, channels: usize) -> Result<Stream> {
        Stream::begin(Arc::clone(&self.network), channels)
    }

    /// Another stream through the same network for sound of any rate: resampled to the model's and back, with a delay that is a whole
    /// number of frames at both rates, so that it can be taken away exactly.
    ///
    /// # Errors
    /// Kind bug: the rates are none that sound may have.
    pub fn at(&self, format: Format) -> Result<Chain> {
        let network = self.another(format.channels)?;
        let own = network.output();
        let mut chain = Chain::new(format);
        if own.rate == format.rate {
            chain.push(Box::new(network));
            return Ok(chain);
        }
        let whole = Resample::whole_frames(own.rate, format.rate);
        let missing = network.delay().next_multiple_of(whole) - network.delay();
        chain.push(Box::new(Resample::new(format, own.rate)?));
        chain.push(Box::new(network));
        chain.push(Box::new(Delay::new(own, missing)));
        chain.push(Box::new(Resample::new(own, format.rate)?));
        Ok(chain)
    }

    fn begin(network: Arc<Network>, channels: usize) -> Result<Stream> {
        let card = &network.card;
        let tapers = (card.taper, card.synthesis.unwrap_or(card.taper));
        let channel = |_| -> Result<Channel> {
            let spectrum = Spectrum::new(card.window, card.hop, tapers, card.overlap)?;
            Ok(Channel { spectrum, states: network.zeros.clone() })
        };
        Ok(Stream {
            format: Format { rate: card.sample_rate, channels },
            channels: (0..channels).map(channel).collect::<Result<_>>()?,
            tensor: vec![0.0; network.input.size],
            waiting: Block::with_room(channels, card.hop + 4 * crate::media::audio::BLOCK),
            network,
        })
    }
}

impl Process for Stream {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        self.network.card.delay()
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        let channels = self.channels.len();
        if [input.channels(), output.channels()] != [channels; 2] {
            return Err(Error::new(Kind::Bug, format!("a stream of {channels} channels is given a block of others")));
        }
        self.waiting.append(input);
        let network = &self.network;
        let hop = network.card.hop;
        let mut done = 0;
        while self.waiting.frames() - done >= hop {
            for (number, channel) in self.channels.iter_mut().enumerate() {
                let samples = &mut self.waiting.plane_mut(number)[done..done + hop];
                flush(samples);
                channel.spectrum.push(samples);
                network.card.fill(&mut channel.spectrum, &network.input, &mut self.tensor)?;
                // On the stack, for as many states as models have.
                let mut feeds: [&[f32]; MOST_STATES + 1] = [&[]; MOST_STATES + 1];
                feeds[0] = &self.tensor;
                feeds[1..].iter_mut().zip(&channel.states).for_each(|(feed, state)| *feed = state);
                let mut results = network.session.run(&feeds[..=channel.states.len()])?.into_iter();
                let result = results.next().unwrap_or_default();
                for (state, next) in channel.states.iter_mut().zip(results) {
                    *state = next;
                    flush(state);
                }
                network.card.take(&mut channel.spectrum, &network.output, &result)?;
                channel.spectrum.pop(&mut output.planes_mut()[number]);
            }
            done += hop;
        }
        self.waiting.drop_front(done);
        Ok(())
    }
}

fn flush(values: &mut [f32]) {
    values.iter_mut().filter(|v| v.abs() < TINY).for_each(|v| *v = 0.0);
}

impl AudioCard {
    /// The frame as the network takes it.
    fn fill(&self, spectrum: &mut Spectrum, layout: &Layout, tensor: &mut [f32]) -> Result<()> {
        if self.input.form == Form::Waveform {
            for (k, value) in spectrum.frame.iter().enumerate() {
                tensor[k * layout.step] = *value;
            }
            return Ok(());
        }
        spectrum.transform()?;
        for (k, bin) in spectrum.bins.iter().enumerate() {
            if self.input.form == Form::Spectrum {
                tensor[k * layout.step] = bin.re;
                tensor[k * layout.step + layout.part_step] = bin.im;
            } else {
                tensor[k * layout.step] = bin.norm();
            }
        }
        Ok(())
    }

    /// The frame as the network gives it.
    fn take(&self, spectrum: &mut Spectrum, layout: &Layout, values: &[f32]) -> Result<()> {
        match self.output.form {
            Form::Waveform => {
                for (k, value) in spectrum.frame.iter_mut().enumerate() {
                    *value = finite(values[k * layout.step])?;
                }
                return Ok(());
            }
            Form::Spectrum | Form::Magnitude => {
                for (k, bin) in spectrum.bins.iter_mut().enumerate() {
                    bin.re = finite(values[k * layout.step])?;
                    bin.im = finite(values[k * layout.step + layout.part_step])?;
                }
            }
            Form::Gain => {
                for (k, bin) in spectrum.bins.iter_mut().enumerate() {
                    *bin *= finite(values[k * layout.step])?;
                }
            }
        }
        spectrum.transform_back()
    }
}

fn finite(value: f32) -> Result<f32> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Error::new(Kind::Model, "the network gives values that are no numbers"))
    }
}
