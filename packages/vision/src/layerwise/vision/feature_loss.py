"""`FeatureLoss`: pictures compared by what a trained network sees in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.errors import nearest
from layerwise.core.nn.hooks import hook_outputs
from layerwise.core.nn.module import Module

__all__ = ["FeatureLoss", "gram_matrix"]


def gram_matrix(x: Tensor) -> Tensor:
    """(B, C, C) mean products of channels, which tell of texture and nothing of place.

    Args:
        x: (B, C, H, W) activations; half precision is widened, in which the sums would overflow.

    Example:
        >>> gram_matrix(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])).tolist()
        [[[1.25, 0.75], [0.75, 2.25]]]
    """
    with torch.autocast(x.device.type, enabled=False):
        rows = x.flatten(2).float()
        return rows @ rows.transpose(1, 2) / (x.shape[1] * rows.shape[2])


class FeatureLoss(Module):
    """The difference of pixels, of a network's activations, and of their textures.

    The sum of `base_loss` between pictures, between activations of each layer, and between their
    Gram matrices (Johnson, Alahi and Fei-Fei, 2016; Gatys, Ecker and Bethge, 2016). With
    `metrics=LossMetrics(loss.metric_names)` each part has a column.

    Args:
        m_feat: a trained network. It is set to evaluation and frozen, and not trained.
        layer_ids: whose output is compared: names of modules of it, as in `named_modules()`, or
            numbers of its children. As a rule those in front of where it pools.
        layer_wgts: a weight for each. Textures have its square times `gram_wgt`.
        base_loss: called as `base_loss(output, target, reduction="none")`.
        stats: mean and standard deviation of each channel that `m_feat` was trained with, for
            pictures with values from 0 to 1; None: pictures are normalised for it already.
        gram_wgt: weight of textures. Their numbers are small: 5000 makes them count as much as
            activations.
        state: weights for `m_feat`; exports of a learner keep them here.

    Attributes:
        metric_names: of the parts, each of which is an attribute after a call: `pixel`, `feat_0`,
            ..., `gram_0`, ...

    Raises:
        ValueError: if there is no such layer, or weights and layers do not fit.

    Example:
        >>> loss = FeatureLoss(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), [1], [2.0])
        >>> x = torch.rand(2, 3, 8, 8)
        >>> loss(x, x)
        tensor(0.)
        >>> loss.metric_names
        ['pixel', 'feat_0', 'gram_0']
    """

    def __init__(
        self,
        m_feat: nn.Module,
        layer_ids: Sequence[str | int],
        layer_wgts: Sequence[float],
        base_loss: Callable[..., Tensor] = F.l1_loss,
        stats: tuple[Sequence[float], Sequence[float]] | None = None,
        gram_wgt: float = 5e3,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        if not layer_ids or len(layer_ids) != len(layer_wgts):
            raise ValueError(
                f"{len(layer_ids)} layer_ids and {len(layer_wgts)} layer_wgts; give at least one "
                "layer, and a weight for each"
            )
        if state is not None:
            m_feat.load_state_dict(dict(state))
        self.m_feat = m_feat.eval().requires_grad_(False)
        self.layer_ids, self.layer_wgts = list(layer_ids), list(layer_wgts)
        self.base_loss, self.stats, self.gram_wgt = base_loss, stats, gram_wgt
        for layer in layer_ids:
            _layer(m_feat, layer)
        numbers = range(len(layer_ids))
        self.metric_names = [
            "pixel", *(f"feat_{i}" for i in numbers), *(f"gram_{i}" for i in numbers)
        ]  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal loss, weights of the network among them."""
        names = ("m_feat", "layer_ids", "layer_wgts", "base_loss", "stats", "gram_wgt")
        return {
            **{name: getattr(self, name) for name in names},
            "state": dict(self.m_feat.state_dict()),
        }

    def forward(self, output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        """The loss of pictures for real ones.

        Args:
            output: (B, C, H, W) pictures.
            target: (B, C, H, W) the real ones.
            reduction: "mean", "sum" or "none" over the items, for () or (B,).
        """
        with torch.no_grad():
            wanted = self._features(target)
        found = self._features(output)
        parts = [self._compared(output, target)]
        pairs = list(zip(found, wanted, self.layer_wgts, strict=True))
        parts += [weight * self._compared(f, w) for f, w, weight in pairs]
        parts += [
            weight**2 * self.gram_wgt * self._compared(gram_matrix(f), gram_matrix(w))
            for f, w, weight in pairs
        ]
        for name, part in zip(self.metric_names, parts, strict=True):
            setattr(self, name, part.detach().mean())
        whole = torch.stack(parts).sum(0)
        if reduction == "none":
            return whole
        return whole.sum() if reduction == "sum" else whole.mean()

    def _compared(self, output: Tensor, target: Tensor) -> Tensor:
        """(B,) the mean of `base_loss` for each item."""
        difference = self.base_loss(output.float(), target.float(), reduction="none")
        return difference.flatten(1).mean(1)

    def _features(self, pictures: Tensor) -> list[Tensor]:
        self._follow(pictures)
        if self.stats is not None:
            mean, std = (pictures.new_tensor(s).view(1, -1, 1, 1) for s in self.stats)
            pictures = (pictures - mean) / std
        layers = [_layer(self.m_feat, layer) for layer in self.layer_ids]
        with hook_outputs(layers, detach=False) as hooks:
            self.m_feat(pictures)
            return list(hooks.stored)

    def _follow(self, pictures: Tensor) -> None:
        """Put the network where pictures are: a learner moves its model alone."""
        first = next(self.m_feat.parameters(), None)
        if first is not None and first.device != pictures.device:
            self.m_feat.to(pictures.device)


def _layer(model: nn.Module, layer: str | int) -> nn.Module:
    """The module of `model` with this name, or its child of this number."""
    if isinstance(layer, int):
        children = list(model.children())
        if -len(children) <= layer < len(children):
            return children[layer]
        raise ValueError(
            f"layer {layer} of {len(children)} children of {type(model).__name__}; give one from 0 "
            f"to {len(children) - 1}, or the name of a module in it"
        )
    named: dict[str, nn.Module] = dict(model.named_modules())
    if layer not in named:
        raise ValueError(
            f"{type(model).__name__} has no module {layer!r}.{nearest(layer, named)} "
            "named_modules() lists them"
        )
    return named[layer]
