"""Tables: what loading an epoch, preprocessing a frame and predicting a row cost.

1. loader: an epoch of 1,000,000 rows of 10 categories and 10 numbers, shuffled, over plain indexing
   of the ready tensors by the same batches; fastai's loader beside it, on fewer rows.
2. preprocessing: `Categorify`, `FillMissing`, `Normalize` of 1,000,000 x 20, over the same by hand
   in vectorised pandas; and the peak memory of either over that of the frame.
3. predict: one row of 8 categories and 6 numbers, as many as `adult` has, through an exported
   learner, over the bare model; fastai's beside it.

    python benchmarks/tabular.py [--rows 1000000] [--only loader preprocessing memory predict]

Sides alternate, on one thread; medians are printed. fastai is measured where it is installed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import torch

CATS = [f"cat{i}" for i in range(10)]
NUMBERS = [f"num{i}" for i in range(10)]
PARTS = ("loader", "preprocessing", "memory", "predict")


def frame_of(rows: int) -> pd.DataFrame:
    """Half texts of 5 to 500 values, half numbers, a hundredth of which are missing."""
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for i, name in enumerate(CATS):
        words = np.array([f"value {j}" for j in range(5 * 2**i if i < 7 else 500)], dtype=object)
        columns[name] = words[draw.integers(0, len(words), rows)]
    for name in NUMBERS:
        values = draw.normal(50, 20, rows)
        values[draw.random(rows) < 0.01] = np.nan
        columns[name] = values
    columns["target"] = draw.integers(0, 2, rows).astype(np.float64)
    return pd.DataFrame(columns)


def ours(df: pd.DataFrame, cats: list[str] = CATS, numbers: list[str] = NUMBERS) -> Any:
    from layerwise.core.transforms.numeric import Normalize
    from layerwise.tabular.pandas_table import TabularPandas
    from layerwise.tabular.procs import Categorify, FillMissing

    count = len(df)
    splits = (np.arange(count // 5, count), np.arange(count // 5))
    return TabularPandas(
        df, [Categorify, FillMissing, Normalize], cats, numbers, "target", splits=splits
    )


def by_hand(df: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
    """What somebody who knows pandas would write, without a loop over rows."""
    train = df.iloc[len(df) // 5 :]
    codes, numbers = [], []
    for name in CATS:
        known = train[name].astype("category").cat.categories
        codes.append(pd.Categorical(df[name], categories=known).codes.astype(np.int64) + 1)
    for name in NUMBERS:
        gaps = df[name].isna()
        codes.append(gaps.to_numpy().astype(np.int64) + 1)
        filled = df[name].fillna(train[name].median())
        known = filled.iloc[len(df) // 5 :]
        numbers.append(((filled - known.mean()) / known.std(ddof=0)).astype(np.float32))
    return torch.from_numpy(np.stack(codes, 1)), torch.from_numpy(np.stack(numbers, 1))


def ready(df: pd.DataFrame) -> Any:
    """Ours, as far as the matrices that batches are cut from."""
    to = ours(df)
    to.gather(torch.tensor([0]))
    return to


def alternated(
    sides: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each side, in turns, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, function in sides.items():
            start = clock()
            function()
            if number:
                times[name].append(clock() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def loader(rows: int) -> None:
    from layerwise.tabular.loader import TabDataLoader

    to = ready(frame_of(rows))
    codes, numbers, targets = to.gather(torch.arange(len(to)))
    for bs in (64, 1024):

        def plain(bs: int = bs) -> None:
            for index in torch.randperm(rows).split(bs):
                _ = codes[index], numbers[index], targets[index]

        dl = TabDataLoader(to, bs=bs, shuffle=True)

        def epoch(dl: Any = dl) -> None:
            for _ in dl:
                pass

        found = alternated({"plain": plain, "ours": epoch}, 5)
        told = f"plain {found['plain']:.3f} s, ours {found['ours']:.3f} s"
        print(f"loader, bs {bs}: {told}, ratio {found['ours'] / found['plain']:.2f}", flush=True)
        if peers.is_installed("fastai"):
            few = 20_000
            other = fastai_loader(few, bs)
            index = torch.randperm(few).split(bs)

            def part(index: Any = index) -> None:
                for i in index:
                    _ = codes[i], numbers[i], targets[i]

            def theirs(other: Any = other) -> None:
                for _ in other:
                    pass

            found = alternated({"plain": part, "fastai": theirs}, 3)
            print(f"  fastai, {few} rows: ratio {found['fastai'] / found['plain']:.1f}", flush=True)


def fastai_table(df: pd.DataFrame, cats: list[str] = CATS, numbers: list[str] = NUMBERS) -> Any:
    peers.define_torchvision_operators()
    from fastai.tabular import all as fa

    count = len(df)
    return fa.TabularPandas(
        df, [fa.Categorify, fa.FillMissing, fa.Normalize], list(cats), list(numbers),
        "target", splits=(list(range(count // 5, count)), list(range(count // 5))),
    )  # fmt: skip


def fastai_loader(rows: int, bs: int) -> Any:
    return fastai_table(frame_of(rows * 5 // 4)).dataloaders(bs=bs).train


def preprocessing(rows: int) -> None:
    df = frame_of(rows)
    found = alternated({"by hand": lambda: by_hand(df), "ours": lambda: ready(df)}, 5)
    ratio = found["ours"] / found["by hand"]
    print(
        f"preprocessing {rows} x 20: by hand {found['by hand']:.2f} s, ours {found['ours']:.2f} s, "
        f"ratio {ratio:.2f}",
        flush=True,
    )


def memory(rows: int) -> None:
    """Peak memory of each side, in a process of its own."""
    for side in ("by hand", "ours"):
        done = subprocess.run(
            [sys.executable, __file__, "--rows", str(rows), "--peak", side],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        print(done.stdout.strip(), flush=True)


def peak(side: str, rows: int) -> None:
    import layerwise.tabular.pandas_table  # noqa: F401 - what importing takes is not counted

    ours(frame_of(1000))
    before = resident("VmRSS")
    df = frame_of(rows)
    size = resident("VmRSS") - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    made = {"by hand": by_hand, "ours": ready}[side](df)
    top = resident("VmHWM") - before
    print(
        f"memory, {side}: frame {size / 2**20:.0f} MiB, peak {top / 2**20:.0f} MiB with the frame, "
        f"ratio {top / size:.2f}"
    )
    del made


def resident(kind: str) -> int:
    """Bytes of memory of this process by now ("VmRSS"), or at most so far ("VmHWM")."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def predict(_: int) -> None:
    from layerwise.core.restore import load_learner
    from layerwise.tabular.learner import tabular_learner

    cats, numbers = CATS[:8], NUMBERS[:6]
    df = frame_of(20_000)[[*cats, *numbers, "target"]].dropna()
    row = df.iloc[0].drop("target")
    with tempfile.TemporaryDirectory() as folder:
        dls = ours(df, cats, numbers).dataloaders(path=folder)
        learn = tabular_learner(dls, n_out=1)
        path = learn.export()
        with zipfile.ZipFile(path) as members:
            sizes = {m.filename: m.file_size for m in members.infolist()}
        whole = sum(sizes.values())
        weights = sum(size for name, size in sizes.items() if name.startswith("model."))
        rest = (whole - weights) / 1e6
        print(f"exported learner {whole / 1e6:.2f} MB, without the model {rest:.2f}")
        learn = load_learner(path)
    batch = learn.dls.test_dl(df.head(1)).one_batch()
    sides = {"model": bare(learn.model, batch), "ours": lambda: learn.predict(row)}
    found = alternated(sides, 300, time.process_time)
    over = (found["ours"] - found["model"]) * 1e3
    print(
        f"predict of a row: {found['ours'] * 1e3:.3f} ms, model {found['model'] * 1e3:.3f} ms, "
        f"over it {over:.3f} ms (allowed 0.5)"
    )
    if peers.is_installed("fastai"):
        to = fastai_table(df, cats, numbers)
        from fastai.tabular import all as fa

        other = fa.tabular_learner(to.dataloaders(bs=64), n_out=1)
        with other.no_bar():
            theirs = alternated({"fastai": lambda: other.predict(row)}, 100, time.process_time)
        print(f"  fastai: {theirs['fastai'] * 1e3:.3f} ms")


def bare(model: torch.nn.Module, batch: Any) -> Callable[[], object]:
    model.eval()

    def call() -> object:
        with torch.no_grad():
            return model(*batch[:2])

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--peak", choices=("by hand", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak(args.peak, args.rows)
        return
    torch.set_num_threads(1)  # steps this small are slower on several
    print(peers.versions())
    for part in args.only:
        {"loader": loader, "preprocessing": preprocessing, "memory": memory, "predict": predict}[
            part
        ](args.rows)


if __name__ == "__main__":
    main()
