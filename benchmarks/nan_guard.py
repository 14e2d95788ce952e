"""`NaNGuard`: what looking for NaN before each step costs, on and off.

Both sides train the same network on the same batches, once with the guard that every learner has
and once without. Sides alternate epoch by epoch, and so does which is first; printed is the median
of the ratios of neighbours, of processor time, on one thread: both of a pair meet the same machine.

    python benchmarks/nan_guard.py [--rounds 51]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import peers
import torch
from torch import nn
from torch.utils import data as torch_data

from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.nn.residual import ResBlock


def perceptron() -> tuple[nn.Module, torch.Tensor]:
    model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    return model, torch.randn(1280, 784)


def residual() -> tuple[nn.Module, torch.Tensor]:
    blocks = [ResBlock(1, a, b, stride=2) for a, b in ((3, 32), (32, 64), (64, 128))]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]
    return nn.Sequential(*blocks, *head), torch.randn(128, 3, 32, 32)


def transformer() -> tuple[nn.Module, torch.Tensor]:
    layer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 4), nn.Flatten(), nn.Linear(32 * 128, 10))
    return model, torch.randn(128, 32, 128)


def epoch_of(learn: Learner) -> Callable[[], None]:
    def epoch() -> None:
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-3)

    return epoch


def measured(
    make: Callable[[], tuple[nn.Module, torch.Tensor]], rounds: int
) -> tuple[float, float, float]:
    """Seconds an epoch without and with the guard, and the ratio: medians."""
    sides = []
    for with_guard in (False, True):
        torch.manual_seed(0)
        model, x = make()
        data = torch_data.TensorDataset(x, torch.arange(len(x)) % 10)
        loader = DataLoader(data, 64)
        learn = Learner(DataLoaders(loader), model, nn.CrossEntropyLoss())
        if not with_guard:
            learn.remove_cb(NaNGuard)
        sides.append(epoch_of(learn))
    times: list[list[float]] = [[], []]
    for epoch in sides:
        epoch()
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 else (1, 0):
            start = time.process_time()
            sides[side]()
            times[side].append(time.process_time() - start)
    ratios = [guarded / without for without, guarded in zip(*times, strict=True)]
    return statistics.median(times[0]), statistics.median(times[1]), statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=51)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{peers.versions()}\n")
    print("| one epoch in batches of 64 | without, ms | with, ms | ratio |\n|---|---|---|---|")
    for make in (perceptron, residual, transformer):
        without, guarded, ratio = measured(make, options.rounds)
        told = f"{without * 1e3:.1f} | {guarded * 1e3:.1f} | {ratio:.3f}"
        print(f"| {make.__name__} | {told} |")


if __name__ == "__main__":
    main()
