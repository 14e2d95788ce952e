"""The gradient penalty, by values worked out by hand and by finite differences."""

from typing import Any

import pytest
import torch
from torch import nn

from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.random import keyed
from layerwise.core.train.callback import Callback
from layerwise.vision.gan import GradientPenalty, gradient_penalty


def test_the_penalty_of_a_linear_critic_is_that_of_its_weight():
    critic: Any = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        critic[1].weight.copy_(torch.tensor([[1.0, 2.0, 2.0, 4.0]]))  # of length 5
    real, fake = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    penalty = gradient_penalty(critic, real, fake)
    torch.testing.assert_close(penalty, torch.tensor(16.0))
    penalty.backward()  # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    expected = 2 * 4 * critic[1].weight / 5
    torch.testing.assert_close(critic[1].weight.grad, expected.detach())


def test_the_penalty_is_taken_between_real_and_generated():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    with keyed(1):
        gradient_penalty(critic, torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2))
    part = seen[0]
    assert (part == part[:, :, :1, :1]).all()  # one part of the way for a whole picture
    assert part.min() > 0
    assert part.max() < 1
    assert part[:, 0, 0, 0].unique().numel() == 64


def test_an_uneven_last_batch_is_compared_as_far_as_it_goes():
    critic: Any = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    gradient_penalty(critic, torch.zeros(3, 1, 2, 2), torch.ones(2, 1, 2, 2))


def test_a_critic_that_is_flat_has_a_gradient_still():
    critic: Any = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    nn.init.zeros_(critic[1].weight)
    gradient_penalty(critic, torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)).backward()
    assert torch.isfinite(critic[1].weight.grad).all()


def test_the_callback_adds_to_the_gradient_in_turns_of_the_critic_alone(make_small):
    class Added(Callback):
        run_valid = False
        after = (GradientPenalty,)
        seen: tuple[float, ...] = ()

        def after_loss(self):
            learn = self.learn
            gan: Any = learn.model
            weight = gan.critic.weight.detach().abs().item()
            expected = 0 if gan.gen_mode else 7 * (weight - 1) ** 2
            added = (learn.loss_grad - learn.loss).item()
            assert added == pytest.approx(expected, abs=1e-5)
            self.seen = (*self.seen, expected)

    learn = make_small(cbs=[GradientPenalty(7.0), Added()])
    learn.fit(1)
    assert sum(each > 0 for each in learn.added.seen) == 4


def test_a_penalty_without_weight_is_refused():
    with pytest.raises(ValueError, match="weight=0"):
        GradientPenalty(0)


def test_the_penalty_is_computed_in_full_precision(make_wgan):
    learn = make_wgan(gp=10.0, cbs=MixedPrecision("bf16"))
    kinds = set()

    def look(module, args, said):
        kinds.add((args[0].requires_grad and args[0].is_leaf, said.dtype))

    learn.model.critic.register_forward_hook(look)
    learn.fit(1, 1e-3)
    # Only pictures between real and generated ones are leaves with gradients.
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
