"""The multilayer perceptron over embedded categories and normalised numbers.

Shapes: B batch, C columns of categories, K columns of numbers, W numbers of a row once embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from layerwise.core.errors import refuse_unknown
from layerwise.core.nn.activations import inplace_relu
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import BatchNorm
from layerwise.tabular.models.inputs import CategoryEmbeddings, check_columns, check_sizes
from layerwise.tabular.models.outputs import Stats, scaled_outputs

__all__ = ["TabularModel", "TabularOptions", "tabular_config"]

Activation = nn.Module | Callable[[], nn.Module]


class TabularModel(Module):
    """Embeddings, batch normalisation and linear layers: (B, C) codes, (B, K) numbers to (B, N).

    The net of Guo and Berkhahn ("Entity Embeddings of Categorical Variables", 2016). Its parts are
    `embeds`, `emb_drop`, `bn_cont` and `layers`.

    Args:
        emb_szs: (rows, width) of the embedding of each column of categories, as `get_emb_sz` gives
            them; row 0 is for missing and unknown ones.
        n_cont: K, columns of numbers.
        out_sz: N, numbers predicted for a row.
        layers: features after each hidden layer; [200, 100] suits most tables.
        ps: share of features that dropout hides after the hidden layers, one for all or one each;
            none when None.
        embed_p: share of the embedded numbers that dropout hides.
        y_range: (low, high) that the outputs are squashed into; any number when None.
        y_stats: (means, deviations) of the targets, which outputs are brought to, see `Rescale`.
        use_bn: batch normalisation in the hidden layers.
        bn_final: in the last layer too.
        bn_cont: normalise the numbers by batch first, whatever their size.
        act_cls: makes an activation; of a module, each layer gets a copy.
        lin_first: in each layer linear and activation before normalisation and dropout, else
            after.
        unknown_p: share of codes taken for 0 in training, see `CategoryEmbeddings`.

    Raises:
        ValueError: if there is no column, or `ps` does not fit the layers.

    Example:
        >>> model = TabularModel([(4, 3), (10, 6)], 2, 1, [200, 100], y_range=(0, 5))
        >>> model(torch.tensor([[1, 9]] * 8), torch.randn(8, 2)).shape
        torch.Size([8, 1])
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        n_cont: int,
        out_sz: int,
        layers: Sequence[int],
        ps: float | Sequence[float] | None = None,
        embed_p: float = 0.0,
        y_range: tuple[float, float] | None = None,
        use_bn: bool = True,
        bn_final: bool = False,
        bn_cont: bool = True,
        act_cls: Activation = inplace_relu,
        lin_first: bool = True,
        unknown_p: float = 0.01,
        y_stats: Stats | None = None,
    ) -> None:
        check_sizes(emb_szs, n_cont)
        self.n_cont = n_cont
        self.embeds = CategoryEmbeddings(emb_szs, unknown_p)
        self.emb_drop = nn.Dropout(embed_p)
        self.bn_cont = BatchNorm(n_cont, ndim=1) if bn_cont and n_cont else None
        widths = [self.embeds.width + n_cont, *layers]
        shares = _for_each_layer(ps, len(layers))
        hidden = [
            LinBnDrop(widths[i], widths[i + 1], use_bn, p, _made(act_cls), lin_first)
            for i, p in enumerate(shares)
        ]
        last = LinBnDrop(widths[-1], out_sz, bn=use_bn and bn_final, lin_first=lin_first)
        squash = scaled_outputs(out_sz, y_range, y_stats)
        self.layers = nn.Sequential(*hidden, last, *squash)

    def forward(self, x_cat: Tensor | None = None, x_cont: Tensor | None = None) -> Tensor:
        """(B, N) from (B, C) whole numbers and (B, K) numbers; None for no columns.

        Raises:
            ValueError: if there are more or fewer columns than the model was made for.
        """
        check_columns("x_cat", x_cat, len(self.embeds))
        check_columns("x_cont", x_cont, self.n_cont)
        row = []
        if x_cat is not None and len(self.embeds):
            row.append(self.emb_drop(self.embeds(x_cat)))
        if x_cont is not None and self.n_cont:
            row.append(x_cont if self.bn_cont is None else self.bn_cont(x_cont))
        predicted: Tensor = self.layers(torch.cat(row, 1))  # (B, W) -> (B, N)
        return predicted


def _for_each_layer(ps: float | Sequence[float] | None, count: int) -> list[float]:
    if ps is None or isinstance(ps, int | float):
        return [ps or 0.0] * count
    if len(ps) != count:
        raise ValueError(
            f"{len(ps)} shares in ps for {count} hidden layers; give one number, or one each"
        )
    return list(ps)


def _made(act_cls: Activation) -> nn.Module:
    return deepcopy(act_cls) if isinstance(act_cls, nn.Module) else act_cls()


class TabularOptions(TypedDict, total=False):
    """The settings of `TabularModel` that no data decide."""

    ps: float | Sequence[float] | None
    embed_p: float
    y_range: tuple[float, float] | None
    use_bn: bool
    bn_final: bool
    bn_cont: bool
    act_cls: Activation
    lin_first: bool
    unknown_p: float
    y_stats: Stats | None


def tabular_config(**settings: Unpack[TabularOptions]) -> TabularOptions:
    """The settings given, for the `config` of a learner; of `TabularModel`, but for its sizes.

    Raises:
        TypeError: for a setting that the model does not have; names the nearest.

    Example:
        >>> tabular_config(ps=[0.1, 0.2], embed_p=0.05)
        {'ps': [0.1, 0.2], 'embed_p': 0.05}
    """
    known = TabularOptions.__optional_keys__
    refuse_unknown("tabular_config", [name for name in settings if name not in known], known)
    return settings
