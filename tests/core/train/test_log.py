import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from layerwise.core.display.table import Table
from layerwise.core.metrics.regression import mae
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogBus, LogEntry


def listening(learn):
    heard: list[LogEntry] = []
    learn.log_bus.subscribe(heard.append)
    return heard


def of(heard, name):
    return [entry for entry in heard if entry.name == name]


def test_the_recorder_publishes_each_batch_and_each_row(make_learner):
    losses = []

    class Keep(Callback):
        def after_loss(self):
            if self.learn.training:
                losses.append(self.learn.loss.item())

    learn = make_learner(metrics=mae, cbs=Keep())
    heard = listening(learn)
    learn.fit(2)
    assert [(e.item(), e.step, e.epoch, e.split) for e in of(heard, "loss")] == [
        (loss, number + 1, number // 4, "train") for number, loss in enumerate(losses)
    ]
    assert [e.value for e in of(heard, "smooth_loss")] == learn.recorder.losses
    assert [e.item() for e in of(heard, "lr_0")] == [0.1] * 8
    for place, (name, split) in enumerate(
        [("train_loss", "train"), ("valid_loss", "valid"), ("mae", "valid")]
    ):
        assert [(e.value, e.step, e.epoch, e.split) for e in of(heard, name)] == [
            (row[place], 4 * (epoch + 1), epoch, split)
            for epoch, row in enumerate(learn.recorder.values)
        ]


def test_every_group_has_its_rate_and_schedules_publish_the_rest(make_learner):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    learn = make_learner(model, splitter=lambda m: [list(part.parameters()) for part in m])
    heard = listening(learn)
    learn.fit_one_cycle(1, slice(0.01, 0.1))
    assert [e.item() for e in of(heard, "lr_1")] == learn.recorder.hps["lr"]
    assert [e.item() for e in of(heard, "mom_1")] == learn.recorder.hps["mom"]
    ratios = [
        low.item() / high.item()
        for low, high in zip(of(heard, "lr_0"), of(heard, "lr_1"), strict=True)
    ]
    assert ratios == pytest.approx([0.1] * 4)


def test_a_step_is_one_batch_of_all_fits_from_its_first_event_to_its_last(make_learner):
    class Chatty(Callback):
        order = -100  # before the batch is counted

        def after_pred(self):
            self.learn.log("pred", self.learn.train_iter)

        def after_batch(self):
            self.learn.log("done", self.learn.iter)

    learn = make_learner(cbs=Chatty())
    heard = listening(learn)
    learn.fit(1)
    learn.validate()
    learn.fit(1)
    for name in ("pred", "done", "loss"):
        assert [e.step for e in of(heard, name) if e.split == "train"] == [*range(1, 9)], name
    assert [e.step for e in of(heard, "pred") if e.split == "valid"] == [4, 4, 4, 4, 8, 8]


def test_values_stay_on_the_device_until_they_are_read(make_learner):
    learn = make_learner()
    heard = listening(learn)
    learn.fit(1)
    value = of(heard, "loss")[0].value
    assert isinstance(value, torch.Tensor)
    assert not value.requires_grad
    learn.log("with gradient", learn.model.weight.sum())
    assert not heard[-1].value.requires_grad


def test_nothing_is_made_while_nobody_listens(make_learner, monkeypatch):
    def told(*_args, **_kwargs):
        raise AssertionError("published")

    monkeypatch.setattr(LogBus, "publish", told)
    learn = make_learner()
    learn.fit_one_cycle(1)
    learn.log("anything", object())


def test_training_is_the_same_with_and_without_a_listener(make_learner):
    quiet, heard = make_learner(), make_learner()
    listening(heard)
    for learn in (quiet, heard):
        torch.manual_seed(1)
        learn.fit_one_cycle(2)
    for ours, theirs in zip(quiet.model.parameters(), heard.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_search_for_a_rate_is_not_heard(make_learner):
    learn = make_learner()
    heard = listening(learn)
    learn.lr_find(num_it=10, show_plot=False)
    assert heard == []
    assert learn.log_bus.step == 0


def test_a_copy_of_a_bus_has_its_count_and_no_listeners():
    bus = LogBus()
    bus.step = 7
    bus.subscribe(print)
    copied = copy.deepcopy({"bus": bus})["bus"]
    assert copied.step == 7
    assert not copied
    assert bus


def test_a_subscriber_hears_once_and_can_leave_while_it_hears():
    bus, heard = LogBus(), []

    def once(entry):
        heard.append(entry.name)
        bus.unsubscribe(once)

    bus.subscribe(once)
    bus.subscribe(once)
    bus.subscribe(lambda entry: heard.append(entry.name.upper()))
    bus.publish("a", 1, 0, "train")
    bus.publish("b", 2, 0, "train")
    bus.unsubscribe(once)
    assert heard == ["a", "A", "B"]


KINDS = [
    ("scalar", 1), ("scalar", True), ("scalar", 0.5), ("scalar", torch.ones(1)),
    ("scalar", np.float32(2)), ("scalar", np.ones(())), ("values", torch.ones(2, 2)),
    ("values", np.ones(3)), ("text", "so"), ("table", Table([{"a": 1}])),
    ("figure", Figure()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), KINDS, ids=range(len(KINDS)))
def test_the_kind_follows_from_the_value(kind, value):
    assert LogEntry("x", value, 0, 0, "train").kind == kind


def test_what_no_logger_can_show_is_refused_by_name(make_learner):
    learn = make_learner()
    listening(learn)
    with pytest.raises(TypeError, match="a dict cannot be logged; give a number") as error:
        learn.log("what", {"a": 1})
    assert error.value.__notes__ == ["published as 'what'"]


@given(st.floats(width=32) | st.integers(-1000, 1000))
def test_a_scalar_reads_back_as_itself(number):
    for value in (number, torch.tensor(number, dtype=torch.float64), np.array([number])):
        found = LogEntry("x", value, 0, 0, "train").item()
        assert found == number or (math.isnan(found) and math.isnan(number))
