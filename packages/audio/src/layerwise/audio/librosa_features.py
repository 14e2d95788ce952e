"""`LibrosaFeature`: what librosa computes of a clip, for features that are not built in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np
import torch

from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import MissingDependencyError, names_nearest, nearest
from layerwise.core.transforms.transform import Transform

__all__ = ["LibrosaFeature"]

# C: channels. N: samples. F: rows. T: frames.

# What librosa has beside `librosa.feature`.
_BESIDE = ("cqt", "hybrid_cqt", "pseudo_cqt", "vqt")


class LibrosaFeature(Transform):
    """Clips to a feature of librosa, a column for each frame: chroma, tonnetz, constant Q, others.

    An item transform: librosa works on the CPU and knows no gradients. The features that are built
    in (`AudioToSpec`, `AudioToMFCC`, `Delta`) work on batches and are many times faster.

    Args:
        feature: a function of `librosa.feature` (McFee et al., 2015) that takes a signal, such as
            "chroma_cqt" or "spectral_contrast"; or "cqt", "hybrid_cqt", "pseudo_cqt" or "vqt". Of
            complex values the magnitude is taken.
        hop_length: samples from one frame to the next; 512 as in librosa, of whose features some
            need a multiple of 64.
        options: other arguments of that function, by name.

    Raises:
        ValueError: if librosa has no such feature; names the nearest.
        MissingDependencyError: if librosa does not import.

    Example:
        >>> from layerwise.audio.tones import create_sin_wave
        >>> chroma = LibrosaFeature("chroma_stft")(create_sin_wave(440.0, sr=22050, seconds=1))
        >>> chroma.shape, int(chroma.mean(-1).argmax())  # row 9 is A
        (torch.Size([1, 12, 44]), 9)
    """

    order: float = 40

    @names_nearest
    def __init__(
        self, feature: str, hop_length: int = 512, options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        if hop_length < 1:
            raise ValueError(f"hop_length={hop_length}; a frame begins one sample later at least")
        self.feature, self.hop_length, self.options = feature, hop_length, dict(options or {})
        self._function = _function(feature)

    def encodes(self, x: AudioTensor) -> AudioSpectrogram:
        """(C, F, T) of a clip (C, N)."""
        if x.ndim != 2:
            raise ValueError(
                f"{self.feature} of librosa is computed of one clip (C, N), and this is "
                f"{tuple(x.shape)}; give LibrosaFeature as one of item_tfms"
            )
        taken = signature(self._function).parameters
        given: dict[str, Any] = {"hop_length": self.hop_length}
        if "sr" in taken:
            given["sr"] = x.sr
        rows = self._function(y=x.as_plain().cpu().numpy(), **given, **self.options)
        values = torch.as_tensor(abs(rows) if np.iscomplexobj(rows) else rows).float()
        settings = SpectrogramSettings(
            sr=x.sr, kind="rows", n_rows=values.shape[-2], hop_length=self.hop_length
        )
        return AudioSpectrogram(values, settings=settings)

    def __repr__(self) -> str:
        return f"LibrosaFeature({self.feature!r}, hop_length={self.hop_length})"


def _function(feature: str) -> Callable[..., Any]:
    try:
        import librosa
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "librosa", needed_for="features of librosa", install="librosa"
        ) from error
    functions = {name: getattr(librosa, name) for name in _BESIDE}
    for name in dir(librosa.feature):
        value = getattr(librosa.feature, name)
        # A tempo is one number of a clip and not one of each frame.
        if callable(value) and name != "tempo" and "y" in signature(value).parameters:
            functions[name] = value
    if feature not in functions:
        raise ValueError(
            f"librosa has no feature {feature!r} with a column for each frame."
            f"{nearest(str(feature), functions)} There are {', '.join(sorted(functions))}"
        )
    found: Callable[..., Any] = functions[feature]
    return found
