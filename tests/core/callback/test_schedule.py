import warnings
from functools import partial

import numpy as np
import pytest
import torch
import torch.utils.data as torch_data
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.schedule import ParamScheduler, fine_tune, fit_one_cycle
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.schedules import SchedCos, SchedLin
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.train.callback import Callback


class Watch(Callback):
    """Notes the hyper-parameters of all groups as each step uses them."""

    def __init__(self):
        super().__init__()
        self.lr, self.mom, self.wd = [], [], []

    def before_step(self):
        for name in ("lr", "mom", "wd"):
            getattr(self, name).append([h[name] for h in self.learn.opt.hypers])


def three_groups():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 1))


def splitter(model):
    return [list(m.parameters()) for m in (model[:2], model[2], model[3])]


@pytest.fixture
def grouped(make_learner):
    """A learner of three groups with batch norm in the first, and its watch."""

    def make(**more):
        watch = Watch()
        settings = {"opt_func": Adam, "splitter": splitter, "lr": 1e-3, **more}
        return make_learner(three_groups(), cbs=watch, **settings), watch

    return make


# -- ParamScheduler ------------------------------------------------------------------------


def test_a_schedule_follows_the_share_of_batches_done(make_learner):
    watch = Watch()
    learn = make_learner(cbs=[watch, ParamScheduler({"lr": SchedLin(1.0, 0.0)})], opt_func=Adam)
    learn.fit(2)
    assert [lr for (lr,) in watch.lr] == [1 - i / 8 for i in range(8)]


def test_any_hyper_parameter_can_be_scheduled(make_learner):
    scheds = {"lr": SchedCos(0.1, 0.2), "wd": SchedLin(0, 1), "sqr_mom": SchedLin(0.9, 0.99)}
    learn = make_learner(opt_func=Adam)
    learn.fit(1, cbs=ParamScheduler(scheds))
    assert learn.recorder.hps.keys() == scheds.keys()
    for name, schedule in scheds.items():
        np.testing.assert_allclose(learn.recorder.hps[name], [schedule(i / 4) for i in range(4)])


def test_a_schedule_may_give_each_group_its_own_value(grouped):
    learn, watch = grouped()
    learn.fit(1, cbs=ParamScheduler({"lr": lambda p: np.array([1.0, 2.0, 3.0]) * (1 + p)}))
    assert watch.lr == [[1 + p, 2 + 2 * p, 3 + 3 * p] for p in (0, 0.25, 0.5, 0.75)]


def test_an_unknown_hyper_parameter_is_refused_with_the_nearest(make_learner):
    learn = make_learner()
    with pytest.raises(ValueError, match=r"no hyper-parameter 'momm'.*Did you mean 'mom'"):
        learn.fit(1, cbs=ParamScheduler({"momm": SchedLin(0, 1)}))


def test_a_loader_of_unknown_length_has_no_progress_to_follow(make_learner, samples):
    class Stream(torch_data.IterableDataset):
        def __iter__(self):
            return iter(samples(32))

    learn = make_learner(dls=DataLoaders(DataLoader(Stream(), 8), DataLoader(Stream(), 8)))
    with pytest.raises(ValueError, match=r"does not say how many.*pass n="):
        learn.fit_one_cycle(1, 0.1)
    learn.dls = DataLoaders(DataLoader(Stream(), 8, n=32), DataLoader(Stream(), 8))
    learn.fit_one_cycle(1, 0.1)
    assert len(set(learn.recorder.lrs)) == 4


def test_the_record_has_one_value_per_training_batch(make_learner):
    learn = make_learner()
    learn.fit_one_cycle(2, 0.1)
    assert len(learn.recorder.hps["lr"]) == len(learn.recorder.losses) == 8
    assert learn.recorder.hps["lr"] == learn.recorder.lrs


