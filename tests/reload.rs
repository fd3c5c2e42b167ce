//! A running daemon is changed without stopping: what is new is validated first, only what differs is rebuilt, and a mistake changes nothing.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Daemon, Home, count, png, wait_for};
use latentd::model::sha256_hex;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

const LONG: Duration = Duration::from_secs(120);

/// Writes a pipeline from `NAME-in` to `NAME-out` that makes pictures this small.
fn write(home: &Home, name: &str, side: &str) -> PathBuf {
    let text = format!(
        "name: {name}\nsource:\n  folder: {{ path: ../{name}-in, quiet: 200ms }}\nstages: [resize: {{ long_side: {side} }}]\nsink:\n  folder: {{ path: ../{name}-out, quarantine: ../{name}-bad }}\n"
    );
    let path = home.folder("pipelines").join(format!("{name}.yaml"));
    fs::write(&path, text).unwrap();
    path
}

fn drop_in(home: &Home, pipeline: &str, name: &str) -> PathBuf {
    fs::write(home.folder(&format!("{pipeline}-in")).join(name), png(30, 20)).unwrap();
    home.path(&format!("{pipeline}-out/{name}"))
}

fn size_of(path: &Path) -> u32 {
    wait_for("a result", LONG, || path.is_file());
    image::image_dimensions(path).unwrap().0
}

fn status(home: &Home) -> serde_json::Value {
    serde_json::from_slice(&home.run(&["status", "--json"]).stdout).unwrap()
}

fn names(home: &Home) -> Vec<String> {
    let status = status(home);
    status["pipelines"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect()
}

fn watched(daemon: &Daemon, name: &str) -> usize {
    daemon.log().lines().filter(|line| line.contains("watching") && line.contains(&format!("{name}-in"))).count()
}

#[test]
fn only_what_differs_is_rebuilt() {
    let home = Home::new();
    write(&home, "first", "10");
    write(&home, "second", "10");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    assert_eq!(size_of(&drop_in(&home, "first", "a.png")), 10);
    write(&home, "first", "5");
    write(&home, "third", "7");
    let output = home.run(&["reload"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "added: third\nchanged: first\n");
    // What was kept in the folder is another input to the changed pipeline.
    assert_eq!(size_of(&home.path("first-out/a-1.png")), 5);
    assert_eq!(size_of(&drop_in(&home, "third", "c.png")), 7);
    assert_eq!(size_of(&drop_in(&home, "second", "b.png")), 10);
    assert_eq!((watched(&daemon, "first"), watched(&daemon, "second"), watched(&daemon, "third")), (2, 1, 1));

    // A removed one goes, and what is dropped for it stays where it is.
    fs::remove_file(home.path("pipelines/second.yaml")).unwrap();
    daemon.signal("-HUP");
    wait_for("it to go", LONG, || names(&home) == ["first", "third"]);
    drop_in(&home, "second", "late.png");
    assert_eq!(size_of(&drop_in(&home, "first", "d.png")), 5);
    assert_eq!(count(&home.path("second-out")), 1);
    let output = home.run(&["reload"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nothing has changed\n");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_mistake_changes_nothing_and_is_told() {
    let home = Home::new();
    write(&home, "first", "10");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    write(&home, "second", "10");
    write(&home, "first", "nonsense");
    let output = home.run(&["reload"]);
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("first.yaml:4:") && text.contains("the old configuration stays"), "{text}");
    let status = status(&home);
    assert_eq!(status["ready"], true, "the old one runs on: {status}");
    assert_eq!(status["reload"]["ok"], false);
    assert_eq!(home.run(&["status"]).status.code(), Some(75), "something waits to be mended");
    assert_eq!(names(&home), ["first"]);
    assert_eq!(size_of(&drop_in(&home, "first", "a.png")), 10);
    write(&home, "first", "5");
    daemon.signal("-HUP");
    wait_for("the mended one", LONG, || names(&home) == ["first", "second"]);
    assert_eq!(size_of(&home.path("first-out/a-1.png")), 5);
    assert_eq!(daemon.stop(), Some(0));
}

/// A network that hands pictures on, and writes their height within a million brackets.
fn deep() -> Vec<u8> {
    let port = |name: &str| {
        let height = format!("{}H{}", "(".repeat(1_000_000), ")".repeat(1_000_000));
        let sizes = [dimension::Value::DimValue(1), dimension::Value::DimValue(3)].into_iter();
        let free = [height, "W".to_owned()].map(dimension::Value::DimParam);
        let dim = |value| Dimension { value: Some(value), denotation: String::new() };
        let shape = TensorShapeProto { dim: sizes.chain(free).map(dim).collect() };
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
        let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), denotation: String::new() };
        ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
    };
    let node = NodeProto {
        op_type: "Relu".into(),
        name: "output".into(),
        input: vec!["image".into()],
        output: vec!["output".into()],
        ..Default::default()
    };
    let (input, output) = (vec![port("image")], vec![port("output")]);
    let graph = GraphProto { name: "deep".into(), node: vec![node], input, output, ..Default::default() };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, opset_import: vec![opset], graph: Some(graph), ..Default::default() }.encode_to_vec()
}

