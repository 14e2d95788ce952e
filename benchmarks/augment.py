"""Augmenting a batch: layerwise, fastai, kornia and torchvision against one interpolation of it.

All do the same work on 64 pictures of 3 x 224 x 224 floats, each picture with numbers of its own:
mirror, warp, turn, zoom, brightness and contrast, with the probabilities and strengths of
`aug_transforms()`, and with reflection padding where it can be had (not in torchvision, nor in the
perspective of kornia). They take turns; the figures are medians.

    python benchmarks/augment.py                   # on the CPU, with all its cores
    python benchmarks/augment.py --device cuda
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import peers
import torch
from torch import Tensor
from torch.nn import functional

from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.vision.augment.recipe import aug_transforms

Work = Callable[[], object]


def one_interpolation(x: Tensor) -> Work:
    """What all are measured by: one `grid_sample` along a grid that is there already."""
    theta = torch.eye(2, 3, device=x.device).repeat(len(x), 1, 1)
    theta += 0.05 * torch.randn(theta.shape, device=x.device)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=True)
    return lambda: functional.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def of_layerwise(x: Tensor) -> Work:
    """The default set, as a training pipeline runs it."""
    pipeline, batch = Pipeline(aug_transforms(), split_idx=0), TensorImage(x)
    return lambda: pipeline(batch)


def of_layerwise_bytes(x: Tensor) -> Work:
    """The same from bytes, made floats on the way."""
    pipeline = Pipeline([IntToFloatTensor, *aug_transforms()], split_idx=0)
    batch = TensorImage((x * 255).byte())
    return lambda: pipeline(batch)


def of_fastai(x: Tensor) -> Work:
    """Its default set."""
    peers.define_torchvision_operators()
    import fastai.vision.all as fastai

    pipeline = fastai.Pipeline(fastai.aug_transforms(), split_idx=0)
    batch = fastai.TensorImage(x)
    return lambda: pipeline(batch.clone())  # it writes into what it is given


def of_kornia(x: Tensor) -> Work:
    """Its batch transforms, drawn for each picture."""
    import kornia.augmentation as kornia

    steps = kornia.AugmentationSequential(
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.RandomPerspective(0.2, p=0.75),
        kornia.RandomAffine(10.0, scale=(1.0, 1.1), p=0.75, padding_mode="reflection"),
        kornia.ColorJiggle(0.2, 0.2, p=0.75),
        same_on_batch=False,
    )
    return lambda: steps(x)


def of_torchvision(x: Tensor) -> Work:
    """Its transforms v2, called for each picture, since they draw once a call."""
    peers.define_torchvision_operators()
    from torchvision.transforms import InterpolationMode, v2

    linear = InterpolationMode.BILINEAR
    steps = v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomPerspective(0.2, 0.75, interpolation=linear),
            v2.RandomApply([v2.RandomAffine(10, scale=(1.0, 1.1), interpolation=linear)], 0.75),
            v2.RandomApply([v2.ColorJitter(0.2, 0.2)], 0.75),
        ]
    )
    return lambda: torch.stack([steps(picture) for picture in x])


MAKERS = {
    "one grid_sample": one_interpolation,
    "layerwise": of_layerwise,
    "layerwise, from bytes": of_layerwise_bytes,
    "fastai": of_fastai,
    "kornia": of_kornia,
    "torchvision v2, picture by picture": of_torchvision,
}


def contenders(x: Tensor) -> dict[str, Work]:
    """What can be measured here, by name."""
    found = {}
    for name, make in MAKERS.items():
        try:
            found[name] = make(x)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return found


def measure(works: dict[str, Work], device: torch.device, rounds: int) -> dict[str, float]:
    """Seconds of each, the median over rounds in which they take turns.

    With one thread on the CPU they are those of the processor, which others on the machine change
    less.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 2):
        for name, work in works.items():
            _wait(device)
            start = clock()
            work()
            _wait(device)
            if number >= 2:  # the first warm up
                times[name].append(clock() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def table(times: dict[str, float], title: str) -> str:
    """Markdown: milliseconds, and as a multiple of one interpolation."""
    one = times["one grid_sample"]
    lines = [f"| {title} | ms | of one grid_sample |", "|---|---:|---:|"]
    lines += [f"| {name} | {1e3 * each:.1f} | {each / one:.2f} |" for name, each in times.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", type=int, default=64, help="pictures in the batch")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, help="threads of torch; as many as cores if None")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    torch.manual_seed(0)
    x = torch.rand(args.count, 3, args.size, args.size, device=device)
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {peers.versions()}\n")
    title = f"{args.count} x 3 x {args.size} x {args.size} on {device.type}"
    print(table(measure(contenders(x), device, args.rounds), title))


if __name__ == "__main__":
    main()
