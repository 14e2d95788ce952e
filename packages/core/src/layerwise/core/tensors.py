"""Tensors that know what they are: `TensorImage` plus one is a `TensorImage`.

Types live up to the batch; the training loop hands plain `torch.Tensor`s to the model, so that
model, loss, optimizer and `torch.compile` never see a subclass.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor
from torch.overrides import get_default_nowrap_functions

from layerwise.core.dispatch import Dispatch

__all__ = [
    "TensorBase",
    "TensorCategory",
    "TensorFlowField",
    "TensorImage",
    "TensorImageBW",
    "TensorImageBase",
    "TensorMask",
    "TensorMultiCategory",
    "TitledTensorScalar",
    "cast",
    "dress",
    "retain_meta",
    "retain_type",
]

T = TypeVar("T")
Kind = TypeVar("Kind", bound="TensorBase")

_PLAIN_RESULT = get_default_nowrap_functions()
_NO_SUBCLASS = torch._C.DisableTorchFunctionSubclass


class TensorBase(Tensor):
    """A tensor whose type and metadata survive operations, slicing, cloning and pickling.

    Metadata are ordinary attributes, given as keywords or set later, of names that
    `torch.Tensor` does not use. The result of an operation
    has the type and the metadata of its first typed argument, unless `register_func` says
    otherwise.

    Example:
        >>> x = TensorImage(torch.ones(3, 2, 2), source="cat.jpg")
        >>> y = (x + 1)[:2]
        >>> type(y).__name__, y.source, tuple(y.shape)
        ('TensorImage', 'cat.jpg', (2, 2, 2))
    """

    _returns: ClassVar[dict[Callable[..., Any], type[Tensor]]] = {}

    def __new__(cls, x: Any, **meta: Any) -> Self:
        """`x` (tensor, array or nested lists; memory is shared where possible) as a `cls`."""
        base = x if isinstance(x, Tensor) else torch.as_tensor(x)
        result: Self = base.as_subclass(cls)
        for name in meta:
            if hasattr(Tensor, name):
                raise TypeError(
                    f"metadata {name!r} would hide torch.Tensor.{name}; give it another name"
                )
        if isinstance(x, TensorBase):
            meta = {**x.__dict__, **meta}
        if meta:
            result.__dict__.update(meta)
        return result

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The result of `func`, tensors in it dressed as the first typed argument."""
        with _NO_SUBCLASS():
            result = func(*args, **kwargs) if kwargs else func(*args)
        if func in _PLAIN_RESULT:
            return result
        first = args[0] if args else None
        if not isinstance(first, TensorBase):
            first = _first_typed((*args, *(kwargs or {}).values()))
        if first is None:
            return result
        kind = cls._returns.get(func, type(first)) if cls._returns else type(first)
        return _dress(result, kind, first.__dict__)

    @classmethod
    def register_func(cls, func: Callable[..., Any], returns: type[Tensor] = Tensor) -> None:
        """Let `func` return `returns` when its first typed argument is a `cls`.

        Args:
            func: a function or method of torch, for example `torch.Tensor.argmax`.
            returns: the type of the result; plain `torch.Tensor` undresses it.

        Example:
            >>> class Logits(TensorBase): ...
            >>> Logits.register_func(torch.Tensor.argmax)
            >>> type(Logits(torch.eye(2)).argmax(0))
            <class 'torch.Tensor'>
        """
        if "_returns" not in cls.__dict__:
            cls._returns = dict(cls._returns)
        cls._returns[func] = returns

    def set_meta(self, x: Any, as_copy: bool = False) -> Self:
        """Take over the metadata of `x`, if it has any.

        Args:
            x: any object with attributes.
            as_copy: copy the values too, so that a change in one is not seen in the other.
        """
        meta = getattr(x, "__dict__", None)
        if meta:
            self.__dict__.update(copy.deepcopy(meta) if as_copy else meta)
        return self

    def as_plain(self) -> Tensor:
        """The same memory as a plain `torch.Tensor`."""
        with _NO_SUBCLASS():
            return self.as_subclass(Tensor)

    def __format__(self, spec: str) -> str:
        """One number by `spec`, which torch does for plain tensors alone; others as text."""
        shown = self.as_plain() if self.ndim == 0 else str(self)
        return format(shown, spec)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as plain tensor, type and metadata; memory stays shared between processes."""
        plain = self.as_plain().detach()  # as an alias of a leaf it would not be one itself
        return _rebuild, (type(self), plain, self.requires_grad, self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy with memory and metadata of its own; of a leaf, as torch has it."""
        plain = self.as_plain()
        plain = copy.deepcopy(plain.detach() if self.is_leaf else plain, memo)
        result = _rebuild(type(self), plain, self.requires_grad, copy.deepcopy(self.__dict__, memo))
        memo[id(self)] = result
        return result


