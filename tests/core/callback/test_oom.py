"""R7: a batch that does not fit goes through the model in parts, and nothing else changes."""

import gc
import subprocess
import sys
import textwrap
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.mixup import MixUp
from layerwise.core.callback.oom import AutoMicroBatch, _Parts
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.train.callback import Callback


class Limited(nn.Module):
    """A model that has memory for so many items at a time, in its forward or backward pass."""

    def __init__(self, most, where="forward", norm=False):
        super().__init__()
        layers = [nn.Linear(3, 16), nn.BatchNorm1d(16)] if norm else [nn.Linear(3, 16)]
        self.layers = nn.Sequential(*layers, nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
        self.most, self.where, self.seen = most, where, []

    def forward(self, x):
        self.seen.append(len(x))
        too_many = len(x) > self.most
        made = self.layers(x)
        if too_many and self.where == "forward" and self.training:
            raise torch.OutOfMemoryError("CUDA out of memory, says the test")
        if too_many and self.where == "backward" and made.requires_grad:

            def fail(grad):
                raise torch.OutOfMemoryError("CUDA out of memory, says the test")

            made.register_hook(fail)
        return made


def trained(make_learner, model, *cbs, seed=3, epochs=3, **settings):
    torch.manual_seed(seed)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    learn = make_learner(model, seed=seed, cbs=list(cbs), lr=0.05, **settings)
    learn.fit(epochs)
    return learn


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # its draws are not those of one large batch
    return model


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize(
    "more",
    [[], [MixUp], [lambda: GradientAccumulation(16)], [lambda: MixedPrecision("bf16")]],
    ids=["alone", "mixup", "accumulation", "bf16"],
)
def test_r7_the_loss_curve_is_that_of_the_large_batch(make_learner, where, more):
    large = trained(make_learner, without_dropout(Limited(99)), *[make() for make in more])
    model = without_dropout(Limited(2, where))
    parts = trained(make_learner, model, AutoMicroBatch(), *[make() for make in more])
    assert parts.auto_micro_batch.size == 2
    tolerance = 1e-5 if not (more and isinstance(more[0](), MixedPrecision)) else 1e-2
    torch.testing.assert_close(parts.recorder.losses, large.recorder.losses, atol=tolerance, rtol=0)
    assert model.seen[:3] == [8, 4, 4] or model.seen[:2] == [8, 4]


def test_r7_what_fits_is_as_without_the_callback(make_learner):
    large = trained(make_learner, Limited(99))
    same = trained(make_learner, Limited(99), AutoMicroBatch())
    assert same.recorder.losses == large.recorder.losses
    assert same.auto_micro_batch.size is None


def test_r7_memory_runs_out_in_the_step(make_learner):
    class StepFails(Callback):
        order = 500
        count = 0

        def before_step(self):
            if self.learn.wrapped is None:
                raise torch.OutOfMemoryError("CUDA out of memory, says the test")

    large = trained(make_learner, without_dropout(Limited(99)))
    parts = trained(make_learner, without_dropout(Limited(99)), AutoMicroBatch(), StepFails())
    assert parts.auto_micro_batch.size == 4
    torch.testing.assert_close(parts.recorder.losses, large.recorder.losses, atol=1e-5, rtol=0)


def test_r7_a_step_that_has_moved_weights_is_not_tried_again(make_learner):
    class Late(Callback):
        def after_step(self):
            raise torch.OutOfMemoryError("CUDA out of memory, says the test")

    with pytest.raises(torch.OutOfMemoryError):
        trained(make_learner, Limited(99), AutoMicroBatch(), Late())


def test_r7_other_errors_go_through(make_learner):
    class Wrong(nn.Linear):
        def forward(self, x):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        trained(make_learner, Wrong(3, 1), AutoMicroBatch())


def test_r7_where_one_item_does_not_fit_the_error_comes_out(make_learner):
    model = Limited(0)
    with pytest.raises(torch.OutOfMemoryError):
        trained(make_learner, model, AutoMicroBatch())
    assert model.seen == [8, 4, 2, 1]


def test_r7_the_memory_of_the_failed_try_is_free(make_learner):
    alive = []

    refs: list[Any] = []

    class Watched(Limited):
        def forward(self, x):
            gc.collect()
            alive.append([r().shape[0] for r in refs if r() is not None])
            made = self.layers(x)
            refs.append(weakref.ref(made))
            if len(x) > 2 and self.training:
                raise torch.OutOfMemoryError("CUDA out of memory, says the test")
            return made

    trained(make_learner, Watched(2), AutoMicroBatch(), epochs=1)
    assert 8 not in alive[1]
    assert 4 not in alive[2]


def test_r7_batch_norm_is_warned_of_and_counts_each_row_once(make_learner):
    with pytest.warns(UserWarning, match="batch norm layers of this model see the parts"):
        learn = trained(make_learner, Limited(4, norm=True), AutoMicroBatch(), epochs=1)
    assert learn.model.layers[1].num_batches_tracked == 8  # two parts of four batches


def test_parts_are_as_equal_as_can_be(make_learner):
    """Batch norm could not take 8 items as 7 and 1."""
    model = Limited(99)
    trained(make_learner, model, AutoMicroBatch(7), epochs=1)
    assert model.seen[:2] == [4, 4]


def test_r7_dropout_draws_the_same_going_back(make_learner):
    model = Limited(4)
    torch.manual_seed(0)
    learn = trained(make_learner, model, AutoMicroBatch(4), epochs=1)
    x = torch.randn(8, 3)
    model.zero_grad()
    torch.manual_seed(5)
    _Parts(model.train(), 4)(x).sum().backward()
    first: Any = model.layers[0]
    found = first.weight.grad.clone()
    model.zero_grad()
    torch.manual_seed(5)
    torch.cat([model(x[:4]), model(x[4:])]).sum().backward()
    torch.testing.assert_close(found, first.weight.grad)
    assert learn.auto_micro_batch.size == 4


def test_r7_the_size_is_kept_in_checkpoints(make_learner):
    model = Limited(2)
    trained(make_learner, model, AutoMicroBatch(), Checkpoint("1ep"), epochs=1)
    again = make_learner(Limited(2), seed=3, cbs=[AutoMicroBatch(), Checkpoint("1ep")], lr=0.05)
    again.fit(2, resume=True)
    assert again.auto_micro_batch.size == 2
    assert max(again.model.seen[:8]) == 2


def test_r7_the_learner_is_left_as_it_was(make_learner):
    learn = trained(make_learner, Limited(4), AutoMicroBatch())
    assert learn.wrapped is None
    assert "batch_step" not in vars(learn)


def test_r7_memory_of_the_cpu_really_runs_out():
    script = """
        import resource, torch
        from torch import nn
        from layerwise.core.callback.oom import AutoMicroBatch, _Parts
        from layerwise.core.data.loader import DataLoader
        from layerwise.core.data.loaders import DataLoaders
        from layerwise.core.learner import Learner

        class Large(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Linear(4, 400_000), nn.Linear(400_000, 1)

            def forward(self, x):
                return self.last(torch.relu(self.first(x)))

        torch.set_num_threads(1)
        data = [(torch.randn(4), torch.randn(1)) for _ in range(128)]
        dls = DataLoaders(DataLoader(data, 128), DataLoader(data[:2], 2))
        learn = Learner(dls, Large(), nn.MSELoss())
        learn.logger = lambda row: None
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        limit = used + 450_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            learn.fit(1)
        except RuntimeError as error:
            assert "can't allocate memory" in str(error), error
        else:
            raise AssertionError("the whole batch fits")
        learn.add_cb(AutoMicroBatch())
        learn.fit(1)
        print("size", learn.auto_micro_batch.size)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    # How much is left of the limit is a matter of the allocator; that a part fitted is not.
    assert int(done.stdout.split()[-1]) in (1, 2, 4, 8, 16, 32, 64)
