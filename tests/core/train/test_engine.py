import gc
import inspect
import weakref
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.utils.data as torch_data
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.metrics.metric import AvgLoss, mk_metric
from layerwise.core.metrics.regression import mae
from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.random import draw_seed
from layerwise.core.train import engine
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import (
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelStepException,
    CancelTrainException,
    CancelValidException,
)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def net():
    return nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1)
    )


# -- the loop equals a loop written by hand ------------------------------------------------


def by_hand(model, opt, loaders, loss_func, epochs):
    """The loop that a book on torch would print."""
    seed = draw_seed()
    for epoch in range(epochs):
        model.train()
        loaders.train.set_epoch(seed, epoch)
        for x, y in loaders.train:
            loss = loss_func(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        model.eval()
    return model


@pytest.mark.parametrize(
    "make_opt",
    [
        partial(SGD, mom=0.9),
        Adam,
        partial(OptimWrapper, opt=torch.optim.SGD, momentum=0.9),
        partial(OptimWrapper, opt=torch.optim.AdamW),
    ],
    ids=["SGD", "Adam", "torch.SGD", "torch.AdamW"],
)
def test_training_equals_a_loop_written_by_hand_bit_for_bit(make_learner, make_opt):
    learn = make_learner(net(), seed=3, opt_func=make_opt, wd_bn_bias=True, lr=0.02)
    twin = make_learner(net(), seed=3)
    twin.model.load_state_dict(learn.model.state_dict())
    torch.manual_seed(7)
    learn.fit(3)
    torch.manual_seed(7)
    opt = make_opt(twin.model.parameters(), lr=0.02)
    by_hand(twin.model, opt, twin.dls, nn.MSELoss(), 3)
    assert torch.equal(weights(learn.model), weights(twin.model))
    for ours, theirs in zip(learn.model.buffers(), twin.model.buffers(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_stock_loaders_and_optimizers_train_as_in_plain_torch(samples, kind):
    def loaders():
        seeded = torch.Generator().manual_seed(5)
        train = torch_data.DataLoader(samples(32), 8, shuffle=True, generator=seeded)
        return train, torch_data.DataLoader(samples(16), 8)

    def fresh():
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        return model, getattr(torch.optim, kind)(model.parameters(), lr=0.05)

    model, opt = fresh()
    train, valid = loaders()
    learn = Learner(DataLoaders(train, valid), model, nn.MSELoss(), lr=0.05, default_cbs=True)
    learn.logger = lambda row: None
    learn.opt = OptimWrapper(opt=opt)
    learn.fit(2)

    plain, plain_opt = fresh()
    train, _ = loaders()
    for _ in range(2):
        for x, y in train:
            loss = nn.functional.mse_loss(plain(x), y)
            plain_opt.zero_grad()
            loss.backward()
            plain_opt.step()
    assert torch.equal(weights(model), weights(plain))


def test_a_plain_loop_uses_loaders_losses_and_metrics_without_a_learner(samples):
    torch.manual_seed(0)
    loaders = DataLoaders(DataLoader(samples(32), 8, shuffle=True), DataLoader(samples(16), 5))
    model = nn.Linear(3, 1)
    opt, loss_func = torch.optim.SGD(model.parameters(), lr=0.1), MSELossFlat()
    for _ in range(20):
        for x, y in loaders.train:
            loss_func(model(x), y).backward()
            opt.step()
            opt.zero_grad()
    distance = mk_metric(mae)
    average = AvgLoss()
    with torch.no_grad():
        for x, y in loaders.valid:
            distance.update(model(x), y)
            average.update(loss_func(model(x), y), y)
    inputs = torch.stack([x for x, _ in samples(16)])
    targets = torch.stack([y for _, y in samples(16)])
    error = (model(inputs) - targets).detach()
    torch.testing.assert_close(distance.value, error.abs().mean().item())
    torch.testing.assert_close(average.value, error.square().mean().item())
    assert average.value is not None
    assert average.value < 0.01


# -- a step written by hand ----------------------------------------------------------------


def test_the_default_step_is_one_method_of_fewer_than_40_lines():
    assert len(inspect.getsource(engine.batch_step).splitlines()) < 40
    assert len(inspect.getsource(Learner.batch_step).splitlines()) < 5


def test_a_step_written_by_hand_replaces_the_default(samples):
    class TwoSteps(Learner):
        """Descends the sign of the gradient, without any event."""

        def batch_step(self):
            self.pred = self.model(*self.xb)
            self.loss_grad = self.loss_func(self.pred, *self.yb)
            self.loss = self.loss_grad.detach()
            if self.training:
                self.loss_grad.backward()
                with torch.no_grad():
                    for p in self.model.parameters():
                        p -= 0.01 * p.grad.sign()
                        p.grad = None

    heard = []

    class Look(Callback):
        def after_batch(self):
            heard.append("after_batch")

        def before_step(self):
            heard.append("before_step")

    dls = DataLoaders(DataLoader(samples(8), 4), DataLoader(samples(4), 4))
    model = nn.Linear(3, 1)
    plain = nn.Linear(3, 1)
    plain.load_state_dict(model.state_dict())
    learn = TwoSteps(dls, model, nn.MSELoss(), cbs=Look())
    learn.logger = lambda row: None
    learn.fit(1)
    for x, y in dls.train:
        nn.functional.mse_loss(plain(x), y).backward()
        with torch.no_grad():
            for p in plain.parameters():
                p -= 0.01 * p.grad.sign()
                p.grad = None
    assert torch.equal(weights(model), weights(plain))
    assert heard == ["after_batch"] * 3
    assert len(learn.recorder.losses) == 2
    assert learn.recorder.values[0][1] is not None


# -- two-way callbacks ---------------------------------------------------------------------


def run_one(make_learner, **functions):
    """A learner after one batch of training, with one callback made of functions of `learn`."""
    learn = make_learner(n=8, n_valid=8)
    acting = {name: partial(f, learn) for name, f in functions.items()}
    cb = Callback(**acting)
    cb.run_valid = False
    learn.add_cb(cb)
    learn.fit(1)
    return learn


def one_step(model, x, y, lr=0.1, change=None):
    """What one step of plain SGD makes of a copy of `model`."""
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    if change is not None:
        change(model)
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad
    return weights(model)


@pytest.fixture
def whole(samples):
    """The batch that `run_one` trains on, in the order of the data."""
    found = samples(8)
    return torch.stack([x for x, _ in found]), torch.stack([y for _, y in found])


@pytest.fixture
def start(make_learner):
    """The model that `run_one` starts from."""
    return make_learner(n=8, n_valid=8).model


def test_inputs_can_be_changed(make_learner, start, whole):
    def double(learn):
        learn.xb = tuple(2 * x for x in learn.xb)

    learn = run_one(make_learner, before_batch=double)
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, 2 * x, y))


def test_targets_can_be_changed(make_learner, start, whole):
    def shift(learn):
        learn.yb = (learn.y + 1,)

    learn = run_one(make_learner, before_batch=shift)
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y + 1))