class TensorImageBase(TensorBase):
    """(C, H, W) picture, or (N, C, H, W) batch of pictures, of any kind."""

    _show_args: ClassVar[dict[str, Any]] = {}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the picture on `ctx` (axes), a new figure when None. Returns the axes."""
        from layerwise.core.display.axes import show_image

        return show_image(self.as_plain(), ctx=ctx, **{**self._show_args, **kwargs})

    def flip_lr(self) -> Self:
        """Mirrored, left for right."""
        return dress(self.as_plain().flip(-1), self)

    def dihedral(self, k: int) -> Self:
        """One of the eight ways in which a square can lie.

        Args:
            k: 0 as it is, 1 mirrored left for right, 2 top for bottom, 3 to 5 turned by 90, 180
                and 270 degrees against the clock, 6 and 7 mirrored at the two diagonals.

        Example:
            >>> TensorImage(torch.tensor([[1, 2], [3, 4]])).dihedral(3).tolist()
            [[2, 4], [1, 3]]
        """
        x = self.as_plain()
        if not 0 <= k < 8:
            raise ValueError(f"k={k}; there are eight ways, 0 to 7")
        if k in (1, 2):
            x = x.flip(-k)
        elif k in (3, 4, 5):
            x = x.rot90(k - 2, (-2, -1))
        elif k in (6, 7):
            x = x.mT if k == 6 else x.mT.flip((-2, -1))
        return dress(x, self)


class TensorImage(TensorImageBase):
    """(3, H, W) colour picture: uint8 0 to 255 as loaded, float 0 to 1 on the device."""


class TensorImageBW(TensorImage):
    """(1, H, W) picture in shades of grey."""

    _show_args: ClassVar[dict[str, Any]] = {"cmap": "Greys"}


class TensorMask(TensorImageBase):
    """(H, W) class index of each pixel."""

    _show_args: ClassVar[dict[str, Any]] = {
        "alpha": 0.5,
        "cmap": "tab20",
        "interpolation": "nearest",
    }

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the mask, its colours spread over the class codes where they are known."""
        codes = getattr(self, "codes", None)
        scale = {"vmin": 0, "vmax": len(codes)} if codes is not None else {}
        return super().show(ctx=ctx, **{**scale, **kwargs})


class TensorFlowField(TensorBase):
    """(N, H, W, 2) sampling grid as `grid_sample` takes it: x and y from -1 to 1."""


class TensorCategory(TensorBase):
    """() or (N,) index of one class."""


class TensorMultiCategory(TensorCategory):
    """(C,) or (N, C) zeros and ones: which classes hold."""


class TitledTensorScalar(TensorBase):
    """A tensor of one number that shows itself as a title."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Write the number as the title of `ctx`, or print it."""
        from layerwise.core.display.titled import show_title

        return show_title(self.item(), ctx=ctx, **kwargs)


def _first_typed(values: Iterable[Any]) -> TensorBase | None:
    for value in values:
        if isinstance(value, TensorBase):
            return value
        if isinstance(value, tuple | list):
            found = _first_typed(value)
            if found is not None:
                return found
    return None


def _dress(result: Any, kind: type[Tensor], meta: dict[str, Any]) -> Any:
    """Tensors in `result` (a tensor, or what `split`, `max`, `unbind` return) as `kind`."""
    if isinstance(result, Tensor):
        if type(result) is not kind:
            if kind is Tensor:
                return result.as_subclass(Tensor) if type(result) is not Tensor else result
            with _NO_SUBCLASS():
                result = result.as_subclass(kind)
        # An operation in place returns its argument, whose dictionary is `meta` itself.
        if meta and result.__dict__ is not meta:
            result.__dict__.update(meta)
        return result
    if isinstance(result, tuple | list):
        items = [_dress(item, kind, meta) for item in result]
        if hasattr(result, "_fields"):  # a named tuple
            return type(result)(*items)
        return type(result)(items)  # `torch.return_types` take one sequence
    return result


def _rebuild(kind: type[Kind], plain: Tensor, requires_grad: bool, meta: dict[str, Any]) -> Kind:
    with _NO_SUBCLASS():
        result = plain.as_subclass(kind)
    result.__dict__.update(meta)
    if requires_grad:
        result.requires_grad_(True)
    return result


def dress(plain: Tensor, like: Kind) -> Kind:
    """`plain` as the type of `like`, with its metadata: the last line of a typed operation.

    Example:
        >>> image = TensorImageBW(torch.zeros(1, 2, 2), source="three.png")
        >>> dress(torch.ones(1, 4, 4), image).source
        'three.png'
    """
    with _NO_SUBCLASS():
        result = plain.as_subclass(type(like))
    result.__dict__.update(like.__dict__)
    return result


cast = Dispatch(name="cast", arity=1)
cast.__doc__ = """`x` as an object of type `kind`: `cast(x, kind)`.

Chosen by the type of `x`; a domain registers how its types are made from what they wrap.
"""


@cast.register
def _(x: object, kind: Callable[..., Any]) -> Any:
    """By the constructor of `kind`."""
    return x if isinstance(kind, type) and isinstance(x, kind) else kind(x)


@cast.register
def _(x: Tensor, kind: Any) -> Any:
    """Sharing memory, with the metadata."""
    if not (isinstance(kind, type) and issubclass(kind, Tensor)):
        return kind(x)
    if isinstance(x, kind):
        return x
    with _NO_SUBCLASS():
        result = x.as_subclass(kind)
    return retain_meta(result, x)


def retain_meta(x: T, old: Any) -> T:
    """`x` with the metadata (attributes) of `old`, where both can carry any."""
    meta = getattr(old, "__dict__", None)
    if meta and isinstance(x, TensorBase):
        x.set_meta(old)
    return x


def retain_type(new: Any, old: Any = None, kind: type | None = None) -> Any:
    """`new` as the type of `old` (or as `kind`) when it has lost that type on the way.

    Nothing changes where `new` is of an unrelated type, for that was the intention, or where it
    is of that type already. A truth value, a row (named tuple), an enumeration or a mapping is not
    put back: 3, computed from True, is meant to be 3.

    Example:
        >>> image = TensorImage(torch.zeros(3, 2, 2))
        >>> type(retain_type(torch.ones(3, 2, 2), old=image)).__name__
        'TensorImage'
        >>> retain_type("a label", old=image)
        'a label'
    """
    if new is None:
        return None
    if kind is None:
        kind = type(old)
        if not isinstance(old, type(new)) or isinstance(old, bool | Enum | Mapping):
            return new
        if hasattr(kind, "_fields"):
            return new
    if kind is type(None) or isinstance(new, kind):
        return new
    return retain_meta(cast(new, kind), old)
