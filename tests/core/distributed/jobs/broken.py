# ruff: noqa: F403, F405 - a job is written as users write their scripts
"""A training in which process 1 stops answering, or fails: a folder, what it does, the limit."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from layerwise.core.all import *


class Break(Callback):
    """In the fourth batch, process 1 breaks."""

    def __init__(self, how, out):
        super().__init__()
        self.how, self.out = how, out

    def before_batch(self):
        if self.learn.train_iter != 3:
            time.sleep(0.5 if self.how == "cut" else 0.05)
            return
        (self.out / f"at.{rank_distrib()}").write_text(str(time.time()))
        if rank_distrib() != 1:
            return
        if self.how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.how == "raise":
            raise OSError("the disk of process 1 is gone")


def main():
    out, how, limit = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    out.mkdir(exist_ok=True)
    torch.manual_seed(0)
    data = [(torch.randn(4), torch.randn(1)) for _ in range(200)]
    dls = DataLoaders(DataLoader(data, 8, num_workers=1), DataLoader(data[:8], 8))
    learn = Learner(dls, nn.Linear(4, 1), loss_func=nn.MSELoss(), path=out)
    (out / f"pid.{rank_distrib()}").write_text(str(os.getpid()))
    with learn.distrib_ctx(timeout=limit):
        learn.fit(2, cbs=Break(how, out))


if __name__ == "__main__":
    main()
