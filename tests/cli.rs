//! What the command line says, word for word (golden files in tests/golden/cli; UPDATE_GOLDEN=1 writes them), and its exit codes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use common::{Home, count, files, png};

/// Runs the program, and holds exit code, stdout and stderr to the golden file.
fn golden(home: &Home, name: &str, args: &[&str]) {
    let output = home.run(args);
    let text = format!(
        "$ latentd {}\nexit code {}\n--- stdout\n{}--- stderr\n{}",
        args.join(" "),
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
    .replace(&*home.path("").to_string_lossy(), "HOME/");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs from its golden file:\n{text}");
}

#[test]
fn help_is_as_written() {
    let home = Home::new();
    golden(&home, "help", &["--help"]);
    golden(&home, "help-run", &["run", "--help"]);
    golden(&home, "help-apply", &["apply", "--help"]);
    golden(&home, "help-models", &["models", "--help"]);
}

#[test]
fn mistakes_are_told_with_their_mend() {
    let home = Home::new();
    golden(&home, "no-verb", &["aply"]);
    golden(&home, "no-pipeline", &["run"]);
    golden(&home, "pipeline-missing", &["run", "nowhere.yaml"]);
    golden(&home, "no-such-model", &["models", "show", "denoise-foto"]);
    home.folder("empty");
    golden(&home, "no-yaml", &["check", "empty"]);
    fs::write(
        home.path("wrong.yaml"),
        "name: wrong\nsource:\n  folder: { pth: ./inbox, recursive: maybe }\nstages:\n  - denoise: { model: denoise-foto, sigma: 80 }\n  - upscale: { model: denoise-photo }\n  - resize\n  - sharpen: {}\nsink:\n  folder: { path: ./inbox, name: \"{sten}.jpg\", originals: burn }\n",
    )
    .unwrap();
    golden(&home, "check-form", &["check", "wrong.yaml"]);
    fs::write(
        home.path("unfit.yaml"),
        "name: unfit\nsource:\n  folder: { path: ./inbox, include: [\"[\"] }\nstages:\n  - denoise: { model: denoise-foto }\n  - upscale: { model: denoise-photo }\n  - resize\nsink:\n  folder: { path: ./inbox, name: \"{sten}.jpg\" }\n",
    )
    .unwrap();
    golden(&home, "check-sense", &["check", "unfit.yaml"]);
    golden(&home, "check-json", &["check", "--json", "unfit.yaml"]);
}

#[test]
fn apply_mirrors_folders_and_does_the_others_when_some_fail() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let deep = home.folder("photos/2024/may");
    fs::write(deep.join("a.png"), png(9, 9)).unwrap();
    fs::write(home.path("photos/b.png"), png(9, 9)).unwrap();
    fs::write(home.path("photos/broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let pipeline = pipeline.file_name().unwrap().to_str().unwrap().to_owned();
    golden(&home, "apply-some-fail", &["apply", &pipeline, "photos", "gone.png", "--out", "out", "-j", "1"]);
    assert_eq!(files(&home.path("out")), [Path::new("2024/may/a.png"), Path::new("b.png")]);
    assert_eq!(count(&home.path("photos")), 3, "apply keeps its inputs");
    assert!(!home.path("quarantine").exists());
    golden(&home, "apply-dry-run", &["apply", &pipeline, "photos", "--out", "elsewhere", "--dry-run"]);
    assert!(!home.path("elsewhere").exists());
}

/// A name in Latin-1 ended in "a mistake of its own".
#[test]
fn names_that_are_not_utf8_are_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    fs::write(home.path("inbox").join(std::ffi::OsStr::from_bytes(b"caf\xe9.png")), png(9, 9)).unwrap();
    let output = home.run(&["apply", "--json", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(&home.path("out")), 1);
}

/// The output folder of the first pass was input of the second.
#[test]
fn an_output_folder_within_the_input_is_left_out() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    fs::write(home.path("inbox/a.png"), png(9, 9)).unwrap();
    for expected in 1..=2 {
        let output = home.run(&["apply", pipeline.to_str().unwrap(), "inbox", "--out", "inbox/out"]);
        assert!(output.status.success());
        assert_eq!(count(&home.path("inbox/out")), expected);
    }
    let output = home.run(&["apply", pipeline.to_str().unwrap(), "inbox/out", "--out", "x", "--dry-run"]);
    assert!(output.status.success());
    home.folder("none");
    assert_eq!(home.run(&["apply", pipeline.to_str().unwrap(), "none"]).status.code(), Some(66));
}

#[test]
fn json_is_one_object_a_line() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    fs::write(home.path("inbox/a.png"), png(9, 9)).unwrap();
    fs::write(home.path("inbox/b.png"), "not a picture").unwrap();
    let output = home.run(&["apply", "--json", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
    assert_eq!(output.status.code(), Some(65));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().any(|l| l["results"][0].as_str().is_some_and(|r| r.ends_with("a.png"))));
    assert!(lines.iter().any(|l| l["kind"] == "input" && l["mend"].is_string()));
    for line in String::from_utf8(home.run(&["models", "list", "--json"]).stdout).unwrap().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].is_string());
    }
}

