//! What a person sees for each mistake in a pipeline: `tests/golden/config/NAME.yaml` gives `NAME.txt`.
//! `UPDATE_GOLDEN=1 cargo test --test config_errors` writes the texts anew; read the diff before you commit it.
#![cfg(feature = "daemon")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use latentd::config::{Component, Node, Pipeline, Problem, Report, Span, Value, audit, read};

mod config_catalog;
use config_catalog::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config")
}

fn decode(text: &str) -> Result<Pipeline, Report> {
    Pipeline::decode(Path::new("pipelines/a.yaml"), text, &CATALOG)
}

const GOOD: &str = "name: photos
source: { folder: { path: ./inbox, include: ['*.tif'], poll: 1.5min } }
stages:
  - denoise: { model: denoise-photo, sigma: 25 }
  - upscale
  - resize:
sink:
  folder:
    path: /srv/out
    originals: { move: ../done }
";

#[test]
fn every_mistake_is_explained() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut names: Vec<_> = std::fs::read_dir(golden()).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    names.sort();
    assert!(names.len() >= 20);
    let mut wrong = Vec::new();
    for path in names {
        let name = Path::new(path.file_name().unwrap());
        let text = read(&path).unwrap();
        let report = Pipeline::decode(name, text, &CATALOG).expect_err("golden files hold mistakes");
        let rendered = report.render(false);
        for problem in report.to_json().as_array().unwrap() {
            let place = format!("{}:{}:{}\n", name.display(), problem["line"], problem["column"]);
            assert!(rendered.contains(&place), "JSON says {place}, but the text does not:\n{rendered}");
        }
        let visible = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(rendered.chars().all(visible), "control characters in the report of {}", name.display());
        let expected = path.with_extension("txt");
        if update {
            std::fs::write(&expected, &rendered).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&*rendered) {
            wrong.push(format!("{}:\n{rendered}", name.display()));
        }
    }
    assert!(wrong.is_empty(), "not as in the golden files:\n{}", wrong.join("\n"));
}

/// Mistakes as people make them, each in a pipeline that is right otherwise, and the mend that they read.
#[test]
fn usual_mistakes_have_their_mend() {
    const SOURCE: &str = "{ folder: { path: ../inbox } }";
    let of = |source: &str, stage: &str, setting: &str| {
        format!(
            "name: a\nsource: {source}\nstages:\n  - {stage}\nsink:\n  folder:\n    path: ../outbox\n    {setting}\n"
        )
    };
    let source = |source: &str| of(source, "upscale", "overwrite: true");
    let stage = |stage: &str| of(SOURCE, stage, "overwrite: true");
    let sink = |setting: &str| of(SOURCE, "upscale", setting);
    let cases = [
        (source("../inbox"), "write `folder: { path: ../inbox }`"),
        (source("{ path: ../inbox }"), "`path` is a setting of `folder`: write `folder: { path: ... }`"),
        (source("{ folder: {path:../inbox} }"), "write a space after the `:`: `path: ../inbox`"),
        (source("\n  folder:\n    path:../inbox\n    recursive: true"), "write `path: ../inbox`"),
        (source("{ folder: { path: ../inbox, max_megapixels: 24MP } }"), "write the number alone: `24`"),
        (stage("denoise: { sigma: 100 }"), "the most is `75`; or write `auto`"),
        (stage("denoise: { strength: 80% }"), "write the number alone: `0.8`"),
        (stage("denoise: { strength: 80 }"), "did you mean `0.8`?"),
        (stage("level: { loudness: 16 }"), "did you mean `-16`?"),
        (stage("level: { loudness: -16LUFS }"), "write the number alone: `-16`"),
        (stage("high_pass: { frequency: 1kHz }"), "write the number alone, in Hz"),
        (stage("resize: { width: 0 }"), "the least is `1`"),
        (stage("resize: { width: 1920px }"), "write the number alone: `1920`"),
        (sink("quality: 101"), "the most is `100`"),
        (sink("originals: trash"), "write `originals: keep`, `originals: delete` or `originals: { move: ... }`"),
        (sink("originals: 'move: done'"), "write `originals: { move: done }`"),
        (
            sink("originals: move: done"),
            "for settings write `originals: { move: done }`, and put text that contains `: ` in quotes",
        ),
        (sink("name: {stem}.jpg"), "put it in quotes: `\"{stem}.jpg\"`"),
        (sink("name: {stem}"), "put it in quotes: `\"{stem}\"`"),
    ];
    for (text, mend) in cases {
        let report = Pipeline::decode(Path::new("a.yaml"), text.as_str(), &latentd::pipeline::CATALOG).unwrap_err();
        let mends: Vec<_> = report.problems.iter().filter_map(|problem| problem.mend.as_deref()).collect();
        assert_eq!(mends, [mend], "{text}");
    }
}

