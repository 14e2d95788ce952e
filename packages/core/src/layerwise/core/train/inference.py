"""What a learner does with a trained model: items, orders, augmentation at test time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from layerwise.core.data.loader import DataLoader
from layerwise.core.train.data_config import inference_loader
from layerwise.core.train.predictor import Predictor
from layerwise.core.train.progress import no_bar
from layerwise.core.train.recorder import Recorder
from layerwise.core.transforms.pipeline import describe

__all__: list[str] = []


class Kept:
    """What a validation must not change: the record of the training before it, and its counts."""

    def __init__(self, learn: Any) -> None:
        self.counts = learn.train_iter, learn.pct_train
        self.learn = learn
        # A recorder starts a record with new lists and leaves the old ones as they are.
        self.records = [
            (part, dict(vars(part)))
            for cb in learn.cbs
            if isinstance(cb, Recorder)
            for part in (cb, cb.smooth_loss, cb.loss_metric)
        ]

    def put_back(self) -> None:
        """Restore them."""
        for part, values in self.records:
            vars(part).update(values)
        self.learn.train_iter, self.learn.pct_train = self.counts


def in_order(loader: Any) -> tuple[Any, Tensor | None]:
    """`loader` with all items and no shuffling, and what puts its items in the data's order."""
    if not isinstance(loader, DataLoader):
        return loader, None
    if loader.shuffle or loader.drop_last:
        loader = loader.new(shuffle=False, drop_last=False)
    if not loader.indexed:
        return loader, None
    places = loader.get_idxs()
    if places == list(range(len(places))):
        return loader, None
    return loader, torch.tensor(places).argsort()


def predicted_item(learn: Any, item: Any, rm_type_tfms: int | None, with_input: bool) -> Any:
    """What `learn` says of one item, or of each of several; see `Learner.predict`."""
    kind = getattr(inference_loader(learn.dls), "predictor_type", Predictor)
    predictor = kind(learn, rm_type_tfms)
    if predictor.takes_list(item):
        return list(predictor.each(item, with_input=with_input)) if len(item) else []
    return predictor(item, with_input=with_input)


def augmented_preds(
    learn: Any,
    loader: Any,
    n: int,
    item_tfms: Any,
    batch_tfms: Any,
    beta: float | None,
    use_max: bool,
) -> tuple[Any, Any]:
    """Predictions over augmented items and plain ones; see `Learner.tta`."""
    settings: dict[str, Any] = {"shuffle": False, "drop_last": False}
    for name, given in (("after_item", item_tfms), ("after_batch", batch_tfms)):
        settings[name] = list(getattr(learn.dls[0], name)) if given is None else given
    augmented = loader.new(**settings)
    as_training = getattr(augmented.dataset, "set_split_idx", None)
    if as_training is None:
        raise TypeError(
            f"tta augments by the transforms of Datasets; {type(augmented.dataset).__name__} "
            "has none"
        )
    with no_bar(learn), as_training(0):
        runs = [learn.get_preds(dl=augmented)[0] for _ in range(n)]
    with no_bar(learn):
        plain, targets = learn.get_preds(dl=loader.new(shuffle=False, drop_last=False))
    if use_max:
        return _each(lambda *r: torch.stack(r).amax(0), *runs, plain), targets
    varied = _each(lambda *r: torch.stack(r).mean(0), *runs)
    if beta is None:
        return (varied, plain), targets
    return _each(lambda v, p: torch.lerp(v, p, beta), varied, plain), targets


def _each(function: Callable[..., Any], *outputs: Any) -> Any:
    """`function` of several outputs of the model, member by member where they are tuples."""
    if isinstance(outputs[0], tuple | list):
        return tuple(_each(function, *members) for members in zip(*outputs, strict=True))
    first = outputs[0]
    if not first.is_floating_point() or {out.shape for out in outputs} != {first.shape}:
        raise TypeError(
            "tta averages what the model gives for several versions of an item, and there is no "
            f"average of {describe(first)}; use get_preds"
        )
    return function(*outputs)
