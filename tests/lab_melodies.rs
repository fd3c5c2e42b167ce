//! The verbs of the lab on melodies, and what all of them promise of files that are wrong or in the way.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;
mod lab_common;
mod melody_common;

use std::fs;

use common::{Home, files};
use latentd::media::Melody;
use latentd::media::melody::Meter;
use melody_common::{JACQUES, MAMAN, load, save, tune};
use serde_json::Value;

/// Runs the program with the shipped models: exit code, stdout, stderr.
fn run(home: &Home, line: &str) -> (i32, String, String) {
    let models = lab_common::models();
    let mut args: Vec<&str> = line.split_whitespace().collect();
    args.extend(["--models", models.to_str().unwrap()]);
    let output = home.run(&args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn succeed(home: &Home, line: &str) -> (String, String) {
    let (code, out, err) = run(home, line);
    assert_eq!(code, 0, "{line}: {err}");
    (out, err)
}

/// Four stretches of two bars of 3/4, by a flute.
fn waltz() -> Melody {
    let once = "g4:4 c5:4 c5:4 e5:8 d5:4 c5:4 b4:4 c5:4 d5:12 g4:4 d5:4 d5:4 f5:8 e5:4 d5:4 c#5:4 d5:4 e5:12 ";
    let mut waltz = tune(&once.repeat(2));
    waltz.meters = vec![Meter { tick: 0, beats: 3, unit_log2: 2 }];
    waltz.tempos[0].microseconds = 400_000;
    waltz.voices[0].program = 73;
    waltz
}

/// One tune on channel 1, and another on channel 2.
fn two_voices() -> Melody {
    let mut piece = tune(MAMAN);
    let mut second = tune(JACQUES).voices.remove(0);
    second.channel = 1;
    piece.voices.push(second);
    piece
}

/// It came out in 4/4, played by a piano, with two beats of each stretch twice.
#[test]
fn a_perturbed_waltz_stays_a_waltz() {
    let home = Home::new();
    save(&waltz(), &home.path("waltz.mid"));
    succeed(&home, "perturb melody-2bar waltz.mid --amounts 0,1 -n 2 -o strayed");
    succeed(&home, "reconstruct melody-2bar waltz.mid -o kept");
    let kept = load(&home.path("kept/waltz.mid"));
    assert_eq!(load(&home.path("strayed/waltz-0-0.mid")), kept);
    for name in ["waltz-0-0", "waltz-0-1", "waltz-1-1"] {
        let strayed = load(&home.path(&format!("strayed/{name}.mid")));
        assert_eq!((&strayed.meters, &strayed.tempos), (&waltz().meters, &waltz().tempos), "{name}");
        assert_eq!(strayed.voices[0].program, 73, "{name}");
    }
}

/// Nothing was said, and what was decoded was no waltz.
#[test]
fn encode_warns_of_what_latents_do_not_hold() {
    let home = Home::new();
    save(&waltz(), &home.path("waltz.mid"));
    save(&tune(MAMAN), &home.path("maman.mid"));
    let (_, told) = succeed(&home, "encode melody-2bar waltz.mid maman.mid -o z.csv");
    assert!(told.contains("waltz.mid: its bars do not fill") && told.contains("reconstruct"), "{told}");
    assert!(!told.contains("maman.mid: its bars"), "{told}");
}

/// It came out in 4/4 at 120 quarters a minute, with some beats twice.
#[test]
fn a_waltz_that_is_encoded_and_decoded_stays_a_waltz() {
    let home = Home::new();
    save(&waltz(), &home.path("waltz.mid"));
    succeed(&home, "reconstruct melody-2bar waltz.mid -o kept");
    let kept = load(&home.path("kept/waltz.mid"));
    let notes = |piece: &Melody| piece.voices[0].notes.iter().map(|note| (note.start, note.pitch)).collect::<Vec<_>>();
    for ending in ["safetensors", "jsonl"] {
        let (_, told) = succeed(&home, &format!("encode melody-2bar waltz.mid -o z.{ending}"));
        assert!(!told.contains("its bars do not fill"), "{told}");
        succeed(&home, &format!("decode melody-2bar z.{ending} -o {ending}"));
        let again = load(&home.path(&format!("{ending}/waltz.mid")));
        assert_eq!((&again.meters, &again.tempos), (&waltz().meters, &waltz().tempos), "{ending}");
        assert_eq!(notes(&again), notes(&kept), "{ending}");
    }
    // One that is of another piece, or none, does no harm.
    let text = std::fs::read_to_string(home.path("z.jsonl")).unwrap();
    for steps in ["0", "1", "999999999999"] {
        let changed = text.replacen("\"steps\":", &format!("\"steps\":{steps},\"was\":"), 1);
        std::fs::write(home.path("other.jsonl"), changed).unwrap();
        succeed(&home, &format!("decode melody-2bar other.jsonl -o other-{steps}"));
        assert_eq!(load(&home.path(&format!("other-{steps}/waltz.mid"))).meters, Melody::new(480).meters);
    }
}

/// Of many files nobody knew which it was.
#[test]
fn a_warning_of_a_file_names_it() {
    let home = Home::new();
    // A track without an end, and one too many in the header.
    let bytes = b"MThd\0\0\0\x06\0\x01\0\x02\0\x60MTrk\0\0\0\x08\0\x90\x3c\x64\x60\x80\x3c\0";
    fs::write(home.path("cut.mid"), bytes).unwrap();
    let (_, told) = succeed(&home, "encode melody-2bar cut.mid -o z.csv");
    for warning in ["cut.mid: its last track has no end", "cut.mid: its header counts 2 tracks, and it has 1"] {
        assert!(told.contains(warning), "{told}");
    }
}

/// The last note before a long rest sounded for all of it.
#[test]
fn what_is_decoded_is_silent_where_the_tune_was() {
    let home = Home::new();
    save(&tune("c4:4 d4:4 e4:4 r:660 g4:4 f4:4 e4:8 d4:4 c4:4 c4:8"), &home.path("a.mid"));
    succeed(&home, "encode melody-2bar a.mid -o z.csv");
    succeed(&home, "decode melody-2bar z.csv -o out");
    let notes = &load(&home.path("out/a.mid")).voices[0].notes;
    assert!(notes.iter().all(|note| note.end - note.start <= 32 * 120), "{notes:?}");
}

/// The same silence was made twenty times, and nothing was said of it.
#[test]
fn similar_says_where_it_made_silence() {
    let home = Home::new();
    save(&tune("f5:1"), &home.path("one.mid"));
    let (_, told) = succeed(&home, "similar one.mid --amount 0 -n 1 --no-wav --no-png -o x");
    assert!(told.contains("one.mid: 1 of 1 pieces without a note"), "{told}");
    save(&tune(MAMAN), &home.path("a.mid"));
    let (_, told) = succeed(&home, "similar a.mid --amount 0 -n 1 --no-wav --no-png -o x");
    assert!(!told.contains("without a note"), "{told}");
}

/// It took the place of its own input, and of a table that a pipeline had gathered.
#[test]
fn encode_replaces_nothing_that_nobody_gave_up() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("four.csv"));
    let before = fs::read(home.path("four.csv")).unwrap();
    for more in ["", " --overwrite"] {
        let (code, _, told) = run(&home, &format!("encode melody-2bar four.csv -o ./four.csv{more}"));
        assert!(code == 64 && told.contains("the input") && told.contains("--out"), "{code} {told}");
        assert_eq!(fs::read(home.path("four.csv")).unwrap(), before);
    }
    fs::write(home.path("table.csv"), "gathered\n").unwrap();
    let (code, _, told) = run(&home, "encode melody-2bar four.csv -o table.csv");
    assert!(code == 64 && told.contains("table.csv") && told.contains("--overwrite"), "{code} {told}");
    // Before the work.
    assert!(!told.contains("the melody is"), "{told}");
    assert_eq!(fs::read_to_string(home.path("table.csv")).unwrap(), "gathered\n");
    succeed(&home, "encode melody-2bar four.csv -o table.csv --overwrite");
    assert!(fs::read_to_string(home.path("table.csv")).unwrap().starts_with("source,model,row"));
}

