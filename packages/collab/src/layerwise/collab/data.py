"""`CollabDataLoaders`: loaders of ratings, from a frame, a file or arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from layerwise.collab.ids import BadRowError, Ids, check_ids, plain
from layerwise.collab.negatives import BatchNegatives, DrawNegatives
from layerwise.collab.ratings import Negatives, Ratings
from layerwise.collab.tables import (
    chosen_columns,
    line_of,
    read_ratings,
    rows_placed,
)
from layerwise.core.data.array_loader import ArrayDL
from layerwise.core.data.loader import loader_options
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.devices import default_device
from layerwise.core.errors import DataError, refuse_unknown
from layerwise.core.types import PathLike

__all__ = ["CollabDataLoaders"]

Splitter = Callable[[Any], tuple[Iterable[int], Iterable[int]]]
Place = Callable[[int], str]

# Rows of a batch that validates, at least: nothing of it is kept for gradients.
_SMALLEST_VALIDATED = 1024

# Items beside each that was taken, in validation: as many as He et al. (2017) rank it among.
_VALIDATED = 99


class CollabDataLoaders(DataLoaders):
    """Loaders of users, items and ratings: batches of (B, 2) codes and (B,) ratings.

    All methods take besides: `bs`, rows per batch (64); `val_bs`, rows per batch of validation (as
    many, 1,024 at least); `path`, where what belongs to the task is written; `device`; and
    `kwargs`, settings of the loaders.

    Attributes:
        classes: the classes of users and of items, by the names of their columns.
    """

    @classmethod
    def from_df(
        cls,
        ratings: pd.DataFrame,
        valid_pct: float = 0.2,
        user_name: str | None = None,
        item_name: str | None = None,
        rating_name: str | None = None,
        seed: int | None = None,
        path: PathLike = ".",
        *,
        splitter: Splitter | None = None,
        user_vocab: Iterable[Any] | None = None,
        item_vocab: Iterable[Any] | None = None,
        negatives: Negatives = None,
        **kwargs: Any,
    ) -> CollabDataLoaders:
        """From a frame with a row for each rating.

        Args:
            ratings: the frame; columns that are not asked for do not matter.
            valid_pct: share of the rows that validates.
            user_name: column of the users; the first when None.
            item_name: column of the items; the second when None.
            rating_name: column of the ratings; the third when None, if ratings are wanted.
            seed: decides that share; torch's global generator is drawn from when None.
            path: see the class.
            splitter: from the frame to the positions of rows that train and that validate, in place
                of a random share.
            user_vocab: all users there are, in the order of their codes; those in the rows that
                train when None.
            item_vocab: all items, likewise.
            negatives: None: ratings are predicted. Otherwise rows are what users have taken, and
                what they have not is made up (implicit feedback): how many items are drawn beside
                each, for `BPRLoss`, or "batch": those of the other rows, for `SampledSoftmaxLoss`.
            kwargs: see the class.

        Raises:
            DataError: for a frame that is empty, lacks a column or has one twice; and for the first
                row without an id or a rating, or with ids of another kind.

        Example:
            >>> df = pd.DataFrame({"user": [1, 1, 2, 2], "film": list("abab")})
            >>> dls = CollabDataLoaders.from_df(df.assign(rating=3), bs=2, seed=1)
            >>> x, y = dls.one_batch()
            >>> x.shape, y.shape, len(dls.classes["user"])
            (torch.Size([2, 2]), torch.Size([2]), 3)
        """
        _refuse(kwargs, cls.from_df)
        return cls._from_table(
            ratings, lambda row: f"row {row} of the frame", "the frame",
            names=(user_name, item_name, rating_name), split=(valid_pct, seed, splitter),
            vocabs=(user_vocab, item_vocab), negatives=negatives, path=path, **kwargs,
        )  # fmt: skip

    @classmethod
    def from_csv(
        cls,
        csv: PathLike,
        valid_pct: float = 0.2,
        user_name: str | None = None,
        item_name: str | None = None,
        rating_name: str | None = None,
        seed: int | None = None,
        path: PathLike = ".",
        *,
        delimiter: str = ",",
        names: list[str] | None = None,
        encoding: str = "utf-8",
        na_values: str | Sequence[str] | None = None,
        splitter: Splitter | None = None,
        user_vocab: Iterable[Any] | None = None,
        item_vocab: Iterable[Any] | None = None,
        negatives: Negatives = None,
        **kwargs: Any,
    ) -> CollabDataLoaders:
        """From a file of separated values with a line for each rating.

        Args:
            csv: the file.
            valid_pct: see `from_df`, as is all up to `path`.
            user_name: column of the users.
            item_name: column of the items.
            rating_name: column of the ratings.
            seed: decides the share that validates.
            path: see the class.
            delimiter: what parts the columns.
            names: of the columns, for a file that does not begin with them.
            encoding: of the text.
            na_values: a text, or several, that stand for a missing value, such as "?".
            splitter: see `from_df`, as are those that follow.
            user_vocab: all users there are.
            item_vocab: all items there are.
            negatives: None for ratings, otherwise what users took is ranked.
            kwargs: see the class.

        Raises:
            DataError: as `from_df` does, naming the file and the line.
        """
        _refuse(kwargs, cls.from_csv)
        df = read_ratings(csv, delimiter, names, encoding, na_values)

        def place(row: int) -> str:
            return f"{csv}, line {line_of(csv, row, delimiter, names is None, encoding)}"

        return cls._from_table(
            df, place, str(csv),
            names=(user_name, item_name, rating_name), split=(valid_pct, seed, splitter),
            vocabs=(user_vocab, item_vocab), negatives=negatives, path=path, **kwargs,
        )  # fmt: skip

    @classmethod
    def from_ratings(
        cls,
        ratings: Ratings,
        valid_pct: float = 0.2,
        seed: int | None = None,
        path: PathLike = ".",
        *,
        splitter: Splitter | None = None,
        **kwargs: Any,
    ) -> CollabDataLoaders:
        """From arrays of codes, in memory or on the disk (`Ratings.open`).

        Args:
            ratings: the arrays, and the ids behind them.
            valid_pct: share of the rows that validates.
            seed: decides that share; torch's global generator is drawn from when None.
            path: see the class.
            splitter: from `ratings` to the positions of rows that train and that validate.
            kwargs: see the class.
        """
        _refuse(kwargs, cls.from_ratings)
        train, valid = _split(ratings, valid_pct, seed, splitter)
        return cls._of(*ratings.split(train, valid), path=path, **kwargs)

    def show_batch(self, *args: Any, show: bool = True, **kwargs: Any) -> Any:
        """Print samples of the training loader as a table; arguments as for `TfmdDL.show_batch`.

        Nothing comes back but for `show=False`: a notebook would print the rows a second time.
        """
        found = super().show_batch(*args, show=show, **kwargs)
        return None if show else found

    @classmethod
    def _from_table(
        cls,
        df: pd.DataFrame,
        place: Place,
        told: str,
        *,
        names: tuple[str | None, str | None, str | None],
        split: tuple[float, int | None, Splitter | None],
        vocabs: tuple[Iterable[Any] | None, Iterable[Any] | None],
        negatives: Negatives,
        **kwargs: Any,
    ) -> CollabDataLoaders:
        # What was taken needs no rating.
        wanted = names if negatives is None else names[:2]
        columns = chosen_columns(df, wanted, told)
        train, valid = _split(df, *split)
        user, item, *rating = map(str, columns)
        df = df[columns].set_axis([user, item, *rating], axis=1)
        with rows_placed(place):
            users, items = (
                _ids(df[name], train, vocab)
                for name, vocab in zip((user, item), vocabs, strict=True)
            )
            ratings = Ratings.from_df(
                df, users, items, rating[0] if rating else None, negatives=negatives
            )
        return cls._of(*ratings.split(train, valid), **kwargs)

    @classmethod
    def _of(
        cls,
        train: Ratings,
        valid: Ratings,
        *,
        path: PathLike = ".",
        bs: int = 64,
        val_bs: int | None = None,
        device: torch.device | str | None = None,
        **kwargs: Any,
    ) -> CollabDataLoaders:
        if not len(train):
            raise DataError("no row is left for training; pass a smaller valid_pct")
        # Fewer rows than a batch are one batch.
        settings = {"shuffle": True, "drop_last": len(train) >= bs, **kwargs}
        of_valid = {**kwargs, "shuffle": False, "drop_last": False}
        first, second = _candidates(train)
        return cls(
            ArrayDL(train, bs, after_batch=first, **settings),
            ArrayDL(
                valid,
                max(bs, _SMALLEST_VALIDATED) if val_bs is None else val_bs,
                after_batch=second,
                **of_valid,
            ),
            path=Path(path),
            device=default_device() if device is None else device,
        )


def _ids(column: pd.Series, train: NDArray[np.int64], vocab: Iterable[Any] | None) -> Ids:
    """The ids of a column, which are those of the rows that train, or those in `vocab`."""
    check_ids(column, f"column {column.name!r}")
    if vocab is None:
        return Ids.learnt(column.iloc[train])
    ids = Ids(str(column.name), vocab)
    unknown = train[ids.codes(column)[train] == 0]
    if len(unknown):
        row = int(unknown.min())
        raise BadRowError(
            row,
            f"{plain(column.iloc[row])!r} in column {column.name!r} is not in the vocabulary "
            "given; add it, or leave such rows out of training",
        )
    return ids


def _split(
    items: Any, valid_pct: float, seed: int | None, splitter: Splitter | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of rows that train, and of rows that validate."""
    if splitter is not None:
        train, valid = splitter(items)
        return np.asarray(train, np.int64), np.asarray(valid, np.int64)
    if not 0 <= valid_pct < 1:
        raise ValueError(f"valid_pct={valid_pct!r}; give a share of the rows from 0 up to 1")
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    # The same split as that of RandomSplitter, without a list of millions of numbers.
    order = torch.randperm(len(items), generator=generator).numpy()
    cut = int(valid_pct * len(items))
    return order[cut:], order[:cut]


def _candidates(train: Ratings) -> tuple[Any, Any]:
    """What puts candidates into the batches of training and of validation; none for ratings."""
    if train.negatives is None:
        return None, None
    own = BatchNegatives() if train.negatives == "batch" else DrawNegatives(int(train.negatives))
    return own, DrawNegatives(_VALIDATED, all_splits=True)


def _refuse(settings: dict[str, Any], factory: Callable[..., Any]) -> None:
    """Refuse what neither the factory nor the loaders know, naming the nearest of either."""
    own = {*signature(factory).parameters, "bs", "val_bs", "device"}
    known = {*own, *loader_options(ArrayDL)} - {"self", "kwargs", "after_batch", "dataset"}
    refuse_unknown(f"CollabDataLoaders.{factory.__name__}", set(settings) - known, known)
