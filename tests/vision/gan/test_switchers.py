"""The sequence of turns, and the learning rate in each."""

import pytest
import torch

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.train.callback import Callback
from layerwise.vision.gan import AdaptiveGANSwitcher, FixedGANSwitcher, GANDiscriminativeLR


class Turns(Callback):
    """Notes whose batch it was: G or C. Reads `model`."""

    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = ""
        self.rates = []

    def after_loss(self):
        self.seen += "G" if self.learn.model.gen_mode else "C"
        self.rates.append(round(self.learn.opt.read_hyper("lr"), 6))


def turns(make_small, epochs=1, **settings):
    learn = make_small(**settings)
    learn.add_cb(Turns())
    learn.fit(epochs)
    return learn.turns.seen


def test_a_fixed_switcher_gives_each_its_number_of_steps(make_small):
    assert turns(make_small, switcher=FixedGANSwitcher(n_crit=3, n_gen=1)) == "CCCGCCCG"
    assert turns(make_small, switcher=FixedGANSwitcher(2, 2), gen_first=True) == "GGCCGGCC"
    assert turns(make_small) == "CGCGCGCG"


def test_turns_go_on_where_validation_interrupted_them(make_small):
    seen = turns(make_small, epochs=2, valid=True, switcher=FixedGANSwitcher(n_crit=2))
    assert seen == "CCGCCGCC" + "GCCGCCGC"


def test_the_number_of_steps_may_depend_on_those_of_the_generator(make_small):
    switcher = FixedGANSwitcher(n_crit=lambda done: 3 if done < 1 else 1)
    assert turns(make_small, switcher=switcher) == "CCCGCGCG"


def test_each_fit_begins_with_the_first_turn(make_small):
    learn = make_small(switcher=FixedGANSwitcher(n_crit=3))
    learn.add_cb(Turns())
    learn.fit(1)
    learn.turns.seen = ""
    learn.fit(1)
    assert learn.turns.seen == "CCCGCCCG"


def test_turns_end_between_groups_of_accumulated_batches(make_small):
    seen = turns(make_small, cbs=GradientAccumulation(4))  # two batches a step
    assert seen == "CCGGCCGG"


def test_a_turn_without_a_step_is_refused():
    with pytest.raises(ValueError, match="n_crit=0; a turn has at least one step"):
        FixedGANSwitcher(n_crit=0)


class Pretend(Callback):
    """Sets the loss that is reported, batch by batch."""

    run_valid = False

    def __init__(self, values):
        super().__init__()
        self.values = list(values)

    def after_loss(self):
        self.learn.loss = torch.tensor(self.values.pop(0))


def test_an_adaptive_switcher_waits_for_the_loss_to_fall_below(make_small):
    switcher = AdaptiveGANSwitcher(critic_thresh=0.5)
    losses = Pretend([0.9, 0.5, 0.4, 9.0, 0.6, 0.1, 9.0, 0.9])
    assert turns(make_small, switcher=switcher, cbs=losses) == "CCCGCCGC"


def test_an_adaptive_switcher_waits_for_the_generator_too(make_small):
    switcher = AdaptiveGANSwitcher(gen_thresh=1.0)
    losses = Pretend([5.0, 2.0, 0.5, 5.0, 0.9, 5.0, 2.0, 2.0])
    assert turns(make_small, switcher=switcher, cbs=losses) == "CGGCGCGG"


def test_the_critic_learns_faster_and_the_rate_is_put_back(make_small):
    learn = make_small(cbs=[GANDiscriminativeLR(mult_lr=5.0), Turns()])
    learn.fit(1)
    assert learn.turns.rates == [0.5, 0.1] * 4
    assert learn.opt.read_hyper("lr") == 0.1


def test_a_schedule_and_the_factor_go_together(make_small):
    plain, fast = make_small(cbs=Turns()), make_small(cbs=[GANDiscriminativeLR(3.0), Turns()])
    plain.fit_one_cycle(1, 0.1)
    fast.fit_one_cycle(1, 0.1)
    expected = [rate * (3 if i % 2 == 0 else 1) for i, rate in enumerate(plain.turns.rates)]
    assert fast.turns.rates == pytest.approx(expected, abs=1e-5)


def test_a_switcher_without_a_trainer_says_what_to_do(make_small):
    learn = make_small()
    learn.remove_cb(learn.gan_trainer)
    with pytest.raises(ValueError, match="make it with GANLearner"):
        learn.fit(1)