/// `search` said that all was well; the plots drew nothing.
#[test]
fn one_bad_file_of_many_is_told_by_the_exit_code_and_costs_itself_alone() {
    let home = Home::new();
    let tunes = home.folder("in");
    save(&tune(MAMAN), &tunes.join("a.mid"));
    save(&tune(JACQUES), &tunes.join("b.mid"));
    fs::write(tunes.join("bad.mid"), "no tune").unwrap();
    let (code, out, told) = run(&home, "search melody-2bar in/a.mid --in in");
    assert!(code == 65 && told.contains("bad.mid"), "{code} {told}");
    assert!(out.contains("in/a.mid") && out.contains("in/b.mid"), "{out}");
    for (folder, names) in [("x", &["1", "2"][..]), ("y", &["1"][..])] {
        let folder = home.folder(folder);
        names.iter().for_each(|name| fs::write(folder.join(name).with_extension("png"), common::png(28, 28)).unwrap());
    }
    fs::write(home.path("bad.png"), "no picture").unwrap();
    audio_common::write_wav(&home.path("talk.wav"), 16_000, &[vec![0.1; 1000]], 16, false);
    for (line, code, name) in [
        ("plot scatter melody-2bar in", 65, "bad.mid"),
        ("plot reconstruct digits-ae bad.png x/1.png", 65, "bad.png"),
        ("plot compare x y", 66, "`2`"),
        ("plot gone.wav talk.wav", 66, "gone.wav"),
    ] {
        let (found, _, told) = run(&home, &format!("{line} -o plot.png"));
        assert!(found == code && told.contains(name), "{line}: {found} {told}");
        assert!(image::open(home.path("plot.png")).is_ok(), "{line}");
        fs::remove_file(home.path("plot.png")).unwrap();
    }
    // Of nothing there is no picture.
    for line in ["plot scatter melody-2bar in/bad.mid", "plot reconstruct digits-ae bad.png", "plot gone.wav"] {
        assert!(run(&home, &format!("{line} -o plot.png")).0 > 64 && !home.path("plot.png").exists(), "{line}");
    }
}

