"""Points and boxes on pictures: tensors of coordinates that move and are drawn with their picture.

Coordinates are continuous: 0 is the outer left (upper) edge of a picture, its width (height) the
outer right (lower) one, so the centre of the first pixel lies at 0.5. Targets are made in pixels;
`PointScaler` brings them to -1 to 1 from edge to edge, which is what augmentation and models see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from layerwise.core.tensors import TensorBase, TensorImage, TensorImageBase, TensorMask, dress
from layerwise.vision.marks import as_rows, draw_boxes, draw_points, new_axes
from layerwise.vision.resample import placed
from layerwise.vision.types import PILBase

__all__ = ["LabeledBBox", "TensorBBox", "TensorPoint", "TensorTypes", "box_is_empty"]

# N: points or boxes of a picture. B: pictures of a batch.

Axes = Any  # of matplotlib, which is imported only when something is drawn
ImageSize = tuple[int, int]  # width, height, as Pillow has it


class TensorPoint(TensorBase):
    """(N, 2) or (B, N, 2) points x, y: in pixels when made, from -1 to 1 after `PointScaler`.

    A point whose coordinates are NaN is missing: it moves with the others and is not drawn.
    """

    _width: ClassVar[int] = 2
    _when_unlike: ClassVar[str] = (
        "Give each picture as many points, those that are not in it as rows of NaN,"
    )

    @classmethod
    def create(cls, t: Any, img_size: ImageSize | None = None) -> Self:
        """Coordinates in pixels from nested lists, an array or a tensor.

        Args:
            t: (N, 2) or a flat row x, y, x, y, ...; boxes are (N, 4): left, upper, right, lower.
            img_size: width and height of the picture, kept as attribute, for those that see the
                points without it; as `t` has it when None.

        Raises:
            ValueError: when the numbers do not come in rows of that length, or are no boxes.

        Example:
            >>> TensorPoint.create([[3, 4], [5, 6]]).tolist()
            [[3.0, 4.0], [5.0, 6.0]]
        """
        plain = _numbers(t, cls.__name__)
        if plain.numel() % cls._width or (plain.ndim > 1 and plain.shape[-1] != cls._width):
            raise ValueError(
                f"{cls.__name__}.create got numbers of shape {tuple(plain.shape)}; give (N, "
                f"{cls._width}), or a flat row whose length is a multiple of {cls._width}"
            )
        plain = plain.reshape(-1, cls._width)
        cls._check(plain)
        img_size = getattr(t, "img_size", None) if img_size is None else img_size
        meta = {} if img_size is None else {"img_size": _as_size(img_size)}
        return cls(plain, in_pixels=True, **meta)

    @classmethod
    def _check(cls, plain: Tensor) -> None:
        """Raise where (N, width) numbers cannot be what they are to be made of."""
        if torch.isinf(plain).any():
            raise ValueError(f"{cls.__name__}.create got an infinite coordinate; NaN is missing")

    # -- moving ----------------------------------------------------------------------------

    def pairs(self) -> Tensor:
        """(..., M, 2) x, y as plain numbers: the points, or two corners of each box.

        What a model says of the points of one picture, a row of numbers, counts as rows of them.
        """
        plain = self.as_plain()
        has_rows = plain.ndim > 1 and plain.shape[-1] == self._width
        rows = plain if has_rows else plain.reshape(-1, self._width)
        return rows.reshape(*rows.shape[:-2], rows.shape[-2] * self._width // 2, 2)

    def moved(
        self, pairs: Tensor, *, img_size: ImageSize | None = None, in_pixels: bool | None = None
    ) -> Self:
        """This type again from `pairs` at their new places; boxes upright, corners in order.

        Args:
            pairs: (..., M, 2) as `pairs` returned them.
            img_size: width and height of the picture now, where that has changed.
            in_pixels: whether these are pixels, where that has changed.
        """
        result = dress(self._from_pairs(pairs), self)
        changed = {"img_size": img_size, "in_pixels": in_pixels}
        result.__dict__.update({k: v for k, v in changed.items() if v is not None})
        return result

    def _from_pairs(self, pairs: Tensor) -> Tensor:
        return pairs

    def flip_lr(self) -> Self:
        """Mirrored, left for right; coordinates go from -1 to 1."""
        return self.dihedral(1)

    def dihedral(self, k: int) -> Self:
        """One of the eight ways in which a square can lie; coordinates go from -1 to 1.

        Args:
            k: as for pictures: 0 as it is, 1 mirrored left for right, 2 top for bottom, 3 to 5
                turned by 90, 180 and 270 degrees against the clock, 6 and 7 mirrored at the two
                diagonals.

        Example:
            >>> TensorPoint([[0.5, 0.25]]).dihedral(3).tolist()
            [[0.25, -0.5]]
        """
        if not 0 <= k < len(_DIHEDRAL):
            raise ValueError(f"k={k}; there are eight ways, 0 to 7")
        _require_scaled(self, "turned")
        pairs = self.pairs()
        turn = torch.tensor(_DIHEDRAL[k], dtype=pairs.dtype, device=pairs.device)
        # Products would make NaN of points that miss one coordinate only; selection does not.
        swapped = pairs.flip(-1) if k in _SWAPS else pairs
        size = getattr(self, "img_size", None)
        turned = None if size is None or k not in _SWAPS else (size[1], size[0])
        return self.moved(swapped * turn, img_size=turned)

    def crop_pad(
        self,
        size: int | Sequence[float],
        tl: Sequence[float] | None = None,
        orig_sz: Sequence[int] | None = None,
        pad_mode: str | None = None,
        resize_mode: int | None = None,
        resize_to: Sequence[int] | None = None,
    ) -> Self:
        """As seen from a crop of `size` (width, height) whose corner is `tl`; from -1 to 1.

        What lies outside of the crop is kept, beyond -1 or 1.

        Args:
            size: one number for a square.
            tl: left and upper edge in pixels, negative for padding; in the middle if None.
            orig_sz: width and height of the picture; its attribute `img_size` if None.
            pad_mode: how the picture is padded, which moves no point.
            resize_mode: filter of the picture, which moves no point.
            resize_to: the size to which the crop is brought; scaled coordinates stay.

        Raises:
            ValueError: if neither `orig_sz` nor `img_size` says how large the picture was.

        Example:
            >>> middle = TensorPoint([[0.0, 0.0]])
            >>> middle.crop_pad((2, 4), tl=(2, 0), orig_sz=(4, 4)).tolist()
            [[-1.0, 0.0]]
        """
        del pad_mode, resize_mode
        _require_scaled(self, "cropped")
        width, height = (size, size) if isinstance(size, int) else size
        known = orig_sz if orig_sz is not None else getattr(self, "img_size", None)
        if known is None:
            raise ValueError(
                f"{type(self).__name__}.crop_pad does not know the size of the picture; pass "
                "orig_sz=(width, height), or img_size= to create"
            )
        corner = tl if tl is not None else ((known[0] - width) // 2, (known[1] - height) // 2)
        pairs = self.pairs()

        def pair(x: float, y: float) -> Tensor:
            return torch.tensor([x, y], dtype=pairs.dtype, device=pairs.device)

        box = (corner[0], corner[1], corner[0] + width, corner[1] + height)
        made = (width, height) if resize_to is None else (resize_to[0], resize_to[1])
        inner, at = placed((known[0], known[1]), box, made)
        moved = (pairs + 1) * pair(inner[0] / made[0], inner[1] / made[1])
        shift = pair(2 * at[0] / made[0] + 1, 2 * at[1] / made[1] + 1)
        return self.moved(moved - shift, img_size=_as_size(made))

    # -- showing ---------------------------------------------------------------------------

    def to_answer(self, scores: Any = None, vocab: Any = None) -> dict[str, Any]:  # noqa: ARG002 - as all answers
        """What a server tells: the points in pixels, and of which picture where that is known.

        Example:
            >>> TensorPoint.create([[2, 1]], img_size=(10, 10)).to_answer()
            {'points': [[2.0, 1.0]], 'picture_size': [10, 10]}
        """
        return {"points": self.as_plain().tolist(), **_picture_size(self)}

    def show(self, ctx: Axes = None, **kwargs: Any) -> Axes:
        """Draw the points, in pixels, on `ctx` (axes), a new figure when None.

        Args:
            ctx: axes.
            kwargs: arguments of matplotlib's `scatter`, such as `s`, `c` and `marker`.
        """
        ax = new_axes(getattr(self, "img_size", None)) if ctx is None else ctx
        draw_points(ax, as_rows(self, 2), **kwargs)
        return ax


class TensorBBox(TensorPoint):
    """(N, 4) or (B, N, 4) boxes left, upper, right, lower: in pixels, then from -1 to 1.

    A box without area is no box: padding of a batch, or one that augmentation moved out of sight.

    Example:
        >>> TensorBBox.create([[2, 1, 8, 6]]).tolist()
        [[2.0, 1.0, 8.0, 6.0]]
    """

    _width: ClassVar[int] = 4
    _when_unlike: ClassVar[str] = (
        "Give each picture as many boxes (bb_pad, which BBoxBlock calls, fills up the rest)"
    )

    @classmethod
    def _check(cls, plain: Tensor) -> None:
        super()._check(plain)
        wrong = (plain[:, :2] > plain[:, 2:]).any(-1) | plain.isnan().any(-1)
        if wrong.any():
            at = int(wrong.nonzero()[0])
            raise ValueError(
                f"box {at} is {plain[at].tolist()}; a box is left, upper, right, lower, the lesser "
                "first (COCO files have x, y, width, height, which get_annotations turns round)"
            )

    def _from_pairs(self, pairs: Tensor) -> Tensor:
        count = pairs.shape[-2] // 2
        corners = pairs.reshape(*pairs.shape[:-2], count, 2, 2)  # two corners of x, y each
        return torch.cat([corners.amin(-2), corners.amax(-2)], -1)

    def to_answer(self, scores: Any = None, vocab: Any = None) -> dict[str, Any]:  # noqa: ARG002 - as all answers
        """What a server tells: the boxes in pixels, and of which picture where that is known.

        Example:
            >>> TensorBBox.create([[2, 1, 8, 6]], img_size=(10, 10)).to_answer()
            {'boxes': [[2.0, 1.0, 8.0, 6.0]], 'picture_size': [10, 10]}
        """
        return {"boxes": self.as_plain().tolist(), **_picture_size(self)}

    def show(  # type: ignore[override]  # names what of matplotlib boxes take
        self, ctx: Axes = None, *, color: Any = None, width: float = 2.0, linestyle: str = "-"
    ) -> Axes:
        """Draw the boxes, in pixels, on `ctx` (axes), a new figure when None.

        Args:
            ctx: axes; those of a new figure when None.
            color: of all; white by default.
            width: of the lines, in points.
            linestyle: of matplotlib.
        """
        ax = new_axes(getattr(self, "img_size", None)) if ctx is None else ctx
        draw_boxes(ax, as_rows(self, 4), color=color, width=width, linestyle=linestyle)
        return ax


TensorTypes = (TensorImage, TensorMask, TensorPoint, TensorBBox)
"""All that moves with a picture, as the annotation of a method that moves it."""


class LabeledBBox:
    """The boxes of a picture together with their labels, for showing.

    Args:
        bbox: (N, 4) boxes in pixels.
        lbls: label of each.

    Example:
        >>> bbox, labels = LabeledBBox(TensorBBox.create([[0, 0, 4, 4]]), ["cat"])
        >>> labels, bbox.shape
        (['cat'], torch.Size([1, 4]))
    """

    def __init__(self, bbox: Tensor, lbls: Sequence[Any] = ()) -> None:
        if len(bbox) != len(lbls):
            raise ValueError(f"{len(bbox)} boxes and {len(lbls)} labels; give one for each")
        self.bbox, self.lbl = bbox, list(lbls)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.bbox, self.lbl))

    def __getitem__(self, index: int) -> Any:
        return (self.bbox, self.lbl)[index]

    def __len__(self) -> int:
        return 2

    def _texts(self) -> list[Any] | None:
        """For boxes that were predicted, the label and how sure the model is of it."""
        scores = getattr(self.bbox, "scores", None)
        if scores is None:
            return None
        pairs = zip(self.lbl, scores.tolist(), strict=True)
        return [f"{label} {score:.2f}" for label, score in pairs]

    def to_answer(self, scores: Any = None, vocab: Any = None) -> dict[str, Any]:  # noqa: ARG002 - as all answers
        """What a server tells: the boxes in pixels, their labels, and how sure the model is.

        Example:
            >>> LabeledBBox(TensorBBox.create([[0, 0, 4, 4]]), ["cat"]).to_answer()
            {'boxes': [[0.0, 0.0, 4.0, 4.0]], 'labels': ['cat']}
        """
        sure = getattr(self.bbox, "scores", None)
        told = {"boxes": self.bbox.tolist(), "labels": list(map(str, self.lbl))}
        if sure is not None:
            told["scores"] = sure.tolist()
        return {**told, **_picture_size(self.bbox)}

    def __repr__(self) -> str:
        return f"LabeledBBox of {len(self.lbl)}: {', '.join(map(str, self.lbl[:5]))}"

    def show(
        self, ctx: Axes = None, *, color: Any = None, width: float = 2.0, linestyle: str = "-"
    ) -> Axes:
        """Draw the boxes with their labels on `ctx` (axes), one colour for each label.

        Args:
            ctx: axes; those of a new figure when None.
            color: of all; one for each label by default.
            width: of the lines, in points.
            linestyle: of matplotlib.
        """
        ax = new_axes(getattr(self.bbox, "img_size", None)) if ctx is None else ctx
        draw_boxes(
            ax,
            as_rows(self.bbox, 4),
            self.lbl,
            texts=self._texts(),
            color=color,
            width=width,
            linestyle=linestyle,
        )
        return ax


def box_is_empty(boxes: Tensor) -> Tensor:
    """(..., N) whether each box has no area: padding, or moved out of the picture.

    Args:
        boxes: (..., N, 4) left, upper, right, lower in any unit.

    Example:
        >>> box_is_empty(torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])).tolist()
        [False, True]
    """
    plain = boxes.as_plain() if isinstance(boxes, TensorBase) else boxes
    return ((plain[..., 2:] - plain[..., :2]) <= 0).any(-1)


def picture_size(sample: Any) -> ImageSize | None:
    """Width and height of the first picture in a sample, also within a tuple in it; None if none.

    Example:
        >>> picture_size(("a label", (TensorImageBase(torch.zeros(3, 2, 5)),)))
        (5, 2)
    """
    if isinstance(sample, PILBase):
        return sample.size
    if isinstance(sample, TensorImageBase):
        return sample.shape[-1], sample.shape[-2]
    inside = map(picture_size, sample) if isinstance(sample, tuple) else ()
    return next((size for size in inside if size is not None), None)


# What each of the eight ways does to (x, y), after the two change places where it is in `_SWAPS`.
_DIHEDRAL = ((1, 1), (-1, 1), (1, -1), (1, -1), (-1, -1), (-1, 1), (1, 1), (-1, -1))
_SWAPS = (3, 5, 6, 7)


def _numbers(t: Any, wanted: str) -> Tensor:
    plain = t.as_plain() if isinstance(t, TensorBase) else t
    try:
        plain = plain if isinstance(plain, Tensor) else torch.as_tensor(np.asarray(plain, float))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{wanted}.create got {type(t).__name__} {t!r:.80}; give numbers in rows of one length"
        ) from error
    return plain.float()


def _as_size(size: Sequence[float]) -> ImageSize:
    width, height = size
    return int(width), int(height)


def _picture_size(x: Tensor) -> dict[str, list[int]]:
    size = getattr(x, "img_size", None)
    return {} if size is None else {"picture_size": [int(side) for side in size]}


def _require_scaled(x: TensorPoint, what: str) -> None:
    if getattr(x, "in_pixels", False):
        raise ValueError(
            f"{type(x).__name__} in pixels cannot be {what} with a picture; PointScaler brings "
            "them to -1 to 1 first (PointBlock and BBoxBlock have it; it stands before Resize)"
        )