/// What `check` tells of a pipeline of which nothing is known but these stages and this sink.
fn told(stages: &str, sink: &str) -> Vec<Problem> {
    use latentd::pipeline::{LoadError, Loaded};
    let text = format!("name: a\nsource: {{ folder: {{ path: ../inbox }} }}\nstages: [{stages}]\nsink: {sink}\n");
    match Loaded::of_text(Path::new("a/b.yaml"), text, &latentd::model::Models::default()) {
        Err(LoadError::Report(report)) => report.problems,
        other => panic!("{other:?}"),
    }
}

/// A wrong number kept a wrong model, and a wrong name of results, from being told in the same round.
#[test]
fn what_is_right_in_form_is_looked_into_beside_what_is_not() {
    let problems = told(
        "denoise: { model: denoise-foto, sigma: 100 }",
        "{ folder: { path: ../outbox, name: '{filename}.{ext}', quality: 101 } }",
    );
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    for part in ["`denoise-foto`", "`sigma` must be", "`{filename}`", "`quality` must be"] {
        assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:?}");
    }
    assert_eq!(messages.len(), 4, "{messages:?}");
    // Whether this setting is for the model that was meant, nobody knows.
    let problems = told("denoise: { model: 5, attenuation_limit_db: 10 }", "{ folder: { path: ../outbox } }");
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn models_are_named_that_could_have_been_meant() {
    let problems = told("upscale: { model: upscale-x2 }", "{ folder: { path: ../outbox } }");
    let mend = problems[0].mend.as_deref().unwrap();
    assert!(mend.starts_with("for `upscale` there are: upscale-photo-x2, "), "{mend}");
    assert!(!mend.contains("denoise") && !mend.contains("melody"), "{mend}");
}

#[test]
fn a_good_file_gives_its_settings() {
    let pipeline = decode(GOOD).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(pipeline.name, "photos");
    let source = &pipeline.source.settings;
    assert_eq!(source.path("path"), Path::new("pipelines/inbox"));
    assert_eq!(source.list_of_text("include"), ["*.tif"]);
    assert!(!source.flag("recursive"));
    assert_eq!(source.get("poll").and_then(Value::as_duration), Some(Duration::from_secs(90)));
    assert_eq!(source.duration("settle"), Duration::from_millis(500));
    assert_eq!(source.size("largest"), 200_000_000);
    let [denoise, upscale, resize] = &pipeline.stages[..] else { panic!("three stages") };
    assert_eq!(denoise.settings.text("model"), "denoise-photo");
    assert_eq!(denoise.settings.get("sigma"), Some(&Value::Number(25.0)));
    assert_eq!(denoise.settings.number("strength"), 1.0);
    assert_eq!(upscale.settings.text("model"), "upscale-photo-x2");
    assert_eq!(resize.settings.get("width"), None);
    assert_eq!(resize.settings.choice("filter"), "lanczos3");
    let sink = &pipeline.sink.settings;
    assert_eq!(sink.path("path"), Path::new("/srv/out"));
    assert_eq!(sink.integer("quality"), 92);
    let originals = sink.get("originals").and_then(Value::as_map).unwrap();
    assert_eq!(originals.path("move"), Path::new("pipelines/../done"));
}

#[test]
fn later_checks_can_point_at_a_value() {
    let pipeline = decode(GOOD).unwrap();
    let denoise = &pipeline.stages[0];
    let written = |span: Span| &pipeline.text[span.start..span.end];
    assert_eq!(written(denoise.settings.span("model")), "denoise-photo");
    assert_eq!(written(denoise.span), "denoise");
    assert_eq!(written(denoise.settings.span("strength")), "denoise", "a default points at the component");
    let missing = Problem::new(denoise.settings.span("model"), "there is no model `denoise-photo`").mend("train one");
    let rendered = pipeline.report(vec![missing]).render(false);
    assert!(rendered.contains("--> pipelines/a.yaml:4:23"), "{rendered}");
}

