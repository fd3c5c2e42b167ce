//! Joining pieces of sound without a click.

use super::Block;

/// Frames over which a share fades, and over which a splice is smoothed: 10 ms at 48 kHz.
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

/// How much of a stream is processed sound and how much is the sound as it was; the share moves, and never jumps up.
pub struct Blend {
    wet: f32,
    absent: usize,
}

impl Blend {
    /// A blend that begins with this share of processed sound, 0..1.
    pub fn new(wet: f32) -> Blend {
        Blend { wet, absent: 0 }
    }

    /// There is nothing processed for the next `frames` frames; after them the share grows from 0.
    pub fn leave_out(&mut self, frames: usize) {
        (self.wet, self.absent) = (0.0, frames);
    }

    /// Mixes `dry`, which is at least as long, into `out`; the processed sound's share moves to `wanted`, 0..1.
    pub fn mix(&mut self, out: &mut Block, dry: &Block, wanted: f32) {
        let frames = out.frames();
        let dry_frames = self.absent.min(frames);
        self.absent -= dry_frames;
        let before = self.wet;
        let step = 1.0 / FADE as f32;
        let share = |index: usize| match index.checked_sub(dry_frames) {
            None => before,
            Some(fading) => before + (wanted - before).clamp(-step * (fading + 1) as f32, step * (fading + 1) as f32),
        };
        for (plane, dry) in out.planes_mut().iter_mut().zip(dry.planes()) {
            for (index, (sample, dry)) in plane.iter_mut().zip(dry).enumerate() {
                *sample = dry + (*sample - dry) * share(index);
            }
        }
        if frames > dry_frames {
            self.wet = share(frames - 1);
        }
    }
}
