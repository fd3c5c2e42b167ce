//! The program `latentd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    latentd::cli::main()
}
