"""The transformer whose words are the columns of a table (Gorishniy et al., 2021).

Shapes: B batch, C columns of categories, K columns of numbers, T = C + K + 1 tokens, D width,
H heads, E = D // H width of a head, Q tokens that attend: all, or the first alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.nn.module import Module
from layerwise.tabular.models.inputs import CategoryEmbeddings, check_columns, check_sizes
from layerwise.tabular.models.outputs import Stats, scaled_outputs

__all__ = ["FTTransformer", "tokenizer_split"]


class FTTransformer(Module):
    """A token for each column, and attention among them: (B, C) codes, (B, K) to (B, N).

    A category's token is a row of its embedding, a number's is the number times a vector; each
    column adds a bias. One more token, the same for all rows, gathers what is predicted from.
    Blocks normalise first, and the first one has no normalisation before its attention. From
    Gorishniy et al. ("Revisiting Deep Learning Models for Tabular Data", 2021), in the size that
    its authors give for two blocks; their default, slower by a factor of three, is `width=192,
    blocks=3, attention_p=0.2, ffn_p=0.1`. Numbers are expected to be normalised. The paper trains
    with a learning rate of 1e-4, without weight decay on the tokenizer (see `tokenizer_split`).

    Args:
        emb_szs: a pair for each column of categories, of which the first is taken: its rows, with
            row 0 for missing and unknown ones. All tokens have the same width, so the second,
            which other models need, has no meaning here.
        n_cont: K, columns of numbers.
        out_sz: N, numbers predicted for a row.
        width: D, length of a token.
        blocks: number of blocks.
        heads: H, a divisor of `width`.
        ffn_factor: features inside the feed-forward part of a block over `width`; 4/3 with ReGLU
            has as many weights as 2 without a gate.
        attention_p: share of attention weights that dropout hides.
        ffn_p: share of features that dropout hides inside the feed-forward part.
        residual_p: share of what each part of a block adds that dropout hides.
        y_range: (low, high) that the outputs are squashed into; any number when None.
        y_stats: (means, deviations) of the targets, which outputs are brought to, see `Rescale`.
        unknown_p: share of codes taken for 0 in training, see `CategoryEmbeddings`.

    Raises:
        ValueError: if there is no column, or `heads` does not divide `width`.

    Example:
        >>> model = FTTransformer([(4, 3), (10, 6)], 2, 5, width=16)
        >>> model(torch.tensor([[1, 9]] * 8), torch.randn(8, 2)).shape
        torch.Size([8, 5])
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        n_cont: int,
        out_sz: int,
        width: int = 128,
        blocks: int = 2,
        heads: int = 8,
        ffn_factor: float = 4 / 3,
        attention_p: float = 0.15,
        ffn_p: float = 0.05,
        residual_p: float = 0.0,
        y_range: tuple[float, float] | None = None,
        unknown_p: float = 0.01,
        y_stats: Stats | None = None,
    ) -> None:
        check_sizes(emb_szs, n_cont)
        if width % heads:
            raise ValueError(f"width={width} for {heads} heads; give a multiple of {heads}")
        self.tokenizer = _Tokenizer([rows for rows, _ in emb_szs], n_cont, width, unknown_p)
        hidden = int(width * ffn_factor)
        self.blocks = nn.Sequential(
            *(
                _Block(
                    _Attention(width, heads, attention_p),
                    _ReGLU(width, hidden, ffn_p),
                    width,
                    residual_p,
                    is_first=i == 0,
                    is_last=i == blocks - 1,
                )
                for i in range(blocks)
            )
        )
        squash = scaled_outputs(out_sz, y_range, y_stats)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, out_sz), *squash)

    @property
    def embeds(self) -> CategoryEmbeddings:
        """The embeddings of the columns of categories."""
        return self.tokenizer.embeds

    def forward(self, x_cat: Tensor | None = None, x_cont: Tensor | None = None) -> Tensor:
        """(B, N) from (B, C) whole numbers and (B, K) numbers; None for no columns.

        Raises:
            ValueError: if there are more or fewer columns than the model was made for.
        """
        tokens = self.blocks(self.tokenizer(x_cat, x_cont))  # (B, T, D)
        predicted: Tensor = self.head(tokens[:, 0])
        return predicted


