"""Bodies that also give the maps on the way to their last one, for decoders that need them.

Shapes: B batch, C channels of the input, F channels of a map, H and W height and width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from layerwise.core.nn.hooks import hook_outputs
from layerwise.core.nn.module import Module
from layerwise.core.nn.walk import params
from layerwise.vision.models.bodies import run_noise

__all__ = ["MapsOf", "Stages", "map_shapes", "stages_of"]

# A map that is this much smaller is the next one; a convolution without padding takes less away.
_STEP = 1.5


class Stages(Module):
    """Layers in a row, cut where their maps get smaller.

    Args:
        stages: each is called with what the one before it returns.
        turned: numbers of the stages that return (B, h, w, F), as those of some transformers do.
    """

    def __init__(self, stages: Sequence[nn.Module], turned: Sequence[int] = ()) -> None:
        self.stages, self.turned = nn.ModuleList(stages), list(turned)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) to the map after each stage, (B, F, h, w), largest first."""
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            maps.append(x.movedim(-1, 1) if i in self.turned else x)
        return maps

    def parts(self) -> list[nn.Module]:
        """The stages, those near the input first."""
        return list(self.stages)


class MapsOf(Module):
    """A body that is no row of layers, and what some of its modules return inside it.

    Args:
        body: (B, C, H, W) to (B, F, h, w), or to a list of such maps.
        at: what to return of it: numbers in the list, or names of modules in the order in which
            they run.
        turned: numbers of those, in the result, that are (B, h, w, F).
    """

    def __init__(
        self, body: nn.Module, at: Sequence[int] | Sequence[str], turned: Sequence[int] = ()
    ) -> None:
        self.body, self.at, self.turned = body, list(at), list(turned)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) to the maps, (B, F, h, w), largest first."""
        maps = self._maps(x)
        return [m.movedim(-1, 1) if i in self.turned else m for i, m in enumerate(maps)]

    def _maps(self, x: Tensor) -> list[Tensor]:
        if isinstance(self.at[0], int):
            maps = self.body(x)
            return [maps[i] for i in self.at]
        # Hooked for this call alone: a copy of the model, or an error in it, leaves none behind.
        with hook_outputs(
            [self.body.get_submodule(str(n)) for n in self.at], detach=False
        ) as hooks:
            self.body(x)
            return list(hooks.stored)

    def parts(self) -> list[nn.Module]:
        """The children of the body, those near the input first."""
        return list(self.body.children()) or [self.body]


def stages_of(body: nn.Module, size: tuple[int, int] | None = None) -> Stages | MapsOf:
    """`body` as a module that returns a list of its maps, the last of each size, largest first.

    They are found by one pass of an item of noise. A row of layers, and rows inside rows, are cut
    in stages. Of other modules the children are looked at. Weights are shared with `body`.

    Args:
        body: (B, C, H, W) to (B, F, h, w), or to a list of maps, as the models of timm with
            `features_only` do.
        size: height and width that the body can take; any that it can if None.

    Raises:
        ValueError: if the body returns anything else, or fails for all sizes.

    Example:
        >>> row = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU())
        >>> [len(stage) for stage in stages_of(row).stages]
        [2, 2]
    """
    layers = _row(body)
    if len(layers) > 1:
        with hook_outputs(layers) as hooks:
            _run(nn.Sequential(*layers), size)
            shapes = [_shape(out, body) for out in hooks.stored]
        at, turned = _last_of_each(shapes, size)
        stages = [nn.Sequential(*layers[a:b]) for a, b in pairwise([0, *(i + 1 for i in at)])]
        return Stages(stages, turned)
    whole = _run(body, size)
    if isinstance(whole, list | tuple):
        shapes = [_shape(out, body) for out in whole]
        return MapsOf(body, *_last_of_each(shapes, size))
    _shape(whole, body)
    names, shapes = _inside(body, size)
    at, turned = _last_of_each(shapes, size)
    return MapsOf(body, [names[i] for i in at], turned)


def map_shapes(stages: nn.Module, size: tuple[int, int] | None = None) -> list[tuple[int, ...]]:
    """The shape of each map for an item of noise, after the shape of the item."""
    with hook_outputs([stages]) as hooks:
        item = _Seen(stages)
        _run(item, size)
        return [item.shape, *(tuple(out.shape) for out in hooks.stored[0])]


def stage_groups(stages: Stages | MapsOf, model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of `model` in three groups for learning rates.

    Those of the first half of its stages, of their second half, and of all that is on top.
    """
    parts = stages.parts()
    early = [p for part in parts[: (len(parts) + 1) // 2] for p in params(part)]
    seen = {id(p) for p in early}
    late = [p for p in params(stages) if id(p) not in seen]
    seen |= {id(p) for p in late}
    return [early, late, [p for p in params(model) if id(p) not in seen]]


class _Seen(Module):
    """A module, and the shape of what it was called with last."""

    def __init__(self, inner: nn.Module) -> None:
        self.inner = inner
        self.shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Any:
        self.shape = tuple(x.shape)
        return self.inner(x)


def _row(module: nn.Module) -> list[nn.Module]:
    """The layers that `module` calls one after the other, those of rows in it among them."""
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        return [layer for child in module for layer in _row(child)]
    return [module]


def _run(module: nn.Module, size: tuple[int, int] | None) -> Any:
    # Of smaller pictures little is left to tell one map from the next.
    return run_noise(module, size, start=128)


def _shape(out: Any, body: nn.Module) -> tuple[int, ...]:
    if not isinstance(out, Tensor) or out.ndim != 4:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(
            f"the body {type(body).__name__} returns {got} and no map (batch, features, height, "
            "width), which a decoder could enlarge; take an architecture with maps, such as "
            "resnet34, or give cut="
        )
    return tuple(out.shape)


Shapes = Sequence[tuple[int, ...]]


def _last_of_each(shapes: Shapes, size: tuple[int, int] | None) -> tuple[list[int], list[int]]:
    """Places of the last map of each size, before a smaller one, and which of them are turned."""
    turned = [_is_turned(shape, size or (1, 1)) for shape in shapes]
    sides = [shape[1 if turned[i] else 2] for i, shape in enumerate(shapes)]
    drops = [i for i, (a, b) in enumerate(pairwise(sides)) if a >= b * _STEP]
    at = [*drops, len(shapes) - 1]
    return at, [n for n, i in enumerate(at) if turned[i]]


def _is_turned(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a map has its channels last, as seen by the sides of the picture."""
    height, width = size

    def are_sides(a: int, b: int) -> bool:
        return abs(a * width - b * height) <= max(height, width) * (height != width)

    return are_sides(*shape[1:3]) and not are_sides(*shape[2:4])


def _inside(
    body: nn.Module, size: tuple[int, int] | None
) -> tuple[list[str], list[tuple[int, ...]]]:
    """Names of the modules in `body` that return maps, and the shapes of these."""
    steps = [name for name, _ in _steps(body, "")]
    seen: dict[str, tuple[int, ...]] = {}
    with hook_outputs([body.get_submodule(name) for name in steps]) as hooks:
        _run(body, size)
        for name, out in zip(steps, hooks.stored, strict=True):
            if isinstance(out, Tensor) and out.ndim == 4:
                seen[name] = tuple(out.shape)
    if not seen or any(a[2] < b[2] for a, b in pairwise(seen.values())):
        raise ValueError(
            f"the maps inside the body {type(body).__name__} are not found: its children do not "
            "run one after the other; give a body that is an nn.Sequential, or returns a list of "
            "its maps, largest first"
        )
    return list(seen), list(seen.values())


def _steps(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    """Names and modules of the children, and of those in rows and lists of modules."""
    found = []
    for name, child in module.named_children():
        row = isinstance(child, nn.ModuleList) or len(_row(child)) > 1
        found += _steps(child, f"{prefix}{name}.") if row else [(f"{prefix}{name}", child)]
    return found
