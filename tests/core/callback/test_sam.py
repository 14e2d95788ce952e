import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.sam import SAM
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import SGD
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelBackwardException

BS = 4


def data(count):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=draw)
    return list(zip(x, torch.randn(count, 2, generator=draw), strict=True))


def net(norm=False):
    torch.manual_seed(1)
    middle = nn.BatchNorm1d(5) if norm else nn.Tanh()
    return nn.Sequential(nn.Linear(3, 5), middle, nn.Linear(5, 2))


def sam_learner(*cbs, count=12, model=None, lr=0.1):
    dls = DataLoaders(DataLoader(data(count), BS), DataLoader(data(4), BS))
    learn = Learner(dls, model or net(), nn.MSELoss(), SGD, lr=lr, cbs=cbs)
    learn.logger = lambda row: None
    return learn


def batches(count):
    items = data(count)
    parts = [items[i : i + BS] for i in range(0, count, BS)]
    return [tuple(torch.stack(part) for part in zip(*p, strict=True)) for p in parts]


def sharp_gradient(model, x, y, rho):
    """The gradient at the worst weights nearby, written out parameter by parameter."""
    nearby = copy.deepcopy(model)
    grads = torch.autograd.grad(nn.functional.mse_loss(nearby(x), y), list(nearby.parameters()))
    norm = torch.cat([g.flatten() for g in grads]).norm()
    with torch.no_grad():
        for p, g in zip(nearby.parameters(), grads, strict=True):
            p += rho * g / norm
    return torch.autograd.grad(nn.functional.mse_loss(nearby(x), y), list(nearby.parameters()))


@settings(max_examples=15, deadline=None)
@given(rho=st.floats(0.001, 2.0), count=st.integers(1, 13))
def test_a_step_goes_along_the_gradient_nearby(rho, count):
    model = net()
    for x, y in batches(count):
        for p, g in zip(model.parameters(), sharp_gradient(model, x, y, rho), strict=True):
            p.data -= 0.1 * g
    learn = sam_learner(SAM(rho), count=count)
    learn.fit(1)
    for one, other in zip(learn.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_step_of_nothing_leaves_weights_as_they_are_to_the_bit():
    learn = sam_learner(SAM(0.5), lr=0.0)
    before = copy.deepcopy(learn.model.state_dict())
    learn.fit(2)
    assert all(torch.equal(v, before[n]) for n, v in learn.model.state_dict().items())


class Shown(Callback):
    order = 99
    run_valid = False

    def __init__(self):
        super().__init__()
        self.losses, self.preds = [], []

    def after_batch(self):
        self.losses.append(self.learn.loss.item())
        self.preds.append(self.learn.pred.detach())


def test_loss_prediction_and_statistics_are_those_of_the_first_pass():
    plain, sharp = (
        sam_learner(*cbs, Shown(), lr=0.0, model=net(norm=True)) for cbs in ([], [SAM(1.0)])
    )
    for learn in (plain, sharp):
        learn.fit(2)
    assert plain.shown.losses == sharp.shown.losses
    assert all(torch.equal(a, b) for a, b in zip(plain.shown.preds, sharp.shown.preds, strict=True))
    for one, other in zip(plain.model.buffers(), sharp.model.buffers(), strict=True):
        assert torch.equal(one, other)


def test_weights_come_back_when_the_second_pass_fails():
    class Fails(nn.Sequential):
        calls = 0

        def forward(self, x):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("second")
            return super().forward(x)

    model = Fails(*net(norm=True))
    learn = sam_learner(SAM(1.0), model=model)
    before = copy.deepcopy(dict(model.named_parameters()))
    with pytest.raises(RuntimeError, match="second"):
        learn.fit(1)
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    learn.fit(1)


class Gradient(Callback):
    order = 100
    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def before_step(self):
        self.seen.append([p.grad.clone() for p in self.learn.model.parameters()])


def test_accumulated_batches_have_a_neighbourhood_each():
    learn = sam_learner(SAM(0.3), GradientAccumulation(10), Gradient(), lr=0.0, count=14)
    learn.fit(1)
    parts = [(len(x), sharp_gradient(learn.model, x, y, 0.3)) for x, y in batches(14)]
    groups = [parts[:3], parts[3:]]  # 12 items, and the 2 that are left
    assert len(learn.gradient.seen) == 2
    for found, group in zip(learn.gradient.seen, groups, strict=True):
        total = sum(size for size, _ in group)
        wanted = [sum(s * g for (s, _), g in zip(group, gs, strict=True)) / total
                  for gs in zip(*(grads for _, grads in group), strict=True)]  # fmt: skip
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_clipping_acts_on_the_gradient_of_the_step():
    learn = sam_learner(SAM(0.3), GradientClip(0.01), Gradient(), lr=0.0, count=4)
    learn.fit(1)
    ((x, y),) = batches(4)
    wanted = sharp_gradient(learn.model, x, y, 0.3)
    norm = torch.cat([g.flatten() for g in wanted]).norm()
    for one, other in zip(learn.gradient.seen[0], wanted, strict=True):
        torch.testing.assert_close(one, other * 0.01 / norm, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("mode", ["fp16", "bf16"])
def test_half_precision_comes_near_to_full(mode):
    seen = []

    class Kinds(nn.Sequential):
        def forward(self, x):
            out = super().forward(x)
            seen.append(out.dtype)
            return out

    mixed = MixedPrecision(mode, init_scale=64.0)
    learn = sam_learner(SAM(0.3), mixed, Gradient(), lr=0.0, count=4, model=Kinds(*net()))
    learn.fit(1)
    assert seen[:2] == [mixed.amp_mode.dtype] * 2
    ((x, y),) = batches(4)
    wanted = sharp_gradient(net(), x, y, 0.3)
    for one, other in zip(learn.gradient.seen[0], wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.02)
    assert not torch.is_autocast_enabled("cpu")


def test_an_overflow_is_left_out_and_weights_stay_finite():
    mixed = MixedPrecision(init_scale=2.0**40, backoff_factor=2.0**-10)
    learn = sam_learner(SAM(), mixed, count=40)
    learn.fit(1)
    assert 0 < mixed.skipped < 10
    assert all(p.isfinite().all() for p in learn.model.parameters())


def test_nothing_happens_without_a_backward_pass():
    def stop():
        raise CancelBackwardException

    learn = sam_learner(SAM(), Callback(before_backward=stop))
    before = copy.deepcopy(learn.model.state_dict())
    learn.fit(1)
    assert all(torch.equal(v, before[n]) for n, v in learn.model.state_dict().items())


def test_frozen_weights_are_not_moved():
    model = net()
    model[0].requires_grad_(False)
    moved = []

    class Look(nn.Sequential):
        def forward(self, x):
            moved.append(next(self[0].parameters()).clone())
            return super().forward(x)

    sam_learner(SAM(1.0), model=Look(*model)).fit(1)
    assert all(torch.equal(w, moved[0]) for w in moved)


@pytest.mark.parametrize("rho", [0, -1.0])
def test_a_distance_that_is_none_is_refused(rho):
    with pytest.raises(ValueError, match="above 0"):
        SAM(rho)