/// They were taken for tracks that a file does not have.
#[test]
fn a_track_or_channel_that_cannot_be_is_the_command_lines_mistake() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    for verb in [
        "encode melody-2bar a.mid",
        "reconstruct melody-2bar a.mid -o x",
        "perturb melody-2bar a.mid -o x",
        "search melody-2bar a.mid --in a.mid",
        "plot scatter melody-2bar a.mid -o x.png",
        "similar a.mid -o x",
        "interpolate a.mid a.mid -o x",
    ] {
        for voice in ["--track 0", "--track 65536", "--channel 0", "--channel 17", "--track 1 --channel 1"] {
            let (code, _, told) = run(&home, &format!("{verb} {voice}"));
            assert_eq!(code, 64, "{verb} {voice}: {told}");
        }
    }
    assert_eq!(files(&home.path("")).len(), 1);
}

/// Only two verbs could be told which it is.
#[test]
fn every_verb_that_encodes_takes_the_voice_that_is_asked_for() {
    let home = Home::new();
    let inbox = home.folder("inbox");
    save(&two_voices(), &inbox.join("two.mid"));
    let values = |channel: u8| {
        let (out, _) = succeed(&home, &format!("encode melody-2bar inbox/two.mid --channel {channel}"));
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["values"].clone()).collect::<Vec<_>>()
    };
    assert_ne!(values(1), values(2));
    for channel in [1, 2] {
        let line = format!("reconstruct melody-2bar inbox/two.mid --channel {channel} -o kept-{channel}");
        succeed(&home, &line);
        let kept = load(&home.path(&format!("kept-{channel}/two.mid")));
        assert_eq!(kept.voices[0].channel + 1, channel);
        succeed(
            &home,
            &format!("perturb melody-2bar inbox/two.mid --amounts 0 -n 1 --channel {channel} -o p{channel}"),
        );
        assert_eq!(load(&home.path(&format!("p{channel}/two-0-0.mid"))), kept);
        let stage = format!("reconstruct: {{ model: melody-2bar, channel: {channel} }}");
        let pipeline = home.pipeline("", &stage, "");
        let line = format!("apply {} inbox --out stage-{channel}", pipeline.display());
        succeed(&home, &line);
        assert_eq!(load(&home.path(&format!("stage-{channel}/two.mid"))), kept);
        // What another voice left in the index is no answer.
        let (out, _) = succeed(&home, &format!("search melody-2bar inbox/two.mid --in inbox --channel {channel}"));
        assert!(out.trim_start().starts_with("0.0000"), "{out}");
        succeed(&home, &format!("plot scatter melody-2bar inbox --channel {channel} -o plot.png"));
    }
    let (code, _, told) = run(&home, "reconstruct melody-2bar inbox/two.mid --track 9 -o x");
    assert!(code == 65 && told.contains("track 9"), "{code} {told}");
    let pipeline = home.pipeline("", "encode: { model: melody-2bar, track: 1, channel: 1 }", "");
    let (code, out, told) = run(&home, &format!("check {}", pipeline.display()));
    assert!(code == 78 && format!("{out}{told}").contains("both say"), "{code} {out}{told}");
}

