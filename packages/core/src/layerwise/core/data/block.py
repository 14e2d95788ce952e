"""`DataBlock`: what the data is, in one declaration, and from it data sets and loaders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.explain import explain_batch, explain_item
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import RandomSplitter
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.items import L, noop
from layerwise.core.nn.losses import (
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    MSELossFlat,
)
from layerwise.core.transforms.category import (
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
)
from layerwise.core.transforms.numeric import RegressionSetup, ToTensor
from layerwise.core.transforms.transform import Transform

__all__ = [
    "CategoryBlock",
    "DataBlock",
    "MultiCategoryBlock",
    "RegressionBlock",
    "TransformBlock",
]

Getter = Callable[[Any], Any]
_BATCH_SIZE_SHOWN = 4


class TransformBlock:
    """The transforms and loader settings that a kind of data wants.

    Args:
        type_tfms: make the value from an item (open a file, look up a class), in the data set.
        item_tfms: on each sample, in the loader; `ToTensor` comes on its own.
        batch_tfms: on each batch, on the device.
        dl_type: class of loader.
        dls_kwargs: settings of the loaders.
    """

    def __init__(
        self,
        type_tfms: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        dl_type: type[TfmdDL] | None = None,
        dls_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.type_tfms = L(type_tfms)
        self.item_tfms = L([ToTensor, *L(item_tfms)])
        self.batch_tfms = L(batch_tfms)
        self.dl_type = dl_type
        self.dls_kwargs = dict(dls_kwargs or {})


def CategoryBlock(  # noqa: N802 - reads as a class, like all blocks
    vocab: Any = None,
    sort: bool = True,
    add_na: bool = False,
    *,
    min_count: int = 1,
    other: Any = None,
) -> TransformBlock:
    """A block for one class per item.

    Args:
        vocab: the classes; learnt from the training split when None.
        sort: order the classes that are learnt.
        add_na: index 0 is `#na#`, for unseen labels.
        min_count: fold classes seen less often into `other`.
        other: name of the class that takes rare and unseen labels.
    """
    to_class = Categorize(vocab, sort, add_na, min_count=min_count, other=other)
    to_class.loss_func = CrossEntropyLossFlat()
    return TransformBlock(type_tfms=to_class)


def MultiCategoryBlock(  # noqa: N802
    encoded: bool = False,
    vocab: Any = None,
    add_na: bool = False,
    *,
    min_count: int = 1,
    other: Any = None,
) -> TransformBlock:
    """A block for any number of classes per item.

    Args:
        encoded: the labels are zeros and ones already; `vocab` names the columns.
        vocab: the classes; learnt from the training split when None.
        add_na: index 0 is `#na#`, for unseen labels.
        min_count: fold classes seen less often into `other`.
        other: name of the class that takes rare and unseen labels.
    """
    if encoded:
        if vocab is None:
            raise ValueError("encoded=True needs vocab=, the names of the columns")
        steps: list[Transform] = [EncodedMultiCategorize(vocab)]
    else:
        to_classes = MultiCategorize(vocab, add_na, min_count=min_count, other=other)
        steps = [to_classes, OneHotEncode()]
    steps[0].loss_func = BCEWithLogitsLossFlat()  # type: ignore[attr-defined]  # read by the Learner
    return TransformBlock(type_tfms=steps)


def RegressionBlock(n_out: int | None = None) -> TransformBlock:  # noqa: N802
    """A block for one or several numbers per item.

    Args:
        n_out: how many; counted on the first target when None.
    """
    setup = RegressionSetup(c=n_out)
    setup.loss_func = MSELossFlat()  # type: ignore[attr-defined]  # read by the Learner
    return TransformBlock(type_tfms=setup)


class DataBlock:
    """A declaration of what the data is: blocks, and where items, splits and targets come from.

    Args:
        blocks: one per member of a sample, inputs first; classes, functions or instances.
        dl_type: class of loader; what the blocks want when None.
        getters: one function per block, from an item to what the block starts from.
        n_inp: how many blocks are input; all but the last when None.
        item_tfms: on each sample, after those of the blocks.
        batch_tfms: on each batch, after those of the blocks.
        get_items: from the source to the list of items; the source itself when None.
        get_x: in place of `getters`, for the inputs: one function, or one per input.
        get_y: likewise for the targets.
        splitter: from the items to (training positions, validation positions); a random fifth
            validates when None.

    Example:
        >>> block = DataBlock((TransformBlock, CategoryBlock), get_x=len, get_y=lambda s: s[0])
        >>> dsets = block.datasets(["aa", "bbb", "a", "b", "aaaa"])
        >>> len(dsets.train), sorted(set(dsets.vocab)) == ["a", "b"] or len(dsets.vocab)
        (4, True)
    """

    @names_nearest
    def __init__(
        self,
        blocks: Any = None,
        dl_type: type[TfmdDL] | None = None,
        getters: Sequence[Getter] | None = None,
        n_inp: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        *,
        get_items: Callable[[Any], Any] | None = None,
        get_x: Any = None,
        get_y: Any = None,
        splitter: Callable[[Any], Any] | None = None,
    ) -> None:
        blocks = (TransformBlock, TransformBlock) if blocks is None else blocks
        self.blocks = [_as_block(b) for b in L(blocks)]
        self.n_inp = n_inp if n_inp is not None else max(1, len(self.blocks) - 1)
        if not 1 <= self.n_inp <= len(self.blocks):
            raise ValueError(
                f"n_inp={self.n_inp} for {len(self.blocks)} block(s); give how many of them are "
                f"inputs, 1 to {len(self.blocks)}"
            )
        self.get_items, self.splitter = get_items, splitter
        self.getters = self._choose_getters(getters, get_x, get_y)
        self.dl_type = dl_type or next((b.dl_type for b in self.blocks if b.dl_type), TfmdDL)
        self.dls_kwargs = {k: v for b in self.blocks for k, v in b.dls_kwargs.items()}
        self.type_tfms = [b.type_tfms for b in self.blocks]
        self._own_tfms = L(item_tfms), L(batch_tfms)
        self._merge()

    def _choose_getters(self, getters: Any, get_x: Any, get_y: Any) -> list[Getter]:
        count = len(self.blocks)
        if getters is not None:
            if get_x is not None or get_y is not None:
                raise ValueError("give getters, or get_x and get_y, not both")
            return _one_each("getters", L(getters), count)
        inputs, targets = self.n_inp, count - self.n_inp
        given_x = L([get_x]) if callable(get_x) else L(get_x)
        given_y = L([get_y]) if callable(get_y) else L(get_y)
        return [
            *_one_each("get_x", given_x or L([noop] * inputs), inputs),
            *_one_each("get_y", given_y or L([noop] * targets), targets),
        ]

    def _merge(self) -> None:
        items, batches = self._own_tfms
        self.item_tfms = _merged(*(b.item_tfms for b in self.blocks), items)
        self.batch_tfms = _merged(*(b.batch_tfms for b in self.blocks), batches)

    def new(self, item_tfms: Any = None, batch_tfms: Any = None) -> DataBlock:
        """The same declaration with other transforms on samples and batches."""
        made = DataBlock.__new__(DataBlock)
        made.__dict__.update(self.__dict__)
        made._own_tfms = L(item_tfms), L(batch_tfms)
        made._merge()
        return made

    @classmethod
    def from_columns(
        cls,
        blocks: Any = None,
        getters: Sequence[Getter] | None = None,
        get_items: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> DataBlock:
        """For `get_items` that returns one list per member instead of one list of items."""
        get = get_items or noop
        count = len(L(blocks)) if blocks is not None else 2
        from_row: list[Getter] = [ItemGetter(i) for i in range(count)]
        if getters is not None:
            from_row = [
                _Chained(row, g)
                for row, g in zip(from_row, _one_each("getters", L(getters), count), strict=True)
            ]
        return cls(blocks, getters=from_row, get_items=_Zipped(get), **kwargs)

    def datasets(self, source: Any) -> Datasets:
        """The data sets of `source`: items read, split, and transforms set up."""
        items = self.get_items(source) if self.get_items else source
        if not hasattr(items, "__len__"):
            items = L(items)
        if len(items) == 0:
            raise DataError(f"there are no items in {source!r}; is the path or filter right?")
        splits = (self.splitter or RandomSplitter())(items)
        own = _Copies()
        steps = [
            [*([] if getter is noop else [_whole(getter)]), *map(own, types)]
            for getter, types in zip(self.getters, self.type_tfms, strict=True)
        ]
        return Datasets(items, steps, splits=splits, n_inp=self.n_inp, dl_type=self.dl_type)

    def dataloaders(self, source: Any, path: str | Path = ".", **kwargs: Any) -> DataLoaders:
        """The loaders of `source`; `kwargs` are those of `Datasets.dataloaders`."""
        return self.datasets(source).dataloaders(path=path, **self._settings(kwargs))

    def weighted_dataloaders(
        self, source: Any, wgts: Any, bs: int = 64, path: str | Path = ".", **kwargs: Any
    ) -> DataLoaders:
        """The loaders of `source`, training samples drawn by weight.

        Args:
            source: as for `dataloaders`.
            wgts: a weight for each item, or for each training item; or a function from an item.
            bs: samples per training batch.
            path: where what belongs to the task is written.
            kwargs: those of `Datasets.dataloaders`.
        """
        dsets = self.datasets(source)
        if callable(wgts):
            items = dsets.items
            rows = (row for _, row in items.iterrows()) if hasattr(items, "iterrows") else items
            wgts = [wgts(item) for item in rows]
        return dsets.weighted_dataloaders(wgts, bs, path=path, **self._settings(kwargs))

    def partial_dataloaders(
        self, source: Any, partial_n: int, bs: int = 64, path: str | Path = ".", **kwargs: Any
    ) -> DataLoaders:
        """The loaders of `source`, with `partial_n` training samples an epoch, others each time.

        Args:
            source: as for `dataloaders`.
            partial_n: training samples in an epoch.
            bs: samples per training batch.
            path: where what belongs to the task is written.
            kwargs: those of `Datasets.dataloaders`.
        """
        dsets = self.datasets(source)
        return dsets.partial_dataloaders(partial_n, bs, path=path, **self._settings(kwargs))

    def _settings(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        own = _Copies()
        items, batches = list(map(own, self.item_tfms)), list(map(own, self.batch_tfms))
        return {"after_item": items, "after_batch": batches, **self.dls_kwargs, **kwargs}

    def summary(
        self, source: Any, bs: int = _BATCH_SIZE_SHOWN, show_batch: bool = False, **kwargs: Any
    ) -> None:
        """Print what becomes of the first item and the first batch of `source`, step by step.

        Args:
            source: as for `dataloaders`.
            bs: samples in the batch.
            show_batch: show the batch in the end.
            kwargs: settings of the loaders.

        Raises:
            DataError: from the step that fails, in the words that training would have for it.
        """
        print("reading the items")
        dsets = self.datasets(source)
        parts = ", ".join(str(len(dsets.subset(i))) for i in range(dsets.n_subsets))
        print(f"{len(dsets)} items, split into {parts}")
        shown = next((s for s in map(dsets.subset, range(dsets.n_subsets)) if len(s)), dsets)
        which = "training" if shown.split_idx == 0 else "validation, since training is empty"
        print(f"\none sample ({which}):")
        explain_item(
            shown.items[0] if not hasattr(shown.items, "iloc") else shown.items.iloc[0], shown.tfms
        )
        dls = dsets.dataloaders(bs=bs, **self._settings({"num_workers": 0, **kwargs}))
        print(f"\none batch of {min(bs, len(shown))}:")
        loader = dls[shown.split_idx or 0]
        explain_batch([shown[i] for i in range(min(bs, len(shown)))], loader)
        if show_batch:
            loader.show_batch()


class _Zipped:
    """Columns as rows; a class, so that it can be sent to a worker."""

    def __init__(self, get: Callable[[Any], Any]) -> None:
        self.get = get

    def __call__(self, source: Any) -> L:
        return L(list(zip(*self.get(source), strict=True)))


class _Chained:
    """First one function, then another."""

    def __init__(self, first: Getter, then: Getter) -> None:
        self.first, self.then = first, then

    def __call__(self, x: Any) -> Any:
        return self.then(self.first(x))


class _Copies:
    """Copies of transforms, one of each: what they learn from one source stays with its data."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}

    def __call__(self, step: Any) -> Any:
        if not isinstance(step, Transform):
            return step
        return self.made.setdefault(id(step), copy.copy(step))


