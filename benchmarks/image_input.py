"""From a folder of JPEGs to batches: images a second of layerwise, torchvision, fastai and Pillow.

All do the same work in one run, taking turns: read each file, bring it to a square by cropping its
longer side at random (or by a random resized crop), stack batches of 64, make them floats from 0 to
1. The last case also augments: pictures of 256 pixels are cut to batches of 128, mirrored, warped,
turned, zoomed and lit, each by numbers of its own (presizing). "Pillow decode" only decodes each
file whole, so it is the ceiling of all that decode whole.

    python benchmarks/image_input.py                     # the four cases of RESULTS.md
    python benchmarks/image_input.py --folder DIR --size 224 --workers 2

Without `--folder`, photographs are taken from the archives in the folder that LAYERWISE_MIRROR
names (dogscats.tgz: 320 pixels; jpeg_originals.tgz: as cameras and the web have them); where it is
not set, pictures are made up, and the table says so.
"""

import argparse
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
from PIL import Image, ImageFilter

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.vision.augment.item import RandomResizedCrop, Resize
from layerwise.vision.augment.recipe import aug_transforms
from layerwise.vision.blocks import ImageBlock

BATCH = 64
# Archive, longer side where pictures are made up, size of batches, how they are brought to it.
CASES = [
    ("dogscats", 320, 128, "resize"),
    ("jpeg_originals", 500, 224, "resize"),
    ("jpeg_originals", 500, 224, "crop"),
    ("dogscats", 320, 128, "presize"),
]
TOLD = {"resize": "Resize", "crop": "RandomResizedCrop", "presize": "Resize(256), aug_transforms"}
Epoch = Callable[[], int]


def make_pictures(folder: Path, count: int, longest: int) -> list[Path]:
    """JPEGs with edges, gradients and grain, so that they decode about as slowly as photographs."""
    rng = np.random.default_rng(0)
    files = []
    for i in range(count):
        width, height = longest, int(longest * rng.uniform(0.66, 1.0))
        if i % 2:
            width, height = height, width
        coarse = rng.integers(0, 255, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (height, width, 1))
        pixels = np.asarray(image.filter(ImageFilter.SHARPEN), np.float32) + grain
        path = folder / f"{i:05d}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=84)
        files.append(path)
    return files


def photographs(archive: str, folder: Path) -> list[Path]:
    """The JPEGs of an archive in the folder that LAYERWISE_MIRROR names; none where it is not."""
    source = Path(os.environ.get("LAYERWISE_MIRROR", "")) / f"{archive}.tgz"
    if not source.is_file():
        return []
    with tarfile.open(source) as opened:
        opened.extractall(folder, filter="data")
    return sorted(folder.rglob("*.jpg"))


def label(path: Any) -> int:
    """A class for each file, so that loaders have a target to make."""
    return len(os.fspath(path)) % 2


def pillow_decode(files: list[Path]) -> Epoch:
    """Decode every file whole, and nothing more."""

    def epoch() -> int:
        for path in files:
            Image.open(path).load()
        return len(files)

    return epoch


def count_images(loader: Any) -> Epoch:
    """One pass over a loader of (pictures, targets)."""

    def epoch() -> int:
        count = 0
        for x, _y in loader:
            assert x.dtype == torch.float32
            count += len(x)
        return count

    return epoch


def _all_train(items: Any) -> tuple[list[int], list[int]]:
    return list(range(len(items))), []


def of_layerwise(files: list[Path], size: int, workers: int, how: str) -> Epoch:
    """Through `DataBlock`."""
    crop = RandomResizedCrop(size) if how == "crop" else Resize(size)
    batch: list[Any] = []
    if how == "presize":
        crop, batch = Resize(2 * size), aug_transforms(size=size, min_scale=0.75)
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_y=label,
        splitter=_all_train,
        item_tfms=crop,
        batch_tfms=batch,
    )
    dls = block.dataloaders(files, bs=BATCH, num_workers=workers, device="cpu", drop_last=False)
    return count_images(dls.train)


class _Files(torch.utils.data.Dataset[Any]):
    def __init__(self, files: list[Path], transform: Callable[[Any], Any]) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        with self.files[i].open("rb") as file:
            image = Image.open(file).convert("RGB")
        return self.transform(image), label(self.files[i])


