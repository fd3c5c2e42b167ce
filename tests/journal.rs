//! The journal at every point at which the program may end: what was claimed is counted, what was about to be published is published once.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Home, wait_for};
use latentd::daemon::journal::{self, Book, Found};
use latentd::durable::{Collision, Publication, Stamp, digest_of};
use latentd::media::MediaKind;
use latentd::pipeline::{Claim, Ledger, Pipeline, Verdict};
use latentd::sink::FolderSink;
use latentd::source::FolderSource;

fn pipeline(home: &Home) -> Pipeline {
    let (inbox, outbox) = (home.folder("inbox"), home.folder("outbox"));
    Pipeline::new("test", FolderSource::everything(&inbox), Vec::new(), FolderSink::new(&outbox, MediaKind::Image))
}

fn open(home: &Home) -> (Book, Found) {
    let pipeline = pipeline(home);
    let mut opened = None;
    // The thread of a book that was let go needs a moment to close the file.
    wait_for("the journal to be free", Duration::from_secs(20), || {
        opened = journal::open(&home.path("state"), &pipeline, false).ok();
        opened.is_some()
    });
    opened.unwrap()
}

fn claim(home: &Home) -> Claim {
    let stamp = Stamp::of(&home.path("inbox/a")).unwrap();
    let fingerprint = pipeline(home).fingerprint.results;
    Claim { key: [7; 32], inputs: vec![(PathBuf::from("a"), stamp)], fingerprint }
}

fn publication(home: &Home) -> Publication {
    let draft = home.path("outbox/.latentd-x.1-abc.partial");
    fs::write(&draft, "result").unwrap();
    Publication { digest: digest_of(&draft).unwrap(), target: home.path("outbox/a"), draft }
}

fn home() -> Home {
    let home = Home::new();
    fs::write(home.folder("inbox").join("a"), "input").unwrap();
    home
}

fn outbox(home: &Home) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(home.path("outbox")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_input_that_the_program_ends_with_is_not_tried_a_fourth_time() {
    let home = home();
    let mut found_before = 0;
    for _ in 0..3 {
        let (book, found) = open(&home);
        found_before += found.interrupted.len();
        assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
        // The end, with the work still open.
    }
    assert_eq!(found_before, 2);
    let (book, found) = open(&home);
    assert_eq!(found.interrupted.len(), 1);
    assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Deadly(3));
    // Put aside with that reason, and tried again by somebody's wish: it counts anew.
    book.failed([7; 32], "it has ended the program");
    assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
}

#[test]
fn what_failed_while_the_program_lived_on_may_fail_any_number_of_times() {
    let home = home();
    for _ in 0..6 {
        let (book, found) = open(&home);
        assert!(found.interrupted.is_empty());
        assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
        book.failed([7; 32], "no room");
        book.close();
    }
}

#[test]
fn a_result_that_was_about_to_get_its_name_gets_it() {
    let home = home();
    let (book, _) = open(&home);
    book.claim(claim(&home)).unwrap();
    book.intend([7; 32], &[publication(&home)]).unwrap();
    drop(book);
    let (book, found) = open(&home);
    assert_eq!(outbox(&home), ["a"]);
    assert_eq!(found.unsettled.len(), 1);
    assert!(matches!(book.claim(claim(&home)).unwrap(), Verdict::Known(_)));
}

