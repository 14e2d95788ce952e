"""Train a net on a table, and compare it with trees.

    python examples/tabular/train_table.py TABLE.csv --target price --epochs 5

A target of texts is a class to predict, one of numbers a number; `--classes` says that its numbers
are classes. Types tell categories from numbers, unless `--categories` or `--numbers` names columns
of a kind. A random share of the rows validates. `--export` names the file for `load_learner`. Where
scikit-learn is installed, scores of gradient boosting stand beside those of the net. With `--small`
the script trains for seconds on a census that comes with the repository, as `make examples` does.
"""

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from layerwise.core.data.block import CategoryBlock
from layerwise.core.data.download import untar_data
from layerwise.core.data.split import RandomSplitter
from layerwise.core.data.urls import URLs
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.regression import mae
from layerwise.core.random import set_seed
from layerwise.tabular.data import read_table
from layerwise.tabular.dates import add_datepart
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.quantiles import NormalizeQuantiles

EXAMPLES = Path(__file__).resolve().parents[1]
RATES = {"mlp": 5e-3, "resnet": 1e-3, "ft_transformer": 1e-3}


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", nargs="?", type=Path, help="file of comma-separated values")
    parser.add_argument("--target", help="column to predict")
    parser.add_argument("--classes", action="store_true", help="numbers in the target are classes")
    parser.add_argument("--categories", nargs="+", default=[], metavar="COLUMN")
    parser.add_argument("--numbers", nargs="+", default=[], metavar="COLUMN")
    parser.add_argument("--dates", nargs="+", default=[], metavar="COLUMN", help="become parts")
    parser.add_argument("--skip", nargs="+", default=[], metavar="COLUMN", help="leave out")
    parser.add_argument("--arch", default="mlp", help="mlp, resnet, ft_transformer, or registered")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, help="default: what suits the arch")
    parser.add_argument("--bs", type=int, default=128)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--export", type=Path, help="file for the trained learner")
    parser.add_argument("--small", action="store_true", help="train on a census that is here")
    options = parser.parse_args()
    if options.small:
        os.environ.setdefault("LAYERWISE_MIRROR", str(EXAMPLES / "data"))
        options.table = untar_data(URLs.ADULT_SAMPLE) / "adult.csv"
        options.target, options.skip, options.epochs = "salary", ["fnlwgt"], 3
    if options.table is None or options.target is None:
        parser.error("name a table and its --target, or pass --small")
    return options


def prepared(df: pd.DataFrame, options: argparse.Namespace) -> TabularPandas:
    """The table, encoded, of which a random share validates."""
    df = df.drop(columns=options.skip).dropna(subset=[options.target])
    for name in options.dates:
        df = add_datepart(df, name)
    by_type = df.drop(columns=[*options.categories, *options.numbers])
    numbers, categories = cont_cat_split(by_type, dep_var=options.target)
    return TabularPandas(
        df,
        [Categorify, FillMissing, NormalizeQuantiles],
        [*options.categories, *categories],
        [*options.numbers, *numbers],
        options.target,
        CategoryBlock() if options.classes else None,
        splits=RandomSplitter(options.valid_pct, options.seed)(df),
    )


def scores(predicted: np.ndarray, target: np.ndarray) -> str:
    """Of probabilities (N, C) against codes (N,), or of numbers (N,) against numbers."""
    if predicted.ndim == 2:
        right = (predicted.argmax(1) == target).mean()
        entropy = -np.log(predicted[np.arange(len(target)), target].clip(1e-12)).mean()
        return f"accuracy {right:.4f}, cross entropy {entropy:.4f}"
    error = predicted - target
    explained = 1 - error.var() / target.var()
    return f"mean absolute error {np.abs(error).mean():.4g}, variance explained {explained:.3f}"


def by_trees(to: TabularPandas, seed: int) -> np.ndarray:
    """What gradient boosting predicts for the validation rows, from the same columns."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    # It takes up to 255 categories; columns with more are numbers to it.
    few = [name in to.cat_names and len(to.classes[name]) <= 255 for name in to.x_names]
    kind = HistGradientBoostingRegressor if to.vocab is None else HistGradientBoostingClassifier
    trees = kind(categorical_features=few, random_state=seed).fit(to.train.xs, to.train.y)
    predict = trees.predict if to.vocab is None else trees.predict_proba
    found: np.ndarray = predict(to.valid.xs)
    return found


def main() -> None:
    """Read, train, compare, export."""
    options = read_arguments()
    set_seed(options.seed)
    to = prepared(read_table(options.table), options)
    print(f"{len(to.train)} rows train, {len(to.valid)} validate")
    print(f"categories: {', '.join(to.cat_names) or 'none'}")
    print(f"numbers: {', '.join(to.cont_names) or 'none'}")
    is_number = to.vocab is None
    y_range = None
    if is_number:  # a little more than the range of the target, whose scale the net need not learn
        low, high = to.train.y.min(), to.train.y.max()
        y_range = (low - 0.05 * (high - low), high + 0.05 * (high - low))
    learn = tabular_learner(
        to.dataloaders(options.bs),
        arch=options.arch,
        y_range=y_range,
        metrics=mae if is_number else accuracy,
    )
    learn.fit_one_cycle(options.epochs, options.lr or RATES.get(options.arch, 1e-3))
    predicted = learn.get_preds()[0].numpy()
    target = to.valid.y.to_numpy()
    print(f"{options.arch}: {scores(predicted.squeeze(1) if is_number else predicted, target)}")
    if find_spec("sklearn"):
        print(f"trees: {scores(by_trees(to, options.seed), target)}")
    if options.export:
        print(f"exported {learn.export(options.export)}")


if __name__ == "__main__":
    main()
