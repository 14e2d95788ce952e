"""Predictions: gathered over a loader, with targets, losses, inputs and decoded values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from layerwise.core.items import listify
from layerwise.core.nested import find_bs, to_concat, to_detach
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder

__all__ = ["FetchPredsCallback", "GatherPredsCallback", "activation_of", "decodes_of"]


class GatherPredsCallback(Callback):
    """Collects predictions, and what else is asked for, over the batches of a validation.

    Reads `pred`, `yb`, `xb`, `loss`; changes nothing.

    Args:
        with_input: keep the inputs.
        with_loss: keep one loss per item; the loss function must not be reduced by then.
        with_preds: keep predictions in memory.
        with_targs: keep targets in memory.
        save_preds: a folder; one safetensors file of predictions per batch goes there.
        save_targs: likewise for targets.
        concat_dim: the axis along which batches are joined.

    Attributes:
        inputs, preds, targets, losses: what was collected, one entry per batch.
    """

    order: ClassVar[float] = 70
    run_train = False

    def __init__(
        self,
        with_input: bool = False,
        with_loss: bool = False,
        with_preds: bool = True,
        with_targs: bool = True,
        save_preds: str | Path | None = None,
        save_targs: str | Path | None = None,
        concat_dim: int = 0,
    ) -> None:
        super().__init__()
        self.with_input, self.with_loss = with_input, with_loss
        self.with_preds, self.with_targs = with_preds, with_targs
        self.save_preds = Path(save_preds) if save_preds is not None else None
        self.save_targs = Path(save_targs) if save_targs is not None else None
        self.concat_dim = concat_dim

    def before_validate(self) -> None:
        """Start with nothing."""
        self.inputs: list[Any] = []
        self.preds: list[Any] = []
        self.targets: list[Any] = []
        self.losses: list[Tensor] = []

    def after_batch(self) -> None:
        """Collect one batch, on the CPU."""
        learn = self.learn
        if self.with_loss and not learn.yb:
            raise ValueError(
                "with_loss=True needs targets, and this batch has none; make the loader with "
                "them (test_dl(..., with_labels=True)), or leave the losses out"
            )
        if self.with_input:
            self.inputs.append(to_detach(learn.xb))
        if self.with_preds:
            self.preds.append(to_detach(learn.pred))
        if self.with_targs:
            self.targets.append(to_detach(learn.yb))
        if self.save_preds is not None:
            self._save(self.save_preds, to_detach(learn.pred))
        if self.save_targs is not None:
            self._save(self.save_targs, _alone(to_detach(learn.yb)))
        if self.with_loss:
            # A loss of several numbers an item (pixels, tokens) counts with their mean.
            rows = find_bs(learn.yb)
            loss = learn.loss
            loss = loss.reshape(rows, -1).mean(1) if loss.numel() != rows else loss
            self.losses.append(to_detach(loss))

    def _save(self, folder: Path, values: Any) -> None:
        if self.learn.strategy.rank == 0:  # every process has gathered the same
            _write(folder, self.learn.iter, values)

    def all_tensors(self) -> list[Any]:
        """Inputs if asked for, predictions, targets, losses if asked for, batches joined."""
        found: list[Any] = [
            self._joined(self.preds) if self.with_preds else None,
            _alone(self._joined(self.targets)) if self.with_targs else None,
        ]
        if self.with_input:
            found.insert(0, _alone(self._joined(self.inputs)))
        if self.with_loss:
            found.append(torch.cat(self.losses) if self.losses else torch.tensor([]))
        return found

    def _joined(self, batches: list[Any]) -> Any:
        return to_concat(batches, dim=self.concat_dim) if batches else None


class FetchPredsCallback(Callback):
    """Predicts the validation set after each epoch, for callbacks that want to see predictions.

    Sets its own `preds`. Reads the learner through `get_preds`; neither the recorder nor it itself
    hears of that.

    Args:
        ds_idx: which loader.
        dl: the loader itself.
        with_input, with_decoded: passed to `get_preds`.
        cbs: callbacks, or classes of them, that must not hear of it either.
        reorder: passed to `get_preds`.

    Attributes:
        preds: what `get_preds` returned last.
    """

    order: ClassVar[float] = 80

    def __init__(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        with_input: bool = False,
        with_decoded: bool = False,
        cbs: Any = None,
        reorder: bool = True,
    ) -> None:
        super().__init__()
        self.ds_idx, self.reorder = ds_idx, reorder
        self.loader, self.without = dl, [type(self), Recorder, *listify(cbs)]
        self.with_input, self.with_decoded = with_input, with_decoded
        self.preds: Any = None

    def after_validate(self) -> None:
        """Predict."""
        learn: Any = self.learn
        with learn.removed_cbs(self.without):
            self.preds = learn.get_preds(
                ds_idx=self.ds_idx,
                dl=self.loader,
                with_input=self.with_input,
                with_decoded=self.with_decoded,
                reorder=self.reorder,
                inner=True,
            )


def activation_of(loss_func: Any) -> Any:
    """What turns outputs into predictions: the loss's own `activation`, or nothing."""
    return getattr(loss_func, "activation", _same)


def decodes_of(loss_func: Any) -> Any:
    """What turns predictions into values like the targets: the loss's own `decodes`, or nothing."""
    return getattr(loss_func, "decodes", _same)


def _same(x: Any) -> Any:
    return x


def _alone(members: Any) -> Any:
    """The one member of a tuple of one; None for an empty tuple."""
    if isinstance(members, tuple | list):
        return members[0] if len(members) == 1 else tuple(members) if members else None
    return members


def _write(folder: Path, number: int, values: Any) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(values, Tensor):
        named = {"values": values}
    elif isinstance(values, tuple | list):
        named = {f"values.{i}": member for i, member in enumerate(values)}
    else:
        raise TypeError(
            f"only tensors and tuples of them can be written to {folder}, not "
            f"{type(values).__name__}; leave out save_preds and save_targs"
        )
    # Members may be views of one tensor, which the format refuses.
    whole = {
        name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in named.items()
    }
    save_file(whole, folder / f"{number:06}.safetensors")