/// tract follows brackets until the stack ends, and with it the daemon ended, whatever else it was doing.
#[test]
fn a_model_that_ends_the_process_ends_no_daemon() {
    let home = Home::new();
    write(&home, "first", "10");
    let mut daemon = home.daemon(&home.path("pipelines"), &[]);
    let (folder, onnx) = (home.folder("models/deep"), deep());
    let card = format!(
        "name: deep\ntask: denoise\nmedia: image\nsha256: {}\ninputs: [{{ name: image, shape: [1, 3, H, W] }}]\noutputs: [{{ name: output, shape: [1, 3, H, W] }}]\nreceptive_field: 1\n",
        sha256_hex(&onnx)
    );
    fs::write(folder.join("model.onnx"), onnx).unwrap();
    fs::write(folder.join("card.yaml"), card).unwrap();
    let second = write(&home, "second", "10");
    let text = fs::read_to_string(&second).unwrap().replace("resize: { long_side: 10 }", "denoise: { model: deep }");
    fs::write(&second, text).unwrap();
    let output = home.run(&["reload"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(78) && told.contains("second.yaml: a model ends the program"), "{told}");
    assert!(daemon.alive(), "{}", daemon.log());
    assert_eq!(size_of(&drop_in(&home, "first", "a.png")), 10);
    fs::remove_file(&second).unwrap();
    assert_eq!(home.run(&["reload"]).status.code(), Some(0));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_is_being_worked_on_is_finished_by_the_old_pipeline() {
    let home = Home::new();
    write(&home, "first", "10");
    for n in 0..200 {
        drop_in(&home, "first", &format!("{n}.png"));
    }
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    // The same results in another place: nothing of what is done is done again.
    let text = fs::read_to_string(home.path("pipelines/first.yaml")).unwrap().replace("long_side: 10", "long_side: 9");
    wait_for("some results", LONG, || count(&home.path("first-out")) > 5);
    fs::write(home.path("pipelines/first.yaml"), text).unwrap();
    assert_eq!(home.run(&["reload"]).status.code(), Some(0));
    wait_for("all of them by the new one", LONG, || {
        let sizes = (0..200).filter(|n| {
            let either = [format!("first-out/{n}.png"), format!("first-out/{n}-1.png")];
            either.iter().any(|name| image::image_dimensions(home.path(name)).is_ok_and(|size| size.0 == 9))
        });
        sizes.count() == 200
    });
    assert_eq!(count(&home.path("first-bad")), 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn watched_configuration_is_reloaded_by_itself() {
    let home = Home::new();
    let path = write(&home, "first", "10");
    let daemon = home.daemon(&home.path("pipelines"), &["--watch-config"]);
    assert_eq!(size_of(&drop_in(&home, "first", "a.png")), 10);
    // As editors do it: another file, renamed over the old one.
    let text = fs::read_to_string(&path).unwrap().replace("long_side: 10", "long_side: 6");
    fs::write(home.path("pipelines/.first.yaml.swp"), text).unwrap();
    fs::rename(home.path("pipelines/.first.yaml.swp"), &path).unwrap();
    assert_eq!(size_of(&home.path("first-out/a-1.png")), 6);
    write(&home, "second", "3");
    assert_eq!(size_of(&drop_in(&home, "second", "b.png")), 3);
    fs::remove_file(home.path("pipelines/second.yaml")).unwrap();
    wait_for("it to go", LONG, || names(&home) == ["first"]);
    assert_eq!(daemon.stop(), Some(0));
}

/// A bare file name, a link, and a file that is not called .yaml were never looked at again.
#[test]
fn watched_configuration_may_be_a_bare_name_a_link_or_called_anything() {
    for (number, given) in ["first.yaml", "link.yaml", "first.conf"].into_iter().enumerate() {
        let home = Home::new();
        let elsewhere = write(&home, "first", "10");
        let text = fs::read_to_string(&elsewhere).unwrap().replace("../", "./");
        let file = if number == 1 { home.folder("elsewhere").join("real") } else { home.path(given) };
        fs::write(&file, &text).unwrap();
        if number == 1 {
            std::os::unix::fs::symlink(&file, home.path(given)).unwrap();
        }
        let daemon = home.daemon(Path::new(given), &["--watch-config"]);
        assert_eq!(size_of(&drop_in(&home, "first", "a.png")), 10, "{given}");
        fs::write(&file, text.replace("long_side: 10", "long_side: 6")).unwrap();
        assert_eq!(size_of(&home.path("first-out/a-1.png")), 6, "{given}");
        assert_eq!(daemon.stop(), Some(0));
    }
}

/// Places in the file were part of what pipelines are told apart by.
#[test]
fn a_comment_changes_nothing() {
    let home = Home::new();
    let path = write(&home, "first", "10");
    let text = fs::read_to_string(&path).unwrap().replace("quarantine:", "originals: { move: ../moved }, quarantine:");
    fs::write(&path, &text).unwrap();
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::write(&path, format!("# What this is for\n\n{text}")).unwrap();
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "nothing has changed\n");
    assert_eq!(daemon.stop(), Some(0));
}

/// The changed one worked on files before it heard that it was paused.
#[test]
fn a_pause_outlives_a_reload() {
    let home = Home::new();
    write(&home, "first", "10");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    let waits = || {
        let shown = status(&home)["pipelines"][0].clone();
        shown["state"] == "paused" && shown["queue"]["ready"] == 1
    };
    assert_eq!(home.run(&["pause", "first"]).status.code(), Some(0));
    drop_in(&home, "first", "a.png");
    wait_for("the file to be seen", LONG, waits);
    // Once while it is at rest, and once while the one before may still be ending.
    for side in ["5", "6", "7"] {
        write(&home, "first", side);
        assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "changed: first\n");
        assert_eq!(home.run(&["pause", "first"]).status.code(), Some(0), "it is there all the while");
        assert_eq!(names(&home), ["first"]);
    }
    wait_for("the last one", LONG, || watched(&daemon, "first") >= 2 && waits());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count(&home.path("first-out")), 0, "{}", daemon.log());
    assert_eq!(home.run(&["resume", "first"]).status.code(), Some(0));
    assert_eq!(size_of(&home.path("first-out/a.png")), 7);
    assert_eq!(daemon.stop(), Some(0));
}

/// An empty folder in the place of a share that was away, which would have hidden that.
#[test]
fn a_folder_that_is_gone_is_not_made_anew_for_others() {
    let home = Home::new();
    write(&home, "first", "10");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    fs::rename(home.path("first-in"), home.path("away")).unwrap();
    fs::rename(home.path("first-out"), home.path("away-too")).unwrap();
    write(&home, "second", "10");
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "added: second\n");
    assert_eq!(size_of(&drop_in(&home, "second", "b.png")), 10);
    assert!(!home.path("first-in").exists() && !home.path("first-out").exists());
    assert_eq!(daemon.stop(), Some(0));
}

