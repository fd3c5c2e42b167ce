#!/usr/bin/env python3
"""Gathers speech and noise for `latentd-train denoise-speech` from packages of Debian: a folder of links for each voice, and one for each game's
or other package's noises.

    crates/train/speech-material.py FOLDER
    latentd-train denoise-speech --data FOLDER/speech --noise FOLDER/noise --init models/denoise-speech --out models/denoise-mine --hours 2

Needs apt, dpkg-deb and ffmpeg, and Python's numpy and soundfile; takes 3 GB of disk. Licences are the packages' own (GPL, LGPL, CC BY-SA and others;
`usr/share/doc` below FOLDER/packages has them)."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

# Recorded for telephones and read aloud: a voice each.
ASTERISK = [f"asterisk-core-sounds-{language}-g722" for language in ("en", "es", "fr", "it", "ru")]
NOISES = {
    "btanks-data": "usr/share/games/btanks/data/sounds/**/*",
    "endless-sky-data": "usr/share/games/endless-sky/sounds/**/*",
    "etw-data": "usr/share/games/etw/crowd/*",
    "lincity-ng-data": "usr/share/games/lincity-ng/sounds/*",
    "lugaru-data": "usr/share/games/lugaru/Sounds/*",
    "megaglest-data": "usr/share/games/megaglest/tilesets/*/sounds/*",
    "minetest-data": "usr/share/games/minetest/games/**/*.ogg",
    "searchandrescue-data": "usr/share/games/searchandrescue/sounds/**/*",
    "unknown-horizons": "usr/share/unknown-horizons/content/audio/**/*",
    "widelands-data": "usr/share/games/widelands/data/sound/**/*",
}
SPEECH = ["festvox-ru", "fillets-ng-data-cs", "fillets-ng-data-nl", "ktuberling-data", "tuxpaint-stamps-default"]

# A voice whose pauses are not this far below it, in dB, was recorded in noise of its own, which would be learnt as speech.
CLEAN = 30
ENDINGS = {".ogg", ".wav", ".mp3", ".flac", ".opus"}


def unpack(packages, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not (folder / package).is_dir():
            subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
            (file,) = folder.glob(f"{package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", file.name, package], cwd=folder, check=True)
            file.unlink()


def sound(file):
    """Samples and rate; none of what cannot be read."""
    try:
        samples, rate = sf.read(file, always_2d=True, dtype="float32")
        return samples.mean(1), rate
    except (RuntimeError, OSError):
        return np.zeros(0, np.float32), 1


def reach(files):
    """By how much what is loud is louder than what is soft, in dB, in pieces of 20 ms."""
    levels = [np.zeros(0)]
    for samples, rate in map(sound, files):
        size = rate // 50
        if len(samples) >= size > 0:
            pieces = samples[: len(samples) // size * size].reshape(-1, size)
            levels.append(10 * np.log10((pieces**2).mean(1) + 1e-10))
    levels = np.concatenate(levels)
    return np.percentile(levels, 95) - np.percentile(levels, 8) if len(levels) else 0.0


def link(files, folder, seconds):
    """Links to those files that last as long; how many."""
    count = 0
    for file in sorted(set(files)):
        samples, rate = sound(file)
        if file.suffix in ENDINGS and len(samples) >= seconds * rate and np.abs(samples).max() > 1e-3:
            folder.mkdir(parents=True, exist_ok=True)
            to = folder / f"{count:04}-{file.name}"
            to.unlink(missing_ok=True)
            to.symlink_to(file.resolve())
            count += 1
    print(f"{folder}: {count} files", flush=True)


def voices(packages):
    """The files of each voice, by its name."""
    found = {"festvox-ru": list((packages / "festvox-ru").rglob("*.wav"))}
    for language in ("cs", "nl"):
        for file in (packages / f"fillets-ng-data-{language}").rglob("*.ogg"):
            # The small fish and the large one.
            if actor := re.search(r"-([mv])-", file.name):
                found.setdefault(f"fillets-{language}-{actor[1]}", []).append(file)
    for folder in (packages / "ktuberling-data/usr/share/ktuberling/sounds").iterdir():
        # Scripts of one language share its recordings.
        if folder.is_dir() and "@" not in folder.name:
            found[f"ktuberling-{folder.name}"] = [file for file in folder.iterdir() if file.suffix in ENDINGS]
    for file in (packages / "tuxpaint-stamps-default").rglob("*_desc*.ogg"):
        language = re.search(r"_desc_?(\w*)\.ogg$", file.name)
        found.setdefault(f"tuxpaint-{language[1] or 'en'}" if language else "", []).append(file)
    found.pop("", None)
    return {name: files for name, files in found.items() if reach(files) >= CLEAN}


def asterisk(packages, folder):
    """Prompts are a second long each: a dozen to a file."""
    folders = {file.parent for package in ASTERISK for file in (packages / package).rglob("*.g722")}
    for voice in sorted(voice for voice in folders if voice.name != "silence"):
        top = voice.relative_to(next(parent for parent in voice.parents if parent.name == "sounds")).parts[0]
        files = sorted(file for file in voice.glob("*.g722") if file.stat().st_size > 8000)
        for start in range(0, len(files), 12):
            to = folder / f"asterisk-{top}" / f"{voice.name}-{start:04}.flac"
            to.parent.mkdir(parents=True, exist_ok=True)
            bytes = b"".join(file.read_bytes() for file in files[start : start + 12])
            command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "g722", "-i", "pipe:0", to]
            subprocess.run(command, input=bytes, check=True)
        print(f"{folder}/asterisk-{top}: {len(files)} prompts of {voice.name}", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    packages = folder / "packages"
    unpack(ASTERISK + SPEECH + list(NOISES), packages)
    asterisk(packages, folder / "speech")
    for name, files in voices(packages).items():
        link(files, folder / "speech" / name, 0.5)
    for package, pattern in NOISES.items():
        link((packages / package).glob(pattern), folder / "noise" / package, 1.0)


main()
