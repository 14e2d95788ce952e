"""`NaNGuard`: a bad number is named and no weight changes, or the step is left out (recipe R6)."""

import copy
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.finite import NotFiniteError
from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.optim.algorithms import Adam
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogEntry

KINDS = ("input", "target", "loss", "gradient")
BAD = {"nan": math.nan, "inf": math.inf}


class Breaks(Callback):
    """Puts a bad number into training batch `at` of epoch 1."""

    def __init__(self, what, value, at=2, until=None):
        super().__init__()
        self.what, self.value = what, value
        self.batches = range(at, (at if until is None else until) + 1)
        self.seen = None

    @property
    def now(self):
        learn = self.learn
        return learn.training and learn.epoch == 1 and learn.iter in self.batches

    def _broken(self, members):
        first = members[0].clone()
        first[3] = self.value
        return (first, *members[1:])

    def before_batch(self):
        if self.now and self.seen is None:
            self.seen = copy.deepcopy(self.learn.model.state_dict())
        if self.now and self.what == "input":
            self.learn.xb = self._broken(self.learn.xb)
        if self.now and self.what == "target":
            self.learn.yb = self._broken(self.learn.yb)

    def after_loss(self):
        if self.now and self.what == "loss":
            self.learn.loss = self.learn.loss * self.value
            self.learn.loss_grad = self.learn.loss_grad * self.value

    def after_backward(self):
        if self.now and self.what == "gradient":
            self.learn.model[0].bias.grad[1] = self.value


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def same(state, other):
    return all(torch.equal(state[name], other[name]) for name in other)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("what", KINDS)
def test_r6_a_bad_number_stops_training_before_the_step(make_learner, what, value):
    breaks = Breaks(what, BAD[value])
    learn = make_learner(network(), cbs=breaks, opt_func=Adam)
    with pytest.raises(NotFiniteError, match="epoch 1, batch 2, step 6") as raised:
        learn.fit(2)
    assert f"the {what} is the first that is not finite" in str(raised.value)
    assert same(learn.model.state_dict(), breaks.seen)  # weights and running statistics


@pytest.mark.parametrize("what", KINDS)
def test_r6_skipping_leaves_the_batch_out_and_goes_on(make_learner, what):
    breaks = Breaks(what, math.nan)
    learn = make_learner(network(), cbs=[breaks, NaNGuard("skip")])
    with pytest.warns(UserWarning, match="a step was skipped: epoch 1, batch 2"):
        learn.fit(2)
    assert learn.nan_guard.skipped == 1
    assert all(v.isfinite().all() for v in learn.model.state_dict().values())
    recorder = learn.recorder  # the smoothed loss would be NaN for good
    assert len(recorder.losses) == len(recorder.lrs) == 7
    assert all(math.isfinite(loss) for loss in [*recorder.losses, recorder.values[1][0]])
    # By hand: the same batches without that one.
    torch.manual_seed(0)
    twin = make_learner(network())
    twin.add_cb(Leaves(1, 2))
    twin.fit(2)
    assert same(learn.model.state_dict(), twin.model.state_dict())


class Leaves(Callback):
    """Takes no step, and leaves the statistics, at one batch."""

    def __init__(self, epoch, number):
        super().__init__()
        self.at = epoch, number

    def before_batch(self):
        if self.learn.training and (self.learn.epoch, self.learn.iter) == self.at:
            from layerwise.core.train.events import CancelBatchException

            raise CancelBatchException


def test_r6_at_most_so_many_steps_in_a_row_are_skipped(make_learner):
    learn = make_learner(cbs=[Breaks("loss", math.nan, 0, 3), NaNGuard("skip", max_skipped=3)])
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(NotFiniteError, match="4 steps in a row to skip, more than max_skipped=3"),
    ):
        learn.fit(2)


