#!/usr/bin/env python3
"""Times the models of photos beside onnxruntime: the published ONNX file on the tile that `latentd models bench` chose, one thread, both in one run.

    benches/onnxruntime.py target/release/latentd              # all of models/ that are for photos: some minutes
    benches/onnxruntime.py target/release/latentd upscale-photo-x2-fast

Prints a Markdown table: milliseconds for one tile by latentd, by tract alone and by onnxruntime, each the best of several runs, latentd's share of
onnxruntime's time, and what latentd needs for a megapixel of input, the context around tiles included. The machine must have nothing else to do.
Needs Python's onnxruntime and numpy. `latentd models bench` remembers the fastest tile and kernel, here as always."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

# This file has the name of the package, and lies where Python looks first.
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parent.parent

# As `latentd models bench` has it: so many seconds, and so many runs at least and at most.
BUDGET = 0.7
FEWEST, MOST = 3, 50

HEAD = "| model | tile | latentd | tract alone | onnxruntime | latentd / onnxruntime | seconds a megapixel, one thread |"


def bench(program, folder):
    """What latentd measures of a model, as its JSON tells it."""
    done = subprocess.run([program, "models", "bench", folder, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    found = json.loads(done.stdout.splitlines()[0])
    if "tile" not in found:
        sys.exit(f"{folder.name} is no model that works on photos tile by tile")
    return found


def values(shape, height, width):
    """An input of the network: the picture that latentd measures with, or the strength of the noise."""
    if all(isinstance(size, int) for size in shape):
        return np.full(shape, 0.1, np.float32)
    count = shape[1] * height * width
    return (np.arange(count) * 7919 % 251 / 250).astype(np.float32).reshape(1, shape[1], height, width)


def milliseconds(folder, height, width):
    """The best time that onnxruntime needs for one tile."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    inputs = {port.name: values(port.shape, height, width) for port in session.get_inputs()}
    session.run(None, inputs)
    best, runs, begin = float("inf"), 0, time.perf_counter()
    while runs < FEWEST or (time.perf_counter() - begin < BUDGET and runs < MOST):
        start = time.perf_counter()
        session.run(None, inputs)
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best * 1e3


def processor():
    """What the machine calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "this machine")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="LATENTD", help="the program to measure, as target/release/latentd")
    parser.add_argument("models", metavar="MODEL", nargs="*", help="models below models/ [default: all for photos]")
    arguments = parser.parse_args()
    program = Path(arguments.program).resolve()
    photos = sorted(path.name for kind in ("photo", "camera") for path in (ROOT / "models").glob(f"*-{kind}*"))
    for name in arguments.models:
        if not (ROOT / "models" / name / "model.onnx").is_file():
            parser.error(f"there is no models/{name}")
    if os.getloadavg()[0] > 0.5:
        print("warning: the machine has other work, and all times come out too long", file=sys.stderr)
    print(f"{processor()}, one thread, onnxruntime {onnxruntime.__version__}; milliseconds for one tile\n")
    print(HEAD)
    print("|---" * (HEAD.count("|") - 1) + "|", flush=True)
    for name in arguments.models or photos:
        folder = ROOT / "models" / name
        found = bench(program, folder)
        height, width = found["tile"]
        theirs = milliseconds(folder, height, width)
        tract = f"{found['tract_ms']:.1f}" if found["tract_ms"] is not None else "-"
        tile = f"{height}" if height == width else f"{height} x {width}"
        times = f"{found['ms']:.1f} | {tract} | {theirs:.1f} | {found['ms'] / theirs:.2f}"
        print(f"| `{name}` | {tile} | {times} | {found['ns_per_pixel'] / 1e3:.2f} |", flush=True)


if __name__ == "__main__":
    main()
