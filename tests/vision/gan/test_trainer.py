"""What happens in turns: who moves, what is clipped and counted, what a checkpoint holds."""

import copy
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.several import Optimizers
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder
from layerwise.vision.gan import FixedGANSwitcher, GANDiscriminativeLR, GANTrainer, gan_parts


def weights(module):
    return [p.detach().clone() for p in module.parameters()]


def differ(before, module):
    return any(not torch.equal(b, p) for b, p in zip(before, module.parameters(), strict=True))


class Moves(Callback):
    """Notes after each step whose turn it was, and which parts have moved. Reads `model`."""

    run_valid = False
    after = (GANTrainer,)

    def __init__(self):
        super().__init__()
        self.seen = []

    def before_batch(self):
        model = self.learn.model
        self.were = weights(model.generator), weights(model.critic)

    def after_step(self):
        model = self.learn.model
        moved = differ(self.were[0], model.generator), differ(self.were[1], model.critic)
        self.seen.append((model.gen_mode, *moved))


@pytest.mark.parametrize("opt_func", [SGD, Adam, torch.optim.AdamW], ids=["SGD", "Adam", "AdamW"])
def test_only_the_part_whose_turn_it_is_moves(make_small, opt_func):
    learn = make_small(cbs=Moves(), opt_func=opt_func, wd=0.1)
    learn.fit(2)
    assert learn.moves.seen == [(False, False, True), (True, True, False)] * 8


def test_each_part_may_have_an_optimizer_of_its_own(make_small):
    learn = make_small(
        cbs=Moves(),
        splitter=gan_parts,
        opt_func=Optimizers.of(generator=SGD, critic=torch.optim.RMSprop),
    )
    learn.fit(1, lr=[0.1, 0.01])
    assert learn.moves.seen == [(False, False, True), (True, True, False)] * 4
    assert [hyper["lr"] for hyper in learn.opt.hypers] == [0.1, 0.01]


