"""`GradientPenalty`: what keeps a Wasserstein critic smooth in place of clipped weights."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.random import generator
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.vision.gan.losses import GANLoss
from layerwise.vision.gan.switchers import trainer_of

__all__ = ["GradientPenalty", "gradient_penalty"]

# The root of a sum of squares has no gradient at zero.
_EPSILON = 1e-12


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """() how far the critic's gradient is from a length of 1, squared (Gulrajani et al., 2017).

    It is taken at pictures between real and generated ones, a random part of the way for each.

    Args:
        critic: takes (B, C, H, W); without batch normalisation, which would make one gradient of
            those of all items.
        real: (B, C, H, W) real pictures.
        fake: (B, C, H, W) generated ones; if there are fewer of one, as many as of that.

    Example:
        >>> twice = lambda x: 2 * x.flatten(1)[:, :1]  # a gradient of length 2 everywhere
        >>> penalty = gradient_penalty(twice, torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2))
        >>> round(penalty.item(), 4)
        1.0
    """
    count = min(len(real), len(fake))
    real, fake = real[:count].detach(), fake[:count].detach().to(real.dtype)
    part = torch.rand(count, *[1] * (real.ndim - 1), generator=generator()).to(real)
    between = torch.lerp(real, fake, part).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    length = (gradient.flatten(1).square().sum(1) + _EPSILON).sqrt()
    return (length - 1).square().mean()


class GradientPenalty(Callback):
    """Adds `gradient_penalty` to the loss that the critic's gradients come from.

    Reads `xb`, `model`, `loss_func`; sets `loss_grad` in `after_loss`, and publishes
    `gradient_penalty`. The loss that is reported stays without.

    Args:
        weight: of the penalty; 10 in the paper.
    """

    # Before the loss of each process is weighed by the size of its part.
    order: ClassVar[float] = -9.5
    after: ClassVar = (TrainEvalCallback,)
    run_valid = False

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__()
        if not weight > 0:
            raise ValueError(f"weight={weight}; give a number above 0, or leave the penalty out")
        self.weight = weight

    def after_loss(self) -> None:
        """Add the penalty, in the turns of the critic."""
        learn, trainer = self.learn, trainer_of(self)
        loss_func = learn.loss_func
        if trainer.gen_mode or not isinstance(loss_func, GANLoss) or loss_func.fake is None:
            return
        real, fake = learn.xb[0], loss_func.fake
        with torch.autocast(real.device.type, enabled=False):  # squares of gradients
            penalty = gradient_penalty(trainer.gan.critic, real, fake)
        learn.loss_grad = learn.loss_grad + self.weight * penalty
        learn.log("gradient_penalty", penalty.detach())
