//! Memory that the caller keeps from one call to the next.

/// Working memory for any number of convolutions, and the number of threads that compute them.
///
/// It grows to what the largest convolution needs (some ten megabytes a thread) and is never read
/// before it is written, so that one scratch serves all layers of a network in turn.
#[derive(Debug)]
pub struct Scratch {
    /// The packed weight.
    pub(crate) packed: Vec<f32>,
    pub(crate) workers: Vec<Worker>,
}

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub gathered: Vec<f32>,
    pub product: Vec<f32>,
    pub other: Vec<f32>,
    pub sums: Vec<f32>,
    pub line: Vec<f32>,
}

/// [`Scratch::single`]: without any thread nothing would be computed.
impl Default for Scratch {
    fn default() -> Self {
        Self::single()
    }
}

impl Scratch {
    /// Computes on the calling thread alone.
    pub fn single() -> Self {
        Self::with_threads(1)
    }

    /// Computes on every thread of the current rayon pool.
    pub fn parallel() -> Self {
        Self::with_threads(rayon::current_num_threads())
    }

    /// Computes on at most `threads` threads of the current rayon pool (at least 1).
    pub fn with_threads(threads: usize) -> Self {
        let workers = std::iter::repeat_with(Worker::default).take(threads.max(1)).collect();
        Self { packed: Vec::new(), workers }
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.workers.len()
    }
}

/// The first `len` values of a buffer that grows to hold them; their content is left over.
pub(crate) fn take(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
