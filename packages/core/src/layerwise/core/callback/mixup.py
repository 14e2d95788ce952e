"""`MixUp` and `CutMix`: training on mixtures of two items, with the mixture of their targets.

A loss for classes by index cannot take a mixed target; it is computed for both targets and the
losses are mixed, which for cross entropy is the same. Other losses get the mixed target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.single import refuse_second
from layerwise.core.metrics.loss_weight import loss_weight, target_weights
from layerwise.core.nn.base_loss import NoneReduce, checked_reduction, reduced
from layerwise.core.train.callback import Callback

__all__ = ["CutMix", "MixHandler", "MixUp", "reduce_loss"]

# Losses of torch for classes by index; ours say so by `y_int`.
_BY_INDEX = (nn.CrossEntropyLoss, nn.NLLLoss)


def reduce_loss(loss: Tensor, reduction: str = "mean") -> Tensor:
    """`loss` as its mean, its sum, or as it is for "none".

    Example:
        >>> reduce_loss(torch.tensor([1.0, 3.0]))
        tensor(2.)
    """
    return reduced(loss, checked_reduction(reduction))


class MixHandler(Callback):
    """What mixtures share: how much of which item, and the loss. Subclasses write `mix`.

    Each item is mixed with another of its batch, drawn at random, and always is the larger part of
    the mixture. Draws come from torch's global generator. `yb` stays: it is the target of the
    larger part, so metrics over training batches keep their meaning.

    Reads `training`; changes `xb`; replaces `loss_func` from `before_batch` to `after_batch` in
    training. Validation is not touched.

    Args:
        alpha: both parameters of the Beta distribution that the share is drawn from; larger ones
            mix more.

    Raises:
        ValueError: if `alpha` is not above 0.
    """

    order: ClassVar[float] = 90
    run_valid = False

    def __init__(self, alpha: float) -> None:
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"alpha={alpha}; give the parameter of a Beta distribution, above 0")
        self.alpha = alpha
        self._plain: Callable[..., Any] | None = None

    def mix(self, xb: tuple[Tensor, ...], other: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The inputs, each item mixed with another, and the share of the item itself.

        Args:
            xb: inputs, (B, ...) each.
            other: (B,) which item each is mixed with.

        Returns:
            Inputs, and shares: (B,) or (1,).
        """
        raise NotImplementedError(f"{type(self).__name__} has to define `mix`")

    def draw_share(self, count: int) -> Tensor:
        """(count,) numbers from 1/2 to 1: how much of a mixture its larger part is."""
        drawn = torch.distributions.Beta(self.alpha, self.alpha).sample((count,))
        return torch.maximum(drawn, 1 - drawn)

    def before_fit(self) -> None:
        """Be the only one."""
        refuse_second(self, MixHandler)

    def before_batch(self) -> None:
        """Mix the inputs, and put in the loss of the mixture."""
        learn = self.learn
        for x in learn.xb:
            if not isinstance(x, Tensor) or not x.is_floating_point() or not x.ndim:
                told = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x)
                raise TypeError(
                    f"{type(self).__name__} mixes inputs that are floating point tensors, and one "
                    f"of this batch is {told}; mix after the numbers are embedded, or leave it out"
                )
        count = len(learn.xb[0])
        device = learn.xb[0].device
        other = torch.randperm(count).to(device)
        learn.xb, share = self.mix(learn.xb, other)
        self.mix_loss(share.to(device), other)

    def mix_loss(self, share: Tensor, other: Tensor) -> None:
        """Put in the loss of a mixture, until `after_batch`.

        Args:
            share: (B,) or (1,) how much of each item is its own.
            other: (B,) which item it is mixed with.
        """
        self._plain = self.learn.loss_func
        self.learn.loss_func = _MixedLoss(self._plain, share, other)

    def after_batch(self) -> None:
        """Put the loss function back."""
        if self._plain is not None:
            self.learn.loss_func, self._plain = self._plain, None

    # Each of these is the next thing heard where the batch is cut short from further out.
    after_cancel_train = after_cancel_epoch = after_cancel_fit = after_fit = after_batch


