"""Time of `get_files` on many files, against the standard library's walk and glob.

Run: python benchmarks/list_files.py [files] [folders]
The three take turns, so that a busy machine slows all of them; the medians are compared.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from layerwise.core.data.source import get_files, get_image_files

LIMIT = 1.5  # seconds for 100,000 files


def make_tree(root: Path, files: int, folders: int) -> None:
    """Write empty files, evenly over the folders."""
    for i in range(folders):
        folder = root / f"class_{i:03}"
        folder.mkdir()
        for j in range(files // folders):
            os.close(os.open(f"{folder}/image_{j:06}.jpg", os.O_CREAT))


def medians(functions: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """The median seconds of each function, called in turns."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> int:
    """Print a table; 1 if `get_files` is slower than the limit, scaled to the number of files."""
    files, folders = (*map(int, sys.argv[1:]), *(100_000, 50)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        make_tree(root, files, folders)
        assert len(get_files(root)) == files // folders * folders
        found = medians(
            {
                "get_files": lambda: get_files(root),
                "get_image_files": lambda: get_image_files(root),
                "list(os.walk)": lambda: list(os.walk(root)),
                "list(Path.rglob)": lambda: list(root.rglob("*")),
                "sorted(Path.rglob)": lambda: sorted(root.rglob("*")),
            }
        )
    print(f"{files} files in {folders} folders, Python {sys.version.split()[0]}")
    for name, seconds in found.items():
        ratio = seconds / found["list(os.walk)"]
        print(f"{name:20} {seconds:7.3f} s   {ratio:6.2f} x list(os.walk)")
    return int(found["get_image_files"] > LIMIT * files / 100_000)


if __name__ == "__main__":
    sys.exit(main())