/// A flag that every verb has and an argument of one verb shared a name, and clap panicked.
#[test]
fn every_verb_of_models_takes_a_name() {
    let home = Home::new();
    for verb in ["show", "verify"] {
        let output = home.run(&["models", verb, "denoise-photo"]);
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(home.run(&["models", "bench", "nothing-of-that-name"]).status.code(), Some(70));
}

#[test]
fn completions_and_manual_are_made() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = home.run(&["completions", shell]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("latentd"), "{shell}");
    }
    let manual = String::from_utf8(home.run(&["man"]).stdout).unwrap();
    assert!(manual.starts_with(".ie") || manual.contains(".TH latentd"), "{}", &manual[..80]);
    for words in
        [".SH \"EXIT STATUS\"\n", "\\fB75\\fR\nwhat may go well later", "\\fBLATENTD_SOCKET\\fR\n", ".SH \"FILES\"\n"]
    {
        assert!(manual.contains(words), "{words}");
    }
    assert!(home.run(&["man", "--out", "pages"]).status.success());
    assert_eq!(fs::read_to_string(home.path("pages/latentd.1")).unwrap(), manual);
    assert!(home.path("pages/latentd-run.1").is_file());
}

/// As `| head -n 1` does it. The first is more than a pipe holds, so its reader is gone in the middle of it.
#[test]
fn a_closed_pipe_is_no_panic() {
    let home = Home::new();
    for line in ["completions bash", "schema", "models list"] {
        let mut command = home.latentd();
        command.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{line}: {} {text}", output.status);
    }
}

/// Lines that nobody could read were lost without a word, and the exit code told of success.
#[test]
fn what_cannot_be_printed_is_told_once() {
    let home = Home::new();
    for line in ["models list", "schema", "completions bash", "--help"] {
        let args: Vec<&str> = line.split(' ').collect();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = home.latentd().args(&args).stdout(full).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(73), "{line}: {text}");
        assert!(text.matches("error:").count() == 1 && text.contains("stdout"), "{line}: {text}");
        // A reader that has gone away has had enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = home.latentd().args(&args).stdout(writer).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{line}");
    }
}