/// Two files of one name could not be told apart.
#[test]
fn files_of_several_folders_keep_their_folder() {
    let home = Home::new();
    for (folder, notes) in [("two/a", MAMAN), ("two/b", JACQUES), ("two/b/deep", MAMAN)] {
        save(&tune(notes), &home.folder(folder).join("t.mid"));
    }
    let sources = |line: &str| {
        let (out, _) = succeed(&home, line);
        let source = |line: &str| serde_json::from_str::<Value>(line).unwrap()["source"].as_str().unwrap().to_owned();
        let mut sources: Vec<String> = out.lines().map(source).collect();
        sources.dedup();
        sources
    };
    assert_eq!(sources("encode melody-2bar two/a two/b"), ["a/t.mid", "b/deep/t.mid", "b/t.mid"]);
    assert_eq!(sources("encode melody-2bar two/b/deep two/a/"), ["b/deep/t.mid", "a/t.mid"]);
    assert_eq!(sources("encode melody-2bar two/b"), ["deep/t.mid", "t.mid"]);
    succeed(&home, "reconstruct melody-2bar two/a two/b -o kept");
    assert_eq!(files(&home.path("kept")), ["a/t.mid", "b/deep/t.mid", "b/t.mid"].map(std::path::PathBuf::from));
}

/// Four verbs had none, and what stands within a table was called "".
#[test]
fn json_tells_of_each_file_and_what_it_is() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    succeed(&home, "encode melody-2bar a.mid -o z.csv");
    let told = |line: &str| -> Vec<Value> {
        let (out, _) = succeed(&home, &format!("{line} -o out --json"));
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            assert!(home.path(line["file"].as_str().unwrap()).is_file() && line.get("what").is_some(), "{line}");
            assert_ne!(line["what"], "", "{line}");
        }
        lines
    };
    assert_eq!(told("reconstruct melody-2bar a.mid")[0]["what"], "a.mid");
    assert_eq!(told("decode melody-2bar z.csv")[0]["what"], "a.mid");
    assert_eq!(told("perturb melody-2bar a.mid --amounts 0.5 -n 1")[0]["what"], "draw 0, noise of 0.5");
    assert_eq!(told("sample melody-2bar -n 2").len(), 2);
    let table = told("interpolate a.mid a.mid a.mid a.mid --steps 3 --no-wav --no-png");
    assert_eq!((table[0]["what"].as_str(), table[4]["what"].as_str()), (Some("a"), None));
}

