#!/usr/bin/env bash
# Sets up what is missing on a fresh Debian or Ubuntu, builds latentd, and runs the main job: photos dropped into inbox/ come out in
# outbox/, denoised and twice as large.
set -euo pipefail
cd "$(dirname "$0")"

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

# A compiler for what is written in C, and make, which jemalloc is built with.
if ! command -v cc >/dev/null || ! command -v make >/dev/null; then
    as_root apt-get update -q
    as_root apt-get install -y -q build-essential
fi

# ALSA's headers, for microphones and speakers.
if ! pkg-config --exists alsa 2>/dev/null; then
    as_root apt-get update -q
    as_root apt-get install -y -q --no-install-recommends pkg-config libasound2-dev
fi

# The version that Cargo.toml asks for; a distribution's own Rust is often older.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ "$(printf '%s\n%s\n' "$wanted" "${have:-0}" | sort -V | head -n 1)" != "$wanted" ]; then
    if ! command -v rustup >/dev/null; then
        as_root apt-get update -q
        # Debian 13, Ubuntu 24.04 and later carry rustup; earlier ones get it from its makers.
        if ! as_root apt-get install -y -q rustup; then
            as_root apt-get install -y -q curl ca-certificates
            curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none
        fi
    fi
    rustup toolchain install stable --profile minimal
    cargo() { rustup run stable cargo "$@"; }
fi

cargo build --release --bin latentd
# Something to see at once.
[ -e inbox ] || { mkdir inbox && cp examples/noisy.png inbox/example.png; }
echo
echo "Drop a photo into $PWD/inbox and find it in $PWD/outbox. Ctrl-C stops."
exec target/release/latentd run pipelines/clean-photos.yaml
