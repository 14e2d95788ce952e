"""Anchors: boxes of usual sizes and shapes all over a picture, from which found boxes differ.

Boxes lie between -1 and 1, the outer edges of the picture. Shapes: A anchors, N boxes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from layerwise.vision.coords import box_is_empty
from layerwise.vision.detect.boxes import box_iou

__all__ = ["Anchors", "decode_boxes", "encode_boxes", "match_anchors"]

BACKGROUND, IGNORED = -1, -2

# exp(4) is 55 times an anchor; a larger change is a mistake of a young model, and may overflow.
_LARGEST_LOG = 4.0


@dataclass(frozen=True)
class Anchors:
    """The sizes and shapes of the anchors at each place of a map of features.

    Args:
        size: side of the smallest at a place, as a multiple of the pixels from place to place. 2
            suits small pictures, where a thing may be 16 pixels wide; Lin et al. (2017) have 4, for
            pictures of 800 pixels.
        scales: multiples of `size`; three of them fill the gap to the next map, whose places are
            twice as far apart.
        ratios: height over width.

    Example:
        >>> Anchors().per_place
        9
        >>> Anchors(size=1, scales=(1,), ratios=(1,)).boxes((8, 16), [(1, 2)])
        tensor([[-1., -1.,  0.,  1.],
                [ 0., -1.,  1.,  1.]])
    """

    size: float = 2.0
    scales: Sequence[float] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
    ratios: Sequence[float] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        numbers = (self.size, *self.scales, *self.ratios)
        if not self.scales or not self.ratios or any(number <= 0 for number in numbers):
            raise ValueError(
                f"{self}: size, scales and ratios are positive, and there is one of each at least"
            )

    @property
    def per_place(self) -> int:
        """How many there are at a place."""
        return len(self.scales) * len(self.ratios)

    def boxes(
        self,
        picture: tuple[int, int],
        maps: Sequence[tuple[int, int]],
        device: torch.device | None = None,
    ) -> Tensor:
        """(A, 4) all anchors: map by map, row by row, place by place.

        Args:
            picture: height and width in pixels, which make a square square.
            maps: height and width of each map.
            device: where they are made.
        """
        height, width = picture
        levels = []
        for rows, columns in maps:
            # The mean of both steps: a body that drops the odd pixel has one that is no integer.
            step = math.sqrt(height / rows * width / columns)
            sides = torch.tensor(self._sides(), device=device) * step
            half = sides / torch.tensor([width, height], device=device)
            y = (torch.arange(rows, device=device) + 0.5) * (2 / rows) - 1
            x = (torch.arange(columns, device=device) + 0.5) * (2 / columns) - 1
            centres = torch.stack([*torch.meshgrid(x, y, indexing="xy")], -1)[:, :, None]
            levels.append(torch.cat([centres - half, centres + half], -1).flatten(0, 2))
        return torch.cat(levels)

    def _sides(self) -> list[tuple[float, float]]:
        """Width and height of each, for places one pixel apart; of one scale, all of one area."""
        return [
            (self.size * scale / math.sqrt(ratio), self.size * scale * math.sqrt(ratio))
            for scale in self.scales
            for ratio in self.ratios
        ]


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(..., 4) how boxes differ from anchors: shift in sizes of the anchor, logarithm of growth.

    Args:
        boxes: (..., 4) boxes with an area.
        anchors: (..., 4) an anchor for each.

    Example:
        >>> anchor = torch.tensor([0.0, 0.0, 2.0, 2.0])
        >>> encode_boxes(torch.tensor([1.0, 0.0, 3.0, 2.0]), anchor)
        tensor([0.5000, 0.0000, 0.0000, 0.0000])
    """
    size, own = boxes[..., 2:] - boxes[..., :2], anchors[..., 2:] - anchors[..., :2]
    shift = (boxes[..., 2:] + boxes[..., :2] - anchors[..., 2:] - anchors[..., :2]) / 2
    return torch.cat([shift / own, (size / own).log()], -1)


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """(..., 4) the boxes that differ by `deltas` from `anchors`: `encode_boxes` undone.

    Args:
        deltas: (..., 4) as `encode_boxes` gives them; growth beyond 55 times is cut there.
        anchors: (..., 4) an anchor for each.
    """
    own = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., 2:] + anchors[..., :2]) / 2 + deltas[..., :2] * own
    half = deltas[..., 2:].clamp(max=_LARGEST_LOG).exp() * own / 2
    return torch.cat([centre - half, centre + half], -1)


def match_anchors(
    anchors: Tensor, boxes: Tensor, labels: Tensor, low: float = 0.4, high: float = 0.5
) -> Tensor:
    """(A,) for each anchor the index of its box; -1 for background, -2 for what does not count.

    An anchor belongs to the box that it overlaps most. The anchor that overlaps a box most belongs
    to that box in any case, so that a box of unusual shape is learnt too.

    Args:
        anchors: (A, 4) anchors.
        boxes: (N, 4) boxes; those without area are none.
        labels: (N,) class of each; 0 is none.
        low: overlap below which an anchor is background.
        high: overlap from which on it belongs to a box; in between it does not count.

    Example:
        >>> anchors = torch.tensor([[0.0, 0, 1, 1], [1, 1, 2, 2]])
        >>> match_anchors(anchors, torch.tensor([[0.0, 0, 1, 1.2]]), torch.tensor([3]))
        tensor([ 0, -1])
    """
    if not len(boxes):
        return torch.full_like(anchors[:, 0], BACKGROUND, dtype=torch.long)
    is_box = (labels > 0) & ~box_is_empty(boxes)
    overlap = box_iou(anchors, boxes.to(anchors)) * is_box  # (A, N)
    most, matched = overlap.max(1)
    matched = matched.masked_fill(most < high, IGNORED).masked_fill(most < low, BACKGROUND)
    best = overlap.max(0).values  # (N,)
    is_best = (overlap == best) & (best > 0)
    # Of several boxes that have their best anchor in one, it is given the one it overlaps most.
    chosen = (overlap * is_best).argmax(1)
    return torch.where(is_best.any(1), chosen, matched)