/// Sound is one of several pipelines, also where there is no device: then it waits, and can be told everything all the same.
#[cfg(feature = "live")]
#[test]
fn a_live_pipeline_without_devices_is_paused_changed_and_taken_away() {
    let home = Home::new();
    write(&home, "first", "10");
    let live = |device: &str, stages: &str| {
        let text = format!(
            "name: live\nsource: {{microphone: {{device: {device}}}}}\nstages: [{stages}]\nsink: {{speaker: {{device: none-such}}}}\n"
        );
        fs::write(home.path("pipelines/live.yaml"), text).unwrap();
    };
    live("none-such", "high_pass");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    let state = || status(&home)["pipelines"][1].clone();
    wait_for("it to look for its devices", LONG, || state()["state"] == "waiting");
    assert_eq!((state()["kind"].clone(), state()["source"].clone()), ("live".into(), "microphone none-such".into()));
    assert_eq!(home.run(&["pause", "live"]).status.code(), Some(0));
    wait_for("the pause", LONG, || state()["state"] == "paused");
    assert_eq!(home.run(&["bypass", "live"]).status.code(), Some(0));
    wait_for("the bypass", LONG, || state()["live"]["bypass"] == true);
    assert_eq!(home.run(&["strength", "live", "0.25"]).status.code(), Some(0));
    wait_for("the strength", LONG, || state()["live"]["strength"] == 0.25);
    assert_eq!(home.run(&["strength", "live", "1.25"]).status.code(), Some(64));
    live("none-such", "high_pass, denoise: { model: denoise-speech }");
    let output = home.run(&["reload"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "changed: live\n");
    assert_eq!((state()["state"].clone(), state()["stages"][1].clone()), ("paused".into(), "denoise".into()));
    // Two of one name are refused, whatever they are.
    fs::write(home.path("pipelines/twin.yaml"), "name: live\nsource: microphone\nsink: speaker\nstages: [high_pass]\n")
        .unwrap();
    let output = home.run(&["reload"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("two pipelines are called `live`"), "{output:?}");
    fs::remove_file(home.path("pipelines/twin.yaml")).unwrap();
    assert_eq!(home.run(&["resume", "live"]).status.code(), Some(0));
    wait_for("it to look again", LONG, || state()["state"] == "waiting");
    // Other devices open it anew, and it is bypassed all the same.
    live("none-either", "high_pass");
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "changed: live\n");
    wait_for("the other microphone, bypassed", LONG, || {
        let now = state();
        now["source"] == "microphone none-either" && now["live"]["bypass"] == true && now["live"]["strength"] == 0.25
    });
    assert!(String::from_utf8_lossy(&home.run(&["status"]).stdout).contains("  bypassed; 0 xruns"));
    assert_eq!(home.run(&["bypass", "live", "--off"]).status.code(), Some(0));
    wait_for("its stages to be back", LONG, || state()["live"]["bypass"] == false);
    fs::remove_file(home.path("pipelines/live.yaml")).unwrap();
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "removed: live\n");
    wait_for("it to go", LONG, || names(&home) == ["first"]);
    assert_eq!(watched(&daemon, "first"), 1);
    assert_eq!(daemon.stop(), Some(0));
}

