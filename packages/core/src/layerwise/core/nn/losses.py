"""The losses by name: for one class an item, for several, for numbers, for masks.

Shapes: B batch, C classes, * any dimensions in space, N = B times the sizes in *.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.nn.base_loss import BaseLoss, ClassLoss, checked_reduction, reduced
from layerwise.core.nn.module import Module

__all__ = [
    "BCELossFlat",
    "BCEWithLogitsLossFlat",
    "CrossEntropyLossFlat",
    "DiceLoss",
    "FocalLoss",
    "FocalLossFlat",
    "L1LossFlat",
    "LabelSmoothingCrossEntropy",
    "LabelSmoothingCrossEntropyFlat",
    "MSELossFlat",
]


class CrossEntropyLossFlat(ClassLoss):
    """`nn.CrossEntropyLoss` for outputs (B, ..., C) or (B, C, *) and targets without C.

    Args:
        weight: (C,) weight of each class.
        axis: the axis of the classes; 1 for segmentation.
        ignore_index: a target that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: share of the target spread over all classes.

    Example:
        >>> loss = CrossEntropyLossFlat(axis=1)
        >>> loss(torch.zeros(2, 4, 5, 5), torch.zeros(2, 5, 5))
        tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        axis: int = -1,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            nn.CrossEntropyLoss,
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
            axis=axis,
        )

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss; targets with the shape of `inp` are probabilities, others are classes.

        Raises:
            ValueError: if a class has no output; on a GPU, torch ends the program instead.
        """
        try:
            return super().forward(inp, targ if targ.shape == inp.shape else targ.long())
        except IndexError as error:  # torch's word for it
            raise ValueError(
                f"targets from {int(targ.min())} to {int(targ.max())} for "
                f"{inp.shape[self.axis]} outputs; give the model an output for each class (n_out=, "
                "or all codes of a MaskBlock), or name the class that does not count, ignore_index="
            ) from error


class FocalLoss(Module):
    """Cross entropy in which items that are well classified count less (Lin et al., 2017).

    The loss of an item is `(1 - p) ** gamma` times its (weighted) cross entropy, where p is the
    probability given to its class; the weight of a class does not enter p.

    Args:
        gamma: how much less; 0 is cross entropy.
        weight: (C,) weight of each class.
        reduction: "mean", "sum" or "none".

    Example:
        >>> FocalLoss(gamma=0)(torch.zeros(1, 2), torch.tensor([0]))
        tensor(0.6931)
    """

    y_int = True
    weight: Tensor | None

    def __init__(
        self, gamma: float = 2.0, weight: Tensor | None = None, reduction: str = "mean"
    ) -> None:
        self.gamma, self.reduction = gamma, checked_reduction(reduction)
        self.register_buffer("weight", weight)

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss of (B, C, *) outputs for (B, *) classes."""
        entropy = F.cross_entropy(inp, targ, reduction="none")
        loss = (1 - torch.exp(-entropy)) ** self.gamma * entropy
        if self.weight is not None:
            loss = loss * self.weight.to(loss)[targ]
        return reduced(loss, self.reduction)


class FocalLossFlat(ClassLoss):
    """`FocalLoss` for outputs (B, ..., C) or (B, C, *) and targets without C.

    Args:
        gamma: how much less items count that are well classified.
        axis: the axis of the classes; 1 for segmentation.
        weight: (C,) weight of each class.
        reduction: "mean", "sum" or "none".
    """

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        axis: int = -1,
        weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(FocalLoss, gamma=gamma, weight=weight, reduction=reduction, axis=axis)


class BCEWithLogitsLossFlat(BaseLoss):
    """`nn.BCEWithLogitsLoss` for outputs and targets with as many numbers.

    Args:
        weight: a number for each class, or for each output.
        axis: the axis of the classes, for weights by class.
        floatify: make targets floating point.
        thresh: the probability above which a class is predicted.
        pos_weight: weight of the positives of each class.
        reduction: "mean", "sum" or "none".

    Example:
        >>> loss = BCEWithLogitsLossFlat(thresh=0.2)
        >>> loss.decodes(loss.activation(torch.tensor([-3.0, -1.0, 1.0])))
        tensor([False,  True,  True])
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        axis: int = -1,
        floatify: bool = True,
        thresh: float = 0.5,
        pos_weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            nn.BCEWithLogitsLoss,
            weight=weight,
            pos_weight=pos_weight,
            reduction=reduction,
            axis=axis,
            floatify=floatify,
            is_2d=False,
        )
        self.thresh = thresh

    def activation(self, x: Tensor) -> Tensor:
        """Probabilities, same shape."""
        return torch.sigmoid(x)

    def decodes(self, x: Tensor) -> Tensor:
        """Whether each probability is above the threshold, same shape."""
        return x > self.thresh


class BCELossFlat(BaseLoss):
    """`nn.BCELoss` for probabilities and targets with as many numbers.

    Args:
        weight: a number for each class, or for each output.
        axis: the axis of the classes, for weights by class.
        floatify: make targets floating point.
        reduction: "mean", "sum" or "none".
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        axis: int = -1,
        floatify: bool = True,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            nn.BCELoss,
            weight=weight,
            reduction=reduction,
            axis=axis,
            floatify=floatify,
            is_2d=False,
        )


