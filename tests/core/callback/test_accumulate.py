import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.mixup import MixUp
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.rnn import RNNRegularizer
from layerwise.core.callback.training import ShortEpochCallback
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from layerwise.core.optim.algorithms import SGD
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import (
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
)

CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0])


def samples(kind, count, seed):
    """Items for one kind of loss: a vector, and a number, a class, labels or a class a token."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, 4, generator=draw)
    classes = torch.randint(0, 3, (count, 5), generator=draw)
    if kind == "numbers":
        y = torch.randn(count, 5, 3, generator=draw)
    elif kind == "labels":
        y = torch.randint(0, 2, (count, 5, 3), generator=draw).float()
    elif kind == "classes":
        x, y = x[:, 0], classes[:, 0]
    else:  # tokens, of which some items have none that counts
        hidden = torch.rand(count, 5, generator=draw) < torch.rand(count, 1, generator=draw) * 1.3
        y = classes.masked_fill(hidden, -100)
        y[0, 0] = 1  # so that there is one
    return list(zip(x, y, strict=True))


LOSSES = {
    "numbers": ("numbers", MSELossFlat()),
    "sum": ("numbers", MSELossFlat(reduction="sum")),
    "labels": ("labels", BCEWithLogitsLossFlat()),
    "classes": ("classes", CrossEntropyLossFlat()),
    "classes by weight": ("classes", nn.CrossEntropyLoss(weight=CLASS_WEIGHT)),
    "tokens": ("tokens", CrossEntropyLossFlat()),
    "tokens by weight": ("tokens", CrossEntropyLossFlat(CLASS_WEIGHT)),
    "tokens smoothed": ("tokens", CrossEntropyLossFlat(CLASS_WEIGHT, label_smoothing=0.1)),
}


class Steps(Callback):
    """Keeps the gradient of every step, and the loss shown for every batch."""

    order = 100
    run_valid = False

    def __init__(self):
        super().__init__()
        self.grads, self.shown, self.flags = [], [], []

    def before_step(self):
        self.grads.append([p.grad.clone() for p in self.learn.model.parameters()])

    def after_batch(self):
        self.shown.append(float(self.learn.loss))
        self.flags.append(self.learn.accumulating)


class Endless:
    """A loader that does not say how many batches it has."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def learner(loader, loss, *cbs, lr=0.0, model=None, valid=None):
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    dls = DataLoaders(loader, valid or [])
    learn = Learner(dls, model, loss, SGD, lr=lr, cbs=cbs, default_cbs=True)
    learn.logger = lambda row: None
    return learn


def fitted(loader, loss, *cbs, epochs=1, **settings):
    steps = Steps()
    learn = learner(loader, loss, *cbs, steps, **settings)
    with learn.no_bar():
        learn.fit(epochs)
    return learn, steps


