"""Trackers: what happens for a column of the table whose values are written by hand."""

import math
import operator

import pytest
import torch
from torch import nn

from layerwise.core.callback.nan_guard import TerminateOnNaNCallback
from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.callback.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
    smaller_is_better,
)
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder

NAN = math.nan


class Script(Callback):
    """Writes the values of a column, one an epoch, in place of what was measured."""

    order = 55
    after = (Recorder,)

    def __init__(self, *values, column="valid_loss"):
        super().__init__()
        self.values, self.column = values, column

    def after_epoch(self):
        recorder = self.learn.recorder
        recorder.values[-1][recorder.metric_names.index(self.column) - 1] = self.values[
            self.learn.epoch
        ]


class Bests(Callback):
    """Notes after each epoch whether it was the best."""

    order = 100

    def __init__(self, tracker):
        super().__init__()
        self.tracker, self.found = tracker, []

    def after_epoch(self):
        self.found.append(int(self.tracker.new_best))


def accuracy(pred, targ):
    return (pred - targ).abs().mean() * 0 + 0.5


def bests(make_learner, tracker, *values, column="valid_loss"):
    notes = Bests(tracker)
    learn = make_learner(metrics=accuracy, cbs=[Script(*values, column=column), tracker, notes])
    learn.fit(len(values))
    return notes.found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train_loss", True), ("error_rate", True), ("rmse", True), ("valid_mae", True),
        ("exp_rmspe", True), ("hamming_loss", True), ("accuracy", False), ("dice", False),
        ("f1_score", False), ("mse_score", True), ("msex", False),
    ],
)  # fmt: skip
def test_names_tell_whether_smaller_is_better(name, expected):
    assert smaller_is_better(name) is expected


def test_losses_are_better_when_smaller_and_other_columns_when_larger(make_learner):
    assert bests(make_learner, TrackerCallback(), 3.0, 2.0, 2.0, 4.0, 1.0) == [1, 1, 0, 0, 1]
    tracker = TrackerCallback("accuracy")
    found = bests(make_learner, tracker, 0.1, 0.3, 0.2, 0.4, column="accuracy")
    assert found == [1, 1, 0, 1]
    assert tracker.best == 0.4


def test_a_comparison_of_ones_own_decides(make_learner):
    tracker = TrackerCallback("valid_loss", comp=operator.gt)
    assert bests(make_learner, tracker, 3.0, 2.0, 4.0) == [1, 0, 1]


@pytest.mark.parametrize("wrong", ["min", min, lambda value: True], ids=["text", "min", "one"])
def test_a_comparison_that_is_none_is_refused(wrong):
    with pytest.raises(TypeError, match=r"comp=.*comp\(value, best\), such as operator.lt"):
        TrackerCallback(comp=wrong)


def test_better_by_too_little_is_not_better(make_learner):
    tracker = TrackerCallback(min_delta=0.5)
    assert bests(make_learner, tracker, 3.0, 2.6, 2.4, 2.0) == [1, 0, 1, 0]
    tracker = TrackerCallback("accuracy", min_delta=0.25)
    found = bests(make_learner, tracker, 0.0, 0.25, 0.375, column="accuracy")
    assert found == [1, 0, 1]


def test_nan_is_never_the_best(make_learner):
    assert bests(make_learner, TrackerCallback(), NAN, 2.0, NAN, 1.0) == [0, 1, 0, 1]


def test_a_column_that_is_not_there_is_refused_with_the_nearest(make_learner):
    learn = make_learner(metrics=accuracy, cbs=TrackerCallback("acuracy"))
    with pytest.raises(
        ValueError, match=r"Did you mean 'accuracy'\? It has: train_loss, valid_loss, accuracy"
    ):
        learn.fit(1)


def test_a_column_that_was_not_measured_is_named(make_learner, samples):
    learn = make_learner(dls=DataLoaders(DataLoader(samples(16), 8)), cbs=TrackerCallback())
    with pytest.raises(ValueError, match="'valid_loss', which was not measured in epoch 0"):
        learn.fit(1)