# -- fit_one_cycle -------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(
    steps=st.integers(8, 60),
    pct_start=st.floats(0.2, 0.8),
    div=st.floats(2, 50),
    div_final=st.floats(100, 1e6),
    lr_max=st.floats(1e-4, 1.0),
)
def test_the_curve_is_that_of_torch(steps, pct_start, div, div_final, lr_max):
    """Torch's reaches the end at the last step, ours after it; the curves are the same."""
    torch_opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    torch_sched = torch.optim.lr_scheduler.OneCycleLR(
        torch_opt, lr_max, total_steps=steps, pct_start=pct_start, anneal_strategy="cos",
        div_factor=div, final_div_factor=div_final / div, base_momentum=0.85, max_momentum=0.95,
    )  # fmt: skip

    class Catch:
        """Enough of a learner to see which schedules are made."""

        lr, moms = 1e-3, (0.95, 0.85, 0.95)
        opt = SGD([torch.zeros(1)], lr=1.0, mom=0.9)

        def ready_opt(self, reset=False):
            return self.opt

        def fit(self, n_epoch, cbs=None, **_):
            self.scheds = cbs[0].scheds

    catch = Catch()
    fit_one_cycle(catch, 1, lr_max, div, div_final, pct_start)
    top = pct_start * steps - 1
    for step in range(steps):
        if step <= top:
            share = pct_start * step / top
        else:
            share = pct_start + (1 - pct_start) * (step - top) / (steps - 1 - top)
        group = torch_opt.param_groups[0]
        np.testing.assert_allclose(catch.scheds["lr"](share), [group["lr"]], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(catch.scheds["mom"](share), group["momentum"], rtol=1e-6)
        if step < steps - 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # there is no step of the optimizer in between
                torch_sched.step()


def test_one_cycle_uses_the_defaults_that_are_known(make_learner):
    learn = make_learner(n=320, opt_func=Adam)
    learn.fit_one_cycle(1, 0.1)
    lrs, moms = learn.recorder.hps["lr"], learn.recorder.hps["mom"]
    assert lrs[0] == pytest.approx(0.1 / 25)
    assert lrs[10] == max(lrs) == pytest.approx(0.1)
    assert moms[0] == pytest.approx(0.95)
    assert moms[10] == min(moms) == pytest.approx(0.85)
    expected_last = 1e-6 + (0.1 - 1e-6) * (1 + np.cos(np.pi * 29 / 30)) / 2
    assert lrs[-1] == pytest.approx(expected_last)


def test_one_cycle_takes_momenta_and_decay(grouped):
    learn, watch = grouped()
    learn.fit_one_cycle(1, 0.1, moms=(0.8, 0.6, 0.8), wd=0.3, pct_start=0.5)
    assert [m[0] for m in watch.mom][::2] == pytest.approx([0.8, 0.6])
    assert watch.wd == [[0.3] * 3] * 4


def test_groups_cycle_side_by_side(grouped):
    learn, watch = grouped()
    learn.fit_one_cycle(2, slice(1e-4, 1e-2))
    lrs = np.array(watch.lr)
    np.testing.assert_allclose(lrs[:, 1] / lrs[:, 0], 10)
    np.testing.assert_allclose(lrs[:, 2] / lrs[:, 1], 10)
    np.testing.assert_allclose(lrs[2], [1e-4, 1e-3, 1e-2])


def test_a_slice_with_one_end_gives_the_others_a_tenth(grouped):
    learn, watch = grouped()
    learn.fit_one_cycle(1, slice(1e-2))
    np.testing.assert_allclose(watch.lr[1], [1e-3, 1e-3, 1e-2])


def test_a_training_can_go_on_where_it_stopped(make_learner):
    def whole():
        return make_learner(opt_func=Adam)

    one, two = whole(), whole()
    one.fit_one_cycle(3, 0.1)
    two.fit_one_cycle(3, 0.1, start_epoch=2)
    assert two.recorder.hps["lr"] == one.recorder.hps["lr"][8:]


def test_the_schedule_is_gone_after_the_fit(make_learner):
    learn = make_learner()
    before = list(learn.cbs)
    learn.fit_one_cycle(1, 0.1)
    assert list(learn.cbs) == before
    learn.fit(1, lr=0.05)
    assert learn.recorder.lrs == [0.05] * 4
    assert learn.recorder.hps == {}


def test_reset_opt_forgets_the_state_of_the_optimizer(make_learner):
    learn = make_learner(opt_func=Adam)
    learn.fit_one_cycle(1, 0.1)
    opt = learn.opt
    learn.fit_one_cycle(1, 0.1)
    assert learn.opt is opt
    learn.fit_one_cycle(1, 0.1, reset_opt=True)
    assert learn.opt is not opt


def test_stock_optimizers_are_scheduled_too(make_learner):
    learn = make_learner(opt_func=partial(OptimWrapper, opt=torch.optim.AdamW))
    learn.fit_one_cycle(1, 0.1, pct_start=0.5)
    assert learn.recorder.hps["mom"][0] == pytest.approx(0.95)
    assert learn.opt.opt.param_groups[0]["betas"][0] == learn.recorder.hps["mom"][-1]


# -- the other trainings -------------------------------------------------------------------


def test_flat_cos_is_flat_and_then_a_cosine(make_learner):
    learn = make_learner(n=64)
    learn.fit_flat_cos(2, 0.1, pct_start=0.5, div_final=100)
    lrs = learn.recorder.hps["lr"]
    assert lrs[:9] == pytest.approx([0.1] * 9)
    expected = [0.001 + 0.099 * (1 + np.cos(np.pi * i / 8)) / 2 for i in range(8)]
    assert lrs[8:] == pytest.approx(expected)


def test_sgdr_restarts_and_its_cycles_grow(make_learner):
    learn = make_learner()
    learn.fit_sgdr(3, 1, 0.1)
    assert learn.n_epoch == 1 + 2 + 4
    expected = [
        0.1 * (1 + np.cos(np.pi * i / length)) / 2 for length in (4, 8, 16) for i in range(length)
    ]
    np.testing.assert_allclose(learn.recorder.hps["lr"], expected, atol=1e-12)


def test_sgdr_equals_the_restarts_of_torch(make_learner):
    learn = make_learner()
    learn.fit_sgdr(2, 2, 0.1, cycle_mult=2)
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=8, T_mult=2)
    expected = []
    for _ in range(24):
        expected.append(opt.param_groups[0]["lr"])
        opt.step()
        restarts.step()
    np.testing.assert_allclose(learn.recorder.hps["lr"], expected, atol=1e-12)


