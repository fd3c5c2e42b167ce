use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::log::Entry;

/// Tells a person how far the run is: a bar on a terminal, a line a log entry elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    psnr: Option<f64>,
}

/// The bar's resolution: a run is measured by time or steps alike.
const TICKS: u64 = 1000;

impl Progress {
    /// A bar at `progress` (0..=1) on standard error.
    pub fn start(progress: f64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}").expect("a valid template");
            ProgressBar::new(TICKS).with_position((progress * TICKS as f64) as u64).with_style(style)
        });
        Self { bar, psnr: None }
    }

    /// Shows the latest entry.
    pub fn show(&mut self, progress: f64, entry: &Entry) {
        self.psnr = entry.psnr.or(self.psnr);
        let left = Duration::from_secs_f64(entry.seconds * (1.0 - progress) / progress.max(1e-6));
        let score = self.psnr.map_or_else(|| "-".to_owned(), |psnr| format!("{psnr:.2} dB"));
        let line = format!("step {}  loss {:.5}  PSNR {score}  {} left", entry.step, entry.loss, clock(left));
        match &self.bar {
            Some(bar) => {
                bar.set_position((progress * TICKS as f64) as u64);
                bar.set_message(line);
            }
            None => eprintln!("{:5.1}%  {line}", progress * 100.0),
        }
    }

    /// Leaves the bar as it stands.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn clock(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    format!("{}:{:02}:{:02}", minutes / 60, minutes % 60, time.as_secs() % 60)
}
