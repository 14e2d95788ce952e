"""`collab_learner`: a model for the users and items of some loaders, and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from layerwise.collab.feature_model import FeatureDotBias
from layerwise.collab.features import feature_matrix
from layerwise.collab.models import CollabModel, EmbeddingDotBias, EmbeddingNN
from layerwise.collab.ratings import Ratings
from layerwise.collab.recommend import recommend, similar
from layerwise.collab.unseen import FillUnseen
from layerwise.core.errors import names_nearest, refuse_unknown
from layerwise.core.learner import Learner
from layerwise.core.nn.embedding_sizes import get_emb_sz
from layerwise.core.nn.walk import trainable_params
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback

__all__ = ["CollabLearner", "collab_learner"]


class CollabLearner(Learner):
    """A `Learner` that recommends; arguments as for `Learner`.

    Of a learner that `load_learner` gave, the functions `recommend` and `similar` ask the same.
    """

    def recommend(
        self, user: Any, n: int = 10, exclude_seen: bool = True, seen: Iterable[Any] | None = None
    ) -> pd.DataFrame:
        """The items that a user would like best; arguments as for the function `recommend`."""
        return recommend(self, user, n, exclude_seen, seen)

    def similar(self, item: Any, n: int = 10) -> pd.DataFrame:
        """The items most like one; arguments as for the function `similar`."""
        return similar(self, item, n)

    def show_results(self, *args: Any, show: bool = True, **kwargs: Any) -> Any:
        """Print ratings beside what is predicted for them; arguments as for `Learner.show_results`.

        Nothing comes back but for `show=False`: a notebook would print the rows a second time.
        """
        found = super().show_results(*args, show=show, **kwargs)
        return None if show else found


@names_nearest
def collab_learner(
    dls: Any,
    n_factors: int = 50,
    use_nn: bool = False,
    emb_szs: Sequence[tuple[int, int]] | None = None,
    layers: Sequence[int] | None = None,
    config: Mapping[str, Any] | None = None,
    y_range: tuple[float, float] | None = None,
    user_features: pd.DataFrame | None = None,
    item_features: pd.DataFrame | None = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice = 5e-3,
    splitter: Callable[[nn.Module], Any] = trainable_params,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = 0.1,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
) -> CollabLearner:
    """A learner of what users think of items.

    Args:
        dls: `CollabDataLoaders`.
        n_factors: numbers for each user and item.
        use_nn: a network on embeddings, `EmbeddingNN`, in place of products of factors,
            `EmbeddingDotBias`.
        emb_szs: sizes of the embeddings of the network; those of `get_emb_sz` when None.
        layers: features after each layer of the network; `[n_factors]` when None.
        config: more settings of `EmbeddingNN`: `ps`, `embed_p`, `use_bn`.
        y_range: the lowest and highest score; slightly more than the ratings have, as (0, 5.5) for
            1 to 5. None: any number, from the mean rating on.
        user_features: what else is known of users, a row for each: see `feature_matrix`. It adds to
            their factors (`FeatureDotBias`).
        item_features: what else is known of items, likewise.
        loss_func: see `Learner`, as is all from here on; that of the data when None.
        opt_func: makes the optimizer.
        lr: default learning rate; 5e-3, since most rows of an embedding see few batches.
        splitter: parameter groups.
        cbs: callbacks besides the usual ones and `FillUnseen`.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay; 0.1, for each user and item has few ratings for all its numbers.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.

    Raises:
        TypeError: if the loaders are none of ratings; for an unknown setting in `config`.
        ValueError: for settings of the network where there is none.
    """
    data = getattr(getattr(dls, "train", None), "dataset", None)
    if not isinstance(data, Ratings):
        raise TypeError(
            f"collab_learner takes CollabDataLoaders, not {type(dls).__name__} of other data; "
            "Learner takes a model of your own"
        )
    known = {"user_features": user_features, "item_features": item_features}
    model: CollabModel
    if use_nn:
        _refuse("a setting of factors; leave out use_nn", known)
        settings = dict(config or {})
        refuse_unknown("config", settings.keys() - _OF_NN, _OF_NN)
        sizes = get_emb_sz(dls) if emb_szs is None else emb_szs
        widths = [n_factors] if layers is None else layers
        model = EmbeddingNN(sizes, widths, y_range=y_range, **settings)
    else:
        of_network = {"emb_szs": emb_szs, "layers": layers, "config": config}
        _refuse("a setting of the network; pass use_nn=True as well", of_network)
        model = _of_factors(data, n_factors, y_range, user_features, item_features)
    learn = CollabLearner(
        dls, model.name_rows(dls.classes), loss_func, opt_func=opt_func, lr=lr, splitter=splitter,
        cbs=cbs, metrics=metrics, path=path, model_dir=model_dir, wd=wd, wd_bn_bias=wd_bn_bias,
        train_bn=train_bn, moms=moms,
    )  # fmt: skip
    if not any(isinstance(cb, FillUnseen) for cb in learn.cbs):
        learn.add_cb(FillUnseen())
    return learn


_OF_NN = frozenset({"ps", "embed_p", "use_bn"})


def _refuse(told: str, settings: Mapping[str, Any]) -> None:
    """Refuse what nobody would read."""
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise ValueError(f"{given[0]}= is {told}")


def _of_factors(
    data: Ratings,
    n_factors: int,
    y_range: tuple[float, float] | None,
    user_features: pd.DataFrame | None,
    item_features: pd.DataFrame | None,
) -> EmbeddingDotBias:
    """A product of factors for these users and items, features among them where there are some."""
    is_rated = data.negatives is None and y_range is None
    mean = data.mean() if is_rated else 0.0
    sizes = n_factors, len(data.users), len(data.items)
    if user_features is None and item_features is None:
        return EmbeddingDotBias(*sizes, y_range=y_range, mean=mean)
    users, items = (
        torch.zeros(len(ids), 0) if df is None else feature_matrix(df, ids)
        for df, ids in ((user_features, data.users), (item_features, data.items))
    )
    model = FeatureDotBias(*sizes, users.shape[1], items.shape[1], y_range, mean)
    return model.know(users, items)
