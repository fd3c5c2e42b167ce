//! What threads that must be in time ask of the system.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Asks the system to prefer this thread to ordinary ones; whether the user is allowed to.
pub fn prefer_this_thread() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let asked = ThreadPriority::Crossplatform(20u8.try_into().unwrap_or(ThreadPriorityValue::MIN));
    set_thread_priority_and_policy(thread_native_id(), asked, policy).is_ok()
}
