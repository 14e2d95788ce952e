"""`Rocket`: thousands of random convolutions, two numbers of each, and a linear layer.

After Dempster, Petitjean and Webb, "ROCKET: exceptionally fast and accurate time series
classification using random convolutional kernels" (2020). There the linear part is solved in one
step; here it is trained as any model is, on features that a norm layer brings to one scale.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from layerwise.core.nn.module import Module
from torch import Tensor, nn

__all__ = ["Rocket"]

# B: series of a batch. C: channels. T: steps. R: kernels. K: outputs.

_SIZES = (7, 9, 11)
_Kernels = tuple[Tensor, Tensor]


class Rocket(Module):
    """Scores from the greatest value and the share of positive values of each random kernel.

    The kernels are drawn from `seed` and not trained; their numbers are saved with the model.
    Behind the end of a series (NaN) nothing is counted; values that are missing inside are 0.

    Args:
        n_in: channels, C.
        n_out: outputs, K.
        seq_len: steps of a usual series: the widest kernels reach as far.
        kernels: how many, R; 10,000 as in the paper.
        seed: decides on them.

    Example:
        >>> Rocket(2, 5, seq_len=30, kernels=50)(torch.randn(4, 2, 30)).shape
        torch.Size([4, 5])
    """

    def __init__(
        self, n_in: int, n_out: int, seq_len: int, kernels: int = 10_000, seed: int = 0
    ) -> None:
        drawn = _draw(n_in, seq_len, kernels, torch.Generator().manual_seed(seed))
        self.shapes = sorted(drawn)  # (size, dilation, padding) of the kernels that run as one
        for i, shape in enumerate(self.shapes):
            weights, biases = drawn[shape]
            self.register_buffer(f"weights{i}", weights)
            self.register_buffer(f"biases{i}", biases)
        # Statistics of all batches alike: there are few.
        self.norm = nn.BatchNorm1d(2 * kernels, affine=False, momentum=None)
        self.linear = nn.Linear(2 * kernels, n_out)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K) scores of series (B, C, T), NaN where there is nothing."""
        scores: Tensor = self.linear(self.norm(self.features(x)))
        return scores

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """(B, 2 R) the share of positive values, then the greatest value, of each kernel."""
        steps = torch.arange(1, x.shape[-1] + 1, device=x.device)
        lengths = (~x.isnan().all(1) * steps).amax(1)[:, None, None]  # (B, 1, 1)
        x = x.nan_to_num()
        shares, greatest = [], []
        for i, (size, dilation, padding) in enumerate(self.shapes):
            weights = self.get_buffer(f"weights{i}").to(x.dtype)
            biases = self.get_buffer(f"biases{i}").to(x.dtype)
            reach = (size - 1) * dilation
            missing = max(0, reach + 1 - 2 * padding - x.shape[-1])
            wide = nn.functional.pad(x, (padding, padding + missing))
            # One product of matrices: several times faster here than dilated convolutions.
            windows = wide.unfold(-1, reach + 1, 1)[..., ::dilation]  # (B, C, steps, size)
            columns = windows.transpose(2, 3).flatten(1, 2)  # (B, C * size, steps)
            values = weights.flatten(1) @ columns + biases[:, None]  # (B, R of this shape, steps)
            counted = (lengths + 2 * padding - reach).clamp(min=1)  # (B, 1, 1)
            outside = torch.arange(values.shape[-1], device=x.device) >= counted
            shares.append(((values > 0) & ~outside).sum(-1) / counted[..., 0])
            greatest.append(values.masked_fill(outside, -torch.inf).amax(-1))
        return torch.cat([*shares, *greatest], 1)


def _draw(
    n_in: int, seq_len: int, count: int, generator: torch.Generator
) -> dict[tuple[int, int, int], _Kernels]:
    """Weights (R, C, size) and biases (R,) of random kernels, by size, dilation and padding."""

    def uniform(most: Tensor | float = 1.0) -> Tensor:
        return torch.rand(count, generator=generator) * most

    sizes = torch.tensor(_SIZES)[torch.randint(len(_SIZES), (count,), generator=generator)]
    within = torch.arange(max(_SIZES)) < sizes[:, None, None]  # (count, 1, largest)
    weights = torch.randn(count, n_in, max(_SIZES), generator=generator) * within
    weights -= weights.sum(-1, keepdim=True) / sizes[:, None, None]
    # Few channels each: as many as a power of two between 1 and all says.
    seen = (2 ** uniform((sizes.clamp(max=n_in) + 1).log2())).floor()
    places = torch.rand(count, n_in, generator=generator).argsort(1).argsort(1)
    weights *= (places < seen[:, None])[..., None]
    widest = ((seq_len - 1) / (sizes - 1)).clamp(min=1)
    dilations = (2 ** uniform(widest.log2())).long()
    paddings = torch.where(uniform() < 0.5, (sizes - 1) * dilations // 2, 0)
    biases = 2 * uniform() - 1
    places_of: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for i, shape in enumerate(torch.stack([sizes, dilations, paddings], 1).tolist()):
        places_of[tuple(shape)].append(i)
    return {
        shape: (weights[own][..., : shape[0]].clone(), biases[own])
        for shape, own in places_of.items()
    }
