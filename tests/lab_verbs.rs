//! The verbs of the lab on forty digits: encode, decode, reconstruct, sample, perturb, search, plot.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod images_common;
mod lab_common;

use std::path::Path;

use common::Home;
use images_common::{decoded, encoded, picture};
use lab_common::{digits, values};
use latentd::media::image::{Depth, Format, Layout};

struct Lab(Home);

impl Lab {
    fn new() -> Lab {
        let home = Home::new();
        lab_common::write(&home.path("digits"));
        Lab(home)
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        let models = lab_common::models();
        let mut args: Vec<&str> = line.split_whitespace().collect();
        args.extend(["--models", models.to_str().unwrap()]);
        let output = self.0.run(&args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn succeed(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, 0, "{line}: {err}");
        out
    }

    fn picture(&self, path: &str) -> image::DynamicImage {
        image::open(self.0.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / a.len() as f32
}

#[test]
fn encode_and_decode_are_reconstruct() {
    let lab = Lab::new();
    for ending in ["safetensors", "npy", "csv", "jsonl"] {
        lab.succeed(&format!("encode digits-ae digits -o z.{ending}"));
        lab.succeed(&format!("decode digits-ae z.{ending} -o decoded-{ending}"));
    }
    lab.succeed("reconstruct digits-ae digits -o kept");
    let lines = lab.succeed("encode digits-ae digits");
    assert_eq!(lines.lines().count(), 40);
    assert!(lines.lines().all(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["values"].as_array().unwrap().len() == 128
    }));
    for (index, (class, original)) in digits().iter().enumerate() {
        let kept = lab.picture(&format!("kept/{class}/{index:02}.png")).into_luma8();
        assert!(difference(&values(&kept), &values(original)) < 0.02);
        for ending in ["safetensors", "csv", "jsonl"] {
            assert_eq!(lab.picture(&format!("decoded-{ending}/{class}/{index:02}.png")).into_luma8(), kept);
        }
    }
    // NumPy's format holds no names; files come in the order of their paths.
    assert_eq!(lab.picture("decoded-npy/00000.png").into_luma8(), lab.picture("kept/0/00.png").into_luma8());
}

/// They came out without, and looked other than they should.
#[test]
fn a_reconstruction_keeps_the_pictures_profile() {
    let lab = Lab::new();
    for (layout, kept) in [(Layout::Gray, true), (Layout::Rgb, false)] {
        let mut profile = vec![0u8; 200];
        profile[..4].copy_from_slice(&200u32.to_be_bytes());
        profile[16..20].copy_from_slice(if kept { b"GRAY" } else { b"RGB " });
        profile[36..40].copy_from_slice(b"acsp");
        let mut digit = picture(28, 28, layout, Depth::Eight);
        digit.metadata.icc = Some(profile.clone());
        digit.metadata.xmp = Some(b"<x:xmpmeta/>".to_vec());
        std::fs::write(lab.0.path("with.png"), encoded(&digit, Format::Png)).unwrap();
        lab.succeed("reconstruct digits-ae with.png -o kept");
        let found = decoded(&std::fs::read(lab.0.path("kept/with.png")).unwrap(), Format::Png).unwrap().metadata;
        // Colors' profile says nothing of a gray picture.
        assert_eq!(found.icc, kept.then_some(profile), "{layout:?}");
        assert!(found.xmp.is_some(), "{layout:?}");
        std::fs::remove_dir_all(lab.0.path("kept")).unwrap();
    }
}

#[test]
fn samples_are_the_same_for_the_same_seed_only() {
    let lab = Lab::new();
    for (seed, out) in [(1, "a"), (1, "b"), (2, "c")] {
        lab.succeed(&format!("sample digits-vae20 -n 3 --seed {seed} -o {out}"));
    }
    let sample = |out: &str| std::fs::read(lab.0.path(out).join("00001.png")).unwrap();
    assert!(sample("a") == sample("b") && sample("a") != sample("c"));
    lab.succeed("sample digits-cvae -n 2 --class 7 -o sevens");
    let (code, _, error) = lab.run("sample digits-cvae -n 2 -o x");
    assert_eq!(code, 64);
    assert!(error.contains("must be told a class") && error.contains("0 to 9"), "{error}");
}

#[test]
fn the_more_noise_the_farther_a_digit_strays() {
    let lab = Lab::new();
    lab.succeed("perturb digits-vae20 digits/3/03.png --amounts 0,0.5,2 -n 4 -o noisy");
    lab.succeed("reconstruct digits-vae20 digits/3/03.png -o kept");
    let kept = values(&lab.picture("kept/03.png").into_luma8());
    let strayed = |amount: &str| -> f32 {
        (0..4)
            .map(|k| difference(&values(&lab.picture(&format!("noisy/03-{k}-{amount}.png")).into_luma8()), &kept))
            .sum()
    };
    assert_eq!(strayed("0"), 0.0);
    assert!(strayed("0.5") > 0.0 && strayed("2") > 2.0 * strayed("0.5"));
}

#[test]
fn search_finds_the_picture_itself_and_remembers() {
    let lab = Lab::new();
    let index = lab.0.path("index.safetensors");
    let line = format!("search digits-vae20 digits/4/14.png --in digits -n 6 --json --index {}", index.display());
    let found = lab.succeed(&line);
    let paths: Vec<String> = found
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths[0], "digits/4/14.png");
    assert_eq!(paths.len(), 6);
    let written = std::fs::metadata(&index).unwrap().modified().unwrap();
    assert_eq!(lab.succeed(&line), found);
    assert_eq!(std::fs::metadata(&index).unwrap().modified().unwrap(), written, "nothing was new");
    std::fs::remove_file(lab.0.path("digits/4/14.png")).unwrap();
    std::fs::copy(lab.0.path("digits/7/07.png"), lab.0.path("query.png")).unwrap();
    let found = lab.succeed("search digits-vae20 query.png --in digits -n 1");
    assert!(found.contains("digits/7/07.png"), "{found}");
}

/// Latents that `encode` had written were lost.
#[test]
fn a_file_that_is_no_index_is_not_made_one() {
    let lab = Lab::new();
    lab.succeed("encode digits-vae20 digits -o latents.safetensors");
    std::fs::write(lab.0.path("text.safetensors"), "no latents").unwrap();
    for name in ["latents.safetensors", "text.safetensors"] {
        let before = std::fs::read(lab.0.path(name)).unwrap();
        let (code, _, error) = lab.run(&format!("search digits-vae20 digits/4/14.png --in digits --index {name}"));
        assert!(code == 64 && error.contains("no index of a search") && error.contains("--index"), "{code} {error}");
        assert_eq!(std::fs::read(lab.0.path(name)).unwrap(), before);
    }
    // Nor is that of another model.
    lab.succeed("search digits-vae20 digits/4/14.png --in digits --index own.safetensors");
    let (code, _, error) = lab.run("search digits-ae16 digits/4/14.png --in digits --index own.safetensors");
    assert!(code == 64 && error.contains("no index of a search by this model"), "{code} {error}");
}

#[test]
fn plots_are_pictures() {
    let lab = Lab::new();
    lab.succeed("reconstruct digits-ae digits -o kept");
    std::fs::create_dir_all(lab.0.path("run")).unwrap();
    let entry = |step: u32| {
        format!(
            "{{\"step\":{step},\"seconds\":1.0,\"loss\":{},\"score\":{step},\"learning_rate\":1}}\n",
            1.0 / f64::from(step)
        )
    };
    std::fs::write(lab.0.path("run/log.jsonl"), (1..20).map(entry).collect::<String>()).unwrap();
    for (name, line) in [
        ("scatter", "plot scatter digits-vae2 digits --labels"),
        ("scatter-pca", "plot scatter digits-vae20 digits --labels"),
        ("grid", "plot grid digits-vae2 --steps 5"),
        ("grid-plain", "plot grid digits-vae2 --steps 5 --range 3"),
        ("grid-classes", "plot grid digits-cvae --steps 4"),
        ("reconstruct", "plot reconstruct digits-ae,digits-vae2 digits/3 digits/4 --latents"),
        ("compare", "plot compare digits kept"),
        ("curves", "plot curves run"),
    ] {
        for ending in ["png", "svg"] {
            lab.succeed(&format!("{line} -o {name}.{ending}"));
        }
        let picture = lab.picture(&format!("{name}.png")).into_rgb8();
        let colours: std::collections::HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
        assert!(colours.len() > 10, "{name} has {} colours", colours.len());
        let svg = std::fs::read_to_string(lab.0.path(&format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
    }
}

#[test]
fn mistakes_are_told() {
    let lab = Lab::new();
    for (line, code, words) in [
        ("encode denoise-photo digits", 70, "not an autoencoder"),
        ("encode digits-ae nothing.png", 66, "nothing.png"),
        ("encode digits-ae digits -o z.txt", 64, ".safetensors, .npy, .csv or .jsonl"),
        ("plot grid digits-vae2 -o grid.jpg", 64, ".png or .svg"),
        ("plot grid digits-vae2 --axes 0,2 -o grid.png", 64, "from 0 to 1"),
        ("plot grid digits-vae2 --axes 1,1 -o grid.png", 64, "two different numbers"),
        ("plot grid denoise-photo -o grid.png", 70, "not an autoencoder"),
        // Some 24 GB.
        ("plot grid digits-vae2 --steps 100 --zoom 32 -o grid.png", 64, "the limit is 250 megapixels"),
        ("plot curves nowhere -o c.png", 66, "log.jsonl"),
    ] {
        let (found, _, error) = lab.run(line);
        assert!(found == code && error.contains(words), "{line}: {found} {error}");
    }
    std::fs::write(lab.0.path("none.csv"), "source,model,row,z0,z1\n").unwrap();
    std::fs::write(lab.0.path("nan.csv"), "source,model,row,z0,z1\na,digits-vae2,0,1,nan\n").unwrap();
    std::fs::write(lab.0.path("other.csv"), "source,model,row,z0,z1\na,other,0,1,2\n").unwrap();
    for (line, code, words) in [
        ("decode digits-vae2 none.csv -o x", 65, "there is no latent in it"),
        ("plot scatter digits-vae2 nan.csv -o x.png", 65, "nan.csv"),
        ("plot scatter digits-vae2 other.csv -o x.png", 65, "means nothing to `digits-vae2`"),
        ("plot grid melody-2bar -o x.png", 64, "not pictures"),
        ("perturb digits-vae2 digits -o x", 64, "name a file"),
        ("plot scatter digits-cvae digits -o x.png", 64, "must be told a class"),
    ] {
        let (found, _, error) = lab.run(line);
        assert!(found == code && error.contains(words), "{line}: {found} {error}");
    }
    lab.succeed("plot scatter digits-cvae digits --class 3 -o x.png");
    lab.succeed("encode digits-ae16 digits -o z.csv");
    let (code, _, error) = lab.run("decode digits-ae z.csv -o x");
    assert!(code == 65 && error.contains("means nothing to `digits-ae`"), "{error}");
    // Whatever a file of latents calls its sources, nothing is written outside the folder.
    std::fs::write(lab.0.path("evil.csv"), "source,model,row,z0,z1\n../../evil.png,digits-vae2,0,0,0\n").unwrap();
    lab.succeed("decode digits-vae2 evil.csv -o safe/deep");
    assert!(Path::new(&lab.0.path("safe/deep/evil.png")).is_file());
}

/// Each file told anew that nothing can be written.
#[test]
fn encoding_ends_when_nobody_reads_on() {
    let lab = Lab::new();
    let models = lab_common::models();
    let encode = |stdout: std::process::Stdio| {
        let args = ["encode", "digits-ae", "digits", "--models", models.to_str().unwrap()];
        let output = lab.0.latentd().args(args).stdout(stdout).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(encode(writer.into()), (0, String::new()));
    let (code, error) = encode(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert!(code == 73 && error.matches("error:").count() == 1, "{code} {error}");
}

/// One pixel wide and a million high, it was made as wide as the model and as high as that makes it: gigabytes.
#[test]
fn a_tall_picture_costs_no_more_than_it_is() {
    let lab = Lab::new();
    let tall = image::GrayImage::from_fn(1, 3_000_000, |_, y| image::Luma([(y % 251) as u8]));
    tall.save(lab.0.path("tall.png")).unwrap();
    let models = lab_common::models();
    let command = format!(
        "ulimit -v 2000000; exec {} encode digits-ae tall.png -o tall.csv --models {}",
        env!("CARGO_BIN_EXE_latentd"),
        models.display()
    );
    let output = std::process::Command::new("sh").args(["-c", &command]).current_dir(lab.0.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(lab.0.path("tall.csv")).unwrap().lines().count() == 2);
}
