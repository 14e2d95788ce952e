"""A small decoder-only transformer: each token looks at itself and at those before it.

Vaswani et al. (2017) in the form that is usual now: normalisation first and by the root mean
square (Zhang and Sennrich, 2019), rotary positions (Su et al., 2021), gated feed-forward layers
(SwiGLU, Shazeer, 2020), no biases.

Shapes: B batch, T tokens, S tokens remembered and new, D width, H heads, E = D // H width of a
head, F features inside the feed-forward part, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.nn.module import Module
from layerwise.text.models.encoder import TextEncoder

__all__ = ["TextTransformer", "transformer_clas_config", "transformer_lm_config"]

Memory = list[tuple[Tensor, Tensor]]
"""Keys and values of each block, (B, H, S, E)."""


class TextTransformer(TextEncoder):
    """Blocks of causal attention: (B, T) tokens to (B, T, D).

    Each call starts anew, as positions count from its first token, except between `remember()` and
    `reset()`: there keys and values of what was read are kept, so that a token more costs one step.
    Padding has to stand at the end, where no other token sees it; `SentenceEncoder` puts it there.

    Args:
        vocab_sz: V.
        emb_sz: D.
        n_layers: number of blocks.
        n_heads: H, a divisor of `emb_sz` with an even quotient.
        pad_token: the token of padding.
        ffn_factor: F over D; with a gate, 8/3 has as many weights as 4 without.
        embed_p: share of features hidden behind the embedding.
        hidden_p: share of features hidden of what each part of a block adds.
        attention_p: share of attention weights hidden.
        theta: the longest wave of positions is about `2 * pi * theta` tokens long.

    Raises:
        ValueError: if `n_heads` does not divide the width into even parts.

    Example:
        >>> model = TextTransformer(100, emb_sz=32, n_layers=2, n_heads=4)
        >>> model(torch.randint(100, (2, 5))).shape
        torch.Size([2, 5, 32])
    """

    @names_nearest
    def __init__(
        self,
        vocab_sz: int,
        emb_sz: int = 256,
        n_layers: int = 6,
        n_heads: int = 8,
        pad_token: int = 1,
        ffn_factor: float = 8 / 3,
        embed_p: float = 0.1,
        hidden_p: float = 0.1,
        attention_p: float = 0.0,
        theta: float = 10_000.0,
    ) -> None:
        if n_layers < 1 or emb_sz % (2 * n_heads):
            raise ValueError(
                f"{n_layers} layers, emb_sz={emb_sz} and {n_heads} heads; give one layer or more, "
                f"and a width that is a multiple of {2 * n_heads}"
            )
        self.emb_sz, self.n_heads, self.pad_token = emb_sz, n_heads, pad_token
        self.theta = theta
        self.encoder = nn.Embedding(vocab_sz, emb_sz, padding_idx=pad_token)
        self.embed_dp = nn.Dropout(embed_p)
        hidden = int(emb_sz * ffn_factor)
        self.blocks = nn.ModuleList(
            _Block(emb_sz, n_heads, hidden, hidden_p, attention_p) for _ in range(n_layers)
        )
        self.norm = nn.RMSNorm(emb_sz)
        self.memory: Memory | None = None
        self._start(n_layers)

    def _start(self, n_layers: int) -> None:
        """Set all weights; the sum of what all blocks add is as wide for any number of them."""
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                narrow = name.endswith(("mix.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * n_layers) ** 0.5 if narrow else 0.02)
        nn.init.zeros_(self.encoder.weight[self.pad_token])

    def forward(self, inp: Tensor, from_embeds: bool = False) -> Tensor:
        """(B, T, D) for (B, T) tokens, or for their embeddings (B, T, D) if `from_embeds`."""
        x: Tensor = self.embed_dp(inp if from_embeds else self.encoder(inp))
        old: Sequence[tuple[Tensor, Tensor] | None] = self.memory or [None] * len(self.blocks)
        start = 0 if old[0] is None else old[0][0].shape[2]
        turns = _rotations(start, start + x.shape[1], self.emb_sz // self.n_heads, self.theta, x)
        kept: Memory = []
        for block, before in zip(self.blocks, old, strict=True):
            x, keys_and_values = block(x, turns, before)
            kept.append(keys_and_values)
        if self.memory is not None:
            self.memory = [(keys.detach(), values.detach()) for keys, values in kept]
        normed: Tensor = self.norm(x)
        return normed

    def reset(self) -> None:
        """Forget what was read, and remember no more."""
        self.memory = None

    def remember(self) -> None:
        """Keep keys and values from now on."""
        self.memory = []

    def select_rows(self, rows: Tensor) -> None:
        """Let row i of the memory be what row `rows[i]` was."""
        if self.memory is not None:
            self.memory = [(keys[rows], values[rows]) for keys, values in self.memory]

    def layer_groups(self) -> Sequence[Sequence[nn.Module]]:
        """One a block; the last norm goes with the last."""
        *lower, last = self.blocks
        return [*([block] for block in lower), [last, self.norm]]


class _Block(Module):
    """Attention and a feed-forward part, each added to what comes in."""

    def __init__(
        self, width: int, heads: int, hidden: int, hidden_p: float, attention_p: float
    ) -> None:
        self.attention_norm, self.ffn_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = _Attention(width, heads, attention_p)
        self.ffn = _SwiGLU(width, hidden)
        self.drop = nn.Dropout(hidden_p)

    def forward(
        self, x: Tensor, turns: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, D) in the same shape, and the keys and values of its attention."""
        found, keys_and_values = self.attention(self.attention_norm(x), turns, before)
        x = x + self.drop(found)
        return x + self.drop(self.ffn(self.ffn_norm(x))), keys_and_values


