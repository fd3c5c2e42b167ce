use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

/// Makes batches on a thread of its own, a few ahead of the training step that takes them.
pub struct Prefetch<T> {
    orders: SyncSender<(u64, f64)>,
    batches: Receiver<T>,
}

/// How many batches are under way at any time.
const AHEAD: u64 = 3;

impl<T: Send> Prefetch<T> {
    /// Starts the thread; `make(step, progress)` builds the batch of one step. `progress(step)` is how much of the run is
    /// over then, 0..=1.
    pub fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        first_step: u64,
        progress: impl Fn(u64) -> f64,
        make: impl Fn(u64, f64) -> T + Send + 'scope,
    ) -> Self
    where
        T: 'scope,
    {
        let (orders, todo) = sync_channel(AHEAD as usize);
        let (done, batches) = sync_channel(AHEAD as usize);
        scope.spawn(move || {
            for (step, progress) in todo {
                if done.send(make(step, progress)).is_err() {
                    return;
                }
            }
        });
        let prefetch = Self { orders, batches };
        for step in first_step..first_step + AHEAD {
            prefetch.order(step, progress(step));
        }
        prefetch
    }

    /// The batch of `step`; the one [`AHEAD`] steps later is ordered, with what `progress` says of that step.
    ///
    /// # Panics
    /// When the thread that makes batches has panicked.
    pub fn take(&self, step: u64, progress: impl Fn(u64) -> f64) -> T {
        let batch = self.batches.recv().expect("the thread that makes batches has panicked");
        self.order(step + AHEAD, progress(step + AHEAD));
        batch
    }

    fn order(&self, step: u64, progress: f64) {
        self.orders.send((step, progress)).ok();
    }
}