def test_single_bad_batches_never_add_up_to_too_many(make_learner):
    guard = NaNGuard("skip", max_skipped=1)

    class Every(Breaks):
        now = property(lambda self: self.learn.training and self.learn.iter % 2 == 0)

    learn = make_learner(cbs=[Every("loss", math.nan), guard])
    with pytest.warns(UserWarning, match="skipped"):
        learn.fit(3)
    assert guard.skipped == 6


def test_the_message_names_the_place_and_what_to_do(make_learner):
    learn = make_learner(network(), cbs=Breaks("gradient", math.inf))
    with pytest.raises(NotFiniteError) as raised:
        learn.fit(2)
    assert "0.bias (4) has 1 Inf, first in row 1" in str(raised.value)
    assert "smaller rate or clip gradients" in str(raised.value)
    assert 'NaNGuard("skip")' in str(raised.value)
    learn = make_learner(network(), cbs=Breaks("input", math.nan))
    with pytest.raises(NotFiniteError, match=r"\(8 x 3\) has 3 NaN, first in row 3"):
        learn.fit(2)


def test_weights_that_are_broken_already_are_named(make_learner):
    learn = make_learner(network())
    with torch.no_grad():
        learn.model[3].weight[0, 0] = math.nan
    with pytest.raises(NotFiniteError, match=r"the weight is the first .* 3\.weight"):
        learn.fit(1)


def test_a_prediction_that_overflows_is_named(make_learner):
    class Overflows(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 1)

        def forward(self, x):
            return self.inner(x) * 1e38 * 1e38

    with pytest.raises(NotFiniteError, match="the prediction is the first"):
        make_learner(Overflows()).fit(1)


class BreaksLate(Callback):
    """Gives a loss that is no number from step 40 on."""

    def after_loss(self):
        if self.learn.train_iter >= 40:
            self.learn.loss = self.learn.loss * math.nan
            self.learn.loss_grad = self.learn.loss_grad * math.nan


def test_r6_lr_find_stops_cleanly_and_changes_nothing(make_learner):
    learn = make_learner(network(), n=64, cbs=BreaksLate())
    before = copy.deepcopy(learn.model.state_dict())
    found = learn.lr_find(start_lr=1e-6, end_lr=1e-1, num_it=60, show_plot=False)
    assert 1e-6 < found.valley < 1e-1
    assert same(learn.model.state_dict(), before)


def test_one_bad_part_of_an_accumulated_batch_is_named_and_the_group_left_out(make_learner):
    settings = {"cbs": [Breaks("gradient", math.nan, at=1), GradientAccumulation(16)]}
    with pytest.raises(NotFiniteError, match="epoch 1, batch 1"):
        make_learner(network(), **settings).fit(2)
    learn = make_learner(network(), **settings).add_cb(NaNGuard("skip"))
    steps = Callback(after_step=lambda: counted.append(learn.epoch))
    counted: list[int] = []
    with pytest.warns(UserWarning, match="skipped"):
        learn.fit(2, cbs=steps)
    assert counted == [0, 0, 1, 1]  # of which one was cancelled
    assert all(v.isfinite().all() for v in learn.model.state_dict().values())


def test_validation_may_hold_nan(make_learner, samples):
    valid = [(x * math.nan, y) for x, y in samples(8)]
    dls = DataLoaders(DataLoader(samples(16), 8), DataLoader(valid, 8))
    learn = make_learner(dls=dls)
    learn.fit(1)
    assert math.isnan(learn.recorder.values[0][1])


def test_under_a_gradient_scaler_infinite_gradients_are_left_to_it(make_learner):
    class Scaled(Callback):
        def __init__(self):
            super().__init__()
            self.scaler = torch.amp.GradScaler("cpu")

    learn = make_learner(network(), cbs=[Breaks("gradient", math.inf, at=3), Scaled()])
    learn.fit(2)
    assert not learn.model[0].bias.isfinite().all()  # nothing here unscales
    learn = make_learner(network(), cbs=[Breaks("loss", math.inf), Scaled()])
    with pytest.raises(NotFiniteError, match="the loss is the first"):
        learn.fit(2)


