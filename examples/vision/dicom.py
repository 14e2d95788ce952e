"""Train a classifier on DICOM files, one folder per class.

    python examples/vision/dicom.py PATH --window brain --window subdural --hist --epochs 5

`PATH` holds `<class>/*.dcm`. Patients, as the tags tell them apart, are on one side of the split
each. Every `--window` is a channel, and `--hist` one more with the pixels spread evenly; without
either, files are shown as their tags say. The model goes to `OUT/models`. With `--small` the script
tells the base, the middle and the top of a head apart on the 28 slices that come with the
repository, as `make examples` does.
"""

import argparse
from pathlib import Path

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed
from layerwise.vision.augment.item import Resize
from layerwise.vision.learner import vision_learner
from layerwise.vision.medical.blocks import DicomBlock
from layerwise.vision.medical.reading import get_dicom_files
from layerwise.vision.medical.table import from_dicoms
from layerwise.vision.medical.windows import dicom_windows

EXAMPLES = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder of DICOM files")
    parser.add_argument(
        "--window", action="append", choices=dicom_windows._fields, help="may be repeated"
    )
    parser.add_argument("--hist", action="store_true", help="a channel of pixels spread evenly")
    parser.add_argument("--arch", default="resnet18", help="any name that vision_learner takes")
    parser.add_argument("--weights", help="file of weights; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bs", type=int, default=32)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, help="the model goes to OUT/models; by default here")
    parser.add_argument("--small", action="store_true", help="two epochs on slices that are here")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder of DICOM files, or pass --small")
    return options


def held_out(files: list[Path], share: float, seed: int) -> list[int]:
    """Positions of the files of those patients that validate."""
    patients = from_dicoms(files, px_summ=False)["patient"]
    if patients.nunique() < 2:
        raise SystemExit("all files are of one patient; a score on them would say nothing")
    _, chosen = RandomSplitter(share, seed=seed)(range(patients.nunique()))
    return list(patients.index[patients.isin(list(chosen))])


def third(path: Path) -> str:
    """Where in the head a slice of `--small` is."""
    return ["base", "middle", "top"][(int(path.stem) - 1) * 3 // 28]


def main() -> None:
    """Read, train, save."""
    options = read_arguments()
    set_seed(options.seed)
    if options.small:
        options.path, options.size, options.bs = EXAMPLES / "data" / "ct_head", 64, 6
        options.window, options.hist = ["brain", "brain_bone"], True
        options.arch, options.epochs, options.from_scratch = "vision/xresnet18", 2, True
        options.lr, options.out = 5e-3, options.out or EXAMPLES.parent / "demo-output"
    files = list(get_dicom_files(options.path))
    if options.small:  # one head, so that the score says that it runs and no more
        valid = list(range(1, len(files), 3))
    else:
        valid = held_out(files, options.valid_pct, options.seed)
    windows = [getattr(dicom_windows, name) for name in options.window or []]
    block = DataBlock(
        blocks=(DicomBlock(windows or None, hist=options.hist), CategoryBlock),
        splitter=IndexSplitter(valid),
        get_y=third if options.small else parent_label,
        item_tfms=Resize(options.size),
    )
    dls = block.dataloaders(files, bs=options.bs, num_workers=0 if options.small else None)
    learn = vision_learner(
        dls,
        options.arch,
        n_in=dls.one_batch()[0].shape[1],
        pretrained=not options.from_scratch,
        weights=options.weights,
        metrics=accuracy,
        path=options.out or Path(),
    )
    if options.from_scratch:
        learn.fit_one_cycle(options.epochs, options.lr)
    else:
        learn.fine_tune(options.epochs, options.lr)
    print(f"saved {learn.save(options.arch.replace('/', '-'))}")


if __name__ == "__main__":
    main()
