"""Colours of a batch: brightness, contrast, saturation, hue, each drawn for each picture.

The first three act on logits, so that nothing is cut off at black and white: brightness adds,
contrast multiplies, saturation mixes with grey. Whatever number of them stand side by side are one
such change, three numbers for each picture; neighbours in the same space of colours share the way
there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.items import listify
from layerwise.vision.augment.draw import Draw, drawn, evenly, log_evenly, mask_tensor
from layerwise.vision.augment.hsv import grayscale, hsv, plain_of, typed
from layerwise.vision.augment.one_pass import BatchAugment
from layerwise.vision.augment.plan import Change, PerPicture, Plan, Space, in_turn
from layerwise.vision.augment.sampling import Piece

__all__ = [
    "Brightness",
    "Contrast",
    "HSVTfm",
    "Hue",
    "LightingTfm",
    "Saturation",
    "SpaceTfm",
    "lighting",
]

T = TypeVar("T", bound=Tensor)

# B: pictures. C: channels. H, W: height and width.

_NEAR = 1e-7  # black and white have no logit; this is as near as 32 bits tell from them


def lighting(x: T, func: Callable[[Tensor], Tensor]) -> T:
    """(B, C, H, W) pictures changed by `func` as logits: `sigmoid(func(logit(x)))`.

    Args:
        x: (B, C, H, W) from 0 to 1; left as it is.
        func: from (B, C, H, W) logits to as many, in place or not.

    Example:
        >>> lighting(torch.tensor([0.0, 0.5, 1.0]), lambda logits: logits * 2).round().tolist()
        [0.0, 0.0, 1.0]
    """
    return typed(func(torch.logit(plain_of(x), eps=_NEAR)).sigmoid_(), x)


def _lit(x: Tensor, func: Change) -> Tensor:
    """`lighting`, written into `x`."""
    return func(x.logit_(_NEAR)).sigmoid_()


class SpaceTfm(BatchAugment):
    """Change the colours of a batch by functions, as they are seen in some space of colours.

    Args:
        fs: functions from (B, C, h, w) values in the space to as many; one or several.
        space_fn: takes the pictures and a function: brings them to the space, calls it, and brings
            them back, as `lighting` and `hsv` do. It may write into what comes in, which is a copy.
            A transform that follows with the same one shares the way.
        p: probability for each picture.
        order: where in a pipeline it stands.

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> def squared(x, func): return func(x**2).sqrt()
        >>> x = TensorImage(torch.full((1, 3, 1, 1), 0.5))
        >>> SpaceTfm(lambda v: v * 4, squared)(x, split_idx=0).unique().item()
        1.0
    """

    order: float = 40
    stage = 2

    @names_nearest
    def __init__(
        self,
        fs: Change | Sequence[Change] | None,
        space_fn: Space,
        p: float = 1.0,
        order: float = 40,
    ) -> None:
        super().__init__(p=p, order=order)
        self.fs, self.space_fn = listify(fs), space_fn
        self.order = order

    @property
    def kind(self) -> Any:
        """Each that only wraps functions is of its own kind."""
        return self if type(self) in (SpaceTfm, LightingTfm, HSVTfm) else super().kind

    def change(self, x: Tensor) -> Change | None:
        """What happens to the values in the space, drawn for the batch. To be overridden.

        Args:
            x: (B, C, H, W) the pictures as they come; see `AffineCoordTfm.matrix`.
        """
        if not self.fs:
            return None
        change = in_turn(self.fs)
        if self.p == 1:
            return change
        kept = mask_tensor(torch.ones(len(x)), self.p).bool()
        return _for_some(change, kept[:, None, None, None])

    def plan(self, plan: Plan, split_idx: int | None) -> None:  # noqa: ARG002 - in training alone
        """Add the change."""
        change = self.change(plan.seen())
        if change is not None:
            plan.add_change(self.space_fn, change)


def _for_some(change: Change, kept: Tensor) -> Change:
    def changed(values: Tensor) -> Tensor:
        return torch.where(kept.to(values.device), change(values.clone()), values)

    return changed


class LightingTfm(SpaceTfm):
    """Change the lighting of a batch by functions of its logits.

    Args:
        fs: functions from (B, C, h, w) logits to as many; one or several.
        p: probability for each picture.
        order: where in a pipeline it stands.
    """

    @names_nearest
    def __init__(
        self, fs: Change | Sequence[Change] | None = None, p: float = 1.0, order: float = 40
    ) -> None:
        super().__init__(fs, _lit, p, order)


class HSVTfm(SpaceTfm):
    """Change the colours of a batch by functions of hue, saturation and value.

    Pictures that have not three channels stay as they are.

    Args:
        fs: functions from (B, 3, h, w) values to as many; one or several.
        p: probability for each picture.
        order: where in a pipeline it stands.
    """

    @names_nearest
    def __init__(
        self, fs: Change | Sequence[Change] | None = None, p: float = 1.0, order: float = 40
    ) -> None:
        super().__init__(fs, _hsv_of_colours, p, order)


def _hsv_of_colours(x: Tensor, func: Change) -> Tensor:
    return hsv(x, func) if x.shape[-3] == 3 else x


# -- what is drawn -----------------------------------------------------------------------------


class _Numbers(NamedTuple):
    """(B,) each: what logits are multiplied by, how much of grey is added, and what is added."""

    scale: Tensor
    grey: Tensor
    shift: Tensor


class _Levels(PerPicture):
    """`scale * x + grey * grayscale(x) + shift`, with numbers for each picture.

    Such changes form a group: one after the other is one again.
    """

    def __init__(self, numbers: _Numbers) -> None:
        self.numbers = numbers

    def of(self, piece: Piece) -> _Levels:
        """The same for some of the pictures."""
        return _Levels(_Numbers(*(each[piece] for each in self.numbers)))

    def then(self, after: Any) -> _Levels | None:
        """Both as one, since the grey of a grey is itself."""
        if not isinstance(after, _Levels):
            return None
        (a, b, c), (d, e, f) = self.numbers, after.numbers
        return _Levels(_Numbers(a * d, d * b + e * (a + b), (d + e) * c + f))

    def __call__(self, values: Tensor) -> Tensor:
        """(b, C, H, W) changed in place."""
        numbers = torch.stack(self.numbers).to(values.dtype).to(values.device, non_blocking=True)
        scale, grey, shift = numbers[..., None, None, None]
        if not bool(self.numbers.grey.any()):
            return values.mul_(scale).add_(shift)
        if values.shape[-3] != 3:  # has no colours, so is its own grey
            return values.mul_(scale + grey).add_(shift)
        added = grayscale(values).mul_(grey).add_(shift)
        return values.mul_(scale).add_(added)


class _Shifted(PerPicture):
    """Hues turned around by a share of the circle."""

    def __init__(self, by: Tensor) -> None:
        self.by = by

    def of(self, piece: Piece) -> _Shifted:
        return _Shifted(self.by[piece])

    def then(self, after: Any) -> _Shifted | None:
        return _Shifted(self.by + after.by) if isinstance(after, _Shifted) else None

    def __call__(self, values: Tensor) -> Tensor:
        by = self.by.to(values.dtype).to(values.device, non_blocking=True)
        values[:, 0].add_(by[:, None, None]).remainder_(1)
        return values


class Brightness(LightingTfm):
    """Brighten or darken each picture of a batch.

    Args:
        max_lighting: how far middle grey moves at most, as a share of the way to black or white.
        p: probability for each picture.
        draw: what middle grey becomes, 0 to 1, see `Draw`; `p` holds besides.
        batch: draw once, for all pictures alike.

    Example:
        >>> from layerwise.core.tensors import TensorImage
        >>> grey = TensorImage(torch.full((1, 3, 1, 1), 0.5))
        >>> round(Brightness(p=1.0, draw=0.7)(grey, split_idx=0)[0, 0].item(), 3)
        0.7
    """

    @names_nearest
    def __init__(
        self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
    ) -> None:
        super().__init__(p=p)
        self.max_lighting, self.draw, self.batch = _share(max_lighting), draw, batch

    def change(self, x: Tensor) -> _Levels:
        """What is added to logits."""
        ends = 0.5 * (1 - self.max_lighting), 0.5 * (1 + self.max_lighting)
        grey = drawn(x, evenly(*ends), self.draw, self.p, neutral=0.5, batch=self.batch)
        none = torch.zeros_like(grey)
        return _Levels(_Numbers(torch.ones_like(grey), none, torch.logit(grey, eps=_NEAR)))


class Contrast(LightingTfm):
    """Strengthen or weaken the contrast of each picture of a batch, about middle grey.

    Args:
        max_lighting: weakest is a factor of `1 - max_lighting`, strongest the inverse of that.
        p: probability for each picture.
        draw: factors of logits, see `Draw`; `p` holds besides.
        batch: draw once, for all pictures alike.
    """

    @names_nearest
    def __init__(
        self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
    ) -> None:
        super().__init__(p=p)
        self.max_lighting, self.draw, self.batch = _share(max_lighting), draw, batch

    def change(self, x: Tensor) -> _Levels:
        """What logits are multiplied by."""
        own = log_evenly(self.max_lighting)
        factor = drawn(x, own, self.draw, self.p, neutral=1.0, batch=self.batch)
        none = torch.zeros_like(factor)
        return _Levels(_Numbers(factor, none, none))


class Saturation(LightingTfm):
    """Strengthen or weaken the colours of each picture of a batch.

    Pictures that have not three channels stay as they are.

    Args:
        max_lighting: weakest is a factor of `1 - max_lighting`, strongest the inverse of that.
        p: probability for each picture.
        draw: factors: 0 is grey, 1 as it was, see `Draw`; `p` holds besides.
        batch: draw once, for all pictures alike.
    """

    @names_nearest
    def __init__(
        self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False
    ) -> None:
        super().__init__(p=p)
        self.max_lighting, self.draw, self.batch = _share(max_lighting), draw, batch

    def change(self, x: Tensor) -> _Levels:
        """How logits are mixed with their grey."""
        own = log_evenly(self.max_lighting)
        factor = drawn(x, own, self.draw, self.p, neutral=1.0, batch=self.batch)
        return _Levels(_Numbers(factor, 1 - factor, torch.zeros_like(factor)))


class Hue(HSVTfm):
    """Turn the hues of each picture of a batch around the circle of colours.

    Pictures that have not three channels stay as they are.

    Args:
        max_hue: largest share of the circle, to either side.
        p: probability for each picture.
        draw: shares of the circle, see `Draw`; `p` holds besides.
        batch: draw once, for all pictures alike.
    """

    @names_nearest
    def __init__(
        self, max_hue: float = 0.1, p: float = 0.75, draw: Draw = None, batch: bool = False
    ) -> None:
        super().__init__(p=p)
        self.max_hue, self.draw, self.batch = max_hue, draw, batch

    def change(self, x: Tensor) -> _Shifted:
        """What is added to hues."""
        own = evenly(-self.max_hue, self.max_hue)
        return _Shifted(drawn(x, own, self.draw, self.p, batch=self.batch))


def _share(max_lighting: float) -> float:
    if not 0 <= max_lighting < 1:
        raise ValueError(f"max_lighting={max_lighting}; give a share, from 0 to below 1")
    return max_lighting
