"""`BatchAugment`: what augmentations of batches have in common; `OnePass`: several of them as one.

Each adds what it draws to a `Plan`. Neighbours in a `Pipeline` merge, so that all their maps are
one interpolation and all their colours one pass, whoever wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.settings import signature_of
from layerwise.core.tensors import TensorBase, TensorImageBase, TensorMask
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import Transform
from layerwise.vision.augment.plan import Plan
from layerwise.vision.augment.sampling import Sampling
from layerwise.vision.coords import TensorBBox, TensorPoint

__all__ = ["BatchAugment", "OnePass"]


class BatchAugment(RandTransform):
    """An augmentation of batches: `plan` says what it does, and is all that a new one states.

    Pictures, masks, points and boxes of a batch move alike, by what was drawn for each picture.
    Next to others of its kind in a pipeline it merges with them into one `OnePass`.
    """

    stage: ClassVar[int]  # of a pass: 1 for maps, 2 for colours
    _plan: Any = None  # the `Plan` of the batch that is being made

    def plan(self, plan: Plan, split_idx: int | None) -> None:
        """Draw for the batch, and add what is drawn.

        Args:
            plan: knows the batch and takes maps and changes.
            split_idx: 0 in training; a transform whose own `split_idx` is None sees 1 too.
        """
        raise NotImplementedError

    @property
    def needs(self) -> Sampling | None:
        """How pictures must be read for it; None where it makes no difference."""
        return None

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Draw what each picture of the batch `b` gets."""
        found = _drawn_for(b)
        self.do = found is not None
        if found is not None:
            is_picture = isinstance(found, TensorImageBase)
            if found.ndim < 4 and is_picture and not isinstance(found, TensorMask):
                raise DataError(
                    f"{self.name} takes batches, and got one picture of shape "
                    f"{tuple(found.shape)}; give it as batch_tfms=, or add an axis, x[None]"
                )
            size = (found.shape[-2], found.shape[-1]) if is_picture else None
            plan = Plan(found.as_plain(), size)
            self.plan(plan, split_idx)
            self._plan = plan.drawn()

    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        try:
            return super()._apply(part, x, split_idx, kwargs)
        finally:
            self._plan = None  # it is of one batch, and may hold functions that cannot be pickled

    encodes = Dispatch(unchanged)

    @encodes.register
    def _(self, x: TensorImageBase) -> Any:
        return self._plan.pictures(x)

    @encodes.register
    def _(self, x: TensorMask) -> Any:
        return self._plan.masks(x)

    @encodes.register
    def _(self, x: TensorPoint) -> Any:
        return self._plan.points(x)

    @encodes.register
    def _(self, x: TensorBBox) -> Any:
        return self._plan.boxes(x)

    def __repr__(self) -> str:
        """The settings that are not those by default."""
        parameters = signature_of(type(self)).parameters.values()
        given = [(p, getattr(self, p.name, p.default)) for p in parameters]
        changed = [f"{p.name}={value!r}" for p, value in given if _differs(value, p.default)]
        return f"{self.name}({', '.join(changed)})"

    def merged(self, before: Transform) -> Transform | None:
        """One pass of `before` and this one; None if they read pictures in different ways."""
        steps = [*before.parts, *self.parts]
        return OnePass(steps) if _fit(steps) else None


class OnePass(BatchAugment):
    """Several augmentations at once: one interpolation for all maps, one pass for all colours.

    A `Pipeline` makes it of neighbours. The pictures are those that its parts make one after the
    other, but for what each interpolation would blur and each padding would cut off.

    Args:
        tfms: the parts in their order: `IntToFloatTensor`, maps, colours.

    Raises:
        ValueError: if they cannot be one, since maps follow colours, or pad differently.

    Example:
        >>> from layerwise.core.transforms.pipeline import Pipeline
        >>> from layerwise.vision.augment.geometry import Flip, Zoom
        >>> Pipeline([Zoom, Flip(p=1.0)])[0].name
        'Zoom, Flip'
    """

    @names_nearest
    def __init__(self, tfms: Sequence[Transform]) -> None:
        super().__init__(p=1.0)
        self.tfms = [part for step in tfms for part in step.parts]
        if not _fit(self.tfms):
            raise ValueError(
                f"{self.name} cannot be done in one pass; IntToFloatTensor comes first, maps come "
                "before colours, and all maps have the same mode, pad_mode and align_corners"
            )
        self.order = self.tfms[0].order
        self.split_idx = 0 if all(part.split_idx == 0 for part in self.tfms) else None

    @property
    def name(self) -> str:
        """The names of the parts."""
        return ", ".join(part.name for part in self.tfms)

    @property
    def parts(self) -> tuple[Transform, ...]:
        """The augmentations that are done at once."""
        return tuple(self.tfms)

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Let each part learn its state."""
        for part in self.tfms:
            part.setup(items, train_setup)

    def plan(self, plan: Plan, split_idx: int | None) -> None:
        """What the parts draw, in their order."""
        for part in self.tfms:
            if not isinstance(part, BatchAugment):
                plan.add_first(part)
            elif part.split_idx is None or part.split_idx == split_idx:
                part.plan(plan, split_idx)

    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        if part == "decodes":
            for step in reversed(self.tfms):
                x = step.decode(x, split_idx, **kwargs)
            return x
        return super()._apply(part, x, split_idx, kwargs)

    def __repr__(self) -> str:
        return f"OnePass({', '.join(map(repr, self.tfms))})"


def _differs(value: Any, default: Any) -> bool:
    if isinstance(value, Tensor) or type(value) is not type(default):
        return bool(value != []) if isinstance(value, list) else value is not default
    return bool(value != default)


def _fit(steps: Sequence[Transform]) -> bool:
    """Whether steps can be done in one pass."""
    own = [step for step in steps if isinstance(step, BatchAugment)]
    # A subclass of IntToFloatTensor may do anything; as a step of its own it is safe.
    others = [i for i, step in enumerate(steps) if not isinstance(step, BatchAugment)]
    stages = [step.stage for step in own]
    return (
        bool(own)
        and all(i == 0 and type(steps[i]) is IntToFloatTensor for i in others)
        and stages == sorted(stages)
        and len({step.needs for step in own} - {None}) <= 1
    )


def _drawn_for(b: Any) -> TensorBase | None:
    """The pictures of a batch; else its masks, points or boxes."""
    found = list(_members(b))
    pictures = [x for x in found if not isinstance(x, TensorMask | TensorPoint)]
    return next(iter([*pictures, *found]), None)


def _members(b: Any) -> Iterator[TensorBase]:
    if isinstance(b, tuple | list):
        for member in b:
            yield from _members(member)
    elif isinstance(b, TensorImageBase | TensorPoint):
        yield b
