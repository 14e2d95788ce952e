import inspect

import pytest
import torch

from layerwise.core.learner import Learner
from layerwise.core.train.callback import Callback
from layerwise.core.train.state import TrainState

LISTED = set(TrainState.__annotations__)


def test_every_attribute_that_is_listed_says_what_it_is():
    source = inspect.getsource(TrainState)
    for name in LISTED:
        after = source.split(f"\n    {name}: ", 1)[1].split("\n")[1]
        assert after.strip().startswith('"""'), name


def test_what_a_learner_has_during_a_batch_is_listed(make_learner):
    """The contract with callbacks is complete: nothing is set that it does not name."""
    seen = set()
    learn = make_learner()
    learn.add_cb(Callback(after_batch=lambda: seen.update(vars(learn))))
    learn.fit(1)
    own = {"opt_func", "splitter", "wd", "wd_bn_bias", "train_bn", "moms"}  # arguments of Learner
    names = {cb.name for cb in learn.cbs}
    assert {n for n in seen if not n.startswith("_")} - LISTED - own - names == set()


def test_all_that_is_listed_is_there_in_a_batch_of_training(make_learner):
    missing: list[str] = []

    class Look(Callback):
        order = 100

        def after_batch(self):
            missing.extend(n for n in LISTED if not hasattr(self.learn, n))

    make_learner(cbs=Look()).fit(1)
    assert missing == []


def test_x_and_y_are_the_one_member_or_all():
    state = TrainState()
    a, b = torch.zeros(1), torch.ones(1)
    state.xb, state.yb = (a,), (a, b)
    assert state.x is a
    assert state.y == (a, b)


def test_the_device_is_that_of_the_data():
    state = TrainState()
    state.dls = type("Loaders", (), {"device": torch.device("meta")})()
    assert state.device == torch.device("meta")
    state.dls = object()
    assert state.device is None


@pytest.mark.parametrize("call", ["batch_step", "create_opt"])
def test_a_bare_state_has_no_behaviour(call):
    with pytest.raises(NotImplementedError):
        getattr(TrainState(), call)()
    with pytest.raises(NotImplementedError):
        TrainState()("before_fit")


def test_a_learner_is_a_state():
    assert issubclass(Learner, TrainState)
