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


def tested(folder: Path, name: str, arch, epochs: int, lr: float, bs: int, seed: int, **settings):
    """Predictions for the test part, and its classes, after the last epoch."""
    set_seed(seed)
    seen, kept = (read_ts(folder / name / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    # The loader of training drops a last batch that is not full. One series stands for those that
    # validate, since nothing is decided by them.
    dls = SeriesDataLoaders.from_arrays(
        seen.series, seen.labels, seen.series[:1], seen.labels[:1], bs=min(bs, len(seen.series))
    )
    learn = series_learner(dls, arch, **settings)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(epochs, lr)
        test = list(zip(kept.series, kept.labels, strict=True))
        return learn.get_preds(dl=dls.test_dl(test, with_labels=True, bs=64))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=40, help="of InceptionTime")
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
        for seed in range(args.seed, args.seed + args.members):
            preds, targets = tested(args.folder, name, InceptionTime, args.epochs, 2e-3, 16, seed)
            runs.append(preds)
        inception = float((torch.stack(runs).mean(0).argmax(1) == targets).float().mean())
        middle = time.perf_counter()
        preds, targets = tested(args.folder, name, Rocket, 20, 1e-3, 64, args.seed, wd=0.1)
        rocket = float((preds.argmax(1) == targets).float().mean())
        spent = middle - started, time.perf_counter() - middle
        print(
            f"{name:<18} {inception:>14.3f} {spent[0]:>6.0f} {rocket:>8.3f} {spent[1]:>6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
