//! Joining pieces of sound without a click.

use crate::media::audio::Block;

/// Frames over which the stages' share fades, and over which a splice is smoothed: 10 ms.
pub const FADE: usize = 480;

/// Where two pieces of sound that do not belong together are joined, the jump between them is spread over some milliseconds.
pub struct Splice {
    last: Vec<f32>,
    jump: Vec<f32>,
    left: usize,
    /// Whether the next block does not belong to the one before.
    pub fresh: bool,
}

impl Splice {
    /// For sound of `channels` channels.
    pub fn new(channels: usize) -> Splice {
        Splice { last: vec![0.0; channels], jump: vec![0.0; channels], left: 0, fresh: false }
    }

    /// The next block is the first one, after silence.
    pub fn begin(&mut self) {
        self.last.fill(0.0);
        self.fresh = true;
    }

    /// Lets a block of the stream through.
    pub fn smooth(&mut self, block: &mut Block) {
        if block.is_empty() {
            return;
        }
        if std::mem::take(&mut self.fresh) {
            self.left = FADE;
            for (channel, jump) in self.jump.iter_mut().enumerate() {
                *jump = self.last[channel] - block.plane(channel)[0];
            }
        }
        let left = self.left;
        for (plane, jump) in block.planes_mut().iter_mut().zip(&self.jump) {
            for (index, sample) in plane.iter_mut().take(left).enumerate() {
                *sample += jump * (left - index) as f32 / FADE as f32;
            }
        }
        self.left -= left.min(block.frames());
        for (channel, last) in self.last.iter_mut().enumerate() {
            *last = block.plane(channel).last().copied().unwrap_or(0.0);
        }
    }
}
