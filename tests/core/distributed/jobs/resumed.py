# ruff: noqa: F403, F405 - a job is written as users write their scripts
"""A training that is killed and goes on, with dropout, augmentation and batch norm.

Process number r writes its id to `pid.<r>` when it starts to train, the samples of each step to
`ids.<r>.<when process 0 began>.jsonl`, and at the end the hash of all weights and the optimizer to
`hash.<r>`.
"""

import argparse
import hashlib
import json
import os
import time
from pathlib import Path

import torch
from torch import nn

from layerwise.core.all import *
from layerwise.core.distributed.exchange import from_first

EPOCHS, SIZE, BATCH = 4, 96, 16


class Noisy:
    """Samples with an augmentation of their own; the last input is the number of the sample."""

    def __init__(self, count):
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(count, 6, generator=generator)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        x = self.x[i] + 0.1 * torch.randn(6, generator=generator())
        return x, torch.tensor(float(i)), self.x[i, :3].argmax()


class Net(nn.Module):
    def __init__(self, plain):
        super().__init__()
        norm, drop = (nn.Identity(), 0.0) if plain else (nn.BatchNorm1d(16), 0.3)
        layers = nn.Linear(6, 16), norm, nn.ReLU(), nn.Dropout(drop), nn.Linear(16, 3)
        self.body = nn.Sequential(*layers)

    def forward(self, x, number):
        return self.body(x)


class Steps(Callback):
    """Notes the samples of each step, slowly enough to be killed in between."""

    order = -1  # before anything is mixed

    def __init__(self, out, pause, until):
        super().__init__()
        self.out, self.pause, self.until = out, pause, until

    def before_fit(self):
        begun = from_first(time.time_ns())  # the same for all processes of one time
        self.file = (self.out / f"ids.{rank_distrib()}.{begun}.jsonl").open("a")

    def before_batch(self):
        if not self.learn.training:
            return
        if self.learn.train_iter == self.until:
            time.sleep(1)  # for the file that is being written
            os._exit(0)
        dl, step = self.learn.dl, self.learn.epoch * self.learn.n_iter + self.learn.iter
        filler = self.learn.strategy.processes > 1 and dl.is_filler
        ids = [] if filler else [int(i) for i in self.learn.xb[1].tolist()]
        self.file.write(json.dumps([step, ids]) + "\n")
        self.file.flush()
        time.sleep(self.pause)


def digest(learn):
    weights = learn.strategy.full_model_state(learn)
    opt = learn.strategy.full_opt_state(learn)
    hashed = hashlib.sha256()
    for name, value in sorted(weights.items()):
        hashed.update(name.encode() + value.numpy().tobytes())
    for entries in opt["state"]:
        for name, value in sorted(entries.items()):
            raw = value.numpy().tobytes() if torch.is_tensor(value) else repr(value).encode()
            hashed.update(name.encode() + raw)
    return hashed.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--strategy", default="ddp")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds a step")
    parser.add_argument("--until", type=int, default=-1, help="leave before this step")
    parser.add_argument("--plain", action="store_true", help="no dropout, no batch norm")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    out = options.out
    out.mkdir(exist_ok=True, parents=True)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    train = DataLoader(Noisy(SIZE), BATCH, shuffle=True, num_workers=options.workers)
    dls = DataLoaders(train, DataLoader(Noisy(20), 8), n_inp=2)
    loss = CrossEntropyLossFlat()
    learn = Learner(dls, Net(options.plain), loss_func=loss, metrics=accuracy, lr=1e-2, path=out)
    (out / f"pid.{rank_distrib()}").write_text(str(os.getpid()))
    cbs = [Checkpoint("3ba"), Steps(out, options.pause, options.until), GradientClip(1.0)]
    with learn.distrib_ctx(sync_bn=False, strategy=options.strategy, timeout=60):
        learn.fit_one_cycle(EPOCHS, 1e-2, cbs=cbs, resume=True)
        (out / f"hash.{rank_distrib()}").write_text(digest(learn))
        rows = [list(row) for row in learn.recorder.values]
        (out / f"values.{rank_distrib()}").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
