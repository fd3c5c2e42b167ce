//! What the verbs share that ask a running daemon.

use std::path::PathBuf;

use super::paths;
use crate::daemon::control::Client;

/// Which daemon is meant.
#[derive(Debug, Default, clap::Args)]
pub struct Which {
    /// The daemon's control socket; the user's own daemon, or else the system's, if not given
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Which {
    /// Its client.
    pub fn client(&self) -> Client {
        let [own, system] = paths::sockets();
        let usual = if !own.exists() && system.exists() { system } else { own };
        Client::new(self.socket.as_ref().unwrap_or(&usual))
    }

    /// Whether none was named.
    pub fn is_usual(&self) -> bool {
        self.socket.is_none()
    }
}

/// What a live pipeline tells of its streams, in a line.
pub fn live_line(live: &serde_json::Value) -> String {
    let number = |name: &str| live[name].as_f64().unwrap_or_default();
    let pair = |name: &str| [0, 1].map(|at| live[name][at].as_f64().unwrap_or_default());
    let (xruns, late, left_out) = (number("xruns"), number("late_blocks"), number("dropped_blocks"));
    let counted = format!("{xruns} xruns, {late} blocks late, {left_out} left out");
    let bypassed = match number("strength") {
        _ if live["bypass"] == true => "bypassed; ".to_owned(),
        strength if live["strength"].is_number() && strength < 1.0 => format!("strength {strength:.2}; "),
        _ => String::new(),
    };
    // Of a stream that does not run there is only what was counted, and what was told.
    if live["state"] != "running" {
        return format!("{bypassed}{counted}");
    }
    let ([ready, wanted], [input, output]) = (pair("ring_ms"), pair("level_db"));
    let (delay, load) = (number("latency_ms"), number("load"));
    format!(
        "{bypassed}{delay:.1} ms from end to end, load {load:.2}; {ready:.0} of {wanted:.0} ms ready; {counted}; {input:.0} dB in, {output:.0} dB out"
    )
}

/// `3 s`, `5 min`, `2 h`, `4 days`.
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