def test_the_last_guard_added_counts_also_for_one_fit_alone(make_learner):
    learn = make_learner(cbs=Breaks("loss", math.nan))
    with pytest.warns(UserWarning, match="skipped"):
        learn.fit(2, cbs=NaNGuard("skip"))
    with pytest.raises(NotFiniteError):
        learn.fit(2)


def test_what_is_skipped_is_published(make_learner):
    heard: list[LogEntry] = []
    learn = make_learner(cbs=[Breaks("loss", math.nan), NaNGuard("skip")])
    learn.log_bus.subscribe(heard.append)
    with pytest.warns(UserWarning, match="skipped"):
        learn.fit(2)
    assert [e.value for e in heard if e.name == "nan_guard/skipped"] == [1]


@pytest.mark.parametrize(
    ("arguments", "told"), [({"policy": "ignore"}, "policy"), ({"max_skipped": -1}, "max_skipped")]
)
def test_wrong_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        NaNGuard(**arguments)


class Holds(nn.Module):
    """Has a large table, and a counter as large that it changes while it runs."""

    counter: torch.Tensor
    replaced: torch.Tensor

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 1)
        self.register_buffer("table", torch.ones(70_000))
        self.register_buffer("counter", torch.zeros(70_000))
        self.register_buffer("replaced", torch.zeros(1))
        self.register_buffer("nothing", None)

    def forward(self, x):
        if self.training:
            self.counter += 1
            self.replaced = self.replaced + 1
        return self.inner(x)


def test_large_and_replaced_buffers_are_put_back_too(make_learner):
    learn = make_learner(Holds(), cbs=Breaks("loss", math.nan))
    with pytest.raises(NotFiniteError):
        learn.fit(2)
    assert learn.model.counter.unique().item() == 6
    assert learn.model.replaced.item() == 6


RANKS = """
import math, sys
import torch
import torch.distributed as dist
from torch import nn
from layerwise.core.all import *
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogEntry

rank, policy, what = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method="file://" + sys.argv[4], rank=rank, world_size=2)
torch.set_num_threads(1)
torch.manual_seed(0)
data = [(torch.randn(3), torch.randn(1)) for _ in range(32)]

class Breaks(Callback):
    def after_loss(self):
        if self.learn.train_iter == 2 and rank == 1 and what == "loss":
            self.learn.loss_grad = self.learn.loss_grad * math.nan
    def after_backward(self):
        if self.learn.train_iter == 2 and rank == 1 and what == "gradient":
            self.learn.model.weight.grad[0, 0] = math.inf

learn = Learner(DataLoaders(DataLoader(data, 8), device="cpu"), nn.Linear(3, 1), nn.MSELoss(),
                cbs=[Breaks(), NaNGuard(policy)])
learn.logger = lambda row: None
import warnings
warnings.simplefilter("ignore")
told = ""
steps = []
learn.add_cb(Callback(after_step=lambda: steps.append(learn.model.weight.detach().clone())))
try:
    with learn.no_bar():
        learn.fit(1)
except NotFiniteError as error:
    told = str(error).split(": ")[1]
unchanged = len(steps) == 2 and torch.equal(steps[-1], learn.model.weight)
print("RESULT", rank, learn.nan_guard.skipped, unchanged, told)
dist.destroy_process_group()
"""


def both_ranks(tmp_path, policy, what):
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    store = tmp_path / f"store_{policy}_{what}"
    running = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), policy, what, str(store)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    outs = [process.communicate(timeout=100)[0] for process in running]
    return [
        next(line for line in out.splitlines() if line.startswith("RESULT")).split(" ", 4)
        for out in outs
    ]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_r6_two_processes_decide_the_same(tmp_path, what):
    first, second = both_ranks(tmp_path, "raise", what)
    assert first[3] == second[3] == "True"  # no weight has changed on either
    assert "another process" in first[4]
    assert f"the {what} is the first" in second[4]
    first, second = both_ranks(tmp_path, "skip", what)
    assert first[2] == second[2] == "1"
