"""Recommendations: an epoch of MovieLens 100k, its error, one prediction, 20 million ratings.

1. epoch: of the model of factors and biases, 50 of them, in batches of 64; fastai's beside it.
2. error: RMSE on u1 to u5 of MovieLens 100k, as they are split, after five epochs with the
   defaults of `collab_learner`; with `--peers`, fastai's with the same settings.
3. predict: one pair of user and item through an exported learner, over the bare model.
4. memory: 20,000,000 made-up ratings of 138,000 users and 27,000 items on the disk, trained in
   batches of 8,192; the memory of the process that is no file, at the start and as it goes.

    python benchmarks/collab.py [--only epoch error predict memory] [--rounds 5] [--peers]

Sides alternate, on one thread; medians of processor time are printed. MovieLens is taken from
`ml-100k.tgz` in the folder that `LAYERWISE_MIRROR` names; without it, made-up ratings of the same
size are trained, and no error is measured.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import torch

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.ids import Ids
from layerwise.collab.learner import collab_learner
from layerwise.collab.ratings import Ratings
from layerwise.core.metrics.regression import rmse
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner

PARTS = ("epoch", "error", "predict", "memory")
NAMES = ["user", "movie", "rating", "timestamp"]
SETTINGS: dict[str, Any] = {"n_factors": 50, "y_range": (0, 5.5)}
USERS, ITEMS, RATINGS = 138_000, 27_000, 20_000_000


def movielens(folder: Path) -> Path | None:
    """The folder of MovieLens 100k, unpacked; None where there is none."""
    archive = Path(os.environ.get("LAYERWISE_MIRROR", ".")) / "ml-100k.tgz"
    if not archive.is_file():
        return None
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "ml-100k"


def ratings_of(folder: Path | None) -> pd.DataFrame:
    """All of MovieLens 100k, or made-up ratings of as many users and items."""
    if folder is not None:
        return pd.read_csv(folder / "u.data", sep="\t", names=NAMES)
    draw = np.random.default_rng(0)
    users, items = draw.integers(1, 944, 100_000), draw.integers(1, 1683, 100_000)
    return pd.DataFrame({"user": users, "movie": items, "rating": draw.integers(1, 6, 100_000)})


def split(folder: Path, number: int) -> tuple[pd.DataFrame, list[int], list[int]]:
    """One of the five splits: all rows, those that train, those that validate."""
    base, test = (
        pd.read_csv(folder / f"u{number}.{part}", sep="\t", names=NAMES)
        for part in ("base", "test")
    )
    rows = list(range(len(base) + len(test)))
    return pd.concat([base, test], ignore_index=True), rows[: len(base)], rows[len(base) :]


def processor_time(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def quietly(learn: Any, epochs: int = 1) -> None:
    """Train without a table or a bar."""
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(epochs, 5e-3, wd=0.1)


def fastai_learner(df: pd.DataFrame, valid: list[int] | None = None) -> Any:
    """fastai's learner of the same model."""
    from fastai.collab import CollabDataLoaders as FastaiLoaders
    from fastai.collab import collab_learner as fastai_collab_learner

    if valid is None:
        dls = FastaiLoaders.from_df(df, bs=64, seed=1)
    else:
        # Its from_df splits at random alone.
        from fastai.collab import TabularCollab
        from fastai.tabular.all import Categorify, TransformBlock

        train = sorted({*range(len(df))} - {*valid})
        to = TabularCollab(
            df, [Categorify], ["user", "movie"], y_names=["rating"], y_block=TransformBlock(),
            splits=(train, valid), inplace=False, reduce_memory=True,
        )  # fmt: skip
        dls = FastaiLoaders(*to.dataloaders(bs=64))
    return fastai_collab_learner(dls, **SETTINGS)


def measure_epoch(folder: Path | None, rounds: int) -> None:
    df = ratings_of(folder)
    sides = {
        "layerwise": collab_learner(CollabDataLoaders.from_df(df, bs=64, seed=1), **SETTINGS),
        "layerwise, val_bs=64": collab_learner(
            CollabDataLoaders.from_df(df, bs=64, val_bs=64, seed=1), **SETTINGS
        ),
    }
    if peers.is_installed("fastai"):
        sides["fastai"] = fastai_learner(df)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, learn in sides.items():
            taken = processor_time(lambda learn=learn: quietly(learn))  # type: ignore[misc]
            if number:  # the first round warms up
                times[name].append(taken)
    for name, taken in times.items():
        ratio = [b / a for a, b in zip(taken, times.get("fastai", taken), strict=True)]
        print(
            f"epoch, {name}: {statistics.median(taken):.3f} s (fastest {min(taken):.3f}), "
            f"fastai / this: {statistics.median(ratio):.2f}"
        )


