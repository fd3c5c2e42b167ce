//! What a verb writes takes the place of no file that the user did not name, and never of one that it was made of.
#![allow(missing_docs, clippy::unwrap_used)]

mod audio_common;
mod common;

use std::fs;
use std::os::unix::fs::symlink;

use audio_common::write_wav;
use common::{Home, png};

fn run(home: &Home, line: &str) -> (Option<i32>, String, String) {
    let output = home.run(&line.split(' ').collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_plot_whose_name_nobody_gave_replaces_nothing() {
    let home = Home::new();
    write_wav(&home.path("talk.wav"), 16_000, &[vec![0.1; 1000]], 16, false);
    fs::write(home.path("talk.png"), "mine").unwrap();
    assert_eq!(run(&home, "plot talk.wav"), (Some(0), "talk-1.png\n".into(), String::new()));
    assert_eq!(fs::read(home.path("talk.png")).unwrap(), b"mine");
    assert!(image::open(home.path("talk-1.png")).is_ok());
    // It is what the user asks for.
    assert_eq!(run(&home, "plot talk.wav --out talk.png").0, Some(0));
    assert!(image::open(home.path("talk.png")).is_ok());
}

#[test]
fn an_output_is_none_of_the_inputs() {
    let home = Home::new();
    write_wav(&home.path("talk.wav"), 16_000, &[vec![0.1; 1000]], 16, false);
    let (one, other) = (png(20, 20), png(30, 20));
    fs::write(home.path("a.png"), &one).unwrap();
    fs::write(home.folder("pictures").join("b.png"), &other).unwrap();
    fs::hard_link(home.path("a.png"), home.path("hard.png")).unwrap();
    for (to, link) in [("a.png", "link.png"), ("talk.wav", "link.svg"), ("pictures", "linked")] {
        symlink(home.path(to), home.path(link)).unwrap();
    }
    for line in [
        "compare a.png pictures/b.png --out a.png",
        "compare a.png pictures/b.png --out ./linked/b.png",
        "compare a.png pictures/b.png -o link.png",
        "compare a.png pictures/b.png -o hard.png",
        "plot talk.wav -o link.svg",
        "plot compare pictures -o pictures/b.png",
        "plot reconstruct digits-ae a.png -o link.png",
    ] {
        let (code, out, err) = run(&home, line);
        assert!(code == Some(64) && err.contains("the input") && err.contains("--out"), "{line}: {code:?} {out}{err}");
    }
    // A folder's results, over the folder itself.
    let pipeline = home.pipeline("", "resize: { long_side: 4 }", ", overwrite: true");
    let (code, out, err) = run(&home, &format!("apply {} a.png pictures --out .", pipeline.display()));
    assert!(code == Some(64) && err.contains("the input"), "{code:?} {out}{err}");
    assert!(fs::read(home.path("a.png")).unwrap() == one && fs::read(home.path("pictures/b.png")).unwrap() == other);
    assert!(home.path("link.png").is_symlink() && home.path("link.svg").is_symlink());
}

#[test]
fn an_output_that_cannot_be_is_told_by_its_name() {
    let home = Home::new();
    // Before anything is read.
    let (code, _, err) = run(&home, "compare gone.png gone.png --out sheet.gif");
    assert!(code == Some(64) && err.contains("sheet.gif"), "{code:?} {err}");
    fs::write(home.path("a.png"), png(9000, 12)).unwrap();
    fs::write(home.path("b.png"), png(900, 12)).unwrap();
    let (code, _, err) = run(&home, "compare a.png a.png --out sheet.webp");
    assert!(code == Some(65) && err.contains("sheet.webp") && err.contains("write a .png"), "{code:?} {err}");
    assert!(!home.path("sheet.webp").exists());
    // The second is the smaller one, and the first is not said to be enlarged.
    let (code, out, _) = run(&home, "compare a.png b.png");
    assert!(code == Some(0) && out.contains("the first resized to 900 x 12"), "{out}");
}
