//! The host's callback allocates nothing, whatever happens in it.
#![allow(missing_docs, clippy::unwrap_used)]

mod host;

use assert_no_alloc::{AllocDisabler, assert_no_alloc, violation_count};
use host::{MODE, OFFLINE, Plugin, STRENGTH, noisy};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn nothing_is_allocated_in_the_callback() {
    for rate in [44_100, 48_000] {
        let mut sound = noisy(rate, 1.0, 2);
        let mut plugin = Plugin::new(2, rate);
        plugin.activate();
        let (left, right) = sound.split_at_mut(1);
        let (left, right) = (&mut left[0], &mut right[0]);
        // From the first block on: growing ones, late ones, each mode, and a host that waits.
        for offline in [0.0, 1.0] {
            plugin.controls[OFFLINE] = offline;
            for size in [1, 64, 480, 1023, 4096, 8192, 20_000, 3] {
                for (mode, strength) in [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (0.0, 0.4)] {
                    (plugin.controls[MODE], plugin.controls[STRENGTH]) = (mode, strength);
                    assert_no_alloc(|| plugin.block(&mut [&mut left[..size], &mut right[..size]]));
                }
            }
        }
        assert_eq!(violation_count(), 0, "{rate} Hz");
    }
}
