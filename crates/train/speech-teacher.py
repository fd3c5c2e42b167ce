#!/usr/bin/env python3
"""Lets DeepFilterNet3 clean mixtures, for `latentd-train denoise-speech --taught` to learn from what it makes of them.

    latentd-train mixtures --data SPEECH --noise NOISE --out FOLDER --hours 10
    crates/train/speech-teacher.py FOLDER MODEL [--threads N]
    latentd-train denoise-speech --data SPEECH --noise NOISE --taught FOLDER --init models/denoise-speech \\
        --learning-rate 6e-4 --hours 2 --out models/denoise-mine

MODEL is a folder with `enc.onnx`, `erb_dec.onnx` and `df_dec.onnx`, as the project DeepFilterNet publishes them (MIT or Apache-2.0). Needs Python's numpy, scipy,
soundfile and onnxruntime. Files that are there already are passed over, so that it goes on where it was stopped. A core does some twenty seconds of sound a second."""

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile as sf
from scipy.signal import lfilter

RATE, SIZE, HOP = 48_000, 960, 480
BINS, BANDS, LOW = SIZE // 2 + 1, 32, 96
# Frames of a filter, and how many of them are still to come; features are seen as far ahead.
ORDER, AHEAD = 5, 2
# What a running mean keeps of itself from frame to frame: a second, exp(-HOP / RATE), rounded as there.
KEEP = 0.99
# Vorbis' window.
WINDOW = np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE) ** 2).astype(np.float32)


def bands():
    """Which bins are in which band, `[BINS, BANDS]`: even steps of equivalent rectangular bandwidth, each of two bins at least."""
    to_erb = lambda hertz: 9.265 * np.log1p(hertz / (24.7 * 9.265))
    to_hertz = lambda erb: 24.7 * 9.265 * np.expm1(erb / 9.265)
    edges = [round(to_hertz(to_erb(RATE / 2) * i / BANDS) / (RATE / SIZE)) for i in range(BANDS + 1)]
    members, start = np.zeros((BINS, BANDS), np.float32), 0
    for band in range(BANDS):
        end = BINS if band == BANDS - 1 else max(edges[band + 1], start + 2)
        members[start:end, band] = 1
        start = end
    return members


def running_mean(values, start):
    return lfilter([1 - KEEP], [1, -KEEP], values, axis=0, zi=(KEEP * start)[None])[0]


def ahead(values):
    return np.concatenate([values[AHEAD:], np.zeros_like(values[:AHEAD])])


class Teacher:
    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = lambda name: onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options)
        self.encoder, self.gains, self.filters = session("enc"), session("erb_dec"), session("df_dec")
        self.bands = bands()

    def clean(self, samples):
        """What it makes of samples at 48 kHz, as many and at the same times."""
        rest = -len(samples) % HOP + (AHEAD + 1) * HOP
        padded = np.concatenate([np.zeros(HOP), samples, np.zeros(rest)]).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP] * WINDOW
        spectra = (np.fft.rfft(frames) / SIZE).astype(np.complex64)
        count = len(spectra)

        levels = 10 * np.log10(np.abs(spectra) ** 2 @ (self.bands / self.bands.sum(0)) + 1e-10)
        levels = (levels - running_mean(levels, np.linspace(-60, -90, BANDS))) / 40
        low = spectra[:, :LOW]
        unit = ahead(low / np.sqrt(running_mean(np.abs(low), np.linspace(1e-3, 1e-4, LOW))))
        e0, e1, e2, e3, embedding, c0, _ = self.encoder.run(
            None,
            {
                "feat_erb": ahead(levels)[None, None].astype(np.float32),
                "feat_spec": np.stack([unit.real, unit.imag])[None].astype(np.float32),
            },
        )
        (gains,) = self.gains.run(None, {"emb": embedding, "e3": e3, "e2": e2, "e1": e1, "e0": e0})
        filters = self.filters.run(None, {"emb": embedding, "c0": c0})[0].reshape(count, LOW, ORDER, 2)

        cleaned = spectra * (gains[0, 0] @ self.bands.T)
        around = np.pad(low, ((ORDER - 1 - AHEAD, AHEAD), (0, 0)))
        factors = filters[..., 0] + 1j * filters[..., 1]
        cleaned[:, :LOW] = sum(factors[:, :, k] * around[k : k + count] for k in range(ORDER))

        parts = np.fft.irfft(cleaned * SIZE) * WINDOW
        sound = np.zeros((count + 1) * HOP)
        sound[:-HOP].reshape(count, HOP)[:] += parts[:, :HOP]
        sound[HOP:].reshape(count, HOP)[:] += parts[:, HOP:]
        return sound[HOP : HOP + len(samples)]


def teach(task):
    global teacher
    model, source, target = task
    if "teacher" not in globals():
        teacher = Teacher(model)
    samples, rate = sf.read(source, dtype="float32")
    if rate != RATE:
        raise ValueError(f"{source}: not {RATE} Hz")
    part = target.with_suffix(".part")
    sf.write(part, np.clip(teacher.clean(samples), -1, 32767 / 32768), RATE, subtype="PCM_16", format="WAV")
    part.rename(target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=multiprocessing.cpu_count())
    arguments = parser.parse_args()
    taught = arguments.folder / "taught"
    sources = sorted((arguments.folder / "noisy").glob("*.wav"))
    if not sources:
        sys.exit(f"no WAV files in {arguments.folder / 'noisy'}")
    taught.mkdir(exist_ok=True)
    tasks = [(arguments.model, source, taught / source.name) for source in sources]
    tasks = [task for task in tasks if not task[2].exists()]
    with multiprocessing.Pool(arguments.threads) as pool:
        for done, _ in enumerate(pool.imap_unordered(teach, tasks), 1):
            print(f"\r{done} of {len(tasks)}", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
