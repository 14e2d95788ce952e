"""What a trained learner would recommend, and which items are alike.

Shapes: U users, I items (`#na#` among them), K factors.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.collab.ids import Ids
from layerwise.collab.models import CollabModel
from layerwise.collab.ratings import Ratings, UnseenWarning
from layerwise.core.errors import DataError, names_nearest

__all__ = ["recommend", "similar"]

# Pairs that a model of the user's own is asked about at once.
_AT_ONCE = 1 << 16


@names_nearest
def recommend(
    learn: Any,
    user: Any,
    n: int = 10,
    exclude_seen: bool = True,
    seen: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """The items with the highest scores for a user, best first.

    Items without a rating in training are left out, for their score is a mean. A user whom
    training has not seen gets what the mean of all users would like, and a warning.

    Args:
        learn: a learner of ratings; one from `load_learner` too.
        user: the id.
        n: how many items; fewer where there are not so many.
        exclude_seen: leave out items that the user has rated, in training or validation.
        seen: these items in their place: for a learner from a file, which has no ratings.

    Returns:
        A column of ids of items under its name, and "score".

    Raises:
        ValueError: if `exclude_seen` is asked for, and the learner has no ratings.
        DataError: for a user of another kind than those of training, such as "12" for 12, and for
            an item in `seen` that is not known; names the nearest.
        TypeError: if the learner's data are no ratings.
    """
    data = ratings_of(learn)
    if n < 1:
        raise ValueError(f"n={n}; give how many items are wanted, at least 1")
    code = data.users.code(user)
    if not data.users.trained[code]:
        warnings.warn(
            f"training has not seen {data.users.name} {user!r}; this is what the mean of its users "
            "would like",
            UnseenWarning,
            stacklevel=2,
        )
    scores = scores_of_items(learn, np.array([code]))[0].numpy()
    left_out = ~data.items.trained
    if exclude_seen or seen is not None:
        left_out[_seen(data, code, seen)] = True
    return _best(data.items, scores, left_out, n, "score")


def _seen(data: Ratings, user: int, seen: Iterable[Any] | None) -> NDArray[np.int64]:
    """The codes of the items that a user has seen."""
    if seen is not None:
        return np.array([known_code(data.items, one) for one in seen], dtype=np.int64)
    if not len(data.pairs):
        raise ValueError(
            "this learner has no ratings, as an export holds none, so what the user has seen is "
            "not known; pass seen=[items], or exclude_seen=False"
        )
    # Row 0 of the users is of nobody: what it has was seen by several.
    return data.items_of(user) if user else np.zeros(0, np.int64)


@names_nearest
def similar(learn: Any, item: Any, n: int = 10) -> pd.DataFrame:
    """The items whose factors point in the direction most like that of one, most alike first.

    Args:
        learn: a learner with a model of ours; one from `load_learner` too.
        item: the id.
        n: how many items; fewer where there are not so many.

    Returns:
        A column of ids of items under its name, and "similarity": the cosine, from -1 to 1.

    Raises:
        DataError: if the item is not known; names the nearest.
        TypeError: if the model is none of ours, so that its factors are not known.
    """
    data = ratings_of(learn)
    if n < 1:
        raise ValueError(f"n={n}; give how many items are wanted, at least 1")
    code, factors = known_code(data.items, item), factors_of_items(learn)
    cosines = F.cosine_similarity(factors[code], factors).numpy()
    left_out = ~data.items.trained
    left_out[code] = True
    return _best(data.items, cosines, left_out, n, "similarity")


def _best(
    ids: Ids, values: NDArray[Any], left_out: NDArray[np.bool_], n: int, name: str
) -> pd.DataFrame:
    """The `n` ids with the largest values, but for those left out."""
    codes = (~left_out).nonzero()[0]
    order = codes[np.argsort(-values[codes], kind="stable")[:n]]
    return pd.DataFrame({ids.name: [ids.classes[int(i)] for i in order], name: values[order]})


def scores_of_items(learn: Any, users: NDArray[Any]) -> Tensor:
    """(U, I) scores of all items, `#na#` first, for users given by their codes; on the CPU.

    Args:
        learn: a learner of ratings; its model is one of ours, or one of (B, 2) codes.
        users: (U,) codes.
    """
    data, model = ratings_of(learn), learn.model
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    rows = torch.as_tensor(users, dtype=torch.long, device=device)
    items = torch.arange(len(data.items), device=device)
    with _predicting(model):
        if isinstance(model, CollabModel):
            scores: Tensor = model((rows, items))
        else:
            pairs = torch.cartesian_prod(rows, items)
            starts = range(0, len(pairs), _AT_ONCE)
            parts = [model(pairs[i : i + _AT_ONCE]).reshape(-1) for i in starts]
            scores = torch.cat(parts).view(len(rows), -1)
    return scores.cpu()


@contextmanager
def _predicting(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def ratings_of(learn: Any) -> Ratings:
    """The data of a learner, if they are ratings."""
    data = getattr(getattr(learn.dls, "train", None), "dataset", None)
    if not isinstance(data, Ratings):
        raise TypeError(
            f"this learner has data of {type(data).__name__}, and recommendations need ratings; "
            "make the loaders with CollabDataLoaders"
        )
    return data


def factors_of_items(learn: Any) -> Tensor:
    """(I, K) what a model of ours knows of the items, on the CPU.

    Raises:
        TypeError: if the model is none of ours, so that its factors are not known.
    """
    if not isinstance(learn.model, CollabModel):
        raise TypeError(
            f"the factors of a {type(learn.model).__name__} are not known here; subclass "
            "CollabModel, and name its embeddings in tables"
        )
    table = learn.model.tables(is_item=True)[0].weight
    with torch.no_grad():
        codes = torch.arange(len(table), device=table.device)
        factors: Tensor = learn.model.factors(codes, is_item=True).cpu()
    return factors


def known_code(ids: Ids, one: Any) -> int:
    """The code of an id that has to be known."""
    code = ids.code(one)
    if not code:
        raise DataError(f"{one!r} is no {ids.name} that training has seen.{ids.nearest(one)}")
    return code
