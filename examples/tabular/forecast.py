r"""Forecast a column of a table in time, and compare it with the same moment a season before.

    python examples/tabular/forecast.py SALES.csv --time date --target sales --by shop --every D \
        --horizon 7 --season 7 --known promotion --out forecasts.csv

A row is a step in time. With `--every` the steps that are missing get a row, so that lags are what
they say. What is learnt is the change since `--season` steps before, from that of other lags and of
windows, the parts of the date, and the columns of `--known`, which have to be known beforehand. The
last rows in time validate. `--out` gets a forecast for each of them, and for the rows that have no
target yet; `--plot` gets a picture of the first `--shown` steps of validation. With `--small` the
script forecasts the bike rentals that come with the repository, a day ahead, in seconds.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from layerwise.core.learner import Learner
from layerwise.core.metrics.regression import mae
from layerwise.core.random import set_seed
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.dates import add_datepart, make_date
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.models.mlp import tabular_config
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.series import TimeSplitter, add_lags, add_rolling

EXAMPLES = Path(__file__).resolve().parents[1]
CALENDAR = ["Month", "Dayofweek", "Hour"]  # what returns; a year or a day's number does not


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", nargs="?", type=Path, help="file of comma-separated values")
    parser.add_argument("--time", help="column of dates")
    parser.add_argument("--target", help="column of numbers to forecast")
    parser.add_argument("--by", help="column that tells several series apart")
    parser.add_argument("--every", help="step of time as pandas writes it: h, D, W-SUN, MS")
    parser.add_argument("--horizon", type=int, default=1, help="steps from now to the forecast")
    parser.add_argument("--season", type=int, default=7, help="steps after which things return")
    parser.add_argument("--lags", nargs="+", type=int, default=[], help="further lags, in steps")
    parser.add_argument("--known", nargs="+", default=[], metavar="COLUMN")
    parser.add_argument("--log", action="store_true", help="change is a ratio: for what grows")
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--bs", type=int, default=256)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, help="file for the forecasts")
    parser.add_argument("--plot", type=Path, help="file for the picture")
    parser.add_argument("--shown", type=int, default=336, help="steps in the picture")
    parser.add_argument("--small", action="store_true", help="forecast the bikes that are here")
    options = parser.parse_args()
    if options.small:
        options.table, options.time, options.target = bikes(), "time", "cnt"
        options.every, options.horizon, options.season = "h", 24, 168
        options.lags, options.known = [24, 48, 72, 96, 120, 144, 336], ["holiday", "workingday"]
        options.log, options.epochs = True, 4
    elif options.table is None or options.time is None or options.target is None:
        parser.error("name a table, its --time and its --target, or pass --small")
    else:
        options.table = make_date(pd.read_csv(options.table), options.time)
    if early := [lag for lag in (options.season, *options.lags) if lag < options.horizon]:
        parser.error(
            f"steps {early} of --season and --lags are not known --horizon {options.horizon} ahead"
        )
    return options


def bikes() -> pd.DataFrame:
    """Hours of bike rentals, with what is known of their day."""
    raw = pd.read_csv(EXAMPLES / "data" / "bike_sharing.csv.gz", parse_dates=["dteday"])
    return raw.assign(time=raw["dteday"] + pd.to_timedelta(raw["hr"], unit="h"))


def in_steps(df: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """A row for each step of each series; those that were missing have no target."""
    by = [options.by] if options.by else []
    df = df[[*by, options.time, options.target, *options.known]]
    if not options.every:
        return df
    filled = []
    for _, series in df.groupby(by) if by else [(None, df)]:
        steps = series.set_index(options.time).asfreq(options.every).reset_index()
        for key in by:
            steps[key] = series[key].iloc[0]
        filled.append(steps)
    return pd.concat(filled, ignore_index=True)


class Forecaster:
    """From steps in time to a table for a model, and from what it says back to the target.

    Args:
        options: of the command line.
        scale: of the target, which a change is measured in; with `--log` it is 1.
    """

    def __init__(self, options: argparse.Namespace, scale: float) -> None:
        self.options, self.scale = options, scale
        self.season = f"level_lag{options.season}"

    def table(self, steps: pd.DataFrame) -> pd.DataFrame:
        """The steps with what is known beforehand, and `change`, the target of the model."""
        options = self.options
        order = {"time": options.time, "by": options.by, "horizon": options.horizon}
        values = steps[options.target]
        level = np.log1p(values) if options.log else values / self.scale
        lags = sorted({options.horizon, options.season, 2 * options.season, *options.lags})
        made = add_lags(steps.assign(level=level), "level", lags, **order)
        made = add_rolling(made, "level", [max(options.season, 2)], **order)
        made = add_datepart(made, options.time, prefix="", drop=False, time=True)
        past = made[self.season]
        relative = [f"level_lag{lag}" for lag in lags if lag != options.season]
        relative += [f"level_mean{max(options.season, 2)}"]
        made[relative] = made[relative].sub(past, axis=0)
        return made.assign(change=made["level"] - past).dropna(subset=[self.season])

    def columns(self, table: pd.DataFrame) -> tuple[list[str], list[str]]:
        """Names of the categories and of the numbers that are known beforehand."""
        numbers, categories = cont_cat_split(table[self.options.known])
        parts = [name for name in CALENDAR if table[name].nunique() > 1]
        by = [self.options.by] if self.options.by else []
        past = [name for name in table.columns if name.startswith("level_")]
        return [*by, *parts, *categories], [*past, *numbers]

    def target(self, table: pd.DataFrame, change: np.ndarray | float) -> np.ndarray:
        """(N,) the target that a change since the season before amounts to."""
        level = table[self.season].to_numpy() + change
        return np.expm1(level) if self.options.log else level * self.scale


def trained(table: pd.DataFrame, made: Forecaster, valid_from: pd.Timestamp) -> Learner:
    """A learner of the change, whose last rows in time validate."""
    options = made.options
    known = table.dropna(subset=["change"])
    categories, numbers = made.columns(known)
    splits = TimeSplitter(options.time, valid_from=valid_from)(known)
    procs = [Categorify("count"), FillMissing(add_col=False), Normalize]
    to = TabularPandas(known, procs, categories, numbers, "change", splits=splits)
    learn = tabular_learner(
        to.dataloaders(options.bs),
        config=tabular_config(ps=0.1),
        loss_func=nn.L1Loss(),
        metrics=mae,
    )
    learn.fit_one_cycle(options.epochs, options.lr)
    return learn


def draw(rows: pd.DataFrame, options: argparse.Namespace) -> None:
    """Write a picture of what came, what was forecast, and what the season before says."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(10, 3.5), layout="constrained")
    ax.fill_between(rows[options.time], rows[options.target], color="0.8", label="came")
    ax.plot(rows[options.time], rows["baseline"], color="tab:red", lw=0.8, label="season before")
    ax.plot(rows[options.time], rows["forecast"], color="tab:blue", lw=1.4, label="forecast")
    ax.set(ylabel=options.target, xlim=(rows[options.time].min(), rows[options.time].max()))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    figure.savefig(options.plot, dpi=120)
    plt.close(figure)
    print(f"drew {options.plot}")


