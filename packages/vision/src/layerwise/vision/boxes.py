"""Boxes of many pictures in one batch: clipped, emptied of what is out of sight, and padded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from layerwise.core.errors import DataError, names_nearest
from layerwise.core.items import L
from layerwise.core.tensors import TensorBase, TensorCategory, TensorMultiCategory, dress
from layerwise.core.transforms.category import NA
from layerwise.core.transforms.transform import ItemTransform
from layerwise.vision.coords import LabeledBBox, TensorBBox, box_is_empty

__all__ = ["BBoxLabeler", "bb_pad", "clip_remove_empty"]

# B: pictures of a batch. N: boxes of a picture.


def clip_remove_empty(bbox: TensorBBox, label: Tensor) -> tuple[TensorBBox, Tensor]:
    """The boxes within -1 to 1, and the labels, of those of which anything is left.

    Args:
        bbox: (N, 4) boxes from -1 to 1.
        label: (N,) class of each.

    Returns:
        (M, 4) boxes and (M,) labels, M <= N.

    Example:
        >>> boxes = TensorBBox([[-1.5, -0.5, 0.0, 0.5], [1.0, 0.0, 1.2, 0.5]])
        >>> clip_remove_empty(boxes, torch.tensor([3, 4]))
        (TensorBBox([[-1.0000, -0.5000,  0.0000,  0.5000]]), tensor([3]))
    """
    clipped = bbox.as_plain().clamp(-1, 1)
    kept = ~box_is_empty(clipped)
    return dress(clipped[kept], bbox), label[kept.to(label.device)]


def bb_pad(samples: Sequence[Any], pad_idx: int = 0) -> list[Any]:
    """Samples with equally many boxes each, so that they stack: what `before_batch` calls.

    Boxes are clipped to their picture, those out of sight go together with their labels, and
    boxes of zeros with label `pad_idx` fill up the rest. Samples without boxes stay as they are.

    Args:
        samples: tuples in which a `TensorBBox` (N, 4) may be followed by its labels (N,).
        pad_idx: class of the padding, which is `#na#` in a `BBoxLblBlock`.

    Raises:
        DataError: where boxes and labels differ in number; says in which sample of the batch.

    Example:
        >>> few, many = TensorBBox([[-1, -1, 1, 1]]), TensorBBox([[0, 0, 1, 1], [-1, 0, 1, 1]])
        >>> labels = [TensorMultiCategory(torch.tensor(x)) for x in ([5], [5, 6])]
        >>> padded = bb_pad([(few.float(), labels[0]), (many.float(), labels[1])])
        >>> padded[0][1].tolist(), padded[0][0].shape
        ([5, 0], torch.Size([2, 4]))
    """
    made = [list(s) if isinstance(s, tuple) else [s] for s in samples]
    places = [i for i, x in enumerate(made[0]) if isinstance(x, TensorBBox)] if made else []
    for place in places:
        has_labels = place + 1 < len(made[0]) and _are_labels(made[0][place + 1])
        for number, sample in enumerate(made):
            _clip(sample, place, number, has_labels=has_labels)
        count = max(len(sample[place]) for sample in made)
        for sample in made:
            sample[place] = _filled(sample[place], count, 0)
            if has_labels:
                sample[place + 1] = _filled(sample[place + 1], count, pad_idx)
    return [tuple(m) if isinstance(s, tuple) else m[0] for m, s in zip(made, samples, strict=True)]


def _are_labels(x: Any) -> bool:
    return isinstance(x, TensorCategory) or (isinstance(x, Tensor) and x.ndim == 1)


def _clip(sample: list[Any], place: int, number: int, *, has_labels: bool) -> None:
    boxes = sample[place]
    if not has_labels:
        sample[place], _ = clip_remove_empty(boxes, torch.zeros(len(boxes)))
        return
    _require_one_each(boxes, sample[place + 1], f"sample {number} of the batch has ")
    sample[place : place + 2] = clip_remove_empty(boxes, sample[place + 1])


def _require_one_each(boxes: Tensor, labels: Tensor, told: str) -> None:
    if len(boxes) != len(labels):
        raise DataError(f"{told}{len(boxes)} boxes and {len(labels)} labels; give one for each")


def _filled(x: TensorBase, count: int, value: float) -> Tensor:
    """(count, ...) `x` and as many rows of `value` as it takes."""
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    rest = plain.new_full((count - len(plain), *plain.shape[1:]), value)
    filled = torch.cat([plain, rest])
    return dress(filled, x) if isinstance(x, TensorBase) else filled


class BBoxLabeler(ItemTransform):
    """Checks that each box has a label; decoding puts the two together as `LabeledBBox`.

    Decoding leaves out padding, what augmentation moved out of sight, and boxes of class `#na#`.

    Args:
        vocab: the classes, `#na#` first; those of the data when None.
    """

    order: float = -2  # decoded after `PointScaler`: boxes are shown in pixels

    @names_nearest
    def __init__(self, vocab: Sequence[Any] | None = None) -> None:
        super().__init__()
        self.vocab = vocab

    def setups(self, dl: Any) -> None:
        """Take the classes from the data."""
        if self.vocab is not None:
            return
        found = getattr(dl, "vocab", None)
        if isinstance(found, L) and len(found) and not isinstance(found[-1], str):
            found = found[-1]  # of several vocabularies, that of the last target
        self.vocab = found

    def encodes(self, o: object) -> Any:
        """The sample as it is.

        Raises:
            DataError: where boxes and labels differ in number.
        """
        for boxes, place in self._pairs(o):
            _require_one_each(boxes, o[place], "an item has ")  # type: ignore[index]  # a tuple
        return o

    def decodes(self, o: object) -> Any:
        """The sample with a `LabeledBBox` in the place of labels that follow boxes."""
        if not isinstance(o, tuple):
            return o
        members = list(o)
        for boxes, place in self._pairs(o):
            kept = ~box_is_empty(boxes)
            if self._has_background:  # a model may say so of a box that has an area
                kept &= members[place].as_plain() != 0
            labels = [self._name(int(i)) for i in members[place].as_plain()[kept]]
            shown = boxes[kept]  # dressed, since predicted boxes index their scores too
            members[place - 1], members[place] = shown, LabeledBBox(shown, labels)
        return tuple(members)

    def _pairs(self, sample: Any) -> list[tuple[TensorBBox, int]]:
        """Boxes that are followed by labels, and the place of the labels."""
        members = sample if isinstance(sample, tuple) else ()
        return [
            (x, i)
            for i, (x, after) in enumerate(pairwise(members), 1)
            if isinstance(x, TensorBBox) and isinstance(after, TensorMultiCategory)
        ]

    @property
    def _has_background(self) -> bool:
        """Whether class 0 says that a box is none."""
        return self.vocab is not None and len(self.vocab) > 0 and self.vocab[0] == NA

    def _name(self, index: int) -> Any:
        return index if self.vocab is None else self.vocab[index]
