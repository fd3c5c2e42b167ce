//! Some frames of sound, one plane of floats for each channel. Blocks are made once and used again: after the first rounds they allocate nothing.

use super::LOUDEST;

/// Some frames of sound. All planes are equally long.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    planes: Vec<Vec<f32>>,
}

impl Block {
    /// An empty block of `channels` planes, at least one.
    pub fn new(channels: usize) -> Block {
        Block { planes: vec![Vec::new(); channels.max(1)] }
    }

    /// An empty block with room for `frames`.
    pub fn with_room(channels: usize, frames: usize) -> Block {
        Block { planes: (0..channels.max(1)).map(|_| Vec::with_capacity(frames)).collect() }
    }

    /// A block of these planes.
    ///
    /// # Panics
    /// When there are none, or they are not equally long.
    pub fn from_planes(planes: Vec<Vec<f32>>) -> Block {
        assert!(!planes.is_empty(), "a block has at least one plane");
        assert!(planes.windows(2).all(|p| p[0].len() == p[1].len()), "the planes of a block are equally long");
        Block { planes }
    }

    /// Number of planes.
    pub fn channels(&self) -> usize {
        self.planes.len()
    }

    /// Frames in it.
    pub fn frames(&self) -> usize {
        self.planes[0].len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.frames() == 0
    }

    /// The samples of one channel, of which there must be so many.
    pub fn plane(&self, channel: usize) -> &[f32] {
        &self.planes[channel]
    }

    /// The samples of one channel, to be changed.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [f32] {
        &mut self.planes[channel]
    }

    /// All planes.
    pub fn planes(&self) -> &[Vec<f32>] {
        &self.planes
    }

    /// All planes, to be changed; whoever changes their lengths keeps them equal.
    pub fn planes_mut(&mut self) -> &mut [Vec<f32>] {
        &mut self.planes
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.planes.iter_mut().for_each(Vec::clear);
    }

    /// Adds the frames of `other`, which has as many channels.
    pub fn append(&mut self, other: &Block) {
        self.append_part(other, 0, other.frames());
    }

    /// Adds `frames` frames of `other` from `from` on.
    pub fn append_part(&mut self, other: &Block, from: usize, frames: usize) {
        debug_assert_eq!(self.channels(), other.channels());
        for (own, plane) in self.planes.iter_mut().zip(&other.planes) {
            own.extend_from_slice(&plane[from..from + frames]);
        }
    }

    /// Adds `frames` frames of silence.
    pub fn append_silence(&mut self, frames: usize) {
        self.planes.iter_mut().for_each(|p| p.resize(p.len() + frames, 0.0));
    }

    /// Adds whole frames of interleaved samples; what is left at the end and makes no frame is dropped.
    pub fn append_interleaved(&mut self, samples: impl IntoIterator<Item = f32>) {
        let mut samples = samples.into_iter();
        'all: loop {
            for plane in &mut self.planes {
                let Some(sample) = samples.next() else { break 'all };
                plane.push(sample);
            }
        }
        self.truncate(self.planes[self.channels() - 1].len());
    }

    /// Makes numbers of what is none, and bounds all by [`LOUDEST`]: a network that has once seen such gives nothing else for ever.
    pub fn make_sane(&mut self) {
        let sane = |v: f32| if v.is_finite() { v.clamp(-LOUDEST, LOUDEST) } else { 0.0 };
        self.planes.iter_mut().flatten().for_each(|v| *v = sane(*v));
    }

    /// Its samples, frame by frame.
    pub fn interleaved(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.frames()).flat_map(|index| self.planes.iter().map(move |plane| plane[index]))
    }

    /// Takes the first `frames` frames out.
    pub fn drop_front(&mut self, frames: usize) {
        for plane in &mut self.planes {
            let frames = frames.min(plane.len());
            plane.copy_within(frames.., 0);
            plane.truncate(plane.len() - frames);
        }
    }

    /// Keeps the first `frames` frames.
    pub fn truncate(&mut self, frames: usize) {
        self.planes.iter_mut().for_each(|p| p.truncate(frames));
    }

    /// The largest absolute value.
    pub fn peak(&self) -> f32 {
        self.planes.iter().flatten().fold(0.0, |peak, v| peak.max(v.abs()))
    }
}
