"""The loss of detection, and the way from what the model says to boxes.

Shapes: B pictures, A anchors, C classes without the background, N boxes of a picture at most, K
boxes found at most. Class c of the model is label c + 1; label 0 is none.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.nn.base_loss import checked_reduction
from layerwise.core.nn.module import Module
from layerwise.core.settings import attribute_settings
from layerwise.vision.coords import box_is_empty
from layerwise.vision.detect.anchors import decode_boxes, encode_boxes, match_anchors
from layerwise.vision.detect.boxes import batched_nms, generalized_iou
from layerwise.vision.detect.found import FoundBoxes

__all__ = ["RetinaLoss", "sigmoid_focal_loss"]

Output = tuple[Tensor, Tensor, Tensor]
"""What a model of detection returns: (B, A, C) logits, (B, A, 4) deltas, (B, A, 4) anchors."""

# Boxes compared with each other in a picture; a picture has rarely as many that are not background.
_CANDIDATES = 1000


def sigmoid_focal_loss(
    logits: Tensor, targets: Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Binary cross entropy in which what is told well counts less (Lin et al., 2017).

    Args:
        logits: (...) outputs.
        targets: (...) ones and zeros.
        gamma: how much less; 0 is cross entropy.
        alpha: weight of the ones; zeros have the rest to 1.

    Returns:
        (...) one loss for each.

    Example:
        >>> sigmoid_focal_loss(torch.zeros(2), torch.tensor([1.0, 0.0]), gamma=0, alpha=0.5)
        tensor([0.3466, 0.3466])
    """
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    told = logits.sigmoid()
    missed = targets + told - 2 * targets * told  # 1 - p for ones, p for zeros
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * missed**gamma * entropy


