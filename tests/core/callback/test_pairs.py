"""Every two things that may happen to a training, together."""

from contextlib import nullcontext
from itertools import combinations

import pytest
import torch
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.channels_last import ChannelsLast
from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.mixup import CutMix, MixUp
from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.sam import SAM
from layerwise.core.callback.training import BnFreeze
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.train.callback import Callback

PARTS = {
    "accumulation": lambda: GradientAccumulation(24),
    "clipping": lambda: GradientClip(0.5),
    "mixup": MixUp,
    "cutmix": CutMix,
    "fp16": lambda: MixedPrecision("fp16", init_scale=2.0**10),
    "bf16": lambda: MixedPrecision("bf16"),
    "EMA": lambda: EMA(0.5),
    "SAM": SAM,
    "BnFreeze": BnFreeze,
    "channels last": ChannelsLast,
    "NaN guard": lambda: NaNGuard("skip"),
    "one-cycle": lambda: None,
}
# Of these a learner takes one.
REFUSED = {("mixup", "cutmix"), ("fp16", "bf16")}
PAIRS = list(combinations(PARTS, 2))


def pictures(count):
    draw = torch.Generator().manual_seed(count)
    y = torch.arange(count) % 2
    x = 0.5 * torch.randn(count, 2, 6, 6, generator=draw)
    x[torch.arange(count), y] += 1
    return list(zip(x, y, strict=True))


def net(with_norm=True):
    """A small net with dropout and two batch norms, one of them frozen."""
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(6), nn.BatchNorm2d(6).requires_grad_(False)] if with_norm else []
    body = [nn.Conv2d(2, 6, 3, bias=False), *norms, nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*body, nn.Flatten(), nn.Dropout(0.1 * with_norm), nn.Linear(6, 2))


def pair_learner(names, *, bs=8, opt_func=Adam, lr=0.02, model=None, parts=PARTS):
    """A learner with the callbacks of these names, and how it is trained."""
    train, valid = (DataLoader(pictures(n), bs, shuffle=n == 32, num_workers=0) for n in (32, 16))
    cbs = [cb for name in names if (cb := parts[name]()) is not None]
    learn = Learner(
        DataLoaders(train, valid), model or net(), CrossEntropyLossFlat(), opt_func, lr=lr,
        cbs=cbs, metrics=accuracy,
    )  # fmt: skip
    learn.logger = lambda row: None
    return learn, learn.fit_one_cycle if "one-cycle" in names else learn.fit


@pytest.mark.parametrize("names", PAIRS, ids=" + ".join)
def test_every_pair_trains_together(names):
    learn, fit = pair_learner(names)
    if names in REFUSED:
        with pytest.raises(ValueError, match="keep one"):
            fit(1)
        return
    start = {n: v.clone() for n, v in learn.model.state_dict().items()}
    before = learn.validate()[0]
    torch.manual_seed(1)
    fit(5)
    _, after, share_right = learn.recorder.values[-1]
    assert torch.tensor(learn.recorder.losses).isfinite().all()
    assert after < 0.9 * before
    assert share_right > 0.9
    weights = learn.model.state_dict()
    assert all(v.isfinite().all() for v in weights.values())
    moved = {n for n, v in weights.items() if not torch.equal(v, start[n])}
    assert {n for n in start if n.startswith(("0.", "1.", "7."))} <= moved
    assert ("2.running_mean" in moved) == ("BnFreeze" not in names)
    assert torch.equal(weights["2.weight"], start["2.weight"])
    assert not torch.is_autocast_enabled("cpu")
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)
    assert learn.accumulating is False
    assert learn.nan_guard.skipped == 0
    assert all(p.grad is None for p in learn.model.parameters())


class Killed(Callback):
    """Ends the process, as far as a test can: after a checkpoint, in the middle of a group."""

    order = 2000
    run_valid = False

    def after_batch(self):
        if self.learn.train_iter == 6:
            raise KeyboardInterrupt


def gone_on(names, folder, *, resume=False, killed=False):
    """All numbers of a learner that was trained, or goes on, in a folder."""
    learn, fit = pair_learner(names)
    learn.path = folder
    learn.add_cb(Checkpoint(every="1ba", background=False, signals=()))
    learn.add_cbs([Killed()] if killed else [])
    torch.manual_seed(99 if resume else 7)
    with pytest.raises(KeyboardInterrupt) if killed else nullcontext():
        fit(3, resume=resume)
    kept = {n: v.clone() for n, v in learn.model.state_dict().items()}
    averages = learn.ema.model.state_dict() if "EMA" in names else {}
    losses = torch.tensor(learn.recorder.losses)
    return {**kept, **{f"average {n}": v.clone() for n, v in averages.items()}, "losses": losses}


def goes_on_bit_for_bit(names, folder):
    whole = gone_on(names, folder / "whole")
    gone_on(names, folder / "killed", killed=True)
    resumed = gone_on(names, folder / "killed", resume=True)
    assert [n for n, value in whole.items() if not torch.equal(value, resumed[n])] == []


# One of each kind together, and each with accumulation, in the middle of whose group it stops.
ALL = tuple(name for name in PARTS if name not in ("cutmix", "bf16"))


@pytest.mark.parametrize(
    "names", [ALL, *(p for p in PAIRS if p[0] == "accumulation")], ids=" + ".join
)
def test_r2_a_group_goes_on_in_its_middle(names, tmp_path):
    goes_on_bit_for_bit(names, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [p for p in PAIRS if p[0] != "accumulation" and p not in REFUSED], ids=" + ".join
)
def test_r2_every_pair_goes_on_bit_for_bit(names, tmp_path):
    goes_on_bit_for_bit(names, tmp_path)


# What does the same to one large batch as to the parts of one, and how exactly.
LIKE_ONE_BATCH = {
    "clipping": 1e-5,
    "fp16": 1e-2,
    "bf16": 5e-2,
    "EMA": 1e-5,
    "BnFreeze": 1e-5,
    "channels last": 1e-5,
    "NaN guard": 1e-5,
}


@pytest.mark.parametrize("name", LIKE_ONE_BATCH)
def test_parts_of_a_batch_train_like_the_batch(name):
    found = []
    for names, bs in (("accumulation", name), 4), ((name,), 12):
        parts = PARTS | {"accumulation": lambda: GradientAccumulation(12)}
        learn, fit = pair_learner(
            names, bs=bs, opt_func=SGD, lr=0.1, model=net(with_norm=False), parts=parts
        )
        learn.dls.train.shuffle = False
        fit(3)  # groups of 12, 12 and 8
        model = learn.ema.model if name == "EMA" else learn.model
        found.append([p.detach() for p in model.parameters()])
    tolerance = LIKE_ONE_BATCH[name]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


class Bad(Callback):
    """Makes one batch not a number."""

    order = -50
    run_valid = False

    def before_batch(self):
        if self.learn.train_iter == 3:
            self.learn.xb = (self.learn.xb[0] * torch.nan,)


@pytest.mark.parametrize("name", [n for n in PARTS if n not in ("NaN guard", "one-cycle")])
def test_a_bad_batch_spoils_none_of_them(name):
    learn, fit = pair_learner(("NaN guard", name))
    learn.add_cb(Bad)
    with pytest.warns(UserWarning, match="skipped"):
        fit(5)
    assert learn.nan_guard.skipped == 1
    assert all(v.isfinite().all() for v in learn.model.state_dict().values())
    assert learn.recorder.values[-1][2] > 0.9
