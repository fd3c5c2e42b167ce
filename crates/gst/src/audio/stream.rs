//! A chain of processes that is pushed: what comes out has the length of what went in and is in time with it.

use latentd::media::audio::{BLOCK, Blend, Block, Chain, Format, Process, longest_wait};
use latentd::stage::{Stage, live_chain};
use latentd::{Error, Kind, Result};

/// Seconds of silence that stages may swallow at the end before they must have given all.
const MOST_SILENCE: usize = 60;

/// A stretch of sound on its way through stages.
pub struct Stream {
    chain: Chain,
    input: Block,
    output: Block,
    /// The sound as it was, as far as it has not come out yet.
    dry: Block,
    /// Frames of the delay that are still to be thrown away.
    skip: usize,
    /// Begins at the share that the first samples come with.
    blend: Option<Blend>,
}

impl Stream {
    /// The stages at the beginning of sound of this format.
    ///
    /// # Errors
    /// Kind model: a model cannot run. Kind config: the stages change rate or channels, or one has no live form.
    pub fn new(stages: &[Box<dyn Stage>], format: Format) -> Result<Stream> {
        let chain = chain(stages, format)?;
        let skip = chain.delay();
        let block = || Block::with_room(format.channels, 4 * BLOCK);
        Ok(Stream { chain, input: block(), output: block(), dry: block(), skip, blend: None })
    }

    /// Takes interleaved samples and gives what is ready, often as much, at first nothing. `share` is how much of the result there is in it, the
    /// rest is the sound as it was.
    ///
    /// # Errors
    /// Kind model: a network failed.
    pub fn push(&mut self, samples: impl Iterator<Item = f32>, share: f32) -> Result<&Block> {
        self.input.clear();
        self.input.append_interleaved(samples);
        self.input.make_sane();
        self.dry.append(&self.input);
        self.run(share)?;
        Ok(&self.output)
    }

    /// Gives all that is still inside; as many frames will have come out as went in.
    ///
    /// # Errors
    /// As for [`Stream::push`].
    pub fn finish(mut self, share: f32) -> Result<Block> {
        let mut rest = Block::new(self.dry.channels());
        let most = MOST_SILENCE * self.chain.output().rate as usize;
        let mut silence = 0;
        while !self.dry.is_empty() {
            if silence > most {
                return Err(Error::new(Kind::Bug, "a stage keeps the end of the sound to itself"));
            }
            self.input.clear();
            self.input.append_silence(BLOCK);
            silence += BLOCK;
            self.run(share)?;
            rest.append(&self.output);
        }
        Ok(rest)
    }

    fn run(&mut self, share: f32) -> Result<()> {
        self.chain.process(&self.input, &mut self.output)?;
        let skipped = self.skip.min(self.output.frames());
        self.output.drop_front(skipped);
        self.skip -= skipped;
        // Behind the end there is only what became of the silence.
        self.output.truncate(self.dry.frames());
        self.blend.get_or_insert_with(|| Blend::new(share)).mix(&mut self.output, &self.dry, share);
        self.dry.drop_front(self.output.frames());
        Ok(())
    }
}

fn chain(stages: &[Box<dyn Stage>], format: Format) -> Result<Chain> {
    let chain = live_chain(stages, format)?;
    let made = chain.output();
    if made != format {
        let what = format!(
            "the stages make {} Hz and {} channels of {} Hz and {}",
            made.rate, made.channels, format.rate, format.channels
        );
        return Err(
            Error::new(Kind::Config, what).mend("leave `resample` out of the pipeline; audioresample does that")
        );
    }
    Ok(chain)
}

/// By how many frames the result lags behind its input: the delay, and what waits until there is enough for a network's or a resampler's
/// next step.
///
/// # Errors
/// As for [`Stream::new`].
pub fn latency(stages: &[Box<dyn Stage>], rate: u32) -> Result<usize> {
    let mut chain = chain(stages, Format { rate, channels: 1 })?;
    Ok(chain.delay() + longest_wait(&mut chain)?)
}
