"""Two processes: `Learner` in `distrib_ctx` beside a DDP loop written by hand in plain torch.

Both sides train and validate the same model on the same data, 64 samples a process and step, by the
same kind of optimizer: a residual network for small pictures, and a multi-layer perceptron whose
steps are short. Both run in the same two processes, epoch by epoch in
turns, and which is first alternates; printed is the median of the ratios of neighbours, of the time
of process 0: both of a pair meet the same machine.

    python benchmarks/ddp.py [--rounds 21]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils import data as torch_data

from layerwise.core.data.loaders import DataLoaders
from layerwise.core.devices import num_distrib, rank_distrib
from layerwise.core.distributed.launcher import launch
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.residual import ResBlock

PROCESSES, EACH, TRAIN, VALID = 2, 64, 2560, 512
SHAPES = {"residual network": (3, 32, 32), "perceptron": (784,)}


Data = torch_data.Dataset[tuple[Tensor, ...]]


def make_data(shape: tuple[int, ...]) -> tuple[torch_data.TensorDataset, torch_data.TensorDataset]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(TRAIN + VALID, *shape, generator=generator)
    y = x.flatten(1)[:, :10].argmax(1)
    return (
        torch_data.TensorDataset(x[:TRAIN], y[:TRAIN]),
        torch_data.TensorDataset(x[TRAIN:], y[TRAIN:]),
    )


def make_model(name: str) -> nn.Module:
    if name == "perceptron":
        return nn.Sequential(nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 10))
    blocks = [ResBlock(1, a, b, stride=2) for a, b in ((3, 16), (16, 32), (32, 64))]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def by_hand(name: str, train: Data, valid: Data) -> Callable[[], None]:
    model = DistributedDataParallel(make_model(name))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    samplers: list[torch_data.distributed.DistributedSampler[tuple[Tensor, ...]]] = [
        torch_data.distributed.DistributedSampler(train, drop_last=True),
        torch_data.distributed.DistributedSampler(valid, shuffle=False),
    ]
    train_dl, valid_dl = (
        torch_data.DataLoader(data, EACH, sampler=sampler)
        for data, sampler in zip((train, valid), samplers, strict=True)
    )
    number = iter(range(1_000_000))

    def epoch() -> None:
        samplers[0].set_epoch(next(number))
        model.train()
        for x, y in train_dl:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        model.eval()
        seen = torch.zeros(3)
        with torch.no_grad():
            for x, y in valid_dl:
                out = model.module(x)
                right = (out.argmax(1) == y).sum()
                seen += torch.stack(
                    [F.cross_entropy(out, y, reduction="sum"), right, len(y) + 0 * right]
                )
        dist.all_reduce(seen)
        (seen / seen[2]).tolist()

    return epoch


def by_learner(learn: Learner) -> Callable[[], None]:
    def epoch() -> None:
        learn.fit(1, 1e-3)

    return epoch


def seconds(epoch: Callable[[], None]) -> float:
    dist.barrier()
    start = time.perf_counter()
    epoch()
    return time.perf_counter() - start


def measure(name: str, rounds: int) -> None:
    train, valid = make_data(SHAPES[name])
    size = PROCESSES * EACH
    dls = DataLoaders(
        torch_data.DataLoader(train, size, shuffle=True, drop_last=True),
        torch_data.DataLoader(valid, size),
    )
    learn = Learner(
        dls, make_model(name), F.cross_entropy, torch.optim.AdamW, metrics=accuracy, wd=None
    )
    with learn.no_bar(), learn.no_logging(), learn.distrib_ctx(sync_bn=False):
        sides = [by_hand(name, train, valid), by_learner(learn)]
        for epoch in sides:
            epoch()
        times: list[tuple[float, float]] = []
        for number in range(rounds):
            order = [0, 1] if number % 2 else [1, 0]
            took = {side: seconds(sides[side]) for side in order}
            times.append((took[0], took[1]))
        sides.clear()
    if rank_distrib() == 0:
        hand, ours = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(b / a for a, b in times)
        print(f"| {name} | {hand * 1e3:.0f} | {ours * 1e3:.0f} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    given = parser.parse_args()
    if num_distrib() < PROCESSES:
        launch(__file__, ["--rounds", str(given.rounds)], nproc=PROCESSES)
    else:
        torch.set_num_threads(1)
        if rank_distrib() == 0:
            steps = f"{PROCESSES} processes, {TRAIN // (PROCESSES * EACH)} steps and a validation"
            print(f"| {steps} | by hand, ms | Learner, ms | ratio |\n|---|---|---|---|")
        for model in SHAPES:
            measure(model, given.rounds)