@pytest.mark.parametrize("kind", [TrackerCallback, EarlyStoppingCallback, ReduceLROnPlateau])
def test_a_new_fit_forgets_unless_told_not_to(make_learner, kind):
    for reset, expected in ((True, 5.0), (False, 1.0)):
        tracker = kind(reset_on_fit=reset)
        learn = make_learner(cbs=[tracker])
        learn.fit(1, cbs=Script(1.0))
        learn.fit(1, cbs=Script(5.0))
        assert tracker.best == expected


def test_a_validation_forgets_nothing(make_learner):
    tracker = TrackerCallback()
    learn = make_learner(cbs=[Script(1.0), tracker])
    learn.fit(1)
    learn.validate()
    learn.get_preds()
    assert tracker.best == 1.0


def test_early_stopping_waits_as_long_as_it_should(make_learner, capsys):
    for patience, epochs in ((1, 3), (2, 6)):
        stop = EarlyStoppingCallback(patience=patience)
        learn = make_learner(cbs=[Script(3.0, 2.0, 2.5, 1.5, 1.75, 1.75, 1.0), stop])
        learn.fit(7)
        assert len(learn.recorder.values) == epochs
    assert "has not become better since epoch 3: stopping early" in capsys.readouterr().out


def test_the_rate_is_reduced_on_a_plateau_as_torch_does_it(make_learner, capsys):
    values = [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0]
    rates = []
    note = Callback(after_train=lambda: rates.append(learn.opt.hypers[-1]["lr"]))
    reduce = ReduceLROnPlateau(patience=2, factor=2.0)
    learn = make_learner(lr=1.0, cbs=[Script(*values), reduce, note])
    learn.fit(len(values))
    weight = nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([weight], lr=1.0)
    # torch waits until there were more than `patience` bad epochs.
    twin = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1, threshold=0.0)
    expected = []
    for value in values:
        expected.append(opt.param_groups[0]["lr"])
        twin.step(value)
    assert rates == expected
    assert "epoch 2: reducing lr to 0.5" in capsys.readouterr().out


def test_no_rate_goes_below_the_smallest_and_none_goes_up(make_learner):
    reduce = ReduceLROnPlateau(min_lr=0.03)
    learn = make_learner(
        nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1)),
        splitter=lambda m: [list(layer.parameters()) for layer in m],
        cbs=[Script(1.0, 1.0), reduce],
    )
    learn.fit(2, lr=[0.01, 0.1])
    assert [hyper["lr"] for hyper in learn.opt.hypers] == [0.01, 0.03]


def test_a_schedule_of_the_rate_and_reduction_are_refused_together(make_learner):
    learn = make_learner(cbs=ReduceLROnPlateau())
    with pytest.raises(ValueError, match="cannot both set the learning rate"):
        learn.fit(1, cbs=ParamScheduler({"lr": lambda share: 0.1}))


class Snapshots(Callback):
    """Keeps the weights of each epoch."""

    order = 40

    def __init__(self):
        super().__init__()
        self.weights = []

    def after_epoch(self):
        self.weights.append(self.learn.model.get_parameter("weight").detach().clone())


def test_the_best_model_is_saved_and_loaded_at_the_end(make_learner, capsys):
    kept = Snapshots()
    learn = make_learner(cbs=[Script(3.0, 1.0, 2.0), kept, SaveModelCallback(fname="best")])
    learn.fit(3)
    assert torch.equal(learn.model.weight, kept.weights[1])
    assert "valid_loss is best in epoch 1: 1" in capsys.readouterr().out
    assert learn.save_model.last_saved_path == learn.path / "models" / "best.safetensors"
    assert learn.save_model.last_saved_path.exists()
    with torch.no_grad():
        learn.model.weight.zero_()
    learn.validate()
    assert not learn.model.weight.any()  # a validation loads nothing


