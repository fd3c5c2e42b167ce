//! Who is next: each pipeline has a lane of its own, and the one that has had least of the machine goes first. So a folder of a hundred
//! thousand files does not make another pipeline's single file wait.

use std::collections::VecDeque;

use super::Job;

/// Queued jobs by lane.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Queue>,
    /// How much the lane had had that was served last: one that comes back from idling does not get all at once what it did not ask for.
    clock: f64,
    next_id: u64,
}

#[derive(Debug)]
struct Queue {
    id: u64,
    jobs: VecDeque<Job>,
    weight: f64,
    /// Seconds of work over weight.
    served: f64,
    /// Seconds that a job takes, by the last ones.
    usual: f64,
    /// Whether its owner is gone.
    closed: bool,
}

impl Lanes {
    pub fn open(&mut self, weight: f64) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let weight = weight.max(1e-3);
        self.lanes.push(Queue { id, jobs: VecDeque::new(), weight, served: self.clock, usual: 0.01, closed: false });
        id
    }

    pub fn push(&mut self, id: u64, job: Job) {
        let clock = self.clock;
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) {
            if lane.jobs.is_empty() {
                lane.served = lane.served.max(clock);
            }
            lane.jobs.push_back(job);
        }
    }

    /// The next job, of the lane that has had least. It is charged what a job of that lane usually takes, and the rest when it is done.
    pub fn pop(&mut self) -> Option<(u64, f64, Job)> {
        let waiting = self.lanes.iter_mut().filter(|lane| !lane.jobs.is_empty());
        let lane = waiting.min_by(|a, b| a.served.total_cmp(&b.served))?;
        let job = lane.jobs.pop_front()?;
        self.clock = self.clock.max(lane.served);
        lane.served += lane.usual / lane.weight;
        let popped = (lane.id, lane.usual, job);
        self.lanes.retain(|lane| !(lane.closed && lane.jobs.is_empty()));
        Some(popped)
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.jobs.is_empty())
    }

    /// Settles the account of a job that was charged `charged` seconds and took `seconds`.
    pub fn settle(&mut self, id: u64, charged: f64, seconds: f64) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) {
            lane.served += (seconds - charged) / lane.weight;
            lane.usual += (seconds - lane.usual) / 8.0;
        }
    }

    pub fn close(&mut self, id: u64) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) {
            lane.closed = true;
        }
        self.lanes.retain(|lane| !(lane.closed && lane.jobs.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;
    use crate::pipeline::{Forgetful, Pipeline};
    use crate::sink::FolderSink;
    use crate::source::FolderSource;
    use std::path::Path;
    use std::sync::Arc;

    fn job(name: &str) -> Job {
        let folder = Path::new("/nowhere");
        let source = FolderSource::everything(folder);
        let pipeline = Pipeline::new(name, source, Vec::new(), FolderSink::new(folder, MediaKind::Image));
        let (home, _) = crossbeam::channel::unbounded();
        Job { pipeline: Arc::new(pipeline), inputs: Vec::new(), ledger: Arc::new(Forgetful), home }
    }

    /// What two busy lanes get of 400 jobs that take these seconds.
    fn shares(weights: [f64; 2], seconds: [f64; 2]) -> [usize; 2] {
        let mut lanes = Lanes::default();
        let ids = weights.map(|weight| lanes.open(weight));
        for _ in 0..400 {
            lanes.push(ids[0], job("a"));
            lanes.push(ids[1], job("b"));
        }
        let mut got = [0, 0];
        for _ in 0..400 {
            let (id, charged, _) = lanes.pop().unwrap();
            let which = usize::from(id == ids[1]);
            got[which] += 1;
            lanes.settle(id, charged, seconds[which]);
        }
        got
    }

    #[test]
    fn time_not_files_is_shared() {
        let [quick, slow] = shares([1.0, 1.0], [0.01, 0.09]);
        assert!((350..=370).contains(&quick), "{quick} {slow}");
    }

    #[test]
    fn a_higher_priority_gets_four_times_as_much() {
        let [high, normal] = shares([4.0, 1.0], [0.01, 0.01]);
        assert!((310..=330).contains(&high), "{high} {normal}");
    }

    #[test]
    fn who_comes_late_does_not_wait_for_the_backlog_of_others() {
        let mut lanes = Lanes::default();
        let (busy, late) = (lanes.open(1.0), lanes.open(1.0));
        for _ in 0..100 {
            lanes.push(busy, job("busy"));
        }
        for _ in 0..50 {
            let (id, charged, _) = lanes.pop().unwrap();
            lanes.settle(id, charged, 1.0);
        }
        lanes.push(late, job("late"));
        let next: Vec<u64> = (0..2).filter_map(|_| lanes.pop()).map(|(id, ..)| id).collect();
        assert!(next.contains(&late), "{next:?}");
        lanes.close(busy);
        assert_eq!(std::iter::from_fn(|| lanes.pop()).count(), 49, "what is queued is still done");
    }
}