def test_targets_can_come_from_the_inputs(make_learner):
    """An autoencoder on batches without targets."""

    class AsTarget(Callback):
        def before_batch(self):
            self.learn.yb = self.learn.xb

    inputs = [torch.randn(3) for _ in range(8)]
    dls = DataLoaders(DataLoader(inputs, 4), DataLoader(inputs, 4))
    learn = make_learner(nn.Linear(3, 3), dls=dls, cbs=AsTarget())
    learn.fit(3)
    assert learn.recorder.values[-1][1] < learn.recorder.values[0][1]


def test_predictions_can_be_changed(make_learner, start, whole):
    def shift(learn):
        learn.pred = learn.pred + 3

    learn = run_one(make_learner, after_pred=shift)
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y - 3))


def test_the_loss_can_be_changed_without_changing_what_is_reported(make_learner, start, whole):
    def double(learn):
        learn.loss_grad = learn.loss_grad * 2

    learn = run_one(make_learner, after_loss=double)
    x, y = whole
    reported = nn.functional.mse_loss(start(x), y)
    torch.testing.assert_close(learn.recorder.losses[0], reported.item())
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y, lr=0.2))


def test_the_learning_rate_can_be_changed(make_learner, start, whole):
    learn = run_one(make_learner, before_batch=lambda learn: learn.opt.set_hyper("lr", 0.3))
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y, lr=0.3))


