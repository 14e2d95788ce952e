"""What a learner for pictures asks of its loaders: outputs, channels, statistics."""

from typing import Any

from torch import Tensor

from layerwise.core.errors import DataError, SkipItemException
from layerwise.core.random import isolated
from layerwise.core.transforms.category import get_c
from layerwise.core.transforms.numeric import Normalize

__all__: list[str] = []

Stats = tuple[Any, Any]


def outputs_of(dls: Any) -> int:
    """How many outputs the targets of `dls` need.

    Raises:
        ValueError: if they do not say.
    """
    n_out = get_c(dls)
    if not n_out:
        raise ValueError(
            "the data do not say how many outputs the model needs; pass n_out=, or give "
            "RegressionBlock its n_out, or MaskBlock its codes"
        )
    return int(n_out)


def add_norm(dls: Any, stats: Stats, n_in: int) -> None:
    """Nothing; batches of `dls` are then normalised by `stats`, unless something does already.

    Statistics of three colours are left out for pictures of another number of channels.
    """
    steps = getattr(dls, "after_batch", None)
    if steps is None or n_in != len(stats[0]):
        return
    if not any(isinstance(step, Normalize) for step in steps):
        dls.add_tfms([Normalize.from_stats(*stats)], "after_batch")


def check_channels(dls: Any, n_in: int) -> None:
    """Nothing, or an error where the pictures of `dls` have not `n_in` channels.

    One item is looked at, and a batch where that one does not agree, or cannot be read. No random
    number is drawn for it. What is no picture is passed over.

    Raises:
        ValueError: says how many channels there are, and what to do.
    """
    dataset: Any = getattr(getattr(dls, "train", None), "dataset", None)
    if not hasattr(dataset, "__getitem__") or not hasattr(dls.train, "peek"):
        return
    try:
        with isolated(0):
            found = _channels(dataset[0]) if len(dataset) else n_in
    except (
        DataError,
        OSError,
        SkipItemException,
    ):  # the loader knows what is to become of an item that is bad
        found = None
    if found != n_in and len(dataset):
        found = _channels(dls.train.peek())
    if found is None or found == n_in:
        return
    kinds = {1: " (or open them as PILImageBW)", 3: " (or open them as PILImage)"}
    raise ValueError(
        f"the pictures have {found} channel{'s' if found > 1 else ''} and the model takes {n_in}; "
        f"pass n_in={found}{kinds.get(n_in, '')}"
    )


def _channels(sample: Any) -> int | None:
    """Channels of the first member of an item or batch; None if it is no picture."""
    first = sample[0] if isinstance(sample, tuple | list) and len(sample) else sample
    if isinstance(first, Tensor):
        return first.shape[-3] if first.ndim >= 3 else None
    bands = getattr(first, "getbands", None)
    return len(bands()) if callable(bands) else None
