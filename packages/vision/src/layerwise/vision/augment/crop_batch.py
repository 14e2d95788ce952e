"""`RandomResizedCropGPU`: a part of each picture of a batch, brought to one size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.random import generator
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.matrix import Matrix, crop_mat
from layerwise.vision.augment.places import as_size
from layerwise.vision.augment.plan import Plan
from layerwise.vision.augment.sampling import to_edges, to_middles
from layerwise.vision.resample import PadMode

__all__ = ["RandomResizedCropGPU"]

_ATTEMPTS = 10


class RandomResizedCropGPU(AffineCoordTfm):
    """A part of each picture of a batch, of its own area, proportions and place, at `size`.

    In validation it is the middle, as large as its proportions allow. It is a map like others, so
    that with rotations and the like beside it there is still one interpolation.

    Args:
        size: height and width of what comes out, or one number for both.
        min_scale: least share of the area that is taken.
        ratio: least and largest width over height of the part.
        mode: how pictures are interpolated.
        valid_scale: share of the sides that is taken in validation.
        max_scale: largest share of the area that is taken.
        mode_mask: how masks are interpolated.
        pad_mode: what is beyond the picture, for the maps beside it.
        align_corners: where -1 and 1 are, see `AffineCoordTfm`.

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> RandomResizedCropGPU(8)(TensorImage(torch.rand(4, 3, 16, 16)), split_idx=0).shape
        torch.Size([4, 3, 8, 8])
    """

    @names_nearest
    def __init__(
        self,
        size: int | Sequence[int],
        min_scale: float = 0.08,
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        mode: str = "bilinear",
        valid_scale: float = 1.0,
        max_scale: float = 1.0,
        mode_mask: str = "nearest",
        pad_mode: str = PadMode.Reflection,
        align_corners: bool = True,
    ) -> None:
        super().__init__(
            size=size,
            mode=mode,
            pad_mode=pad_mode,
            mode_mask=mode_mask,
            align_corners=align_corners,
        )
        if not 0 < min_scale <= max_scale <= 1 or not 0 < valid_scale <= 1:
            raise ValueError(
                f"min_scale={min_scale}, max_scale={max_scale}, valid_scale={valid_scale}; shares "
                "go from above 0 to 1, the least first"
            )
        if not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"ratio={ratio}; give least and largest width over height")
        self.min_scale, self.max_scale, self.ratio = min_scale, max_scale, tuple(ratio)
        self.valid_scale = valid_scale

    def plan(self, plan: Plan, split_idx: int | None) -> None:
        """Add the part and the size."""
        if split_idx == 1:
            x = plan.seen()
            plan.add_map(self._on_pixels(self._middle(x), x))
        super().plan(plan, split_idx)

    def matrix(self, x: Tensor) -> Matrix:
        """(B, 3, 3) a part of each picture."""
        count, (height, width) = len(x), x.shape[-2:]
        draws = torch.rand(_ATTEMPTS, count, 2, generator=generator(), dtype=torch.float64)
        at = torch.rand(2, count, generator=generator(), dtype=torch.float64)
        area = self.min_scale + draws[..., 0] * (self.max_scale - self.min_scale)
        low, high = (math.log(each) for each in self.ratio)
        # Even in its logarithm; in units of the picture's own proportions.
        ratio = (low + draws[..., 1] * (high - low)).exp() * (height / width)
        sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()])  # (2, attempts, B)
        fits = (sides <= 1).all(0)
        first = fits.int().argmax(0)  # the first that fits, or the first of all
        found = sides[:, first, torch.arange(count)]
        # Hardly any part of a very long picture has such proportions: as much as fits.
        found = found / found.amax(0).clamp(min=1)
        left, upper = (1 - found) * at
        across, down = found
        edges = crop_mat(
            2 * left - 1, 2 * upper - 1, 2 * (left + across) - 1, 2 * (upper + down) - 1
        )
        return self._on_pixels(edges, x)

    def _middle(self, x: Tensor) -> Matrix:
        height, width = x.shape[-2:]
        target = as_size(self.size)
        shape = target[1] / target[0] * height / width
        half_width = self.valid_scale * min(1.0, shape)
        half_height = self.valid_scale * min(1.0, 1 / shape)
        ends = [-half_width, -half_height, half_width, half_height]
        return crop_mat(*torch.tensor(ends, dtype=torch.float64)[:, None].expand(4, len(x)))

    def _on_pixels(self, edges: Matrix, x: Tensor) -> Matrix:
        """A map between edges, as one between the middles of pixels where those are meant."""
        if not self.align_corners:
            return edges
        return to_middles(x.shape[-2:]) @ edges @ to_edges(as_size(self.size))