def test_gradients_can_be_changed(make_learner, start, whole):
    def clip(model):
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)

    learn = run_one(make_learner, before_step=lambda learn: clip(learn.model))
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y, change=clip))


def test_the_optimizer_can_be_changed(make_learner, start, whole):
    def other(learn):
        learn.opt = SGD(learn.model.parameters(), lr=0.5)

    learn = run_one(make_learner, before_batch=other)
    x, y = whole
    torch.testing.assert_close(weights(learn.model), one_step(start, x, y, lr=0.5))


def test_the_model_can_be_changed(make_learner):
    other = nn.Linear(3, 1)
    before = weights(other).clone()

    def swap(learn):
        learn.model = other
        learn.create_opt()

    learn = run_one(make_learner, before_fit=swap)
    assert learn.model is other
    assert not torch.equal(weights(other), before)


def test_the_loader_can_be_changed_before_training(make_learner):
    class Shorter(Callback):
        def before_train(self):
            self.learn.dl = list(self.learn.dl)[:1]

    counted = []
    count = Callback(after_step=lambda: counted.append(1))
    make_learner(cbs=[Shorter(), count]).fit(2)
    assert len(counted) == 2


@pytest.mark.parametrize(("event", "loader"), [("before_train", 0), ("before_validate", 1)])
def test_loader_and_length_are_there_from_the_first_event_of_a_part(make_learner, event, loader):
    seen = []
    learn = make_learner()
    learn.add_cb(Callback(**{event: lambda: seen.append((learn.dl, learn.n_iter))}))
    learn.fit(1)
    assert seen == [(learn.dls[loader], len(learn.dls[loader]))]


# -- cancelling ----------------------------------------------------------------------------

TRAIN_BATCH = [
    "before_batch", "after_pred", "after_loss", "before_backward", "after_backward",
    "before_step", "after_step", "after_batch",
]  # fmt: skip
VALID = [
    "before_validate", "before_batch", "after_pred", "after_loss", "after_batch", "after_validate",
]  # fmt: skip


def heard_with(make_learner, ear, event, exception, epochs=1):
    learn = make_learner(n=8, n_valid=8, cbs=ear)

    class Cancel(Callback):
        order = 100
        run_valid = False

    def raise_it(self):
        raise exception

    setattr(Cancel, event, raise_it)
    learn.add_cb(Cancel())
    ear.heard.clear()
    learn.fit(epochs)
    return learn, ear.heard


FULL = [
    "before_fit", "before_epoch", "before_train", *TRAIN_BATCH, "after_train", *VALID,
    "after_epoch", "after_fit",
]  # fmt: skip


def cut(after, before, put):
    """The full run, with what lies between two events replaced by one."""
    start = FULL.index(after) + 1
    end = FULL.index(before, start)
    return [*FULL[:start], put, *FULL[end:]]


@pytest.mark.parametrize(
    ("event", "exception", "expected"),
    [
        (
            "before_backward",
            CancelBackwardException,
            cut("before_backward", "after_backward", "after_cancel_backward"),
        ),
        ("before_step", CancelStepException, cut("before_step", "after_step", "after_cancel_step")),
        (
            "after_pred",
            CancelBatchException,
            cut("after_pred", "after_batch", "after_cancel_batch"),
        ),
        (
            "after_loss",
            CancelTrainException,
            cut("after_loss", "after_train", "after_cancel_train"),
        ),
        (
            "before_batch",
            CancelEpochException,
            cut("before_batch", "after_epoch", "after_cancel_epoch"),
        ),
        ("after_step", CancelFitException, cut("after_step", "after_fit", "after_cancel_fit")),
        ("before_fit", CancelFitException, cut("before_fit", "after_fit", "after_cancel_fit")),
        (
            "before_validate",
            CancelValidException,
            cut("before_validate", "after_validate", "after_cancel_validate"),
        ),
    ],
)  # fmt: skip
def test_each_exception_ends_its_phase_and_is_heard(make_learner, ear, event, exception, expected):
    _, heard = heard_with(make_learner, ear, event, exception)
    assert heard == expected


