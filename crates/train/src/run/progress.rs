use std::collections::BTreeSet;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::log::Entry;
use crate::tell;

/// Tells a person how far the run is: a bar on a terminal, a line a log entry elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    loss: Option<f64>,
    score: Option<f64>,
    name: &'static str,
    unit: &'static str,
    warned: BTreeSet<String>,
}

/// The bar's resolution: a run is measured by time or steps alike.
const TICKS: u64 = 1000;

impl Progress {
    /// A bar at `progress` (0..=1) on standard error; scores are shown by their name and unit.
    pub fn start(progress: f64, (name, unit): (&'static str, &'static str)) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}").expect("a valid template");
            ProgressBar::new(TICKS).with_position((progress * TICKS as f64) as u64).with_style(style)
        });
        Self { bar, loss: None, score: None, name, unit, warned: BTreeSet::new() }
    }

    /// Shows the latest entry.
    pub fn show(&mut self, progress: f64, entry: &Entry) {
        self.loss = Some(entry.loss);
        self.score = entry.score.or(self.score);
        if self.bar.is_some() {
            self.step(progress, entry.step, entry.seconds);
        } else {
            let line = self.line(progress, entry.step, entry.seconds);
            tell(format_args!("{:5.1}%  {line}", progress * 100.0));
        }
    }

    /// Moves the bar, where there is one: its steps are seen one by one.
    pub fn step(&self, progress: f64, step: u64, seconds: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position((progress * TICKS as f64) as u64);
            bar.set_message(self.line(progress, step, seconds));
        }
    }

    /// Warns, of the same thing once.
    pub fn warn(&mut self, what: String) {
        if self.warned.contains(&what) {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(format_args!("warning: {what}"))),
            None => tell(format_args!("warning: {what}")),
        }
        self.warned.insert(what);
    }

    /// Leaves the bar as it stands.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }

    fn line(&self, progress: f64, step: u64, seconds: f64) -> String {
        let loss = self.loss.map_or_else(|| "-".to_owned(), |loss| format!("{loss:.5}"));
        let score = self.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2} {}", self.unit));
        // Before the first step nobody knows.
        let left = if seconds > 0.0 && progress > 0.0 {
            clock(Duration::from_secs_f64(seconds * (1.0 - progress) / progress.max(1e-6)))
        } else {
            "-".to_owned()
        };
        format!("step {step}  loss {loss}  {} {score}  {left} left", self.name)
    }
}

/// A time as people write it: hours, minutes, seconds.
pub fn clock(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    format!("{}:{:02}:{:02}", minutes / 60, minutes % 60, time.as_secs() % 60)
}