class MixUp(MixHandler):
    """Mixes pictures, or any inputs, by a weighted mean of each two (Zhang et al., 2018).

    Args:
        alpha: both parameters of the Beta distribution that shares are drawn from, one an item.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> (mixed,), share = MixUp().mix((x,), torch.tensor([1, 0]))
        >>> torch.equal(mixed[1], share[1:]), bool((share >= 0.5).all())
        (True, True)
    """

    def __init__(self, alpha: float = 0.4) -> None:
        super().__init__(alpha)

    def mix(self, xb: tuple[Tensor, ...], other: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Weighted means, and the share of each item: (B,)."""
        share = self.draw_share(len(other)).to(other.device)
        return tuple(_lerp(x[other], x, share) for x in xb), share


class CutMix(MixHandler):
    """Pastes a box of another picture into each (Yun et al., 2019).

    The box is the same for all pictures of a batch. Targets are mixed by its area.

    Args:
        alpha: both parameters of the Beta distribution that the share outside of the box is drawn
            from, one a batch.

    Example:
        >>> pictures = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
        >>> (mixed,), share = CutMix().mix((pictures,), torch.tensor([1, 0]))
        >>> torch.allclose(mixed[1].mean(), share)
        True
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)

    def mix(self, xb: tuple[Tensor, ...], other: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Pictures with boxes of others, and the share outside of the box: (1,).

        Raises:
            TypeError: for inputs that are no pictures of one size, (B, ..., H, W).
            ValueError: for targets that are masks, which would have to be cut as well.
        """
        sizes = {x.shape[-2:] for x in xb if x.ndim >= 4}
        if len(sizes) != 1 or any(x.ndim < 4 for x in xb):
            raise TypeError(
                "CutMix cuts pictures of shape (B, C, H, W), all of one size, and this batch has "
                f"inputs {[tuple(x.shape) for x in xb]}; MixUp takes any"
            )
        height, width = sizes.pop()
        top, bottom, left, right = self._box(height, width)
        mixed = []
        for x in xb:
            pasted = x.clone()
            pasted[..., top:bottom, left:right] = x[other][..., top:bottom, left:right]
            mixed.append(pasted)
        inside = (bottom - top) * (right - left) / (height * width)
        return tuple(mixed), torch.tensor([1 - inside], device=other.device)

    def before_batch(self) -> None:
        """Cut and paste, and put in the loss of the mixture."""
        learn = self.learn
        for y in learn.yb:
            if isinstance(y, Tensor) and y.ndim >= 3 and y.shape[-2:] == learn.xb[0].shape[-2:]:
                raise ValueError(
                    f"CutMix mixes one target a picture, and these are masks {tuple(y.shape)}; "
                    "MixUp takes them"
                )
        super().before_batch()

    def _box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, bottom, left and right of a box of the shape of the picture, cut at its edges."""
        side = (1 - self.draw_share(1).item()) ** 0.5
        across, down = torch.rand(2).tolist()
        top, bottom = _cut(down, side, height)
        left, right = _cut(across, side, width)
        return top, bottom, left, right


def _cut(centre: float, side: float, length: int) -> tuple[int, int]:
    """Start and stop of a part of `length` with a side of that share around a centre."""
    half = side * length / 2
    start, stop = round(centre * length - half), round(centre * length + half)
    return max(0, start), min(length, stop)


class _MixedLoss:
    """The loss of mixed items, under the interface of the loss it stands for."""

    def __init__(self, plain: Callable[..., Any], share: Tensor, other: Tensor) -> None:
        self.plain, self.share, self.other = plain, share, other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "plain":
            raise AttributeError(name)
        return getattr(self.plain, name)

    def __call__(self, pred: Any, *targets: Any) -> Any:
        """The loss of predictions for mixed items, given the targets of their larger parts."""
        if not self._stacks(pred, *targets):
            return self.plain(pred, *self._mixed(targets))
        others = self._others(targets)
        try:
            with NoneReduce(self.plain) as per_item:
                own, other = per_item(pred, *targets), per_item(pred, *others)
        except TypeError as error:
            error.add_note(
                "to mix losses for classes by index, there must be one loss an item: give the "
                "loss function an argument or an attribute `reduction`, as those of torch have"
            )
            raise
        reduction = getattr(self.plain, "reduction", "mean")
        loss = self._lerp_flat(other, own)
        weights = self._lerped_weights(pred, targets, others)
        if reduction != "mean" or weights is None:
            return reduce_loss(loss, reduction)
        return loss.sum() / weights.sum()

    def loss_weight(self, pred: Any, *targets: Any) -> float | Tensor | None:
        """What the mean is taken over; for accumulated gradients."""
        if not self._stacks(pred, *targets):
            return loss_weight(self.plain, pred, *self._mixed(targets))
        own = loss_weight(self.plain, pred, *targets)
        weights = self._lerped_weights(pred, targets, self._others(targets))
        return own if own is None or weights is None else weights.sum()

    def _stacks(self, pred: Any, *targets: Any) -> bool:
        """Whether targets are classes by index, so that losses are mixed in place of them."""
        target = targets[0]
        if not isinstance(target, Tensor):
            raise TypeError(
                f"targets that are {type(target).__name__} cannot be mixed; leave the callback out"
            )
        same = isinstance(pred, Tensor) and pred.shape == target.shape
        if getattr(self.plain, "y_int", False) or isinstance(self.plain, _BY_INDEX):
            return not (same and target.is_floating_point())  # those are probabilities
        return not same and not target.is_floating_point()

    def _others(self, targets: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(y[self.other] for y in targets)

    def _mixed(self, targets: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(self._others(targets), targets, strict=True)
        return tuple(_lerp(_floating(other), _floating(own), self.share) for other, own in pairs)

    def _lerp_flat(self, other: Tensor, own: Tensor) -> Tensor:
        """The mixture of losses that may be flattened, (B * N,): items come one after another."""
        rows = (len(self.other), -1)
        return _lerp(other.reshape(rows), own.reshape(rows), self.share)

    def _lerped_weights(self, pred: Any, targets: Any, others: Any) -> Tensor | None:
        own, other = (target_weights(self.plain, pred, *ys) for ys in (targets, others))
        if own is None or other is None:
            return None
        return self._lerp_flat(_floating(other), _floating(own))


def _floating(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.float()


def _lerp(other: Tensor, own: Tensor, share: Tensor) -> Tensor:
    """`share` of own and the rest of other: (B, ...) and (B,) or (1,)."""
    return torch.lerp(other, own, share.to(own.dtype).view(-1, *[1] * (own.ndim - 1)))
