use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::bench::{self, Speed};
use crate::device::DeviceKind;
use crate::refuse;

#[derive(Args)]
pub struct Bench {
    /// Seconds for each measurement, 600 at most
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// What to compute on
    #[arg(long, value_enum, default_value_t)]
    device: DeviceKind,
}

impl Bench {
    /// Measures and prints a line each.
    pub fn run(self) -> Result<()> {
        if !(0.0..=600.0).contains(&self.seconds) {
            refuse!(Usage, "--seconds must be 0 to 600, not {}", self.seconds);
        }
        let device = self.device.open()?.autodiff();
        let budget = Duration::from_secs_f64(self.seconds);
        println!("forward + backward + Adam, GFLOP/s");
        let line = |what: &str, Speed { burn, ours }| println!("{what:<50} burn's own {burn:6.1}   ours {ours:6.1}");
        line("convolutions 3x3, 64 channels, 48x48, batch 16", bench::convolutions(&device, budget));
        line("GRU, 256 units, batch 128, 32 steps", bench::recurrence(&device, budget));
        Ok(())
    }
}
