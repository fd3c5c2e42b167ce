//! What threads that must be in time ask of the system.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The priority that is asked for.
const WANTED: u8 = 20;

/// Asks the system to prefer this thread, and those that it starts from then on, to ordinary ones; whether the user is allowed to. Who may not ask for
/// as much as is wanted asks for as much as may be: PulseAudio's own limit is 9.
pub fn prefer_this_thread() -> bool {
    let allowed = most();
    ask(WANTED) || ((1..WANTED).contains(&allowed) && ask(allowed))
}

fn ask(priority: u8) -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let asked = ThreadPriority::Crossplatform(priority.try_into().unwrap_or(ThreadPriorityValue::MIN));
    set_thread_priority_and_policy(thread_native_id(), asked, policy).is_ok()
}

/// The highest priority that the user may ask for.
#[cfg(target_os = "linux")]
fn most() -> u8 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Rtprio).current;
    limit.and_then(|limit| u8::try_from(limit).ok()).unwrap_or(u8::MAX)
}

/// Not known, and so nothing less is asked for.
#[cfg(not(target_os = "linux"))]
fn most() -> u8 {
    0
}
