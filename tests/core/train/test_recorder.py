import gc
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.metrics.regression import mae, mse
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelTrainException,
    CancelValidException,
)
from layerwise.core.train.recorder import Recorder, format_time
from layerwise.core.train.strategy import Strategy


@pytest.fixture
def rows(make_learner):
    """A function: a learner with these settings, and the list of rows that its logger gets."""

    def make(**settings):
        learn = make_learner(**settings)
        found: list[list] = []
        learn.logger = found.append
        return learn, found

    return make


def recorder_with(learn, **settings):
    learn.remove_cb(Recorder)
    learn.add_cb(Recorder(**settings))
    return learn.recorder


# -- the table -----------------------------------------------------------------------------


def test_a_metric_that_fails_is_named_with_what_it_got(make_learner):
    def broken(pred, target):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        make_learner(metrics=[mae, broken]).fit(1)
    assert "the metric 'broken', of predictions Tensor (8, 1) float32" in caught.value.__notes__[0]


def test_a_row_has_epoch_losses_metrics_and_time(rows):
    learn, found = rows(metrics=[mae, mse])
    learn.fit(2)
    assert found[0] == ["epoch", "train_loss", "valid_loss", "mae", "mse", "time"]
    assert [row[0] for row in found[1:]] == [0, 1]
    assert all(len(row) == 6 for row in found)
    assert found[1][-1] == "00:00"
    assert learn.recorder.metric_names == found[0]
    assert [list(v) for v in learn.recorder.values] == [row[1:-1] for row in found[1:]]
    assert list(learn.recorder.final_record) == found[-1][1:-1]


def test_train_metrics_have_columns_of_their_own(rows):
    learn, found = rows(metrics=mae)
    recorder_with(learn, train_metrics=True, add_time=False)
    learn.fit(1)
    assert found[0] == ["epoch", "train_loss", "train_mae", "valid_loss", "valid_mae"]
    assert all(isinstance(v, float) for v in found[1][1:])


def test_metrics_in_validation_can_be_left_out(rows):
    learn, found = rows(metrics=mae)
    recorder_with(learn, valid_metrics=False)
    learn.fit(1)
    assert found[0] == ["epoch", "train_loss", "valid_loss", "time"]
    assert len(found[1]) == 4


@pytest.mark.parametrize("bs", [1, 3, 16])
def test_the_validation_row_does_not_depend_on_the_batch_size(make_learner, samples, bs):
    learn = make_learner(lr=0.0, metrics=mae)
    learn.dls = DataLoaders(learn.dls.train, DataLoader(samples(16, seed=1), bs))
    learn.fit(1)
    x = torch.stack([x for x, _ in samples(16, seed=1)])
    y = torch.stack([y for _, y in samples(16, seed=1)])
    with torch.no_grad():
        error = learn.model(x) - y
    _, loss, distance = learn.recorder.values[0]
    torch.testing.assert_close(loss, error.square().mean().item(), rtol=1e-6, atol=0)
    torch.testing.assert_close(distance, error.abs().mean().item(), rtol=1e-6, atol=0)


def test_train_metrics_are_those_of_the_training_batches(rows):
    learn, found = rows(metrics=mae, lr=0.0)
    recorder_with(learn, train_metrics=True)
    learn.fit(1)
    x, y = map(torch.stack, zip(*learn.dls.train.dataset, strict=True))
    with torch.no_grad():
        expected = (learn.model(x) - y).abs().mean().item()
    assert found[1][2] == pytest.approx(expected, rel=1e-6)


# -- by batch ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20), st.floats(0.0, 0.99))
def test_losses_are_the_corrected_moving_average(values, beta):
    """Against pandas, which calls this an adjusted exponentially weighted mean."""
    import pandas as pd

    state = type("State", (), {"log_bus": (), "strategy": Strategy()})()
    recorder = Recorder(beta=beta)
    recorder.learn = state
    state.metrics, state.logger, state.training, state.yb = [], lambda row: None, True, (1,)
    state.opt = SimpleNamespace(read_hyper=lambda _name: 0.1)
    recorder.before_fit()
    for value in values:
        state.loss = torch.tensor(value)
        recorder.after_batch()
    expected = pd.Series(values).ewm(alpha=1 - beta).mean() if beta else pd.Series(values)
    assert recorder.losses == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-5)


def test_learning_rates_are_those_of_the_last_group(make_learner):
    learn = make_learner(
        nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)),
        splitter=lambda m: [list(m[0].parameters()), list(m[1].parameters())],
    )
    learn.fit(1, lr=slice(0.001, 0.01))
    assert learn.recorder.lrs == [0.01] * 4


def test_iters_count_training_batches(make_learner):
    learn = make_learner()
    learn.fit(3)
    assert learn.recorder.iters == [4, 8, 12]
    assert len(learn.recorder.losses) == len(learn.recorder.lrs) == 12


def test_each_fit_starts_a_new_record(make_learner):
    learn = make_learner()
    learn.fit(2)
    learn.fit(1)
    assert len(learn.recorder.losses) == 4
    assert len(learn.recorder.values) == 1


def test_recording_keeps_no_tensor_per_batch_beyond_an_epoch(make_learner):
    """A device would keep half a kilobyte for each."""

    def count():
        gc.collect()
        return sum(type(o) is torch.Tensor for o in gc.get_objects())

    learn = make_learner()
    learn.fit(2)
    after_two = count()
    learn.fit(20)
    assert count() <= after_two + 2
    assert len(learn.recorder.losses) == 80


