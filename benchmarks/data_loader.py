"""Milliseconds of an epoch without workers: our loaders beside `torch.utils.data.DataLoader`.

Samples cost next to nothing here, so that it is the loaders that are compared. Ours also give each
item and each batch randomness of its own and leave the global generators as they were.

Run: python benchmarks/data_loader.py
"""

import statistics
import time
from typing import Any

import torch
import torch.utils.data as torch_data

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL

SAMPLES, BATCH, ROUNDS = 6400, 64, 11


def epoch(dl: Any) -> float:
    start = time.perf_counter()
    for _batch in dl:
        pass
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    torch.set_num_threads(1)
    data = torch_data.TensorDataset(torch.randn(SAMPLES, 3, 8, 8), torch.randint(10, (SAMPLES,)))
    loaders: dict[str, Any] = {
        "torch": torch_data.DataLoader(data, BATCH, shuffle=True),
        "DataLoader": DataLoader(data, BATCH, shuffle=True),
        "TfmdDL": TfmdDL(data, BATCH, shuffle=True, num_workers=0),
    }
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(ROUNDS):  # alternating, so that a busy machine slows all alike
        for name, dl in loaders.items():
            times[name].append(epoch(dl))
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    for name, spent in medians.items():
        print(f"{name:12} {spent:6.1f} ms an epoch   {spent / medians['torch']:.2f}")


if __name__ == "__main__":
    main()
