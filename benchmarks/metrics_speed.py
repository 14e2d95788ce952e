"""Microseconds of the CPU that a metric costs a training loop for each batch.

Run: python benchmarks/metrics_speed.py
"""

import statistics
import timeit
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from layerwise.core.metrics.classification import F1Score, accuracy
from layerwise.core.metrics.metric import AvgLoss, AvgSmoothLoss, mk_metric
from layerwise.core.metrics.regression import rmse
from layerwise.core.metrics.segmentation import Dice

CALLS, ROUNDS = 1000, 7


def main() -> None:
    torch.set_num_threads(1)
    source = torch.Generator().manual_seed(0)
    pred = torch.randn(64, 10, generator=source)
    targ = torch.randint(10, (64,), generator=source)
    loss = torch.tensor(1.5, requires_grad=True) * 1
    classes: Any = SimpleNamespace(pred=pred, yb=(targ,), xb=(pred,), loss=loss)
    numbers: Any = SimpleNamespace(pred=pred[:, 0], yb=(pred[:, 1],), xb=(pred,), loss=loss)
    cases: dict[str, tuple[Any, Any]] = {
        "AvgLoss": (AvgLoss(), classes),
        "AvgSmoothLoss": (AvgSmoothLoss(), classes),
        "accuracy": (accuracy, classes),
        "rmse": (rmse, numbers),
        "F1Score, 10 classes": (F1Score(average="macro"), classes),
        "Dice": (Dice(axis=-1), classes),
    }
    metrics = {name: (mk_metric(metric), state) for name, (metric, state) in cases.items()}
    times: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(ROUNDS):  # alternating, so that a busy machine slows all alike
        for name, (metric, state) in metrics.items():
            spent = timeit.timeit(partial(metric.accumulate, state), number=CALLS)
            times[name].append(spent / CALLS * 1e6)
    for name, spent_each in times.items():
        print(f"{name:22} {statistics.median(spent_each):7.1f} us a batch of 64")


if __name__ == "__main__":
    main()
