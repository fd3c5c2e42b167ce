//! The live path on a real sound server: noisy speech is played into a microphone, and what comes out of the speaker is the cleaned speech. The
//! server may die and come back in the middle.
//!
//! Needs `pulseaudio`, `pulseaudio-utils` and `espeak-ng`; without them the test says so and passes, unless LATENTD_REQUIRE_SOUND is set, as in .ci/run.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
#[path = "live_common/server.rs"]
mod server;
#[path = "live_common/speech.rs"]
mod speech;

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::process::Stdio;
use std::time::Duration;

use audio_common::{read, rms, write_wav};
use common::{Daemon, Home, wait_for};
use server::{Server, available};
use speech::{voice, with_a_fan};

const LONG: Duration = Duration::from_secs(180);

fn start(home: &Home, server: &Server, stages: &str) -> Daemon {
    server.listen(home, "mic.monitor", stages, "out")
}

#[test]
fn noisy_speech_comes_out_clean_and_a_killed_server_is_survived() {
    if !available() {
        return;
    }
    let home = Home::new();
    let mut server = Server::new(&home);
    let (clean, noisy) = with_a_fan(&home);
    let file = home.path("noisy.wav");
    write_wav(&file, 48_000, std::slice::from_ref(&noisy), 16, false);
    let noisy = read(&file).plane(0).to_vec();
    let daemon = start(&home, &server, "denoise: { model: denoise-speech }");

    let improvement = |server: &Server| -> f64 {
        let heard = server.record(|| {
            server.play(&file);
            std::thread::sleep(Duration::from_millis(500));
        });
        speech::improvement(&clean, &noisy, &heard)
    };
    // Where the machine is busy with something else for a while, the sound comes as it is: so it is heard out up to three times.
    let gain_of = |server: &Server| (0..3).map(|_| improvement(server)).find(|gain| *gain >= 5.0);
    assert!(gain_of(&server).is_some(), "not 5 dB better\n{}", daemon.log());

    // Where the machine is busy, a device may have seemed to be gone before.
    let lost = daemon.times("waiting for");
    server.kill();
    wait_for("the loss to be told", LONG, || daemon.times("waiting for") > lost);
    let heard = daemon.times("listening to");
    server.start();
    wait_for("its return", LONG, || daemon.times("listening to") > heard);
    assert!(gain_of(&server).is_some(), "not 5 dB better after the restart\n{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// A minute of speech: nothing is lost, and nothing comes late. It needs a machine with time to spare: `cargo test --release --test live_server -- --ignored`.
#[test]
#[ignore = "takes a minute, and a machine that does nothing else"]
fn a_minute_passes_without_an_xrun() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let voice = voice(&home);
    let minute: Vec<f32> = voice.iter().copied().cycle().take(48_000 * 90).collect();
    let file = home.path("minute.wav");
    write_wav(&file, 48_000, &[minute], 16, false);
    // A program that begins to play makes the server leave out some of what the monitor hears, which no microphone does.
    let mut speaker = server.begin(&file);
    std::thread::sleep(Duration::from_secs(2));
    let daemon = start(&home, &server, "denoise: { model: denoise-speech }");
    std::thread::sleep(Duration::from_secs(60));
    daemon.signal("-TERM");
    wait_for("the end", LONG, || daemon.log().contains("ended;"));
    speaker.kill().unwrap();
    speaker.wait().unwrap();
    let log = daemon.log();
    println!("{log}");
    assert!(log.contains("xruns=0") && log.contains("late_blocks=0") && log.contains("dropped_blocks=0"), "{log}");
}

/// `latentd devices` on that server: both directions, ids that can be pinned, and the delay from the speaker to the microphone of a loop.
#[test]
fn devices_are_listed_and_the_delay_is_measured() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let run = |args: &[&str]| {
        let mut command = home.latentd();
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", &server.runtime)
            .env("HOME", &server.runtime)
            .env_remove("PULSE_SERVER");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let list = run(&["devices"]);
    assert!(list.contains("mic-sink") && list.contains("pulseaudio:out"), "{list}");
    let json: Vec<serde_json::Value> =
        run(&["devices", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let monitor = json.iter().find(|d| d["id"] == "pulseaudio:mic.monitor").unwrap();
    assert_eq!((&monitor["direction"], &monitor["rate"]), (&"microphone".into(), &48_000.into()));
    // Where the machine is busy for a moment, one measurement says nothing: so there are up to three.
    let measure = |microphone: &str, right: Range<f64>| {
        let mut found = Vec::new();
        while found.len() < 3 {
            let text = run(&["devices", "--measure", "--microphone", microphone, "--speaker", "mic", "--json"]);
            let measured: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
            let delay = measured["latency_ms"].as_f64().unwrap();
            if right.contains(&delay) {
                return delay;
            }
            found.push(delay);
        }
        panic!("{found:?} ms from {microphone}, rather than {right:?}");
    };
    // What a busy machine does to it makes it longer, and then nothing after it would fit.
    let loop_alone = measure("mic.monitor", 1.0..500.0).min(measure("mic.monitor", 1.0..500.0));
    // The same loop through a pipeline that only filters: what that adds is the delay of its devices and rings.
    let daemon = start(&home, &server, "high_pass");
    let through = measure("out.monitor", loop_alone + 5.0..loop_alone + 300.0);
    println!("{loop_alone:.1} ms from speaker to microphone, {through:.1} ms through a pipeline between");
    assert_eq!(daemon.stop(), Some(0));
}

/// One daemon with a pipeline of sound and one of pictures: what is said to it reaches the sound while it goes through.
#[test]
fn a_live_pipeline_is_changed_paused_and_resumed_like_any_other() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let folder = home.folder("pipelines");
    let write = |stages: &str, reserve: &str| {
        let text = format!(
            "name: live\nsource: {{microphone: {{device: mic.monitor}}}}\nstages: [{stages}]\nsink: {{speaker: {{device: out, reserve: {reserve}}}}}\n"
        );
        fs::write(folder.join("live.yaml"), text).unwrap();
    };
    write("high_pass: { frequency: 60 }", "100ms");
    let pictures = "name: pictures\nsource: {folder: {path: ../in}}\nstages: [resize: { long_side: 4 }]\nsink: {folder: {path: ../out}}\n";
    fs::write(folder.join("pictures.yaml"), pictures).unwrap();
    let command = |args: &[&str]| {
        let mut command = home.latentd();
        let runtime = &server.runtime;
        command.args(args).env("XDG_RUNTIME_DIR", runtime).env("HOME", runtime).env_remove("PULSE_SERVER");
        command
    };
    let log = home.path("live.log");
    let file = fs::File::create(&log).unwrap();
    let child = command(&["run", "pipelines"]).stdout(Stdio::null()).stderr(file).spawn().unwrap();
    let daemon = Daemon::of(child, log);
    // On a machine that is too busy a device may seem to be gone for a while.
    let opened = |times: usize| {
        let begin = std::time::Instant::now();
        loop {
            let log = daemon.log();
            let (now, lost) = (log.matches("listening to").count(), log.matches("waiting for it to come back").count());
            if now >= times && now <= times + lost {
                return;
            }
            assert!(begin.elapsed() < LONG, "{now} times rather than {times}, {lost} times lost\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let run = |args: &[&str], code: i32| {
        let output = command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let live = || {
        let text = command(&["status", "--json"]).output().unwrap().stdout;
        let status: serde_json::Value = serde_json::from_slice(&text).unwrap();
        status["pipelines"].as_array().unwrap().iter().find(|p| p["name"] == "live").cloned().unwrap_or_default()
    };
    let troubles = || ["xruns", "late_blocks", "dropped_blocks"].map(|name| live()["live"][name].as_u64().unwrap());
    opened(1);
    wait_for("sound", LONG, || live()["state"] == "running");

    // Other stages while a tone goes through: the devices stay open, and there is no hole in the tone.
    let tone: Vec<f32> =
        (0..6 * 48_000).map(|n| (n as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.2).collect();
    let file = home.path("tone.wav");
    write_wav(&file, 48_000, std::slice::from_ref(&tone), 16, false);
    let hear = |meanwhile: &(dyn Fn() + Sync)| {
        let heard = server.record(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| server.play(&file));
                std::thread::sleep(Duration::from_secs(3));
                meanwhile();
            });
        });
        let loud: Vec<bool> = heard.chunks(4800).map(|part| rms(part) > 0.05).collect();
        let first = loud.iter().position(|&is| is);
        first.map_or((0, 0), |first| {
            let last = loud.iter().rposition(|&is| is).unwrap_or(first);
            (last - first + 1, loud[first..=last].iter().filter(|&&is| !is).count())
        })
    };
    let before = troubles();
    let (tenths, holes) = hear(&|| {
        write("high_pass: { frequency: 90 }, denoise: { model: denoise-speech, attenuation_limit_db: 3 }", "100ms");
        assert_eq!(run(&["reload"], 0), "changed: live\n");
    });
    assert_eq!(live()["stages"], serde_json::json!(["high_pass", "denoise"]));
    println!("{tenths} tenths of a second of the tone, {holes} of them empty, {before:?} -> {:?}", troubles());
    // A machine that was too busy for sound says so itself. How much of a tone comes through is another test's affair.
    assert!(tenths > 20 && (holes == 0 || troubles() != before), "{tenths}, {holes}\n{}", daemon.log());
    opened(1);

    // A mistake changes nothing.
    write("high_pas: { frequency: 90 }", "100ms");
    let output = command(&["reload"]).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(
        (live()["state"].clone(), live()["stages"].clone()),
        ("running".into(), serde_json::json!(["high_pass", "denoise"]))
    );

    // Paused it neither hears nor plays, and others are not touched.
    run(&["pause", "live"], 0);
    wait_for("the pause", LONG, || live()["state"] == "paused");
    assert_eq!(hear(&|| ()), (0, 0), "a paused pipeline plays");
    // By its exit code it says that the last reload failed.
    assert!(run(&["status"], 75).contains("live: paused"));
    run(&["resume", "live"], 0);
    opened(2);
    let (tenths, _) = hear(&|| ());
    assert!(tenths > 20, "{tenths}\n{}", daemon.log());

    // Bypassed, its sound comes as it is; then its stages, which leave nothing of the tone, have it again. The devices stay open.
    write("high_pass: { frequency: 3000 }", "100ms");
    assert_eq!(run(&["reload"], 0), "changed: live\n");
    run(&["bypass", "live"], 0);
    wait_for("the bypass", LONG, || live()["live"]["bypass"] == true);
    let before = troubles();
    let (tenths, _) = hear(&|| drop(run(&["bypass", "live", "--off"], 0)));
    assert_eq!(live()["live"]["bypass"], false);
    // What comes late comes as it is.
    assert!((5..55).contains(&tenths) || troubles() != before, "{tenths} tenths\n{}", daemon.log());
    opened(2);

    // Other settings of a device open it anew; a pipeline that is taken away ends.
    write("high_pass: { frequency: 90 }", "50ms");
    assert_eq!(run(&["reload"], 0), "changed: live\n");
    opened(3);
    assert!(metrics(&server).contains("latentd_live{pipeline=\"live\",what=\"xruns\"}"));
    fs::remove_file(folder.join("live.yaml")).unwrap();
    daemon.signal("-HUP");
    wait_for("its end", LONG, || live().is_null());
    assert!(!metrics(&server).contains("pipeline=\"live\",what"));
    assert_eq!(daemon.log().matches("watching").count(), 1, "the pictures were not touched\n{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

fn metrics(server: &Server) -> String {
    use std::io::Write;
    let mut stream = std::os::unix::net::UnixStream::connect(server.runtime.join("latentd/control.sock")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
