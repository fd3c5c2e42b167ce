//! What systemd is told, if it started the daemon: readiness, reloads, the end, a line for people, and that it lives.

use std::time::Duration;

use sd_notify::NotifyState;

use super::status::Status;

/// How often to call [`alive`]: twice within what the service manager allows, and often enough for `/healthz`.
pub fn pulse() -> Duration {
    let most = Duration::from_secs(5);
    sd_notify::watchdog_enabled().map_or(most, |watchdog| (watchdog / 2).min(most))
}

fn tell(states: &[NotifyState]) {
    if let Err(e) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be told: {e}");
    }
}

/// The start takes longer, for at least this time.
pub fn preparing(time: Duration) {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros), NotifyState::Status("measuring how models run fastest here")]);
}

/// Everything is started, or reloaded.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end begins.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It lives, and does this.
pub fn alive(status: &Status) {
    let sum = |of: fn(&super::status::PipelineStatus) -> u64| status.pipelines.iter().map(of).sum::<u64>();
    let waiting = sum(|p| (p.queue.ready + p.queue.working + p.queue.settling) as u64);
    let line = format!(
        "{} pipelines, {} done, {waiting} on their way, {} in quarantine",
        status.pipelines.len(),
        sum(|p| p.counts.done),
        sum(|p| p.counts.quarantined)
    );
    tell(&[NotifyState::Watchdog, NotifyState::Status(&line)]);
}
