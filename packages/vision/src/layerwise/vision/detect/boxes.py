"""Overlap of boxes, and which of several boxes of one thing is kept.

Boxes are left, upper, right, lower in any unit. Shapes: N and M boxes of a picture.
"""

import torch
from torch import Tensor

__all__ = ["batched_nms", "box_area", "box_iou", "generalized_iou"]

# The union of two boxes without area is nothing; their overlap is none rather than not a number.
_NOTHING = 1e-12


def box_area(boxes: Tensor) -> Tensor:
    """(..., N) area of each of (..., N, 4) boxes; 0 where corners are the wrong way round.

    Example:
        >>> box_area(torch.tensor([[0.0, 0.0, 2.0, 3.0], [1.0, 1.0, 0.0, 0.0]]))
        tensor([6., 0.])
    """
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """(..., N, M) share of overlap (intersection over union) of each box with each other.

    Args:
        a: (..., N, 4) boxes.
        b: (..., M, 4) boxes.

    Example:
        >>> box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2], [4, 4, 5, 5]]))
        tensor([[0.3333, 0.0000]])
    """
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = box_area(a)[..., :, None] + box_area(b)[..., None, :] - shared
    return shared / union.clamp(min=_NOTHING)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """(...) overlap of each pair of boxes, below zero and falling where they lie apart.

    The share of overlap minus the share of the smallest box around both that neither fills, so that
    boxes which do not touch have a gradient too (Rezatofighi et al., 2019).

    Args:
        a: (..., 4) boxes.
        b: (..., 4) boxes.

    Example:
        >>> a = torch.tensor([0.0, 0.0, 1.0, 1.0])
        >>> generalized_iou(a, a), generalized_iou(a, a + 1)
        (tensor(1.), tensor(-0.5000))
    """
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = box_area(a) + box_area(b) - shared
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = around.clamp(min=0).prod(-1)
    overlap = shared / union.clamp(min=_NOTHING)
    return overlap - (hull - union) / hull.clamp(min=_NOTHING)


def batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes that stay when each removes those of its class that it overlaps.

    A box that is removed itself removes none. All pairs are compared at once, and the removals are
    repeated until nothing changes, which is mostly a few times: there is no loop over boxes.

    Args:
        boxes: (N, 4) boxes.
        scores: (N,) the higher the better; of equal ones the first wins.
        labels: (N,) class of each; boxes of two classes leave each other alone.
        iou_threshold: share of overlap above which the box of lower score is removed.

    Returns:
        (K,) indices, best first.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [0, 0, 10, 9]])
        >>> batched_nms(boxes, torch.tensor([0.8, 0.9, 0.7]), torch.tensor([1, 1, 2]), 0.5)
        tensor([1, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, labels = boxes[order], labels[order]
    # (N, N): whether the box of the row removes that of the column, if it stays itself.
    removes = (box_iou(boxes, boxes) > iou_threshold) & (labels[:, None] == labels[None])
    removes = removes.triu(1)
    kept = torch.ones_like(labels, dtype=torch.bool)
    while True:
        # After k rounds the first k boxes of each chain of removals are decided for good.
        found = ~(removes & kept[:, None]).any(0)
        if torch.equal(found, kept):
            return order[kept]
        kept = found