def whole_gradient(loss, items):
    """What autograd says of one batch with all items."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    x, y = (torch.stack(part) for part in zip(*items, strict=True))
    loss(model(x), y).backward()
    return [p.grad for p in model.parameters()]


def groups_of(count, bs, n_acc):
    """Start and stop of each group: whole batches until there are enough items."""
    found, start = [], 0
    for at in range(0, count, bs):
        stop = min(at + bs, count)
        if stop - start >= n_acc or stop == count:
            found.append((start, stop))
            start = stop
    return found


@pytest.mark.filterwarnings("ignore:GradientAccumulation.* gathers nothing")
@pytest.mark.parametrize("is_known", [True, False], ids=["known length", "unknown length"])
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 40), bs=st.integers(1, 9), n_acc=st.integers(1, 50), seed=st.integers(0, 9)
)
def test_a_group_has_the_gradient_of_the_large_batch(name, is_known, count, bs, n_acc, seed):
    kind, loss = LOSSES[name]
    items = samples(kind, count, seed)
    known = DataLoader(items, bs)
    loader = known if is_known else Endless(list(known))
    _, steps = fitted(loader, loss, GradientAccumulation(n_acc))
    groups = groups_of(count, bs, n_acc)
    assert len(steps.grads) == len(groups)
    for found, (start, stop) in zip(steps.grads, groups, strict=True):
        wanted = whole_gradient(loss, items[start:stop])
        for one, other in zip(found, wanted, strict=True):
            other = other.nan_to_num(0)
            size = float(other.abs().max())  # of a sum over the batch, for one
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6 * max(1.0, size))


def test_the_loss_shown_is_the_mean_over_each_batch():
    items = samples("numbers", 20, 0)
    _, steps = fitted(DataLoader(items, 6), MSELossFlat(), GradientAccumulation(12))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    batches = [items[i : i + 6] for i in range(0, 20, 6)]
    wanted = [
        MSELossFlat()(model(torch.stack([x for x, _ in b])), torch.stack([y for _, y in b])).item()
        for b in batches
    ]
    assert steps.shown == pytest.approx(wanted, rel=1e-6)


def test_processes_need_not_exchange_gradients_before_the_end_of_a_group():
    items = samples("numbers", 20, 0)
    learn, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(8))
    assert steps.flags == [True, False, True, False, False]
    assert learn.accumulating is False


def test_a_step_counts_once_for_clipping_and_for_a_scaler():
    items = samples("numbers", 24, 0)
    clip, mixed = GradientClip(1e-3), MixedPrecision("fp16", init_scale=8.0)
    _, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(12), clip)
    norms = [torch.cat([g.flatten() for g in grads]).norm().item() for grads in steps.grads]
    assert norms == pytest.approx([1e-3, 1e-3], rel=1e-3)
    whole = torch.cat([g.flatten() for g in whole_gradient(MSELossFlat(), items[12:])])
    torch.testing.assert_close(clip.norm, whole.norm())
    _, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(12), mixed)
    assert mixed.scaler.state_dict()["_growth_tracker"] == len(steps.grads) == 2
    for one, other in zip(steps.grads[1], whole_gradient(MSELossFlat(), items[12:]), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-3)  # float16 in between


def test_two_fits_are_like_one_and_nothing_leaks():
    items = samples("numbers", 20, 0)
    loader = DataLoader(items, 4)
    first, steps = fitted(loader, MSELossFlat(), GradientAccumulation(12), lr=0.1)
    assert [p.grad for p in first.model.parameters()] == [None] * 4
    with first.no_bar():
        first.fit(1)
    assert len(steps.grads) == 4
    _, once = fitted(loader, MSELossFlat(), GradientAccumulation(12), lr=0.1, epochs=2)
    for one, other in zip(steps.grads, once.grads, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


class CancelAt(Callback):
    order = 90
    run_valid = False

    def __init__(self, error, event, at):
        super().__init__(**{event: self.maybe})
        self.error, self.at = error, at

    def maybe(self):
        if self.learn.iter == self.at and self.learn.epoch == 0:
            raise self.error


@pytest.mark.parametrize("error", [CancelEpochException, CancelFitException, RuntimeError("stop")])
def test_a_group_that_was_cut_off_is_dropped(error):
    items = samples("numbers", 16, 0)
    learn, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(8))
    learn.add_cb(CancelAt(error, "after_batch", 2))
    with learn.no_bar():
        if isinstance(error, RuntimeError):
            with pytest.raises(RuntimeError, match="stop"):
                learn.fit(1)
        else:
            learn.fit(1)
        assert len(steps.grads) == 3
        assert learn.gradient_accumulation.items == 0
        learn.remove_cb(CancelAt)
        learn.fit(1)
    wanted = whole_gradient(MSELossFlat(), items[:8])
    torch.testing.assert_close(steps.grads[3], wanted)


def test_an_epoch_that_is_cut_short_steps_with_what_it_has():
    items = samples("numbers", 16, 0)
    loader = DataLoader(items, 2)
    _, steps = fitted(loader, MSELossFlat(), GradientAccumulation(12), ShortEpochCallback(0.4))
    assert len(steps.grads) == 1
    torch.testing.assert_close(steps.grads[0], whole_gradient(MSELossFlat(), items[:8]))


def test_a_backward_pass_that_is_cancelled_does_not_count():
    items = samples("numbers", 12, 0)
    cancel = CancelAt(CancelBackwardException, "before_backward", 1)
    _, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(12), cancel)
    wanted = whole_gradient(MSELossFlat(), items[:4] + items[8:])
    torch.testing.assert_close(steps.grads[-1], wanted)


def test_a_step_that_is_cancelled_with_its_batch_drops_the_group():
    items = samples("numbers", 16, 0)
    cancel = CancelAt(CancelBatchException, "before_step", 1)
    _, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(8), cancel)
    torch.testing.assert_close(steps.grads[-1], whole_gradient(MSELossFlat(), items[8:]))


def test_a_weight_may_be_given():
    items = samples("numbers", 12, 0)
    own = GradientAccumulation(12, weight=lambda pred, y: 1.0)
    _, steps = fitted(DataLoader(items, 8), MSELossFlat(), own)
    parts = [whole_gradient(MSELossFlat(), part) for part in (items[:8], items[8:])]
    torch.testing.assert_close(steps.grads[0], [(a + b) / 2 for a, b in zip(*parts, strict=True)])


@pytest.mark.parametrize("weight", [0, 0.0, torch.tensor(0)], ids=["int", "float", "tensor"])
def test_a_batch_without_targets_adds_nothing(weight):
    def count(pred, y):
        return weight if y[0, 0, 0] == 7 else len(y)

    items = samples("numbers", 8, 0)
    nothing = [(x, torch.full_like(y, 7.0)) for x, y in items[:4]]
    own = GradientAccumulation(12, weight=count)
    _, steps = fitted(DataLoader(nothing + items, 4), MSELossFlat(), own)
    torch.testing.assert_close(steps.grads[0], whole_gradient(MSELossFlat(), items))
    assert steps.shown[0] == 0


@pytest.mark.parametrize("mixed", [(), ("fp16",), ("bf16",)], ids=["fp32", "fp16", "bf16"])
def test_a_batch_of_ignored_tokens_is_no_error_and_spoils_no_average(mixed):
    items = samples("tokens", 8, 0)
    ignored = [(x, torch.full_like(y, -100)) for x, y in items[:4]]
    cbs = [GradientAccumulation(8), *(MixedPrecision(mode, init_scale=8.0) for mode in mixed)]
    learn, steps = fitted(DataLoader(ignored + items, 4), CrossEntropyLossFlat(), *cbs)
    assert steps.shown[0] == 0
    assert all(loss > 0 for loss in steps.shown[1:])
    assert torch.tensor(learn.recorder.losses).isfinite().all()


def test_it_goes_on_from_the_middle_of_a_group():
    first = GradientAccumulation(12)
    first.items, first.total = 8, torch.tensor(17)
    second = GradientAccumulation(12)
    second.load_state_dict(first.state_dict())
    assert (second.items, int(second.total)) == (8, 17)


def test_mixed_targets_by_weight_have_the_weight_of_the_mixture():
    torch.manual_seed(0)
    mix, found = MixUp(), []

    class Look(Callback):
        order = 95

        def before_backward(self):
            loss = self.learn.loss_func
            found.append((loss.share.clone(), loss.other.clone(), self.learn.yb[0]))

    accumulate = GradientAccumulation(100)
    learner_ = learner(
        DataLoader(samples("classes", 8, 0), 8), nn.CrossEntropyLoss(CLASS_WEIGHT), accumulate, mix,
        Look(), Total(accumulate),
    )  # fmt: skip
    with learner_.no_bar():
        learner_.fit(1)
    share, other, y = found[0]
    wanted = (share * CLASS_WEIGHT[y] + (1 - share) * CLASS_WEIGHT[y[other]]).sum()
    torch.testing.assert_close(learner_.total.seen, wanted)


class Total(Callback):
    """The weight of a group when it steps."""

    order = 99

    def __init__(self, source):
        super().__init__()
        self.source, self.seen = source, None

    def before_step(self):
        self.seen = self.source.total


@pytest.mark.parametrize("n_acc", [0, -3])
def test_fewer_than_one_item_is_refused(n_acc):
    with pytest.raises(ValueError, match="1 or more"):
        GradientAccumulation(n_acc)


@pytest.mark.parametrize(("n_acc", "told"), [(1, 0), (8, 1), (9, 0)], ids=str)
def test_a_batch_that_is_a_group_by_itself_is_told(make_learner, n_acc, told):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        make_learner(cbs=GradientAccumulation(n_acc), bs=8).fit(2)
    texts = [str(w.message) for w in heard]
    assert len(texts) == told
    assert all("n_acc counts items, and a batch has 8" in text for text in texts)


def test_the_penalty_of_a_callback_is_shared_out_too():
    class Penalty(RNNRegularizer):
        def before_fit(self):
            pass

        def after_loss(self):
            self.learn.loss_grad = self.learn.loss_grad + self.learn.pred.square().mean()

    items = samples("numbers", 12, 0)
    _, steps = fitted(DataLoader(items, 4), MSELossFlat(), GradientAccumulation(12), Penalty())

    def both(pred, y):
        return MSELossFlat()(pred, y) + pred.square().mean()

    torch.testing.assert_close(steps.grads[0], whole_gradient(both, items))
