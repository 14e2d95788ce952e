"""`Ratings`: who rated what, as codes in arrays, in memory or on the disk; what loaders cut from.

Shapes: N rows, R rows of a batch, T rows of a split.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.collab.ids import Ids
from layerwise.collab.losses import BPRLoss, SampledSoftmaxLoss
from layerwise.collab.new_rows import new_rows
from layerwise.collab.predictor import CollabPredictor
from layerwise.collab.tables import rating_values, rows_placed
from layerwise.collab.types import Rating, UserItem
from layerwise.core.arrays import save_array
from layerwise.core.errors import DataError
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.serve.intake import Column
from layerwise.core.transforms.category import CategoryMap
from layerwise.core.types import PathLike

__all__ = ["Ratings", "UnseenWarning"]

Negatives = int | str | None
"""None for ratings; for what was taken, how many others are drawn, or "batch"."""

_PAIRS, _VALUES, _IDS = "pairs.npy", "values.npy", "ids.json"


class UnseenWarning(UserWarning):
    """Predictions were asked for users or items that training has not seen; they get the mean."""


class Ratings:
    """Users, items and ratings in arrays, and the ids behind the codes; data for `ArrayDL`.

    Args:
        users: ids of the users.
        items: ids of the items.
        pairs: (N, 2) codes of user and item. Memory-mapped arrays stay on the disk.
        values: (N,) ratings; None where there are none: to be predicted, or all 1.
        rating_name: of the column of ratings.
        negatives: None: users have rated items. Otherwise they have taken them, whatever the
            ratings say (implicit feedback), and what they did not take is made up in training.

    Raises:
        DataError: if arrays differ in length.

    Attributes:
        rows: (T,) rows of this split; None: all.
        has_target: whether batches have targets.

    Example:
        >>> users, items = Ids("user", ["ann", "bob"]), Ids("film", ["Alien", "Brazil"])
        >>> ratings = Ratings(users, items, np.array([[1, 1], [2, 1]]), np.array([4.0, 5.0]))
        >>> ratings.gather(torch.tensor([1]))
        (tensor([[2, 1]]), tensor([5.]))
    """

    predictor_type = CollabPredictor
    """What a learner predicts rows with."""

    def __init__(
        self,
        users: Ids,
        items: Ids,
        pairs: NDArray[Any] | None = None,
        values: NDArray[Any] | None = None,
        *,
        rating_name: str = "rating",
        negatives: Negatives = None,
    ) -> None:
        if users.name == items.name:
            raise DataError(f"users and items both are column {users.name!r}; give them two names")
        pairs = np.zeros((0, 2), np.int32) if pairs is None else pairs
        if negatives not in (None, "batch") and not (type(negatives) is int and negatives > 0):
            raise ValueError(
                f"negatives={negatives!r}; give how many items are drawn beside each that was "
                "taken, 'batch' for the items of the other rows, or None for ratings"
            )
        if values is not None and len(values) != len(pairs):
            raise DataError(f"{len(pairs)} pairs and {len(values)} ratings; give one for each")
        self.users, self.items, self.rating_name = users, items, rating_name
        self.pairs, self.values, self.negatives = pairs, values, negatives
        self.has_target = values is not None or negatives is not None
        self.rows: NDArray[np.integer[Any]] | None = None

    @classmethod
    def from_df(
        cls,
        df: pd.DataFrame,
        users: Ids | str,
        items: Ids | str,
        rating_name: str | None,
        *,
        negatives: Negatives = None,
    ) -> Self:
        """The ratings of a frame.

        Args:
            df: a row for each rating.
            users: the ids, or the name of the column to learn them from.
            items: likewise.
            rating_name: the column of ratings; None where there is none.
            negatives: see the class.

        Raises:
            BadRowError: for the first row without an id or a rating.

        Example:
            >>> df = pd.DataFrame({"user": [7, 9], "film": ["Alien", "Brazil"], "rating": [4, 5]})
            >>> Ratings.from_df(df, "user", "film", "rating").pairs.tolist()
            [[1, 1], [2, 2]]
        """
        both = [Ids.learnt(df[one]) if isinstance(one, str) else one for one in (users, items)]
        pairs = np.stack([ids.codes(df[ids.name]) for ids in both], axis=1)
        values = None if rating_name is None else rating_values(df[rating_name])
        return cls(
            both[0], both[1], pairs, values,
            rating_name=rating_name or "rating", negatives=negatives,
        )  # fmt: skip

    # -- what a loader asks for ------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.pairs) if self.rows is None else len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(member[0] for member in self.gather(torch.tensor([index])))

    def gather(self, rows: Tensor) -> tuple[Tensor, ...]:
        """(R, 2) codes of these rows, and their (R,) ratings if there are targets."""
        at: NDArray[Any] = rows.numpy()
        at = at if self.rows is None else self.rows[at]
        x = torch.from_numpy(np.asarray(self.pairs[at], np.int64))
        if not self.has_target:
            return (x,)
        if self.negatives is not None or self.values is None:
            return x, torch.ones(len(x))
        return x, torch.from_numpy(np.asarray(self.values[at], np.float32))

    @property
    def n_inp(self) -> int:
        """How many members of a batch are input: the pairs."""
        return 1

    @property
    def classes(self) -> dict[str, CategoryMap]:
        """The classes of users and of items, by the names of their columns."""
        return {ids.name: ids.classes for ids in (self.users, self.items)}

    @property
    def loss_func(self) -> Any:
        """The loss for these targets: squares, ranking of pairs, or softmax."""
        if self.negatives is None:
            return MSELossFlat()
        return SampledSoftmaxLoss() if self.negatives == "batch" else BPRLoss()

    def request_columns(self) -> list[Column]:
        """The columns that a server takes in a row: user and item, with the ids that are known."""
        return [
            Column(ids.name, is_number=False, choices=list(ids.classes)[1:])
            for ids in (self.users, self.items)
        ]

    # -- splits ----------------------------------------------------------------------------

    def subset(self, rows: Any) -> Self:
        """The rows at these positions; the arrays are shared.

        Args:
            rows: (T,) positions in this split.
        """
        part = copy.copy(self)
        at = np.asarray(rows, dtype=np.int64)
        part.rows = (at if self.rows is None else self.rows[at]).astype(_smallest(len(self.pairs)))
        return part

    def split(self, train: Any, valid: Any) -> tuple[Self, Self]:
        """Two subsets; users and items that have no row in the first count as unseen in both."""
        first, second = self.subset(train), self.subset(valid)
        counted = [first.counts(is_item=is_item) > 0 for is_item in (False, True)]
        for part in (first, second):
            part.users = self.users.trained_on(counted[0])
            part.items = self.items.trained_on(counted[1])
        return first, second

    def counts(self, *, is_item: bool) -> NDArray[np.int64]:
        """How many rows each item has, or each user; in the order of the codes."""
        total = np.zeros(len(self.items if is_item else self.users), np.int64)
        for start in range(0, len(self), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            codes = self.pairs[part if self.rows is None else self.rows[part], int(is_item)]
            found = np.bincount(codes, minlength=len(total))
            if len(found) > len(total):
                raise DataError(
                    f"there is a code {len(found) - 1} among {len(total)} "
                    f"{'items' if is_item else 'users'}, `#na#` among them; give an id for each"
                )
            total += found
        return total

    def mean(self) -> float:
        """The mean rating."""
        total = 0.0
        for start in range(0, len(self), _AT_ONCE):
            rows = torch.arange(start, min(start + _AT_ONCE, len(self)))
            total += float(self.gather(rows)[1].double().sum())
        return total / max(len(self), 1)

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """(N, 2) for each row, whether its user, and its item, had no row in training."""
        pairs = np.asarray(self.pairs if self.rows is None else self.pairs[self.rows])
        both = [~ids.trained[pairs[:, i]] for i, ids in enumerate((self.users, self.items))]
        return np.stack(both, axis=1)

    def items_of(self, user: int) -> NDArray[np.int64]:
        """The codes of all items that a user, given by the code, has a row with in any split."""
        return np.unique(self.pairs[self.pairs[:, 0] == user, 1]).astype(np.int64)

    # -- new rows --------------------------------------------------------------------------

    def test_set(
        self,
        items: Any,
        rm_type_tfms: int | None = None,  # noqa: ARG002 - rows come in one way only
        with_labels: bool = False,
    ) -> Self:
        """New rows, to be predicted; a warning says how many have users or items never seen.

        Args:
            items: a frame; or a list of rows, which are mappings or series with a value for each
                column, or pairs of user and item.
            rm_type_tfms: as loaders pass it; rows have no steps to leave out.
            with_labels: whether they have ratings.

        Raises:
            DataError: names the column that is missing, or the first row that is wrong.
        """
        has_values = with_labels and self.negatives is None
        names = [self.users.name, self.items.name, *([self.rating_name] if has_values else [])]
        with rows_placed(lambda row: f"row {row} of those to predict"):
            pairs, values = new_rows(items, names, (self.users, self.items))
        found = type(self)(
            self.users, self.items, pairs, values,
            rating_name=self.rating_name, negatives=self.negatives,
        )  # fmt: skip
        found.has_target = with_labels
        _tell_unseen(found)
        return found

    def decode(self, sample: tuple[Any, ...], full: bool = True) -> tuple[Any, ...]:  # noqa: ARG002
        """A sample with ids for codes.

        Args:
            sample: (2,) codes, and what there is to say of them.
            full: as loaders pass it; it makes no difference here.
        """
        x, *said = sample
        user, item = (int(code) for code in x[:2])
        names = (self.users.name, self.items.name)
        pair = UserItem(self.users.classes[user], self.items.classes[item], names)
        return pair, *(Rating(value) for value in said[:1])

    # -- files -----------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """All but the rows, for exports: names, ids, and which of them training has seen."""
        return {
            "columns": [self.users.name, self.items.name, self.rating_name],
            "ids": [{"vocab": ids.vocab} for ids in (self.users, self.items)],
            "trained": [ids.trained for ids in (self.users, self.items)],
            "negatives": self.negatives,
        }

    @classmethod
    def from_settings(
        cls,
        columns: Sequence[str],
        ids: Sequence[Mapping[str, Any]],
        trained: Sequence[NDArray[np.bool_]],
        negatives: Negatives,
    ) -> Self:
        """Ratings without rows, from what `settings` returned."""
        users, items = (
            Ids(name, one["vocab"]).trained_on(mask)
            for name, one, mask in zip(columns, ids, trained, strict=False)
        )
        return cls(users, items, rating_name=columns[2], negatives=negatives)

    def save(self, folder: PathLike) -> Path:
        """Write the arrays and the ids to a folder, for `open`; the path.

        All rows are written, whatever split this is.

        Raises:
            TypeError: for ids that JSON cannot hold, such as dates.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        told = {
            "columns": [self.users.name, self.items.name, self.rating_name],
            "vocab": [self.users.vocab, self.items.vocab],
            "negatives": self.negatives,
        }
        try:
            text = json.dumps(told)
        except TypeError as error:
            raise TypeError(f"ids are written as numbers or text: {error}; convert them") from error
        (path / _IDS).write_text(text, encoding="utf-8")
        save_array(path / _PAIRS, self.pairs)
        if self.values is not None:
            save_array(path / _VALUES, self.values)
        return path

    @classmethod
    def open(cls, folder: PathLike) -> Self:
        """The ratings in a folder that `save` wrote; the arrays stay on the disk.

        Raises:
            DataError: if the folder has no such ratings, or arrays that do not fit each other.
        """
        path = Path(folder)
        if not (path / _IDS).is_file():
            raise DataError(f"{path} holds no ratings, for it has no {_IDS}; write them with save")
        told = json.loads((path / _IDS).read_text(encoding="utf-8"))
        user, item, rating_name = told["columns"]
        has_values = (path / _VALUES).is_file()
        return cls(
            Ids(user, told["vocab"][0]),
            Ids(item, told["vocab"][1]),
            np.load(path / _PAIRS, mmap_mode="r", allow_pickle=False),
            np.load(path / _VALUES, mmap_mode="r", allow_pickle=False) if has_values else None,
            rating_name=rating_name,
            negatives=told["negatives"],
        )


# Rows looked at in one step where all are: 8 MiB of codes.
_AT_ONCE = 1 << 20


def _smallest(count: int) -> type[np.signedinteger[Any]]:
    """Integers wide enough for positions among `count` rows."""
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64


def _tell_unseen(ratings: Ratings) -> None:
    """Nothing; a warning where rows have users or items that training has not seen."""
    unseen = ratings.unseen
    for place, what in enumerate(("a user", "an item")):
        if unseen[:, place].any():
            warnings.warn(
                f"{unseen[:, place].sum()} of {len(ratings)} rows have {what} that training has "
                f"not seen, first in row {unseen[:, place].argmax()}; they get the mean of those "
                "that it has. `unseen` of the loader says which",
                UnseenWarning,
                stacklevel=3,
            )
