"""Train a U-Net that gives each pixel of a picture its class.

    python examples/vision/segment.py PATH --arch resnet34 --epochs 8

`PATH` is laid out like CamVid: `images/NAME.png`, `labels/NAME_P.png` with a class index for each
pixel (other endings by `--suffix`), and `codes.txt` with the name of each class, one a line. Pixels
of the class `--void` count neither in the loss nor in the accuracy. The model goes to OUT/models,
and the whole learner to OUT/segmenter.lw. With `--small` the script draws scenes of coloured
shapes and trains on them for some seconds, as `make examples` does.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from layerwise.core.data.source import get_image_files
from layerwise.core.metrics.segmentation import foreground_acc
from layerwise.core.random import set_seed
from layerwise.core.registry import register
from layerwise.vision.augment.item import Resize
from layerwise.vision.data import SegmentationDataLoaders
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.unet_learner import unet_learner

ROOT = Path(__file__).resolve().parents[2]


class MaskFile:
    """The mask that belongs to a picture: `images/NAME.png` has `labels/NAME_P.png`."""

    def __init__(self, suffix: str = "_P") -> None:
        self.suffix = suffix

    def __call__(self, path: Path) -> Path:
        """From the path of a picture to that of its mask."""
        return path.parent.parent / "labels" / f"{path.stem}{self.suffix}.png"


register("reader", "segment/MaskFile", MaskFile)  # so that an exported learner can name it


def draw_scenes(folder: Path, count: int, side: int = 64) -> None:
    """Write pictures of discs and boxes on a rough ground, their masks, and the codes."""
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "codes.txt").write_text("ground\ndisc\nbox\nVoid\n")
    for number in range(count):
        ground = rng.integers(60, 140, (side, side, 1)) + rng.integers(-25, 25, (side, side, 3))
        picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
        mask = Image.new("L", (side, side))
        for code in (1, 2):
            corner, size = rng.integers(0, side - 30, 2), rng.integers(16, 30)
            box = [*corner.tolist(), *(corner + size).tolist()]
            colour = (210, 120, 60) if code == 1 else (70, 130, 200)
            for image, fill in ((picture, colour), (mask, code)):
                draw = ImageDraw.Draw(image)
                (draw.ellipse if code == 1 else draw.rectangle)(box, fill=fill)
        mask.paste(3, (0, 0, side, 2))  # nobody said what the upper rows are
        picture.save(folder / "images" / f"{number:03}.png")
        mask.save(folder / "labels" / f"{number:03}_P.png")


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder laid out like CamVid")
    parser.add_argument("--arch", default="resnet34", help="any name that unet_learner takes")
    parser.add_argument("--weights", help="file of weights; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--suffix", default="_P", help="what the name of a mask adds")
    parser.add_argument("--void", default="Void", help="class that does not count")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="resize")
    parser.add_argument("--bs", type=int, default=8)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="random share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=Path(), help="where the model goes")
    parser.add_argument("--small", action="store_true", help="a few epochs on drawn scenes")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder of pictures and masks, or pass --small")
    return options


def void_index(codes: Sequence[str], void: str) -> int | None:
    """The index of the class that does not count, if there is one."""
    return codes.index(void) if void in codes else None


def main() -> None:
    """Load, train, save."""
    options = read_arguments()
    set_seed(options.seed)
    if options.small:
        options.out = ROOT / "demo-output"
        options.path = options.out / "scenes"
        draw_scenes(options.path, 40)
        # A quarter of the usual widths is enough for two shapes.
        options.arch = partial(xresnet18, widen=0.25, stem_szs=(8, 8, 16))
        options.from_scratch, options.epochs, options.lr = True, 6, 1e-2
    codes = (options.path / "codes.txt").read_text().split()
    ignored = void_index(codes, options.void)
    dls = SegmentationDataLoaders.from_label_func(
        options.path,
        sorted(get_image_files(options.path / "images")),
        MaskFile(options.suffix),
        valid_pct=options.valid_pct,
        seed=options.seed,
        codes=codes,
        ignore_index=ignored,
        item_tfms=None if options.size is None else Resize(tuple(options.size), method="squish"),
        bs=options.bs,
        num_workers=0 if options.small else None,
    )
    accuracy = foreground_acc if ignored is None else partial(foreground_acc, bkg_idx=ignored)
    learn = unet_learner(
        dls,
        options.arch,
        pretrained=not options.from_scratch,
        weights=options.weights,
        metrics=accuracy,
        path=options.out,
    )
    if options.from_scratch:
        learn.fit_one_cycle(options.epochs, options.lr)
    else:
        learn.fine_tune(options.epochs, options.lr)
    print(f"saved {learn.save('segmenter')}")
    print(f"exported {learn.export('segmenter.lw')}")


if __name__ == "__main__":
    main()