def test_without_cancelling_the_full_run_is_heard(make_learner, ear):
    learn = make_learner(n=8, n_valid=8, cbs=ear)
    ear.heard.clear()
    learn.fit(1)
    assert ear.heard == FULL


def test_a_cancelled_step_leaves_the_weights_and_no_gradients(make_learner, ear):
    before = weights(make_learner(n=8, n_valid=8).model)
    learn, _ = heard_with(make_learner, ear, "before_step", CancelStepException)
    assert torch.equal(weights(learn.model), before)
    assert all(p.grad is None for p in learn.model.parameters())


def test_a_cancelled_backward_pass_leaves_the_weights(make_learner, ear):
    before = weights(make_learner(n=8, n_valid=8).model)
    learn, _ = heard_with(make_learner, ear, "before_backward", CancelBackwardException)
    assert torch.equal(weights(learn.model), before)


def test_a_cancelled_batch_keeps_gradients_for_the_next(make_learner):
    """Two batches whose gradients add up, as accumulation needs it."""
    learn = make_learner(n=16, bs=8)

    class EverySecond(Callback):
        run_valid = False

        def before_step(self):
            if self.learn.iter == 0:
                raise CancelBatchException

    batches = []
    learn.add_cbs([EverySecond(), Callback(before_batch=lambda: batches.append(learn.batch))])
    twin = make_learner(n=16, bs=8).model
    learn.fit(1)
    for x, y in batches[:2]:
        nn.functional.mse_loss(twin(x), y).backward()
    with torch.no_grad():
        for p in twin.parameters():
            p -= 0.1 * p.grad
    torch.testing.assert_close(weights(learn.model), weights(twin))


def test_an_exception_outside_of_its_phase_is_explained(make_learner):
    class TooEarly(Callback):
        def after_loss(self):
            raise CancelStepException

    with pytest.raises(CancelStepException) as caught:
        make_learner(cbs=TooEarly()).fit(1)
    assert caught.value.__notes__[0].startswith("raised outside of the part of training")


def test_gradients_do_not_leak_into_the_next_fit(make_learner):
    class StopBeforeStep(Callback):
        def before_step(self):
            raise CancelFitException

    learn = make_learner(cbs=StopBeforeStep())
    learn.fit(1)
    assert all(p.grad is None for p in learn.model.parameters())


# -- what stays after a fit ----------------------------------------------------------------


@pytest.mark.parametrize(
    "event", ["before_batch", "after_pred", "after_loss", "before_step", "after_batch"]
)
def test_after_an_error_nothing_of_the_batch_stays(make_learner, event):
    learn = make_learner(net())
    alive: list[weakref.ref] = []

    class Watch(Callback):
        order = -20

        def _watch(self):
            for name in ("xb", "yb", "pred", "loss_grad"):
                value = vars(self.learn).get(name)
                members = value if isinstance(value, tuple) else (value,)
                alive.extend(weakref.ref(m) for m in members if m is not None)

        before_batch = after_pred = after_loss = before_step = after_batch = _watch

    class Broken(Callback):
        pass

    def fail(self):
        raise RuntimeError("out of memory")

    setattr(Broken, event, fail)
    learn.add_cbs([Watch(), Broken()])
    with suppress(RuntimeError):
        learn.fit(1)
    gc.collect()
    assert alive
    assert [ref() for ref in alive if ref() is not None] == []
    assert all(p.grad is None for p in learn.model.parameters())