def main() -> None:
    """Read, train, forecast, compare."""
    options = read_arguments()
    set_seed(options.seed)
    steps = in_steps(options.table, options)
    train, valid = TimeSplitter(options.time, options.valid_pct)(steps)
    valid_from = steps[options.time].iloc[list(valid)].min()
    made = Forecaster(options, float(steps[options.target].iloc[list(train)].std()) or 1.0)
    table = made.table(steps)
    learn = trained(table, made, valid_from)

    coming = table[(table[options.time] >= valid_from) | table[options.target].isna()]
    change, _ = learn.get_preds(dl=learn.dls.test_dl(coming))
    rows = coming.assign(
        forecast=made.target(coming, change.squeeze(1).numpy()), baseline=made.target(coming, 0.0)
    )
    for name in ("forecast", "baseline"):
        error = (rows[name] - rows[options.target]).abs().mean()
        print(f"{name}: off by {error:.4g} on average")
    if options.out:
        by = [options.by] if options.by else []
        rows[[*by, options.time, options.target, "forecast"]].to_csv(options.out, index=False)
        print(f"wrote {options.out}")
    if options.plot:
        first = rows[rows[options.by] == rows[options.by].iloc[0]] if options.by else rows
        draw(first[first[options.time] >= valid_from].iloc[: options.shown], options)


if __name__ == "__main__":
    main()
