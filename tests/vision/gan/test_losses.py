"""Losses against torch's own and against values worked out by hand."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from layerwise.core.nn.base_loss import NoneReduce
from layerwise.vision.gan import (
    AdaptiveLoss,
    GANLoss,
    GANModule,
    accuracy_thresh_expand,
    gan_loss_from_func,
    hinge_critic_loss,
    hinge_generator_loss,
    logistic_critic_loss,
    logistic_generator_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)

REAL, FAKE = torch.tensor([[2.0], [0.5]]), torch.tensor([[-3.0], [0.0]])


class Scale(nn.Module):
    """Multiplies by a weight."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return self.by * x


def test_wasserstein_losses_are_means_and_their_difference():
    assert wasserstein_generator_loss(FAKE).item() == -1.5
    assert wasserstein_critic_loss(REAL, FAKE).item() == 1.25 + 1.5


def test_hinge_losses_count_what_is_within_the_margin():
    assert hinge_generator_loss(FAKE).item() == 1.5
    assert hinge_critic_loss(REAL, FAKE).item() == (0 + 0.5) / 2 + (0 + 1) / 2


def test_logistic_losses_are_cross_entropies_of_the_right_labels():
    ones, zeros = torch.ones(2, 1), torch.zeros(2, 1)
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(logistic_generator_loss(FAKE), bce(FAKE, ones))
    torch.testing.assert_close(logistic_critic_loss(REAL, FAKE), bce(REAL, ones) + bce(FAKE, zeros))


def test_losses_of_two_learners_are_weighed_and_averaged():
    critic = AdaptiveLoss(nn.BCEWithLogitsLoss())
    generator_loss, critic_loss = gan_loss_from_func(nn.L1Loss(), critic, weights_gen=(0.5, 3.0))
    output, target = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0])
    fooled = F.binary_cross_entropy_with_logits(FAKE, torch.ones(2, 1))
    torch.testing.assert_close(generator_loss(FAKE, output, target), 0.5 * fooled + 3.0 * 1.5)
    right = F.binary_cross_entropy_with_logits(REAL, torch.ones(2, 1))
    wrong = F.binary_cross_entropy_with_logits(FAKE, torch.zeros(2, 1))
    torch.testing.assert_close(critic_loss(REAL, FAKE), (right + wrong) / 2)


def test_losses_of_two_learners_count_once_each_unless_told():
    generator_loss, _ = gan_loss_from_func(nn.L1Loss(), lambda pred, ones: pred.mean())
    assert generator_loss(FAKE, torch.zeros(2), torch.ones(2)).item() == -1.5 + 1.0


def test_gan_loss_asks_the_critic_about_what_the_generator_made():
    model = GANModule(Scale(2.0), Scale(5.0), gen_mode=True)
    loss = GANLoss(lambda fake, out, real: fake.sum() + (out - real).sum(), lambda *_: None, model)
    output = model(torch.tensor([1.0]))
    assert loss(output, torch.tensor([0.5])).item() == 10 + 1.5
    assert loss.gen_loss.item() == 11.5


def test_gan_loss_makes_pictures_for_the_critic_without_their_graph():
    model = GANModule(Scale(2.0), Scale(5.0))
    loss = GANLoss(lambda *_: None, lambda real, fake: (real - fake).sum(), model)
    generator: Any = model.generator
    critic: Any = model.critic
    value = loss(model(torch.tensor([4.0])), torch.tensor([1.0]))  # real picture 4, noise 1
    assert value.item() == 5 * 4 - 5 * 2
    value.backward()
    assert generator.by.grad is None
    assert critic.by.grad.item() == 4 - 2
    assert loss.crit_loss.item() == 10
    assert loss.fake.item() == 2


def test_gan_loss_knows_both_losses_in_validation():
    model = GANModule(Scale(2.0), Scale(5.0), gen_mode=True)
    loss = GANLoss(wasserstein_generator_loss, wasserstein_critic_loss, model)
    with torch.no_grad():
        loss(model(torch.tensor([1.0])), torch.tensor([4.0]))
    assert loss.gen_loss.item() == 10
    assert loss.crit_loss.item() == 20 - 10


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 25), (2, 1, 3, 3)])
def test_adaptive_loss_repeats_the_target_for_each_output(shape):
    output = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1])
    repeated = torch.stack([torch.zeros(shape[1:]), torch.ones(shape[1:])])
    expected = F.binary_cross_entropy_with_logits(output, repeated)
    torch.testing.assert_close(AdaptiveLoss(nn.BCEWithLogitsLoss())(output, target), expected)


def test_adaptive_loss_turns_logits_into_a_class():
    loss = AdaptiveLoss(nn.BCEWithLogitsLoss())
    logits = torch.tensor([[4.0, 4.0, -1.0], [-4.0, -4.0, 1.0]])
    assert loss.decodes(loss.activation(logits)).tolist() == [1, 0]
    assert AdaptiveLoss(nn.MSELoss()).activation(logits) is logits


def test_accuracy_thresh_expand_counts_each_output():
    logits = torch.tensor([[3.0, -1.0], [-1.0, -1.0]])  # probabilities 0.95 0.27 0.27 0.27
    assert accuracy_thresh_expand(logits, torch.tensor([1, 0])).item() == 0.75
    assert accuracy_thresh_expand(logits, torch.tensor([1, 0]), thresh=0.2).item() == 0.5
    raw = torch.tensor([0.6, 0.4])
    assert accuracy_thresh_expand(raw, torch.tensor([1, 1]), sigmoid=False).item() == 0.5


def test_the_loss_of_each_item_is_that_of_a_batch_of_one():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(3, 1, 3))  # several numbers an item
    model = GANModule(nn.Identity(), critic, gen_mode=True)
    loss = GANLoss(
        lambda said, out, real: said.sigmoid().mean() + F.l1_loss(out, real),
        hinge_critic_loss,
        model,
    )
    made, real = torch.rand(4, 3, 5, 5), torch.rand(4, 3, 5, 5)
    with torch.no_grad(), NoneReduce(loss) as per_item:
        found = per_item(made, real)
    expected = [
        critic(x[None]).sigmoid().mean() + (x - y).abs().mean()
        for x, y in zip(made, real, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected))
    assert loss.reduction == "mean"
    torch.testing.assert_close(loss(made, real), found.mean())
    with pytest.raises(ValueError, match="reduction='sum' of a GANLoss; give 'mean' or 'none'"):
        loss.reduction = "sum"
