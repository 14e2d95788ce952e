"""The enumeration of events, `Callback`, the drawing and the loop itself agree."""

import re

import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import SGD
from layerwise.core.train import events
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelException, Event

DRAWING = "\n".join(line for line in events.__doc__.splitlines() if line.startswith("    "))
DONE_BETWEEN = r"model|loss_func|loss_grad\.backward\(\)|opt\.step\(\)|opt\.zero_grad\(\)"
DRAWN = re.findall(rf"\b(?:before|after)_\w+|(?<!\w)(?:{DONE_BETWEEN})(?!\w)", DRAWING)
PHASES = list(dict.fromkeys(re.findall(r"^    (\w+) ", DRAWING, re.MULTILINE)))


def is_event(name):
    return re.match(r"(before|after)_", name)


def test_the_drawing_was_found():
    assert PHASES == ["fit", "epoch", "train", "batch", "backward", "step", "validate"]
    assert DRAWN[0] == "before_fit"
    assert DRAWN[-1] == "after_fit"


def test_an_event_is_called_by_its_name():
    assert [event.name for event in Event] == [event.value for event in Event]


def test_callback_has_a_documented_method_for_each_event_and_for_nothing_else():
    methods = {name for name in vars(Callback) if is_event(name)}
    assert methods == {event.value for event in Event}
    assert all(vars(Callback)[name].__doc__ for name in methods)


def test_the_drawing_shows_every_event():
    cancelled = {f"after_cancel_{phase}" for phase in PHASES}
    assert {name for name in DRAWN if is_event(name)} | cancelled | {"after_create"} == set(Event)


def test_the_enumeration_is_in_the_order_of_the_drawing():
    drawn = list(dict.fromkeys(name for name in DRAWN if is_event(name)))
    listed = [e.value for e in Event if "cancel" not in e and e != "after_create"]
    assert listed == drawn


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_has_an_exception_that_cuts_it_short(phase):
    short = {"validate": "Valid"}.get(phase, phase.title())
    exception = getattr(events, f"Cancel{short}Exception")
    assert issubclass(exception, CancelException)
    assert f"Cancel{short}Exception" in events.__all__
    found = getattr(events, phase.upper())
    assert (found.name, found.exception) == (phase, exception)


class Recorded(Callback):
    """Writes down each event, and in training what is done between them."""

    def __init__(self):
        super().__init__()
        self.found = []

    def done(self, what):
        if self.found and self.found[-1] != "after_fit" and self.learn.training:
            self.found.append(what)


for _event in Event:
    setattr(Recorded, _event.value, lambda self, name=_event.value: self.found.append(name))


@pytest.fixture
def recorded():
    """One epoch of one batch of training and one of validation."""
    notes = Recorded()

    class Model(nn.Linear):
        def forward(self, x):
            notes.done("model")
            return super().forward(x)

    def loss_func(pred, y):
        notes.done("loss_func")
        loss = nn.functional.mse_loss(pred, y)
        if loss.requires_grad:
            loss.register_hook(lambda _: notes.done("loss_grad.backward()"))
        return loss

    class Steps(SGD_TYPE):  # type: ignore[valid-type]
        def step(self, closure=None):
            notes.done("opt.step()")
            return super().step(closure)

        def zero_grad(self):
            notes.done("opt.zero_grad()")
            super().zero_grad()

    def opt_func(params, lr):
        made = SGD(params, lr=lr)
        made.__class__ = Steps
        return made

    data = [(torch.zeros(2), torch.zeros(1))]
    dls = DataLoaders(DataLoader(data, 1), DataLoader(data, 1))
    learn = Learner(dls, Model(2, 1), loss_func, opt_func, cbs=notes)
    learn.logger = lambda row: None
    learn.fit(1)
    return notes.found


SGD_TYPE = type(SGD([torch.zeros(1)], lr=0.1))


def test_the_loop_does_what_the_drawing_shows(recorded):
    assert recorded == ["after_create", *DRAWN]


def test_the_printed_loop_is_the_drawn_one(capsys):
    data = [(torch.zeros(2), torch.zeros(1))]
    Learner(DataLoaders(DataLoader(data, 1)), nn.Linear(2, 1), nn.MSELoss()).show_training_loop()
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == ["after_create", *dict.fromkeys(name for name in DRAWN if is_event(name))]
