"""`L`, a list that is mapped, filtered and indexed by lists, and questions about items."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from functools import partial, reduce
from itertools import chain, cycle, islice
from itertools import starmap as lazy_starmap
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, cast, overload

if TYPE_CHECKING:
    import torch
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

X = TypeVar("X")

__all__ = [
    "L",
    "all_equal",
    "equals",
    "fastuple",
    "first",
    "is_coll",
    "is_iter",
    "listify",
    "noop",
    "noops",
    "one_is_instance",
    "range_of",
]

SHOWN = 10  # items that a printed L shows; more would fill a notebook cell
_UNSET: Any = object()


class fastuple(tuple[Any, ...]):  # noqa: N801 - the name that users of this family know
    """A tuple that is made of its members, or of one collection of them.

    Items that are kinds of it keep their kind through transforms and batches, so that they can show
    themselves, and functions chosen by type can tell them: a pair of pictures, for example.

    Example:
        >>> class Pair(fastuple): pass
        >>> Pair(1, 2), Pair([1, 2]) == Pair(1, 2)
        ((1, 2), True)
    """

    __slots__ = ()

    def __new__(cls, x: Any = None, *rest: Any) -> Self:
        """The members: `x` and the others, or those of `x` where it stands alone."""
        members = (x, *rest) if rest else () if x is None else x if is_iter(x) else (x,)
        return super().__new__(cls, members)


def is_iter(o: object) -> bool:
    """Whether `o` can be looped over; a tensor or array without dimensions cannot.

    Example:
        >>> is_iter([1]), is_iter(3), is_iter(iter("ab"))
        (True, False, True)
    """
    return isinstance(o, Iterable) and getattr(o, "ndim", 1) != 0


def is_coll(o: object) -> bool:
    """Whether `o` has a length: a collection, but no generator and no number in a tensor.

    Example:
        >>> is_coll([1]), is_coll(iter([1])), is_coll(3)
        (True, False, False)
    """
    return hasattr(o, "__len__") and getattr(o, "ndim", 1) != 0


def one_is_instance(a: object, b: object, kind: type | tuple[type, ...]) -> bool:
    """Whether `a` or `b` is an instance of `kind`.

    Example:
        >>> one_is_instance(1, "x", str)
        True
    """
    return isinstance(a, kind) or isinstance(b, kind)


def noop(x: Any = None, *_args: object, **_kwargs: object) -> Any:
    """`x` as it came, whatever else is passed: the step that changes nothing.

    Example:
        >>> noop(3, "unused")
        3
    """
    return x


def noops(_self: object, x: Any = None, *_args: object, **_kwargs: object) -> Any:
    """`x` as it came: `noop` for the body of a class, where the object is passed first.

    Example:
        >>> class Plain:
        ...     encodes = noops
        >>> Plain().encodes(3)
        3
    """
    return x


def range_of(x: Sized) -> list[int]:
    """The positions in `x`, as splitters take them.

    Example:
        >>> range_of(["a", "b", "c"])
        [0, 1, 2]
    """
    return list(range(len(x)))


def first(x: Iterable[X], f: Callable[[X], object] | None = None, default: Any = None) -> Any:
    """The first item of `x`, or the first for which `f` holds; `default` if there is none.

    Example:
        >>> first([3, 4, 5], lambda i: i > 3), first([])
        (4, None)
    """
    return next(filter(f, x) if f else iter(x), default)


def all_equal(a: Any, b: Any) -> bool:
    """Whether `a` and `b` hold as many items, and `equals` says yes to each pair.

    Example:
        >>> all_equal([1, 2], (1, 2)), all_equal([1, 2], [1, 2, 3]), all_equal([1], 1)
        (True, False, False)
    """
    if not is_iter(a) or not is_iter(b):
        return False
    end = object()
    left, right = iter(a), iter(b)
    for item in left:
        other = next(right, end)
        if other is end or not equals(item, other):
            return False
    return next(right, end) is end


def equals(a: Any, b: Any) -> bool:
    """Whether `a` and `b` are equal through and through: shapes and values, keys, items.

    Tensors are compared with arrays by value; NaN is unequal to NaN, as in numpy; a table is asked
    with its own `equals`.

    Example:
        >>> equals({"a": [1, (2, 3)]}, {"a": [1, [2, 3]]}), equals([1], 1)
        (True, False)
    """
    if a is b:
        return not _is_array(a) or _equal_arrays(a, b)
    if one_is_instance(a, b, (str, bytes, type)) or a is None or b is None:
        return bool(a == b)
    if hasattr(a, "iloc") or hasattr(b, "iloc"):
        return type(a) is type(b) and bool(a.equals(b))
    if _is_array(a) or _is_array(b):
        return _is_array(a) and _is_array(b) and _equal_arrays(a, b)
    if one_is_instance(a, b, Mapping):
        both = isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys()
        return both and all(equals(a[key], b[key]) for key in a)
    if one_is_instance(a, b, (set, frozenset)) or not (is_iter(a) and is_iter(b)):
        return bool(a == b)
    return all_equal(a, b)


def _is_array(o: object) -> bool:
    return hasattr(o, "__array__") and not isinstance(o, type)


def _equal_arrays(a: Any, b: Any) -> bool:
    """Equality by shape and value; a tensor leaves its device only to meet something else."""
    import numpy as np

    if type(a) is not type(b) or getattr(a, "device", None) != getattr(b, "device", None):
        a, b = (np.asarray(o.detach().cpu() if hasattr(o, "detach") else o) for o in (a, b))
    return tuple(a.shape) == tuple(b.shape) and bool((a == b).all())


def listify(
    o: Any = None, *rest: Any, use_list: bool = False, match: int | Any | None = None
) -> list[Any]:
    """A list of what was given: nothing for None, one item for a text, array or single object.

    Args:
        o: an iterable is taken apart; a text, bytes or anything array-like counts as one item.
        *rest: with more than one argument, the arguments are the items.
        use_list: take `o` apart in any case, an array into rows, a text into letters.
        match: a length, or something that has one; a single item is repeated up to it.

    Raises:
        ValueError: if there are several items, and not as many as `match` says.

    Example:
        >>> listify("ab"), listify(None), listify(range(2)), listify(0.1, match=3)
        (['ab'], [], [0, 1], [0.1, 0.1, 0.1])
    """
    if rest:
        found = [o, *rest]
    elif use_list:
        found = list(o)
    elif o is None:
        found = []
    elif isinstance(o, (str, bytes)) or hasattr(o, "__array__") or not is_iter(o):
        found = [o]
    else:
        found = list(o)
    return found if match is None else _matched(found, match)


def _matched(found: list[Any], match: int | Any) -> list[Any]:
    size = match if isinstance(match, int) else len(match)
    if len(found) == 1:
        return found * size
    if len(found) != size:
        raise ValueError(f"{len(found)} items where {size} are needed; give one, or {size}")
    return found


def _as_function(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[..., Any]:
    """What `L.map` may be given as a function: a callable, a format, or a lookup table."""
    if isinstance(f, str):
        f = f.format
    elif not callable(f):
        if not hasattr(f, "__getitem__"):
            raise TypeError(
                f"L.map got {f!r}; give a function, a format such as '{{}}.png', or a table"
            )
        f = f.__getitem__
    return partial(f, *args, **kwargs) if args or kwargs else cast(Callable[..., Any], f)


def _is_one_index(index: Any) -> bool:
    """Whether `index` is a number; tensors with dimensions have `__index__` too."""
    return hasattr(index, "__index__") and not getattr(index, "ndim", 0)


def _sort_key(key: Any) -> Callable[[Any], Any] | None:
    if isinstance(key, str):
        return operator.attrgetter(key)
    if isinstance(key, int):
        return operator.itemgetter(key)
    return cast("Callable[[Any], Any] | None", key)


class L(list[T]):
    """A list that prints its length, is indexed by lists and masks, and maps and filters itself.

    Made as `listify` makes lists: `L(None)` is empty, `L("ab")` and `L(tensor)` hold one item.
    Everything that returns several items returns an `L`.

    Args:
        items: what to hold; see `listify`.
        *rest: further items; then `items` is the first of them.
        use_list: take `items` apart even if it is a text or an array.
        match: a length, or something that has one; a single item is repeated up to it.

    Example:
        >>> names = L("a", "b", "c")
        >>> names
        (#3) ['a', 'b', 'c']
        >>> names[[0, 2]], names.map(str.upper)[1:], names[[True, False, False]]
        ((#2) ['a', 'c'], (#2) ['B', 'C'], (#1) ['a'])
    """

    __slots__ = ()

    def __init__(
        self,
        items: Iterable[T] | Any = None,
        *rest: Any,
        use_list: bool = False,
        match: int | Any | None = None,
    ) -> None:
        super().__init__(listify(items, *rest, use_list=use_list, match=match))

    @classmethod
    def _of(cls, items: Iterable[Any]) -> L[Any]:
        """An `L` of exactly these items, also where a text or array is the iterable."""
        made: L[Any] = cls()
        list.extend(made, items)
        return made

    @classmethod
    def range(cls, a: Any, b: int | None = None, step: int | None = None) -> L[int]:
        """The numbers of `range`; if `a` is a collection, its indices.

        Example:
            >>> L.range(3), L.range(["x", "y"]), L.range(0, 10, 5)
            ((#3) [0, 1, 2], (#2) [0, 1], (#2) [0, 5])
        """
        if is_coll(a):
            a = len(a)
        start, stop = (0, a) if b is None else (a, b)
        return cls._of(range(start, stop, 1 if step is None else step))

    @property
    def items(self) -> list[T]:
        """The items as a list: the `L` itself, which is one."""
        return self

    @recursive_repr("(...)")
    def __repr__(self) -> str:
        shown = [repr(o) for o in self[:SHOWN]] + ["..."] * (len(self) > SHOWN)
        return f"(#{len(self)}) [{', '.join(shown)}]"

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice | Iterable[Any]) -> L[T]: ...
    def __getitem__(self, index: Any) -> Any:
        """One item for a number; an `L` for a slice, a list of numbers or a mask as long as this.

        Numbers and masks may come as list, tuple, tensor or array.
        """
        get = super().__getitem__
        if _is_one_index(index):
            return get(index)
        if isinstance(index, slice):
            return self._of(get(index))
        return self._of([get(i) for i in self._positions(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        """Set one item, a slice, or those at a list of numbers or a mask (one value for all)."""
        if isinstance(index, slice) or _is_one_index(index):
            super().__setitem__(index, value)
            return
        positions = self._positions(index)
        for i, item in zip(positions, listify(value, match=len(positions)), strict=True):
            super().__setitem__(i, item)

    def _positions(self, index: Any) -> list[int]:
        if isinstance(index, (str, bytes)) or not is_iter(index):
            raise TypeError(
                f"L cannot be indexed by {index!r}; give a number, a slice, a list of numbers "
                "or a mask"
            )
        chosen = index.tolist() if hasattr(index, "tolist") else list(index)
        if not chosen or not all(isinstance(i, bool) for i in chosen):
            return [operator.index(i) for i in chosen]
        if len(chosen) != len(self):
            raise IndexError(f"a mask of {len(chosen)} for {len(self)} items; give one per item")
        return [i for i, keep in enumerate(chosen) if keep]

    def __add__(self, other: Any) -> L[Any]:
        return self._of(chain(self, listify(other)))

    def __radd__(self, other: Any) -> L[Any]:
        return self._of(chain(listify(other), self))

    def __iadd__(self, other: Any) -> L[T]:  # type: ignore[override]  # a list adds lists only
        self.extend(listify(other))
        return self

    def __mul__(self, times: SupportsIndex) -> L[T]:
        return self._of(super().__mul__(times))

    __rmul__ = __mul__

    def copy(self) -> L[T]:
        """An `L` of its own with the same items."""
        return self._of(self)

    def map(self, f: Any, *args: Any, **kwargs: Any) -> L[Any]:
        """The results of `f` on each item.

        Args:
            f: a function, a format (`"{}.png"`), or anything indexed by the items, such as a dict.
            *args: bound before the item, as by `functools.partial`.
            **kwargs: passed to `f`, which refuses those that it does not know.

        Example:
            >>> L(1, 2).map(pow, 2), L(1, 2).map("{}.png"), L(0, 1).map({0: "a", 1: "b"})
            ((#2) [2, 4], (#2) ['1.png', '2.png'], (#2) ['a', 'b'])
        """
        return self._of(map(_as_function(f, args, kwargs), self))

    def starmap(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> L[Any]:
        """The results of `f` on each item, itself a tuple that is spread over the arguments.

        Example:
            >>> L([(1, 2), (3, 4)]).starmap(operator.add)
            (#2) [3, 7]
        """
        return self._of(lazy_starmap(_as_function(f, args, kwargs), cast(Iterable[Any], self)))

    def filter(self, f: Callable[..., object] = noop, negate: bool = False, **kwargs: Any) -> L[T]:
        """The items for which `f` holds (or does not, with `negate`); by default the true ones.

        Example:
            >>> L.range(5).filter(lambda i: i % 2), L(0, 1, "").filter()
            ((#2) [1, 3], (#1) [1])
        """
        return self._of(o for o in self if bool(f(o, **kwargs)) != negate)

    def argwhere(self, f: Callable[..., object], negate: bool = False, **kwargs: Any) -> L[int]:
        """The positions of the items for which `f` holds (or does not, with `negate`).

        Example:
            >>> L("a", "B", "c").argwhere(str.islower)
            (#2) [0, 2]
        """
        return self._of(i for i, o in enumerate(self) if bool(f(o, **kwargs)) != negate)

    def sorted(self, key: Any = None, reverse: bool = False) -> L[T]:
        """The items in order.

        Args:
            key: a function, the name of an attribute, or an index into each item.
            reverse: largest first.

        Example:
            >>> L([(2, "a"), (1, "b")]).sorted(0), L(1j, 2 + 0j).sorted("real", reverse=True)
            ((#2) [(1, 'b'), (2, 'a')], (#2) [(2+0j), 1j])
        """
        return self._of(sorted(cast(Any, self), key=_sort_key(key), reverse=reverse))

    def unique(self, sort: bool = False) -> L[T]:
        """Each item once, where it came first, or in order with `sort`.

        Example:
            >>> L("b", "a", "b").unique(), L("b", "a", "b").unique(sort=True)
            ((#2) ['b', 'a'], (#2) ['a', 'b'])
        """
        found = self._of(dict.fromkeys(self))
        return found.sorted() if sort else found

    def val2idx(self) -> dict[T, int]:
        """The position of each item; of equal items, the last one's.

        Example:
            >>> L("a", "b").val2idx()
            {'a': 0, 'b': 1}
        """
        return {o: i for i, o in enumerate(self)}

    def itemgot(self, *indices: Any) -> L[Any]:
        """`item[i]` of each item; several indices go one into the other.

        Example:
            >>> L([("a", 1), ("b", 2)]).itemgot(1), L([{"x": [5, 6]}]).itemgot("x", 0)
            ((#2) [1, 2], (#1) [5])
        """
        return self.map(lambda o: reduce(operator.getitem, indices, o))

    def attrgot(self, name: str, default: Any = _UNSET) -> L[Any]:
        """The attribute `name` of each item (of a dict, what it holds under that key).

        Args:
            name: may have dots, for an attribute of an attribute.
            default: what an item without it yields; when not given, such an item raises.

        Example:
            >>> L(1j, 2).attrgot("imag"), L([{"a": 1}, {}]).attrgot("a", 0)
            ((#2) [1.0, 0], (#2) [1, 0])
        """
        return self.map(partial(_attribute, name, default))

    def zip(self, cycled: bool = False) -> L[Any]:
        """Columns made of rows: the first of each item, then the second of each, and so on.

        Args:
            cycled: repeat the shorter items, instead of stopping with the shortest.

        Example:
            >>> L([(1, "a"), (2, "b")]).zip(), L([[1, 2, 3], ["a"]]).zip(cycled=True)
            ((#2) [(1, 2), ('a', 'b')], (#3) [(1, 'a'), (2, 'a'), (3, 'a')])
        """
        rows: list[Any] = list(self)
        if not cycled:
            return self._of(zip(*rows, strict=False))
        longest = max((len(row) for row in rows), default=0)
        return self._of(islice(zip(*(cycle(row) for row in rows), strict=False), longest))

    def enumerate(self) -> L[tuple[int, T]]:
        """Pairs of position and item.

        Example:
            >>> L("a", "b").enumerate()
            (#2) [(0, 'a'), (1, 'b')]
        """
        return self._of(enumerate(self))

    def concat(self) -> L[Any]:
        """The items of all items, one level flatter.

        Example:
            >>> L([1, 2], [3], "ab").concat()
            (#4) [1, 2, 3, 'ab']
        """
        return self._of(chain.from_iterable(listify(o) for o in self))

    def shuffle(self, seed: int | torch.Generator | None = None) -> L[T]:
        """The items in random order; this `L` stays as it is.

        Args:
            seed: a number that decides the order, or a generator to draw from. By default torch's
                global generator is drawn from, so that `set_seed` repeats the order.

        Example:
            >>> L.range(5).shuffle(seed=1) == L.range(5).shuffle(seed=1)
            True
        """
        import torch

        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        return self[torch.randperm(len(self), generator=generator).tolist()]


def _attribute(name: str, default: Any, item: Any) -> Any:
    if isinstance(item, Mapping):
        return item[name] if default is _UNSET else item.get(name, default)
    if default is _UNSET:
        return operator.attrgetter(name)(item)
    for part in name.split("."):
        item = getattr(item, part, _UNSET)
        if item is _UNSET:
            return default
    return item
