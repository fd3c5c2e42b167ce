//! Whose names are, where results may replace what is there: `a.png` and `a.jpg` would both become `a.jpg`, and one be lost if originals are deleted.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::durable::{names, sign};

/// Of each name the inputs whose result it is, and which of their results; both as signs, so that a hundred thousand cost little.
#[derive(Debug, Default)]
pub struct Owners(Mutex<HashMap<u128, u128>>);

impl Owners {
    /// The first of `path`, `path-1`, `path-2`, ... that is nobody else's, from now on that of result `index` of these inputs.
    pub fn choose(&self, path: PathBuf, inputs: &[&Path], index: usize) -> PathBuf {
        let owner = owner(inputs, index);
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_own = |path: &PathBuf| *owners.entry(sign_of(path)).or_insert(owner) == owner;
        let own = names(&path).find(|path| is_own(path));
        own.unwrap_or(path)
    }

    /// Notes whose a name is.
    pub fn note(&self, path: &Path, inputs: &[&Path], index: usize) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert(sign_of(path), owner(inputs, index));
    }
}

fn sign_of(path: &Path) -> u128 {
    sign(path.as_os_str().as_encoded_bytes())
}

fn owner(inputs: &[&Path], index: usize) -> u128 {
    let mut bytes = index.to_le_bytes().to_vec();
    for input in inputs {
        bytes.extend(input.as_os_str().as_encoded_bytes());
        bytes.push(0);
    }
    sign(&bytes)
}
