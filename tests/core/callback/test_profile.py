import time

import pytest
import torch
from torch import nn

from layerwise.core.callback.profile import ProfileCallback
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


class Slow(Callback):
    def after_batch(self):
        time.sleep(0.002)


class SlowModel(nn.Linear):
    def forward(self, x):
        time.sleep(0.004)
        return super().forward(x)


def row(profile, part, split="train"):
    return next(r for r in profile.rows() if (r["part"], r["split"]) == (part, split))


def test_time_is_found_where_it_was_spent(make_learner):
    learn = make_learner(SlowModel(3, 1), cbs=Slow())
    profile = ProfileCallback(skip=0, show=False)
    learn.fit(2, cbs=profile)
    assert row(profile, "forward")["calls"] == 8
    assert row(profile, "forward", "valid")["calls"] == 4
    assert row(profile, "forward")["ms"] >= 4
    assert row(profile, "Slow")["ms"] >= 2
    assert row(profile, "backward")["calls"] == row(profile, "step")["calls"] == 8
    assert profile.rows()[0]["part"] == "forward"
    assert row(profile, "forward")["slowest_ms"] >= row(profile, "forward")["ms"]


def test_the_parts_are_the_whole(make_learner):
    took = []

    class Clock(Callback):
        order = -99

        def before_epoch(self):
            took.append(-time.perf_counter())

        def after_epoch(self):
            took[-1] += time.perf_counter()

    profile = ProfileCallback(skip=0, show=False)
    learn = make_learner(cbs=[Slow(), Clock()])
    learn.fit(3, cbs=profile)
    assert sum(r["share"] for r in profile.rows()) == pytest.approx(1)
    seconds = sum(r["seconds"] for r in profile.rows())
    assert sum(took) <= seconds * 1.01


def test_the_first_batches_are_left_out(make_learner):
    profile = ProfileCallback(skip=3, show=False)
    make_learner().fit(2, cbs=profile)
    assert row(profile, "forward")["calls"] == 5
    assert row(profile, "forward", "valid")["calls"] == 4


def test_a_prediction_inside_a_callback_is_that_callbacks_time(make_learner):
    class Predicts(Callback):
        def after_epoch(self):
            self.learn.get_preds(inner=True)

    profile = ProfileCallback(skip=0, show=False)
    make_learner(cbs=Predicts()).fit(2, cbs=profile)
    assert row(profile, "forward", "valid")["calls"] == 4
    assert sum(r["share"] for r in profile.rows()) == pytest.approx(1)


def test_a_callback_that_raises_is_measured_and_the_error_passes(make_learner):
    class Fails(Callback):
        def before_step(self):
            raise ValueError("no")

    profile = ProfileCallback(skip=0, show=False)
    learn = make_learner(cbs=Fails())
    with pytest.raises(ValueError, match="no"):
        learn.fit(1, cbs=profile)
    assert row(profile, "Fails")["calls"] == 1
    assert learn.timer is None


def test_the_table_is_printed_and_training_is_the_same(make_learner, capsys):
    plain, measured = make_learner(), make_learner()
    for learn, cbs in ((plain, None), (measured, ProfileCallback())):
        torch.manual_seed(1)
        learn.fit(2, cbs=cbs)
    assert torch.equal(plain.model.weight, measured.model.weight)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["part", "split", "calls", "seconds", "ms", "slowest_ms", "share"]
    assert {"forward", "backward", "data"} <= {line.split()[0] for line in lines}


def test_a_validation_can_be_measured(make_learner):
    profile = ProfileCallback(show=False)
    make_learner().validate(cbs=profile)
    assert row(profile, "forward", "valid")["calls"] == 2


def test_it_leaves_no_trace():
    check_callback(ProfileCallback(show=False))


@pytest.mark.gpu
def test_the_time_of_a_gpu_is_its_own(make_learner, samples):
    from layerwise.core.data.loader import DataLoader
    from layerwise.core.data.loaders import DataLoaders

    model = nn.Sequential(nn.Linear(3, 4096), *[nn.Linear(4096, 4096) for _ in range(20)],
                          nn.Linear(4096, 1))  # fmt: skip
    dls = DataLoaders(DataLoader(samples(4096), 512), device="cuda")
    learn = make_learner(model, dls=dls, lr=1e-6)
    profile = ProfileCallback(show=False)
    learn.fit(2, cbs=profile)
    assert row(profile, "forward")["device_ms"] > 1  # 20 products of 512 x 4096 x 4096
    assert row(profile, "backward")["device_ms"] > row(profile, "forward")["device_ms"]
    assert row(profile, "data")["device_ms"] is None
