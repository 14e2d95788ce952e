"""`Predictor`: from an item to what the model says of it, with nothing in between that costs.

The way of an item: the transforms of the data make a batch of it, the model gives outputs, the
loss turns them into predictions, and the transforms decode these. Each step is a method,
so that a server can take them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loaders import TfmdDL, dressed
from layerwise.core.items import L
from layerwise.core.nested import batch_to_samples, to_cpu
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.engine import split_batch
from layerwise.core.train.events import BATCH, FIT, VALIDATE, Event
from layerwise.core.train.outputs import read_output
from layerwise.core.train.predict import activation_of, decodes_of
from layerwise.core.train.progress import ProgressCallback, no_bar
from layerwise.core.train.recorder import Recorder
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import Transform

__all__ = ["Predictor"]

# What they do for predictions is done here.
_USUAL = (TrainEvalCallback, Recorder, ProgressCallback)

# How a transform goes through a tuple if it looks at each member on its own.
_BY_MEMBER = (Transform._apply, RandTransform._apply)

_HEARD = {
    Event.after_pred, Event.after_loss,
    *(event for phase in (FIT, VALIDATE, BATCH) for event in (phase.before, phase.after)),
}  # fmt: skip


class Predictor:
    """Predictions for items, one by one or in batches.

    Callbacks are called only if one of them may change predictions: the usual ones do not, and none
    that only looks (`in_search = False` in its class).

    Args:
        learn: a learner whose data has transforms.
        rm_type_tfms: how many first transforms to leave out; found from the type of each item when
            None.

    Raises:
        TypeError: if the learner's loaders do not know how an item becomes an input.
    """

    def __init__(self, learn: Any, rm_type_tfms: int | None = None) -> None:
        if not hasattr(learn.dls, "decode_batch"):
            raise TypeError(
                "predict takes an item through the transforms of the data and back; loaders of "
                "Datasets or of a DataBlock have them. For a tensor that the model takes as it "
                "is, use get_preds(dl=[(x[None],)])"
            )
        self.learn, self.rm_type_tfms = learn, rm_type_tfms

    def __call__(self, item: Any, *, with_input: bool = False) -> tuple[Any, ...]:
        """The decoded prediction of `item`, what the loss decodes, and the prediction.

        Args:
            item: as the data set starts from, or as one of its steps takes it.
            with_input: put the decoded input first.
        """
        return next(self.each([item], bs=1, with_input=with_input))

    def each(
        self, items: Any, bs: int | None = None, *, with_input: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """What a call gives, for each of `items`, in batches of `bs` (as in validation if None)."""
        loader = self.loader(items, bs)
        places = loader.get_idxs()
        found = self._found(loader, with_input=with_input)
        if places == list(range(len(places))):
            yield from found
        else:  # sorted by length, for example: back in the order of `items`
            at = dict(zip(places, found, strict=True))
            yield from (at[i] for i in range(len(at)))

    def _found(self, loader: Any, *, with_input: bool) -> Iterator[tuple[Any, ...]]:
        for batch in loader:
            preds, decoded = self.outputs(batch)
            yield from self.decode(batch, preds, decoded, with_input=with_input)

    def takes_list(self, item: Any) -> bool:
        """Whether `item` is several items rather than one that is a list.

        It is one where the data takes lists before it takes what is in this one. Where one step
        takes both, as a tokeniser takes texts and tokens, a plain list is several, an `L` is one.
        """
        if type(item) not in (list, L) or not len(item):
            return type(item) in (list, L)
        dataset = self._source.dataset
        types = getattr(getattr(dataset, "tls", [dataset])[0], "types", None) or []
        first, whole = (_place(types, x) for x in (item[0], item))
        if first == whole < len(types):
            return type(item) is list and not isinstance(item[0], list | L)
        return first < whole or whole == len(types)

    @property
    def _source(self) -> Any:
        loaders = self.learn.dls.loaders
        return loaders[1] if len(loaders) > 1 else loaders[0]

    def batches(self, items: Any, bs: int | None = None) -> Iterator[Any]:
        """Batches of inputs, on the device, in the order of their loader."""
        return iter(self.loader(items, bs))

    def loader(self, items: Any, bs: int | None = None) -> Any:
        """What makes them."""
        settings = {} if bs is None else {"bs": bs}
        loader = self.learn.dls.test_dl(
            items, rm_type_tfms=self.rm_type_tfms, num_workers=0, **settings
        )
        loader.set_epoch(0, 0)  # so that nothing is drawn for a seed
        return loader

    def outputs(self, batch: Any) -> tuple[Any, Any]:
        """Predictions for a batch, and what the loss decodes them to, on the CPU."""
        learn = self.learn
        if any(_is_needed(cb) for cb in learn.cbs):
            with no_bar(learn):
                preds, _, decoded = learn.get_preds(dl=[batch], with_decoded=True)
            return preds, decoded
        inputs, _ = split_batch(learn, batch)
        model = learn.model
        was_training = model.training
        if was_training:
            model.eval()
        try:
            with torch.no_grad():
                output, _ = read_output(learn.call_model(*inputs))
                preds = activation_of(learn.loss_func)(_on_cpu(output))
                return preds, decodes_of(learn.loss_func)(preds)
        finally:
            if was_training:
                model.train()

    def decode(
        self, batch: Any, preds: Any, decoded: Any, *, with_input: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """What a call gives, for each sample of a batch.

        Args:
            batch: the inputs, as `batches` gave them.
            preds: as `outputs` gave them, like all that follow.
            decoded: what the loss decodes them to.
            with_input: put the decoded input first.
        """
        outs = decoded if isinstance(decoded, tuple) else (decoded,)
        size = len(preds[0] if isinstance(preds, tuple) else preds)
        inputs: list[Any] = [None] * size
        targets = None if with_input else self._targets_alone(outs, size)
        if targets is None:
            members = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
            samples = self.learn.dls.decode_batch((*members, *outs), max_n=size)
            inputs = [_alone(sample[: len(members)]) for sample in samples]
            targets = [sample[len(members) :] for sample in samples]
        for i, target in enumerate(targets):
            found = _alone(target), _at(decoded, i), _at(preds, i)
            yield (inputs[i], *found) if with_input else found

    def _targets_alone(self, outs: tuple[Any, ...], size: int) -> list[tuple[Any, ...]] | None:
        """Decoded predictions without their inputs; None where a step wants the whole sample."""
        loader = self.learn.dls.loaders[0]
        dataset = loader.dataset
        is_usual = (
            type(loader).decode is TfmdDL.decode
            and type(loader).decode_batch is TfmdDL.decode_batch
            and type(dataset) is Datasets
            and isinstance(loader.types, list)
        )
        steps = (loader.after_batch, loader.before_batch, loader.after_item)
        if not is_usual or any(type(s)._apply not in _BY_MEMBER for pipe in steps for s in pipe):
            return None
        batch = loader.after_batch.decode(dressed(outs, loader.types[dataset.n_inp :]))
        lists = dataset.tls[dataset.n_inp :]
        found = []
        for sample in batch_to_samples(to_cpu(batch), max_n=size):
            sample = loader.after_item.decode(loader.before_batch.decode(sample))
            found.append(tuple(tl.decode(m) for m, tl in zip(sample, lists, strict=False)))
        return found


def _place(types: list[Any], x: Any) -> int:
    """The first step of the data that takes something like `x`; after the last if there is none."""
    return next((i for i, accepted in enumerate(types) if isinstance(x, accepted)), len(types))


def _is_needed(cb: Any) -> bool:
    """Whether predictions may depend on a callback."""
    kind = type(cb)
    if kind in _USUAL or not (kind.in_search and cb.run and cb.run_valid):
        return False
    return any(
        getattr(kind, event) is not getattr(Callback, event) or event in vars(cb)
        for event in _HEARD
    )


def _on_cpu(output: Any) -> Any:
    if isinstance(output, tuple | list):
        return tuple(_on_cpu(member) for member in output)
    return output.cpu()


def _alone(members: Any) -> Any:
    return members[0] if len(members) == 1 else tuple(members)


def _at(x: Any, i: int) -> Any:
    return tuple(member[i] for member in x) if isinstance(x, tuple) else x[i]