#[test]
fn colour_is_a_choice() {
    let report = decode("name: a").unwrap_err();
    assert!(report.render(true).contains("\u{1b}["));
    assert!(!report.render(false).contains('\u{1b}'));
}

#[test]
fn a_report_becomes_one_error() {
    let error = latentd::Error::from(decode("{}").unwrap_err());
    assert_eq!(error.kind(), latentd::Kind::Config);
    assert_eq!(error.message(), "4 errors in pipelines/a.yaml");
}

#[test]
fn pipelines_are_made_in_code_and_checked_alike() {
    let source = Component::new(&FOLDER_SOURCE, [("path", "in".into()), ("poll", Duration::from_millis(1500).into())]);
    let stage = Component::new(&DENOISE, [("model", "m".into()), ("sigma", 25.into())]);
    let sink = Component::new(
        &FOLDER_SINK,
        [("path", Path::new("out").into()), ("originals", Node::mapping([("move", "done".into())]))],
    );
    let (source, stage, sink) = (source.unwrap(), stage.unwrap(), sink.unwrap());
    assert_eq!(source.settings.path("path"), Path::new("in"));
    assert_eq!(source.settings.get("poll").and_then(Value::as_duration), Some(Duration::from_millis(1500)));
    assert_eq!(stage.settings.get("sigma").and_then(Value::as_number), Some(25.0));
    assert!(Pipeline::new("in code", source.clone(), [], sink.clone()).is_err(), "a space in the name");
    assert!(Pipeline::new("in-code", source, [stage], sink).is_ok());

    let report = Component::new(&DENOISE, [("modle", "m".into()), ("strength", 2.0.into())]).unwrap_err();
    assert_eq!(
        report.to_string(),
        "error: unknown key `modle` (did you mean `model`?)\nerror: `strength` must be a number from 0 to 1, found `2` (the most is `1`)\n"
    );
    let error = latentd::Error::from(report);
    assert_eq!(error.message(), "unknown key `modle`; `strength` must be a number from 0 to 1, found `2`");
}

#[cfg(unix)]
#[test]
fn paths_in_code_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"in\xff"));
    let source = Component::new(&FOLDER_SOURCE, [("path", odd.into())]).unwrap();
    assert_eq!(source.settings.path("path"), odd);
}

#[test]
fn names_of_files_cannot_drive_a_terminal() {
    let report = Pipeline::decode(Path::new("a\u{1b}[2J\u{9b}.yaml"), "{}", &CATALOG).unwrap_err();
    for text in [report.render(false), report.to_string(), latentd::Error::from(report).to_string()] {
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    }
}

#[test]
fn a_thousand_mistakes_are_not_all_shown() {
    let mut text = String::from("name: a\nsource: microphone\nstages: []\nsink: speaker\n");
    (0..1000).for_each(|n| text += &format!("x{n}: 1\n"));
    let report = decode(&text).unwrap_err();
    assert_eq!(report.problems.len(), 1000);
    assert!(report.render(false).ends_with("and 900 more\n"));
}

#[test]
fn a_file_that_is_not_text_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, b"name: a\nsource: \xff\n").unwrap();
    let error = read(&file).unwrap_err();
    assert!(error.message().ends_with("a.yaml:2:9: the file is not UTF-8 text"), "{error}");
    assert_eq!(read(&folder.path().join("no.yaml")).unwrap_err().kind(), latentd::Kind::NoInput);
}

#[test]
fn the_tables_of_this_test_are_sound() {
    assert_eq!(audit(&CATALOG), Vec::<String>::new());
}

#[test]
fn unsound_tables_are_told() {
    use latentd::config::{Catalog, Description, Field, Kind, Presence};
    const BAD: Field = Field { name: "a", doc: "", kind: Kind::Flag, presence: Presence::Default("5") };
    const S: Description =
        Description { name: "s", doc: "", takes: &[], gives: &[], example: "s: { b: true }", fields: &[BAD, BAD] };
    const CATALOG: Catalog = Catalog { sources: &[S], stages: &[], sinks: &[] };
    let wrong = audit(&CATALOG);
    assert_eq!(wrong[0], "s: `a` is there twice");
    assert_eq!(wrong[1], "s: the default of `a`: `a` must be `true` or `false`, found `5`");
    assert!(wrong.contains(&"s: its example: unknown key `b`".to_owned()), "{wrong:?}");
}
