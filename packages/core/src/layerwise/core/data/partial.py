"""`PartialDL`: short epochs, each over another part of the data."""

from __future__ import annotations

from typing import Any

from layerwise.core.data.loaders import TfmdDL

__all__ = ["PartialDL"]


class PartialDL(TfmdDL):
    """A loader whose epoch is a random part of the data, a new one each time.

    For data so large that one would validate more often than once in all of it. Without `shuffle`,
    as for predictions, every sample comes once, in order.

    Args:
        dataset: samples.
        bs: samples per batch.
        shuffle: draw a part anew each epoch.
        partial_n: samples in an epoch, at most as many as there are; all when None.
        kwargs: the other arguments of `TfmdDL`.

    Raises:
        ValueError: if `partial_n` is below 1.

    Example:
        >>> dl = PartialDL(list(range(100)), bs=4, partial_n=10)
        >>> len(dl), [len(batch) for batch in dl]
        (3, [4, 4, 2])
    """

    def __init__(
        self,
        dataset: Any,
        bs: int | None = 64,
        shuffle: bool = True,
        *,
        partial_n: int | None = None,
        **kwargs: Any,
    ) -> None:
        if partial_n is not None and partial_n < 1:
            raise ValueError(f"partial_n={partial_n}; give the samples of an epoch, 1 or more")
        self.partial_n = partial_n
        super().__init__(dataset, bs, shuffle, **kwargs)

    def __len__(self) -> int:
        """Batches per epoch."""
        if not self.shuffle or self.partial_n is None or self.n is None:
            return super().__len__()
        count, size = min(self.partial_n, self.n), self.bs or 1
        return count // size if self.drop_last else -(-count // size)

    def get_idxs(self) -> list[Any]:
        """The indices of one epoch."""
        indices = super().get_idxs()
        return indices[: self.partial_n] if self.shuffle else indices

    def settings(self) -> dict[str, Any]:
        """The keywords that make a loader like this one."""
        return {**super().settings(), "partial_n": self.partial_n}

    def new(self, dataset: Any = None, cls: Any = None, **kwargs: Any) -> Any:
        """A loader like this one; over other data, it has all of them unless told otherwise."""
        if dataset is not None and dataset is not self.dataset:
            kwargs = {"partial_n": None, **kwargs}
        if cls is not None and not issubclass(cls, PartialDL):
            raise TypeError(
                f"a {cls.__name__} has no short epochs; make it from its data set, not from a "
                "PartialDL"
            )
        return super().new(dataset, cls, **kwargs)
