//! A folder in which the program runs, and what it says.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder that holds pictures and everything that runs make of them.
pub struct Desk(tempfile::TempDir);

impl Desk {
    /// One without anything on it.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program, to be run in this folder.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latentd-train"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command
    }

    pub fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {told}");
        told
    }

    pub fn fail(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments} should fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
