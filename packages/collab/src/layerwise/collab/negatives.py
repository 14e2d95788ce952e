"""What was not taken: candidates beside the item that a user took, for implicit feedback.

Shapes: B batch, C candidates of a row, T items with ratings, N pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.collab.ratings import Ratings
from layerwise.core.random import generator
from layerwise.core.transforms.transform import ItemTransform

__all__ = ["BatchNegatives", "DrawNegatives"]

_UNKNOWING = (
    "{} has seen no data of a loader, which an export does not hold either; give it to a loader as "
    "after_batch, or predict without labels"
)

# Redrawing more often finds little: what is left then belongs to users who took nearly all.
_DRAWS = 4


class DrawNegatives(ItemTransform):
    """Items drawn at random beside the one taken: (B, 2) pairs to (B, 2 + count) candidates.

    Targets become (B, 1 + count): 1 for the item taken, 0 for the others, and -1 for one that the
    user took as well, where none else was found. All items that have ratings are drawn alike
    (Rendle et al., 2009). Batches without targets pass: they are there to be predicted.

    Args:
        count: items drawn for each row.
        all_splits: leave out what users took in any split, not in that of the loader alone: for
            validation. In training it would tell the model what validates, as the only items that
            are never drawn.

    Raises:
        ValueError: if `count` is not positive.

    Example:
        >>> from layerwise.collab.ids import Ids
        >>> from layerwise.core.data.array_loader import ArrayDL
        >>> users, items = Ids("user", ["ann"]), Ids("film", ["Alien", "Brazil", "Cube"])
        >>> taken = Ratings(users, items, np.array([[1, 1], [1, 3]]), negatives=2)
        >>> x, relevance = ArrayDL(taken, bs=2, after_batch=DrawNegatives(2)).one_batch()
        >>> x.shape, relevance.shape
        (torch.Size([2, 4]), torch.Size([2, 3]))
    """

    def __init__(self, count: int = 1, all_splits: bool = False) -> None:
        if count < 1:
            raise ValueError(f"count={count}; give the number of items to draw, at least 1")
        super().__init__()
        self.count, self.all_splits = count, all_splits
        self._items: Tensor | None = None

    def setups(self, dl: Any) -> None:
        """Learn from the data of a loader which items there are, and who took which."""
        data = getattr(dl, "dataset", None)
        if isinstance(data, Ratings):
            self._items = torch.from_numpy(data.items.trained.nonzero()[0])
            self._size = len(data.items)
            rows = slice(None) if self.all_splits or data.rows is None else data.rows
            pairs = torch.from_numpy(np.asarray(data.pairs[rows], np.int64))
            self._taken = self._key(pairs[:, 0], pairs[:, 1]).sort().values

    def encodes(self, batch: Any) -> Any:
        """A batch with candidates."""
        if len(batch) == 1:
            return batch
        x, y = batch[0], batch[1]
        users, taken = x[:, :1], x[:, 1:2]
        drawn = self._draw(users)
        for _ in range(_DRAWS - 1):
            drawn = torch.where(self._is_taken(users, drawn), self._draw(users), drawn)
        others = torch.where(self._is_taken(users, drawn), -1.0, 0.0)
        targets = torch.cat([torch.ones_like(y)[:, None], others.to(y.dtype)], 1)
        return (torch.cat([users, taken, drawn], 1), targets)

    def decodes(self, batch: Any) -> Any:
        """The pairs alone, with what is said of the item that was taken."""
        x, *said = batch
        return (x[:, :2], *(each[:, 0] if each.ndim == 2 else each for each in said))

    def _draw(self, users: Tensor) -> Tensor:
        if self._items is None:
            raise ValueError(_UNKNOWING.format("DrawNegatives"))
        if self._items.device != users.device:
            self._items, self._taken = self._items.to(users.device), self._taken.to(users.device)
        size = (len(users), self.count)
        places = torch.randint(len(self._items), size, generator=generator()).to(users.device)
        found: Tensor = self._items[places]
        return found

    def _key(self, users: Tensor, items: Tensor) -> Tensor:
        return users.long() * self._size + items.long()

    def _is_taken(self, users: Tensor, items: Tensor) -> Tensor:
        keys = self._key(users, items)
        places = torch.searchsorted(self._taken, keys).clamp(max=len(self._taken) - 1)
        return self._taken[places] == keys


class BatchNegatives(ItemTransform):
    """The items that the other rows of a batch took: (B, 2) pairs to all pairs of users and items.

    Inputs become the pair of (B,) users and (B,) items, targets (B, B): 1 on the diagonal, 0 beside
    it, and -1 for an item equal to that of the row. Popular items come in more batches; the
    logarithm of how often each was taken is a second target, (B, B), for `SampledSoftmaxLoss`
    (Yi et al., 2019). Batches without targets pass.

    Example:
        >>> from layerwise.collab.ids import Ids
        >>> from layerwise.core.data.array_loader import ArrayDL
        >>> users, items = Ids("user", ["ann", "bob"]), Ids("film", ["Alien", "Brazil"])
        >>> taken = Ratings(users, items, np.array([[1, 1], [2, 2]]), negatives="batch")
        >>> (x, relevance, log_q) = ArrayDL(taken, bs=2, after_batch=BatchNegatives()).one_batch()
        >>> x, relevance
        ((tensor([1, 2]), tensor([1, 2])), tensor([[1., 0.],
                [0., 1.]]))
    """

    def __init__(self) -> None:
        super().__init__()
        self._log_q: Tensor | None = None

    def setups(self, dl: Any) -> None:
        """Learn from the data of a loader how often each item was taken."""
        data = getattr(dl, "dataset", None)
        if isinstance(data, Ratings):
            counts = torch.from_numpy(data.counts(is_item=True)).clamp(min=1).float()
            self._log_q = (counts / len(data)).log()

    def encodes(self, batch: Any) -> Any:
        """A batch of all pairs."""
        if len(batch) == 1:
            return batch
        if self._log_q is None:
            raise ValueError(_UNKNOWING.format("BatchNegatives"))
        x, y = batch[0], batch[1]
        users, items = x[:, 0], x[:, 1]
        same = items[:, None] == items[None, :]
        own = torch.eye(len(x), dtype=y.dtype, device=x.device)
        self._log_q = self._log_q.to(x.device)
        log_q = self._log_q[items].expand(len(x), -1)
        return ((users, items), torch.where(same, 2 * own - 1, own), log_q)

    def decodes(self, batch: Any) -> Any:
        """The pairs alone, with what is said of the item that was taken."""
        x, *said = batch
        if isinstance(x, Tensor):
            return batch
        return torch.stack(list(x), 1), said[0].diagonal()
