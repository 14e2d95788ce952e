"""How long a file of weights takes to write and to read, beside `torch.save` and `torch.load`.

A bundle is flushed to the disk before it takes its name, and carries two sums; `torch.save` is
measured with and without flushing, `torch.load` with `weights_only=True`. Medians, one thread.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from layerwise.core.files.bundle import read_bundle, write_bundle
from layerwise.core.files.tensor_file import tensors_from_bytes, tensors_to_parts
from layerwise.core.train.checkpoint import load_weights


def milliseconds(function: Callable[[], object], runs: int) -> float:
    """Median time of a call."""
    function()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)


def functions(state: dict[str, Tensor], folder: Path) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    bundle, plain = folder / "a.bundle", folder / "a.pth"

    def save_flushed() -> None:
        with plain.open("wb") as f:
            torch.save(state, f)
            f.flush()
            os.fsync(f.fileno())

    return {
        "write_bundle": lambda: write_bundle(bundle, {"x": tensors_to_parts(state)}, kind="k"),
        "torch.save": lambda: torch.save(state, plain),
        "torch.save, flushed": save_flushed,
        "read_bundle": lambda: tensors_from_bytes(read_bundle(bundle, kind="k")["x"]),
        "load_weights of .pth": lambda: load_weights(plain),
        "torch.load": lambda: torch.load(plain, weights_only=True),
    }


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="calls of each")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    for megabytes in (4, 47):
        count = (megabytes << 20) // 4 // 40
        state = {f"layers.{i}.weight": torch.randn(count) for i in range(40)}
        with TemporaryDirectory() as folder:
            found = {
                name: milliseconds(function, runs)
                for name, function in functions(state, Path(folder)).items()
            }
        print(f"{megabytes} MB: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in found.items()))


if __name__ == "__main__":
    main()
