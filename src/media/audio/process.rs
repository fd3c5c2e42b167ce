//! What is done to blocks of sound: a causal process, the same for a file and for a microphone. What lags behind is told as a delay, which a
//! file's reader takes away and a live stream cannot.

use super::{AudioRead, BLOCK, Block, Format, RATES};
use crate::error::{Error, Kind, Result};

/// A causal process. What it gives does not depend on how its input is cut into blocks, only when it gives it.
pub trait Process: Send {
    /// Rate and channels of what it gives.
    fn output(&self) -> Format;

    /// Rate and channels of what it takes: those of what it gives, unless it changes them.
    fn input(&self) -> Format {
        self.output()
    }

    /// By how many output frames what it gives lags behind what it took.
    fn delay(&self) -> usize;

    /// Takes a block and puts what is ready into `output`, whatever that held before: often as much as came in, sometimes nothing.
    ///
    /// # Errors
    /// Kind model: a network failed.
    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()>;
}

impl Process for Box<dyn Process> {
    fn output(&self) -> Format {
        self.as_ref().output()
    }

    fn input(&self) -> Format {
        self.as_ref().input()
    }

    fn delay(&self) -> usize {
        self.as_ref().delay()
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        self.as_mut().process(input, output)
    }
}

/// Processes one after another, each of which takes what the one before gives.
pub struct Chain {
    input: Format,
    steps: Vec<(Box<dyn Process>, Block)>,
    /// The first that takes something else, and what it would be given.
    misfit: Option<[Format; 2]>,
}

impl Chain {
    /// A chain without steps, which gives what it takes.
    pub fn new(input: Format) -> Chain {
        Chain { input, steps: Vec::new(), misfit: None }
    }

    /// Adds a step that takes what the chain gives so far; with one that takes another rate or number of channels [`process`](Process::process) fails.
    pub fn push(&mut self, step: Box<dyn Process>) {
        let formats = [step.input(), self.output()];
        if formats[0] != formats[1] {
            self.misfit.get_or_insert(formats);
        }
        let room = Block::with_room(step.output().channels, 4 * BLOCK);
        self.steps.push((step, room));
    }
}

impl Process for Chain {
    fn output(&self) -> Format {
        self.steps.last().map_or(self.input, |(step, _)| step.output())
    }

    fn input(&self) -> Format {
        self.input
    }

    fn delay(&self) -> usize {
        let rate = u64::from(self.output().rate);
        let seconds = |(step, _): &(Box<dyn Process>, Block)| (step.delay() as u64, u64::from(step.output().rate));
        // Whole frames wherever the steps see to it, as `denoise` does; else the nearest.
        self.steps.iter().map(seconds).map(|(delay, own)| (delay * rate) as f64 / own as f64).sum::<f64>().round()
            as usize
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        if let Some([takes, given]) = self.misfit {
            let [(rate, channels), (own, others)] = [takes, given].map(|format| (format.rate, format.channels));
            let message = format!("a process of {rate} Hz and {channels} channels is given {own} Hz and {others}");
            return Err(
                Error::new(Kind::Bug, message).mend("resample the sound, and make the process for its channels")
            );
        }
        let Some(((last, _), before)) = self.steps.split_last_mut() else {
            output.clear();
            output.append(input);
            return Ok(());
        };
        let mut current = input;
        for (step, block) in before {
            step.process(current, block)?;
            current = block;
        }
        last.process(current, output)
    }
}

/// The most frames that a fresh process keeps beyond its delay until it has enough for its next step, at the rate of its output, which must be that
/// of its input. Found by giving it silence, a frame at a time.
///
/// # Errors
/// As [`Process::process`].
pub fn longest_wait(process: &mut dyn Process) -> Result<usize> {
    let Format { rate, channels } = process.output();
    let (mut frame, mut output) = (Block::new(channels), Block::new(channels));
    frame.append_silence(1);
    // Steps of several sizes meet in the worst way once in a while: a quarter of a second sees that for all usual rates, some steps for others.
    let mut end = 10 * rate as usize;
    let (mut taken, mut given, mut longest) = (0usize, 0, 0);
    while taken < end {
        process.process(&frame, &mut output)?;
        taken += 1;
        if given == 0 && !output.is_empty() {
            end = (6 * taken).max(rate as usize / 4);
        }
        given += output.frames();
        longest = longest.max(taken.saturating_sub(given));
    }
    Ok(longest)
}

/// A stream behind a chain of processes, their delay taken away and its length kept.
pub(super) struct Through {
    source: Box<dyn AudioRead>,
    chain: Chain,
    input: Block,
    /// Frames of the chain's output that are still to be thrown away; known at the first block.
    skip: Option<usize>,
    taken: u64,
    given: u64,
    /// How long the output is; known once the input has ended.
    total: Option<u64>,
}

/// Silence that a process may swallow at the end before it must have given all; a minute at the highest rate.
const MOST_SILENCE: u64 = 60 * *RATES.end() as u64;

impl Through {
    pub(super) fn new(source: Box<dyn AudioRead>) -> Through {
        let format = source.format();
        let input = Block::new(format.channels);
        Through { source, chain: Chain::new(format), input, skip: None, taken: 0, given: 0, total: None }
    }

    /// Adds a process at the end of the chain. Their delays are taken away together at the end, so that each finds its input as it would in
    /// a live stream.
    pub(super) fn push(&mut self, process: Box<dyn Process>) {
        self.chain.push(process);
    }

    /// Frames that `input` frames become.
    fn scaled(&self, input: u64) -> u64 {
        let (from, to) = (u128::from(self.source.format().rate), u128::from(self.chain.output().rate));
        ((u128::from(input) * to + from / 2) / from) as u64
    }
}

impl AudioRead for Through {
    fn format(&self) -> Format {
        self.chain.output()
    }

    fn frames(&self) -> Option<u64> {
        self.source.frames().map(|frames| self.scaled(frames))
    }

    fn read(&mut self, block: &mut Block) -> Result<()> {
        let mut silence = 0;
        loop {
            if self.total.is_none() {
                self.source.read(&mut self.input)?;
                self.taken += self.input.frames() as u64;
                if self.input.is_empty() {
                    self.total = Some(self.scaled(self.taken));
                }
            }
            if let Some(total) = self.total {
                block.clear();
                if self.given >= total {
                    return Ok(());
                }
                if silence > MOST_SILENCE {
                    return Err(Error::new(Kind::Bug, "a stage keeps the end of a sound to itself"));
                }
                self.input.clear();
                self.input.append_silence(BLOCK);
                silence += BLOCK as u64;
            }
            self.chain.process(&self.input, block)?;
            let delay = self.chain.delay();
            let skip = self.skip.get_or_insert(delay);
            let skipped = (*skip).min(block.frames());
            block.drop_front(skipped);
            *skip -= skipped;
            if let Some(total) = self.total {
                block.truncate(usize::try_from(total - self.given).unwrap_or(usize::MAX));
            }
            self.given += block.frames() as u64;
            if !block.is_empty() {
                return Ok(());
            }
        }
    }
}
