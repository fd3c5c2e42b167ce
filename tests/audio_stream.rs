//! A file and a microphone give the same samples: one chain of stages, cut into blocks in any way.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
mod live_common;

use audio_common::{
    Dice, HALF, Port, Tiny, constant, lag, node, noise, pipeline, rms, si_sdr, sound_model, speech, through, tiny_model,
};
use common::Home;
use latentd::media::Audio;
use latentd::media::audio::{Block, Depth, Memory, Process};
use live_common::{Bench, live};

fn stages(home: &Home) -> String {
    let own = tiny_model(&home.path("own"), Tiny { gain: 0.8, fades: true, ..HALF });
    let other = tiny_model(
        &home.path("other"),
        Tiny { rate: 16_000, window: 512, hop: 256, pairs: true, gain: 0.9, fades: false },
    );
    format!(
        "high_pass: {{frequency: 60}}, denoise: {{model: {}, attenuation_limit_db: 25}}, denoise: {{model: {}}}",
        own.display(),
        other.display()
    )
}

fn file_result(home: &Home, sound: &[f32]) -> Block {
    let pipeline = pipeline(&home.path(""), &stages(home));
    let audio = Audio::new(Memory::new(48_000, Block::from_planes(vec![sound.to_vec()])), Depth::Float);
    through(&pipeline, audio).unwrap().read_all().unwrap()
}

#[test]
fn blocks_of_any_size_give_the_samples_of_the_file() {
    let home = Home::new();
    let sound = speech(48_000, 2.0);
    let expected = file_result(&home, &sound);
    let mut chain = live(&home.path(""), &stages(&home)).chain().unwrap();
    let delay = chain.delay();
    let mut dice = Dice::new(4);
    let (mut out, mut block, mut at) = (Vec::new(), Block::new(1), 0);
    while at < sound.len() {
        let size = (1 + (dice.next().abs() * 1500.0) as usize).min(sound.len() - at);
        chain.process(&Block::from_planes(vec![sound[at..at + size].to_vec()]), &mut block).unwrap();
        out.extend_from_slice(block.plane(0));
        at += size;
    }
    let live = &out[delay..];
    assert!(live.len() > 90_000);
    let differs = live.iter().zip(expected.plane(0)).position(|(a, b)| a != b);
    assert_eq!(differs, None, "the samples differ");
}

#[test]
fn the_live_path_adds_only_its_delay() {
    let home = Home::new();
    let sound = speech(48_000, 4.0);
    let expected = file_result(&home, &sound);
    let chain = live(&home.path(""), &stages(&home)).chain().unwrap();
    let mut bench = Bench::new(chain, 48_000, 48_000);
    let mut out = Vec::new();
    for block in sound.chunks(480) {
        bench.hear(block);
        out.extend(bench.play(480));
    }
    let by = lag(&expected.plane(0)[48_000..96_000], &out[48_000..], 9600);
    let fit = si_sdr(&out[48_000 + by..96_000 + by], &expected.plane(0)[48_000..96_000]);
    // What is lost is the top of the band, to the resampler that follows the clocks.
    assert!(fit > 35.0, "{fit:.1} dB");
    let status = bench.control.status();
    assert_eq!((status.xruns, status.late_blocks, status.dropped_blocks), (0, 0, 0));
    let told = status.latency_ms * 48.0;
    assert!((told - by as f32).abs() < 480.0, "it tells {told:.0} frames of delay, and there are {by}");
}

