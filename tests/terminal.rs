//! Messages are in colour on a terminal, plain where colours are not wanted, and JSON where the log is.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::Home;
use serde_json::Value;

/// What the program prints with one warning on a terminal, as `script` makes one; nothing if `script` is not here.
fn on_a_terminal(home: &Home, no_color: &str) -> Option<String> {
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("script, of util-linux, is not here");
        return None;
    }
    let program = home.latentd();
    let command = format!("'{}' models show upscale-photo-x2-fast", program.get_program().display());
    let mut script = Command::new("script");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.env("TERM", "xterm").env("NO_COLOR", no_color).env("LATENTD_KERNEL", "none").env_remove("JOURNAL_STREAM");
    let output = script.args(["-qec", &command, "/dev/null"]).current_dir(home.path("")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Each start on a terminal said that the log cannot have colours.
#[test]
fn the_log_has_colours_on_a_terminal() {
    let home = Home::new();
    let Some(text) = on_a_terminal(&home, "") else { return };
    assert!(!text.contains("tracing"), "{text}");
    let warning = text.lines().find(|line| line.contains("there is no kernel `none`")).unwrap();
    assert!(warning.contains("\x1b["), "{warning:?}");
    let text = on_a_terminal(&home, "1").unwrap();
    assert!(text.contains("there is no kernel `none`") && !text.contains('\x1b'), "{text:?}");
}

/// ALSA wrote dozens of lines of its own, at each try to find a device.
#[test]
fn alsa_keeps_to_itself() {
    let home = Home::new();
    let pipeline = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/clean-microphone.yaml");
    let mut doctor = home.latentd();
    let output = doctor.args(["doctor", pipeline]).env("PULSE_SERVER", "unix:/nowhere").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("ALSA lib"), "{text}");
}

/// What went wrong before the first pipeline ran was told in plain words.
#[test]
fn a_log_in_json_holds_what_ends_the_program_too() {
    let home = Home::new();
    fs::write(home.path("wrong.yaml"), "name: wrong\n").unwrap();
    for (file, mentions) in [("wrong.yaml", "source"), ("nowhere.yaml", "nowhere.yaml")] {
        let output = home.run(&["run", file, "--log-format", "json"]);
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(mentions), "{text}");
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            // What counts the mistakes has no mend of its own: each of them has told it.
            let mended = event["mend"].is_string() || event["message"] == "3 errors in wrong.yaml";
            assert!(event["level"] == "ERROR" && event["message"].is_string() && mended, "{line}");
        }
    }
}
