//! A pure delay: what a dry signal needs to stay in time with one that went through a network.

use super::{Block, Format, Process};
use crate::error::Result;

/// Gives what it took some frames ago, silence at first.
#[derive(Debug)]
pub struct Delay {
    format: Format,
    held: Block,
    frames: usize,
}

impl Delay {
    /// A delay of `frames` frames.
    pub fn new(format: Format, frames: usize) -> Delay {
        let mut held = Block::with_room(format.channels, frames + super::BLOCK);
        held.append_silence(frames);
        Delay { format, held, frames }
    }
}

impl Process for Delay {
    fn output(&self) -> Format {
        self.format
    }

    fn delay(&self) -> usize {
        self.frames
    }

    fn process(&mut self, input: &Block, output: &mut Block) -> Result<()> {
        output.clear();
        self.held.append(input);
        output.append_part(&self.held, 0, input.frames());
        self.held.drop_front(input.frames());
        Ok(())
    }
}