def test_the_best_model_is_loaded_after_early_stopping_too(make_learner):
    kept = Snapshots()
    cbs = [Script(3.0, 1.0, 2.0, 0.0), kept, EarlyStoppingCallback(), SaveModelCallback()]
    learn = make_learner(cbs=cbs)
    learn.fit(4)
    assert len(kept.weights) == 3
    assert torch.equal(learn.model.weight, kept.weights[1])


def test_an_error_loads_nothing_and_no_best_is_no_error(make_learner):
    def fails():
        if learn.epoch == 2:
            raise KeyError("x")

    learn = make_learner(cbs=[Script(1.0, 2.0, 3.0), SaveModelCallback(), Snapshots()])
    with pytest.raises(KeyError):
        learn.fit(3, cbs=Callback(before_epoch=fails))
    assert torch.equal(learn.model.weight, learn.snapshots.weights[1])
    make_learner(cbs=[Script(NAN), SaveModelCallback(fname="none")]).fit(1)


def test_at_end_saves_the_last_weights_whatever_they_are_worth(make_learner):
    learn = make_learner(cbs=[Script(1.0, 2.0), SaveModelCallback(at_end=True), Snapshots()])
    learn.fit(2)
    assert torch.equal(learn.model.weight, learn.snapshots.weights[1])
    with torch.no_grad():
        learn.model.weight.zero_()
    learn.load("model")
    assert torch.equal(learn.model.weight, learn.snapshots.weights[1])


def files(learn):
    return sorted(p.name.removesuffix(".safetensors") for p in (learn.path / "models").iterdir())


@pytest.mark.parametrize(("every", "epochs"), [(True, [0, 1, 2]), (2, [0, 2])], ids=["1", "2"])
def test_numbered_files_are_written_every_so_many_epochs(make_learner, every, epochs):
    learn = make_learner(cbs=SaveModelCallback(every_epoch=every))
    learn.fit(3)
    assert files(learn) == [f"model_{epoch}" for epoch in epochs]


def test_a_restarted_run_leaves_the_files_of_the_first(make_learner):
    make_learner(cbs=SaveModelCallback(every_epoch=True)).fit(2)
    learn = make_learner(cbs=SaveModelCallback(every_epoch=True), seed=1)
    before = (learn.path / "models" / "model_0.safetensors").read_bytes()
    learn.fit(1)
    learn.fit(1)
    assert files(learn) == ["model-2_0", "model-3_0", "model_0", "model_1"]
    assert (learn.path / "models" / "model_0.safetensors").read_bytes() == before


def test_the_optimizer_is_saved_only_if_asked_for(make_learner):
    sizes = []
    for with_opt in (False, True):
        learn = make_learner(cbs=SaveModelCallback(fname=f"w{with_opt}", with_opt=with_opt))
        learn.fit(1)
        sizes.append(learn.save_model.last_saved_path.stat().st_size)
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: TrackerCallback(min_delta=-1), "min_delta"),
        (lambda: EarlyStoppingCallback(patience=0), "patience"),
        (lambda: ReduceLROnPlateau(factor=0.1), "factor"),
        (lambda: SaveModelCallback(every_epoch=-1), "every_epoch"),
        (lambda: SaveModelCallback(every_epoch=2, at_end=True), "not both"),
    ],
    ids=["min_delta", "patience", "factor", "every", "both"],
)
def test_wrong_arguments_are_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_terminate_on_nan_ends_the_fit_before_the_step(make_learner):
    class Breaks(Callback):
        def after_loss(self):
            if self.learn.train_iter == 5 and self.learn.training:
                self.seen = self.learn.model.get_parameter("weight").detach().clone()
                self.learn.loss_grad = self.learn.loss_grad * NAN

    breaks = Breaks()
    learn = make_learner(cbs=[breaks, TerminateOnNaNCallback()])
    with pytest.warns(UserWarning, match="training was ended: epoch 1, batch 1"):
        learn.fit(3)
    assert torch.equal(learn.model.weight, breaks.seen)
    assert len(learn.recorder.values) == 1