#[test]
fn models_tell_programs_of_themselves() {
    let home = Home::new();
    let json = |args: &[&str], code: i32| -> serde_json::Value {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let card = json(&["models", "show", "denoise-photo", "--json"], 0);
    assert!(card["name"] == "denoise-photo" && card["licence"].is_string(), "{card}");
    let found = json(&["models", "verify", "denoise-photo", "--json"], 0);
    assert!(found["ok"] == true && found["differences"]["winograd"].is_number(), "{found}");
    let found = json(&["models", "verify", "denoise-foto", "--json"], 70);
    assert!(found["ok"] == false && found["mend"] == "did you mean `denoise-photo`?", "{found}");
    let skipped = json(&["models", "bench", "melody-2bar", "--json"], 0);
    assert!(skipped["model"] == "melody-2bar" && skipped["skipped"].is_string(), "{skipped}");
}

/// It was passed over, and the built-in model of that name taken.
#[test]
fn a_folder_of_models_that_is_not_there_is_told() {
    let home = Home::new();
    let output = home.run(&["models", "show", "denoise-photo", "--models", "nowhere"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(66) && text.contains("nowhere") && text.contains("--models"), "{text}");
}

/// A folder where a file is wanted, and the like, were said to pass by themselves.
#[test]
fn a_wrong_path_is_no_input() {
    let home = Home::new();
    fs::write(home.path("a.png"), png(9, 9)).unwrap();
    home.folder("run/log.jsonl");
    let long = "n".repeat(300);
    for args in [
        &["compare", ".", "a.png"][..],
        &["compare", "a.png/b.png", "a.png"],
        &["compare", &long, "a.png"],
        &["plot", "curves", "run", "-o", "c.png"],
    ] {
        let output = home.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(66) && text.contains("help:"), "{args:?}: {text}");
    }
}

/// Links were refused whoever named them; those that lie in folders still are (stranger.rs).
#[test]
fn a_link_that_the_user_names_is_followed() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    fs::write(home.path("photo.png"), png(9, 9)).unwrap();
    std::os::unix::fs::symlink("photo.png", home.path("link.png")).unwrap();
    std::os::unix::fs::symlink("nowhere.png", home.path("dangling.png")).unwrap();
    let apply = |name: &str| home.run(&["apply", pipeline.to_str().unwrap(), name, "--out", "out"]);
    let output = apply("link.png");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(common::files(&home.path("out")), [Path::new("link.png")]);
    assert_eq!(apply("dangling.png").status.code(), Some(66));
}

/// Escaped for people, they named no file.
#[test]
fn paths_for_programs_are_the_paths_themselves() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    fs::write(home.path("inbox/a\nb.png"), png(9, 9)).unwrap();
    fs::write(home.path("inbox/c\nd.png"), "no picture").unwrap();
    let output = home.run(&["apply", "--json", pipeline.to_str().unwrap(), "inbox", "--out", "out"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|l| l["inputs"][0] == "inbox/a\nb.png" && l["results"][0] == "out/a\nb.png"), "{text}");
    assert!(lines.iter().any(|l| l["inputs"][0] == "inbox/c\nd.png" && l["kind"] == "input"), "{text}");
    let output = home.run(&["check", "--json", "no\nsuch.yaml"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["file"], "no\nsuch.yaml");
}

