import copy
import warnings

import pytest
import torch
from torch import nn

from layerwise.core.callback.precision import AMPMode, MixedPrecision
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelTrainException,
)
from layerwise.core.train.log import LogEntry

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Seen(nn.Module):
    """A line that notes in which precision it is computed, and whether it trains."""

    def __init__(self):
        super().__init__()
        self.line, self.seen = nn.Linear(3, 1), []

    def forward(self, x):
        out = self.line(x)
        self.seen.append((self.training, out.dtype))
        return out


def is_autocast():
    return torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("mode", DTYPES)
def test_the_model_runs_in_half_precision_in_every_use(make_learner, mode):
    seen = []

    class Look(Callback):
        def after_pred(self):
            seen.append(self.learn.pred.dtype)

    model = Seen()
    learn = getattr(make_learner(model, cbs=Look()), f"to_{mode}")()
    learn.fit(1)
    learn.validate()
    preds, _ = learn.get_preds()
    assert {train for train, _ in model.seen} == {True, False}
    assert {dtype for _, dtype in model.seen} == {DTYPES[mode]}
    assert set(seen) == {preds.dtype} == {torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not is_autocast()


@pytest.mark.parametrize("mode", DTYPES)
def test_it_trains_as_torch_does_it_by_hand(make_learner, mode):
    learn = make_learner(cbs=MixedPrecision(mode, init_scale=256.0), lr=0.05)
    twin = copy.deepcopy(learn.model)
    learn.dls.train.shuffle = False
    data = [tuple(t.as_subclass(torch.Tensor) for t in batch) for batch in learn.dls.train]
    opt = torch.optim.SGD(twin.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=mode == "fp16")
    for x, y in data * 2:
        with torch.autocast("cpu", dtype=DTYPES[mode]):
            loss = nn.functional.mse_loss(twin(x).float(), y)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    learn.fit(2)
    for one, other in zip(learn.model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_float16_on_a_cpu_is_said_to_be_slow_and_bfloat16_is_not(make_learner):
    with pytest.warns(UserWarning, match=r"float16 on a CPU .* take to_bf16\(\)"):
        make_learner().to_fp16().fit(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_learner().to_bf16().fit(1)


def test_steps_that_overflow_are_left_out_counted_and_logged(make_learner):
    heard: list[LogEntry] = []
    weights = []

    class Look(Callback):
        order = 90
        run_valid = False

        def after_batch(self):
            weights.append(next(self.learn.model.parameters()).detach().clone())

    mixed = MixedPrecision(init_scale=2.0**24, backoff_factor=0.25)
    learn = make_learner(cbs=[mixed, Look()])
    start = learn.model.weight.detach().clone()
    learn.log_bus.subscribe(heard.append)
    learn.fit(2)
    told = [entry.item() for entry in heard if entry.name == "skipped_steps"]
    assert told == list(range(1, mixed.skipped + 1))
    assert 1 < mixed.skipped < 8
    assert mixed.scaler.get_scale() == 2.0**24 * 0.25**mixed.skipped
    assert all(torch.equal(w, start) for w in weights[: mixed.skipped])
    assert not torch.equal(weights[mixed.skipped], start)
    assert all(w.isfinite().all() for w in weights)


def test_the_scale_is_kept_from_fit_to_fit(make_learner):
    learn = make_learner(cbs=MixedPrecision(init_scale=4.0, growth_interval=3))
    learn.fit(1)
    assert learn.mixed_precision.scaler.get_scale() == 8.0
    learn.fit(1)
    assert learn.mixed_precision.scaler.get_scale() == 16.0


def test_gradients_that_are_never_finite_stop_the_training(make_learner):
    class Infinite(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * torch.inf

    class Bad(nn.Linear):
        def forward(self, x):
            return Infinite.apply(super().forward(x))

    model = Bad(3, 1)
    before = model.weight.detach().clone()
    learn = make_learner(model, cbs=MixedPrecision(init_scale=1.0, backoff_factor=0.001))
    with pytest.raises(FloatingPointError, match="no overflow of float16"):
        learn.fit(1)
    assert torch.equal(model.weight, before)
    assert learn.mixed_precision.skipped == 3


@pytest.mark.parametrize("mode", DTYPES)
def test_a_scale_goes_on_from_a_checkpoint(make_learner, mode):
    def made():
        return make_learner(cbs=MixedPrecision(mode, init_scale=2.0**20, growth_interval=2))

    whole, first, second = made(), made(), made()
    whole.fit(2)
    torch.manual_seed(0)
    first.fit(1)
    first_state = first.mixed_precision.state_dict()
    second.mixed_precision.before_fit()
    second.mixed_precision.load_state_dict(first_state)
    assert second.mixed_precision.state_dict() == first_state
    assert second.mixed_precision.skipped == first.mixed_precision.skipped


def test_a_checkpoint_of_another_precision_is_refused(make_learner):
    half, brain = make_learner().to_fp16(), make_learner().to_bf16()
    for learn in (half, brain):
        learn.fit(1)
    with pytest.raises(ValueError, match="trains in bf16"):
        brain.mixed_precision.load_state_dict(half.mixed_precision.state_dict())


@pytest.mark.parametrize("event", ["before_batch", "after_pred", "after_loss", "before_backward"])
@pytest.mark.parametrize(
    "error",
    [
        CancelBatchException,
        CancelTrainException,
        CancelEpochException,
        CancelFitException,
        KeyError("mine"),
    ],
    ids=lambda error: str(getattr(error, "__name__", "error")),
)
def test_half_precision_never_stays_on(make_learner, event, error):
    class Stop(Callback):
        order = 99
        run_valid = False

    found = []

    class Look(Callback):
        order = 98

        def before_epoch(self):
            found.append(is_autocast())

        after_epoch = after_fit = after_batch = before_validate = before_epoch

    def stop():
        raise error

    learn = make_learner(cbs=[MixedPrecision("bf16"), Stop(**{event: stop}), Look()])
    if isinstance(error, KeyError):
        with pytest.raises(KeyError):
            learn.fit(1)
    else:
        learn.fit(1)
    assert not is_autocast()
    assert found
    assert not any(found)


def test_a_model_that_fails_leaves_full_precision(make_learner):
    class Broken(nn.Linear):
        def forward(self, x):
            raise RuntimeError("broken")

    learn = make_learner(Broken(3, 1)).to_bf16()
    for use in (lambda: learn.fit(1), learn.validate, learn.get_preds):
        with pytest.raises(RuntimeError, match="broken"):
            use()
        assert not is_autocast()


def test_there_and_back(make_learner):
    learn = make_learner()
    assert learn.to_fp32() is learn
    learn.to_fp16(init_scale=8.0)
    assert learn.to_bf16() is learn
    assert [cb.amp_mode for cb in learn.cbs if isinstance(cb, MixedPrecision)] == [AMPMode.BF16]
    learn.to_fp32()
    assert not any(isinstance(cb, MixedPrecision) for cb in learn.cbs)
    with pytest.raises(TypeError, match="growth_interval"):
        learn.to_fp16(growth_intervall=3)
    with pytest.raises(ValueError, match='\'fp8\'; give "fp16" or "bf16"'):
        MixedPrecision("fp8")


def test_predictions_in_a_structure_come_in_full_precision(make_learner):
    class Several(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            return {"out": out, "rest": [out, out.double(), torch.arange(2)]}

    class Look(Callback):
        def after_pred(self):
            pred = self.learn.pred
            dtypes = [pred["out"].dtype, *(t.dtype for t in pred["rest"])]
            assert dtypes == [torch.float32, torch.float32, torch.float64, torch.int64]

    learn = make_learner(
        Several(3, 1), cbs=Look(), loss_func=lambda p, y: nn.functional.mse_loss(p["out"], y)
    )
    learn.to_fp16().fit(1)


@pytest.mark.gpu
@pytest.mark.parametrize("mode", DTYPES)
def test_it_runs_on_a_gpu(make_learner, mode):
    model = Seen()
    learn = make_learner(model)
    learn.dls.device = torch.device("cuda")
    getattr(learn, f"to_{mode}")().fit(2)
    assert {dtype for _, dtype in model.seen} == {DTYPES[mode]}
    assert learn.get_preds()[0].dtype == torch.float32
