//! The program `latentd`.

use std::process::ExitCode;

// glibc's own keeps what it once had: 200 MB for good after one photo.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    latentd::cli::main()
}