def test_an_error_leaves_only_model_and_optimizer_in_memory(make_learner):
    def large():
        """Tensors with more than one number: parameters, states and buffers have 8 or more."""
        gc.collect()
        found = [o for o in gc.get_objects() if type(o) in (torch.Tensor, nn.Parameter)]
        return {id(t) for t in found if t.numel() > 1}

    learn = make_learner(net(), opt_func=Adam)
    learn.fit(1)  # now the optimizer has its state
    before = large()

    def fail():
        raise RuntimeError("out of memory")

    with learn.added_cbs(Callback(after_loss=fail)), suppress(RuntimeError):
        learn.fit(1)
    assert large() - before == set()


def test_running_out_of_memory_frees_it_even_while_the_error_is_kept(make_learner):
    """As interactive sessions keep it, with all the frames it went through."""
    alive: list[weakref.ref] = []

    class Model(nn.Linear):
        def forward(self, x):
            hidden = super().forward(x)
            alive.extend([weakref.ref(x), weakref.ref(hidden)])
            raise torch.OutOfMemoryError("CUDA out of memory")

    learn = make_learner(Model(3, 1))
    with pytest.raises(torch.OutOfMemoryError) as kept:
        learn.fit(1)
    gc.collect()
    assert [ref() for ref in alive] == [None, None]
    assert kept.traceback[-1].name == "forward"  # where it happened is still told


def test_the_batch_is_gone_after_a_fit(make_learner):
    learn = make_learner()
    learn.fit(1)
    for name in ("batch", "xb", "yb", "pred", "loss_grad"):
        assert name not in vars(learn)
    with pytest.raises(AttributeError):
        _ = learn.x


def test_a_learner_can_train_again_after_an_error(make_learner):
    learn = make_learner()

    def fail():
        raise RuntimeError("once")

    with learn.added_cbs(Callback(after_backward=fail)), pytest.raises(RuntimeError):
        learn.fit(1)
    twin = make_learner()
    torch.manual_seed(4)
    learn.fit(2)
    torch.manual_seed(4)
    twin.fit(2)
    assert torch.equal(weights(learn.model), weights(twin.model))


# -- batches of many forms -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_inp", "batch", "inputs", "targets"),
    [
        (None, (1, 2), (1,), (2,)),
        (None, [1, 2, 3], (1, 2), (3,)),
        (1, (1, 2, 3), (1,), (2, 3)),
        (2, (1, 2), (1, 2), ()),
        (None, (1,), (1,), ()),
        (None, {"a": 1}, ({"a": 1},), ()),
    ],
)
def test_batches_are_split_into_inputs_and_targets(n_inp, batch, inputs, targets):
    state = SimpleNamespace(device=None, dls=SimpleNamespace(train=SimpleNamespace(n_inp=n_inp)))
    assert engine.split_batch(state, batch) == (inputs, targets)


def test_a_lone_tensor_is_an_input():
    state = SimpleNamespace(device=None, dls=SimpleNamespace())
    x = torch.zeros(4, 3)
    (found,), targets = engine.split_batch(state, x)
    assert torch.equal(found, x)
    assert targets == ()


def test_several_inputs_and_targets_reach_model_and_loss():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, a, b):
            return a * self.scale[0], b * self.scale[1]

    def loss_func(pred, first, second):
        return (pred[0] - first).square().mean() + (pred[1] - second).square().mean()

    rows = [(torch.ones(1), torch.ones(1), torch.ones(1) * 2, torch.ones(1) * 3)] * 4
    dls = DataLoaders(DataLoader(rows, 2), DataLoader(rows, 2))
    for loader in dls:
        loader.n_inp = 2
    model = Model()
    learn = Learner(dls, model, loss_func, opt_func=SGD, lr=0.1)
    learn.logger = lambda row: None
    learn.fit(30)
    torch.testing.assert_close(model.scale.detach(), torch.tensor([2.0, 3.0]), atol=1e-3, rtol=0)


def test_a_batch_that_is_a_dict_trains_with_targets_from_a_callback(make_learner):
    class Labels(Callback):
        def before_batch(self):
            (batch,) = self.learn.xb
            self.learn.xb, self.learn.yb = (batch["x"],), (batch["y"],)

    rows = [{"x": torch.tensor([v]), "y": torch.tensor([3 * v])} for v in (0.5, 1.0, 1.5, 2.0)]
    dls = DataLoaders(DataLoader(rows, 2), DataLoader(rows, 2))
    learn = make_learner(nn.Linear(1, 1), dls=dls, cbs=Labels())
    learn.fit(60)
    assert learn.validate()[0] < 0.01


