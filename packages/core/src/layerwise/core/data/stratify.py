"""A split that keeps the proportions of the classes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.core.data.split import Parts, check_share, permuted, size_of
from layerwise.core.items import L

__all__ = ["TrainTestSplitter"]


@dataclass(frozen=True)
class TrainTestSplitter:
    """A share or number of the items validates, in each class alike if `stratify` is given.

    Sizes are rounded as scikit-learn's function of nearly this name rounds them.

    Args:
        test_size: share (a float from 0 to 1) or number (an int) for validation.
        random_state: seed of the split; by default torch's global generator is drawn from.
        stratify: class of each item; the classes keep their proportions in both parts.
        train_size: share or number for training; by default all that do not validate.
        shuffle: without, the first items train and the last validate.

    Example:
        >>> train, valid = TrainTestSplitter(0.25, random_state=1, stratify="aaaabbbb")(range(8))
        >>> sorted("aaaabbbb"[i] for i in valid)
        ['a', 'b']
    """

    test_size: float = 0.2
    random_state: int | None = None
    stratify: Sequence[Any] | None = None
    train_size: float | None = None
    shuffle: bool = True

    def __call__(self, items: Any) -> Parts:
        """Positions in `items` for training, and for validation."""
        size = size_of(items, self)
        train, test = self._sizes(size)
        if self.stratify is not None:
            return self._stratified(size, train, test)
        if not self.shuffle:
            return L.range(train), L.range(train, train + test)
        order = permuted(size, self.random_state)
        return L(order[test : test + train]), L(order[:test])

    def _sizes(self, size: int) -> tuple[int, int]:
        test = _count(self.test_size, size, "test_size", math.ceil)
        train = size - test
        if self.train_size is not None:
            train = _count(self.train_size, size, "train_size", math.floor)
        if train < 1 or test < 1 or train + test > size:
            raise ValueError(
                f"test_size={self.test_size} and train_size={self.train_size} make {train} "
                f"training and {test} validation items; both need one, and there are {size} in all"
            )
        return train, test

    def _stratified(self, size: int, train: int, test: int) -> Parts:
        labels = _labels(self.stratify, size)
        if not self.shuffle:
            raise ValueError("stratify needs shuffle=True: the first items are no fair sample")
        members: dict[Any, list[int]] = defaultdict(list)
        for i in permuted(size, self.random_state):
            members[labels[i]].append(i)
        classes = sorted(members, key=labels.index)
        _check_classes({c: len(members[c]) for c in classes}, train, test)
        train_of = _apportion([len(members[c]) for c in classes], train)
        left = [len(members[c]) - n for c, n in zip(classes, train_of, strict=True)]
        test_of = _apportion(left, test)
        first: list[int] = []
        second: list[int] = []
        for c, n_train, n_test in zip(classes, train_of, test_of, strict=True):
            first += members[c][:n_train]
            second += members[c][n_train : n_train + n_test]
        # Drawn class by class, so far; the order should not tell the class.
        return self._mixed(first), self._mixed(second)

    def _mixed(self, part: list[int]) -> L[int]:
        return L([part[i] for i in permuted(len(part), self.random_state)])


def _count(share: float, size: int, name: str, rounded: Callable[[float], int]) -> int:
    """The number of items that a share or a number of them means."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or share < 0:
        raise ValueError(f"{name}={share!r}; give a share from 0.0 to 1.0, or a number of items")
    if isinstance(share, int):
        return share
    check_share(share, name)
    return rounded(share * size)


def _labels(stratify: Any, size: int) -> list[Any]:
    labels = stratify.tolist() if hasattr(stratify, "tolist") else list(stratify)
    if len(labels) != size:
        raise ValueError(f"stratify has {len(labels)} classes for {size} items; give one per item")
    return labels


def _check_classes(counts: dict[Any, int], train: int, test: int) -> None:
    single = [c for c, n in counts.items() if n < 2]
    if single:
        raise ValueError(
            f"stratify needs two items of each class at least; one only has {single[0]!r}"
            + (f" and {len(single) - 1} more classes" if single[1:] else "")
        )
    if min(train, test) < len(counts):
        raise ValueError(
            f"{train} training and {test} validation items cannot show all {len(counts)} classes"
        )


def _apportion(counts: list[int], total: int) -> list[int]:
    """`total` divided in proportion to `counts`, the largest remainders rounded up."""
    exact = [n * total / sum(counts) for n in counts]
    given = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(counts)), key=lambda c: given[c] - exact[c])
    for c in by_remainder[: total - sum(given)]:
        given[c] += 1
    return given
