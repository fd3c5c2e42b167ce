//! Counters and histograms in the text format of Prometheus.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::status::{self, PipelineStatus, Queue, Status};
use crate::pipeline::{Outcome, Ticket};

/// Where files can be on their way: the fields of [`Queue`].
const STATES: [&str; 5] = ["settling", "ready", "working", "later", "originals"];

/// Names and values.
type Labels = Vec<(&'static str, String)>;

/// What is counted. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    jobs: Family<Labels, Counter>,
    quarantined: Family<Labels, Counter>,
    job_seconds: Family<Labels, Histogram>,
    stage_seconds: Family<Labels, Histogram>,
    queue: Family<Labels, Gauge>,
    live: Family<Labels, Gauge<f64, AtomicU64>>,
    memory: Gauge,
    ready: Gauge,
}

/// From a millisecond to two minutes.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Metrics {
        let metrics = Metrics {
            registry: Arc::new(Mutex::new(Registry::with_prefix("latentd"))),
            jobs: Family::default(),
            quarantined: Family::default(),
            job_seconds: Family::new_with_constructor(seconds),
            stage_seconds: Family::new_with_constructor(seconds),
            queue: Family::default(),
            live: Family::default(),
            memory: Gauge::default(),
            ready: Gauge::default(),
        };
        {
            let mut to = metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
            to.register("jobs", "Jobs that came to an end, by outcome", metrics.jobs.clone());
            to.register("quarantined", "Inputs that were put aside", metrics.quarantined.clone());
            let (job, stage) = (metrics.job_seconds.clone(), metrics.stage_seconds.clone());
            to.register_with_unit("job", "Time from open to published", Unit::Seconds, job);
            to.register_with_unit("stage", "Time in one stage", Unit::Seconds, stage);
            to.register("queue", "Files on their way, by state", metrics.queue.clone());
            to.register("live", "What live pipelines tell of their streams, xruns among it", metrics.live.clone());
            to.register_with_unit("memory", "Resident memory", Unit::Bytes, metrics.memory.clone());
            to.register("ready", "1 if all pipelines do what they should", metrics.ready.clone());
        }
        metrics
    }
}

fn labels(pipeline: &str, more: Option<(&'static str, &str)>) -> Labels {
    let more = more.map(|(name, value)| (name, value.to_owned()));
    std::iter::once(("pipeline", pipeline.to_owned())).chain(more).collect()
}

impl Metrics {
    /// Counts a job that came home.
    pub fn ticket(&self, pipeline: &str, ticket: &Ticket) {
        let outcome = match &ticket.outcome {
            Outcome::Done(_) => "done",
            Outcome::Known(_) => "known",
            Outcome::Vanished => "vanished",
            Outcome::Failed { .. } => "failed",
            Outcome::Dropped => return,
        };
        self.jobs.get_or_create(&labels(pipeline, Some(("outcome", outcome)))).inc();
        if let Outcome::Done(_) = ticket.outcome {
            self.job_seconds.get_or_create(&labels(pipeline, None)).observe(ticket.elapsed.as_secs_f64());
        }
        for (stage, time) in &ticket.stages {
            self.stage_seconds.get_or_create(&labels(pipeline, Some(("stage", stage)))).observe(time.as_secs_f64());
        }
    }

    /// Counts an input that was put aside.
    pub fn quarantined(&self, pipeline: &str) {
        self.quarantined.get_or_create(&labels(pipeline, None)).inc();
    }

    /// Shows how many files are on their way.
    pub fn queue(&self, pipeline: &str, queue: &Queue) {
        let Queue { settling, ready, working, later, originals } = queue;
        for (state, count) in STATES.into_iter().zip([settling, ready, working, later, originals]) {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.queue.get_or_create(&labels(pipeline, Some(("state", state)))).set(count);
        }
    }

    /// Shows no longer how a pipeline is that is gone. What it has done stays counted.
    pub fn forget(&self, pipeline: &PipelineStatus) {
        for state in STATES {
            self.queue.remove(&labels(&pipeline.name, Some(("state", state))));
        }
        for (name, _) in pipeline.live.iter().filter_map(|live| live.as_object()).flatten() {
            self.live.remove(&labels(&pipeline.name, Some(("what", name))));
        }
    }

    /// All of it as text.
    pub fn text(&self, status: &Status) -> String {
        self.memory.set(i64::try_from(status::memory()).unwrap_or(i64::MAX));
        self.ready.set(i64::from(status.ready));
        for pipeline in &status.pipelines {
            // Numbers of a live pipeline, whatever they are: xruns, delay, levels; and 0 or 1 for what is so or not.
            for (name, value) in pipeline.live.iter().filter_map(|live| live.as_object()).flatten() {
                if let Some(value) = value.as_f64().or_else(|| value.as_bool().map(|is| f64::from(u8::from(is)))) {
                    self.live.get_or_create(&labels(&pipeline.name, Some(("what", name)))).set(value);
                }
            }
        }
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }
}