def test_steps_are_those_of_gradients_worked_out_by_hand(make_small):
    learn = make_small()
    model = learn.model
    by_hand = copy.deepcopy(model)
    batches = [
        (x.as_subclass(torch.Tensor), y.as_subclass(torch.Tensor)) for x, y in learn.dls.train
    ]
    learn.fit(1)
    for number, (noise, real) in enumerate(batches):
        critic, generator = by_hand.critic, by_hand.generator
        if number % 2 == 0:
            part, loss = critic, critic(real).mean() - critic(generator(noise).detach()).mean()
        else:
            part, loss = generator, critic(generator(noise)).mean()
        gradients = torch.autograd.grad(loss, list(part.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(part.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_weights_of_the_critic_stay_within_the_bound_and_those_of_the_generator_do_not(make_small):
    class Largest(Callback):
        run_valid = False

        def after_pred(self):  # of the first batch, too
            self.critic = max(p.abs().max() for p in self.learn.model.critic.parameters())
            assert self.critic <= 0.01

    learn = make_small(clip=0.01, cbs=Largest())
    learn.fit(1)
    assert max(p.abs().max() for p in learn.model.critic.parameters()) == 0.01
    assert max(p.abs().max() for p in learn.model.generator.parameters()) > 0.01


def test_what_was_frozen_by_hand_stays_so(make_small):
    learn = make_small()
    learn.model.critic.bias.requires_grad_(False)
    before = learn.model.critic.bias.clone()
    learn.fit(1)
    assert torch.equal(learn.model.critic.bias, before)
    assert not learn.model.critic.bias.requires_grad
    assert learn.model.critic.weight.requires_grad


def test_a_fit_leaves_a_model_that_generates_and_can_be_trained(make_small):
    class Fails(Callback):
        def after_loss(self):
            raise RuntimeError("on purpose")

    learn = make_small(cbs=Fails())
    with pytest.raises(RuntimeError, match="on purpose"):
        learn.fit(1)
    assert learn.model.gen_mode
    assert all(p.requires_grad for p in learn.model.parameters())


@pytest.mark.parametrize("switch_eval", [True, False], ids=["rests", "trains on"])
def test_the_part_that_rests_is_in_evaluation_mode_if_asked_for(make_small, switch_eval):
    class Modes(Callback):
        run_valid = False

        def after_pred(self):
            gan = self.learn.model
            assert (gan.generator if gan.gen_mode else gan.critic).training
            assert (gan.critic if gan.gen_mode else gan.generator).training is not switch_eval

    make_small(switch_eval=switch_eval, cbs=Modes(), valid=True).fit(2)


def test_validation_generates_and_both_losses_are_measured(make_small):
    class Inputs(Callback):
        run_train = False

        def after_pred(self):
            gan: Any = self.learn.model
            expected = gan.generator(self.learn.xb[0])
            torch.testing.assert_close(self.learn.pred, expected)

    learn = make_small(valid=True, cbs=Inputs())
    learn.fit(1)
    names = ["train_gen_loss", "train_crit_loss", "valid_gen_loss", "valid_crit_loss"]
    row = dict(zip(learn.recorder.metric_names[1:], learn.recorder.values[-1], strict=False))
    assert all(isinstance(row[name], float) for name in names)
    fake_score = row["valid_gen_loss"]
    with torch.no_grad():
        real = torch.cat([y for _, y in learn.dls.valid]).as_subclass(torch.Tensor)
        real_score = learn.model.critic(real).mean().item()
    assert row["valid_crit_loss"] == pytest.approx(real_score - fake_score, abs=1e-5)


def test_each_loss_is_the_mean_over_the_batches_of_its_turns(make_small):
    class Losses(Callback):
        run_valid = False
        losses: dict[bool, list[float]]

        def __init__(self):
            super().__init__()
            self.losses = {True: [], False: []}

        def after_batch(self):
            self.losses[self.learn.model.gen_mode].append(self.learn.loss.item())

    learn = make_small(cbs=Losses())
    learn.fit(1)
    row = dict(zip(learn.recorder.metric_names[1:], learn.recorder.values[-1], strict=False))
    for of_generator, name in ((True, "train_gen_loss"), (False, "train_crit_loss")):
        found = learn.losses.losses[of_generator]
        assert row[name] == pytest.approx(sum(found) / len(found), abs=1e-6)
    assert len(learn.gan_trainer.gen_losses) == len(learn.gan_trainer.crit_losses) == 4


def test_metrics_of_the_user_measure_the_generator_alone(make_small):
    def distance(pred, target):
        assert pred.shape == target.shape == (2, 1)
        return (pred - target).abs().mean()

    class Pairs(Callback):
        run_valid = False
        found: tuple[float, ...] = ()

        def after_batch(self):
            if self.learn.model.gen_mode:
                self.found = (*self.found, distance(self.learn.pred, self.learn.yb[0]).item())

    learn = make_small(metrics=distance, cbs=Pairs())
    learn.fit(1)
    row = dict(zip(learn.recorder.metric_names[1:], learn.recorder.values[-1], strict=False))
    assert row["train_distance"] == pytest.approx(sum(learn.pairs.found) / 4)


def test_a_recorder_of_the_user_stays_as_it_is(make_small):
    learn = make_small(cbs=Recorder(train_metrics=False))
    assert not learn.recorder.train_metrics


def test_accumulated_turns_have_the_gradient_of_the_whole(make_small):
    whole, parts = make_small(), make_small(cbs=GradientAccumulation(4))
    whole.dls = type(whole.dls)(whole.dls.train.new(bs=4))
    for learn in (whole, parts):
        learn.fit(1)
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("mode", ["bf16", "fp16"])
def test_mixed_precision_trains_both(make_wgan, mode):
    learn = make_wgan(cbs=MixedPrecision(mode), switcher=FixedGANSwitcher(2))
    before = weights(learn.model.generator), weights(learn.model.critic)
    learn.fit(1, 1e-3)
    assert differ(before[0], learn.model.generator)
    assert differ(before[1], learn.model.critic)
    assert all(p.dtype == torch.float32 for p in learn.model.parameters())
    assert all(torch.isfinite(p).all() for p in learn.model.parameters())


class Stop(Callback):
    """Ends the training with an error after so many batches."""

    order = 2000
    run_valid = False

    def __init__(self, at):
        super().__init__()
        self.at = at

    def after_batch(self):
        if self.learn.train_iter == self.at:
            raise KeyboardInterrupt


def states(learn):
    return {**learn.model.state_dict(), **learn.ema.model.state_dict()}


@pytest.mark.parametrize("stopped_at", [2, 5, 6, 9, 11])
@pytest.mark.parametrize("penalty", [None, 10.0], ids=["clip", "penalty"])
def test_a_training_that_goes_on_is_the_same_bit_for_bit(make_wgan, stopped_at, penalty):
    def make(*cbs):
        own = [EMA(0.9), GANDiscriminativeLR(2.0), *cbs]
        return make_wgan(gp=penalty, cbs=own, switcher=FixedGANSwitcher(n_crit=3), switch_eval=True)

    through = make(Checkpoint("1ba", dir="other", background=False))
    through.fit(2, 1e-3)
    stopped = make(Checkpoint("1ba", background=False), Stop(stopped_at))
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(2, 1e-3)
    torch.manual_seed(1234)  # what a new process has is no part of it
    resumed = make(Checkpoint("1ba", background=False))
    resumed.fit(2, 1e-3, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(
        states(through).values(), states(resumed).values(), strict=True
    ))  # fmt: skip
    assert resumed.recorder.values == through.recorder.values
    for name in ("gen_losses", "crit_losses", "titles"):
        assert getattr(resumed.gan_trainer, name) == getattr(through.gan_trainer, name)
    assert all(map(torch.equal, resumed.gan_trainer.imgs, through.gan_trainer.imgs))


def test_pictures_of_the_epochs_are_kept_decoded_and_drawn(make_wgan):
    learn = make_wgan(switcher=FixedGANSwitcher())
    learn.fit(3, 1e-3)
    trainer = learn.gan_trainer
    assert trainer.titles == ["Epoch 0", "Epoch 1", "Epoch 2"]
    assert all(x.shape == (1, 16, 16) and x.min() >= 0 and x.max() <= 1 for x in trainer.imgs)
    axes = trainer.show_imgs(max_n=2)
    assert [ax.get_title() for ax in axes] == ["Epoch 1", "Epoch 2"]
    plt.close("all")


def test_no_picture_is_kept_unless_wanted(make_wgan):
    learn = make_wgan(show_img=False)
    learn.fit(1)
    with pytest.raises(ValueError, match="train first, with show_img=True"):
        learn.gan_trainer.show_imgs()


def test_the_rate_finder_trains_a_copy(make_wgan):
    learn = make_wgan()
    before = weights(learn.model)
    learn.lr_find(num_it=12, stop_div=False, show_plot=False)
    assert not differ(before, learn.model)
    assert learn.loss_func.gan_model is learn.model


def test_a_model_of_one_part_is_refused(make_small):
    learn = Learner(make_small().dls, nn.Linear(1, 1), nn.MSELoss(), cbs=GANTrainer())
    with pytest.raises(TypeError, match="make the learner with GANLearner"):
        learn.fit(1)


def test_a_bound_of_zero_is_refused():
    with pytest.raises(ValueError, match="clip=0"):
        GANTrainer(clip=0)
