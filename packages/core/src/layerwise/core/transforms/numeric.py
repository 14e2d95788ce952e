"""Numbers and tensors: to tensor, to float, normalise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.display.titled import TitledFloat, TitledTuple
from layerwise.core.tensors import TensorBase, TensorImage, TensorMask, dress
from layerwise.core.transforms.transform import Transform

__all__ = [
    "IntToFloatTensor",
    "Normalize",
    "RegressionSetup",
    "ToTensor",
    "broadcast_vec",
]


class ToTensor(Transform):
    """What a domain reads (pictures, arrays) to tensors; each domain adds its methods."""

    order: float = 5


class RegressionSetup(Transform):
    """Numbers as targets: to float tensors, and how many there are.

    Args:
        c: number of outputs; taken from the first target when None.
    """

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def encodes(self, o: object) -> TensorBase:
        """() or (C,) float tensor."""
        return TensorBase(torch.as_tensor(o).float())

    def decodes(self, o: TensorBase) -> Any:
        """A number or a tuple of numbers, which show as titles.

        A model's (1,) for a single output is a number, as its target is.
        """
        values = o.as_plain()
        if values.ndim == 0 or (self.c == 1 and values.numel() == 1):
            return TitledFloat(values.item())
        return TitledTuple(v.item() for v in values.flatten())

    def setups(self, dsets: Any) -> None:
        """Count the outputs of the first target."""
        if self.c is not None or dsets is None:
            return
        first = next(iter(dsets), None)
        if first is None:
            return
        first = torch.as_tensor(first)
        self.c = 1 if first.ndim == 0 else int(first.numel())


class IntToFloatTensor(Transform):
    """uint8 pictures to floats from 0 to 1, masks to class indices; runs on the device.

    Args:
        div: what pictures are divided by; 255 for 8 bits.
        div_mask: what masks are divided by, for masks stored as 0 and 255, say.
    """

    order: float = 10

    def __init__(self, div: float = 255.0, div_mask: int = 1) -> None:
        super().__init__()
        self.div, self.div_mask = div, div_mask

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, o: TensorImage) -> TensorImage:
        values = o.as_plain()
        # In place only on a copy: floats would be the data set's own memory.
        done = values / self.div if values.is_floating_point() else values.float().div_(self.div)
        return dress(done, o)

    @encodes.register
    def _(self, o: TensorMask) -> TensorMask:
        return dress(o.as_plain().long() // self.div_mask, o)

    def decodes(self, o: TensorImage) -> TensorImage:
        """Clamped to 0 to 1, for showing."""
        return dress(o.as_plain().clamp(0.0, 1.0), o)


def broadcast_vec(
    dim: int, ndim: int, *values: Any, device: torch.device | str | None = None
) -> list[Tensor]:
    """Each of `values` as a tensor that varies along `dim` of `ndim` axes.

    Example:
        >>> broadcast_vec(1, 4, [0.5, 0.6, 0.7])[0].shape
        torch.Size([1, 3, 1, 1])
    """
    shape = [1] * ndim
    shape[dim] = -1
    return [torch.as_tensor(v, dtype=torch.float32, device=device).view(shape) for v in values]


class Normalize(Transform):
    """Pictures (or other batches of floats) to mean 0 and standard deviation 1 per channel.

    Args:
        mean: (1, C, 1, 1) or what broadcasts to it; measured on one training batch when None.
        std: likewise.
        axes: over which mean and standard deviation are measured; all but the channels.

    Example:
        >>> norm = Normalize.from_stats([0.5], [0.25])
        >>> x = TensorImage(torch.full((1, 1, 2, 2), 0.75))
        >>> norm(x).unique().item(), norm.decode(norm(x)).unique().item()
        (1.0, 0.75)
    """

    order: float = 99

    def __init__(self, mean: Any = None, std: Any = None, axes: Sequence[int] = (0, 2, 3)) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise ValueError("Normalize takes mean and std together, or neither to measure both")
        self.mean = None if mean is None else torch.as_tensor(mean, dtype=torch.float32)
        self.std = None if std is None else torch.as_tensor(std, dtype=torch.float32)
        self.axes = tuple(axes)

    @classmethod
    def from_stats(cls, mean: Any, std: Any, dim: int = 1, ndim: int = 4) -> Normalize:
        """From one number per channel; the channels are axis `dim` of `ndim`."""
        mean, std = broadcast_vec(dim, ndim, mean, std)
        return cls(mean, std)

    def setups(self, dl: Any) -> None:
        """Measure both on one batch of `dl`, unless they were given."""
        if self.mean is not None or not hasattr(dl, "one_batch"):
            return
        batch = dl.one_batch()
        x = batch[0] if isinstance(batch, tuple | list) else batch
        values = x.as_plain() if isinstance(x, TensorBase) else x
        self.mean = values.mean(self.axes, keepdim=True)
        self.std = values.std(self.axes, keepdim=True) + 1e-7

    def encodes(self, x: TensorImage) -> TensorImage:
        """(N, C, H, W) normalised."""
        return dress(self.normalize(x.as_plain()), x)

    def decodes(self, x: TensorImage) -> TensorImage:
        """(N, C, H, W) as it was before."""
        return dress(self.denormalize(x.as_plain()), x)

    def normalize(self, values: Tensor) -> Tensor:
        """`(values - mean) / std`, statistics on the device and of the type of `values`."""
        mean, std = self._stats(values)
        return (values - mean).div_(std)  # in place on the difference, which nobody else has

    def denormalize(self, values: Tensor) -> Tensor:
        """`values * std + mean`."""
        mean, std = self._stats(values)
        return (values * std).add_(mean)

    def _stats(self, like: Tensor) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.std is None:
            raise ValueError(
                "Normalize has no statistics yet; use Normalize.from_stats or set it up on a loader"
            )
        if self.mean.device != like.device:
            self.mean, self.std = self.mean.to(like.device), self.std.to(like.device)
        mean, std = self.mean, self.std
        if like.is_floating_point():  # whole numbers become floats instead
            mean, std = mean.to(like.dtype), std.to(like.dtype)
        if mean.ndim == 4 and like.ndim == 3:  # one picture instead of a batch
            return mean[0], std[0]
        return mean, std
