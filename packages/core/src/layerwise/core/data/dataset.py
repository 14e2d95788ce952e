"""`TfmdLists` and `Datasets`: items, the transforms that make samples of them, and their splits."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from layerwise.core.data.filtered import FilteredBase, SplitLists
from layerwise.core.errors import DataError, SkipItemException, nearest
from layerwise.core.items import L
from layerwise.core.random import isolated
from layerwise.core.transforms.pipeline import Pipeline, describe
from layerwise.core.transforms.transform import Transform

__all__ = ["Datasets", "TfmdLists", "decode_at", "show_at", "test_set"]

_TRIES = 10  # items that may be broken before the transforms are held to be


class TfmdLists(FilteredBase):
    """Items seen through one pipeline of transforms.

    Args:
        items: a list, an array, or a frame (rows by `iloc`).
        tfms: transforms, functions or a `Pipeline`.
        splits: lists of positions, training first; all items form one split when None.
        do_setup: let the transforms learn their state now.
        train_setup: learn it from the training split alone.
        split_idx: which split this is, when it is one.
        types: the types of an item after each step; found when they are set up.
        dl_type: the class of loader this data wants.

    Example:
        >>> tl = TfmdLists([1, 2, 3, 4], [lambda x: x * 10], splits=[[0, 1, 2], [3]])
        >>> tl.train[1], tl.valid[0], len(tl.train)
        (20, 40, 3)
    """

    _passes_over = False  # items that a transform skips, while state is learnt

    def __init__(
        self,
        items: Any,
        tfms: Any,
        *,
        splits: SplitLists | None = None,
        do_setup: bool = True,
        train_setup: bool = True,
        split_idx: int | None = None,
        types: list[Any] | None = None,
        dl_type: Any = None,
    ) -> None:
        self.items = items if hasattr(items, "__getitem__") else list(items)
        self.splits = splits
        self.dl_type = dl_type
        self.train_setup = train_setup
        self.types = types
        shared = isinstance(tfms, Pipeline) and not do_setup
        self.tfms: Pipeline = tfms if shared else Pipeline(tfms)
        self.tfms.split_idx = split_idx
        if do_setup:
            self.setup(train_setup=train_setup)

    @property
    def split_idx(self) -> int | None:
        """Which split this is; None for all of the data."""
        return self.tfms.split_idx

    @split_idx.setter
    def split_idx(self, value: int | None) -> None:
        self.tfms.split_idx = value

    def setup(self, train_setup: bool = True) -> None:
        """Let each transform learn its state, then note the type of an item after each step.

        What readers draw meanwhile from global generators leaves no trace in them, so that the
        seed of a training may be set before or after its data are built.
        """
        self._passes_over = True
        try:
            with isolated(0):
                self.tfms.setup(self, train_setup and self.splits is not None)
                self.types = self._trace_types()
        finally:
            self._passes_over = False

    def _trace_types(self) -> list[Any]:
        source = self.subset(0) if self.splits is not None and len(self._split(0)) else self
        if not len(source):
            return []
        failed: list[DataError] = []
        for i in range(len(source)):
            try:
                return self._trace_item(source._item(i))
            except SkipItemException:
                continue
            except DataError as error:  # one broken file: the loader says what becomes of it
                failed.append(error)
                if len(failed) == _TRIES:
                    break
        if failed:
            raise failed[0]
        return []

    def _trace_item(self, x: Any) -> list[Any]:
        types = []
        for step in self.tfms:
            types.append((type(x), *_input_types(step)))
            # One step as a pipeline of its own, so that a failure names it.
            x = Pipeline([step], split_idx=self.split_idx)(x)
        return [*types, (type(x),)]

    def _item(self, i: int) -> Any:
        return self.items.iloc[i] if hasattr(self.items, "iloc") else self.items[i]

    def __getitem__(self, index: Any) -> Any:
        """The sample at `index`; a list of samples for a list, mask or slice of indices."""
        if _is_position(index):
            return self.tfms(self._item(operator.index(index)))
        return L([self.tfms(self._item(i)) for i in _positions(index, len(self))])

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            try:
                sample = self[i]
            except SkipItemException:
                if self._passes_over:  # a batch leaves the item out as well: nothing to learn there
                    continue
                raise
            yield sample

    def _take(self, positions: Sequence[int]) -> Any:
        if hasattr(self.items, "iloc"):
            return self.items.iloc[list(positions)]
        try:
            return L([self.items[i] for i in positions])
        except IndexError as error:
            raise DataError(
                f"a split goes from position {min(positions)} to {max(positions)}, but there are "
                f"{len(self.items)} items"
            ) from error

    def subset(self, i: int) -> TfmdLists:
        """The items of split `i`, through the same transforms."""
        return self._new(self._take(self._split(i)), split_idx=i)

    def _new(self, items: Any, *, split_idx: int | None) -> TfmdLists:
        tfms = Pipeline(self.tfms, split_idx=split_idx)
        made = TfmdLists(
            items, tfms, do_setup=False, split_idx=split_idx, types=self.types, dl_type=self.dl_type
        )
        made._passes_over = self._passes_over
        return made

    def new_empty(self) -> TfmdLists:
        """The same transforms over no items."""
        return self._new(self._take([]), split_idx=self.split_idx)

    def overlapping_splits(self) -> bool:
        """Whether an item is in more than one split."""
        used = [i for split in self.splits or [] for i in split]
        return len(used) != len(set(used))

    def decode(self, o: Any, full: bool = True) -> Any:
        """`o` back through the pipeline."""
        return self.tfms.decode(o, full=full)

    def show(self, o: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show the sample `o` on `ctx`."""
        return self.tfms.show(o, ctx=ctx, **kwargs)

    def test_set(
        self, items: Any, rm_tfms: int | Sequence[int] | None = None, with_labels: bool = False
    ) -> Any:
        """New items through the validation transforms; see the function `test_set`."""
        return test_set(self, items, rm_tfms, with_labels)

    def infer_idx(self, x: Any) -> int:
        """The first step of the pipeline that takes something like `x`.

        Raises:
            DataError: when `x` is of no type that the pipeline has seen.
        """
        for index, accepted in enumerate(self.types or []):
            if isinstance(x, accepted):
                return index
        expected = " or ".join(
            dict.fromkeys(t.__name__ for accepted in self.types or [] for t in accepted)
        )
        raise DataError(f"{describe(x)} is not what this data is made of; expected {expected}")

    def infer(self, x: Any) -> Any:
        """`x` through the steps that it has not been through."""
        return Pipeline(list(self.tfms)[self.infer_idx(x) :], split_idx=self.split_idx)(x)

    def __getattr__(self, name: str) -> Any:
        """An attribute of one of the transforms, for example `vocab`."""
        if name.startswith("_") or name in ("tfms", "items"):
            raise AttributeError(name)
        return getattr(self.tfms, name)

    def __repr__(self) -> str:
        return f"TfmdLists of {len(self)} items\ntfms - {self.tfms!r}"


