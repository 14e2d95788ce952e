"""Running a recipe: what its functions ask for, tile by tile, and norms in between."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.plan import Tile
from layerwise.core.optim.stats import Initial, Stat

__all__: list[str] = []

Lists: TypeAlias = tuple[TensorList, ...] | TensorList
_DOT_DTYPES = frozenset({torch.float32, torch.float64})

Run: TypeAlias = Generator[Lists, Any, None]


@dataclass(frozen=True)
class RecipeCall:
    """A function of a recipe and the names it asks for.

    Args:
        function: the function; its first argument is the parameters.
        names: names of its other arguments, less those that a `partial` has fixed.
        defaults: values of those that may be left out.
        initial: first values of the states it keeps.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    initial: Mapping[str, Initial]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> RecipeCall:
        """The call of `function`, read from its signature.

        Example:
            >>> RecipeCall.of(lambda p, lr, wd=0.0: None).names
            ('lr', 'wd')
        """
        parameters = list(inspect.signature(function).parameters.values())[1:]
        bound = set(function.keywords) if isinstance(function, functools.partial) else set()
        named = [
            p
            for p in parameters
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in bound
        ]
        defaults = {p.name: p.default for p in named if p.default is not p.empty}
        inner = _unwrapped(function)
        initial = inner.initial if isinstance(inner, Stat) else {}
        return cls(function, tuple(p.name for p in named), defaults, initial)

    @property
    def label(self) -> str:
        """The name of the function."""
        inner = _unwrapped(self.function)
        return str(getattr(inner, "__name__", inner))

    @property
    def asks_for_norms(self) -> bool:
        """Whether it is a generator, which yields lists and gets the norms of whole tensors."""
        inner = _unwrapped(self.function)
        return inspect.isgeneratorfunction(inner.function if isinstance(inner, Stat) else inner)

    def __call__(self, p: TensorList, values: Mapping[str, Any]) -> Any:
        """What the function returns for `p` and those of `values` it asks for."""
        return self.function(p, **{name: values[name] for name in self.names if name in values})


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def run_block(
    calls: Sequence[RecipeCall],
    block: Sequence[Tile],
    pieces: Sequence[Tensor],
    values: Mapping[str, Any],
    initial: Mapping[str, Initial],
) -> dict[str, Any]:
    """Run `calls` on each tile of a block; returns the values that the last tile ends with.

    Where a function asks for norms, all tiles run up to there before any goes on.

    Args:
        calls: functions of the recipe, in order.
        block: tiles, with all pieces of the tensors that are in them.
        pieces: gradients of all pieces of the bucket.
        values: hyper-parameters, flags and number states, by name.
        initial: first values of the states that the recipe keeps.
    """
    waiting: list[tuple[Run, Tile, Lists]] = []
    own: dict[str, Any] = {}
    for tile in block:
        own = {**values, **tile.states}
        p = TensorList(tile.params, TensorList(list(pieces[tile.first : tile.stop])))
        run = _run_tile(calls, p, own, initial)
        asked = next(run, None)
        if asked is not None:
            waiting.append((run, tile, asked))
    while waiting:
        answers = _norms([tile for _, tile, _ in waiting], [asked for *_, asked in waiting])
        resumed = zip(waiting, answers, strict=True)
        again = [(run, tile, _send(run, answer)) for (run, tile, _), answer in resumed]
        waiting = [(run, tile, asked) for run, tile, asked in again if asked is not None]
    return own


def _send(run: Run, answer: Any) -> Lists | None:
    try:
        return run.send(answer)
    except StopIteration:
        return None


def _run_tile(
    calls: Sequence[RecipeCall],
    p: TensorList,
    values: dict[str, Any],
    initial: Mapping[str, Initial],
) -> Run:
    """Run `calls` on one tile, stopping where norms are asked for; `values` takes new states."""
    for call in calls:
        out = call(p, values)
        if isinstance(out, Generator):
            out = yield from out
        if out:
            _take(out, values, call, initial)


def _take(
    out: Mapping[str, Any], values: dict[str, Any], call: RecipeCall, initial: Mapping[str, Initial]
) -> None:
    for name, value in out.items():
        if name not in initial:
            raise ValueError(
                f"{call.label} returned {name!r}, which no statistic keeps; declare it with "
                f"@keeps({name}=...): torch.zeros_like, a number, or None for one step only"
            )
        if callable(initial[name]):
            if value is not values[name]:
                values[name].copy_(value)
        else:
            values[name] = value


def _norms(tiles: Sequence[Tile], asked: Sequence[Lists]) -> list[Any]:
    """The L2 norms of whole tensors that each tile asked for, from those of all pieces.

    All tiles run the same functions, so all ask for as many lists.
    """
    if isinstance(asked[0], TensorList):
        alone = [lists for lists in asked if isinstance(lists, TensorList)]
        return [norms[0] for norms in _norms(tiles, [(lists,) for lists in alone])]
    many = [lists for lists in asked if not isinstance(lists, TensorList)]
    parts = [[_piece_norms(x.tensors) for x in lists] for lists in many]
    if len(tiles) == 1:
        return [tuple(parts[0])]
    # A block of several tiles holds the pieces of one tensor, and each tile one piece.
    totals = [torch.cat(column).norm()[None] for column in zip(*parts, strict=True)]
    return [tuple(totals)] * len(tiles)


def _piece_norms(tensors: Sequence[Tensor]) -> Tensor:
    if len(tensors) == 1 and tensors[0].ndim == 1 and tensors[0].dtype in _DOT_DTYPES:
        # Twice as fast as the norm on CPU, where most tiles are one flat piece.
        flat = tensors[0]
        return torch.dot(flat, flat).sqrt()[None]
    return torch.stack(list(torch._foreach_norm(list(tensors))))
