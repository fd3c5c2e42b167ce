//! `latentd-train`: see [`latentd_train`].

use std::process::ExitCode;

fn main() -> ExitCode {
    latentd_train::cli::main()
}
