"""Samples beside what the model says of them now: what loggers show during training."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

import torch

from layerwise.core.data.loaders import TfmdDL
from layerwise.core.devices import num_distrib
from layerwise.core.display.table import Table
from layerwise.core.nested import to_detach
from layerwise.core.random import isolated
from layerwise.core.train.engine import split_batch
from layerwise.core.train.predict import activation_of, decodes_of
from layerwise.core.train.state import TrainState

__all__: list[str] = []


class _Shown(NamedTuple):
    """Decoded samples and predictions, with their types.

    Attributes:
        x: inputs of the batch, for their type.
        y: targets of the batch, for their type.
        samples: tuples of inputs and targets; None where a batch shows itself as a whole.
        outs: a tuple of predictions for each sample, likewise.
        picture: a figure, a table where there is nothing to draw, or None where nothing was shown.
    """

    x: Any
    y: Any
    samples: Any
    outs: Any
    picture: Any


def shown_preds(learn: TrainState, count: int, loader: Any = None) -> _Shown | None:
    """The first `count` samples of the validation data with predictions; None where there are none.

    The model is called in evaluation mode; its mode and all random states are put back.

    Args:
        learn: the learner.
        count: how many samples.
        loader: where samples come from; `learn.dls.valid` when None.
    """
    if num_distrib() > 1:
        return None  # the first process, which alone would call the model, would wait for the rest
    if loader is None:
        loaders = getattr(learn.dls, "loaders", None)
        if loaders is not None and len(loaders) < 2:
            return None
        loader = getattr(learn.dls, "valid", None)
    if not isinstance(loader, TfmdDL) or not len(loader):
        return None
    with isolated(0):
        batch = loader.new(bs=count, shuffle=False, drop_last=False, num_workers=0).one_batch()
        decoded = _decoded(learn, batch)
        x, y, samples, outs = loader.show_results(batch, decoded, max_n=count, show=False)
        with redirect_stdout(StringIO()):  # where results are a table, it would be printed
            drawn = loader.show_results(batch, decoded, max_n=count)
    return _Shown(x, y, samples, outs, _picture(drawn))


def _decoded(learn: TrainState, batch: Any) -> Any:
    was_training = learn.model.training
    inputs, _ = split_batch(learn, batch)
    learn.model.eval()
    try:
        with torch.no_grad():
            pred = to_detach(learn.call_model(*inputs))
    finally:
        learn.model.train(was_training)
    return decodes_of(learn.loss_func)(activation_of(learn.loss_func)(pred))


def _picture(drawn: Any) -> Any:
    """The figure that was drawn on, or the rows as a table, or None."""
    if not isinstance(drawn, list | tuple) or not drawn:
        return None
    first = drawn[0]
    if isinstance(first, tuple | list):  # several axes for each sample
        first = first[0]
    figure = getattr(first, "figure", None)
    if figure is None:
        return Table(drawn)
    import matplotlib.pyplot as plt

    plt.close(figure)  # the logger holds it; a notebook would draw it once more
    return figure
