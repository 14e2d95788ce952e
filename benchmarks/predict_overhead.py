"""What `predict` adds to one item, over reading it and calling the model.

A picture of 500 x 333 pixels as JPEG, resized to 224, and a row of 20 numbers; both through a
learner that was exported and loaded. Beside `predict` stand the same item's reading and resizing
(or its conversion to a tensor) and the bare model, in plain calls. Sides alternate, on one thread;
medians of processor time are printed, and what is left between the two.

    python benchmarks/predict_overhead.py [--rounds 300]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.learner import Learner
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.restore import load_learner
from layerwise.core.transforms.numeric import Normalize, RegressionSetup
from layerwise.vision.augment.item import Resize
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.types import PILImage, image2tensor, imagenet_stats

ALLOWED = {"picture": 1.0, "row of numbers": 0.5}  # milliseconds


def pictures(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """`predict` of a picture, and the same by hand."""
    noise = np.random.default_rng(0)
    for i in range(8):
        small = Image.fromarray(noise.integers(0, 255, (9, 13, 3), dtype=np.uint8))
        path = folder / f"{'train' if i < 4 else 'valid'}/{'ab'[i % 2]}/{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small.resize((500, 333)).save(path)
    dls = ImageDataLoaders.from_folder(
        folder, item_tfms=Resize(224), bs=2, num_workers=0, device="cpu",
        batch_tfms=Normalize.from_stats(*imagenet_stats),
    )  # fmt: skip
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(8, 2))  # fmt: skip
    learn = load_learner(Learner(dls, model, path=folder).export())
    model, item = learn.model, folder / "valid/a/4.jpg"
    mean, std = (torch.tensor(s).view(1, 3, 1, 1) for s in imagenet_stats)

    def by_hand() -> object:
        picture = PILImage.create(item).resized_crop((83, 0, 416, 333), (224, 224))
        with torch.no_grad():
            x = (image2tensor(picture)[None].float().div_(255) - mean) / std
            return model(x).softmax(1)

    return lambda: learn.predict(item), by_hand


def rows(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """`predict` of a row, and the same by hand."""
    generator = torch.Generator().manual_seed(0)
    items = [(torch.rand(20, generator=generator).tolist(), "ab"[i % 2]) for i in range(32)]
    block = DataBlock(
        (TransformBlock(type_tfms=RegressionSetup), CategoryBlock),
        get_x=ItemGetter(0), get_y=ItemGetter(1),
    )  # fmt: skip
    model = nn.Sequential(LinBnDrop(20, 200, act=nn.ReLU()), nn.Linear(200, 2))
    learn = load_learner(
        Learner(block.dataloaders(items, device="cpu"), model, path=folder).export()
    )
    model, item = learn.model, items[0]

    def by_hand() -> object:
        with torch.no_grad():
            return model(torch.tensor(item[0])[None]).softmax(1)

    return lambda: learn.predict(item), by_hand


def median_times(functions: list[Callable[[], object]], rounds: int) -> list[float]:
    """Milliseconds of processor time of each, taken in turns."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 20):
        for function, taken in zip(functions, times, strict=True):
            start = time.process_time()
            function()
            if number >= 20:
                taken.append((time.process_time() - start) * 1e3)
    return [statistics.median(taken) for taken in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for name, make in (("picture", pictures), ("row of numbers", rows)):
        with tempfile.TemporaryDirectory() as folder:
            whole, by_hand = median_times(list(make(Path(folder))), rounds)
        print(
            f"{name}: predict {whole:.3f} ms, by hand {by_hand:.3f} ms, "
            f"overhead {whole - by_hand:.3f} ms (allowed {ALLOWED[name]:g})"
        )


if __name__ == "__main__":
    main()
