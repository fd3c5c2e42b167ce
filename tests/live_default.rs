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

const LONG: Duration = Duration::from_secs(60);

fn pactl(server: &Server, words: &str) {
    assert!(server.command("pactl").args(words.split(' ')).status().unwrap().success(), "pactl {words}");
}

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
        pactl(
            &server,
            &format!(
                "load-module module-remap-source master=mic.monitor source_name={name} source_properties=device.description={name}"
            ),
        );
    }
    pactl(&server, "set-default-source webcam");
    let daemon = server.listen(&home, "default", "high_pass", "latentd_sink");
    let listens = |name: &str| daemon.log().contains(&format!("listening to {name}"));
    assert!(listens("webcam"), "{}", daemon.log());
    pactl(&server, "set-default-source latentd_microphone");
    std::thread::sleep(Duration::from_secs(5));
    assert!(!daemon.log().contains("another one now"), "{}", daemon.log());
    pactl(&server, "set-default-source headset");
    wait_for("the headset", LONG, || listens("headset"));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.stop(), Some(0));
    // It told 0 of all that was measured.
    let log = std::fs::read_to_string(home.path("live.log")).unwrap();
    assert!(log.contains("last delay") && !log.contains("last delay 0.0 ms"), "{log}");

    pactl(&server, "set-default-source latentd_microphone");
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
    pactl(&server, "set-default-source mic.monitor");
    pactl(&server, "set-default-sink out");
    let daemon = server.listen(&home, "default", "high_pass", "default");
    server.signal("-STOP");
    wait_for("it to be told", LONG, || daemon.log().contains("the sound server does not answer"));
    server.signal("-CONT");
    wait_for("the return", LONG, || daemon.log().matches("listening to").count() == 2);
    server.signal("-STOP");
    wait_for("the loss", LONG, || daemon.log().matches("is gone").count() == 2);
    let begin = std::time::Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    // Far below what a server that answers again after a minute would make of it.
    assert!(begin.elapsed() < Duration::from_secs(30));
}
