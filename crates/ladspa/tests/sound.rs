//! What comes out is what `latentd apply` makes of the same sound, a constant time later, whatever the host's rate and blocks.
#![allow(missing_docs, clippy::unwrap_used)]

mod host;

use host::{ATTENUATION_LIMIT, LATE, MODE, OFFLINE, Plugin, STRENGTH, apply, difference, noisy};

#[test]
fn the_same_samples_come_out_as_of_a_file() {
    for (rate, channels) in [(48_000, 1), (48_000, 2), (44_100, 2), (16_000, 1), (8_000, 1), (96_000, 1)] {
        let sound = noisy(rate, 1.2, channels);
        let expected = apply(rate, &sound, &[]);
        // The largest first: it decides how late the sound is.
        for sizes in [&[1024][..], &[1], &[8192, 1, 64, 480, 1000, 7], &[20_000]] {
            let mut plugin = Plugin::new(channels, rate);
            plugin.activate();
            let found = plugin.run(&sound, sizes);
            let apart = difference(&expected, &found, plugin.latency());
            assert!(apart < 2e-6, "{rate} Hz, {channels} channels, blocks of {sizes:?}: {apart}");
            assert_eq!(plugin.controls[LATE], 0.0);
        }
    }
}

/// Bug: an empty block counted as the first and then once more, and all came later than was told.
#[test]
fn empty_blocks_change_nothing() {
    let sound = noisy(48_000, 0.6, 1);
    let mut plugin = Plugin::new(1, 48_000);
    plugin.controls[OFFLINE] = 0.0;
    plugin.activate();
    plugin.block(&mut [&mut []]);
    // All of it is before the first frame, so the worker need not be in time.
    let mut found = plugin.run(&[sound[0][..512].to_vec()], &[512]);
    plugin.controls[OFFLINE] = 1.0;
    found[0].extend(plugin.run(&[sound[0][512..].to_vec()], &[512]).remove(0));
    let apart = difference(&apply(48_000, &sound, &[]), &found, plugin.latency());
    assert!(apart < 2e-6, "{apart}");
}

#[test]
fn strength_and_attenuation_limit_are_those_of_the_stage() {
    let sound = noisy(48_000, 1.0, 1);
    for (strength, limit) in [(0.5, 100.0), (1.0, 12.0), (0.7, 30.0)] {
        let mut plugin = Plugin::new(1, 48_000);
        (plugin.controls[STRENGTH], plugin.controls[ATTENUATION_LIMIT]) = (strength, limit);
        plugin.activate();
        let found = plugin.run(&sound, &[512]);
        let mut settings = vec![("strength", f64::from(strength))];
        settings.extend((limit < 100.0).then_some(("attenuation_limit_db", f64::from(limit))));
        let apart = difference(&apply(48_000, &sound, &settings), &found, plugin.latency());
        assert!(apart < 1e-5, "strength {strength}, limit {limit} dB: {apart}");
    }
}

#[test]
fn bypass_is_the_sound_as_it_was_and_mute_is_silence() {
    let sound = noisy(48_000, 1.0, 2);
    let mut plugin = Plugin::new(2, 48_000);
    plugin.controls[MODE] = 1.0;
    plugin.activate();
    let found = plugin.run(&sound, &[300]);
    assert_eq!(difference(&sound, &found, plugin.latency()), 0.0);
    // No share of the network's, so that what fades is known.
    (plugin.controls[MODE], plugin.controls[STRENGTH]) = (2.0, 0.0);
    let found = plugin.run(&sound, &[300]);
    assert!(found.iter().all(|plane| plane[480..].iter().all(|&v| v == 0.0)));
    // No click on the way there: it fades, from what came before.
    let before: Vec<f32> = sound[0][sound[0].len() - plugin.latency()..].to_vec();
    for (n, (found, was)) in found[0].iter().zip(&before).take(480).enumerate() {
        let faded = was * (1.0 - (n + 1) as f32 / 480.0);
        assert!((found - faded).abs() < 0.01, "{n}: {found} instead of {faded}");
    }
    assert!(found[0][..100].iter().any(|v| v.abs() > 0.005));
}