class RetinaLoss(Module):
    """Focal loss of the classes at all anchors, and loss of the boxes at those that have one.

    Both are divided by the number of anchors that have a box, picture by picture (a picture without
    boxes counts with its background), so that a batch weighs as its pictures do. `activation` turns
    outputs into boxes with scores; `decodes` leaves those that are sure enough. What belongs to
    this may be set later, as attribute: `learn.loss_func.threshold = 0.3`.

    Args:
        gamma: see `sigmoid_focal_loss`.
        alpha: see `sigmoid_focal_loss`.
        box_weight: weight of the loss of the boxes.
        box_loss: "l1", smooth and on deltas as in the paper; boxes fit sooner than with "giou",
            see `generalized_iou`, which is a share of overlap whatever the size of the box.
        low: see `match_anchors`.
        high: see `match_anchors`.
        threshold: score from which on a box is shown and predicted.
        min_score: score from which on a box counts in metrics.
        iou_threshold: share of overlap above which the box of lower score is left out.
        max_boxes: boxes found in a picture at most.
        reduction: "mean", "sum" or "none", which is a loss for each picture.

    Raises:
        ValueError: when a setting is out of its bounds.
    """

    @names_nearest
    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: float = 0.25,
        box_weight: float = 1.0,
        box_loss: str = "l1",
        low: float = 0.4,
        high: float = 0.5,
        threshold: float = 0.4,
        min_score: float = 0.05,
        iou_threshold: float = 0.5,
        max_boxes: int = 100,
        reduction: str = "mean",
    ) -> None:
        if box_loss not in ("giou", "l1"):
            raise ValueError(f"box_loss={box_loss!r}; give 'giou' or 'l1'")
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"low={low} and high={high}; give shares of overlap, 0 <= low <= high <= 1"
            )
        if max_boxes < 1:
            raise ValueError(f"max_boxes={max_boxes}; give 1 or more")
        self.gamma, self.alpha = gamma, alpha
        self.box_weight, self.box_loss = box_weight, box_loss
        self.low, self.high = low, high
        self.threshold, self.min_score = threshold, min_score
        self.iou_threshold, self.max_boxes = iou_threshold, max_boxes
        self.reduction = checked_reduction(reduction)

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal loss, as they are set now."""
        return attribute_settings(self)

    def forward(self, output: Output, boxes: Tensor, labels: Tensor) -> Tensor:
        """The loss of the outputs of a model.

        Args:
            output: (B, A, C) logits, (B, A, 4) deltas and (B, A, 4) anchors.
            boxes: (B, N, 4) from -1 to 1; those without area are none.
            labels: (B, N) class of each box; 0 is none.
        """
        logits, deltas, anchors = (x.float() for x in output)
        self._refuse_labels(labels, logits.shape[-1])
        losses = torch.stack([
            self._picture(*of_one)
            for of_one in zip(logits, deltas, anchors, boxes.float(), labels.long(), strict=True)
        ])  # fmt: skip
        if self.reduction == "none":
            return losses
        return losses.mean() if self.reduction == "mean" else losses.sum()

    def _picture(
        self, logits: Tensor, deltas: Tensor, anchors: Tensor, boxes: Tensor, labels: Tensor
    ) -> Tensor:
        """() the loss of one picture; nothing here waits for the device."""
        matched = match_anchors(anchors, boxes, labels, self.low, self.high)  # (A,)
        has_box, counts = matched >= 0, matched >= -1
        if len(boxes):
            own, kinds = boxes[matched.clamp(min=0)], labels[matched.clamp(min=0)]
        else:
            own, kinds = anchors, torch.zeros_like(matched)
        kinds = kinds.where(has_box, torch.zeros_like(kinds))
        wanted = F.one_hot(kinds, logits.shape[-1] + 1)[:, 1:].to(logits)  # (A, C)
        focal = sigmoid_focal_loss(logits, wanted, gamma=self.gamma, alpha=self.alpha).sum(-1)
        # Where there is no box, its anchor stands in: an empty one would make infinite deltas.
        apart = self._apart(deltas, anchors, own.where(has_box[:, None], anchors))
        total = (focal * counts).sum() + self.box_weight * (apart * has_box).sum()
        return total / has_box.sum().clamp(min=1)

    def _apart(self, deltas: Tensor, anchors: Tensor, boxes: Tensor) -> Tensor:
        """(A,) how far the boxes that the model says are from those wanted."""
        if self.box_loss == "giou":
            return 1 - generalized_iou(decode_boxes(deltas, anchors), boxes)
        wanted = encode_boxes(boxes, anchors)
        return F.smooth_l1_loss(deltas, wanted, beta=1 / 9, reduction="none").sum(-1)

    def _refuse_labels(self, labels: Tensor, classes: int) -> None:
        # Only where it is free: on a GPU the look would wait for it, and one_hot raises there too.
        if labels.device.type == "cpu" and labels.numel() and int(labels.max()) > classes:
            raise ValueError(
                f"label {int(labels.max())} for a model of {classes} classes; labels go from 1 to "
                "the number of classes, and 0 is none. Give the model as many classes as the "
                "vocabulary has names besides '#na#'"
            )

    # -- from outputs to boxes ---------------------------------------------------------------

    @torch.no_grad()
    def activation(self, output: Output) -> tuple[Tensor, Tensor, Tensor]:
        """The boxes found in each picture, best first and filled up by zeros.

        Args:
            output: what the model returned.

        Returns:
            (B, K, 4) boxes from -1 to 1, (B, K) scores, (B, K) labels.
        """
        found = [self._found(*(x.float() for x in one)) for one in zip(*output, strict=True)]
        if not found:
            empty = output[0].new_zeros(0, self.max_boxes)
            return empty[..., None].expand(-1, -1, 4), empty, empty.long()
        boxes, scores, labels = zip(*found, strict=True)
        return torch.stack(boxes), torch.stack(scores), torch.stack(labels)

    def _found(self, logits: Tensor, deltas: Tensor, anchors: Tensor) -> tuple[Tensor, ...]:
        """(K, 4) boxes, (K,) scores, (K,) labels of one picture."""
        scores = logits.sigmoid().flatten()
        scores, places = scores.topk(min(_CANDIDATES, len(scores)))
        places = places[scores >= self.min_score]
        scores = scores[: len(places)]
        at, labels = places // logits.shape[-1], places % logits.shape[-1] + 1
        boxes = decode_boxes(deltas[at], anchors[at]).clamp(-1, 1)
        seen = ~box_is_empty(boxes)
        boxes, scores, labels = boxes[seen], scores[seen], labels[seen]
        kept = batched_nms(boxes, scores, labels, self.iou_threshold)[: self.max_boxes]
        missing = self.max_boxes - len(kept)
        return (
            F.pad(boxes[kept], (0, 0, 0, missing)),
            F.pad(scores[kept], (0, missing)),
            F.pad(labels[kept], (0, missing)),
        )

    def decodes(self, found: tuple[Tensor, Tensor, Tensor]) -> tuple[FoundBoxes, Tensor]:
        """The boxes that are sure enough, as targets are given: boxes and labels.

        Args:
            found: as `activation` gave it.

        Returns:
            (B, K, 4) boxes that know their scores, and (B, K) labels; zeros for those left out.
        """
        boxes, scores, labels = found
        sure = scores >= self.threshold
        most = max(int(sure.sum(-1).max()), 1) if sure.numel() else 1  # sure ones come first
        boxes, scores, labels, sure = (x[:, :most] for x in (boxes, scores, labels, sure))
        return FoundBoxes(boxes * sure[..., None], scores=scores * sure), labels * sure
