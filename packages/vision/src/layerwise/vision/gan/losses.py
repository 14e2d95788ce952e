"""What generator and critic are trained with: `GANLoss`, and pairs of functions for it.

A generator's loss is called `f(fake_pred, output, target)`, a critic's `f(real_pred, fake_pred)`.

Shapes: B batch, * what a critic says of a picture: one number, or one for each of its parts.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.metrics.sizes import count_items
from layerwise.core.nn.module import Module
from layerwise.vision.gan.module import GANModule

__all__ = [
    "AdaptiveLoss",
    "GANLoss",
    "accuracy_thresh_expand",
    "gan_loss_from_func",
    "hinge_critic_loss",
    "hinge_generator_loss",
    "logistic_critic_loss",
    "logistic_generator_loss",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]

GeneratorLoss = Callable[..., Tensor]
CriticLoss = Callable[[Tensor, Tensor], Tensor]


class GANLoss:
    """The loss of whose turn it is in `gan_model`, the generator's or the critic's.

    Args:
        gen_loss_func: called as `f(fake_pred, output, target)`: what the critic says of the
            generator's pictures, these pictures, and the real ones.
        crit_loss_func: called as `f(real_pred, fake_pred)`: what the critic says of real pictures
            and of generated ones.
        gan_model: generator and critic.

    Attributes:
        reduction: "mean", or "none" for the generator's loss of each item alone, which
            `get_preds(with_loss=True)` asks for.
        gen_loss: the generator's loss, when it was last computed; None before.
        crit_loss: the critic's, likewise.
        fake: the pictures that the critic was last trained with, without graph.

    Example:
        >>> model = GANModule(nn.Identity(), nn.Identity(), gen_mode=True)
        >>> loss = GANLoss(wasserstein_generator_loss, wasserstein_critic_loss, model)
        >>> real, fake = torch.tensor([[3.0]]), torch.tensor([[1.0]])
        >>> loss(fake, real)
        tensor(1.)
        >>> model.switch()
        >>> loss(real, fake)  # the critic's opinion of real pictures, and what fakes are made of
        tensor(2.)
    """

    def __init__(
        self, gen_loss_func: GeneratorLoss, crit_loss_func: CriticLoss, gan_model: GANModule
    ) -> None:
        self.gen_loss_func, self.crit_loss_func = gen_loss_func, crit_loss_func
        self.gan_model = gan_model
        self.reduction = "mean"
        self.gen_loss: Tensor | None = None
        self.crit_loss: Tensor | None = None
        self.fake: Tensor | None = None

    def __call__(self, pred: Tensor, *others: Tensor) -> Tensor:
        """`generator` or `critic` of the same arguments."""
        if not self.gan_model.gen_mode:
            return self.critic(pred, *others)
        if not torch.is_grad_enabled() and others:  # in validation both can be had
            real_pred, fake_pred = self._judged(others[0]), self._judged(pred)
            self.crit_loss = self.crit_loss_func(real_pred, fake_pred)
        return self.generator(pred, *others)

    def generator(self, output: Tensor, *target: Tensor) -> Tensor:
        """The loss of pictures `output` that the generator has made, for the real ones.

        () the mean, or (B,) where `reduction` is "none".
        """
        members = self._judged(output), output, *target
        if self.reduction == "none":
            # Any function of a batch tells the loss of one item of a batch that is that item.
            rows = range(len(output))
            alone = [self.gen_loss_func(*(x[i : i + 1] for x in members)) for i in rows]
            loss = torch.stack(alone).reshape(len(output), -1).mean(1)
        else:
            loss = self.gen_loss_func(*members)
        self.gen_loss = loss.detach().mean()
        return loss

    def critic(self, real_pred: Tensor, *inputs: Tensor) -> Tensor:
        """() the loss of what the critic says of real pictures and of those made of `inputs`."""
        with torch.no_grad():
            self.fake = _single(self.gan_model.generator(*inputs))
        loss = self.crit_loss_func(real_pred, self._judged(self.fake))
        self.crit_loss = loss.detach()
        return loss

    def _judged(self, pictures: Tensor) -> Tensor:
        return _single(self.gan_model.critic(pictures))

    @property
    def reduction(self) -> str:
        """How the generator's loss is told: "mean", or "none" for that of each item."""
        return self._reduction

    @reduction.setter
    def reduction(self, value: str) -> None:
        if value not in ("mean", "none"):
            raise ValueError(f"reduction={value!r} of a GANLoss; give 'mean' or 'none'")
        self._reduction = value

    def loss_weight(self, pred: Any, *targets: Any) -> int:  # noqa: ARG002 - as of all losses
        """What the loss is a mean over: items, for `GradientAccumulation`."""
        return count_items(targets)


