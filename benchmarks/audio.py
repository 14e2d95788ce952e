"""Sounds: features of a batch against librosa item by item, and reading of files and of crops.

1. features: 64 clips of 4 s at 16 kHz. layerwise computes the batch at once, librosa and soxr each
   clip on its own, which is what a data set does; both with the settings that librosa has by
   default, in single precision.
2. stretching: pitch and speed of 16 of them.
3. reading: WAV files of 60 s: the whole, and a crop of 1 s from the middle, by layerwise, by
   librosa, and by decoding all of it and cutting then.

    python benchmarks/audio.py [--only features stretching reading] [--rounds 7] [--threads 2]

Sides alternate; medians of the time on the clock are printed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import Tensor

from layerwise.audio.dsp.cepstrum import mfcc
from layerwise.audio.dsp.decibels import power_to_db
from layerwise.audio.dsp.derivative import delta
from layerwise.audio.dsp.fourier import spectrogram
from layerwise.audio.dsp.mel import melspectrogram
from layerwise.audio.dsp.resampling import resample
from layerwise.audio.dsp.stretching import pitch_shift, time_stretch
from layerwise.audio.types import AudioTensor

PARTS = ("features", "stretching", "reading")
SR = 16000
FRAMES: dict[str, Any] = {"n_fft": 2048, "hop_length": 512}  # librosa's own


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(name: str, sides: Mapping[str, Callable[[], Any]], rounds: int) -> None:
    """Print milliseconds of each side, and how many times as long it takes as the first."""
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, function in sides.items():
            spent = seconds(function)
            if number:  # the first round warms up
                taken[side].append(spent)
    best, first = next(iter(taken.items()))
    for side, spents in taken.items():
        ratio = statistics.median(a / b for a, b in zip(spents, first, strict=True))
        print(
            f"{name}, {side}: {1000 * statistics.median(spents):,.1f} ms, "
            f"{best} is {ratio:.1f} times as fast",
            flush=True,
        )


def clips(count: int, duration: float = 4.0) -> Tensor:
    """(count, N) chords with noise."""
    at = torch.arange(int(SR * duration)) / SR
    pitches = torch.linspace(100, 2000, count)[:, None]
    noise = torch.randn(count, len(at), generator=torch.Generator().manual_seed(0))
    return 0.3 * torch.sin(2 * torch.pi * pitches * at) + 0.05 * noise


def each(function: Callable[[Any], Any], items: Any) -> Callable[[], Any]:
    def run() -> list[Any]:
        return [function(item) for item in items]

    return run


def features(rounds: int) -> None:
    batch = clips(64)
    single = list(batch.numpy())
    powers = spectrogram(batch, **FRAMES)
    bands = melspectrogram(batch, SR, **FRAMES)
    powers_each, bands_each = list(powers.numpy()), list(bands.numpy())
    of = librosa.feature

    def spectrogram_each(y: Any) -> Any:
        return np.abs(librosa.stft(y)) ** 2

    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "spectrogram": (
            partial(spectrogram, batch, **FRAMES),
            each(spectrogram_each, single),
        ),
        "mel": (
            partial(melspectrogram, batch, SR, **FRAMES),
            each(lambda y: of.melspectrogram(y=y, sr=SR), single),
        ),
        "mfcc": (
            partial(mfcc, batch, SR, **FRAMES),
            each(lambda y: of.mfcc(y=y, sr=SR), single),
        ),
        "decibels of a spectrogram": (
            partial(power_to_db, powers),
            each(librosa.power_to_db, powers_each),
        ),
        "decibels of mel bands": (
            partial(power_to_db, bands),
            each(librosa.power_to_db, bands_each),
        ),
        "delta of mel bands": (partial(delta, bands), each(of.delta, bands_each)),
        "mel in decibels with delta": (
            lambda: delta(power_to_db(melspectrogram(batch, SR, **FRAMES))),
            each(lambda y: of.delta(librosa.power_to_db(of.melspectrogram(y=y, sr=SR))), single),
        ),
        "resample 16 to 8 kHz": (
            partial(resample, batch, SR, 8000),
            each(lambda y: librosa.resample(y, orig_sr=SR, target_sr=8000), single),
        ),
        "resample 16 to 22.05 kHz": (
            partial(resample, batch, SR, 22050),
            each(lambda y: librosa.resample(y, orig_sr=SR, target_sr=22050), single),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        measure(name, {"layerwise": ours, "librosa": theirs}, rounds)


def stretching(rounds: int) -> None:
    batch = clips(16)
    single = list(batch.numpy())
    to = librosa.effects
    measure(
        "1.25 times as fast",
        {
            "layerwise": partial(time_stretch, batch, 1.25),
            "librosa": each(lambda y: to.time_stretch(y, rate=1.25), single),
        },
        rounds,
    )
    measure(
        "3 semitones up",
        {
            "layerwise": partial(pitch_shift, batch, SR, 3),
            "librosa": each(lambda y: to.pitch_shift(y, sr=SR, n_steps=3), single),
        },
        rounds,
    )


def reading(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".wav", ".flac", ".mp3"):
            files = [Path(folder, f"{i}{ending}") for i in range(8)]
            for file, clip in zip(files, clips(len(files), 60.0), strict=True):
                AudioTensor(clip[None], sr=SR).save(file)
            measure(
                f"8 {ending} files of 60 s",
                {
                    "layerwise": each(AudioTensor.create, files),
                    "librosa": each(lambda fn: librosa.load(fn, sr=None), files),
                },
                rounds,
            )
            measure(
                f"1 s of 8 {ending} files of 60 s",
                {
                    "layerwise": each(lambda fn: AudioTensor.create(fn, 30 * SR, SR), files),
                    "librosa": each(
                        lambda fn: librosa.load(fn, sr=None, offset=30, duration=1), files
                    ),
                    "all decoded, then cut": each(
                        lambda fn: AudioTensor.create(fn)[:, 30 * SR : 31 * SR], files
                    ),
                },
                rounds,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, librosa {librosa.__version__}, {args.threads} threads")
    for part in args.only:
        {"features": features, "stretching": stretching, "reading": reading}[part](args.rounds)


if __name__ == "__main__":
    main()
