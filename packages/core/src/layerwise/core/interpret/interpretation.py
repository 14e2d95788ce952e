"""`Interpretation`: on which items a model is wrong, and how much.

One loss an item is kept. Inputs and predictions of the items that are asked for are computed again,
so that a data set of any size can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.display.generic import plot_top_losses
from layerwise.core.display.heat import show_heat
from layerwise.core.errors import nearest
from layerwise.core.interpret.attribution import grad_cam
from layerwise.core.items import L
from layerwise.core.learner import Learner
from layerwise.core.nested import batch_to_samples
from layerwise.core.train.callback import Callback
from layerwise.core.train.engine import split_batch

__all__ = ["Interpretation"]

Act = Callable[[Any], Any]


class Interpretation:
    """The losses of a model over a data set, and a look at the items behind them.

    Items are seen as in validation: training data are neither shuffled nor augmented.

    Args:
        learn: the learner, which makes predictions anew where they are asked for.
        dl: the loader, in the order of its data set.
        losses: (N,) loss of each item.
        act: what turns outputs into predictions; the loss's own `activation` when None.

    Example:
        >>> from layerwise.core.testing.fakes import synth_learner
        >>> interp = Interpretation.from_learner(synth_learner(n_valid=2))
        >>> losses, indices = interp.top_losses(3)
        >>> len(interp.losses), bool(losses[0] == interp.losses.max())
        (32, True)
    """

    def __init__(self, learn: Learner, dl: Any, losses: Tensor, act: Act | None = None) -> None:
        self.learn, self.dl, self.losses, self.act = learn, dl, losses, act

    @classmethod
    def from_learner(
        cls, learn: Learner, ds_idx: int = 1, dl: Any = None, act: Act | None = None
    ) -> Self:
        """The interpretation of `learn` after one pass over a loader with targets.

        Args:
            learn: the learner.
            ds_idx: which loader of `learn.dls`; validation by default.
            dl: the loader itself, for example `learn.dls.test_dl(items, with_labels=True)`.
            act: what turns outputs into predictions; the loss's own `activation` when None.

        Raises:
            ValueError: if the loader gives no items, or no targets.
        """
        loader = learn.dls[ds_idx] if dl is None else dl
        if isinstance(loader, DataLoader):
            loader = loader.new(shuffle=False, drop_last=False)
        made = cls(learn, loader, torch.empty(0), act)
        made._run()
        return made

    def _run(self) -> None:
        """One pass over the loader: a loss for each item, and `_see` for each batch."""

        def see() -> None:
            if not self.learn.yb:
                raise ValueError(
                    "this loader gives no targets, so there are no losses to interpret; make it "
                    "with learn.dls.test_dl(items, with_labels=True)"
                )
            self._see(self.learn.pred, self.learn.yb, self.learn.loss)

        with _as_validation(self.dl):
            *_, self.losses = self.learn.get_preds(
                dl=self.dl, with_loss=True, with_preds=False, with_targs=False,
                cbs=Callback(after_batch=see),
            )  # fmt: skip
        if self.losses is None or not len(self.losses):
            raise ValueError(
                "this loader gives no items, so there is nothing to interpret; pass dl=, for "
                "example learn.dls.test_dl(items, with_labels=True)"
            )

    def _see(self, pred: Any, targets: tuple[Any, ...], loss: Tensor) -> None:
        """Take what is needed from one batch: outputs, targets, loss of each. Here, nothing."""

    def __len__(self) -> int:
        return len(self.losses)

    def __getitem__(self, idxs: int | Sequence[int] | Tensor) -> tuple[Any, Any, Any, Any, Tensor]:
        """Inputs, predictions, targets, decoded predictions and losses of the items `idxs`."""
        chosen = _listed(idxs)
        with _as_validation(self.dl), self.learn.no_bar():
            inputs, preds, targets, decoded = self.learn.get_preds(
                dl=self._loader(chosen), with_input=True, with_decoded=True, act=self.act,
                reorder=False,
            )  # fmt: skip
        return inputs, preds, targets, decoded, self.losses[chosen]

    def _loader(self, idxs: list[int], **settings: Any) -> Any:
        """A loader over the items `idxs` alone, in that order."""
        if not isinstance(self.dl, DataLoader) or not self.dl.indexed:
            raise TypeError(
                f"items cannot be fetched by index from {type(self.dl).__name__}; make the loader "
                "with DataLoader or TfmdDL over data with __getitem__"
            )
        if self.dl.n != len(self.losses):
            raise ValueError(
                f"{len(self.losses)} losses for {self.dl.n} items: some were skipped, so a loss no "
                "longer tells its item; remove them from the data set"
            )
        return self.dl.new(get_idxs=lambda: idxs, num_workers=0, **settings)

    def top_losses(
        self, k: int | None = None, largest: bool = True, items: bool = False
    ) -> tuple[Any, ...]:
        """The `k` largest losses and the indices of their items, largest first.

        Args:
            k: how many; all when None or more than there are.
            largest: otherwise the smallest, smallest first.
            items: add what the data set made these samples from (file names, rows).
        """
        count = len(self) if k is None else min(k, len(self))
        losses, idxs = self.losses.topk(count, largest=largest)
        return (losses, idxs, self._items(idxs.tolist())) if items else (losses, idxs)

    def _items(self, idxs: list[int]) -> Any:
        dataset: Any = getattr(self.dl, "dataset", None)
        found = getattr(dataset, "items", dataset)
        if hasattr(found, "iloc"):
            return found.iloc[idxs]
        if not hasattr(found, "__getitem__"):
            raise TypeError(
                f"{type(dataset).__name__} does not keep the items of its samples; pass items=False"
            )
        return L([found[i] for i in idxs])

    def plot_top_losses(
        self, k: int | Sequence[int], largest: bool = True, **kwargs: Any
    ) -> list[Any]:
        """The contexts on which the items with the largest losses are shown, worst first.

        Args:
            k: how many, or the indices of the items themselves.
            largest: otherwise the smallest.
            **kwargs: for the method of `plot_top_losses` for these types of input and target,
                which refuses what it does not know.
        """
        idxs = self.top_losses(k, largest)[1].tolist() if isinstance(k, int) else _listed(k)
        loader, batch, preds, decoded = self._predicted(idxs)
        x, y, samples, outs = loader.show_results(batch, decoded, max_n=len(idxs), show=False)
        raws = batch_to_samples(preds, max_n=len(idxs))
        shown: list[Any] = plot_top_losses(
            x, y, samples, outs, raws, self.losses[idxs].tolist(), **kwargs
        )
        return shown

    def show_results(self, idxs: Sequence[int] | Tensor, **kwargs: Any) -> Any:
        """The contexts on which the items `idxs` are shown beside what is predicted for them.

        Args:
            idxs: which items.
            **kwargs: for the method of `show_results` for these types of input and target, which
                refuses what it does not know.
        """
        chosen = _listed(idxs)
        loader, batch, _, decoded = self._predicted(chosen)
        return loader.show_results(batch, decoded, max_n=len(chosen), **kwargs)

    def show_attribution(
        self,
        idxs: Sequence[int] | Tensor,
        targets: Any = None,
        method: Callable[..., Tensor] = grad_cam,
        *,
        alpha: float = 0.5,
        cmap: str = "inferno",
        show: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """The axes with the items `idxs` and, over each picture, where the model saw a class.

        Args:
            idxs: which items.
            targets: the class (its number or its name), or one for each item; the predicted ones
                when None.
            method: `grad_cam`, `input_gradients`, `integrated_gradients`, or any function of
                (model, inputs, targets) that returns (N, h, w), or (N, C, H, W), of which the
                largest magnitude of the channels is shown.
            alpha: how much of the picture the heat map hides.
            cmap: colours of the heat map.
            show: keywords of `show_results`, such as `figsize`.
            **options: keywords of `method`, for example `layer` of `grad_cam`.
        """
        chosen = _listed(idxs)
        loader, batch, _, decoded = self._predicted(chosen)
        inputs, _ = split_batch(self.learn, batch)
        maps = method(self.learn.model, inputs, self._classes_of(targets), **options)
        axes = loader.show_results(batch, decoded, max_n=len(chosen), **(show or {}))
        # Targets that are pictures have axes of their own, beside those of the input.
        pictures = axes[:: max(1, len(axes) // len(chosen))]
        show_heat(maps, pictures, alpha=alpha, cmap=cmap)
        return axes

    def _classes_of(self, targets: Any) -> Any:
        """Names of classes as their numbers."""
        if isinstance(targets, list | tuple):
            return [self._classes_of(target) for target in targets]
        if not isinstance(targets, str):
            return targets
        vocab = next(self._vocabularies(), [])
        if targets not in vocab:
            names = [str(name) for name in vocab]
            raise LookupError(
                f"no class is called {targets!r}.{nearest(targets, names)} Give its number, or one "
                f"of the {len(names)} names: {', '.join(names[:10])}"
            )
        return vocab.index(targets)

    def _vocabularies(self) -> Iterator[list[Any]]:
        """The names of classes that the data know; those of a mask stand in its item transform."""
        for owner in (self.dl, self.learn.dls, getattr(self.dl, "after_item", None)):
            found = getattr(owner, "vocab", None)
            if found is None or not len(found):
                continue
            if not isinstance(found[-1], str) and hasattr(found[-1], "__len__"):
                found = found[-1]  # of several vocabularies, that of the target
            # Names of an array print with their type.
            yield [str(name) if isinstance(name, str) else name for name in found]

    def _predicted(self, idxs: list[int]) -> tuple[TfmdDL, Any, Any, Any]:
        """A loader over `idxs`, its one batch, and predictions for it."""
        loader = self._loader(idxs, bs=len(idxs))
        if not isinstance(loader, TfmdDL):
            raise TypeError(
                f"{type(loader).__name__} cannot decode what it loads; use a TfmdDL, which "
                "Datasets.dataloaders and DataBlock.dataloaders make"
            )
        with _as_validation(self.dl), self.learn.no_bar():
            batch = loader.one_batch()
            preds, _, decoded = self.learn.get_preds(dl=[batch], with_decoded=True, act=self.act)
        return loader, batch, preds, decoded


@contextmanager
def _as_validation(dl: Any) -> Iterator[None]:
    """Without augmentation, inside this context: otherwise an item would look new each time."""
    act_as = getattr(getattr(dl, "dataset", None), "set_split_idx", None)
    if act_as is None:
        yield
    else:
        with act_as(1):
            yield


def _listed(idxs: int | Sequence[int] | Tensor) -> list[int]:
    if isinstance(idxs, int):
        return [idxs]
    return idxs.tolist() if isinstance(idxs, Tensor) else list(idxs)
