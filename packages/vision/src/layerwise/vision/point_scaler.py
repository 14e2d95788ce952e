"""Points and boxes from pixels to -1 to 1, whatever the size of their picture, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from layerwise.core.errors import DataError, SkipItemException, names_nearest
from layerwise.core.random import isolated
from layerwise.core.transforms.transform import ItemTransform, Transform
from layerwise.vision.coords import ImageSize, TensorPoint, picture_size
from layerwise.vision.point_loss import PointLossFlat

__all__ = ["PointScaler", "TensorPointCreate"]


class TensorPointCreate(Transform):
    """Numbers to a `TensorPoint` in pixels; says which loss compares points.

    Args:
        img_size: width and height of the pictures, where their points are to be read alone.

    Example:
        >>> TensorPointCreate()([3, 4, 5, 6]).tolist()
        [[3.0, 4.0], [5.0, 6.0]]
    """

    @names_nearest
    def __init__(self, img_size: ImageSize | None = None) -> None:
        super().__init__()
        self.img_size = img_size
        self.loss_func = PointLossFlat()

    def encodes(self, o: object) -> TensorPoint:
        """(N, 2) x, y."""
        return TensorPoint.create(o, self.img_size)


class PointScaler(ItemTransform):
    """Points and boxes of a sample from pixels to -1 to 1, by the size of its picture.

    It stands before all else that changes samples, so that from there on points move with their
    picture by shares of it. Where a sample has no picture, the points themselves say how large it
    was (`img_size=` of `create`).

    Args:
        do_scale: False for coordinates that go from -1 to 1 already.
        y_first: the coordinates come as y, x.
        c: how many numbers there are in a target; counted on the first when None.

    Example:
        >>> points = TensorPoint.create([[3, 4]], img_size=(12, 8))
        >>> PointScaler()((points,))[0].tolist(), PointScaler().decode(PointScaler()((points,)))[0]
        ([[-0.5, 0.0]], TensorPoint([[3., 4.]]))
    """

    order: float = -1

    @names_nearest
    def __init__(
        self, do_scale: bool = True, y_first: bool = False, *, c: int | None = None
    ) -> None:
        super().__init__()
        self.do_scale, self.y_first, self.c = do_scale, y_first, c

    def setups(self, dl: Any) -> None:
        """Count the numbers of the first target."""
        lists = getattr(getattr(dl, "dataset", None), "tls", ())
        for one in lists if self.c is None else ():
            kinds = (one.types or [()])[-1]
            if any(issubclass(kind, TensorPoint) for kind in kinds) and len(one):
                self.c = _count(one)

    def encodes(self, o: object) -> Any:
        """The sample with points from -1 to 1."""
        return self._changed(o, self._scaled)

    def decodes(self, o: object) -> Any:
        """The sample with points in pixels, x first."""
        return self._changed(o, self._unscaled)

    def _changed(self, sample: Any, change: Any) -> Any:
        size = picture_size(sample)
        if not isinstance(sample, tuple):
            return change(sample, size) if isinstance(sample, TensorPoint) else sample
        return tuple(change(x, size) if isinstance(x, TensorPoint) else x for x in sample)

    def _scaled(self, x: TensorPoint, size: ImageSize | None) -> TensorPoint:
        pairs = x.pairs()
        pairs = pairs.flip(-1) if self.y_first else pairs
        if self.do_scale:
            size = _known(x, size)
            pairs = pairs * 2 / torch.tensor(size, dtype=pairs.dtype, device=pairs.device) - 1
        return x.moved(pairs, in_pixels=False, img_size=size)

    def _unscaled(self, x: TensorPoint, size: ImageSize | None) -> TensorPoint:
        size = _known(x, size)
        pairs = x.pairs()
        pairs = (pairs + 1) * torch.tensor(size, dtype=pairs.dtype, device=pairs.device) / 2
        return x.moved(pairs, in_pixels=True, img_size=size)


def _known(x: TensorPoint, size: ImageSize | None) -> ImageSize:
    size = size if size is not None else getattr(x, "img_size", None)
    if size is None:
        raise DataError(
            f"PointScaler does not know how large the picture of this {type(x).__name__} is; put "
            f"it into the sample (ImageBlock), or pass img_size= to {type(x).__name__}.create"
        )
    return size


def _count(targets: Iterable[Any]) -> int | None:
    """How many numbers the first target has; None where all are skipped."""
    with isolated(0):  # reading it must not move the seeds of what comes later
        for i in range(len(targets)):  # type: ignore[arg-type]  # lists of items have a length
            try:
                return int(targets[i].numel())  # type: ignore[index]  # as above
            except SkipItemException:
                continue
    return None
