"""How long `import layerwise.core.all` takes over `import torch`, each in a fresh process.

The two are alternated, so that a busy moment of the machine meets both; medians are compared.
"""

import argparse
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

BUDGET = 0.15
"""Seconds over torch that the import of core may take."""


def seconds_to_run(code: str) -> float:
    """Wall-clock seconds of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print one line for each star module that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="processes for each import")
    runs = parser.parse_args().runs
    stars = [f"layerwise.{name}.all" for name in ("core", "vision", "text", "tabular", "audio")]
    codes = {"torch": "import torch"}
    codes |= {star: f"import torch, {star}" for star in stars if find_spec(star)}
    taken: dict[str, list[float]] = {name: [] for name in codes}
    for run in range(runs + 1):
        for name, code in codes.items():
            seconds = seconds_to_run(code)
            if run:  # the first round fills the disk cache
                taken[name].append(seconds)
    torch = statistics.median(taken["torch"])
    print(f"torch {torch:.3f} s (median of {runs})")
    for name, times in list(taken.items())[1:]:
        median = statistics.median(times)
        print(f"{name} {median:.3f} s, {median - torch:+.3f} s, {median / torch:.2f} times torch")
    print(f"core may take {BUDGET} s over torch")


if __name__ == "__main__":
    main()