def of_torchvision(files: list[Path], size: int, workers: int, how: str) -> Epoch:
    """Through transforms v2 on Pillow images, as its documentation has it."""
    peers.define_torchvision_operators()
    from torchvision.transforms import v2

    side = 2 * size if how == "presize" else size
    crop = [v2.Resize(side, antialias=True), v2.RandomCrop(side), v2.PILToTensor()]
    if how == "crop":
        crop = [v2.RandomResizedCrop(size, antialias=True), v2.PILToTensor()]
    if how == "presize":
        crop += [
            v2.RandomResizedCrop(size, (0.75, 1), (1, 1), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomPerspective(0.2, 0.75),
            v2.RandomApply([v2.RandomAffine(10, scale=(1.0, 1.1))], 0.75),
            v2.RandomApply([v2.ColorJitter(0.2, 0.2)], 0.75),
        ]
    steps = v2.Compose(crop)
    loader = torch.utils.data.DataLoader(
        _Files(files, steps), batch_size=BATCH, shuffle=True, num_workers=workers
    )

    def epoch() -> int:
        count = 0
        for x, _y in loader:
            count += len(x.float().div_(255))
        return count

    return epoch


def of_fastai(files: list[Path], size: int, workers: int, how: str) -> Epoch:
    """Through its `DataBlock`."""
    peers.define_torchvision_operators()
    import fastai.vision.all as fastai

    crop = fastai.RandomResizedCrop(size) if how == "crop" else fastai.Resize(size)
    batch = None
    if how == "presize":
        crop = fastai.Resize(2 * size)
        batch = fastai.aug_transforms(size=size, min_scale=0.75)
    block = fastai.DataBlock(
        (fastai.ImageBlock, fastai.CategoryBlock),
        get_y=label,
        splitter=_all_train,
        item_tfms=crop,
        batch_tfms=batch,
    )
    dls = block.dataloaders(
        files, bs=BATCH, num_workers=workers, device=torch.device("cpu"), drop_last=False
    )
    return count_images(dls.train)


def contenders(files: list[Path], size: int, workers: int, how: str) -> dict[str, Epoch]:
    """What can be measured here, by name."""
    found = {"Pillow decode": pillow_decode(files)}
    makers = {"layerwise": of_layerwise, "torchvision v2": of_torchvision, "fastai": of_fastai}
    for name, make in makers.items():
        try:
            found[name] = make(files, size, workers, how)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return found


def measure(epochs: dict[str, Epoch], rounds: int, workers: int) -> dict[str, float]:
    """Images a second of each, the median over rounds in which they take turns.

    Without workers the time is that of the processor, which others on the machine change less.
    """
    clock = time.perf_counter if workers else time.process_time
    for epoch in epochs.values():
        epoch()
    rates: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(rounds):
        for name, epoch in epochs.items():
            start = clock()
            count = epoch()
            rates[name].append(count / (clock() - start))
    return {name: statistics.median(found) for name, found in rates.items()}


def table(rates: dict[str, float], title: str) -> str:
    """Markdown: images a second, and as a share of what Pillow alone decodes."""
    whole = rates["Pillow decode"]
    lines = [f"| {title} | images/s | of Pillow decode |", "|---|---:|---:|"]
    lines += [f"| {name} | {rate:.0f} | {rate / whole:.2f} |" for name, rate in rates.items()]
    ours = rates["layerwise"]
    others = [n for n in ("torchvision v2", "fastai") if n in rates]
    ratios = ", ".join(f"{ours / rates[n]:.2f} times {n}" for n in others)
    return "\n".join([*lines, "", f"layerwise: {ratios}" if ratios else ""])


def compare(files: list[Path], title: str, args: argparse.Namespace) -> None:
    """Measure one case and print its table."""
    epochs = contenders(files, args.size, args.workers, args.how)
    what = f"{TOLD[args.how]}({args.size}), {args.workers} workers, {len(files)} {title}"
    print(table(measure(epochs, args.rounds, args.workers), what), end="\n\n", flush=True)


def all_cases(args: argparse.Namespace) -> None:
    """Measure `CASES`, on photographs where there are some."""
    for archive, longest, args.size, args.how in CASES:
        if args.only not in (None, args.how):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            files = photographs(archive, Path(temporary))
            title = f"photographs of {archive}"
            if not files:
                title = f"made-up pictures of {longest} pixels"
                files = make_pictures(Path(temporary), args.count, longest)
            # A small archive is gone through several times, so that batches are full.
            files = (files * (args.count // len(files) + 1))[: args.count]
            compare(files, title, args)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="folder of JPEGs; all cases when left out")
    parser.add_argument("--count", type=int, default=320, help="files to use")
    parser.add_argument("--size", type=int, default=128, help="side of the batches' pictures")
    parser.add_argument("--workers", type=int, default=0, help="processes of each loader")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--how", choices=TOLD, default="resize", help="how sizes are made alike")
    parser.add_argument("--only", choices=TOLD, help="of the cases, those of this kind alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, {peers.versions()}\n")
    if args.folder is None:
        if "LAYERWISE_MIRROR" not in os.environ:
            print("Pictures are made up; for photographs, set LAYERWISE_MIRROR to the folder that")
            print("has dogscats.tgz and jpeg_originals.tgz.\n")
        all_cases(args)
    else:
        files = sorted(args.folder.rglob("*.jpg"))[: args.count]
        compare(files, f"files of {args.folder}", args)


if __name__ == "__main__":
    main()
