#!/usr/bin/env bash
# Builds a Debian package: program, units, completions, manual pages, models, pipelines. Needs cargo-deb (`cargo install cargo-deb --locked`).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --bin latentd
made=target/packaging
mkdir -p "$made/man"
latentd=target/release/latentd
"$latentd" completions bash > "$made/latentd.bash"
"$latentd" completions zsh > "$made/_latentd"
"$latentd" completions fish > "$made/latentd.fish"
"$latentd" man --out "$made/man"
gzip --force --best --no-name "$made"/man/*.1
cargo deb --no-build "$@"
