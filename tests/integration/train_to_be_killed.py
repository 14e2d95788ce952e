"""A training with everything random in it, run as a process that tests kill and start again.

    python train_to_be_killed.py FOLDER [--workers 2] [--epochs 3] ...

Prints `step N` after each training step, `validating` at each batch of validation, and at the end
`done HASH`, the SHA-256 of weights, buffers, the optimizer's state, averages, random states and
the record of the training.
"""

import argparse
import hashlib
import random
import signal
import time

import numpy as np
import torch
from torch import nn

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.mixup import MixUp
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.random import generator
from layerwise.core.train.callback import Callback
from layerwise.core.train.snapshot import take

SAMPLES, WIDTH, BATCH = 192, 32, 8


class Augmented:
    """Samples with random noise from all kinds of generators."""

    def __init__(self, count: int, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.x = torch.randn(count, WIDTH, generator=draw)
        self.y = self.x[:, :4].argmax(1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.randn(WIDTH, generator=generator()) * 0.1
        shift = random.gauss(0, 0.1) + float(np.random.randn()) * 0.1 + float(torch.rand(())) * 0.1
        return self.x[index] + noise + shift, self.y[index]


class Tell(Callback):
    """Prints how far training is; last of all."""

    order = 2000

    def __init__(self, pause: float) -> None:
        super().__init__()
        self.pause = pause

    def after_batch(self) -> None:
        learn = self.learn
        print(f"step {learn.train_iter}" if learn.training else "validating", flush=True)

    def before_batch(self) -> None:
        time.sleep(self.pause)  # so that signals find every part of a step


def make_learner(options: argparse.Namespace) -> Learner:
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    model = nn.Sequential(
        nn.Linear(WIDTH, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4)
    )
    settings = {"num_workers": options.workers, "prefetch_factor": options.prefetch}
    dls = DataLoaders(
        DataLoader(Augmented(SAMPLES, 0), BATCH, shuffle=True, **settings),
        DataLoader(Augmented(40, 1), BATCH),
    )
    signals = ("SIGTERM", "SIGINT", "SIGUSR1")
    return Learner(
        dls,
        model,
        nn.CrossEntropyLoss(),
        path=options.folder,
        cbs=[
            MixUp(),
            MixedPrecision("fp16", init_scale=1024.0, growth_interval=20),
            EMA(0.9, keep=True),
            Checkpoint(every=options.every, signals=signals),
            Tell(options.pause),
        ],
    )


def fingerprint(learn: Learner) -> str:
    """SHA-256 over everything that a snapshot holds, but for the names of files and times."""
    state = take(learn, 0, 0, finished=True)
    state["callbacks"].pop("checkpoint")
    state["callbacks"]["recorder"].pop("seconds")
    digest = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, np.ndarray):
            digest.update(value.tobytes())
        elif isinstance(value, dict):
            for key in sorted(value, key=repr):
                digest.update(repr(key).encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for member in value:
                add(member)
        else:
            digest.update(repr(value).encode())

    add(state)
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefetch", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--every", default="3ba")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--own-handler", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # As at a terminal; where tests run in the background, the shell has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if options.own_handler:
        signal.signal(signal.SIGTERM, lambda number, frame: print("own handler", flush=True))
    learn = make_learner(options)
    learn.logger = lambda row: None
    learn.fit_one_cycle(options.epochs, 0.01, resume=True)
    print("done", fingerprint(learn), flush=True)


if __name__ == "__main__":
    main()
