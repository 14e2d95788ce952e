"""`EMA`: the same numbers as torch's AveragedModel, in place for validation, gone after it."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.ema import EMA
from layerwise.core.nn.hooks import hook_outputs
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelStepException, CancelValidException


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


class Twin(Callback):
    """Averages as torch does, after each step."""

    order = 90

    def __init__(self, decay):
        super().__init__()
        self.decay, self.steps = decay, 0

    def before_fit(self):
        fn = get_ema_multi_avg_fn(self.decay)
        self.average = AveragedModel(self.learn.model, multi_avg_fn=fn, use_buffers=False)
        self.average.update_parameters(self.learn.model)

    def after_cancel_step(self):
        self.steps -= 1

    def after_step(self):
        if self.steps >= 0:
            self.average.update_parameters(self.learn.model)
        self.steps = 0


def assert_same(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("extra", [None, GradientAccumulation], ids=["plain", "accumulation"])
def test_the_average_is_that_of_torch(make_learner, extra):
    twin = Twin(0.9)
    cbs = [EMA(0.9, warmup=False), twin] + ([extra(16)] if extra else [])
    learn = make_learner(network(), cbs=cbs)
    learn.fit(3)
    assert learn.ema.updates == (6 if extra else 12)
    for ours, theirs in zip(
        learn.ema.model.parameters(), twin.average.module.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    for ours, own in zip(learn.ema.model.buffers(), learn.model.buffers(), strict=True):
        assert torch.equal(ours, own)
    assert not torch.equal(learn.ema.model[0].weight, learn.model[0].weight)


def test_a_step_that_is_left_out_does_not_count(make_learner):
    class Leaves(Callback):
        def before_step(self):
            if self.learn.iter % 2:
                raise CancelStepException

    twin = Twin(0.9)
    learn = make_learner(network(), cbs=[EMA(0.9, warmup=False), twin, Leaves()])
    learn.fit(2)
    assert learn.ema.updates == 4
    assert torch.equal(learn.ema.model[0].weight, twin.average.module[0].weight)


@given(st.integers(0, 100_000), st.floats(0, 0.99999))
def test_the_warm_up_only_ever_forgets_faster(updates, decay):
    at = EMA(decay).decay_at(updates)
    assert 0 <= at <= decay
    assert at <= EMA(decay).decay_at(updates + 1)
    assert EMA(decay, warmup=False).decay_at(updates) == decay


def test_the_warm_up_by_hand(make_learner):
    seen: list[torch.Tensor] = []
    note = Callback(after_step=lambda: seen.append(learn.model.weight.detach().clone()))
    learn = make_learner(cbs=[EMA(0.999)])
    average = learn.model.weight.detach().clone()
    learn.fit(1, cbs=note)
    for step, weight in enumerate(seen):
        decay = (1 + step) / (10 + step)
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(learn.ema.model.weight, average)


class Looks(Callback):
    """What the model's weight is in each batch."""

    def __init__(self):
        super().__init__()
        self.train, self.valid = [], []

    def after_pred(self):
        seen = self.train if self.learn.training else self.valid
        weight = self.learn.model.get_parameter("weight")
        seen.append(weight.detach().clone())


def test_validation_sees_the_average_and_training_does_not(make_learner):
    looks = Looks()
    learn = make_learner(cbs=[EMA(0.5), looks])
    learn.fit(2)
    plain = make_learner()
    plain.fit(2)
    assert torch.equal(looks.valid[-1], learn.ema.model.weight)
    assert torch.equal(learn.model.weight, plain.model.weight)  # training is what it was
    assert learn.recorder.values[-1][1] != plain.recorder.values[-1][1]


def test_prediction_sees_the_average_too(make_learner):
    learn = make_learner(cbs=EMA(0.5))
    learn.fit(2)
    own = learn.model.weight.detach().clone()
    preds, _ = learn.get_preds()
    xb = torch.cat([x for x, _ in learn.dls.valid])
    torch.testing.assert_close(preds, learn.ema.model(xb))
    assert torch.equal(learn.model.weight, own)
    with learn.removed_cbs(EMA):
        torch.testing.assert_close(learn.get_preds()[0], learn.model(xb).detach())


@pytest.mark.parametrize("what", [KeyError("x"), KeyboardInterrupt(), CancelValidException()])
def test_weights_come_back_whatever_ends_a_validation(make_learner, what):
    def fails():
        if not learn.training:
            raise what

    learn = make_learner(cbs=EMA(0.5))
    learn.fit(1)
    own = learn.model.weight.detach().clone()
    try:
        learn.validate(cbs=Callback(after_pred=fails))
    except type(what):
        assert not isinstance(what, CancelValidException)
    assert torch.equal(learn.model.weight, own)