/// The settings were the same to the letter, so nothing had changed, and files in the other folder were not seen.
#[test]
fn a_link_that_leads_elsewhere_by_now_is_noticed() {
    let home = Home::new();
    write(&home, "first", "10");
    let turn = |to: &str| {
        let _ = fs::remove_file(home.path("first-in"));
        std::os::unix::fs::symlink(home.path(to), home.path("first-in")).unwrap();
    };
    for folder in ["a", "b"] {
        fs::write(home.folder(folder).join(format!("{folder}.png")), png(30, 20)).unwrap();
    }
    turn("a");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    assert_eq!(size_of(&home.path("first-out/a.png")), 10);
    let reload = || String::from_utf8_lossy(&home.run(&["reload"]).stdout).into_owned();
    // One that leads to nothing may be to a share that is away.
    for (to, told) in [("a", "nothing has changed\n"), ("away", "nothing has changed\n"), ("b", "changed: first\n")] {
        turn(to);
        assert_eq!(reload(), told, "{to}");
    }
    assert_eq!(size_of(&home.path("first-out/b.png")), 10);
    assert_eq!(daemon.stop(), Some(0));
}

/// The status told the old name until the next start.
#[test]
fn a_file_that_was_renamed_is_shown_by_its_new_name() {
    let home = Home::new();
    let old = write(&home, "first", "10");
    let daemon = home.daemon(&home.path("pipelines"), &[]);
    let new = old.with_file_name("renamed.yaml");
    fs::rename(&old, &new).unwrap();
    assert_eq!(String::from_utf8_lossy(&home.run(&["reload"]).stdout), "nothing has changed\n");
    assert!(status(&home)["pipelines"][0]["file"].as_str().unwrap().ends_with("pipelines/renamed.yaml"));
    assert_eq!(watched(&daemon, "first"), 1);
    assert_eq!(daemon.stop(), Some(0));
}