#[test]
fn bypass_and_strength_fade_and_keep_the_delay() {
    let home = Home::new();
    let mute = tiny_model(&home.path("mute"), Tiny { gain: 0.0, ..HALF });
    let stages = format!("denoise: {{model: {}}}", mute.display());
    let mut bench = Bench::new(live(&home.path(""), &stages).chain().unwrap(), 48_000, 48_000);
    let tone = |n: usize| 0.5 * (n as f32 * 2.0 * std::f32::consts::PI * 200.0 / 48_000.0).sin();
    let mut out = Vec::new();
    for block in 0..500 {
        match block {
            100 => bench.control.set_bypass(true),
            200 => bench.control.set_bypass(false),
            300 => bench.control.set_strength(0.5),
            400 => bench.control.set_strength(1.0),
            _ => {}
        }
        let sound: Vec<f32> = (0..480).map(|n| tone(block * 480 + n)).collect();
        bench.hear(&sound);
        out.extend(bench.play(480));
    }
    let loud = |from: usize, to: usize| audio_common::rms(&out[from * 480..to * 480]);
    assert!(loud(50, 95) < 1e-4 && loud(250, 300) < 1e-4, "the stages are silent");
    assert!((loud(120, 195) - 0.3535).abs() < 0.01, "bypassed, it is the tone: {}", loud(120, 195));
    assert!((loud(320, 395) - 0.1768).abs() < 0.01, "half of it is the tone: {}", loud(320, 395));
    assert!(loud(420, 500) < 1e-4, "and then the stages again");
    let jump = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.02, "a click of {jump}");
    assert_eq!(bench.control.status().xruns, 0);
}

/// A change of the pipeline while it runs: other stages take over within some blocks, and no block is missing.
#[test]
fn stages_are_replaced_without_a_gap() {
    let home = Home::new();
    let full = tiny_model(&home.path("full"), Tiny { gain: 1.0, ..HALF });
    let half = tiny_model(&home.path("half"), HALF);
    let chain = |model: &std::path::Path| {
        live(&home.path(""), &format!("denoise: {{model: {}}}", model.display())).chain().unwrap()
    };
    let mut bench = Bench::new(chain(&full), 48_000, 48_000);
    let mut out = Vec::new();
    for block in 0..300 {
        if block == 100 {
            bench.control.replace(chain(&half));
        }
        let sound: Vec<f32> = (0..480)
            .map(|n| 0.5 * ((block * 480 + n) as f32 * 2.0 * std::f32::consts::PI * 200.0 / 48_000.0).sin())
            .collect();
        bench.hear(&sound);
        out.extend(bench.play(480));
    }
    let loud = |from: usize, to: usize| audio_common::rms(&out[from * 480..to * 480]);
    assert!((loud(50, 100) - 0.3535).abs() < 0.01 && (loud(160, 300) - 0.1768).abs() < 0.01);
    // It begins when the devices have settled.
    for block in 40..290 {
        assert!(loud(block, block + 2) > 0.15, "silence at block {block}");
    }
    let jump = out[4800..].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.02, "a click of {jump}");
}

/// A network that knows nothing of the sound yet lets noise pass: a change of `strength` was heard as two pieces of it, 27 dB louder.
#[test]
fn stages_that_take_over_know_the_sound() {
    let home = Home::new();
    let chain = |strength: &str| {
        live(&home.path(""), &format!("denoise: {{ model: denoise-speech, strength: {strength} }}")).chain().unwrap()
    };
    let mut bench = Bench::new(chain("1"), 48_000, 48_000);
    let mut noise = 1u32;
    let mut out = Vec::new();
    for block in 0..400 {
        if block == 200 {
            bench.control.replace(chain("0.97"));
        }
        let sound: Vec<f32> = (0..480)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 8) as f32 / 16_777_216.0 * 0.1 - 0.05
            })
            .collect();
        bench.hear(&sound);
        out.extend(bench.play(480));
    }
    let loud = |block: usize| rms(&out[block * 480..(block + 1) * 480]);
    let most = |blocks: std::ops::Range<usize>| blocks.map(loud).fold(0.0, f32::max);
    // Before, the model's own 3 % are left; with 0.97 as much again.
    assert!(most(150..200) < 0.003, "{}", most(150..200));
    assert!(most(200..400) < 0.006, "{}", most(200..400));
}

/// There was silence for as long as the delay grew.
#[test]
fn stages_with_a_longer_delay_make_no_hole() {
    let home = Home::new();
    let full = tiny_model(&home.path("full"), Tiny { gain: 1.0, ..HALF });
    let longer = live(&home.path(""), &format!("denoise: {{model: {}}}", full.display())).chain().unwrap();
    assert!(longer.delay() > 400);
    let mut bench = Bench::new(live(&home.path(""), "high_pass").chain().unwrap(), 48_000, 48_000);
    let mut longer = Some(longer);
    let mut out = Vec::new();
    for block in 0..200 {
        if block == 100 {
            bench.control.replace(longer.take().unwrap());
        }
        let sound: Vec<f32> = (0..480)
            .map(|n| 0.5 * ((block * 480 + n) as f32 * 2.0 * std::f32::consts::PI * 1000.0 / 48_000.0).sin())
            .collect();
        bench.hear(&sound);
        out.extend(bench.play(480));
    }
    // It begins when the devices have settled. A part is two and a half waves long.
    for (at, part) in out[40 * 480..].chunks_exact(120).enumerate() {
        assert!(rms(part) > 0.1, "a hole after {:.1} ms", at as f64 * 2.5);
    }
}

