"""`TensorSong`: what a song is, and how one is drawn."""

from __future__ import annotations

from typing import Any

from layerwise.core.display.axes import get_grid
from layerwise.core.tensors import TensorBase

__all__ = ["TensorSong"]

# T: steps of a song. B: songs of a batch.


class TensorSong(TensorBase):
    """(T,) or (B, T) pitch of a song at each step, in kHz.

    Example:
        >>> song = TensorSong([2.0, 2.5, 4.0], singer="wren")
        >>> (song * 2).singer
        'wren'
    """

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """The axes with the song on it as a line; `kwargs` are matplotlib's, for the line."""
        ax = ctx if ctx is not None else get_grid(1)[0]
        ax.plot(self.as_plain().cpu(), **kwargs)
        ax.set_xlabel("step")
        ax.set_ylabel("kHz")
        return ax