def measure_error(folder: Path | None, with_peers: bool) -> None:
    if folder is None:
        print("error: no ml-100k.tgz in LAYERWISE_MIRROR")
        return
    kinds: dict[str, dict[str, Any]] = {
        "y_range=(0, 5.5)": {"y_range": (0, 5.5)},
        "no range": {},
        "use_nn=True, layers=[100, 50]": {
            "use_nn": True, "layers": [100, 50], "y_range": (0, 5.5),
        },
    }  # fmt: skip
    for name, settings in kinds.items():
        found = []
        for number in range(1, 6):
            df, train, valid = split(folder, number)
            set_seed(number)
            dls = CollabDataLoaders.from_df(df, splitter=lambda _, s=(train, valid): s)  # type: ignore[misc]
            learn = collab_learner(dls, metrics=rmse, **settings)
            quietly(learn, 5)
            found.append(float(learn.recorder.values[-1][-1] or 0))
        _print_errors(f"layerwise, {name}", found)
    if not (with_peers and peers.is_installed("fastai")):
        return
    found = []
    for number in range(1, 6):
        df, _, valid = split(folder, number)
        set_seed(number)
        learn = fastai_learner(df, valid)
        quietly(learn, 5)
        with learn.no_bar():
            preds, targets = learn.get_preds()
        found.append(float((preds.flatten() - targets.flatten()).square().mean().sqrt()))
    _print_errors("fastai, y_range=(0, 5.5), wd=0.1", found)


def _print_errors(name: str, found: list[float]) -> None:
    each = ", ".join(f"{value:.4f}" for value in found)
    print(f"error, {name}: RMSE {statistics.mean(found):.4f} (u1 to u5: {each})")


def measure_predict(rounds: int) -> None:
    df = ratings_of(None)
    learn = collab_learner(CollabDataLoaders.from_df(df, seed=1), **SETTINGS)
    with tempfile.TemporaryDirectory() as name:
        loaded = load_learner(learn.export(Path(name) / "export.lw"))
    row = {"user": 7, "movie": 9}
    x = torch.tensor([[7, 9]])

    def bare() -> Any:
        with torch.no_grad():
            return loaded.model(x)

    sides = {"predict": lambda: loaded.predict(row), "the model alone": bare}
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(100 * rounds):
        for side, function in sides.items():
            times[side].append(processor_time(function))
    for side, taken in times.items():
        print(f"{side}: {1e3 * statistics.median(taken[50:]):.3f} ms")


def measure_memory() -> None:
    with tempfile.TemporaryDirectory() as name:
        for step in ("write", "train"):
            subprocess.run([sys.executable, __file__, "--memory", step, name], check=True)


def write_ratings(folder: Path) -> None:
    """Ratings that factors explain, written without holding more than a part of them."""
    draw = np.random.default_rng(0)
    users, items = Ids("user", range(1, USERS + 1)), Ids("item", range(1, ITEMS + 1))
    Ratings(users, items).save(folder)
    pairs = np.lib.format.open_memmap(
        folder / "pairs.npy", mode="w+", dtype=np.int32, shape=(RATINGS, 2)
    )
    values = np.lib.format.open_memmap(
        folder / "values.npy", mode="w+", dtype=np.float32, shape=(RATINGS,)
    )
    taste, kind = draw.normal(size=(USERS + 1, 4)), draw.normal(size=(ITEMS + 1, 4))
    for start in range(0, RATINGS, 1_000_000):
        part = slice(start, start + 1_000_000)
        who, what = draw.integers(1, USERS + 1, 1_000_000), draw.integers(1, ITEMS + 1, 1_000_000)
        pairs[part, 0], pairs[part, 1] = who, what
        values[part] = 3 + (taste[who] * kind[what]).sum(1) / 2 + draw.normal(0, 0.3, 1_000_000)


def own_memory() -> float:
    """MiB of this process that are no pages of files."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def train_from_disk(folder: Path) -> None:
    from layerwise.core.train.callback import Callback

    class Memory(Callback):
        def before_fit(self) -> None:
            self.seen: list[float] = []

        def after_batch(self) -> None:
            if self.learn.training and self.learn.iter % 200 == 199:
                self.seen.append(own_memory())

    torch.set_num_threads(1)
    before = own_memory()
    start = time.perf_counter()
    dls = CollabDataLoaders.from_ratings(Ratings.open(folder), valid_pct=0.01, seed=1, bs=8192)
    made = time.perf_counter() - start
    learn = collab_learner(dls, 16, cbs=Memory())
    with learn.no_bar():
        learn.fit(2, 5e-3, wd=0)
    size = sum(file.stat().st_size for file in folder.glob("*.npy")) / 2**20
    print(f"memory: {size:.0f} MiB of arrays on the disk; loaders made in {made:.1f} s")
    seen = learn.memory.seen
    print(
        f"memory: {before:.0f} MiB before, while training {min(seen):.0f} to {max(seen):.0f} MiB, "
        f"at the end {seen[-1]:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="measure the peer's error too")
    parser.add_argument("--memory", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        step, name = args.memory
        (write_ratings if step == "write" else train_from_disk)(Path(name))
        return
    torch.set_num_threads(1)
    print(peers.versions())
    with tempfile.TemporaryDirectory() as name:
        folder = movielens(Path(name))
        if "epoch" in args.only:
            measure_epoch(folder, args.rounds)
        if "error" in args.only:
            measure_error(folder, args.peers)
    if "predict" in args.only:
        measure_predict(args.rounds)
    if "memory" in args.only:
        measure_memory()


if __name__ == "__main__":
    main()