/// Old stages may hold part of a block that they never give: the sound as it is was late by that from then on.
#[test]
fn after_stages_of_another_hop_the_sound_as_it_is_is_in_time_with_the_new_ones() {
    let home = Home::new();
    let odd = tiny_model(&home.path("odd"), Tiny { window: 512, hop: 256, ..HALF });
    let half = tiny_model(&home.path("half"), HALF);
    let chain = |model: &std::path::Path| {
        live(&home.path(""), &format!("denoise: {{model: {}}}", model.display())).chain().unwrap()
    };
    let mut bench = Bench::new(chain(&odd), 48_000, 48_000);
    bench.control.set_strength(0.5);
    // After 101 blocks, when the new ones have heard 50, the old stages hold 96 frames, half a wave of 250 Hz: one half of the sound would take the other away.
    let mut out = Vec::new();
    for block in 0..400 {
        if block == 51 {
            bench.control.replace(chain(&half));
        }
        let sound: Vec<f32> = (0..480)
            .map(|n| 0.5 * ((block * 480 + n) as f32 * 2.0 * std::f32::consts::PI * 250.0 / 48_000.0).sin())
            .collect();
        bench.hear(&sound);
        out.extend(bench.play(480));
    }
    let loud = |from: usize, to: usize| rms(&out[from * 480..to * 480]);
    let (before, after) = (loud(60, 95), loud(300, 400));
    assert!((before - 0.265).abs() < 0.01 && (after - 0.265).abs() < 0.01, "{before} and {after}");
}

/// The thread was kept away for 60 ms: sound passes as it is until it has caught up, and the delay is what it was.
#[test]
fn late_blocks_pass_dry_and_the_delay_does_not_grow() {
    let home = Home::new();
    let mute = tiny_model(&home.path("mute"), Tiny { gain: 0.0, ..HALF });
    let stages = format!("denoise: {{model: {}}}", mute.display());
    let mut bench = Bench::new(live(&home.path(""), &stages).chain().unwrap(), 48_000, 48_000);
    let sound: Vec<f32> = speech(48_000, 6.0).iter().map(|v| v * 4.0).collect();
    let blocks: Vec<&[f32]> = sound.chunks(480).collect();
    let mut fills = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if (200..206).contains(&number) {
            bench.only_hear(block);
        } else {
            bench.hear(block);
        }
        bench.play(480);
        fills.push(bench.control.status().ring_ms[0]);
    }
    let status = bench.control.status();
    assert!(status.late_blocks >= 1 && status.dropped_blocks >= 2, "{status:?}");
    assert!(status.xruns >= 1, "the speaker had nothing for 60 ms: {status:?}");
    let after = fills[560..].iter().copied().fold(0.0, f32::max);
    let before = fills[100..200].iter().copied().fold(0.0, f32::max);
    assert!(after < before + 6.0, "{before} ms were ready before, {after} ms after");
}

/// The gain in dB of each block of 10 ms, for so many seconds of noise.
fn gains(chain: &mut impl Process, seconds: usize, level: f32) -> Vec<f32> {
    let mut block = Block::new(1);
    let gain = |n: usize| {
        let sound = noise(480, level, n as u64);
        chain.process(&Block::from_planes(vec![sound.clone()]), &mut block).unwrap();
        20.0 * (rms(block.plane(0)) / rms(&sound)).log10()
    };
    (0..seconds * 100).map(gain).collect()
}

