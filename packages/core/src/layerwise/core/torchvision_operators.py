"""The operators that torchvision asks torch for when it is imported, where its own do not load.

A torchvision built for CUDA beside a torch built without stops at its import, and with it whatever
imports it: timm, and all models of transformers. The two operators that it needs for that are
defined here, in plain torch.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__: list[str] = []

_library: torch.library.Library | None = None  # operators live as long as what defined them


def stand_in_for_operators() -> None:
    """Define `nms` and `qnms` unless torchvision's own library does; a second call does nothing."""
    global _library
    if _library is not None or "torchvision" in sys.modules:
        return
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for compiled in Path(spec.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(compiled))  # type: ignore[no-untyped-call]  # torch
        except (ImportError, OSError):
            continue
    # With an operator there, torchvision may define its own library later: nothing to add.
    if _has_operator("nms"):
        return
    _library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch
    library: Any = _library  # torch leaves its methods without types
    for name, function in (("nms", _nms), ("qnms", _quantized_nms)):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, function, "CompositeExplicitAutograd")


def _has_operator(name: str) -> bool:
    return hasattr(torch.ops.torchvision, name)


def _nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes that stay when each removes those of lower score that it overlaps.

    Args:
        dets: (N, 4) boxes: left, upper, right, lower.
        scores: (N,) the higher the better.
        iou_threshold: share of overlap (intersection over union) above which a box is removed.

    Returns:
        (K,) indices, best first.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
        >>> _nms(boxes, torch.tensor([0.8, 0.9, 0.7]), 0.5)
        tensor([1, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = dets[order].float()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = torch.ones(len(boxes), dtype=torch.bool, device=dets.device)
    for i in range(len(boxes)):
        if kept[i]:
            rest = boxes[i + 1 :]
            low = torch.maximum(boxes[i, :2], rest[:, :2])
            high = torch.minimum(boxes[i, 2:], rest[:, 2:])
            shared = (high - low).clamp(min=0).prod(1)
            kept[i + 1 :] &= shared / (areas[i] + areas[i + 1 :] - shared) <= iou_threshold
    return order[kept]


def _quantized_nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    return _nms(dets.dequantize(), scores.dequantize(), iou_threshold)
