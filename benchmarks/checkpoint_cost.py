"""What a checkpoint every 3 steps costs, beside the same training without.

The net of recipe R1 (batch norm, dropout), with a width at which a checkpoint has about the 3.7 MB
of the recipe's prototype: mixup, one cycle, gradient scaler, average of weights, validation after
each epoch, on one thread. Sides alternate; printed is the median over the rounds of the ratio to
the side without, of elapsed time and of the processor time of the thread that trains: on a machine
where all cores are taken, the first has in it what writing takes from others, the second only what
training has to do for it; the ratio of the least times is what is left where others interfere.

    python benchmarks/checkpoint_cost.py [--rounds 9] [--every 3ba]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.mixup import MixUp
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.items import noop
from layerwise.core.learner import Learner

BATCH, BATCHES, INPUTS, HIDDEN = 256, 60, 128, 448


def make_learner(folder: Path, every: str | None, background: bool) -> Learner:
    torch.manual_seed(0)
    x = torch.randn(BATCH * BATCHES, INPUTS)
    y = x[:, :10].argmax(1)
    data = torch.utils.data.TensorDataset(x, y)
    valid = torch.utils.data.TensorDataset(x[:512], y[:512])
    model = nn.Sequential(
        nn.Linear(INPUTS, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(HIDDEN, 10),
    )  # fmt: skip
    cbs = [MixUp(), MixedPrecision("fp16"), EMA()]
    if every is not None:
        cbs.append(Checkpoint(every, background=background, signals=("SIGTERM",)))
    learn = Learner(
        DataLoaders(DataLoader(data, BATCH, shuffle=True), DataLoader(valid, BATCH)),
        model, nn.CrossEntropyLoss(), path=folder, cbs=cbs,
    )  # fmt: skip
    learn.logger = noop
    return learn


def timed_epoch(learn: Learner) -> tuple[float, float]:
    """Seconds, and seconds of the processor in this thread."""
    elapsed, own = time.perf_counter(), time.thread_time()
    with learn.no_bar():
        learn.fit_one_cycle(1, 1e-3)
    return time.perf_counter() - elapsed, time.thread_time() - own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--every", default="3ba")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "without": make_learner(Path(folder, "a"), None, False),
            "in a thread": make_learner(Path(folder, "b"), options.every, True),
            "waiting for the disk": make_learner(Path(folder, "c"), options.every, False),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for learn in sides.values():
            timed_epoch(learn)
        for _ in range(options.rounds):
            for name, learn in sides.items():
                times[name].append(timed_epoch(learn))
        base = times["without"]
        step = statistics.median(own for _, own in base) / BATCHES
        print(f"a step without: {step * 1e3:.1f} ms of the processor")
        for name, learn in sides.items():
            elapsed, own = (
                statistics.median(t[i] / b[i] for t, b in zip(times[name], base, strict=True))
                for i in (0, 1)
            )
            least = min(t[0] for t in times[name]) / min(b[0] for b in base)
            told = f"{name:<22} elapsed {elapsed:.3f} (least {least:.3f})   own thread {own:.3f}"
            if name != "without":
                newest = learn.checkpoint.paths[-1]
                written = int(newest.name.split("-")[0]) / (options.rounds + 1)
                size = newest.stat().st_size / 1e6
                told += f"   {written:.0f} checkpoints of {size:.1f} MB an epoch"
            print(told)


if __name__ == "__main__":
    main()