#[test]
fn a_result_that_has_its_name_but_was_not_noted_is_not_made_again() {
    let home = home();
    let (book, _) = open(&home);
    book.claim(claim(&home)).unwrap();
    let result = publication(&home);
    book.intend([7; 32], std::slice::from_ref(&result)).unwrap();
    fs::rename(&result.draft, &result.target).unwrap();
    drop(book);
    let (book, _) = open(&home);
    assert_eq!(outbox(&home), ["a"]);
    match book.claim(claim(&home)).unwrap() {
        Verdict::Known(results) => assert_eq!(results[0].target, result.target),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_somebody_has_taken_meanwhile_is_not_taken_from_them() {
    let home = home();
    let (book, _) = open(&home);
    book.claim(claim(&home)).unwrap();
    let result = publication(&home);
    book.intend([7; 32], std::slice::from_ref(&result)).unwrap();
    fs::write(&result.target, "somebody else's").unwrap();
    drop(book);
    let (_book, _) = open(&home);
    assert_eq!(outbox(&home), ["a", "a-1"]);
    assert_eq!(fs::read_to_string(home.path("outbox/a")).unwrap(), "somebody else's");
    assert_eq!(fs::read_to_string(home.path("outbox/a-1")).unwrap(), "result");
}

/// After a crash the old result stayed, and the new one got another name.
#[test]
fn a_result_that_was_to_replace_an_older_one_does() {
    let home = home();
    let mut pipeline = pipeline(&home);
    pipeline.sink.collision = Collision::Replace;
    let (book, _) = journal::open(&home.path("state"), &pipeline, false).unwrap();
    book.claim(claim(&home)).unwrap();
    let result = publication(&home);
    fs::write(&result.target, "older").unwrap();
    book.intend([7; 32], std::slice::from_ref(&result)).unwrap();
    book.close();
    drop(book);
    let (_book, found) = journal::open(&home.path("state"), &pipeline, false).unwrap();
    assert_eq!((outbox(&home), found.unsettled.len()), (vec!["a".to_owned()], 1));
    assert_eq!(fs::read_to_string(home.path("outbox/a")).unwrap(), "result");
}

/// Power was lost before the draft's name was on the disk, or its contents are not what they should be.
#[test]
fn a_result_that_was_lost_is_made_again() {
    for broken in [false, true] {
        let home = home();
        let (book, _) = open(&home);
        book.claim(claim(&home)).unwrap();
        let result = publication(&home);
        book.intend([7; 32], std::slice::from_ref(&result)).unwrap();
        if broken {
            fs::write(&result.draft, "").unwrap();
        } else {
            fs::remove_file(&result.draft).unwrap();
        }
        drop(book);
        let (book, found) = open(&home);
        assert!(found.unsettled.is_empty());
        assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
        assert!(!home.path("outbox/a").exists());
    }
}

/// Images of the file as they would be after power loss in the middle of writing: any beginning of it, and any part of it wiped.
#[test]
fn a_journal_that_is_damaged_is_put_aside_and_never_stops_the_daemon() {
    let home = home();
    let (book, _) = open(&home);
    for n in 0..50u8 {
        let claim = Claim { key: [n; 32], ..claim(&home) };
        book.claim(claim).unwrap();
        book.done([n; 32], &[publication(&home)], 0.1, true).unwrap();
    }
    book.close();
    let path = journal::path(&home.path("state"), &pipeline(&home));
    let whole = fs::read(&path).unwrap();
    let image = |name: &str, bytes: &[u8]| {
        let state = home.folder(&format!("images/{name}"));
        fs::write(state.join(path.file_name().unwrap()), bytes).unwrap();
        let (book, _) = journal::open(&state, &pipeline(&home), false).unwrap_or_else(|e| panic!("{name}: {e}"));
        book.claim(claim(&home)).unwrap_or_else(|e| panic!("{name}: {e}"));
        book.close();
    };
    for part in 0..16 {
        let cut = whole.len() * part / 16;
        image(&format!("cut-{part}"), &whole[..cut]);
        let mut wiped = whole.clone();
        wiped[cut..whole.len() * (part + 1) / 16].fill(0);
        image(&format!("wiped-{part}"), &wiped);
    }
}

#[test]
fn history_tells_what_happened_newest_first() {
    let home = home();
    let (book, _) = open(&home);
    book.claim(claim(&home)).unwrap();
    book.done([7; 32], &[publication(&home)], 0.25, false).unwrap();
    book.claim(Claim { key: [8; 32], ..claim(&home) }).unwrap();
    book.failed([8; 32], "no such luck");
    let events = book.history(0, 10, vec![]).unwrap();
    let what: Vec<&str> = events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(what, ["failed", "done"]);
    assert_eq!(events[1].seconds, Some(0.25));
    assert_eq!(events[0].reason.as_deref(), Some("no such luck"));
    assert_eq!(book.history(0, 1, vec![]).unwrap().len(), 1);
    assert_eq!(book.history(0, 9, vec!["outbox".into()]).unwrap().len(), 1);
    assert_eq!(book.history(0, 9, vec!["nothing".into()]).unwrap().len(), 0);
    assert_eq!(book.history(events[0].time + 1_000_000, 9, vec![]).unwrap().len(), 0);
    assert!(Path::new(&events[1].results[0]).ends_with("outbox/a"));
}

/// 20 MB of a stranger's text went into it for each file, twice, and the history could not be asked for any more.
#[test]
fn a_reason_is_kept_short_and_without_escapes() {
    let home = home();
    let (book, _) = open(&home);
    assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
    book.failed([7; 32], &"x\u{1b}".repeat(1_000_000));
    let events = book.history(0, 10, vec![]).unwrap();
    let reason = events[0].reason.as_deref().unwrap();
    assert!(reason.starts_with("x\\u{1b}x") && reason.len() < 20_000, "{}", reason.len());
}

/// All of it was read by the journal's own thread while claims waited, and each question cost a write.
#[test]
fn a_long_history_is_read_in_pieces_and_whole() {
    let home = home();
    let (book, _) = open(&home);
    assert_eq!(book.claim(claim(&home)).unwrap(), Verdict::Work);
    for n in 0..1000 {
        book.failed([7; 32], &n.to_string());
    }
    let reasons = |limit, files| -> Vec<usize> {
        let events = book.history(0, limit, files).unwrap();
        events.iter().map(|event| event.reason.as_deref().unwrap().parse().unwrap()).collect()
    };
    let newest_first: Vec<usize> = (0..1000).rev().collect();
    assert_eq!(reasons(10_000, vec![]), newest_first);
    let written = Stamp::of(&journal::path(&home.path("state"), &pipeline(&home))).unwrap();
    // The last of one piece, the first of the next one, and all.
    for limit in [1, 255, 256, 257, 1000] {
        assert_eq!(reasons(limit, vec!["a".into()]), newest_first[..limit]);
    }
    assert!(reasons(10, vec!["nothing".into()]).is_empty());
    assert_eq!(Stamp::of(&journal::path(&home.path("state"), &pipeline(&home))).unwrap(), written);
}
