"""Train an image classifier on a folder of pictures, one folder per class.

    python examples/vision/train_classifier.py PATH --arch resnet18 --epochs 5

`PATH` holds `train/<class>/` and `valid/<class>/`, or only `<class>/` with `--valid-pct 0.2`. Each
picture is cropped to a square a little larger than `--size`, and whole batches are augmented and
brought to `--size` in one pass. Weights go to `OUT/models`, and `OUT/classifier.lw` is the export
that `load_learner` reads. With `--small` the script trains for one epoch on digits that come with
the repository, as `make examples` does.
"""

import argparse
import os
from pathlib import Path

from layerwise.core.data.download import untar_data
from layerwise.core.data.urls import URLs
from layerwise.core.metrics.classification import accuracy, error_rate
from layerwise.core.random import set_seed
from layerwise.vision.augment.item import Resize
from layerwise.vision.augment.recipe import aug_transforms
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.learner import vision_learner

EXAMPLES = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder of pictures")
    parser.add_argument("--arch", default="resnet18", help="any name that vision_learner takes")
    parser.add_argument("--weights", help="file of weights; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--valid-pct", type=float, help="random share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=Path(), help="where the model goes")
    parser.add_argument("--small", action="store_true", help="one epoch on digits that are here")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder of pictures, or pass --small")
    return options


def main() -> None:
    """Load, train, save."""
    options = read_arguments()
    set_seed(options.seed)
    presize, flip = options.size * 8 // 7, True
    if options.small:
        os.environ.setdefault("LAYERWISE_MIRROR", str(EXAMPLES / "data"))
        options.path = untar_data(URLs.MNIST_SAMPLE)
        options.arch, options.epochs, options.from_scratch = "vision/xresnet18", 1, True
        options.lr, options.out = 1e-2, EXAMPLES.parent / "demo-output"
        presize, options.size, flip = 32, 28, False  # a mirrored digit is another one
    dls = ImageDataLoaders.from_folder(
        options.path,
        valid_pct=options.valid_pct,
        seed=options.seed,
        bs=options.bs,
        n=4096 if options.small else None,
        item_tfms=Resize(presize),
        batch_tfms=aug_transforms(do_flip=flip, size=options.size, min_scale=0.75),
    )
    learn = vision_learner(
        dls,
        options.arch,
        pretrained=not options.from_scratch,
        weights=options.weights,
        metrics=[accuracy, error_rate],
        path=options.out,
    )
    if options.from_scratch:
        learn.fit_one_cycle(options.epochs, options.lr)
    else:
        learn.fine_tune(options.epochs, options.lr)
    print(f"saved {learn.save(options.arch.replace('/', '-'))}")
    print(f"exported {learn.export('classifier.lw')}")


if __name__ == "__main__":
    main()