def _single(x: Tensor) -> Tensor:
    """`x` in full precision, where mixed precision has made it half."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


# -- pairs of losses -------------------------------------------------------------------------


def gan_loss_from_func(
    loss_gen: Callable[..., Tensor],
    loss_crit: Callable[..., Tensor],
    weights_gen: tuple[float, float] | None = None,
) -> tuple[GeneratorLoss, CriticLoss]:
    """A generator's and a critic's loss from those that each was trained with alone.

    The generator's is `weights_gen[0] * loss_crit(fake_pred, ones) + weights_gen[1] *
    loss_gen(output, target)`, the critic's the mean of `loss_crit(real_pred, ones)` and
    `loss_crit(fake_pred, zeros)`.

    Args:
        loss_gen: called as `f(output, target)`.
        loss_crit: called as `f(pred, labels)`, with (B,) labels: 1 real, 0 generated.
        weights_gen: of what the critic says and of `loss_gen`; 1 and 1 when None.

    Example:
        >>> gen, crit = gan_loss_from_func(F.l1_loss, F.mse_loss, weights_gen=(1.0, 50.0))
        >>> gen(torch.tensor([0.5]), torch.tensor([0.25]), torch.tensor([0.5]))
        tensor(12.7500)
        >>> crit(torch.tensor([1.0]), torch.tensor([1.0]))
        tensor(0.5000)
    """
    of_critic, of_output = (1.0, 1.0) if weights_gen is None else weights_gen

    def generator_loss(fake_pred: Tensor, output: Tensor, target: Tensor) -> Tensor:
        fooled = loss_crit(fake_pred, fake_pred.new_ones(len(fake_pred)))
        return of_critic * fooled + of_output * loss_gen(output, target)

    def critic_loss(real_pred: Tensor, fake_pred: Tensor) -> Tensor:
        real = loss_crit(real_pred, real_pred.new_ones(len(real_pred)))
        fake = loss_crit(fake_pred, fake_pred.new_zeros(len(fake_pred)))
        return (real + fake) / 2

    return generator_loss, critic_loss


def wasserstein_generator_loss(fake_pred: Tensor, *_pictures: Tensor) -> Tensor:
    """() the mean of what the critic says, where less is more real (Arjovsky et al., 2017).

    Args:
        fake_pred: (B, *) the critic's numbers for generated pictures.
    """
    return fake_pred.mean()


def wasserstein_critic_loss(real_pred: Tensor, fake_pred: Tensor) -> Tensor:
    """() the mean for real pictures less that for generated ones (Arjovsky et al., 2017).

    Args:
        real_pred: (B, *) the critic's numbers for real pictures, which become small.
        fake_pred: (B, *) those for generated ones, which become large.
    """
    return real_pred.mean() - fake_pred.mean()


def hinge_generator_loss(fake_pred: Tensor, *_pictures: Tensor) -> Tensor:
    """() the mean of what the critic says, negated: here more is more real (Lim and Ye, 2017).

    Args:
        fake_pred: (B, *) the critic's numbers for generated pictures.
    """
    return -fake_pred.mean()


def hinge_critic_loss(real_pred: Tensor, fake_pred: Tensor) -> Tensor:
    """() how far real pictures are below 1 and generated ones above -1 (Lim and Ye, 2017).

    Args:
        real_pred: (B, *) the critic's numbers for real pictures.
        fake_pred: (B, *) those for generated ones.

    Example:
        >>> hinge_critic_loss(torch.tensor([0.5, 2.0]), torch.tensor([-3.0, 0.0]))
        tensor(0.7500)
    """
    return F.relu(1 - real_pred).mean() + F.relu(1 + fake_pred).mean()


def logistic_generator_loss(fake_pred: Tensor, *_pictures: Tensor) -> Tensor:
    """() -log of the probability that generated pictures are real (Goodfellow et al., 2014).

    The form that does not saturate: its gradient is large where the critic is not fooled.

    Args:
        fake_pred: (B, *) logits of the critic for generated pictures.
    """
    return F.softplus(-fake_pred).mean()


def logistic_critic_loss(real_pred: Tensor, fake_pred: Tensor) -> Tensor:
    """() -log of the probability of the right answers (Goodfellow et al., 2014).

    Args:
        real_pred: (B, *) logits of the critic for real pictures.
        fake_pred: (B, *) those for generated ones.
    """
    return F.softplus(-real_pred).mean() + F.softplus(fake_pred).mean()


# -- a critic that is trained alone ----------------------------------------------------------


class AdaptiveLoss(Module):
    """A loss whose (B,) targets count for each of the numbers that a critic gives for an item.

    Args:
        crit: compares outputs with targets of the same shape.

    Example:
        >>> loss = AdaptiveLoss(nn.BCEWithLogitsLoss())
        >>> loss(torch.zeros(2, 9), torch.tensor([0, 1]))
        tensor(0.6931)
    """

    def __init__(self, crit: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.crit = crit

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of outputs (B, *) for targets (B,)."""
        return self.crit(output, _expanded(target, output).to(output.dtype))

    def activation(self, output: Tensor) -> Tensor:
        """Probabilities of logits, where `crit` is a loss of logits; otherwise `output` itself."""
        return output.sigmoid() if isinstance(self.crit, nn.BCEWithLogitsLoss) else output

    def decodes(self, pred: Tensor) -> Tensor:
        """(B,) class 1 where the mean over (B, *) predictions is above a half."""
        return (pred.flatten(1).mean(1) > 0.5).long()


def accuracy_thresh_expand(
    y_pred: Tensor, y_true: Tensor, thresh: float = 0.5, sigmoid: bool = True
) -> Tensor:
    """() the share of a critic's numbers on the right side of `thresh`.

    Args:
        y_pred: (B, *) outputs.
        y_true: (B,) 0 or 1, which counts for each number of the item.
        thresh: predictions above it say 1.
        sigmoid: outputs are logits.

    Example:
        >>> accuracy_thresh_expand(torch.tensor([[1.0, -1.0], [-1.0, -1.0]]), torch.tensor([1, 0]))
        tensor(0.7500)
    """
    probability = y_pred.sigmoid() if sigmoid else y_pred
    return ((probability > thresh) == _expanded(y_true, y_pred).bool()).float().mean()


def _expanded(target: Tensor, like: Tensor) -> Tensor:
    """(B,) targets as (B, *)."""
    return target.reshape(-1, *[1] * (like.ndim - 1)).expand_as(like)
