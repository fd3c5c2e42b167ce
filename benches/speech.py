#!/usr/bin/env python3
"""Holds what latentd makes of a recording against onnxruntime, frame by frame with the states carried, and follows both through a long one.

    benches/speech.py target/release/latentd noisy.wav --clean clean.wav              # parity, and milliseconds a frame: a minute
    benches/speech.py target/release/latentd noisy.wav --clean clean.wav --hours 1    # and an hour of it: whether states drift

Prints a Markdown table. NOISY and CLEAN are mono recordings (WAV, FLAC) at 48 kHz, or at a rate that divides it, of the same length. The transform is written anew here, from
docs/speech-model.md, so that a mistake in latentd's own shows. Needs Python's numpy, onnxruntime, scipy and soundfile."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# `onnxruntime.py` has the name of the package, and lies where Python looks first.
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

import numpy as np
import onnxruntime
import soundfile
from scipy.signal import resample_poly

MODEL = Path(__file__).resolve().parent.parent / "models" / "denoise-speech"
RATE, WINDOW, HOP = 48000, 960, 480
PIPELINE = """\
name: parity
source: { folder: { path: in } }
stages: [ denoise: { model: denoise-speech } ]
sink: { folder: { path: out, overwrite: true } }
"""


def sound(file):
    """Samples of -1..1 at 48 kHz."""
    samples, rate = soundfile.read(file, dtype="float32")
    if samples.ndim > 1 or RATE % rate:
        sys.exit(f"{file}: neither mono nor at a rate that divides {RATE}")
    return samples if rate == RATE else resample_poly(samples, RATE // rate, 1).astype(np.float32)


def by_latentd(program, samples, folder):
    """What `latentd apply` makes of them."""
    (folder / "parity.yaml").write_text(PIPELINE)
    soundfile.write(folder / "noisy.wav", samples, RATE, "FLOAT")
    subprocess.run([program, "apply", "-q", folder / "parity.yaml", folder / "noisy.wav", "--out", folder / "out"], check=True)
    return soundfile.read(folder / "out" / "noisy.wav", dtype="float32")[0]


def by_onnxruntime(samples):
    """The same by onnxruntime and numpy, and the milliseconds that a frame takes there on one thread, the median."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL / "model.onnx", options, providers=["CPUExecutionProvider"])
    states = {port.name: np.zeros(port.shape, np.float32) for port in session.get_inputs() if port.name != "spectrum"}
    # In the order of the inputs, each called as the state that it becomes.
    names = ["output"] + [f"next_{name}" for name in states]
    window = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    frames = len(samples) // HOP + 2
    padded = np.zeros(HOP * (frames + 1))
    padded[HOP : HOP + len(samples)] = samples
    out, times = np.zeros_like(padded), []
    for at in range(0, HOP * frames, HOP):
        bins = np.fft.rfft(padded[at : at + WINDOW] * window)
        spectrum = np.stack([bins.real, bins.imag])[None].astype(np.float32)
        begin = time.perf_counter()
        answer, *after = session.run(names, {"spectrum": spectrum, **states})
        times.append(time.perf_counter() - begin)
        states = dict(zip(states, after))
        out[at : at + WINDOW] += np.fft.irfft(answer[0, 0] + 1j * answer[0, 1], WINDOW) * window
    return out[HOP : HOP + len(samples)], 1000 * float(np.median(times))


def decibels(signal, error):
    return 10 * np.log10(np.sum(np.square(signal, dtype=np.float64)) / max(np.sum(np.square(error, dtype=np.float64)), 1e-30))


def si_sdr(estimate, reference):
    """Of what is scaled as it fits best (Le Roux et al., "SDR - half-baked or well done?", 2019)."""
    estimate, reference = estimate.astype(np.float64), reference.astype(np.float64)
    target = reference * (estimate @ reference) / (reference @ reference)
    return decibels(target, estimate - target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("noisy", type=Path)
    parser.add_argument("--clean", type=Path)
    parser.add_argument("--hours", type=float, default=0)
    arguments = parser.parse_args()
    program, noisy = arguments.program.resolve(), sound(arguments.noisy)
    clean = sound(arguments.clean) if arguments.clean else None
    print("| | |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ours = by_latentd(program, noisy, folder)
        theirs, milliseconds = by_onnxruntime(noisy)
        print(f"| frames | {len(noisy) // HOP} |")
        print(f"| largest difference of a sample, of the largest sample | {np.abs(ours - theirs).max() / np.abs(theirs).max():.1e} |")
        print(f"| difference | {-decibels(theirs, ours - theirs):.0f} dB |", flush=True)
        found = subprocess.run([program, "models", "bench", MODEL, "--json"], stdout=subprocess.PIPE, text=True, check=True).stdout
        best = min(json.loads(line)["ms_per_frame"] for line in found.splitlines())
        print(f"| milliseconds a frame: latentd, onnxruntime | {best:.2f}, {milliseconds:.2f} ({best / milliseconds:.2f}) |", flush=True)
        # Frames must fall alike in each pass, or they differ by that.
        noisy, clean = (part[: len(part) // HOP * HOP] if part is not None else None for part in (noisy, clean))
        passes = int(arguments.hours * 3600 * RATE / len(noisy))
        if passes < 3:
            return
        long = by_latentd(program, np.tile(noisy, passes), folder).reshape(passes, -1)
        print(f"| passes of {len(noisy) / RATE:.0f} s, one behind the other | {passes} |")
        for number in (1, passes // 2, passes - 1):
            row = f"| pass {number + 1} against pass 2 | " if number > 1 else "| pass 2 | "
            row += f"{-decibels(long[1], long[number] - long[1]):.0f} dB; " if number > 1 else ""
            print(row + (f"SI-SDR {si_sdr(long[number], clean):.3f} dB |" if clean is not None else "|"))


if __name__ == "__main__":
    main()