def test_a_loader_without_a_length_trains_to_its_end(make_learner, samples):
    class Stream(torch_data.IterableDataset):
        def __iter__(self):
            return iter(samples(32))

    dls = DataLoaders(DataLoader(Stream(), 8), DataLoader(Stream(), 8))
    learn = make_learner(dls=dls)
    learn.fit(2)
    assert len(learn.recorder.lrs) == 8
    assert learn.n_iter == 0
    assert learn.recorder.iters == [4, 8]


def test_any_iterable_of_batches_is_a_loader(make_learner, samples):
    batch = tuple(torch.stack(m) for m in zip(*samples(8), strict=True))
    learn = make_learner(dls=SimpleNamespace(train=[batch] * 3, valid=[batch]))
    learn.fit(1)
    assert len(learn.recorder.lrs) == 3
    assert learn.recorder.values[0][1] is not None


def test_without_a_validation_loader_only_training_happens(make_learner, samples, ear):
    learn = make_learner(dls=DataLoaders(DataLoader(samples(16), 8)), cbs=ear)
    ear.heard.clear()
    learn.fit(1)
    assert "before_validate" not in ear.heard
    assert learn.recorder.values[0][1] is None


def test_training_data_without_a_batch_are_no_training(make_learner, samples):
    few = DataLoaders(DataLoader(samples(7), 8, drop_last=True), DataLoader(samples(8), 8))
    with pytest.raises(DataError, match="the training loader gave no batch in epoch 0"):
        make_learner(dls=few).fit(1)
    batch = tuple(torch.stack(part) for part in zip(*samples(4), strict=True))
    once = SimpleNamespace(train=iter([batch]), valid=[batch])  # a stream that is read once
    learn = make_learner(dls=once)
    with pytest.raises(DataError, match="no batch in epoch 1"):
        learn.fit(2)


def test_an_empty_validation_set_gives_an_empty_column(make_learner, samples):
    dls = DataLoaders(DataLoader(samples(16), 8), DataLoader([], 8))
    learn = make_learner(dls=dls, metrics=mae)
    learn.fit(1)
    assert learn.recorder.values[0][1:] == [None, None]


def test_no_gradients_are_kept_in_validation(make_learner):
    seen = []
    learn = make_learner()
    learn.add_cb(Callback(after_pred=lambda: seen.append(learn.pred.requires_grad)))
    learn.fit(1)
    assert seen == [True] * 4 + [False] * 2


def test_types_of_the_data_stay_out_of_the_model(make_learner, samples):
    from layerwise.core.tensors import TensorImage

    seen = []

    class Model(nn.Linear):
        def forward(self, x):
            seen.append(type(x))
            return super().forward(x)

    learn = make_learner(Model(3, 1))
    learn.add_cb(Callback(before_batch=lambda: seen.append(type(learn.batch[0]))))
    rows = [(TensorImage(x), y) for x, y in samples(4)]
    learn.dls = DataLoaders(DataLoader(rows, 4), DataLoader(rows, 4))
    learn.fit(1)
    assert seen == [TensorImage, torch.Tensor] * 2


def test_samplers_of_stock_loaders_hear_the_epoch(make_learner, samples):
    class Sampler(torch_data.SequentialSampler):
        epochs: list[int] = []

        def set_epoch(self, epoch):
            self.epochs.append(epoch)

    data = samples(8)
    train = torch_data.DataLoader(data, 4, sampler=Sampler(data))
    make_learner(dls=DataLoaders(train, DataLoader(data, 4))).fit(3)
    assert Sampler.epochs == [0, 1, 2]


def test_the_default_callbacks_are_not_needed_to_train(make_learner):
    learn = make_learner(default_cbs=False)
    before = weights(learn.model).clone()
    learn.fit(1)
    assert not torch.equal(weights(learn.model), before)


