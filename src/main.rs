//! The program `latentd`.
fn main() {}