/// It told the same name for several, and names that were taken, and told programs nothing.
#[test]
fn a_dry_run_tells_the_names_that_come_out() {
    let home = Home::new();
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", "");
    let pipeline = pipeline.to_str().unwrap();
    for folder in ["one", "two"] {
        fs::write(home.folder(folder).join("x.png"), png(9, 9)).unwrap();
    }
    fs::write(home.folder("out").join("x.png"), "mine").unwrap();
    let inputs = ["one/x.png", "two/x.png"];
    let apply = |more: &[&str]| {
        let output = home.run(&[&["apply", pipeline, inputs[0], inputs[1], "--out", "out"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(apply(&["--dry-run"]), "one/x.png -> out/x-1.png\ntwo/x.png -> out/x-2.png\n");
    let told = apply(&["--dry-run", "--json"]);
    let lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1], serde_json::json!({ "inputs": ["two/x.png"], "results": ["out/x-2.png"] }));
    apply(&["-j", "1"]);
    assert_eq!(files(&home.path("out")), ["x-1.png", "x-2.png", "x.png"].map(Path::new));
    // What is written over keeps its name, and two of one name would write over each other.
    let text = fs::read_to_string(pipeline).unwrap().replace("./outbox", "./outbox, overwrite: true");
    fs::write(pipeline, text).unwrap();
    let output = home.run(&["apply", pipeline, inputs[0], "--out", "out", "--dry-run"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one/x.png -> out/x.png\n");
    assert_eq!(home.run(&["apply", pipeline, inputs[0], inputs[1], "--out", "out"]).status.code(), Some(64));
    // A size that nobody knows yet is left open, and that is said.
    let text = fs::read_to_string(pipeline).unwrap().replace(", overwrite: true", ", name: \"{width}.{ext}\"");
    fs::write(pipeline, text).unwrap();
    let output = home.run(&["apply", pipeline, inputs[0], inputs[1], "--out", "out", "--dry-run"]);
    let [told, note] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(told, "one/x.png -> out/{width}.png\ntwo/x.png -> out/{width}.png\n");
    assert!(note.contains("sizes in braces are known when"), "{note}");
}

/// Clap advised to write `-- -1`, which is taken for a file; and 0 was taken for 1, or for nothing at all.
#[test]
fn numbers_that_make_no_sense_are_told_by_their_range() {
    let home = Home::new();
    for line in [
        "history --limit -1",
        "history --limit 0",
        "apply p.yaml a.png -j -1",
        "apply p.yaml a.png -j 0",
        "run p.yaml -j -1",
        "interpolate a.mid b.mid -o out --steps -1",
        "perturb melody-2bar a.mid -o out --seed -5",
        "encode melody-2bar a.mid --class -1",
        "decode melody-2bar z.csv -o out --class -1",
        "sample melody-2bar -o out -n -3",
        "sample melody-2bar -o out --class -1",
        "search melody-2bar a.mid --in in -n -1",
        "search melody-2bar a.mid --in in -n 0",
        "similar a.mid -o out -n -1",
        "similar a.mid -o out --track -1",
        "similar a.mid -o out --amount -1",
        "sample melody-2bar -o out --temperature -1",
        "sample melody-2bar -o out --seed -5",
    ] {
        let output = home.run(&line.split(' ').collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && !text.contains("-- -"), "{line}: {text}");
        let told = [" is not in ", "is from 0 to 1", "is 0 to 10", "invalid value '-5'"];
        assert!(told.iter().any(|words| text.contains(words)), "{line}: {text}");
    }
}

/// It was said that a pipeline is wrong, and to give an input another ending.
#[test]
fn an_ending_that_is_no_format_of_latents_is_told_for_what_it_is() {
    let home = Home::new();
    fs::write(home.path("a.png"), png(9, 9)).unwrap();
    for (args, code, words) in [
        (&["encode", "melody-2bar", "a.mid", "-o", "l.xyz"], 64, "help: end the name in .safetensors"),
        (&["decode", "melody-2bar", "a.png", "-o", "out"], 65, "help: give a file of latents"),
    ] {
        let output = home.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn a_log_that_cannot_be_meant_is_told() {
    let home = Home::new();
    let run = |filter: &str| {
        let output = home.latentd().args(["models", "list"]).env("LATENTD_LOG", filter).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = run("bogus=xx");
    assert!(text.matches("LATENTD_LOG").count() == 1 && text.contains("`bogus=xx`"), "{text}");
    assert_eq!(run("latentd=info,warn"), "");
}

/// Programs were not told of it.
#[test]
fn a_broken_model_is_in_the_list() {
    let home = Home::new();
    fs::write(home.folder("XDG_DATA_HOME/latentd/models/broken").join("card.yaml"), "name: [").unwrap();
    let output = home.run(&["models", "list", "--json"]);
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        let broken = told["name"] == "broken";
        assert!(told["ok"] == !broken && told["error"].is_string() == broken, "{line}");
    }
    assert!(text.contains("\"broken\""), "{text}");
}
