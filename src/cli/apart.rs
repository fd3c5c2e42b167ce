//! What `apply` would write over where it may: never what the user has given it.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::path::Path;

use super::apply::expected;
use crate::error::{Error, Kind, Result, show_path};
use crate::pipeline::{Input, Pipeline};
use crate::source::{identity, resolve};

/// What stands in an expected name for a size that nobody knows yet.
const SIZES: [&str; 2] = ["{width}", "{height}"];
/// Digits of a size, at most.
const DIGITS: usize = 10;

/// Refuses results that would take the place of an input, be it another job's.
///
/// # Errors
/// Kind usage: the first of them.
pub fn check(pipeline: &Pipeline, groups: &[Vec<Input>]) -> Result<()> {
    let given = || groups.iter().flatten().map(|input| input.path.as_path());
    let files: HashMap<(u64, u64), &Path> = given().filter_map(|path| Some((identity(path)?, path))).collect();
    // Only asked where sizes are open.
    let names = LazyCell::new(|| {
        let mut names: Vec<(String, &Path)> = given().map(|path| (text(path), path)).collect();
        names.sort_unstable();
        names
    });
    for inputs in groups {
        for result in (1..=pieces(pipeline)).map(|index| expected(pipeline, inputs, index)) {
            let taken = match is_sized(&result) {
                true => by_any_size(&text(&result), &names),
                false => identity(&result).and_then(|file| files.get(&file).copied()),
            };
            if let Some(taken) = taken {
                let what = format!("it would take the place of the input {}", show_path(taken));
                let mend = "leave `overwrite` out, or name another folder after `--out`";
                return Err(Error::new(Kind::Usage, what).at(&result).mend(mend));
            }
        }
    }
    Ok(())
}

/// How many results a job has.
pub fn pieces(pipeline: &Pipeline) -> usize {
    let results = pipeline.stages.iter().try_fold(pipeline.source.group, |pieces, stage| stage.pieces(pieces));
    results.unwrap_or(1).max(1)
}

/// Whether an expected name lacks a size.
pub fn is_sized(name: &Path) -> bool {
    let name = name.to_string_lossy();
    SIZES.iter().any(|size| name.contains(size))
}

/// A path by which the same file is known again.
fn text(path: &Path) -> String {
    resolve(path).to_string_lossy().into_owned()
}

/// One of these sorted names that `expected` becomes for some size.
fn by_any_size<'a>(expected: &str, names: &[(String, &'a Path)]) -> Option<&'a Path> {
    let start = first_size(expected).map_or(expected, |(at, _)| &expected[..at]);
    let from = names.partition_point(|(name, _)| name.as_str() < start);
    let mut near = names[from..].iter().take_while(|(name, _)| name.starts_with(start));
    near.find(|(name, _)| may_become(expected, name)).map(|(_, path)| *path)
}

/// Where the first size of an expected name is left open, and how long what stands for it is.
fn first_size(expected: &str) -> Option<(usize, usize)> {
    SIZES.iter().filter_map(|size| Some((expected.find(size)?, size.len()))).min()
}

/// Whether `expected` becomes `name` for some size.
fn may_become(expected: &str, name: &str) -> bool {
    let Some((at, length)) = first_size(expected) else { return expected == name };
    let Some(rest) = name.strip_prefix(&expected[..at]) else { return false };
    let digits = rest.bytes().take(DIGITS).take_while(u8::is_ascii_digit).count();
    // Digits of the name itself may follow on those of the size.
    (1..=digits).any(|count| may_become(&expected[at + length..], &rest[count..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_any_number() {
        for (expected, name, may) in [
            ("/a/{width}.png", "/a/20.png", true),
            ("/a/{width}.png", "/a/x.png", false),
            ("/a/{width}.png", "/a/.png", false),
            ("/a/{width}.png", "/b/20.png", false),
            ("/a/x{width}1.png", "/a/x201.png", true),
            ("/a/x{width}1.png", "/a/x1.png", false),
            ("/a/{width}x{height}.png", "/a/20x30.png", true),
            ("/a/{height}{width}.png", "/a/20.png", true),
            ("/a/{height}{width}.png", "/a/2.png", false),
            ("/{height}/a.png", "/7/a.png", true),
            ("/a/{width}.png", "/a/12345678901.png", false),
        ] {
            assert_eq!(may_become(expected, name), may, "{expected} {name}");
            let names = [("/".to_owned(), Path::new("no")), (name.to_owned(), Path::new("it"))];
            assert_eq!(by_any_size(expected, &names), may.then_some(Path::new("it")), "{expected} {name}");
        }
    }
}
