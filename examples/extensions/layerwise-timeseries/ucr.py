"""Accuracies on the test parts of five sets of the UCR and UEA archives.

    python ucr.py FOLDER            # of ArrowHead/ArrowHead_TRAIN.ts and so on
    python ucr.py FOLDER --epochs 200 --members 5

Nothing is chosen by the test part: it is looked at once, after the last epoch.
"""

import argparse
import time
from pathlib import Path

import torch

from layerwise_timeseries.all import *

SETS = ("ArrowHead", "GunPoint", "ItalyPowerDemand", "BasicMotions", "JapaneseVowels")


def trained(folder: Path, name: str, arch, epochs: int, lr: float, bs: int, seed: int, **settings):
    """A learner after its last epoch."""
    set_seed(seed)
    train, test = (folder / name / f"{name}_{part}.ts" for part in ("TRAIN", "TEST"))
    # The loader of training drops a last batch that is not full.
    bs = min(bs, len(read_ts(train).series))
    dls = SeriesDataLoaders.from_ts(train, test, bs=bs, val_bs=64)
    learn = series_learner(dls, arch, **settings)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(epochs, lr)
    return learn


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=60, help="of InceptionTime")
    parser.add_argument(
        "--members", type=int, default=1, help="networks of InceptionTime, averaged"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="*", default=SETS)
    args = parser.parse_args()
    print(f"{'set':<18} {'InceptionTime':>14} {'s':>6} {'Rocket':>8} {'s':>6}")
    for name in args.sets:
        started = time.perf_counter()
        runs = []
        for member in range(args.members):
            learn = trained(
                args.folder, name, InceptionTime, args.epochs, 2e-3, 16, args.seed + member
            )
            preds, targets = learn.get_preds()
            runs.append(preds)
        inception = float((torch.stack(runs).mean(0).argmax(1) == targets).float().mean())
        middle = time.perf_counter()
        learn = trained(args.folder, name, Rocket, 20, 1e-3, 64, args.seed, wd=0.1)
        preds, targets = learn.get_preds()
        rocket = float((preds.argmax(1) == targets).float().mean())
        spent = middle - started, time.perf_counter() - middle
        print(
            f"{name:<18} {inception:>14.3f} {spent[0]:>6.0f} {rocket:>8.3f} {spent[1]:>6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
