"""Scores as sound: sines with a few overtones, struck and fading, as a music box has them."""

from __future__ import annotations

import io
import wave
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from layerwise.core.errors import MissingDependencyError
from layerwise.core.types import PathLike
from torch import Tensor

from layerwise_music.score import Note, Score

__all__ = ["hear", "save_wav", "synthesise", "wav_bytes"]

_OVERTONES = (1.0, 0.4, 0.2, 0.1)  # loudness of the tone and of those above it
_ATTACK, _RELEASE, _FADE = 0.01, 0.05, 1.2  # seconds
_PEAK = 0.9  # of the loudest sample
_LONGEST = 3600  # seconds: 300 MB of samples

# N: samples.


def synthesise(score: Score, sample_rate: int = 22_050) -> Tensor:
    """(N,) float32 from -1 to 1: the score at its tempo, a tenth of a second of silence behind.

    Args:
        score: what to play.
        sample_rate: samples a second (Hz).

    Raises:
        ValueError: for more than an hour, or a rate below 1000 Hz.

    Example:
        >>> sound = synthesise(Score([(0, 12, 69)], tempo=60), sample_rate=8000)
        >>> sound.shape, round(float(sound.abs().max()), 2)
        (torch.Size([8800]), 0.9)
    """
    second = 60 / (score.tempo * score.steps)  # of a step
    seconds = score.length * second
    if seconds > _LONGEST or sample_rate < 1000:
        raise ValueError(
            f"{seconds:.0f} seconds at {sample_rate} Hz; give an hour at most (score.cut), and "
            "1000 Hz or more"
        )
    sound = torch.zeros(round((seconds + 0.1) * sample_rate))
    for note in score.notes:
        start = round(note.start * second * sample_rate)
        tone = _tone(note, note.length * second, sample_rate)[: len(sound) - start]
        sound[start : start + len(tone)] += tone
    peak = sound.abs().max() if len(sound) else torch.tensor(0.0)
    return sound * (_PEAK / peak) if peak > 0 else sound


def _tone(note: Note, seconds: float, sample_rate: int) -> Tensor:
    time = torch.arange(round((seconds + _RELEASE) * sample_rate)) / sample_rate
    frequency = 440 * 2 ** ((note.pitch - 69) / 12)
    loudness = (time / _ATTACK).clamp(max=1) * (-time / _FADE).exp()
    loudness = loudness * ((seconds + _RELEASE - time) / _RELEASE).clamp(0, 1)
    tone = torch.zeros(len(time))
    for i, part in enumerate(_OVERTONES, 1):
        if frequency * i < sample_rate / 2:  # higher ones would come back as other tones
            tone += part * torch.sin(2 * torch.pi * frequency * i * time)
    return tone * loudness


def wav_bytes(score: Score, sample_rate: int = 22_050) -> bytes:
    """The sound of a score as a WAV file with one channel of 16 bits.

    Args:
        score: what to play.
        sample_rate: samples a second (Hz).
    """
    samples = (synthesise(score, sample_rate) * 32767).round().to(torch.int16)
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.numpy().astype("<i2").tobytes())
    return written.getvalue()


def save_wav(score: Score, path: PathLike, sample_rate: int = 22_050) -> Path:
    """Write the sound of a score to a WAV file. Returns the path.

    Args:
        score: what to play.
        path: the file.
        sample_rate: samples a second (Hz).
    """
    Path(path).write_bytes(wav_bytes(score, sample_rate))
    return Path(path)


def hear(score: Score, sample_rate: int = 22_050) -> Any:
    """A player for a notebook: `IPython.display.Audio` with the sound of a score.

    Args:
        score: what to play.
        sample_rate: samples a second (Hz).

    Raises:
        MissingDependencyError: without IPython.
    """
    try:
        display: Any = import_module("IPython.display")
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "IPython", needed_for="Players in notebooks", install="ipython"
        ) from error
    return display.Audio(data=wav_bytes(score, sample_rate))