#[test]
fn a_worker_that_is_late_leaves_the_sound_as_it_was_and_in_time() {
    let rate = 48_000;
    let sound = noisy(rate, 20.0, 1);
    let mut plugin = Plugin::new(1, rate);
    plugin.controls[OFFLINE] = 0.0;
    plugin.activate();
    // No machine computes twenty seconds of sound in the time that it takes to copy them.
    let found = plugin.run(&sound, &[8192]);
    assert!(plugin.controls[LATE] > 0.0);
    assert!(found[0].iter().all(|v| v.is_finite()));
    let latency = plugin.latency();
    // As soon as there is time again, everything is as it ought to be, at the same latency.
    plugin.controls[OFFLINE] = 1.0;
    let more = noisy(rate, 23.0, 1);
    let after = plugin.run(&[more[0][sound[0].len()..].to_vec()], &[480]);
    assert_eq!(plugin.latency(), latency);
    let expected = apply(rate, &more, &[]);
    let settled = 2 * rate as usize;
    let begin = sound[0].len() + settled - latency;
    let power = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v * v)).sum::<f64>();
    let apart = power(&mut after[0][settled..].iter().zip(&expected[0][begin..]).map(|(a, b)| a - b));
    let whole = power(&mut expected[0][begin..].iter().copied());
    // Where there was no room for it the worker was given silence, which the network remembers for a while; a frame too early or too late would
    // be as wrong as silence.
    assert!(apart < 0.05 * whole, "{apart} of {whole}");
}

#[test]
fn larger_blocks_than_any_before_make_it_later_once() {
    let sound = noisy(48_000, 2.0, 1).remove(0);
    let mut plugin = Plugin::new(1, 48_000);
    plugin.activate();
    let mut found = plugin.run(&[sound[..24_000].to_vec()], &[64]).remove(0);
    let before = plugin.latency();
    // A host that does not wait; the worker has done all there was to do when it comes.
    std::thread::sleep(std::time::Duration::from_millis(500));
    plugin.controls[OFFLINE] = 0.0;
    found.extend(plugin.run(&[sound[24_000..28_096].to_vec()], &[4096]).remove(0));
    let after = plugin.latency();
    assert!(after > before);
    plugin.controls[OFFLINE] = 1.0;
    found.extend(plugin.run(&[sound[28_096..].to_vec()], &[4096]).remove(0));
    assert_eq!(plugin.latency(), after);
    let expected = apply(48_000, &[sound], &[]);
    let early = difference(&expected, &[found[..24_000].to_vec()], before);
    assert!(early < 2e-6, "{early}");
    // Behind the seam, which is smoothed.
    let begin = 28_096 + 480;
    let apart = |(a, b): (&f32, &f32)| (a - b).abs();
    let late = found[begin..].iter().zip(&expected[0][begin - after..]).map(apart).fold(0.0, f32::max);
    assert!(late < 2e-6, "{late}");
}

#[test]
fn numbers_that_are_none_and_numbers_that_are_almost_nothing_do_no_harm() {
    let mut plugin = Plugin::new(1, 48_000);
    plugin.activate();
    let strange: Vec<f32> =
        (0..48_000).map(|n| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-41, -1e-44, f32::MAX][n % 6]).collect();
    let found = plugin.run(&[strange], &[333]);
    assert!(found[0].iter().all(|v| v.is_finite()));
    (plugin.controls[STRENGTH], plugin.controls[ATTENUATION_LIMIT], plugin.controls[MODE]) =
        (f32::NAN, f32::NAN, f32::NAN);
    let sound = noisy(48_000, 0.5, 1);
    assert!(plugin.run(&sound, &[333])[0].iter().all(|v| v.is_finite()));
    (plugin.controls[STRENGTH], plugin.controls[ATTENUATION_LIMIT], plugin.controls[MODE]) = (1.0, 100.0, 0.0);
    let sound = noisy(48_000, 1.0, 1);
    plugin.run(&sound, &[333]);
    assert_eq!(plugin.controls[LATE], 0.0, "the worker is alive");
}

#[test]
fn each_activation_begins_anew_and_instances_do_not_know_of_each_other() {
    let sound = noisy(48_000, 0.6, 1);
    let mut plugins: Vec<Plugin> = (0..8).map(|_| Plugin::new(1, 48_000)).collect();
    let mut results = Vec::new();
    for plugin in &mut plugins {
        for _ in 0..2 {
            plugin.activate();
            results.push(plugin.run(&sound, &[512]));
            plugin.deactivate();
        }
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    // Without `activate` the sound passes as it is.
    let mut idle = Plugin::new(1, 48_000);
    assert_eq!(idle.run(&sound, &[512]), sound);
    // Away it goes in the middle.
    plugins[0].activate();
    plugins[0].run(&sound, &[512]);
}

#[test]
fn impossible_rates_are_refused() {
    for rate in [0, 999, 768_001, u64::MAX] {
        let descriptor = latentd_ladspa::plugin::ladspa_descriptor(0);
        #[allow(unsafe_code)]
        let handle = unsafe { (*descriptor).instantiate.unwrap()(descriptor, rate) };
        assert!(handle.is_null(), "{rate}");
    }
    assert!(latentd_ladspa::plugin::ladspa_descriptor(2).is_null());
}
