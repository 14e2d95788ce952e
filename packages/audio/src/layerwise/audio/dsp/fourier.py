"""Fourier transforms of short pieces of a signal, and their way back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerwise.audio.dsp.constants import remembered
from layerwise.audio.dsp.pieces import framewise
from layerwise.core.errors import nearest
from layerwise.core.tensors import TensorBase

__all__ = ["istft", "spectrogram", "stft", "window_weights"]

# N: samples. W: samples of a transform. F: frequencies, W // 2 + 1. T: frames.

_WINDOWS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "ones": torch.ones,
}


def window_weights(name: str, win_length: int, n_fft: int) -> Tensor:
    """(W,) the weights of a window, periodic, with zeros on both sides up to the transform.

    Args:
        name: "hann", "hamming", "blackman" or "ones".
        win_length: samples of the window.
        n_fft: samples of the transform, W.

    Raises:
        ValueError: if the name is not known, or the window longer than the transform.

    Example:
        >>> window_weights("hann", 4, 6).round(decimals=3).tolist()
        [0.0, 0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if name not in _WINDOWS:
        raise ValueError(
            f"window={name!r}; give one of {', '.join(_WINDOWS)}.{nearest(str(name), _WINDOWS)}"
        )
    if not 1 <= win_length <= n_fft:
        raise ValueError(
            f"win_length={win_length}; a window has 1 to n_fft={n_fft} samples, since it fits into "
            "the transform"
        )
    weights: Tensor = _WINDOWS[name](win_length, dtype=torch.float64)  # type: ignore[operator]  # torch's own mixture
    before = (n_fft - win_length) // 2
    return pad(weights, (before, n_fft - win_length - before))


_window = remembered(window_weights)


def stft(
    x: Tensor,
    n_fft: int = 1024,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> Tensor:
    """Complex spectrum of each frame of a signal.

    Args:
        x: (..., N) signal.
        n_fft: samples of a transform.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: see `window_weights`.
        center: frame t has its middle at sample `t * hop_length`, the signal being continued at
            both ends; otherwise it begins there, and only whole frames count.
        pad_mode: how it is continued: "constant" (zeros), "reflect" or "replicate".

    Returns:
        (..., F, T): F = n_fft // 2 + 1 frequencies; T = 1 + N // hop_length if centred (of an even
        `n_fft`; with N - 1 of an odd one), otherwise 1 + (N - n_fft) // hop_length.

    Raises:
        ValueError: if the signal is too short for a frame, or to be reflected.

    Example:
        >>> stft(torch.zeros(2, 16), n_fft=8, hop_length=4).shape
        torch.Size([2, 5, 5])
    """
    found = of_frames(torch.fft.rfft, x, n_fft, win_length, hop_length, window, center, pad_mode)
    return found.transpose(-1, -2)


def spectrogram(
    x: Tensor,
    n_fft: int = 1024,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
) -> Tensor:
    """(..., F, T) magnitude of the spectrum of each frame, to the `power`.

    Args:
        x: (..., N) signal.
        n_fft: samples of a transform.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: see `window_weights`.
        center: see `stft`.
        pad_mode: see `stft`.
        power: 2 is power, 1 amplitude.

    Raises:
        ValueError: as `stft`.

    Example:
        >>> tone = torch.sin(torch.arange(64) * torch.pi / 4)  # an eighth of the sample rate
        >>> spectrogram(tone, n_fft=16)[:, 4].argmax().item()
        2
    """

    def of_frame(frames: Tensor) -> Tensor:
        return magnitudes(torch.fft.rfft(frames), power)

    found = of_frames(of_frame, x, n_fft, win_length, hop_length, window, center, pad_mode)
    return found.transpose(-1, -2)


def magnitudes(spectra: Tensor, power: float) -> Tensor:
    """(...) magnitudes of complex numbers to the `power`."""
    if power == 2:
        # A root and its square would cost more than the transform.
        return torch.addcmul(spectra.real.square(), spectra.imag, spectra.imag)
    return spectra.abs() if power == 1 else spectra.abs() ** power


def of_frames(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    n_fft: int,
    win_length: int | None,
    hop_length: int | None,
    window: str,
    center: bool,
    pad_mode: str,
) -> Tensor:
    """(..., T, K) what `function` makes of frames (..., W) under the window."""
    values = plain(x)
    win_length = n_fft if win_length is None else win_length
    hop_length = max(1, win_length // 2) if hop_length is None else hop_length
    if hop_length < 1:
        raise ValueError(f"hop_length={hop_length}; frames are 1 sample apart at least")
    weights = _window(window, win_length, n_fft, like=values)
    if center:
        values = _continued(values, n_fft // 2, pad_mode)
    if values.shape[-1] < n_fft:
        raise ValueError(
            f"a signal of {values.shape[-1]} samples has no frame of n_fft={n_fft}; make n_fft "
            "smaller, or give center=True, which continues the signal"
        )
    rows = values.reshape(-1, values.shape[-1])
    found = framewise(lambda frames: function(frames * weights), rows, n_fft, hop_length)
    return found.view(*values.shape[:-1], *found.shape[-2:])


def _continued(values: Tensor, size: int, pad_mode: str) -> Tensor:
    if pad_mode == "constant":
        return pad(values, (size, size))
    if pad_mode not in ("reflect", "replicate"):
        raise ValueError(f"pad_mode={pad_mode!r}; give 'constant', 'reflect' or 'replicate'")
    if values.shape[-1] <= (size if pad_mode == "reflect" else 0):
        raise ValueError(
            f"a signal of {values.shape[-1]} samples cannot be continued by {size} with "
            f"pad_mode={pad_mode!r}; give pad_mode='constant', or a smaller n_fft"
        )
    rows: Tensor = pad(values.reshape(-1, 1, values.shape[-1]), (size, size), mode=pad_mode)
    return rows.view(*values.shape[:-1], rows.shape[-1])


def istft(
    spectra: Tensor,
    n_fft: int = 1024,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    length: int | None = None,
) -> Tensor:
    """(..., N) the signal whose centred `stft` comes nearest to `spectra` (Griffin and Lim, 1984).

    Args:
        spectra: (..., F, T) complex.
        n_fft: samples of a transform.
        win_length: samples under the window; `n_fft` if None.
        hop_length: samples from one frame to the next; half of `win_length` if None.
        window: see `window_weights`.
        length: samples of the result, N; as many as frames cover if None.

    Example:
        >>> x = torch.arange(32.0)
        >>> torch.allclose(istft(stft(x, 8), 8, length=32), x, atol=1e-4)
        True
    """
    values = plain(spectra)
    win_length = n_fft if win_length is None else win_length
    hop_length = max(1, win_length // 2) if hop_length is None else hop_length
    weights = _window(window, win_length, n_fft, like=values)
    rows = values.reshape(-1, *values.shape[-2:])
    # torch refuses to do none.
    some = rows if len(rows) else rows.new_zeros(1, *rows.shape[1:])
    found: Tensor = torch.istft(some, n_fft, hop_length, n_fft, weights, length=length)
    return found[: len(rows)].view(*values.shape[:-2], found.shape[-1])


def plain(x: Tensor) -> Tensor:
    """`x` without its type and of floats, which is what the functions of this folder work on."""
    values = x.as_plain() if isinstance(x, TensorBase) else x
    if values.is_floating_point() or values.is_complex():
        return values
    return values.to(torch.get_default_dtype())
