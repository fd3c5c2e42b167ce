//! The loader against strangers' files, and the JSON Schema against the loader.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use latentd::config::yaml::{Content, MAX_BYTES, load};
use latentd::config::{Node, Pipeline, Problem, Report, schema, to_json};
use proptest::prelude::*;

mod config_catalog;
mod json_schema;
use config_catalog::CATALOG;

/// This tells what grows with every level of a bomb, not slowness: tests beside this one may have the processor meanwhile.
const AT_ONCE: Duration = Duration::from_secs(60);

fn decode(text: &str) -> Result<Pipeline, Report> {
    Pipeline::decode(Path::new("pipelines/a.yaml"), text, &CATALOG)
}

/// The only problem of `text`.
fn refusal(text: &str) -> Problem {
    let started = Instant::now();
    let mut problems = decode(text).unwrap_err().problems;
    assert!(started.elapsed() < AT_ONCE, "refused too late");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn scalars_follow_the_core_schema() {
    use Content::*;
    let text = |s: &str| Text(s.to_owned());
    for (yaml, expected) in [
        ("true", Flag(true)),
        ("False", Flag(false)),
        ("yes", text("yes")),
        ("~", Null),
        ("12", Integer(12)),
        ("-0x1", text("-0x1")),
        ("0x1F", Integer(31)),
        ("0o17", Integer(15)),
        ("017", Integer(17)),
        ("1_000", text("1_000")),
        ("+1.5e3", Number(1500.0)),
        (".5", Number(0.5)),
        ("5.", Number(5.0)),
        (".", text(".")),
        ("..5", text("..5")),
        ("1e", text("1e")),
        ("-.inf", Number(f64::NEG_INFINITY)),
        ("inf", text("inf")),
        ("nan", text("nan")),
        ("99999999999999999999", Number(1e20)),
        ("'12'", text("12")),
        ("\"true\"", text("true")),
        ("2024-01-01", text("2024-01-01")),
        ("1.2.3", text("1.2.3")),
        ("+ä", text("+ä")),
    ] {
        let mut problems = Vec::new();
        let node = load(yaml, &mut problems).unwrap();
        assert_eq!((&node.content, problems.len()), (&expected, 0), "{yaml}");
        assert_eq!(node.span.end - node.span.start, yaml.len(), "{yaml}");
    }
}

#[test]
fn bombs_are_refused_at_once() {
    let mut laughs = String::from("a0: &a0 lol\n");
    (1..10).for_each(|n| laughs += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
    let started = Instant::now();
    assert!(decode(&laughs).unwrap_err().problems.iter().any(|p| p.message.starts_with("anchors")));
    assert!(started.elapsed() < AT_ONCE);

    for nested in ["[".repeat(100_000), "{a: ".repeat(30_000), "- ".repeat(100_000), "? ".repeat(100_000)] {
        let message = refusal(&nested).message;
        let refused = ["nested more than 32 deep", "too many brackets", "is not expected here"];
        assert!(refused.iter().any(|part| message.contains(part)), "{message}");
    }
    assert!(refusal(&"a".repeat(10 << 20)).message.contains("larger than 256 KiB"));
    assert!(refusal(&format!("[{}]", "1,".repeat(100_000))).message.contains("more than 20000 values"));
    // The largest file that is read at all, with the most problems it can hold.
    let keys: String = (0..)
        .map(|n| format!("{n}: x\n"))
        .scan(0, |sum, line| {
            *sum += line.len();
            (*sum < MAX_BYTES).then_some(line)
        })
        .take(9_990)
        .collect();
    let started = Instant::now();
    let report = decode(&keys).unwrap_err();
    assert!(report.problems.len() > 9_000);
    assert!(report.render(false).len() < 100_000);
    assert_eq!(report.to_json().as_array().unwrap().len(), report.problems.len());
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

/// Pieces that make YAML-like text, right and wrong.
fn yamlish() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "name",
        "source",
        "stages",
        "sink",
        "folder",
        "path",
        "denoise",
        "model",
        "sigma",
        "originals",
        "move",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "&a ",
        "*a",
        "!!str ",
        "# c",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r",
        "\r\n",
        "\u{feff}",
        "ä",
        "日本",
        "🎨",
        "\0",
        "\u{85}",
        "\u{2028}",
        "~",
        "null",
        "1",
        "-0.5",
        "auto",
        "\\",
        "\\x",
        "@",
        "`",
        "<<",
        "=",
        " ",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

fn all_spans_inside(node: &Node, text: &str) {
    assert!(text.get(node.span.start..node.span.end).is_some(), "{:?} in {text:?}", node.span);
    match &node.content {
        Content::Sequence(list) => list.iter().for_each(|node| all_spans_inside(node, text)),
        Content::Mapping(entries) => entries.iter().for_each(|entry| {
            assert!(text.get(entry.key_span.start..entry.key_span.end).is_some(), "{:?} in {text:?}", entry.key_span);
            all_spans_inside(&entry.value, text);
        }),
        _ => {}
    }
}

fn never_panics(text: &str) {
    let started = Instant::now();
    if let Some(node) = load(text, &mut Vec::new()) {
        all_spans_inside(&node, text);
    }
    if let Err(report) = decode(text) {
        assert!(!report.problems.is_empty());
        for problem in &report.problems {
            assert!(text.get(problem.span.start..problem.span.end).is_some(), "{problem:?} in {text:?}");
        }
        assert!(!report.render(false).contains('\u{1b}'));
        report.render(true);
        report.to_json();
    }
    assert!(started.elapsed() < AT_ONCE, "{text:?} took {:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        never_panics(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn yaml_like_text_never_panics(text in yamlish()) {
        never_panics(&text);
    }

    #[test]
    fn a_good_file_with_a_wound_never_panics(at in 0..GOOD[0].len(), piece in yamlish(), cut in 0..20usize) {
        let text = GOOD[0];
        never_panics(&format!("{}{piece}{}", &text[..at], &text[(at + cut).min(text.len())..]));
    }

    #[test]
    fn plain_words_stand_where_their_span_says(words in prop::collection::vec("[a-zäß日🎨]{1,8}", 1..20), crlf: bool) {
        let line_end = if crlf { "\r\n" } else { "\n" };
        let text: String = words.iter().map(|w| format!("- {w} # ü{line_end}")).collect();
        let mut problems = Vec::new();
        let node = load(&text, &mut problems).unwrap();
        let Content::Sequence(list) = &node.content else { panic!("a list") };
        for (node, word) in list.iter().zip(&words) {
            prop_assert_eq!(&text[node.span.start..node.span.end], word.as_str());
        }
    }

    #[test]
    fn schema_and_loader_agree_on_any_value(which in 0..FIELDS.len(), value in any_value()) {
        let text = FIELDS[which].replace('@', &value);
        agree(&text);
    }
}

const GOOD: &[&str] = &[
    "name: a\nsource:\n  folder: { path: in, include: ['*.jpg'], recursive: true, poll: 5s, settle: 1.5 min, largest: 1GiB }\nstages:\n  - denoise: { model: m, sigma: auto, strength: 0.5 }\n  - upscale\n  - resize: { width: 10, filter: box }\nsink:\n  folder: { path: out, originals: { move: done }, quality: 1 }\n",
    "{ name: _x.y-1, source: microphone, stages: [], sink: speaker }",
    "name: ünïcode-日本\nsource: { microphone: }\nstages: [resize, { resize: {} }, { upscale: { model: x } }]\nsink: { speaker: { device: hw } }",
];

/// A pipeline with one value open.
const FIELDS: &[&str] = &[
    "{ name: @, source: microphone, stages: [], sink: speaker }",
    "{ name: a, source: @, stages: [], sink: speaker }",
    "{ name: a, source: microphone, stages: @, sink: speaker }",
    "{ name: a, source: microphone, stages: [@], sink: speaker }",
    "{ name: a, source: { folder: { path: @ } }, stages: [], sink: speaker }",
    "{ name: a, source: { folder: { path: a, include: @ } }, stages: [], sink: speaker }",
    "{ name: a, source: { folder: { path: a, recursive: @ } }, stages: [], sink: speaker }",
    "{ name: a, source: { folder: { path: a, poll: @ } }, stages: [], sink: speaker }",
    "{ name: a, source: { folder: { path: a, largest: @ } }, stages: [], sink: speaker }",
    "{ name: a, source: microphone, stages: [{ denoise: { model: m, sigma: @ } }], sink: speaker }",
    "{ name: a, source: microphone, stages: [{ resize: { width: @ } }], sink: speaker }",
    "{ name: a, source: microphone, stages: [{ resize: { filter: @ } }], sink: speaker }",
    "{ name: a, source: microphone, stages: [{ resize: @ }], sink: speaker }",
    "{ name: a, source: microphone, stages: [], sink: { folder: { path: a, originals: @ } } }",
    "{ name: a, source: microphone, stages: [], sink: { folder: { path: a, @: a } } }",
];

fn any_value() -> impl Strategy<Value = String> {
    const VALUES: &[&str] = &[
        "~",
        "''",
        "a",
        "true",
        "yes",
        "0",
        "0.0",
        "1",
        "-1",
        "2.0",
        "0.5",
        "74.99",
        "75",
        "76",
        "1e9",
        "65535",
        "65536",
        "'5'",
        "auto",
        "5s",
        "5 s",
        "5  s",
        "0.5ms",
        ".5s",
        "5.s",
        "1.5min",
        "2h",
        "5m",
        "-5s",
        "'0'",
        "1234567890s",
        "100MB",
        "1.5GiB",
        "5 kB",
        "7B",
        "[]",
        "[a]",
        "[a, 1]",
        "['']",
        "{}",
        "{ move: a }",
        "{ move: ~ }",
        "{ move: '~/a' }",
        "{ moved: a }",
        "{ resize: }",
        "{ resize: {}, upscale: {} }",
        "{ folder: { path: a } }",
        "folder",
        "microphone",
        "resize",
        "denoise",
        "box",
        "keep",
        "path",
        "name",
        "'~'",
        "'~/x'",
        "'~x'",
        "a b",
        "-a",
        ".a",
        "_a",
        "a/b",
        "ä",
        "'٣'",
        "日本",
        "\"a\\0b\"",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    prop_oneof![
        prop::sample::select(VALUES).prop_map(str::to_owned),
        "[a-z0-9.~ -]{0,6}".prop_map(|s| format!("'{s}'"))
    ]
}

fn agree(text: &str) {
    let mut problems = Vec::new();
    let node = load(text, &mut problems).unwrap_or_else(|| panic!("{text}: {problems:?}"));
    if !problems.is_empty() {
        return; // keys given twice are lost in JSON
    }
    let schema = schema(&CATALOG);
    let decoded = decode(text);
    let valid = json_schema::accepts(&schema, &to_json(&node));
    assert_eq!(
        valid,
        decoded.is_ok(),
        "schema says {valid} to {text}\n{:?}",
        decoded.map(drop).map_err(|r| r.to_string())
    );
}

#[test]
fn schema_and_loader_agree_on_files() {
    GOOD.iter().for_each(|text| {
        decode(text).unwrap_or_else(|report| panic!("{report}"));
        agree(text);
    });
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config");
    let mut compared = 0;
    for entry in std::fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut problems = Vec::new();
        if path.extension().is_some_and(|e| e == "yaml")
            && let Some(_) = load(&text, &mut problems)
            && problems.is_empty()
        {
            agree(&text);
            compared += 1;
        }
    }
    assert!(compared > 12, "{compared}");
}

#[test]
fn schema_tells_editors_what_they_show() {
    let schema = schema(&CATALOG);
    let denoise = &schema["properties"]["stages"]["items"]["oneOf"][0]["properties"]["denoise"];
    assert_eq!(denoise["description"], "Removes noise from a picture.");
    assert_eq!(denoise["properties"]["sigma"]["default"], "auto");
    assert_eq!(denoise["properties"]["strength"]["maximum"], 1.0);
    assert_eq!(denoise["required"], serde_json::json!(["model"]));
}
