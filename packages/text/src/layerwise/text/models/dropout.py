"""The dropouts of AWD-LSTM: of activations over time, of words, of recurrent weights.

From Merity, Keskar and Socher ("Regularizing and Optimizing LSTM Language Models", 2018).

Shapes: B batch, T tokens, D features, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn
from torch.func import functional_call

from layerwise.core.errors import nearest
from layerwise.core.nn.module import Module
from layerwise.text.models.recurrence import run_recurrent

__all__ = ["EmbeddingDropout", "RNNDropout", "WeightDropout", "dropout_mask"]


def dropout_mask(x: Tensor, sz: Sequence[int], p: float) -> Tensor:
    """(*sz) zeros with probability `p`, otherwise 1 / (1 - p), drawn with torch's generator.

    Args:
        x: says device and kind of numbers.
        sz: shape of the mask.
        p: share of zeros.

    Example:
        >>> import torch
        >>> sorted(set(dropout_mask(torch.ones(1), (500,), 0.5).tolist()))
        [0.0, 2.0]
    """
    keep = 1 - p
    mask = x.new_empty(tuple(sz)).bernoulli_(keep)
    return mask.div_(keep) if keep else mask


def _checked_share(caller: str, p: float) -> float:
    """`p`, if it is a share; otherwise a ValueError."""
    if not 0 <= p <= 1:
        raise ValueError(f"{caller} with a share of {p}; give a number from 0 to 1")
    return p


class RNNDropout(Module):
    """Dropout that hides the same features at all times: (B, T, D) in the same shape.

    One mask an item (Gal and Ghahramani, 2016), so that a feature which is hidden does not come
    back in the next step.

    Args:
        p: share of features to hide.

    Example:
        >>> import torch
        >>> seen = RNNDropout(0.5)(torch.ones(1, 3, 4))
        >>> bool((seen[:, 0] == seen[:, 2]).all())
        True
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = _checked_share("RNNDropout", p)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D); `x` itself where nothing is hidden."""
        if not self.training or self.p == 0:
            return x
        return x * dropout_mask(x, (x.shape[0], 1, *x.shape[2:]), self.p)

    def extra_repr(self) -> str:
        """The share."""
        return f"p={self.p}"


class EmbeddingDropout(Module):
    """An embedding that hides whole words: (B, T) token numbers to (B, T, D).

    A word that is hidden is hidden wherever it stands in the batch.

    Args:
        emb: the embedding, which stays usable by itself.
        embed_p: share of words to hide.

    Example:
        >>> import torch
        >>> EmbeddingDropout(nn.Embedding(10, 3), 0.1)(torch.tensor([[1, 2]])).shape
        torch.Size([1, 2, 3])
    """

    def __init__(self, emb: nn.Embedding, embed_p: float) -> None:
        self.emb, self.embed_p = emb, _checked_share("EmbeddingDropout", embed_p)

    def forward(self, words: Tensor) -> Tensor:
        """(B, T, D)."""
        rows: Tensor = self.emb(words)
        if not self.training or self.embed_p == 0:
            return rows
        # A mask of what was looked up is all that is needed of a mask of the whole vocabulary.
        mask = dropout_mask(self.emb.weight, (self.emb.num_embeddings, 1), self.embed_p)
        return rows * F.embedding(words, mask)

    def extra_repr(self) -> str:
        """The share."""
        return f"embed_p={self.embed_p}"


class WeightDropout(Module):
    """A module whose named weights are hidden in part, anew at each call (DropConnect).

    For recurrent layers: hiding weights of the step from one time to the next does what hiding the
    state at each step would do, at the cost of one mask (Wan et al., 2013). The weights become
    parameters here, called `<name>_raw`; the module inside has None in their place, and nothing is
    ever set on it.

    Args:
        module: a recurrent layer of torch, or any module.
        weight_p: share of weights to hide.
        layer_names: of the weights.

    Raises:
        ValueError: if the module has no such weight; names the nearest.

    Example:
        >>> layer = WeightDropout(nn.LSTM(2, 3, batch_first=True), 0.5)
        >>> sorted(layer.state_dict())
        ['module.bias_hh_l0', 'module.bias_ih_l0', 'module.weight_ih_l0', 'weight_hh_l0_raw']
    """

    def __init__(
        self,
        module: nn.Module,
        weight_p: float,
        layer_names: str | Sequence[str] = "weight_hh_l0",
    ) -> None:
        self.module, self.weight_p = module, _checked_share("WeightDropout", weight_p)
        self.layer_names = [layer_names] if isinstance(layer_names, str) else list(layer_names)
        for name in self.layer_names:
            known = dict(module.named_parameters(recurse=False))
            if name not in known:
                raise ValueError(
                    f"{type(module).__name__} has no weight {name!r} of its own to hide."
                    f"{nearest(name, known)} It has: {', '.join(known) or 'none'}"
                )
            self.register_parameter(f"{name}_raw", known[name])
            setattr(module, name, None)

    def forward(self, *args: Any) -> Any:
        """What the module returns for `args` with some of its weights hidden."""
        weights = {
            name: F.dropout(getattr(self, f"{name}_raw"), self.weight_p, self.training)
            for name in self.layer_names
        }
        if isinstance(self.module, nn.LSTM | nn.GRU):
            return run_recurrent(self.module, *args, weights=weights)
        return functional_call(self.module, weights, args)

    def extra_repr(self) -> str:
        """The share and the names."""
        return f"weight_p={self.weight_p}, layer_names={self.layer_names}"