class Datasets(FilteredBase):
    """Items seen through several pipelines: sample i is a tuple, one member per pipeline.

    Args:
        items: what all pipelines start from.
        tfms: one list of transforms per member.
        splits: lists of positions, training first.
        tls: ready-made `TfmdLists` in place of `items` and `tfms`.
        n_inp: how many members are input; all but the last when None.
        dl_type: the class of loader this data wants.
        do_setup: let the transforms learn their state now, on the training split.

    Example:
        >>> dsets = Datasets(["a1", "b2"], [[lambda s: s[0]], [lambda s: int(s[1])]])
        >>> dsets[1], dsets.n_inp
        (('b', 2), 1)
    """

    def __init__(
        self,
        items: Any = None,
        tfms: Any = None,
        *,
        splits: SplitLists | None = None,
        tls: Iterable[TfmdLists] | None = None,
        n_inp: int | None = None,
        dl_type: Any = None,
        do_setup: bool = True,
    ) -> None:
        if tls is None:
            tls = [
                TfmdLists(items, t, splits=splits, do_setup=do_setup, dl_type=dl_type)
                for t in (tfms if tfms is not None else [None])
            ]
        self.tls = list(tls)
        self.dl_type = dl_type
        self.n_inp = n_inp if n_inp is not None else max(1, len(self.tls) - 1)

    @property
    def items(self) -> Any:
        """What the samples are made from."""
        return self.tls[0].items

    @property
    def splits(self) -> SplitLists | None:  # type: ignore[override]  # a view of the lists' own
        """Lists of positions, training first."""
        return self.tls[0].splits

    @property
    def split_idx(self) -> int | None:
        """Which split this is; None for all of the data."""
        return self.tls[0].split_idx

    @property
    def tfms(self) -> list[Pipeline]:
        """The pipelines, one per member."""
        return [tl.tfms for tl in self.tls]

    @property
    def types(self) -> list[Any]:
        """The type of each member of a sample."""
        return [tl.types[-1][0] for tl in self.tls if tl.types]

    def __getitem__(self, index: Any) -> Any:
        """The sample at `index`; a list of samples for several indices."""
        members = [tl[index] for tl in self.tls]
        if _is_position(index):
            return tuple(members)
        return L(list(zip(*members, strict=True)))

    def __len__(self) -> int:
        return len(self.tls[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def subset(self, i: int) -> Datasets:
        """The samples of split `i`."""
        return self._with([tl.subset(i) for tl in self.tls])

    def _with(self, tls: list[TfmdLists]) -> Datasets:
        return Datasets(tls=tls, n_inp=self.n_inp, dl_type=self.dl_type)

    def new_empty(self) -> Datasets:
        """The same pipelines over no items."""
        return self._with([tl.new_empty() for tl in self.tls])

    def overlapping_splits(self) -> bool:
        """Whether an item is in more than one split."""
        return self.tls[0].overlapping_splits()

    def decode(self, o: Any, full: bool = True) -> Any:
        """The sample `o`, each member back through its pipeline."""
        return tuple(tl.decode(m, full=full) for m, tl in zip(o, self.tls, strict=False))

    def show(self, o: Any, ctx: Any = None, **kwargs: Any) -> Any:
        """Show all members of the sample `o` on one context. Returns the context."""
        for member, tl in zip(o, self.tls, strict=False):
            ctx = tl.show(member, ctx=ctx, **kwargs)
        return ctx

    def test_set(
        self, items: Any, rm_tfms: int | Sequence[int] | None = None, with_labels: bool = False
    ) -> Any:
        """New items through the validation transforms; see the function `test_set`."""
        return test_set(self, items, rm_tfms, with_labels)

    @contextmanager
    def set_split_idx(self, i: int | None) -> Iterator[Self]:
        """Act as split `i` inside this context: 0 augments, 1 does not."""
        before = [tl.split_idx for tl in self.tls]
        try:
            for tl in self.tls:
                tl.split_idx = i
            yield self
        finally:
            for tl, old in zip(self.tls, before, strict=True):
                tl.split_idx = old

    def __getattr__(self, name: str) -> Any:
        """An attribute of the transforms; a list when several members have it."""
        if name.startswith("_") or name == "tls":
            raise AttributeError(name)
        found = []
        for tl in self.tls:
            try:
                found.append(getattr(tl.tfms, name))
            except AttributeError:
                continue
        if found:
            return found[0] if len(found) == 1 else L(found)
        known = {k for tl in self.tls for step in tl.tfms for k in vars(step)}
        raise AttributeError(
            f"neither Datasets nor its transforms have {name!r}.{nearest(name, known)}"
        )

    def __repr__(self) -> str:
        lines = "\n".join(f"  {tl.tfms!r}" for tl in self.tls)
        return f"Datasets of {len(self)} samples, {self.n_inp} input(s)\n{lines}"


def decode_at(o: Datasets | TfmdLists, idx: int) -> Any:
    """The sample at `idx` of `o`, decoded."""
    return o.decode(o[idx])


def show_at(o: Datasets | TfmdLists, idx: int, **kwargs: Any) -> Any:
    """Show the sample at `idx` of `o`; `kwargs` are those of its `show`. Returns the context."""
    return o.show(o[idx], **kwargs)


def test_set(
    dsets: Datasets | TfmdLists,
    test_items: Any,
    rm_tfms: int | Sequence[int] | None = None,  # noqa: PT028 - no test, in spite of its name
    with_labels: bool = False,  # noqa: PT028
) -> Datasets | TfmdLists:
    """New items through the validation transforms of `dsets`.

    Args:
        dsets: where the transforms come from.
        test_items: raw items, or items that have been through the first steps already.
        rm_tfms: how many first steps to leave out, per member; found from the type when None.
        with_labels: whether the items carry their targets.
    """
    if not hasattr(test_items, "__getitem__"):
        test_items = list(test_items)
    lists = [dsets] if isinstance(dsets, TfmdLists) else dsets.tls
    if isinstance(dsets, Datasets) and not with_labels:
        lists = lists[: dsets.n_inp]
    made = [tl._new(test_items, split_idx=1) for tl in lists]
    for i, tl in enumerate(made):
        if rm_tfms is None:
            skip = tl.infer_idx(tl._item(0)) if len(tl) else 0
        else:
            skip = rm_tfms if isinstance(rm_tfms, int) else rm_tfms[i]
        tl.tfms.fs = tl.tfms.fs[skip:]
        tl.types = (tl.types or [])[skip:]
    return made[0] if isinstance(dsets, TfmdLists) else Datasets(tls=made, n_inp=dsets.n_inp)


# Tests are collected by name; this is a function for users.
test_set.__test__ = False  # type: ignore[attr-defined]


def _is_position(index: Any) -> bool:
    """Whether `index` is one number; arrays and tensors are, where they have no dimension."""
    return hasattr(index, "__index__") and getattr(index, "ndim", 0) == 0


def _positions(index: Any, size: int) -> list[int]:
    """What a slice, a mask or a list of indices selects from `size` items."""
    if isinstance(index, slice):
        return list(range(size))[index]
    chosen = index.tolist() if hasattr(index, "tolist") else list(index)
    if len(chosen) == size and all(isinstance(c, bool | np.bool_) for c in chosen):
        return [i for i, keep in enumerate(chosen) if keep]
    return [operator.index(i) for i in chosen]


def _input_types(step: Transform) -> list[type]:
    """The types that `step` states for what comes in."""
    dispatch = step.__dict__.get("_functions", {}).get("encodes") or type(step).encodes
    return [m.types[0] for m in dispatch.methods() if m.types[0] is not object]