# -- what is cut short ---------------------------------------------------------------------


def cancelling(make_learner, event, exception, when=lambda learn: True, **settings):
    learn = make_learner(**settings)

    def cancel():
        if when(learn):
            raise exception

    canceller = Callback(**{event: cancel})
    canceller.order = 100  # after the recorder
    learn.add_cb(canceller)
    learn.fit(2)
    return learn.recorder


def test_a_cancelled_batch_is_not_recorded(make_learner):
    recorder = cancelling(
        make_learner,
        "before_batch",
        CancelBatchException,
        lambda learn: learn.training and learn.iter == 1,
    )
    assert len(recorder.losses) == len(recorder.lrs) == 6


def test_a_batch_cancelled_before_its_loss_does_not_count_with_the_last_loss(make_learner):
    recorder = cancelling(
        make_learner,
        "after_pred",
        CancelBatchException,
        lambda learn: learn.training and learn.iter > 0,
    )
    assert len(recorder.losses) == 2


def test_a_batch_cancelled_after_its_loss_is_recorded(make_learner):
    recorder = cancelling(make_learner, "before_step", CancelBatchException)
    assert len(recorder.losses) == 8


def test_cancelled_training_still_has_a_row(make_learner):
    recorder = cancelling(
        make_learner, "after_batch", CancelTrainException, lambda learn: learn.training
    )
    assert [len(v) for v in recorder.values] == [2, 2]
    assert all(v is not None for row in recorder.values for v in row)
    assert recorder.iters == [1, 2]


def test_cancelled_validation_leaves_its_columns_empty(make_learner):
    recorder = cancelling(make_learner, "before_validate", CancelValidException, metrics=mae)
    assert [row[1:] for row in recorder.values] == [[None, None]] * 2


def test_a_cancelled_epoch_has_an_empty_row(make_learner):
    recorder = cancelling(
        make_learner, "before_batch", CancelEpochException, lambda learn: learn.training
    )
    assert recorder.values == [[None, None]] * 2


def test_a_cancelled_fit_keeps_what_was_done(make_learner):
    recorder = cancelling(
        make_learner, "before_epoch", CancelFitException, lambda learn: learn.epoch == 1
    )
    assert len(recorder.values) == 1
    assert len(recorder.losses) == 4


def test_no_tensor_a_batch_is_kept_of_losses_on_the_cpu(make_learner):
    """They would lie between the blocks that steps free, and memory would grow with each step."""

    class Count(Callback):
        order = Recorder.order + 1

        def before_fit(self):
            self.found: list[int] = []

        def after_batch(self):
            if self.learn.training:
                gc.collect()
                self.found.append(sum(issubclass(type(x), torch.Tensor) for x in gc.get_objects()))

    learn = make_learner(n=96, cbs=Count())
    learn.fit(1)
    found = learn.count.found
    assert len(found) == len(learn.recorder.losses) == 12
    assert max(found[2:]) == found[2]


# -- plots ---------------------------------------------------------------------------------


@pytest.fixture
def trained(make_learner):
    learn = make_learner()
    learn.fit_one_cycle(3, 0.1)
    return learn


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_plot_loss_draws_training_by_batch_and_validation_by_epoch(trained):
    ax = trained.recorder.plot_loss(skip_start=2)
    train, valid = ax.get_lines()
    assert train.get_xdata().tolist() == list(range(2, 12))
    assert train.get_ydata().tolist() == trained.recorder.losses[2:]
    assert list(valid.get_xdata()) == [3, 7, 11]
    assert list(valid.get_ydata()) == [row[1] for row in trained.recorder.values]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["train", "valid"]


def test_plot_loss_draws_on_axes_that_are_given(trained):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    found = trained.recorder.plot_loss(ax=ax, log=True, show_epochs=True, with_valid=False)
    assert found is ax
    assert ax.get_yscale() == "log"
    assert len(ax.get_lines()) == 1 + 3


def test_plot_loss_of_a_short_training_shows_what_there_is(make_learner):
    learn = make_learner(n=8)
    learn.fit(1)
    assert len(learn.recorder.plot_loss().get_lines()[0].get_xdata()) == 1


def test_plot_loss_before_training_says_what_to_do(make_learner):
    with pytest.raises(ValueError, match="call fit first"):
        make_learner().recorder.plot_loss()


def test_plot_sched_draws_each_hyper_parameter(trained):
    axes = trained.recorder.plot_sched()
    assert [ax.get_ylabel() for ax in axes] == ["lr", "mom"]
    assert axes[0].get_lines()[0].get_ydata().tolist() == trained.recorder.hps["lr"]


def test_plot_sched_takes_names(trained):
    (ax,) = trained.recorder.plot_sched("lr")
    assert ax.get_ylabel() == "lr"
    with pytest.raises(ValueError, match=r"'momm'.*Did you mean 'mom'"):
        trained.recorder.plot_sched(["lr", "momm"])


def test_plot_sched_without_a_schedule_says_what_to_do(make_learner):
    learn = make_learner()
    learn.fit(1)
    with pytest.raises(ValueError, match="call fit_one_cycle"):
        learn.recorder.plot_sched()


# -- time ----------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
def test_format_time_can_be_read_back(seconds):
    parts = [int(p) for p in format_time(seconds).split(":")]
    total = 0
    for part in parts:
        total = total * 60 + part
    assert total == seconds
    assert all(p < 60 for p in parts[1:])
