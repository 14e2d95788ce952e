"""R12: memory and open files stay as they are, epoch after epoch, and after trainings cut short."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import gc, os, sys, tempfile
    import torch
    from torch import nn
    from layerwise.core.callback.checkpoint import Checkpoint
    from layerwise.core.callback.ema import EMA
    from layerwise.core.callback.mixup import MixUp
    from layerwise.core.data.loader import DataLoader
    from layerwise.core.data.loaders import DataLoaders
    from layerwise.core.learner import Learner
    from layerwise.core.train.callback import Callback

    torch.set_num_threads(1)
    epochs, interrupted = int(sys.argv[1]), int(sys.argv[2])

    def used():
        gc.collect()
        with open("/proc/self/statm") as f:
            pages = int(f.read().split()[1])
        return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir("/proc/self/fd"))

    class Note(Callback):
        order = 5000
        found = []
        def after_epoch(self):
            self.found.append(used())

    class Cut(Callback):
        def after_pred(self):
            if self.learn.training and self.learn.iter == 5:
                raise RuntimeError("cut short")

    x = torch.randn(256, 64)
    data = list(zip(x, x[:, :10].argmax(1)))
    dls = DataLoaders(
        DataLoader(data, 16, shuffle=True, num_workers=1), DataLoader(data[:64], 16)
    )
    model = nn.Sequential(nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10))
    with tempfile.TemporaryDirectory() as folder:
        learn = Learner(
            dls, model, nn.CrossEntropyLoss(), path=folder,
            cbs=[MixUp(), EMA(), Checkpoint("5ba")],
        )
        learn.logger = lambda row: None
        learn.fit(epochs, cbs=Note())
        for _ in range(interrupted):
            try:
                learn.fit(1, cbs=Cut())
            except RuntimeError as error:
                assert "cut short" in str(error)
        end = used()
    (early, files), (late, files_late) = Note.found[1], Note.found[-1]
    print(early, late, end[0], files, files_late, end[1])
"""


def figures(epochs, interrupted):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(epochs), str(interrupted)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


def check(epochs, interrupted):
    early, late, end, files, files_late, files_end = figures(epochs, interrupted)
    sizes = [f"{size / 1e6:.1f} MB" for size in (early, late, end)]
    print(f"R12: {', '.join(sizes)}; files {files}, {files_late}, {files_end}")
    assert late <= 1.01 * early
    assert end <= 1.01 * early
    assert files_late <= files
    assert files_end <= files


def test_r12_twelve_epochs_and_four_cut_short_take_no_more_than_two():
    check(12, 4)


@pytest.mark.slow
def test_r12_fifty_epochs_and_twenty_cut_short_take_no_more_than_two():
    check(50, 20)
