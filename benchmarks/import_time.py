"""How long `import layerwise.core.all` takes over `import torch`, each in a fresh process.

The two are alternated, so that a busy moment of the machine meets both; medians are compared, of
wall-clock and of processor time, which other programs hardly touch.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

BUDGET = 0.15
"""Seconds over torch that the import of core may take."""


def seconds_to_run(code: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of a fresh interpreter that runs `code`."""
    # As after any installation, modules are compiled once and kept.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=kept)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print one line for each star module that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="processes for each import")
    runs = parser.parse_args().runs
    stars = [f"layerwise.{name}.all" for name in ("core", "vision", "text", "tabular", "audio")]
    codes = {"torch": "import torch"}
    codes |= {star: f"import torch, {star}" for star in stars if find_spec(star)}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for run in range(runs + 1):
        for name, code in codes.items():
            seconds = seconds_to_run(code)
            if run:  # the first round fills the disk cache
                taken[name].append(seconds)
    medians = {
        name: [statistics.median(kind) for kind in zip(*times, strict=True)]
        for name, times in taken.items()
    }
    wall, processor = medians.pop("torch")
    print(f"torch {wall:.3f} s, processor {processor:.3f} s (medians of {runs})")
    for name, (own_wall, own_processor) in medians.items():
        print(
            f"{name} {own_wall:.3f} s: {own_wall - wall:+.3f} s, "
            f"processor {own_processor - processor:+.3f} s"
        )
    print(f"core may take {BUDGET} s over torch")


if __name__ == "__main__":
    main()