class _Getter(Transform):
    """A getter, which sees its item whole, also where that is a tuple."""

    def _over_tuple(self, part: str, x: Any, kwargs: dict[str, Any]) -> Any:
        return self._one(part, x, kwargs)


def _whole(getter: Getter) -> Any:
    is_transform = isinstance(getter, Transform | type)
    return getter if is_transform else _Getter(getter)


def _as_block(block: Any) -> TransformBlock:
    made = block if isinstance(block, TransformBlock) else block() if callable(block) else block
    if not isinstance(made, TransformBlock):
        raise TypeError(
            f"a block is a TransformBlock or a function that returns one, not {made!r}; for "
            "example CategoryBlock or CategoryBlock(vocab=...)"
        )
    return made


def _one_each(name: str, given: Sequence[Getter], count: int) -> list[Getter]:
    if len(given) != count:
        hint = "" if name == "getters" else " (n_inp= says how many of the blocks are inputs)"
        raise ValueError(
            f"{len(given)} function(s) in {name} for {count} block(s); give one each{hint}"
        )
    return list(given)


def _merged(*groups: Iterable[Any]) -> L:
    """All transforms once: of several of one kind, the last one given stands."""
    chosen: dict[Any, Any] = {}
    for step in chain.from_iterable(groups):
        step = step() if isinstance(step, type) and issubclass(step, Transform) else step
        for part in step.parts if isinstance(step, Transform) else (step,):
            key = part.kind if isinstance(part, Transform) else part
            chosen.pop(key, None)
            chosen[key] = part
    return L(list(chosen.values()))