/// The gain rose in every pause, or in every long one, and with it what is left of the noise. A root mean square of 0.043 is -25 LUFS here.
#[test]
fn pauses_are_not_made_louder_and_who_speaks_lower_is_heard_at_last() {
    let home = Home::new();
    let mut chain = live(&home.path(""), "level: {loudness: -20}").chain().unwrap();
    let loud = 0.043;
    let (room, softer) = (loud / 10.0, loud / 2.5);
    let speaking = gains(&mut chain, 8, loud)[799];
    assert!(speaking > 3.0, "{speaking:.1} dB");
    let pause = gains(&mut chain, 60, room);
    let most = pause.iter().copied().fold(speaking, f32::max);
    let least = pause.iter().copied().fold(speaking, f32::min);
    assert!(most - least < 1.5, "{speaking:.1} dB, in the pause {least:.1} to {most:.1} dB");
    let again = gains(&mut chain, 1, loud)[99];
    assert!((again - speaking).abs() < 1.0, "{speaking:.1} dB, after the pause {again:.1} dB");
    let lower = gains(&mut chain, 15, softer)[1499];
    assert!(lower > speaking + 6.0, "{speaking:.1} dB, and for soft speech {lower:.1} dB");
}

/// The gain that soft speech had was taken back at 3 dB a second, and the loud words after it came out near full scale. The loudness wanted is so
/// low that the limiter has no part in what is measured.
#[test]
fn loud_speech_after_soft_is_too_loud_for_a_moment_only() {
    let home = Home::new();
    let mut chain = live(&home.path(""), "level: {loudness: -30}").chain().unwrap();
    let loud = 0.0136;
    let speaking = gains(&mut chain, 8, loud)[799];
    let soft = gains(&mut chain, 25, loud / 4.0)[2499];
    assert!(soft > speaking + 10.0, "{speaking:.1} dB, and 12 dB softer {soft:.1} dB");
    let again = gains(&mut chain, 10, loud);
    let too_loud = again.iter().filter(|gain| **gain > speaking + 6.0).count();
    assert!(too_loud <= 50, "more than 6 dB too loud for {too_loud} blocks of 10 ms");
    assert!((again[999] - speaking).abs() < 1.0, "{speaking:.1} dB, and at last {:.1} dB", again[999]);
    let step = again.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step < 1.0, "the gain jumped by {step:.1} dB from one block to the next");
}

/// What a network remembers of speech fades in silence, and once it was too small for floats to hold well, silence cost more than speech. Here each frame is
/// given with all that is remembered, which halves from frame to frame.
#[test]
fn a_network_remembers_no_denormal_numbers() {
    let home = Home::new();
    let shape: &[usize] = &[1, 480];
    let inputs: [Port; 2] = [("wave", shape), ("past", shape)];
    let outputs: [Port; 2] = [("heard", shape), ("next_past", shape)];
    let nodes = vec![node("Add", &["wave", "past"], "heard"), node("Mul", &["heard", "half"], "next_past")];
    let audio = "sample_rate: 48000, window: 480, hop: 480, taper: rectangular, input: {port: wave, form: waveform}, \
                 output: {port: heard, form: waveform}, states: [{input: past, output: next_past}]";
    let echo = sound_model(&home.path("echo"), nodes, vec![constant("half", 0.5)], [&inputs, &outputs], audio);
    let voice = speech(48_000, 1.0);
    // The second is too soft itself.
    for (what, gain, heard_at_all) in [("speech", 1.0, true), ("a whisper", 1e-39, false)] {
        let mut sound: Vec<f32> = voice.iter().map(|v| v * gain).collect();
        // Three hundred frames: after some 120 of them what is left of a sound would be denormal, after 150 nothing.
        sound.resize(sound.len() + 144_000, 0.0);
        let mut chain = live(&home.path(""), &format!("denoise: {{model: {}}}", echo.display())).chain().unwrap();
        let (mut block, mut heard) = (Block::new(1), Vec::new());
        for samples in sound.chunks(480) {
            chain.process(&Block::from_planes(vec![samples.to_vec()]), &mut block).unwrap();
            heard.extend_from_slice(block.plane(0));
        }
        let most = heard.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert_eq!((heard.len(), most > 0.0), (sound.len(), heard_at_all), "{what}: up to {most}");
        let denormal = heard.iter().filter(|v| v.is_subnormal()).count();
        assert!(denormal == 0 && heard.ends_with(&[0.0; 480]), "{what}: {denormal} denormal numbers");
    }
}