@pytest.mark.parametrize("start", [0, 1, 3])
def test_epochs_are_counted_from_the_start_epoch(make_learner, start):
    seen = []
    learn = make_learner()
    learn.add_cb(Callback(before_epoch=lambda: seen.append((learn.epoch, learn.n_epoch))))
    learn.fit(3, start_epoch=start)
    assert seen == [(e, 3) for e in range(start, 3)]


def test_the_number_of_batches_to_come_is_known(make_learner):
    seen = []
    learn = make_learner()
    learn.add_cb(Callback(before_fit=lambda: seen.append(learn.n_train_iter)))
    learn.fit(3)
    assert seen == [12]


def test_after_fit_is_called_when_an_error_ends_the_fit(make_learner):
    heard = []

    def fail():
        raise RuntimeError("once")

    learn = make_learner()
    tidy = Callback(after_fit=lambda: heard.append("tidied"))
    with (
        learn.added_cbs([tidy, Callback(after_pred=fail)]),
        pytest.raises(RuntimeError, match="once"),
    ):
        learn.fit(1)
    assert heard == ["tidied"]


def test_an_error_in_after_fit_is_raised_once_and_hides_no_other(make_learner):
    calls = []

    def fail_late():
        calls.append(1)
        raise ValueError("late")

    def fail():
        raise RuntimeError("early")

    learn = make_learner()
    with learn.added_cbs(Callback(after_fit=fail_late)), pytest.raises(ValueError, match="late"):
        learn.fit(1)
    assert len(calls) == 1
    both = [Callback(after_fit=fail_late), Callback(after_pred=fail)]
    with learn.added_cbs(both), pytest.raises(RuntimeError, match="early") as caught:
        learn.fit(1)
    assert any("after_fit failed as well: ValueError: late" in n for n in caught.value.__notes__)


def test_training_without_targets_says_what_to_do(make_learner, samples):
    learn = make_learner()
    learn.dls.loaders[0] = DataLoader([x for x, _ in samples(16)], bs=8)
    with pytest.raises(ValueError, match="no targets"):
        learn.fit(1)


def test_a_batch_that_fails_in_the_model_says_what_went_in(make_learner):
    learn = make_learner(model=nn.Linear(99, 1))
    with pytest.raises(RuntimeError) as caught:
        learn.fit(1)
    [note] = caught.value.__notes__
    assert note.startswith("in training batch 0, when the model was called: inputs (Tensor (")


def test_the_layer_in_which_a_batch_failed_is_named(make_learner):
    within = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(99, 1)))
    learn = make_learner(model=within)
    with pytest.raises(RuntimeError) as caught:
        learn.fit(1)
    [note] = caught.value.__notes__
    assert "(in its layer 1.0, Linear(in_features=99, out_features=1, bias=True))" in note


def test_a_target_beyond_the_outputs_says_how_many_are_needed():
    data = [(torch.rand(3), torch.tensor(i % 3)) for i in range(12)]
    dls = DataLoaders(DataLoader(data, bs=6), DataLoader(data, bs=6))
    learn = Learner(dls, nn.Linear(3, 2), nn.CrossEntropyLoss())
    with pytest.raises(IndexError) as caught, learn.no_logging():
        learn.fit(1)
    [note] = caught.value.__notes__
    assert "when the loss was computed" in note
    assert "largest target is class 2, but the model has 2 output(s)" in note


def test_what_a_loss_of_ours_has_said_of_its_targets_is_not_said_again():
    data = [(torch.rand(3), torch.tensor(i % 3)) for i in range(12)]
    dls = DataLoaders(DataLoader(data, bs=6), DataLoader(data, bs=6))
    learn = Learner(dls, nn.Linear(3, 2), CrossEntropyLossFlat())
    with pytest.raises(ValueError, match="from 0 to 2 for 2 outputs") as caught, learn.no_logging():
        learn.fit(1)
    [note] = caught.value.__notes__
    assert note.endswith("the model gave Tensor (6, 2) float32")