class _Attention(Module):
    """Causal attention of several heads."""

    def __init__(self, width: int, heads: int, p: float) -> None:
        self.heads, self.p = heads, p
        self.into = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Tensor, turns: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, D), and keys and values (B, H, S, E) of what was read up to here."""
        queries, keys, values = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, T, H*E) -> (B, H, T, E)
            for part in self.into(x).chunk(3, dim=2)
        )
        queries, keys = _rotated(queries, turns), _rotated(keys, turns)
        if before is not None:
            keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
        found = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=_sees(queries, keys) if before is not None else None,
            is_causal=before is None,
            dropout_p=self.p if self.training else 0.0,
        )
        mixed: Tensor = self.mix(found.transpose(1, 2).flatten(2))  # (B, H, T, E) -> (B, T, D)
        return mixed, (keys, values)


def _sees(queries: Tensor, keys: Tensor) -> Tensor | None:
    """(T, S) whether a new token sees a token; None for a single one, which sees all."""
    new, total = queries.shape[2], keys.shape[2]
    if new == 1:
        return None
    return torch.ones(new, total, dtype=torch.bool, device=keys.device).tril(total - new)


class _SwiGLU(Module):
    """Two layers, of which the first is gated by a SiLU."""

    def __init__(self, width: int, hidden: int) -> None:
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) in the same shape."""
        features, gate = self.up(x).chunk(2, dim=2)
        made: Tensor = self.down(features * F.silu(gate))
        return made


def _rotations(
    start: int, stop: int, width: int, theta: float, like: Tensor
) -> tuple[Tensor, Tensor]:
    """(T, E) cosines and sines of the angles by which positions from `start` to `stop` turn.

    Feature i and feature i + E/2 are one plane, in which each position turns by `theta ** (-2i/E)`.
    """
    places = torch.arange(start, stop, device=like.device, dtype=torch.float32)
    planes = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    angles = torch.outer(places, theta ** (-planes / width)).repeat(1, 2)  # (T, E)
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """(B, H, T, E) with each pair of features turned by the angle of its position."""
    cosines, sines = (part.to(x.dtype) for part in turns)
    first, second = x.chunk(2, dim=3)
    return x * cosines + torch.cat([-second, first], dim=3) * sines


transformer_lm_config: dict[str, Any] = {
    "emb_sz": 256, "n_layers": 6, "n_heads": 8, "pad_token": 1, "embed_p": 0.1, "hidden_p": 0.1,
    "attention_p": 0.0, "ffn_factor": 8 / 3, "theta": 10_000.0, "output_p": 0.1,
    "tie_weights": True, "out_bias": False,
}  # fmt: skip
"""Settings of a language model."""

transformer_clas_config: dict[str, Any] = {
    "emb_sz": 256, "n_layers": 6, "n_heads": 8, "pad_token": 1, "embed_p": 0.2, "hidden_p": 0.2,
    "attention_p": 0.0, "ffn_factor": 8 / 3, "theta": 10_000.0, "output_p": 0.4,
}  # fmt: skip
"""Settings of a classifier."""
