//! What is installed works away from the checkout: the packages carry the models that the program does not.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Home, shipped_models};
use latentd::model::{Models, Place};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Those that the Debian package holds, and the container.
fn packaged() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let container = fs::read_to_string(root().join("packaging/Containerfile")).unwrap();
    let patterns = manifest.lines().filter_map(|line| line.trim().strip_prefix("[\"models/")?.split_once("/*\""));
    let patterns: Vec<&str> = patterns.map(|(pattern, _)| pattern).collect();
    for pattern in &patterns {
        assert!(container.contains(&format!(" models/{pattern} ")), "{pattern} is not in the container");
    }
    let meant = |name: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    shipped_models().into_iter().filter(|name| patterns.iter().any(|pattern| meant(name, pattern))).collect()
}

#[test]
fn every_model_is_in_the_program_or_in_the_package() {
    let mut found: Vec<String> = Models::default()
        .list(Path::new("/nowhere"))
        .into_iter()
        .filter(|(_, place, _)| *place == Place::BuiltIn)
        .map(|(name, ..)| name)
        .collect();
    found.extend(packaged());
    found.sort();
    assert_eq!(found, shipped_models());
}

/// Those that need a model of the package did not load once they were copied out of the checkout.
#[test]
fn every_shipped_pipeline_loads_wherever_it_is_copied() {
    let home = Home::new();
    let shared = home.folder("XDG_DATA_DIRS/latentd/models");
    for name in packaged() {
        symlink(root().join("models").join(&name), shared.join(&name)).unwrap();
    }
    let pipelines = home.folder("mine/pipelines");
    for entry in fs::read_dir(root().join("pipelines")).unwrap().flatten() {
        fs::copy(entry.path(), pipelines.join(entry.file_name())).unwrap();
    }
    let output = home.run(&["check", "mine/pipelines"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