def test_weights_come_back_when_an_error_ends_the_validation_of_a_fit(make_learner):
    def fails():
        if not learn.training:
            seen.append(learn.model.weight.detach().clone())
            raise KeyError

    seen: list[torch.Tensor] = []
    after: list[torch.Tensor] = []
    note = Callback(after_step=lambda: after.append(learn.model.weight.detach().clone()))
    learn = make_learner(cbs=[EMA(0.5), note])
    with pytest.raises(KeyError):
        learn.fit(1, cbs=Callback(after_pred=fails))
    assert not torch.equal(seen[0], after[-1])
    assert torch.equal(learn.model.weight, after[-1])


def test_the_average_is_kept_at_the_end_if_asked_for(make_learner):
    learn = make_learner()
    learn.fit(2, cbs=EMA(0.5, keep=True))
    assert torch.equal(learn.model.weight, learn.aux_models["ema"].weight)
    learn = make_learner(cbs=EMA(0.5))
    learn.fit(2)
    assert not torch.equal(learn.model.weight, learn.ema.model.weight)
    learn.ema.copy_to_model()
    assert torch.equal(learn.model.weight, learn.ema.model.weight)


def test_each_fit_begins_a_new_average_and_a_validation_does_not(make_learner):
    learn = make_learner(cbs=EMA(0.5))
    learn.fit(1)
    learn.validate()
    assert learn.ema.updates == 4
    begun: list[torch.Tensor] = []
    before = learn.model.weight.detach().clone()
    note = Callback(before_train=lambda: begun.append(learn.ema.model.weight.clone()))
    learn.fit(1, cbs=note)
    assert torch.equal(begun[0], before)
    assert learn.ema.updates == 4


def test_weights_that_are_loaded_later_are_not_hidden_by_an_old_average(make_learner, samples):
    learn = make_learner(cbs=EMA(0.5))
    learn.fit(1)
    with torch.no_grad():
        learn.model.load_state_dict({"weight": torch.ones(1, 3), "bias": torch.zeros(1)})
    preds, _ = learn.get_preds()
    xb = torch.stack([x for x, _ in samples(16, seed=1)])
    torch.testing.assert_close(preds, xb.sum(1, keepdim=True))


def test_it_is_saved_and_loaded_with_the_learner(make_learner):
    learn = make_learner(cbs=EMA(0.5))
    learn.fit(2)
    preds, _ = learn.get_preds()
    learn.save("both")
    other = make_learner(cbs=EMA(0.5), seed=5)
    other.load("both")
    assert_same(other.ema.model, learn.ema.model)
    assert torch.equal(preds, other.get_preds()[0])


def test_half_precision_is_averaged_in_float32(make_learner):
    learn_like = EMA(0.999, warmup=False)
    model = nn.Linear(2, 1).to(torch.bfloat16)
    make_learner(model, cbs=learn_like)
    learn_like.before_fit()
    with torch.no_grad():
        model.weight.fill_(1.0)
        learn_like.model.get_parameter("weight").fill_(0.0)
    for _ in range(1000):
        learn_like.after_step()
    expected = 1 - 0.999**1000
    assert learn_like.model.weight.dtype == torch.float32
    assert learn_like.model.get_parameter("weight").mean().item() == pytest.approx(
        expected, rel=1e-3
    )
    learn_like.copy_to_model()
    assert model.weight.dtype == torch.bfloat16


def test_hooks_on_the_model_do_not_copy_the_learner(make_learner):
    learn = make_learner(network())
    with hook_outputs(learn.model) as hooks:
        hooks[0].learn = Uncopiable()
        learn.fit(1, cbs=EMA(0.5))
        assert hooks.stored[0] is not None


class Uncopiable:
    def __deepcopy__(self, memo):
        raise AssertionError("the learner was copied")


def test_wrong_decays_are_refused():
    for decay in (1.0, -0.1, 2):
        with pytest.raises(ValueError, match="decay="):
            EMA(decay)


def test_tied_and_frozen_weights_stay_what_they_are(make_learner):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(3, 3, bias=False)
            self.two = nn.Linear(3, 3, bias=False)
            self.two.weight = self.one.weight
            self.frozen = nn.Linear(3, 1)
            self.frozen.requires_grad_(False)

        def forward(self, x):
            return self.frozen(self.two(self.one(x)))

    model = Tied()
    before = copy.deepcopy(model.frozen.state_dict())
    learn = make_learner(model, cbs=EMA(0.5))
    learn.fit(2)
    average = learn.ema.model
    assert average.one.weight is average.two.weight
    assert torch.equal(average.frozen.weight, before["weight"])