/// Four fifths of its notes were of one key, where those of a sample nearly all are; and some had no note.
#[test]
fn what_is_similar_to_anything_is_a_sample() {
    let home = Home::new();
    save(&tune("c4:4 c4:4 g4:4 g4:4 a4:4 a4:4 g4:8"), &home.path("a.mid"));
    succeed(&home, "similar a.mid --amount 1 -n 3 --seed 5 --no-wav --no-png -o near");
    succeed(&home, "sample melody-2bar -n 3 --seed 5 -o new");
    for number in 0..3 {
        let near = load(&home.path(&format!("near/similar-0{}.mid", number + 1)));
        assert_eq!(near.voices[0].notes, load(&home.path(&format!("new/0000{number}.mid"))).voices[0].notes);
    }
    save(&tune("c4:1"), &home.path("one.mid"));
    succeed(&home, "similar one.mid -n 100 --no-wav --no-png -o ones");
    // A file without a note would not be read.
    files(&home.path("ones")).iter().for_each(|name| assert!(load(&home.path("ones").join(name)).end() > 0));
}

/// It was found out when all else was written.
#[test]
fn a_file_that_is_no_soundfont_is_told_first() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    fs::write(home.path("short.sf2"), "RIFF").unwrap();
    for font in ["a.mid", "short.sf2"] {
        let (code, _, told) = run(&home, &format!("similar a.mid --soundfont {font} -o near"));
        assert!(code == 65 && told.contains("no SoundFont") && told.contains("help:"), "{code} {told}");
        assert!(!home.path("near").exists());
    }
}

/// A picture was said to be a bad MIDI file.
#[test]
fn a_file_of_another_kind_is_the_models_mistake() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    fs::write(home.path("a.png"), common::png(28, 28)).unwrap();
    for (line, words) in [
        ("interpolate a.png a.png -o x", "`--model digits-vae20`"),
        ("similar a.png -o x", "`--model digits-vae20`"),
        ("interpolate a.mid a.mid --model digits-vae20 -o x", "`--model melody-2bar`"),
        ("encode melody-2bar a.png", "`digits-vae20`"),
        ("perturb digits-vae20 a.mid -o x", "`melody-2bar`"),
    ] {
        let (code, _, told) = run(&home, line);
        assert!(code == 65 && told.contains(words), "{line}: {code} {told}");
    }
    // How many there are is seen before any is read.
    let (code, _, told) = run(&home, "interpolate a.mid a.mid gone.mid -o x");
    assert!(code == 64 && told.contains("3 files were given"), "{code} {told}");
}

#[test]
fn every_mistake_has_its_mend() {
    let home = Home::new();
    save(&tune(MAMAN), &home.path("a.mid"));
    fs::write(home.path("e.jsonl"), "").unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", home.path("link")).unwrap();
    for (line, code, mend) in [
        ("similar a.mid --amount 2 -o x", 64, "`--amount 0`"),
        ("sample melody-2bar --temperature 11 -o x", 64, "`--temperature 1`"),
        ("perturb melody-2bar a.mid --amounts 1,-1 -o x", 64, "`--amounts 0,0.5,1`"),
        ("plot grid digits-vae2 --axes 0,9 -o x.png", 64, "`--axes 0,1`"),
        ("reconstruct melody-2bar a.mid -o a.mid", 64, "name a folder after `--out`"),
        ("similar a.mid -o a.mid/deep", 64, "name a folder after `--out`"),
        ("reconstruct melody-2bar a.mid -o link", 73, "name another place after `--out`"),
        ("plot scatter digits-vae2 e.jsonl -o x.png", 65, "`latentd encode`"),
        ("decode digits-vae2 e.jsonl -o x", 65, "`latentd encode`"),
        ("interpolate a.mid -o x", 64, "give two"),
    ] {
        let (found, _, told) = run(&home, line);
        assert!(found == code && told.contains("help: ") && told.contains(mend), "{line}: {found} {told}");
    }
}