class MSELossFlat(BaseLoss):
    """`nn.MSELoss` for outputs and targets with as many numbers.

    Args:
        axis: kept for losses that are exchanged for each other; no effect here.
        floatify: make targets floating point.
        reduction: "mean", "sum" or "none".

    Example:
        >>> MSELossFlat()(torch.zeros(2, 1), torch.tensor([1, 3]))
        tensor(5.)
    """

    def __init__(self, *, axis: int = -1, floatify: bool = True, reduction: str = "mean") -> None:
        super().__init__(nn.MSELoss, reduction=reduction, axis=axis, floatify=floatify, is_2d=False)


class L1LossFlat(BaseLoss):
    """`nn.L1Loss` for outputs and targets with as many numbers.

    Args:
        axis: kept for losses that are exchanged for each other; no effect here.
        floatify: make targets floating point.
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, *, axis: int = -1, floatify: bool = True, reduction: str = "mean") -> None:
        super().__init__(nn.L1Loss, reduction=reduction, axis=axis, floatify=floatify, is_2d=False)


class LabelSmoothingCrossEntropy(Module):
    """Cross entropy with a share of the target spread over all classes (Szegedy et al., 2016).

    Args:
        eps: the share.
        weight: (C,) weight of each class, in both parts of the target, as in torch.
        reduction: "mean", "sum" or "none".

    Example:
        >>> LabelSmoothingCrossEntropy()(torch.zeros(1, 2), torch.tensor([0]))
        tensor(0.6931)
    """

    y_int = True
    weight: Tensor | None

    def __init__(
        self, eps: float = 0.1, weight: Tensor | None = None, reduction: str = "mean"
    ) -> None:
        self.eps, self.reduction = eps, checked_reduction(reduction)
        self.register_buffer("weight", weight)

    def forward(self, inp: Tensor, targ: Tensor) -> Tensor:
        """The loss of (B, C, *) outputs for (B, *) classes."""
        return F.cross_entropy(
            inp, targ, weight=self.weight, reduction=self.reduction, label_smoothing=self.eps
        )

    def activation(self, x: Tensor) -> Tensor:
        """Probabilities of the classes along the last axis, same shape."""
        return x.softmax(dim=-1)

    def decodes(self, x: Tensor) -> Tensor:
        """The likeliest class along the last axis."""
        return x.argmax(dim=-1)


class LabelSmoothingCrossEntropyFlat(ClassLoss):
    """`LabelSmoothingCrossEntropy` for outputs (B, ..., C) or (B, C, *) and targets without C.

    Args:
        axis: the axis of the classes; 1 for segmentation.
        eps: share of the target spread over all classes.
        weight: (C,) weight of each class.
        reduction: "mean", "sum" or "none".
    """

    def __init__(
        self,
        *,
        axis: int = -1,
        eps: float = 0.1,
        weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            LabelSmoothingCrossEntropy, eps=eps, weight=weight, reduction=reduction, axis=axis
        )


class DiceLoss(Module):
    """One minus the Dice coefficient of each class (Milletari et al., "V-Net", 2016).

    Args:
        axis: the axis of the classes.
        smooth: added above and below the fraction, for classes that are not there.
        reduction: "sum" or "mean" over items and classes, or "none": (B, C).
        square_in_union: squares of the probabilities in the union, as in the paper.

    Raises:
        ValueError: if outputs and targets do not fit each other.
    """

    def __init__(
        self,
        axis: int = 1,
        smooth: float = 1e-6,
        reduction: str = "sum",
        square_in_union: bool = False,
    ) -> None:
        self.axis, self.smooth = axis, smooth
        self.reduction, self.square_in_union = checked_reduction(reduction), square_in_union

    def forward(self, pred: Tensor, targ: Tensor) -> Tensor:
        """The loss of (B, C, *) outputs for (B, *) classes."""
        pred = self.activation(pred).movedim(self.axis, 1)
        if targ.shape != (pred.shape[0], *pred.shape[2:]):
            raise ValueError(
                f"targets of shape {tuple(targ.shape)} for outputs that are {tuple(pred.shape)} "
                f"with classes second; give targets without the axis of classes (axis={self.axis})"
            )
        one_hot = F.one_hot(targ.long(), pred.shape[1]).movedim(-1, 1)  # (B, *) -> (B, C, *)
        space = list(range(2, pred.ndim))
        shared = (pred * one_hot).sum(space)
        union = ((pred**2 if self.square_in_union else pred) + one_hot).sum(space)
        loss = 1 - (2 * shared + self.smooth) / (union + self.smooth)
        return reduced(loss, self.reduction)

    def activation(self, x: Tensor) -> Tensor:
        """Probabilities of the classes, same shape."""
        return x.softmax(dim=self.axis)

    def decodes(self, x: Tensor) -> Tensor:
        """The likeliest class, without the axis of classes."""
        return x.argmax(dim=self.axis)
