"""`TensorSeries`: channels over time, and how it is made and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from layerwise.core.display.axes import get_grid
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.transform import Transform

__all__ = ["TensorSeries", "ToSeries", "lengths_of"]

# B: series of a batch. C: channels. T: steps.


class TensorSeries(TensorBase):
    """(C, T) or (B, C, T) float values; NaN where nothing was measured, or behind the end.

    One sign for both keeps them apart from every value, whatever is done to the others.

    Example:
        >>> series = TensorSeries([[1.0, 2.0, float("nan")]])
        >>> (series * 2).trimmed()
        TensorSeries([[2., 4.]])
    """

    def trimmed(self) -> TensorSeries:
        """(C, T) without the steps at the end at which no channel has a value."""
        plain = self.as_plain()
        return dress(plain[..., : int(lengths_of(plain[None])[0])], self)

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """The axes with a line for each channel; `kwargs` are matplotlib's, for the lines."""
        ax = ctx if ctx is not None else get_grid(1)[0]
        for channel in self.as_plain().detach().cpu():
            ax.plot(channel, **{"linewidth": 1, **kwargs})
        return ax


def lengths_of(x: torch.Tensor) -> torch.Tensor:
    """(B,) steps of each series up to the last one at which any channel has a value.

    Args:
        x: (B, C, T) values, NaN where there is none.

    Example:
        >>> lengths_of(torch.tensor([[[1.0, float("nan"), 3.0, float("nan")]]])).tolist()
        [3]
    """
    steps = torch.arange(1, x.shape[-1] + 1, device=x.device)
    is_there = ~x.isnan().all(1)  # (B, T)
    return (is_there * steps).amax(1) if x.shape[-1] else is_there.sum(1)


class ToSeries(Transform):
    """Arrays, tensors and lists to series: (T,) is one channel, (C, T) several.

    Example:
        >>> ToSeries()([1, 2]).shape
        torch.Size([1, 2])
    """

    def encodes(self, o: np.ndarray | torch.Tensor | list) -> TensorSeries:  # type: ignore[type-arg]  # dispatch takes the class
        """(C, T) float32."""
        values = torch.as_tensor(o, dtype=torch.float32)
        if values.ndim == 1:
            values = values[None]
        if values.ndim != 2:
            raise DataError(
                f"a series is (T,) or (C, T), channels first, and this one {tuple(values.shape)}"
            )
        return TensorSeries(values)
