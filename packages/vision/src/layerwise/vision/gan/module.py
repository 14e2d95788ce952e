"""`GANModule`: generator and critic as one model, of which one is called."""

from typing import Any

from torch import nn

from layerwise.core.nn.module import Module

__all__ = ["GANModule", "gan_parts", "set_freeze_model"]


class GANModule(Module):
    """A generator and a critic as one model: the generator's output, or the critic's.

    Args:
        generator: makes pictures, of noise or of other pictures.
        critic: says of pictures how real they look.
        gen_mode: call the generator; the critic otherwise.

    Example:
        >>> both = GANModule(nn.Linear(2, 3), nn.Linear(3, 1), gen_mode=True)
        >>> import torch
        >>> both(torch.zeros(1, 2)).shape
        torch.Size([1, 3])
        >>> both.switch()
        >>> both(torch.zeros(1, 3)).shape
        torch.Size([1, 1])
    """

    def __init__(self, generator: nn.Module, critic: nn.Module, gen_mode: bool = False) -> None:
        self.generator, self.critic, self.gen_mode = generator, critic, gen_mode

    def forward(self, *args: Any) -> Any:
        """What the one whose turn it is makes of the inputs."""
        return self.generator(*args) if self.gen_mode else self.critic(*args)

    def switch(self, gen_mode: bool | None = None) -> None:
        """Call the generator if `gen_mode`, the critic if not, the other one when None."""
        self.gen_mode = not self.gen_mode if gen_mode is None else gen_mode

    def extra_repr(self) -> str:
        """Whose turn it is."""
        return f"gen_mode={self.gen_mode}"


def set_freeze_model(m: nn.Module, rg: bool) -> None:
    """Let all parameters of `m` have gradients if `rg`, and none of them if not.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> set_freeze_model(layer, rg=False)
        >>> layer.weight.requires_grad
        False
    """
    for parameter in m.parameters():
        parameter.requires_grad_(rg)


def gan_parts(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a `GANModule` by name, "generator" and "critic".

    As `splitter` of a learner, with `opt_func=Optimizers.of(generator=..., critic=...)`, it gives
    each its own optimizer.

    Raises:
        TypeError: for a model that is no `GANModule`.
    """
    if not isinstance(model, GANModule):
        raise TypeError(
            f"gan_parts splits a GANModule, not a {type(model).__name__}; it is a splitter for "
            "GANLearner"
        )
    return {
        name: [p for p in part.parameters() if p.requires_grad]
        for name, part in (("generator", model.generator), ("critic", model.critic))
    }
