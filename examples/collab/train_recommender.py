"""Train a recommender on a file of ratings, and compare it with what is simplest.

    python examples/collab/train_recommender.py RATINGS.csv --user who --item film --recommend 7

Columns are the first three of the file unless they are named. A random share of the rows
validates. Beside the error of the model stands that of the mean of each item. With `--implicit` a
row says that a user took an item, and ratings play no part: the model ranks items, and beside its
scores stand those of the items that most users took. `--export` names the file for `load_learner`.
With `--small` the script trains for seconds on films of MovieLens that come with the repository, as
`make examples` does.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.ids import Ids
from layerwise.collab.learner import CollabLearner, collab_learner
from layerwise.collab.ranking import evaluate_ranking
from layerwise.core.data.download import untar_data
from layerwise.core.data.urls import URLs
from layerwise.core.errors import nearest
from layerwise.core.learner import Learner
from layerwise.core.metrics.regression import rmse
from layerwise.core.nn.module import Module
from layerwise.core.random import set_seed

EXAMPLES = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("ratings", nargs="?", type=Path, help="file of separated values")
    parser.add_argument("--user", help="column of users")
    parser.add_argument("--item", help="column of items")
    parser.add_argument("--rating", help="column of ratings")
    parser.add_argument("--delimiter", default=",", help="what parts the columns")
    parser.add_argument("--implicit", action="store_true", help="rank what users take")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--factors", type=int, default=50, help="numbers for each user and item")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--recommend", metavar="USER", help="print ten items for this user")
    parser.add_argument("--export", type=Path, help="file for the trained learner")
    parser.add_argument("--small", action="store_true", help="train on films that are here")
    options = parser.parse_args()
    if options.small:
        os.environ.setdefault("LAYERWISE_MIRROR", str(EXAMPLES / "data"))
        options.ratings = untar_data(URLs.ML_SAMPLE) / "ratings.csv"
        options.user, options.item, options.rating = "userId", "movieId", "rating"
        options.recommend = options.recommend or "18"
    if options.ratings is None:
        parser.error("name a file of ratings, or pass --small")
    if options.implicit and options.rating and not options.small:
        parser.error("--implicit reads no ratings; leave out --rating")
    return options


def load(options: argparse.Namespace) -> CollabDataLoaders:
    """The loaders of the file."""
    return CollabDataLoaders.from_csv(
        options.ratings,
        options.valid_pct,
        options.user,
        options.item,
        None if options.implicit else options.rating,
        options.seed,
        delimiter=options.delimiter,
        negatives="batch" if options.implicit else None,
        bs=options.bs,
    )


def error_of_means(dls: CollabDataLoaders) -> float:
    """The error, as `rmse`, of predicting each item's mean rating in training."""
    train, valid = dls.train_ds, dls.valid_ds
    items, values = train.pairs[train.rows, 1], train.values[train.rows]
    counts = np.bincount(items, minlength=len(train.items))
    sums = np.bincount(items, values, len(train.items))
    means = np.where(counts > 0, sums / counts.clip(1), values.mean())
    errors = means[valid.pairs[valid.rows, 1]] - valid.values[valid.rows]
    return float((errors**2).mean() ** 0.5)


class Popularity(Module):
    """How many users took the item: the same list for everybody.

    Args:
        counts: (I,) users of each item.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = nn.Parameter(torch.as_tensor(counts, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """(B,) scores of (B, 2) codes of user and item."""
        return self.counts[x[:, 1]]


def compare(learn: CollabLearner, *, is_implicit: bool) -> None:
    """Print how good the model is, and what has to be beaten."""
    if not is_implicit:
        print(f"model: rmse {learn.validate()[1]:.4f}")
        print(f"mean of the item: rmse {error_of_means(learn.dls):.4f}")
        return
    popular = Popularity(learn.dls.train_ds.counts(is_item=True))
    for name, each in {"model": learn, "popular items": Learner(learn.dls, popular)}.items():
        scores = evaluate_ranking(each).items()
        print(f"{name}: {', '.join(f'{metric} {value:.4f}' for metric, value in scores)}")


def id_of(text: str, ids: Ids) -> object:
    """The user that the command line names, who may be a number in the file."""
    for one in ids.vocab:
        if str(one) == text:
            return one
    raise SystemExit(
        f"no row that trains has {ids.name} {text!r}.{nearest(text, map(str, ids.vocab))}"
    )


def main() -> None:
    """Read, train, compare, recommend, export."""
    options = read_arguments()
    set_seed(options.seed)
    dls = load(options)
    users, items = dls.train_ds.users, dls.train_ds.items
    print(f"{len(dls.train_ds)} rows train, {len(dls.valid_ds)} validate")
    print(f"{len(users) - 1} users in {users.name}, {len(items) - 1} items in {items.name}")
    user = id_of(options.recommend, users) if options.recommend else None
    learn = collab_learner(dls, options.factors, metrics=None if options.implicit else rmse)
    learn.fit_one_cycle(options.epochs, options.lr)
    compare(learn, is_implicit=options.implicit)
    if user is not None:
        print(f"for {users.name} {user}:")
        print(learn.recommend(user).to_string(index=False))
    if options.export:
        print(f"exported {learn.export(options.export)}")


if __name__ == "__main__":
    main()
