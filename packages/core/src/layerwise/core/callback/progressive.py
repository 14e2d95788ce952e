"""`ProgressiveResizing`: training begins with small pictures, which cost less."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from layerwise.core.tensors import TensorMask
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["ProgressiveResizing"]

Size = tuple[int, int]


class ProgressiveResizing(Callback):
    """Trains on pictures that grow from small to their size (Howard, "DAWNBench", 2018).

    The batch is resized on its device, by interpolation, after all augmentation. Targets that are
    images as large as the inputs are resized with them: masks and whole numbers to the nearest
    pixel, others like the inputs. Validation and prediction see full size. Sizes follow from
    `pct_train`, so a training that goes on has the same.

    Reads `pct_train`, `batch`; changes pictures in `xb` and `yb`, in `before_batch`; publishes
    "image_size" when it changes.

    Args:
        initial: side of the first pictures as a share of the whole. Half a side is a quarter of the
            cost.
        start: share of the training with the first size.
        finish: share of the training after which pictures are whole. The last fifth at full size is
            where the model gets used to what it will see (as in MosaicML's Composer).
        multiple: sides are multiples of this, since few sizes run faster than many: kernels are
            chosen, and models compiled, for each.
        schedule: from the share of growth that is over (0 to 1) to the share of the way to full
            size; straight when None.

    Attributes:
        size: the size of the last training batch, (height, width); None before there is one.

    Example:
        >>> resizing = ProgressiveResizing(initial=0.5, start=0.0, finish=0.5, multiple=32)
        >>> [resizing.size_at(share, (224, 224)) for share in (0.0, 0.25, 0.5)]
        [(128, 128), (160, 160), (224, 224)]
    """

    order: ClassVar[float] = -1
    after: ClassVar = (TrainEvalCallback,)
    run_valid = False
    in_search: ClassVar[bool] = False
    keeps: ClassVar[tuple[str, ...]] = ("size",)

    def __init__(
        self,
        initial: float = 0.5,
        start: float = 0.3,
        finish: float = 0.8,
        multiple: int = 32,
        schedule: Callable[[float], float] | None = None,
    ) -> None:
        super().__init__()
        if not 0 < initial <= 1:
            raise ValueError(f"initial={initial}; give the first side as a share, above 0, up to 1")
        if not 0 <= start <= finish <= 1:
            raise ValueError(
                f"start={start}, finish={finish}; give shares of the training, 0 <= start <= "
                "finish <= 1"
            )
        if multiple < 1:
            raise ValueError(f"multiple={multiple}; sides are whole numbers of 1 or more pixels")
        self.initial, self.start, self.finish = initial, start, finish
        self.multiple, self.schedule = multiple, schedule
        self.size: Size | list[int] | None = None

    def size_at(self, pct_train: float, full: Size) -> Size:
        """The size of pictures after a share of the training.

        Args:
            pct_train: the share.
            full: height and width of the whole image.
        """
        if pct_train >= self.finish:
            return full
        grown = 0.0
        if pct_train > self.start:
            grown = (pct_train - self.start) / (self.finish - self.start)
        share = grown if self.schedule is None else self.schedule(grown)
        scale = self.initial + (1 - self.initial) * share
        height, width = (self._side(side * scale, side) for side in full)
        return height, width

    def _side(self, wanted: float, full: int) -> int:
        rounded = int(wanted / self.multiple + 0.5) * self.multiple
        return min(full, max(self.multiple, rounded))

    def before_batch(self) -> None:
        """Resize the batch."""
        learn = self.learn
        full = next((_size(x) for x in learn.xb if _is_images(x)), None)
        if full is None:
            raise ValueError(
                "ProgressiveResizing found no pictures among the inputs: a tensor of (batch, "
                "channels, height, width) with floating numbers"
            )
        if self.size is None and self.initial < 1 and self.size_at(0.0, full) == full:
            warnings.warn(
                f"ProgressiveResizing leaves these pictures as they are: {full[0]} x {full[1]} is "
                f"too small for its steps; give a smaller multiple than {self.multiple}",
                stacklevel=2,
            )
        size = self.size_at(learn.pct_train, full)
        if self.size is None or tuple(self.size) != size:
            self.size = size
            learn.log("image_size", size[0])
        if size == full:
            return
        masks = _masks(learn.batch, len(learn.xb), len(learn.yb))
        learn.xb = tuple(_resized(x, full, size, nearest=False) for x in learn.xb)
        learn.yb = tuple(
            _resized(y, full, size, nearest=mask) for y, mask in zip(learn.yb, masks, strict=True)
        )


def _is_images(x: Any) -> bool:
    return isinstance(x, Tensor) and x.ndim == 4 and x.is_floating_point()


def _size(x: Tensor) -> Size:
    return x.shape[-2], x.shape[-1]


def _masks(batch: Any, inputs: int, targets: int) -> list[bool]:
    """Which targets the loader says are masks."""
    members = batch[inputs:] if isinstance(batch, tuple | list) else ()
    known = [isinstance(member, TensorMask) for member in members]
    return known if len(known) == targets else [False] * targets


def _resized(x: Any, full: Size, size: Size, *, nearest: bool) -> Any:
    """`x` at another size if it is pictures of the size `full`, else as it is."""
    if not isinstance(x, Tensor) or x.ndim not in (3, 4) or _size(x) != full:
        return x
    images = x if x.ndim == 4 else x[:, None]  # (B, C, H, W)
    if nearest or not x.is_floating_point():
        # Interpolation is for floating numbers; float64 holds every class exactly.
        dtype = images.dtype if images.is_floating_point() else torch.float64
        out = interpolate(images.to(dtype), size, mode="nearest-exact").to(x.dtype)
    else:
        # Without antialiasing a smaller picture is full of patterns that a larger has not.
        out = interpolate(images, size, mode="bilinear", antialias=True)
    return out if x.ndim == 4 else out[:, 0]
