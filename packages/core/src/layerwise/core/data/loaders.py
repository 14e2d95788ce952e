"""`TfmdDL` and `DataLoaders`: loaders with transforms, that decode and show what they load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from layerwise.core.data.loader import DataLoader
from layerwise.core.devices import default_device
from layerwise.core.display.generic import show_batch, show_results
from layerwise.core.errors import nearest
from layerwise.core.items import L
from layerwise.core.nested import batch_to_samples, to_cpu, to_device
from layerwise.core.random import isolated
from layerwise.core.tensors import TensorBase
from layerwise.core.transforms.pipeline import Pipeline

__all__ = ["DataLoaders", "TfmdDL", "get_show_batch_func"]

_PIPELINES = ("after_item", "before_batch", "after_batch")


class TfmdDL(DataLoader):
    """A loader with a pipeline of transforms after each item, before and after each batch.

    Args:
        dataset: samples, as a rule `Datasets` or `TfmdLists`.
        bs: samples per batch.
        shuffle: a new order each epoch.
        num_workers: processes that make batches; 0, since data in memory come faster without; None:
            as many as `worker_count` says, which blocks that open files ask for.
        after_item, before_batch, after_batch: transforms, functions or pipelines.
        n_inp: how many members of a batch are input; the data set says so when None.
        do_setup: let the transforms learn their state from this loader.
        kwargs: the other arguments and hooks of `DataLoader`.
    """

    after_item: Pipeline  # type: ignore[assignment]  # pipelines in place of methods
    before_batch: Pipeline  # type: ignore[assignment]
    after_batch: Pipeline  # type: ignore[assignment]

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        shuffle: bool = False,
        num_workers: int | None = 0,
        *,
        after_item: Any = None,
        before_batch: Any = None,
        after_batch: Any = None,
        n_inp: int | None = None,
        do_setup: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, bs, shuffle=shuffle, num_workers=num_workers, **kwargs)
        given = (after_item, before_batch, after_batch)
        for name, steps in zip(_PIPELINES, given, strict=True):
            setattr(self, name, Pipeline(steps))
        self._n_inp = n_inp
        self._types: Any = None
        self._set_split()
        if do_setup:
            self._learn_state()

    def _learn_state(self) -> None:
        # What is measured on a batch must not move the seeds of what comes later.
        with isolated(0):
            for name in _PIPELINES:
                getattr(self, name).setup(self)

    def _set_split(self) -> None:
        split_idx = getattr(self.dataset, "split_idx", None)
        for name in _PIPELINES:
            getattr(self, name).split_idx = split_idx

    def before_iter(self) -> None:
        """Tell the transforms which split this is."""
        self._set_split()

    def _finish(self, made: Any, key: tuple[int, int], number: int) -> Any:
        batch = super()._finish(made, key, number)
        if self._types is None:
            self._types = _types_of(batch)
        return batch

    @property
    def n_inp(self) -> int:
        """How many members of a batch are input."""
        if self._n_inp is None:
            told = getattr(self.dataset, "n_inp", None)
            if told is None:
                told = max(1, len(self.types) - 1) if isinstance(self.types, list) else 1
            self._n_inp = told
        return self._n_inp

    @property
    def types(self) -> Any:
        """The types of the members of a batch, in its structure."""
        if self._types is None:
            self.peek()
        return self._types

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one, pipelines included."""
        own = {name: list(getattr(self, name)) for name in _PIPELINES}
        return {**super().settings(), **own, "n_inp": self._n_inp}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; its transforms keep what they have learnt."""
        made = super().new(dataset, cls, **{"do_setup": False, **kwargs})
        is_alike = kwargs.keys().isdisjoint(_PIPELINES)  # other transforms may give other types
        if isinstance(made, TfmdDL) and made._types is None and is_alike:
            made._types = self._types
        return made

    # -- back, and to the eye --------------------------------------------------------------

    def decode(self, b: Any) -> Any:
        """The batch `b` on the CPU, back through `after_batch`; plain tensors get their types."""
        return to_cpu(self.after_batch.decode(dressed(b, self.types)))

    def decode_batch(self, b: Any, max_n: int = 9, full: bool = True) -> L:
        """Up to `max_n` samples of the batch `b`, decoded to what the data set reads."""
        return self._decode_samples(self.decode(b), max_n, full)

    def _decode_samples(self, b: Any, max_n: int, full: bool) -> L:
        back = getattr(self.dataset, "decode", None)
        samples = []
        for sample in batch_to_samples(b, max_n=max_n):
            sample = self.after_item.decode(self.before_batch.decode(sample))
            samples.append(back(sample, full=full) if back else sample)
        return L(samples)

    def show_batch(
        self,
        b: Any = None,
        max_n: int = 9,
        ctxs: Any = None,
        show: bool = True,
        unique: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Show samples of a batch.

        Args:
            b: the batch; a new one when None.
            max_n: how many samples.
            ctxs: where to draw, one context per sample.
            show: draw; otherwise return (inputs, targets, samples) for drawing.
            unique: one sample, as the augmentation varies it.
            kwargs: for the method that draws these types.
        """
        if b is None:
            b = self._same_item(max_n) if unique else self.one_batch()
        parts = self._parts(b, max_n)
        return show_batch(*parts, ctxs=ctxs, max_n=max_n, **kwargs) if show else parts

    def show_results(
        self,
        b: Any,
        out: Any,
        max_n: int = 9,
        ctxs: Any = None,
        show: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Show samples of the batch `b` beside what was predicted for them (`out`)."""
        x, y, samples = self._parts(b, max_n)
        predicted = out if isinstance(out, tuple | list) else (out,)
        with_out = (*_as_tuple(b)[: self.n_inp], *predicted)
        x1, _, outs = self._parts(with_out, max_n)
        if samples is None:
            shown: tuple[Any, ...] = (x, x1, None, None)
        else:
            shown = (x, y, samples, L([sample[self.n_inp :] for sample in outs]))
        return show_results(*shown, ctxs=ctxs, max_n=max_n, **kwargs) if show else shown

    def _parts(self, b: Any, max_n: int) -> tuple[Any, Any, Any]:
        b = self.decode(b)
        if hasattr(b, "show"):
            return b, None, None
        samples = self._decode_samples(b, max_n, full=False)
        if not isinstance(b, tuple | list):
            b, samples = (b,), L([(sample,) for sample in samples])
        return _unwrapped(b[: self.n_inp]), _unwrapped(b[self.n_inp :]), samples

    def _same_item(self, count: int) -> Any:
        many = self.new(bs=count, shuffle=False, num_workers=0, get_idxs=lambda: list(range(count)))
        index = self.get_idxs()[0] if not self.shuffle else 0
        # Each copy has an index of its own, and with it a draw of its own.
        many.create_item = lambda s: self.create_item(index)  # noqa: ARG005
        return many.one_batch()

    def __getattr__(self, name: str) -> Any:
        """An attribute of the data set, for example `vocab`."""
        if name.startswith("_") or name in ("dataset", *_PIPELINES):
            raise AttributeError(name)
        try:
            return getattr(self.dataset, name)
        except AttributeError as error:
            close = nearest(name, dir(type(self)))
            error.add_note(f"{type(self).__name__} has no {name!r} either.{close}")
            raise


class DataLoaders:
    """The loaders of one task: training, validation, and any number more.

    Args:
        loaders: training first. Stock `torch.utils.data.DataLoader`s and any iterable of batches
            are taken too.
        path: where what belongs to the task is written.
        device: where batches go; stays as each loader has it when None.
        n_inp: how many members of a batch are input; the training loader says so, else all but
            the last, when None.

    Example:
        >>> dls = DataLoaders(DataLoader([1, 2, 3], bs=2), DataLoader([4], bs=2))
        >>> len(dls.train), dls.valid.one_batch()
        (2, tensor([4]))
    """

    def __init__(
        self,
        *loaders: Any,
        path: str | Path = ".",
        device: torch.device | str | None = None,
        n_inp: int | None = None,
    ) -> None:
        self.loaders = list(loaders)
        self.path = Path(path)
        self._device: torch.device | None = None
        self._n_inp = n_inp
        if device is not None:
            self.device = torch.device(device)

    def __getitem__(self, i: int) -> Any:
        return self.loaders[i]

    def __len__(self) -> int:
        return len(self.loaders)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loaders)

    @property
    def train(self) -> Any:
        """The training loader."""
        return self._loader(0, "training")

    @property
    def valid(self) -> Any:
        """The validation loader."""
        return self._loader(1, "validation")

    def _loader(self, i: int, what: str) -> Any:
        if i >= len(self.loaders):
            raise IndexError(f"these DataLoaders have no {what} loader; there are {len(self)}")
        return self.loaders[i]

    @property
    def train_ds(self) -> Any:
        """The data set of the training loader."""
        return self.train.dataset

    @property
    def valid_ds(self) -> Any:
        """The data set of the validation loader."""
        return self.valid.dataset

    @property
    def device(self) -> torch.device | None:
        """Where batches go."""
        if self._device is not None:
            return self._device
        return getattr(self.loaders[0], "device", None) if self.loaders else None

    @device.setter
    def device(self, device: torch.device | str | None) -> None:
        self._device = torch.device(device) if device is not None else None
        for loader in self.loaders:
            if isinstance(loader, DataLoader):
                loader.to(device)

    def to(self, device: torch.device | str | None) -> Self:
        """Send batches to `device` from now on."""
        self.device = device
        return self

    def cuda(self) -> Self:
        """Send batches to the first GPU."""
        return self.to("cuda")

    def cpu(self) -> Self:
        """Keep batches on the CPU."""
        return self.to("cpu")

    @property
    def known_n_inp(self) -> int | None:
        """The same as `n_inp` where that is known without loading a batch, else None."""
        return self._n_inp if self._n_inp is not None else getattr(self.train, "n_inp", None)

    @property
    def n_inp(self) -> int:
        """How many members of a batch are input."""
        if self._n_inp is None:
            told = self.known_n_inp
            if told is None:
                batch = self.one_batch()
                told = max(1, len(batch) - 1) if isinstance(batch, tuple | list) else 1
            self._n_inp = int(told)
        return self._n_inp

    def one_batch(self) -> Any:
        """The first training batch, on the device."""
        loader = self.train
        batch = loader.one_batch() if hasattr(loader, "one_batch") else next(iter(loader))
        return batch if self.device is None else to_device(batch, self.device)

    def show_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Show samples of the training loader; arguments as for `TfmdDL.show_batch`."""
        return shown_by(self.train, "show_batch").show_batch(*args, **kwargs)

    def new_empty(self) -> DataLoaders:
        """The same loaders and transforms over no items."""
        loaders = [dl.new(dl.dataset.new_empty()) for dl in self.loaders]
        return type(self)(*loaders, path=self.path, device=self.device)

    def test_dl(
        self,
        test_items: Any,
        rm_type_tfms: int | Sequence[int] | None = None,
        with_labels: bool = False,
        **kwargs: Any,
    ) -> Any:
        """A loader over new items, with the transforms of the validation loader.

        Args:
            test_items: raw items (file names, rows) or partly processed ones (pictures).
            rm_type_tfms: how many first steps to leave out; found from the type when None.
            with_labels: whether the items carry their targets.
            kwargs: settings of the loader, for example `bs`.
        """
        source = self.loaders[1] if len(self.loaders) > 1 else self.train
        if not hasattr(source, "new"):
            raise TypeError(
                f"test_dl makes another loader like this {type(source).__module__}."
                f"{type(source).__name__}, which cannot be made anew; make one yourself, and pass "
                "it on: learn.get_preds(dl=loader)"
            )
        items: Any = test_items
        if hasattr(source.dataset, "test_set"):
            items = source.dataset.test_set(items, rm_type_tfms, with_labels)
        return source.new(items, **{"shuffle": False, "drop_last": False, **kwargs})

    def add_tfms(self, tfms: Any, event: str, loaders: Sequence[int | str] | None = None) -> None:
        """Add transforms to a pipeline of chosen loaders; what they learn, from the first of them.

        Args:
            tfms: the transforms.
            event: `"after_item"`, `"before_batch"` or `"after_batch"`.
            loaders: positions, or "train" and "valid"; all when None.
        """
        if event not in _PIPELINES:
            raise ValueError(f"no pipeline {event!r}; there are {', '.join(_PIPELINES)}")
        names: dict[int | str, Any] = {"train": 0, "valid": 1}
        chosen = range(len(self)) if loaders is None else [names.get(i, i) for i in loaders]
        steps = list(Pipeline(tfms))
        for place, i in enumerate(chosen):
            loader = self.loaders[i]
            with isolated(0):  # what is learnt must not move the seeds of what comes later
                getattr(loader, event).add(steps, loader, do_setup=place == 0)

    @classmethod
    def from_dsets(
        cls,
        *ds: Any,
        path: str | Path = ".",
        bs: int = 64,
        device: torch.device | str | None = None,
        dl_type: Any = TfmdDL,
        **kwargs: Any,
    ) -> Self:
        """Loaders over data sets, training first; `kwargs` are settings of `dl_type`.

        The training loader shuffles and drops a last batch that is not full.
        """
        defaults = [{"shuffle": True, "drop_last": True}, *({} for _ in ds[1:])]
        loaders = [
            dl_type(d, **{"bs": bs, **own, **kwargs}) for d, own in zip(ds, defaults, strict=True)
        ]
        return cls(*loaders, path=path, device=device if device is not None else default_device())

    @classmethod
    def from_dblock(cls, dblock: Any, source: Any, path: str | Path = ".", **kwargs: Any) -> Self:
        """Loaders that the `DataBlock` makes of `source`."""
        made: Self = dblock.dataloaders(source, path=path, **kwargs)
        return made

    def __getattr__(self, name: str) -> Any:
        """An attribute of the training loader, for example `vocab`."""
        if name.startswith("_") or name == "loaders" or not self.loaders:
            raise AttributeError(name)
        return getattr(self.loaders[0], name)


def get_show_batch_func(x_typ: type = TensorBase, y_typ: type = TensorBase) -> Any:
    """The method of `show_batch` for inputs and targets of these types."""
    return show_batch.function_for(x_typ, y_typ)


def _types_of(b: Any) -> Any:
    """The types of a batch, in its structure."""
    if isinstance(b, tuple | list):
        return [_types_of(member) for member in b]
    if isinstance(b, Mapping):
        return {key: _types_of(member) for key, member in b.items()}
    return type(b), dict(vars(b)) if isinstance(b, TensorBase) else {}


def dressed(b: Any, types: Any) -> Any:
    """`b` with the types that its members had when they left the loader."""
    if isinstance(b, tuple | list) and isinstance(types, list):
        members = [dressed(m, t) for m, t in zip(b, types, strict=False)]
        members.extend(b[len(types) :])
        if hasattr(b, "_fields"):
            return type(b)(*members)
        return type(b)(members) if isinstance(b, tuple) else tuple(members)
    if isinstance(b, Mapping) and isinstance(types, dict):
        return {key: dressed(member, types.get(key)) for key, member in b.items()}
    if not isinstance(types, tuple) or type(b) is not torch.Tensor:
        return b
    kind, meta = types
    return kind(b, **meta) if issubclass(kind, TensorBase) else b


def _as_tuple(b: Any) -> tuple[Any, ...]:
    return tuple(b) if isinstance(b, tuple | list) else (b,)


def _unwrapped(members: Any) -> Any:
    """The one member where there is one; None where there is none."""
    if not isinstance(members, tuple | list):
        return members
    return members[0] if len(members) == 1 else members if members else None


def shown_by(loader: Any, name: str) -> Any:
    """`loader`, if it can show its samples; else an error that says which loaders can."""
    if not hasattr(loader, name):
        raise TypeError(
            f"{name} needs transforms that turn numbers back into what people look at; loaders "
            "made from a Datasets or a DataBlock have them. The numbers are in dls.one_batch(), "
            "and predictions for them come from learn.get_preds()"
        )
    return loader
