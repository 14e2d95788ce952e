"""Accuracy on real sounds: spoken digits and sounds of the surroundings.

`python benchmarks/audio_results.py` trains from random numbers and prints the accuracy of each part
and their mean:

- `usual`: fsdd, recordings 0 to 4 of each digit and speaker validate (2,700 train, 300 validate);
- `speakers`: fsdd, all recordings of one speaker validate, six times (2,500 and 500);
- `folds`: esc10 (a subset of 80 clips of 5 s), one fold validates, five times (64 and 16).

Parts of the data are fixed; `--seed` decides the starting weights and the order. `--quick` takes a
tenth of the epochs and one part of each, to see that it runs; its figures mean nothing.
"""

import argparse
import os
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.files import get_audio_files
from layerwise.audio.learner import audio_learner
from layerwise.core.data.split import FuncSplitter
from layerwise.core.metrics import accuracy
from layerwise.core.random import set_seed

MIRROR = Path(os.environ.get("LAYERWISE_MIRROR", Path(__file__).parents[2] / "shared" / "data"))
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@dataclass(frozen=True)
class Plan:
    """How one kind of data is trained."""

    epochs: int
    batch_size: int


DIGITS = Plan(epochs=6, batch_size=64)
SURROUNDINGS = Plan(epochs=40, batch_size=8)


@dataclass(frozen=True)
class Speaker:
    """Whether a recording is of one speaker; its name is digit_speaker_number."""

    name: str

    def __call__(self, file: Path) -> bool:
        return file.stem.split("_")[1] == self.name


def is_usual_test(file: Path) -> bool:
    """Whether a recording is one of the usual test part, numbers 0 to 4."""
    return int(file.stem.split("_")[2]) < 5


def trained_accuracy(dls: Any, epochs: int, seed: int) -> float:
    """The share of validation clips that are right in the end."""
    set_seed(seed)
    learn = audio_learner(dls, metrics=accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs)
    return float(learn.validate()[1])


def digits(root: Path, part: Any, plan: Plan, seed: int) -> float:
    """Accuracy on the spoken digits that `part` holds for."""
    set_seed(seed)
    dls = AudioDataLoaders.from_name_re(
        root, get_audio_files(root), r"^(\d)_", splitter=FuncSplitter(part),
        bs=plan.batch_size, cache_folder=root / "cache",
    )  # fmt: skip
    return trained_accuracy(dls, plan.epochs, seed)


def surroundings(root: Path, fold: int, plan: Plan, seed: int) -> float:
    """Accuracy on one fold of esc10."""
    set_seed(seed)
    dls = AudioDataLoaders.from_csv(
        root, "esc10.csv", folder="audio", fn_col="filename", label_col="category",
        valid_col="fold", valid_fold=fold, bs=plan.batch_size,
    )  # fmt: skip
    return trained_accuracy(dls, plan.epochs, seed)


def run(what: str, quick: bool, seed: int, epochs: int | None, folder: Path) -> None:
    """Train every part of one kind, and print what came of it."""
    plan = SURROUNDINGS if what == "folds" else DIGITS
    if quick or epochs is not None:
        plan = Plan(epochs or max(1, plan.epochs // 10), plan.batch_size)
    root = folder / ("esc10" if what == "folds" else "fsdd")
    if not root.is_dir():
        with tarfile.open(MIRROR / f"{root.name}.tgz") as archive:
            archive.extractall(folder, filter="data")
    kinds: dict[str, list[Any]] = {
        "usual": ["0-4"],
        "speakers": list(SPEAKERS),
        "folds": [1, 2, 3, 4, 5],
    }
    parts = kinds[what]
    found = []
    for part in parts[:1] if quick else parts:
        start = time.perf_counter()
        if what == "folds":
            found.append(surroundings(root, part, plan, seed))
        else:
            holds = Speaker(part) if what == "speakers" else is_usual_test
            found.append(digits(root, holds, plan, seed))
        seconds = time.perf_counter() - start
        print(f"{what:9} {part!s:9} {found[-1]:.4f}  {seconds:.0f} s", flush=True)
    print(f"{what:9} mean      {sum(found) / len(found):.4f}  ({plan.epochs} epochs, seed {seed})")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["usual", "speakers", "folds"]
    parser.add_argument("what", nargs="*", choices=[*kinds, []], help="all when not given")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="in place of those of each kind")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what in chosen.what or kinds:
            run(what, chosen.quick, chosen.seed, chosen.epochs, Path(folder))


if __name__ == "__main__":
    main()
