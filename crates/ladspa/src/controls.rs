//! What the host's controls say.

/// What the host's controls say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Controls {
    /// By how much noise is made quieter at most, in dB; from 100 on there is no limit but the network's own.
    pub attenuation_limit_db: f32,
    /// The denoised sound's share, 0..1.
    pub strength: f32,
    /// What is done at all.
    pub mode: Mode,
    /// Wait for the worker rather than be late: for hosts that are not in a hurry, and only for them.
    pub offline: bool,
}

/// What is done at all. The sound is equally late in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Noise is taken away.
    Process,
    /// The sound passes as it is.
    Bypass,
    /// Silence.
    Mute,
}

impl Default for Controls {
    fn default() -> Controls {
        Controls { attenuation_limit_db: 100.0, strength: 1.0, mode: Mode::Process, offline: false }
    }
}

impl Controls {
    /// The denoised sound's share, 0..1, whatever the host has set; the network by itself `keeps` that much of the sound as it was.
    pub(crate) fn wet(&self, keeps: f64) -> f32 {
        if self.mode == Mode::Bypass {
            return 0.0;
        }
        let limit = f64::from(finite(self.attenuation_limit_db)).max(0.0);
        let strength = f64::from(finite(self.strength)).clamp(0.0, 1.0);
        latentd::stage::share(strength, (limit < 100.0).then_some(limit), keeps)
    }
}

fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}
