"""`Transform`: encode, decode and learn state, chosen by the type of what comes."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable
from inspect import Parameter
from types import FunctionType
from typing import Any, ClassVar

from layerwise.core.dispatch import Dispatch, Method, unchanged
from layerwise.core.tensors import retain_type

__all__ = [
    "DisplayedTransform",
    "InplaceTransform",
    "ItemTransform",
    "Transform",
    "TransformMeta",
]

# A vocabulary of thousands would drown what else a pipeline has to say.
_short = reprlib.Repr()
_short.maxother = _short.maxstring = 80

_PARTS = ("encodes", "decodes", "setups")


class _ClassBody(dict[str, Any]):
    """The namespace of a class body in which `def encodes` may stand several times."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key in _PARTS and isinstance(value, FunctionType):
            found = self.get(key)
            dispatch = found if isinstance(found, Dispatch) else _new_part(key)
            dispatch.add(value, scope={**_locals_around(), **self})
            value = dispatch
        super().__setitem__(key, value)


def _locals_around() -> dict[str, Any]:
    """Local names of the function in which the class being made stands, for its annotations."""
    body = sys._getframe(2)  # of the class: our caller's caller
    return dict(body.f_back.f_locals) if body.f_back is not None else {}


def _new_part(name: str) -> Dispatch:
    return Dispatch(unchanged, name=name)


