"""`Pipeline`: transforms one after the other, there and back, with errors that name the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from layerwise.core.display.generic import show
from layerwise.core.errors import DataError, SkipItemException, nearest
from layerwise.core.transforms.transform import Transform

__all__ = ["Pipeline", "describe", "make_transform"]

Step = Transform | Callable[..., Any] | type[Transform]


def make_transform(step: Any) -> Transform:
    """`step` as a `Transform`: an instance as it is, a class called, a function wrapped."""
    if isinstance(step, Transform):
        return step
    if isinstance(step, type) and issubclass(step, Transform):
        return step()
    if not callable(step):
        raise TypeError(
            f"a pipeline is made of transforms and functions; {step!r} is {type(step).__name__}"
        )
    return Transform(step)


def describe(x: Any) -> str:
    """What `x` is, in a few words: types, shapes, dtypes.

    Example:
        >>> import torch
        >>> describe((torch.zeros(3, 2), "cat.jpg"))
        "(Tensor (3, 2) float32, str 'cat.jpg')"
    """
    if isinstance(x, tuple | list) and type(x) in (tuple, list):
        inside = ", ".join(describe(member) for member in x[:5])
        more = f", ... {len(x)} in all" if len(x) > 5 else ""
        return f"({inside}{more})" if isinstance(x, tuple) else f"[{inside}{more}]"
    name = type(x).__name__
    shape = getattr(x, "shape", None)
    dtype = getattr(x, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{name} {tuple(shape)} {str(dtype).removeprefix('torch.')}"
    size = getattr(x, "size", None)
    if isinstance(size, tuple):
        return f"{name} {'x'.join(map(str, size))}"
    text = repr(x)
    return f"{name} {text if len(text) <= 80 else text[:77] + '...'}"


class Pipeline:
    """Transforms applied in their `order`; decoding runs backwards.

    Neighbours that can do their work at once are merged into one transform, see `Transform.merged`.

    Args:
        funcs: transforms, transform classes and functions, or one of them, or another pipeline.
        split_idx: the split that all calls are for; transforms of the other split pass.

    Raises:
        DataError: when a step fails; names the step and what went in. The original exception is
            its `__cause__`.

    Example:
        >>> pipe = Pipeline([lambda x: x + 1, Transform(lambda x: x * 2, lambda x: x // 2)])
        >>> pipe(3), pipe.decode(8)
        (8, 4)
    """

    def __init__(self, funcs: Any = None, split_idx: int | None = None) -> None:
        self.split_idx = split_idx
        self.fs: list[Transform] = _in_order(_as_steps(funcs))

    def __call__(self, x: Any) -> Any:
        """`x` through all transforms."""
        for step in self.fs:
            try:
                x = step(x, split_idx=self.split_idx)
            except (DataError, SkipItemException):
                raise
            except Exception as error:
                raise _failed(step, "encoding", x, error) from error
        return x

    def decode(self, x: Any, full: bool = True) -> Any:
        """`x` back through all transforms; `full=False` stops as soon as it can show itself."""
        for step in reversed(self.fs):
            if not full and _can_show(x):
                return x
            try:
                x = step.decode(x, split_idx=self.split_idx)
            except DataError:
                raise
            except Exception as error:
                raise _failed(step, "decoding", x, error) from error
        return x

    def show(self, x: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Decode `x` as far as needed, show it or its members on `ctx`, and return the context."""
        x = self.decode(x, full=False)
        return show(x, ctx=ctx, **kwargs)

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Let each transform learn its state, the later ones from what the earlier ones make.

        `items` passes through this very pipeline, so it grows by one transform at a time.
        """
        waiting, self.fs = self.fs, []
        try:
            for step in waiting:
                step.setup(items, train_setup)
                self.fs.append(step)
        except BaseException as error:
            error.add_note(f"while {step.name} was set up")
            self.fs = waiting
            raise

    def add(
        self, steps: Any, items: Any = None, train_setup: bool = False, *, do_setup: bool = True
    ) -> None:
        """Add transforms, sorted by order among the others.

        Args:
            steps: the transforms.
            items: what each learns its state from, through those before it.
            train_setup: see `Transform.setup`.
            do_setup: learn now; not so for transforms that have learnt elsewhere.
        """
        for step in _in_order(_as_steps(steps)):
            if do_setup:
                step.setup(items, train_setup)
            self.fs = _in_order([*self.fs, step])

    def __getitem__(self, index: int) -> Transform:
        return self.fs[index]

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.fs)

    def __len__(self) -> int:
        return len(self.fs)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the last transform that has it, for example `vocab`."""
        if name.startswith("_") or name == "fs":
            raise AttributeError(name)
        for step in reversed(self.fs):
            found = getattr(step, name, None)
            if found is not None:
                return found
        known = {key for step in self.fs for key in vars(step) if not key.startswith("_")}
        raise AttributeError(
            f"no transform of this pipeline has {name!r}: {self!r}.{nearest(name, known)}"
        )

    def __repr__(self) -> str:
        return "Pipeline: " + (" -> ".join(map(repr, self.fs)) or "nothing to do")


def _as_steps(funcs: Any) -> list[Transform]:
    if funcs is None:
        return []
    if isinstance(funcs, Pipeline):
        return list(funcs.fs)
    if isinstance(funcs, Iterable) and not isinstance(funcs, Transform):
        return [make_transform(step) for step in funcs]
    return [make_transform(funcs)]


def _in_order(steps: list[Transform]) -> list[Transform]:
    """Sorted by order; neighbours that can do their work at once are one."""
    parts = [part for step in steps for part in step.parts]
    made: list[Transform] = []
    for step in sorted(parts, key=lambda part: part.order):
        both = step.merged(made[-1]) if made else None
        if both is None:
            made.append(step)
        else:
            made[-1] = both
    return made


def _can_show(x: Any) -> bool:
    members = x if isinstance(x, tuple) and not hasattr(x, "show") else (x,)
    return all(hasattr(member, "show") for member in members)


def _failed(step: Transform, doing: str, x: Any, error: Exception) -> DataError:
    return DataError(
        f"{doing} with {step.name} failed on {describe(x)}: {type(error).__name__}: {error}"
    )
