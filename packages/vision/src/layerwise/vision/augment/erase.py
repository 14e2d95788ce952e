"""Parts of pictures painted over with noise (Zhong et al., 2017, Random Erasing)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import names_nearest
from layerwise.core.random import generator
from layerwise.core.tensors import TensorImageBase, TensorMask, dress
from layerwise.core.transforms.random import RandTransform
from layerwise.vision.augment.hsv import plain_of, typed

__all__ = ["RandomErasing", "cutout_gaussian"]

T = TypeVar("T", bound=Tensor)

Area = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


def cutout_gaussian(x: T, areas: Sequence[Area]) -> T:
    """(..., H, W) a copy of `x` with normal noise (mean 0, deviation 1) in the areas.

    Args:
        x: (..., H, W) pictures, as a rule normalised.
        areas: first row, row after the last, first column and column after the last of each.

    Example:
        >>> cut = cutout_gaussian(torch.full((1, 4, 4), 9.0), [(0, 2, 1, 3)])
        >>> (cut == 9).sum().item()
        12
    """
    result = plain_of(x).clone()
    _paint(result, areas)
    return typed(result, x)


def _paint(picture: Tensor, areas: Sequence[Area]) -> None:
    for first, end, left, right in areas:
        inside = picture[..., first:end, left:right]
        noise = torch.randn(inside.shape, generator=generator())
        inside.copy_(noise)


class RandomErasing(RandTransform):
    """Paint over parts of pictures of a batch with noise; which parts, for each picture anew.

    It follows `Normalize`, since the noise has mean 0 and deviation 1. Targets stay as they are.

    Args:
        p: probability for each picture.
        sl: least share of the area that is painted.
        sh: greatest share.
        min_aspect: least height over width of a part; the greatest is the inverse.
        max_count: how many parts at most; they share the area.

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> x = TensorImage(torch.ones(2, 3, 8, 8))
        >>> painted = RandomErasing(p=1.0, sl=0.25)(x, split_idx=0)
        >>> (painted != 1).any(1).flatten(1).any(1).tolist()
        [True, True]
    """

    order: float = 100

    @names_nearest
    def __init__(
        self,
        p: float = 0.5,
        sl: float = 0.0,
        sh: float = 0.3,
        min_aspect: float = 0.3,
        max_count: int = 1,
    ) -> None:
        super().__init__(p=p)
        if not 0 <= sl <= sh <= 1 or not 0 < min_aspect <= 1 or max_count < 1:
            raise ValueError(
                f"sl={sl}, sh={sh}, min_aspect={min_aspect}, max_count={max_count}; shares go from "
                "0 to 1, the least first, min_aspect from above 0 to 1, and one part is the least"
            )
        self.sl, self.sh, self.min_aspect, self.max_count = sl, sh, min_aspect, max_count

    def before_call(self, b: Any, split_idx: int | None) -> None:  # noqa: ARG002 - p is per picture
        """Nothing yet: each picture draws its own parts."""
        self.do = True

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: TensorMask) -> TensorMask:
        return x

    @encodes.register
    def _(self, x: TensorImageBase) -> TensorImageBase:
        plain = x.as_plain()
        is_painted = torch.rand(len(plain), generator=generator()) < self.p
        if not is_painted.any():
            return x
        result = plain.clone()
        for i in is_painted.nonzero().flatten().tolist():
            _paint(result[i], self._areas(plain.shape[-2], plain.shape[-1]))
        return dress(result, x)

    def _areas(self, height: int, width: int) -> list[Area]:
        count = int(torch.randint(1, self.max_count + 1, (), generator=generator()))
        numbers = torch.rand(count, 4, generator=generator(), dtype=torch.float64).tolist()
        areas = []
        for share, shape, down, across in numbers:
            area = (self.sl + share * (self.sh - self.sl)) * height * width / count
            aspect = math.exp((2 * shape - 1) * -math.log(self.min_aspect))
            rows = min(height, round(math.sqrt(area * aspect)))
            columns = min(width, round(math.sqrt(area / aspect)))
            first, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
            areas.append((first, first + rows, left, left + columns))
        return areas
