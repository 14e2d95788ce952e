"""One epoch of a small network: `Learner` beside a loop written by hand in plain torch.

Both sides train and validate the same multi-layer perceptron on the same data (batch 64, accuracy
in validation), by the same kind of optimizer, without workers, on one thread. Sides alternate; the
ratio of medians is printed, of processor time, which other programs hardly touch.

    python benchmarks/training_loop.py [--rounds 9]

fastai is measured too where it is installed (`make bench` installs it).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import peers
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import data as torch_data

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.optim.wrap import OptimWrapper

BATCH, TRAIN, VALID, INPUTS = 64, 6400, 1280, 784


def make_data() -> tuple[torch_data.TensorDataset, torch_data.TensorDataset]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(TRAIN + VALID, INPUTS, generator=generator)
    y = x[:, :10].argmax(1)
    return (
        torch_data.TensorDataset(x[:TRAIN], y[:TRAIN]),
        torch_data.TensorDataset(x[TRAIN:], y[TRAIN:]),
    )


def make_model() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 100), nn.ReLU(), nn.Linear(100, 10))


def by_hand(train: torch_data.Dataset, valid: torch_data.Dataset) -> Callable[[], None]:
    model = make_model()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    train_dl = torch_data.DataLoader(train, BATCH, shuffle=True, drop_last=True)
    valid_dl = torch_data.DataLoader(valid, BATCH)

    def epoch() -> None:
        model.train()
        for x, y in train_dl:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        model.eval()
        loss_sum, right = 0.0, 0.0
        with torch.no_grad():
            for x, y in valid_dl:
                pred: Tensor = model(x)
                loss_sum += F.cross_entropy(pred, y).item() * len(y)
                right += (pred.argmax(1) == y).float().sum().item()

    return epoch


def by_learner(
    train: torch_data.Dataset, valid: torch_data.Dataset, *, stock: bool, torch_opt: bool = False
) -> Callable[[], None]:
    if stock:
        loaders = [
            torch_data.DataLoader(train, BATCH, shuffle=True, drop_last=True),
            torch_data.DataLoader(valid, BATCH),
        ]
    else:
        loaders = [
            DataLoader(train, BATCH, shuffle=True, drop_last=True),
            DataLoader(valid, BATCH),
        ]
    extra = {}
    if torch_opt:
        extra["opt_func"] = lambda params, **kw: OptimWrapper(params, torch.optim.AdamW, **kw)
    learn = Learner(
        DataLoaders(*loaders), make_model(), nn.CrossEntropyLoss(), metrics=accuracy, **extra
    )

    def epoch() -> None:
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-3)

    return epoch


def by_fastai(
    train: torch_data.Dataset, valid: torch_data.Dataset, *, torch_opt: bool = False
) -> Callable[[], None]:
    """fastai's own loader without workers, its Adam (which decouples decay) or torch's AdamW."""
    peers.define_torchvision_operators()
    from fastai.basics import DataLoader as FastDataLoader
    from fastai.basics import DataLoaders as FastDataLoaders
    from fastai.basics import Learner as FastLearner
    from fastai.basics import OptimWrapper as FastOptimWrapper
    from fastai.callback.progress import ProgressCallback  # noqa: F401 - adds `no_bar`
    from fastai.metrics import accuracy as fast_accuracy

    loaders = FastDataLoaders(
        FastDataLoader(train, bs=BATCH, shuffle=True, drop_last=True, num_workers=0),
        FastDataLoader(valid, bs=BATCH, num_workers=0),
    )
    extra = {}
    if torch_opt:
        extra["opt_func"] = partial(FastOptimWrapper, opt=torch.optim.AdamW)
    learn = FastLearner(
        loaders, make_model(), nn.CrossEntropyLoss(), metrics=fast_accuracy, **extra
    )

    def epoch() -> None:
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-3)

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train, valid = make_data()
    sides = {
        "torch, by hand": by_hand(train, valid),
        "Learner, stock DataLoader": by_learner(train, valid, stock=True),
        "Learner, stock DataLoader, torch's AdamW": by_learner(
            train, valid, stock=True, torch_opt=True
        ),
        "Learner, own DataLoader": by_learner(train, valid, stock=False),
    }
    if peers.is_installed("fastai"):
        sides["fastai Learner, own DataLoader"] = by_fastai(train, valid)
        sides["fastai Learner, own DataLoader, torch's AdamW"] = by_fastai(
            train, valid, torch_opt=True
        )
    times: dict[str, list[float]] = {name: [] for name in sides}
    for epoch in sides.values():
        epoch()
    for _ in range(options.rounds):
        for name, epoch in sides.items():
            start = time.process_time()
            epoch()
            times[name].append(time.process_time() - start)
    base = statistics.median(times["torch, by hand"])
    print(f"{peers.versions()}\n")
    print("| one epoch, 100 + 20 batches of 64 | ms | ratio |\n|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median * 1e3:.0f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
