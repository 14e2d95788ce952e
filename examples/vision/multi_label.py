"""Train a classifier that gives each picture any number of labels.

    python examples/vision/multi_label.py PATH --arch resnet18 --epochs 5

`PATH` holds `train.csv` with the columns fname, labels (parted by spaces; none is fine) and, if
there is one, is_valid; the pictures are in `train/`. Reported is the share of right decisions over
all labels (which is high where most labels are rare), and F1, at the threshold that was given and
at the best one for the pictures that validate. `OUT/labels.png` has pictures with their labels,
`OUT/labels.lw` the learner for `load_learner`. With `--small` the script draws pictures of its own.
"""

import argparse
import csv
import random
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from layerwise.core.data.block import MultiCategoryBlock
from layerwise.core.errors import MissingDependencyError
from layerwise.core.metrics.multilabel import F1ScoreMulti, accuracy_multi
from layerwise.core.nn.losses import BCEWithLogitsLossFlat
from layerwise.core.random import set_seed
from layerwise.vision.augment.item import FlipItem, Resize
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.learner import vision_learner

THRESHOLDS = [step / 20 for step in range(1, 20)]
SHAPES = ("disc", "box", "cross")


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder of train.csv and train/")
    parser.add_argument("--arch", default="resnet18", help="any name that vision_learner takes")
    parser.add_argument("--weights", help="file of weights; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bs", type=int, default=32)
    parser.add_argument("--threshold", type=float, default=0.5, help="probability of a label")
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share, without is_valid")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--small", action="store_true", help="pictures that the script draws")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder with train.csv, or pass --small")
    return options


def draw_scenes(folder: Path, count: int = 240, side: int = 48) -> Path:
    """`folder` with drawn pictures of some shapes each, in the layout that this script reads."""
    draws = random.Random(0)  # noqa: S311 - drawn, not secret
    (folder / "train").mkdir(parents=True)
    rows = [("fname", "labels", "is_valid")]
    for number in range(count):
        picture = Image.effect_noise((side, side), 25).convert("RGB")
        pen = ImageDraw.Draw(picture)
        shown = [shape for shape in SHAPES if draws.random() < 0.5]
        for shape in shown:
            size = draws.randint(12, 20)
            x, y = (draws.randint(0, side - size) for _ in range(2))
            end = x + size, y + size
            if shape == "disc":
                pen.ellipse((x, y, *end), fill=(220, 60, 60))
            elif shape == "box":
                pen.rectangle((x, y, *end), fill=(60, 60, 220))
            else:
                pen.line((x, y, *end), fill=(60, 220, 60), width=5)
                pen.line((x, end[1], end[0], y), fill=(60, 220, 60), width=5)
        picture.save(folder / "train" / f"{number}.png")
        rows.append((f"{number}.png", " ".join(shown), str(number >= count - 48)))
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def loaders(path: Path, options: argparse.Namespace) -> Any:
    """Loaders of pictures and labels."""
    with (path / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # From the whole table: a rare label may stand at pictures that validate alone.
    vocab = sorted({label for row in rows for label in row["labels"].split()})
    return ImageDataLoaders.from_csv(
        path,
        "train.csv",
        folder="train",
        label_delim=" ",
        y_block=MultiCategoryBlock(vocab=vocab),
        valid_col="is_valid" if "is_valid" in rows[0] else None,
        valid_pct=options.valid_pct,
        seed=options.seed,
        bs=options.bs,
        item_tfms=[Resize(options.size), FlipItem()],
    )


def best_threshold(learn: Any) -> tuple[float, float]:
    """The threshold with the best F1 on the pictures that validate, and that F1."""
    probabilities, targets = learn.get_preds()
    values = []
    for threshold in THRESHOLDS:
        metric = F1ScoreMulti(thresh=threshold, sigmoid=False)
        metric.update(probabilities, targets)
        values.append((metric.value, threshold))
    value, threshold = max(values)
    return threshold, value


def draw_labels(learn: Any, file: Path) -> None:
    """Labels and those predicted above each picture, as a picture in `file`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="Figures", install="layerwise-core[plot]"
        ) from error
    learn.show_results(max_n=9, shuffle=False)
    plt.savefig(file)
    plt.close("all")


def train(path: Path, options: argparse.Namespace) -> None:
    """Load, train, choose a threshold, show, export."""
    loss = BCEWithLogitsLossFlat(thresh=options.threshold)
    learn = vision_learner(
        loaders(path, options),
        options.arch,
        pretrained=not options.from_scratch,
        weights=options.weights,
        loss_func=loss,
        metrics=[accuracy_multi, F1ScoreMulti(thresh=options.threshold)],
        path=options.out,
    )
    if options.from_scratch:
        learn.fit_one_cycle(options.epochs, options.lr)
    else:
        learn.fine_tune(options.epochs, options.lr)
    loss.thresh, value = best_threshold(learn)
    print(f"best threshold {loss.thresh:.2f}, with which F1 is {value:.3f}")
    options.out.mkdir(parents=True, exist_ok=True)
    draw_labels(learn, options.out / "labels.png")
    print(f"saved {learn.export('labels.lw')}")


def main() -> None:
    """Train on the pictures that the command line names, or on drawn ones."""
    options = read_arguments()
    set_seed(options.seed)
    if not options.small:
        train(options.path, options)
        return
    options.arch, options.from_scratch = "vision/xresnet18", True
    options.size, options.bs, options.epochs, options.lr = 48, 16, 4, 5e-3
    if options.out == Path():
        options.out = Path(__file__).resolve().parents[2] / "demo-output"
    with tempfile.TemporaryDirectory() as folder:
        train(draw_scenes(Path(folder) / "scenes"), options)


if __name__ == "__main__":
    main()