class TransformMeta(type):
    """Collects the methods of a transform and lets a class be used as a decorator.

    `@Normalize` on a function called `encodes`, `decodes` or `setups` adds a method to
    `Normalize` from outside.
    """

    @classmethod
    def __prepare__(
        mcs,  # noqa: N804 - the class of classes
        name: str,
        bases: tuple[type, ...],
        /,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """A namespace that collects repeated definitions."""
        return _ClassBody()

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> TransformMeta:
        """The class, each part falling back on the methods of the bases."""
        for part in _PARTS:
            inherited = [d for d in (getattr(base, part, None) for base in bases) if d is not None]
            own = body.setdefault(part, _new_part(part))
            if isinstance(own, Dispatch):
                own.inherit(inherited)
        return super().__new__(mcs, name, bases, dict(body))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance; or, for one function named like a part, that function as a new method."""
        if len(args) == 1 and not kwargs and isinstance(args[0], FunctionType):
            part = args[0].__name__
            if part in _PARTS:
                scope = dict(sys._getframe(1).f_locals)
                return getattr(cls, part).add(args[0], scope=scope)
        return super().__call__(*args, **kwargs)


class Transform(metaclass=TransformMeta):
    """Something that turns an item or a batch into another, and where it can, back.

    A subclass states `encodes`, and as needed `decodes` and `setups`, once per type it knows;
    what it does not know passes unchanged. Over a tuple it works on each member. A result that
    lost its type on the way (a plain tensor from a `TensorImage`) gets it back, unless the method
    has a return annotation: `-> T` makes it a T, `-> None` leaves it alone.

    Args:
        enc: a function to encode with, in place of a subclass; its first annotation says for which
            type.
        dec: a function to decode with.
        split_idx: 0: only on the training split, 1: only on validation, None: on both.
        order: where in a `Pipeline` it stands; the class says so otherwise.

    Example:
        >>> class Shift(Transform):
        ...     def __init__(self, by):
        ...         super().__init__()
        ...         self.by = by
        ...     def encodes(self, x: int): return x + self.by
        ...     def decodes(self, x: int): return x - self.by
        >>> shift = Shift(2)
        >>> shift((1, "a", 5)), shift.decode((3, "a", 7))
        ((3, 'a', 7), (1, 'a', 5))
    """

    order: float = 0
    split_idx: int | None = None
    train_setup: bool | None = None
    encodes: ClassVar[Any]
    decodes: ClassVar[Any]
    setups: ClassVar[Any]

    def __init__(
        self,
        enc: Callable[..., Any] | None = None,
        dec: Callable[..., Any] | None = None,
        *,
        split_idx: int | None = None,
        order: float | None = None,
    ) -> None:
        self._enc, self._dec = enc, dec
        self._functions: dict[str, Dispatch] = {}
        for part, function in (("encodes", enc), ("decodes", dec)):
            if function is not None:
                dispatch = Dispatch(unchanged, name=part)
                dispatch.add(function, skip_self=False)
                self._functions[part] = dispatch
        if split_idx is not None:
            self.split_idx = split_idx
        own_order = order if order is not None else getattr(enc, "order", None)
        if own_order is not None:
            self.order = own_order

    @property
    def name(self) -> str:
        """The name for messages and summaries: that of the class, or of the wrapped function."""
        if "encodes" in getattr(self, "_functions", {}):
            function = next(iter(self._functions["encodes"])).function
            name = str(getattr(function, "__name__", type(function).__name__))
            owner = getattr(function, "__self__", None)  # the class, of a classmethod
            return f"{owner.__name__}.{name}" if isinstance(owner, type) else name
        return type(self).__name__

    @property
    def kind(self) -> Any:
        """What it counts as where the last one given of a kind replaces the others (`DataBlock`).

        Its class; transforms that only wrap functions are each of their own kind.
        """
        return self if type(self) is Transform else type(self)

    @property
    def parts(self) -> tuple[Transform, ...]:
        """The transforms that this one does at once: itself alone, unless `merged` made it."""
        return (self,)

    def merged(self, before: Transform) -> Transform | None:  # noqa: ARG002 - for subclasses
        """One transform that does what `before` and then this one do; None where there is none.

        A `Pipeline` asks each of its transforms about the one that stands before it. The result
        has both among its `parts`, from which it is shown, exported and made again.
        """
        return None

    def __call__(self, x: Any, split_idx: int | None = None, **kwargs: Any) -> Any:
        """`x` encoded; unchanged when this transform belongs to the other split."""
        return self._apply("encodes", x, split_idx, kwargs)

    def decode(self, x: Any, split_idx: int | None = None, **kwargs: Any) -> Any:
        """`x` decoded, as far as this transform can."""
        return self._apply("decodes", x, split_idx, kwargs)

    def setup(self, items: Any = None, train_setup: bool = False) -> None:
        """Learn state from `items`.

        Args:
            items: what the transform sees; when it has splits, state is learnt on its `train`.
            train_setup: whether to look at the training split alone; `self.train_setup` wins.
        """
        if self.train_setup is not None:
            train_setup = self.train_setup
        has_splits = getattr(items, "splits", True) is not None
        seen = getattr(items, "train", items) if train_setup and has_splits else items
        self.setups(seen)

    # A subclass that wants the tuple whole overrides this one method.
    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        if self.split_idx is not None and split_idx != self.split_idx:
            return x
        return self._over_tuple(part, x, kwargs)

    def _over_tuple(self, part: str, x: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(x, tuple) and not hasattr(x, "_fields"):
            done = [self._over_tuple(part, member, kwargs) for member in x]
            return tuple(done) if type(x) is tuple else type(x)(done)
        return self._one(part, x, kwargs)

    def _one(self, part: str, x: Any, kwargs: dict[str, Any]) -> Any:
        functions = self.__dict__.get("_functions")
        if functions and part in functions:
            method = functions[part].find(type(x))
            return x if method is None else _typed(method, method.function(x, **kwargs), x)
        method = getattr(type(self), part).find(type(x))
        return x if method is None else _typed(method, method.function(self, x, **kwargs), x)

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        inside = ", ".join(f"{k}={_short.repr(v)}" for k, v in shown.items())
        return f"{self.name}({inside})"


class ItemTransform(Transform):
    """A transform that takes the tuple whole instead of member by member."""

    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:
        if self.split_idx is not None and split_idx != self.split_idx:
            return x
        result = self._one(part, x, kwargs)
        if not isinstance(x, tuple) or not isinstance(result, tuple) or len(x) != len(result):
            return result
        if hasattr(x, "_fields"):  # a row, whose fields the result need not be
            return result
        return type(x)(retain_type(n, o) for n, o in zip(result, x, strict=True))


class InplaceTransform(Transform):
    """A transform whose `encodes` changes its argument and returns nothing of use."""

    def _one(self, part: str, x: Any, kwargs: dict[str, Any]) -> Any:
        if part != "encodes":
            return super()._one(part, x, kwargs)
        super()._one(part, x, kwargs)
        return x


class DisplayedTransform(Transform):
    """A transform that prints its settings; kept for its name, since every transform does."""


def _typed(method: Method, result: Any, old: Any) -> Any:
    """`result` with the type that the method promises, or that it had before."""
    returns = method.returns
    if returns is None:
        return result
    if (
        isinstance(returns, type)
        and returns is not Parameter.empty
        and not isinstance(old, returns)
    ):
        return retain_type(result, old, returns)
    return retain_type(result, old)