# -- fine_tune and freezing ----------------------------------------------------------------


def copied(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_frozen_weights_stay_bit_for_bit_except_norm_layers(grouped):
    learn, _ = grouped()
    before = copied(learn.model)
    learn.freeze()
    learn.fit(2, lr=0.1)
    after = learn.model.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    norm = {
        f"1.{k}" for k in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert changed == norm | {"3.weight", "3.bias"}


def test_without_train_bn_the_parameters_of_norm_layers_are_frozen_too(grouped):
    learn, _ = grouped(train_bn=False)
    before = copied(learn.model)
    learn.freeze()
    learn.fit(1, lr=0.1)
    after = learn.model.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k]) and "num" not in k}
    assert changed == {"1.running_mean", "1.running_var", "3.weight", "3.bias"}


def test_fine_tune_trains_the_head_and_then_all(grouped):
    learn, watch = grouped()
    states = []

    class Look(Callback):
        def after_fit(self):
            states.append(copied(self.learn.model))

    states.append(copied(learn.model))
    learn.fine_tune(2, base_lr=1e-2, freeze_epochs=1, cbs=Look())
    start, head, whole = states
    assert torch.equal(start["0.weight"], head["0.weight"])
    assert torch.equal(start["2.weight"], head["2.weight"])
    assert not torch.equal(start["3.weight"], head["3.weight"])
    assert not torch.equal(head["0.weight"], whole["0.weight"])
    assert learn.opt.frozen_idx == 0
    assert len(watch.lr) == 4 + 8


def test_fine_tune_uses_the_rates_that_are_known(grouped):
    learn, watch = grouped()
    learn.dls.train.bs = 2
    learn.fine_tune(10, base_lr=1e-2, freeze_epochs=2)
    frozen, whole = np.array(watch.lr[:32]), np.array(watch.lr[32:])
    # Almost all of the first part rises to base_lr; groups below the head would get a tenth.
    assert frozen[:, 2].argmax() == 31
    np.testing.assert_allclose(frozen[-1], [1e-3, 1e-3, 1e-2], rtol=1e-2)
    np.testing.assert_allclose(frozen[0, 2], 1e-2 / 25)
    # The second rises for 0.3 of the time from a fifth of the top, which is half of base_lr.
    np.testing.assert_allclose(whole[0], [1e-5, 1e-4, 1e-3])
    assert whole[:, 2].argmax() == 48
    np.testing.assert_allclose(whole.max(0), [5e-5, 5e-4, 5e-3], rtol=1e-2)


def test_fine_tune_can_leave_the_first_part_out(grouped):
    learn, watch = grouped()
    learn.fine_tune(1, freeze_epochs=0)
    assert len(watch.lr) == 4


def test_fine_tune_refuses_what_it_does_not_know(grouped):
    learn, _ = grouped()
    with pytest.raises(TypeError, match="lr_maxx"):
        fine_tune(learn, 1, lr_maxx=1)