def tokenizer_split(model: FTTransformer) -> list[list[nn.Parameter]]:
    """The parameters of the feature tokenizer, then all others: for the `splitter` of a learner.

    With `opt_func=partial(Adam, wd=[0.0, 0.01])` the tokenizer is spared weight decay, as in the
    paper: the embedding of a rare category would shrink at each step and grow in few of them.

    Example:
        >>> [len(group) for group in tokenizer_split(FTTransformer([(4, 3)], 2, 1, blocks=1))]
        [4, 18]
    """
    own = list(model.tokenizer.parameters())
    return [own, [*model.blocks.parameters(), *model.head.parameters()]]


class _Tokenizer(Module):
    """A token for each column, and one in front of them: (B, C) and (B, K) to (B, T, D)."""

    def __init__(self, rows: Sequence[int], n_cont: int, width: int, unknown_p: float) -> None:
        self.embeds = CategoryEmbeddings([(n, width) for n in rows], unknown_p)
        self.weight = nn.Parameter(torch.empty(n_cont, width)) if n_cont else None
        self.bias = nn.Parameter(torch.empty(len(rows) + n_cont, width))
        self.first = nn.Parameter(torch.empty(width))
        bound = width**-0.5  # of the paper: as a linear layer of this width would start
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x_cat: Tensor | None, x_cont: Tensor | None) -> Tensor:
        """(B, T, D); the first token belongs to no column."""
        n_cont = 0 if self.weight is None else len(self.weight)
        check_columns("x_cat", x_cat, len(self.embeds))
        check_columns("x_cont", x_cont, n_cont)
        tokens = []
        if x_cat is not None and len(self.embeds):
            rows = self.embeds(x_cat)
            tokens.append(rows.unflatten(1, (len(self.embeds), -1)))  # (B, C * D) -> (B, C, D)
        if x_cont is not None and self.weight is not None:
            tokens.append(x_cont.unsqueeze(2) * self.weight)  # (B, K, 1) * (K, D) -> (B, K, D)
        columns = torch.cat(tokens, 1) + self.bias
        # `shape`, since `len` would fix the size of the batch when the model is traced.
        return torch.cat([self.first.expand(columns.shape[0], 1, -1), columns], 1)


class _Attention(Module):
    """Attention of several heads (Vaswani et al., 2017)."""

    def __init__(self, width: int, heads: int, p: float) -> None:
        self.heads, self.p = heads, p
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, asking: Tensor, tokens: Tensor) -> Tensor:
        """(B, Q, D): what `asking` (B, Q, D) finds in `tokens` (B, T, D)."""
        queries, keys, values = (
            made.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, T, H*E) -> (B, H, T, E)
            for made in (self.query(asking), self.key(tokens), self.value(tokens))
        )
        p = self.p if self.training else 0.0
        found = F.scaled_dot_product_attention(queries, keys, values, dropout_p=p)
        mixed: Tensor = self.out(found.transpose(1, 2).flatten(2))  # (B, H, Q, E) -> (B, Q, D)
        return mixed


class _ReGLU(Module):
    """Two layers, of which the first is gated by a ReLU (Shazeer, "GLU Variants", 2020)."""

    def __init__(self, width: int, hidden: int, p: float) -> None:
        self.into = nn.Linear(width, 2 * hidden)
        self.drop = nn.Dropout(p)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, Q, D) in the same shape."""
        features, gate = self.into(x).chunk(2, dim=2)
        made: Tensor = self.out(self.drop(features * gate.relu()))
        return made


class _Block(Module):
    """Attention and a feed-forward part, each added to what comes in."""

    def __init__(
        self,
        attention: _Attention,
        ffn: _ReGLU,
        width: int,
        residual_p: float,
        *,
        is_first: bool,
        is_last: bool,
    ) -> None:
        # Without the first norm training is far better, the paper found.
        self.attention_norm = nn.Identity() if is_first else nn.LayerNorm(width)
        self.attention = attention
        self.ffn_norm = nn.LayerNorm(width)
        self.ffn = ffn
        self.drop = nn.Dropout(residual_p)
        self.is_last = is_last

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, D) to (B, Q, D); the last block makes the first token alone, the head's."""
        normed = self.attention_norm(tokens)
        if self.is_last:
            tokens = tokens[:, :1]
        tokens = tokens + self.drop(self.attention(normed[:, : tokens.shape[1]], normed))
        refined: Tensor = self.drop(self.ffn(self.ffn_norm(tokens)))
        return tokens + refined
