"""`FilteredBase`: data with splits, and the way from it to loaders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.partial import PartialDL
from layerwise.core.data.weighted import WeightedDL
from layerwise.core.devices import default_device
from layerwise.core.errors import DataError

__all__ = ["FilteredBase", "SplitLists"]

SplitLists = Sequence[Sequence[int]]


class FilteredBase:
    """What `TfmdLists` and `Datasets` share: subsets by split, and loaders over them."""

    splits: SplitLists | None
    dl_type: Any = None
    weighted_type: type[TfmdDL] = WeightedDL

    def subset(self, i: int) -> Self:
        """The data of split `i` alone."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a subset of it is")

    @property
    def n_subsets(self) -> int:
        """How many splits there are."""
        return len(self.splits) if self.splits is not None else 1

    @property
    def train(self) -> Self:
        """The training split."""
        return self.subset(0)

    @property
    def valid(self) -> Self:
        """The validation split."""
        return self.subset(1)

    def _split(self, i: int) -> Sequence[int]:
        if self.splits is None:
            raise DataError(f"{type(self).__name__} has no splits; pass splits=")
        if not 0 <= i < len(self.splits):
            raise DataError(
                f"there is no split {i}; there are {len(self.splits)}, 0 to {len(self.splits) - 1}"
            )
        return self.splits[i]

    def dataloaders(
        self,
        bs: int = 64,
        *,
        shuffle: bool = True,
        val_shuffle: bool = False,
        val_bs: int | None = None,
        n: int | None = None,
        drop_last: bool | None = None,
        path: str | Path = ".",
        dl_type: Any = None,
        dl_kwargs: Sequence[dict[str, Any]] | None = None,
        device: torch.device | str | None = None,
        **kwargs: Any,
    ) -> DataLoaders:
        """One loader per split.

        Args:
            bs: samples per training batch.
            shuffle: shuffle the training split.
            val_shuffle: shuffle the others.
            val_bs: samples per batch of the others; `bs` when None, since batch size does not
                change what is measured.
            n: use only that many training samples.
            drop_last: leave out a last training batch that is not full, which batch norm may not
                bear; None: where training shuffles and has more than one batch.
            path: where what belongs to the task is written.
            dl_type: class of loader; what the data wants, else `TfmdDL`.
            dl_kwargs: more settings, one dictionary per split.
            device: where batches go; `default_device()` when None.
            kwargs: settings of all loaders, transforms among them.
        """
        kind = dl_type or self.dl_type or TfmdDL
        own = list(dl_kwargs) if dl_kwargs is not None else [{} for _ in range(self.n_subsets)]
        if len(own) != self.n_subsets:
            raise ValueError(f"{len(own)} dl_kwargs for {self.n_subsets} splits; give one each")
        data = self.subset(0) if self.splits is not None else self
        if drop_last is None:
            drop_last = shuffle and len(data) >= bs  # type: ignore[arg-type]  # data has a length
        first = {"bs": bs, "shuffle": shuffle, "n": n, "drop_last": drop_last}
        train = kind(data, **{**kwargs, **first, **own[0]})
        others = {
            "bs": val_bs or bs,
            "shuffle": val_shuffle,
            "n": None,
            "drop_last": False,
            "num_workers": kwargs.get("num_workers", 0),
        }
        rest = [train.new(self.subset(i), **{**others, **own[i]}) for i in range(1, len(own))]
        target = device if device is not None else default_device()
        return DataLoaders(train, *rest, path=path, device=target)

    def weighted_dataloaders(
        self, wgts: Sequence[float] | Tensor, bs: int = 64, **kwargs: Any
    ) -> DataLoaders:
        """Loaders that draw training samples by weight; see `WeightedDL`.

        Args:
            wgts: a weight for each item of all splits, or for each training item.
            bs: samples per training batch.
            kwargs: those of `dataloaders`.
        """
        if self.splits is not None and len(wgts) != len(self.splits[0]):
            total: int = len(self)  # type: ignore[arg-type]  # data has a length
            if len(wgts) != total:
                raise ValueError(
                    f"{len(wgts)} weights for {total} items, {len(self.splits[0])} of them for "
                    "training; give one for each item, or for each training item"
                )
            wgts = torch.as_tensor(wgts)[list(self.splits[0])]
        return self._special(self.weighted_type, {"wgts": wgts}, bs, kwargs)

    def partial_dataloaders(self, partial_n: int, bs: int = 64, **kwargs: Any) -> DataLoaders:
        """Loaders with `partial_n` training samples an epoch, others each time; see `PartialDL`.

        Args:
            partial_n: training samples in an epoch.
            bs: samples per training batch.
            kwargs: those of `dataloaders`.
        """
        return self._special(PartialDL, {"partial_n": partial_n}, bs, kwargs)

    def _special(
        self, kind: type[TfmdDL], settings: dict[str, Any], bs: int, kwargs: dict[str, Any]
    ) -> DataLoaders:
        wanted = kwargs.pop("dl_type", None) or self.dl_type or TfmdDL
        if kind is wanted or not issubclass(kind, wanted):
            raise ValueError(
                f"these data are loaded by {wanted.__name__}, which has an order of its own; "
                f"a {kind.__name__} cannot take its place"
            )
        own = kwargs.pop("dl_kwargs", None) or [{} for _ in range(self.n_subsets)]
        first = {**settings, **own[0]}
        return self.dataloaders(bs, dl_type=kind, dl_kwargs=[first, *own[1:]], **kwargs)
