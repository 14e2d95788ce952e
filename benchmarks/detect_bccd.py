"""How well blood cells are found: `detection_learner` trained on BCCD, measured as COCO does.

    LAYERWISE_MIRROR=... LAYERWISE_WEIGHTS=... python benchmarks/detect_bccd.py
    python benchmarks/detect_bccd.py --epochs 8 --size 192 256 --show found.png

`LAYERWISE_MIRROR` is the folder with bccd.tgz (364 pictures of 640x480 with white and red blood
cells and platelets; `valid.txt` names the 72 that validate), `LAYERWISE_WEIGHTS` the one with
`<arch>-imagenet.safetensors`, from which the body starts. Prints the mean average precision (mean
over overlaps of 0.5 to 0.95), that at an overlap of 0.5 for each class, and the seconds from the
files to the end of training, with validation after each epoch.
"""

import argparse
import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from layerwise.vision import all as lw


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--arch", default="mobilenet_v2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), help="height and width")
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--box-loss", default="l1", choices=("giou", "l1"))
    parser.add_argument("--anchor-size", type=float, default=2.0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=Path, help="file for a picture of boxes found")
    return parser.parse_args()


def unpacked(archive_file: Path, into: str) -> Path:
    """The folder of the data."""
    with tarfile.open(archive_file) as archive:
        archive.extractall(into, filter="data")
    return Path(into) / "bccd"


def loaders(path: Path, size: tuple[int, int], bs: int) -> Any:
    """Loaders of pictures with boxes and labels."""
    names, targets = lw.get_annotations(path / "train.json")
    boxes_of = dict(zip(names, targets, strict=True))
    valid = set((path / "valid.txt").read_text().split())
    cells = lw.DataBlock(
        blocks=(lw.ImageBlock, lw.BBoxBlock, lw.BBoxLblBlock),
        n_inp=1,
        get_items=lambda _: list(names),
        splitter=lw.FuncSplitter(lambda name: name in valid),
        get_x=lambda name: path / "train" / name,
        get_y=[lambda name: boxes_of[name][0], lambda name: boxes_of[name][1]],
        item_tfms=[lw.Resize(tuple(size), method="squish"), lw.FlipItem()],
    )
    return cells.dataloaders(path, bs=bs, num_workers=0)


def main() -> None:
    options = read_arguments()
    archive = Path(os.environ.get("LAYERWISE_MIRROR", "")) / "bccd.tgz"
    weights = Path(os.environ.get("LAYERWISE_WEIGHTS", "")) / f"{options.arch}-imagenet.safetensors"
    if not archive.exists() or not weights.exists():
        print(f"left out: {archive} and {weights} are needed; see --help")
        return
    torch.set_num_threads(options.threads)
    lw.set_seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        dls = loaders(unpacked(archive, folder), options.size, options.bs)
        metrics = [lw.MeanAP(), lw.MeanAP(iou=0.5)]
        learn = lw.detection_learner(
            dls,
            options.arch,
            weights=weights,
            loss_func=lw.RetinaLoss(box_loss=options.box_loss),
            anchors=lw.Anchors(size=options.anchor_size),
            width=options.width,
            depth=options.depth,
            metrics=metrics,
        ).to_channelslast()  # twice as fast here, on CPUs
        with learn.no_bar():
            learn.fine_tune(options.epochs, options.lr)
        seconds = time.perf_counter() - start
        at_half = next(m for m in learn.metrics if m.name == "AP50")
        _, mean_ap, ap50 = learn.recorder.values[-1][-3:]
        print(f"mAP {mean_ap:.3f}  AP50 {ap50:.3f}  {seconds:.0f} s")
        for label, value in at_half.by_label().items():
            print(f"  AP50 of {dls.vocab[label]}: {value:.3f}")
        if options.show is not None:
            import matplotlib.pyplot as plt

            learn.show_results(max_n=6, shuffle=False, figsize=(12, 16))
            plt.savefig(options.show)


if __name__ == "__main__":
    main()
