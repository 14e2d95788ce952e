"""Batch norm over the whole batch, where the processes have GPUs."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from layerwise.core.devices import rank_distrib

__all__: list[str] = []


class SyncedNorms:
    """Puts torch's `SyncBatchNorm` in the place of each batch norm of a model, until `put_back`.

    Weights and running statistics stay the same tensors. On CPUs, where torch has no such layer,
    the model stays as it is, and process 0 says so once.

    Args:
        model: changed in place.
        device: where it runs.
    """

    def __init__(self, model: nn.Module, device: torch.device | None) -> None:
        self._places: list[tuple[nn.Module, str, nn.Module]] = []
        found = [
            (parent, name, child)
            for parent in model.modules()
            for name, child in parent.named_children()
            if isinstance(child, _BatchNorm) and not isinstance(child, nn.SyncBatchNorm)
        ]
        if not found:
            return
        if device is None or device.type == "cpu":
            if rank_distrib() == 0:
                warnings.warn(
                    f"the {len(found)} batch norm layer(s) see the part of a batch that is in "
                    "their process, since torch's SyncBatchNorm works on GPUs only; pass "
                    "sync_bn=False to leave them so without this warning",
                    stacklevel=2,
                )
            return
        for parent, name, child in found:
            setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
            self._places.append((parent, name, child))

    def put_back(self) -> None:
        """Put the model's own layers back."""
        for parent, name, child in self._places:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)
        self._places.clear()
