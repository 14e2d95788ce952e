"""`StandardizeSeries`: each channel to mean 0 and deviation 1, by what the training data have."""

from __future__ import annotations

from typing import Any

import torch
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.transform import Transform
from torch import Tensor

from layerwise_timeseries.types import TensorSeries

__all__ = ["StandardizeSeries"]

# B: series of a batch. C: channels. T: steps.


class StandardizeSeries(Transform):
    """(value - mean) / deviation by channel; NaN stays.

    Args:
        mean: (C,) measured on all series of the training data when None.
        std: (C,) likewise.

    Example:
        >>> scale = StandardizeSeries(mean=torch.tensor([2.0]), std=torch.tensor([4.0]))
        >>> scale(TensorSeries([[2.0, 6.0]])), scale.decode(TensorSeries([[0.0, 1.0]]))
        (TensorSeries([[0., 1.]]), TensorSeries([[2., 6.]]))
    """

    order = 20

    def __init__(self, mean: Tensor | None = None, std: Tensor | None = None) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise ValueError("StandardizeSeries takes mean and std together, or neither to measure")
        self.mean, self.std = mean, std

    def setups(self, dl: Any) -> None:
        """Measure both on the data set of `dl`, unless they were given."""
        dataset = getattr(dl, "dataset", None)
        if self.mean is not None or dataset is None or not len(dataset):
            return
        found = (dataset[i] for i in range(len(dataset)))
        series = [s[0] if isinstance(s, tuple) else s for s in found]
        plain = [x.as_plain() if isinstance(x, TensorBase) else x for x in series]
        values = torch.cat(plain, -1).double()  # (C, all steps)
        self.mean = values.nanmean(-1).float()
        deviation = (values - self.mean[:, None]).square().nanmean(-1).sqrt().float()
        # A channel that never changes, or has no value, is left as it is.
        self.mean = self.mean.nan_to_num()
        self.std = torch.where(deviation > 0, deviation, 1.0)

    encodes = Dispatch(unchanged)
    decodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: TensorSeries) -> TensorSeries:
        mean, std = self._stats(x)
        return dress((x.as_plain() - mean) / std, x)

    @decodes.register
    def _(self, x: TensorSeries) -> TensorSeries:
        mean, std = self._stats(x)
        return dress(x.as_plain() * std + mean, x)

    def _stats(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.std is None:
            raise ValueError(
                "StandardizeSeries has measured nothing yet; give mean= and std=, or set it up on "
                "a loader"
            )
        return self.mean.to(x.device)[:, None], self.std.to(x.device)[:, None]
