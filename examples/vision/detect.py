"""Train a detector of boxes and their classes on pictures with an annotation file of COCO.

    python examples/vision/detect.py PATH --arch resnet18 --epochs 8 --size 384 512

`PATH` holds `train.json` (images, annotations with x, y, width, height in pixels, categories) and
the pictures in `train/`. The names in `valid.txt`, one a line, validate; without that file a random
share does. Reported are the mean average precision over overlaps of 0.5 to 0.95 and that at 0.5.
`OUT/found.png` has pictures with the boxes that were found, `OUT/detector.lw` the learner for
`load_learner`. With `--small` the script draws pictures of its own and trains for half a minute.
"""

import argparse
import json
import math
import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from layerwise.core.data.block import DataBlock
from layerwise.core.data.split import FuncSplitter, RandomSplitter
from layerwise.core.errors import MissingDependencyError
from layerwise.core.random import set_seed
from layerwise.vision.annotations import get_annotations
from layerwise.vision.augment.item import FlipItem, Resize
from layerwise.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from layerwise.vision.detect.learner import detection_learner
from layerwise.vision.detect.metric import MeanAP


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder of train.json and train/")
    parser.add_argument("--arch", default="resnet18", help="any name that detection_learner takes")
    parser.add_argument("--weights", help="file of weights; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--size", type=int, nargs=2, default=(384, 384), help="height and width")
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--width", type=int, default=128, help="channels of the detector")
    parser.add_argument(
        "--threshold", type=float, default=0.4, help="score of boxes that are shown"
    )
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share, without valid.txt")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--small", action="store_true", help="pictures that the script draws")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder with train.json, or pass --small")
    return options


def draw_scenes(folder: Path, count: int = 112, side: int = 64) -> Path:
    """`folder` with drawn pictures of discs and boxes, in the layout that this script reads."""
    draws = random.Random(0)  # noqa: S311 - drawn, not secret
    images, annotations = [], []
    (folder / "train").mkdir(parents=True)
    for number in range(count):
        picture = Image.effect_noise((side, side), 25).convert("RGB")
        pen = ImageDraw.Draw(picture)
        taken: list[tuple[int, int, int]] = []
        for _ in range(draws.randint(1, 3)):
            size = draws.randint(14, 28)
            x, y = (draws.randint(0, side - size) for _ in range(2))
            if any(math.dist((x, y), (a, b)) < max(size, c) for a, b, c in taken):
                continue  # one thing would hide the other
            taken.append((x, y, size))
            kind = draws.randrange(2)
            colour = tuple(draws.randint(120, 255) if i == 2 * kind else 60 for i in range(3))
            (pen.rectangle if kind else pen.ellipse)((x, y, x + size, y + size), fill=colour)
            annotations.append(
                {"image_id": number, "category_id": kind, "bbox": [x, y, size, size]}
            )
        name = f"{number}.png"
        picture.filter(ImageFilter.SMOOTH).save(folder / "train" / name)
        images.append({"id": number, "file_name": name})
    categories = [{"id": 0, "name": "disc"}, {"id": 1, "name": "box"}]
    told = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "train.json").write_text(json.dumps(told))
    (folder / "valid.txt").write_text("\n".join(f"{i}.png" for i in range(count - 16, count)))
    return folder


def is_among(names: frozenset[str], item: tuple[Path, Any, Any]) -> bool:
    """Whether the picture of an item (file, boxes, labels) is one of `names`."""
    return item[0].name in names


def loaders(path: Path, options: argparse.Namespace) -> Any:
    """Loaders of pictures, boxes and labels."""
    names, targets = get_annotations(path / "train.json")
    listed = path / "valid.txt"
    splitter: Any = RandomSplitter(options.valid_pct, seed=options.seed)
    if listed.exists():
        splitter = FuncSplitter(partial(is_among, frozenset(listed.read_text().split())))
    boxes, labels = zip(*targets, strict=True)
    scenes = DataBlock.from_columns(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock),
        n_inp=1,
        splitter=splitter,
        item_tfms=[Resize(tuple(options.size), method="squish"), FlipItem()],
    )
    files = [path / "train" / name for name in names]
    return scenes.dataloaders((files, list(boxes), list(labels)), bs=options.bs)


def draw_found(learn: Any, file: Path) -> None:
    """Targets and boxes found side by side, as a picture in `file`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="Figures", install="layerwise-core[plot]"
        ) from error
    learn.show_results(max_n=6, shuffle=False, ncols=2)
    plt.savefig(file)
    plt.close("all")


def train(path: Path, options: argparse.Namespace) -> None:
    """Load, train, show, export."""
    learn = detection_learner(
        loaders(path, options),
        options.arch,
        pretrained=not options.from_scratch,
        weights=options.weights,
        width=options.width,
        metrics=[MeanAP(), MeanAP(iou=0.5)],
        path=options.out,
    )
    learn.loss_func.threshold = options.threshold  # type: ignore[attr-defined]  # a RetinaLoss
    if options.from_scratch:
        learn.fit_one_cycle(options.epochs, options.lr)
    else:
        learn.fine_tune(options.epochs, options.lr)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_found(learn, options.out / "found.png")
    print(f"saved {learn.export('detector.lw')}")


def main() -> None:
    """Train on the pictures that the command line names, or on drawn ones."""
    options = read_arguments()
    set_seed(options.seed)
    if not options.small:
        train(options.path, options)
        return
    options.arch, options.from_scratch, options.width = "vision/xresnet18", True, 32
    options.size, options.bs, options.epochs, options.lr = (64, 64), 8, 6, 5e-3
    if options.out == Path():
        options.out = Path(__file__).resolve().parents[2] / "demo-output"
    with tempfile.TemporaryDirectory() as folder:
        train(draw_scenes(Path(folder) / "scenes"), options)


if __name__ == "__main__":
    main()
