"""How a spectrogram was made: what turns its rows into Hz and its frames into seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from layerwise.core.errors import nearest

__all__ = ["SpectrogramSettings"]

Count = TypeVar("Count", int, Tensor)

_KINDS = ("linear", "mel", "mfcc", "rows")
_PAD_MODES = ("constant", "reflect", "replicate")


@dataclass(frozen=True, kw_only=True)
class SpectrogramSettings:
    """All that a spectrogram depends on besides the signal; what is None is filled in.

    Args:
        sr: samples of the signal in a second.
        kind: what rows are: "linear" frequencies, "mel" bands, "mfcc" coefficients, or others that
            no frequency belongs to, "rows".
        n_fft: samples of a Fourier transform; 1024 are 64 ms at 16 kHz.
        win_length: samples under the window, the rest of `n_fft` being zeros; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: name of the weights: "hann", "hamming", "blackman" or "ones".
        center: whether frame t has its middle at sample `t * hop_length`; it begins there
            otherwise.
        pad_mode: what stands beyond both ends where frames are centred: "constant" (zeros),
            "reflect" or "replicate".
        power: exponent of the magnitude: 2 is power, 1 amplitude.
        n_mels: mel bands, where there are any.
        f_min: lowest frequency of the bands, in Hz.
        f_max: highest, in Hz; half of `sr` if None.
        htk: mel by the formula of HTK (O'Shaughnessy, 1987) instead of that of Slaney (1998).
        norm: "slaney" gives bands the same area, None the same height.
        n_mfcc: coefficients, where there are any.
        n_rows: other rows, where there are any.
        to_db: whether values are decibels.
        top_db: decibels below the loudest at which values are cut off; None cuts nothing.
        deltas: how many orders of derivatives lie behind the channels of the signal.
        scale: how many rows and how many frames were made of one by resizing.

    Raises:
        ValueError: if one of them cannot be.

    Example:
        >>> settings = SpectrogramSettings(sr=16000, kind="mel")
        >>> settings.hop_length, settings.f_max, settings.height, settings.frames(16000)
        (512, 8000.0, 128, 32)
    """

    sr: int
    kind: str = "linear"
    n_fft: int = 1024
    win_length: int = None  # type: ignore[assignment]  # a number once made, as all below
    hop_length: int = None  # type: ignore[assignment]
    window: str = "hann"
    center: bool = True
    pad_mode: str = "constant"
    power: float = 2.0
    n_mels: int = 128
    f_min: float = 0.0
    f_max: float = None  # type: ignore[assignment]
    htk: bool = False
    norm: str | None = "slaney"
    n_mfcc: int = 20
    n_rows: int = 1
    to_db: bool = False
    top_db: float | None = None
    deltas: int = 0
    scale: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        self._fill("win_length", self.n_fft)
        self._fill("hop_length", max(1, self.win_length // 2))
        self._fill("f_max", self.sr / 2)
        for name in ("sr", "n_fft", "win_length", "hop_length", "n_mels", "n_mfcc", "n_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; it is 1 at least")
        if self.win_length > self.n_fft:
            raise ValueError(
                f"win_length={self.win_length} is more than n_fft={self.n_fft}; a window fits into "
                "the transform"
            )
        if not 0 <= self.f_min < self.f_max:
            raise ValueError(
                f"f_min={self.f_min}, f_max={self.f_max} Hz; bands go upwards from 0 or more"
            )
        for name, known in (("kind", _KINDS), ("pad_mode", _PAD_MODES)):
            found = getattr(self, name)
            if found not in known:
                raise ValueError(
                    f"{name}={found!r}; give one of {', '.join(known)}.{nearest(str(found), known)}"
                )

    def _fill(self, name: str, value: float) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, value)  # frozen, but not made yet

    @property
    def mel(self) -> bool:
        """Whether rows are mel bands."""
        return self.kind == "mel"

    @property
    def height(self) -> int:
        """Rows of a channel before resizing: frequencies, bands, coefficients or others."""
        counts = {"linear": self.n_fft // 2 + 1, "mel": self.n_mels, "mfcc": self.n_mfcc}
        return counts.get(self.kind, self.n_rows)

    def frames(self, samples: Count) -> Count:
        """How many frames a signal of so many samples has before resizing.

        Args:
            samples: a number, or a tensor of them.

        Example:
            >>> SpectrogramSettings(sr=8000, n_fft=8, hop_length=4, center=False).frames(16)
            3
        """
        continued = 2 * (self.n_fft // 2) if self.center else 0
        found = (samples + continued - self.n_fft) // self.hop_length + 1
        return found.clamp_min(0) if isinstance(found, Tensor) else max(0, found)
