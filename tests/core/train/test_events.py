import pytest

from layerwise.core.train import events
from layerwise.core.train.events import CancelException, Event, Phase

EXCEPTIONS = [getattr(events, name) for name in events.__all__ if name.startswith("Cancel")]


def test_an_event_is_the_name_of_its_method():
    assert Event("before_fit") == "before_fit"
    assert {"before_fit": 1}[Event.before_fit] == 1


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_every_cancel_exception_can_be_caught_as_one(exception):
    assert issubclass(exception, CancelException)


def test_cancel_exceptions_do_not_catch_each_other():
    kinds = [e for e in EXCEPTIONS if e is not CancelException]
    assert [(a, b) for a in kinds for b in kinds if a is not b and issubclass(a, b)] == []


def test_a_phase_knows_its_three_events():
    phase = Phase("epoch", events.CancelEpochException)
    assert phase.before is Event.before_epoch
    assert phase.after is Event.after_epoch
    assert phase.cancelled is Event.after_cancel_epoch


def test_a_phase_without_events_is_refused():
    with pytest.raises(ValueError, match="before_lunch"):
        Phase("lunch", events.CancelFitException)
