//! Which device `default` is, and what becomes of a stream whose server hangs.
//!
//! Needs `pulseaudio`, `pulseaudio-utils` and `espeak-ng`, as live_server.rs does.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
#[path = "live_common/server.rs"]
mod server;

use std::time::Duration;

use common::{Home, wait_for};
use server::{Server, available};

const LONG: Duration = Duration::from_secs(180);

/// Whoever made "latentd" the microphone of the whole desktop heard nothing any more: the stream listened to itself.
#[test]
fn the_default_is_followed_but_not_onto_latentds_own_microphone() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/virtual-microphone.sh");
    assert!(server.command(script).status().unwrap().success());
    for name in ["headset", "webcam"] {
        server.pactl(&format!("load-module module-remap-source master=mic.monitor source_name={name} source_properties=device.description={name}"));
    }
    server.pactl("set-default-source webcam");
    let daemon = server.listen(&home, "default", "high_pass", "latentd_sink");
    let listens = |name: &str| daemon.log().contains(&format!("listening to {name}"));
    assert!(listens("webcam"), "{}", daemon.log());
    server.pactl("set-default-source latentd_microphone");
    std::thread::sleep(Duration::from_secs(5));
    assert!(!daemon.log().contains("another one now"), "{}", daemon.log());
    server.pactl("set-default-source headset");
    wait_for("the headset", LONG, || listens("headset"));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.stop(), Some(0));
    // It told 0 of all that was measured.
    let log = std::fs::read_to_string(home.path("live.log")).unwrap();
    assert!(log.contains("last delay") && !log.contains("last delay 0.0 ms"), "{log}");

    server.pactl("set-default-source latentd_microphone");
    let daemon = server.listen(&home, "default", "high_pass", "latentd_sink");
    assert!(!daemon.log().contains("listening to latentd"), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// It hung with the server: no pause, no end.
#[test]
fn a_server_that_hangs_is_told_and_keeps_nobody_waiting() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    server.pactl("set-default-sink out");
    let daemon = server.listen(&home, "mic.monitor", "high_pass", "default");
    // Where the machine is busy, a device may seem to be gone more often than it is: what counts is what comes after each act.
    server.signal("-STOP");
    wait_for("it to be told", LONG, || daemon.log().contains("the sound server does not answer"));
    let heard = daemon.times("listening to");
    server.signal("-CONT");
    wait_for("the return", LONG, || daemon.times("listening to") > heard);
    let lost = daemon.times("is gone");
    server.signal("-STOP");
    wait_for("the loss", LONG, || daemon.times("is gone") > lost);
    let begin = std::time::Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    // Far below what a server that answers again after a minute would make of it.
    assert!(begin.elapsed() < Duration::from_secs(30));
}

/// Loads a module, and tells its number.
fn load(server: &Server, words: &str) -> String {
    server.pactl(&format!("load-module {words}")).trim().to_owned()
}

/// The server moved what was played to the loudspeakers when the virtual microphone was made anew, and nobody noticed.
#[test]
fn a_speaker_that_goes_is_never_replaced_by_another() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    server.pactl("set-default-sink out");
    let sink = "module-null-sink sink_name=call";
    let module = load(&server, sink);
    let daemon = server.listen(&home, "mic.monitor", "high_pass", "call");
    let heard = daemon.times("listening to");
    server.pactl(&format!("unload-module {module}"));
    load(&server, sink);
    wait_for("the speaker to be opened again", LONG, || daemon.times("listening to") > heard);
    let told = |what: &str| {
        let output = server.command("pactl").args(["list", "short", what]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let sinks = told("sinks");
    let call = sinks.lines().find(|line| line.contains("\tcall\t")).and_then(|line| line.split('\t').next()).unwrap();
    let mut inputs = String::new();
    wait_for("the stream", LONG, || {
        inputs = told("sink-inputs");
        inputs.lines().count() == 1
    });
    assert_eq!(inputs.split('\t').nth(1), Some(call), "{inputs}{sinks}");
    assert_eq!(daemon.stop(), Some(0));
}

/// A server takes the sound of a speaker for its default then, and latentd heard itself.
#[test]
fn without_a_microphone_the_default_is_waited_for() {
    if !available() {
        return;
    }
    let home = Home::new();
    let server = Server::new(&home);
    let headset =
        "module-remap-source master=mic.monitor source_name=headset source_properties=device.description=headset";
    let module = load(&server, headset);
    server.pactl("set-default-source headset");
    let daemon = server.listen(&home, "default", "high_pass", "out");
    server.pactl(&format!("unload-module {module}"));
    wait_for("the loss", LONG, || daemon.log().contains("no default microphone"));
    let heard = daemon.times("listening to");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.times("listening to"), heard, "{}", daemon.log());
    load(&server, headset);
    wait_for("the return", LONG, || daemon.times("listening to") > heard);
    assert_eq!(daemon.stop(), Some(0));
}
