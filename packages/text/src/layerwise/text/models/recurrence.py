"""Recurrent layers of torch with weights from elsewhere, and the states they leave behind.

Shapes: B batch, T tokens, D features, H hidden, L layers times directions of one module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

__all__: list[str] = []

State = tuple[Tensor, ...]
"""What a layer hands to its next call: (L, B, H) and, of an LSTM, the cells in the same shape."""


def run_recurrent(
    layer: nn.LSTM | nn.GRU,
    x: Tensor,
    state: State | None = None,
    *,
    weights: Mapping[str, Tensor],
) -> tuple[Tensor, State]:
    """Outputs (B, T, H) and the last state of `layer`, with `weights` in place of its own.

    `torch.func.functional_call` would leave such weights in the layer's own list of them, where
    they keep the graph of the last step alive, so that the layer can be copied no more.

    Args:
        layer: with `batch_first=True`.
        x: (B, T, D).
        state: of the call before; zeros when None.
        weights: by the layer's names; those left out are the layer's own.
    """
    if _is_half_on_cpu(x):
        with torch.autocast("cpu", enabled=False):
            state = None if state is None else tuple(part.float() for part in state)
            return run_recurrent(layer, x.float(), state, weights=weights)
    given = [weights[n] if n in weights else getattr(layer, n) for n in _weight_names(layer)]
    if x.is_cuda:
        given = _in_one_piece(given, layer)
    state = _zero_state(layer, x) if state is None else tuple(state)
    if _is_one_step(layer, x):
        hidden, cells = torch.lstm_cell(x[:, 0], (state[0][0], state[1][0]), *given)
        return hidden[:, None], (hidden[None], cells[None])
    options = (
        layer.bias, layer.num_layers, layer.dropout, layer.training, layer.bidirectional, True,
    )  # fmt: skip
    if isinstance(layer, nn.LSTM):
        output, hidden, cells = torch.lstm(x, state, given, *options)
        return output, (hidden, cells)
    output, hidden = torch.gru(x, state[0], given, *options)
    return output, (hidden,)


def _is_half_on_cpu(x: Tensor) -> bool:
    """Whether the layer would be computed in float16 on a CPU, for which torch has no LSTM."""
    return (
        x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.float16
    )


def _is_one_step(layer: nn.LSTM | nn.GRU, x: Tensor) -> bool:
    """Whether a cell will do: one token on a CPU, for which oneDNN would repack all weights.

    That is a generated text; a cell takes a quarter of the time.
    """
    return (
        isinstance(layer, nn.LSTM)
        and x.shape[1] == 1
        and x.device.type == "cpu"
        and layer.num_layers == 1
        and not layer.bidirectional
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def _zero_state(layer: nn.LSTM | nn.GRU, x: Tensor) -> State:
    """The state before anything was read."""
    directions = 2 if layer.bidirectional else 1
    zeros = x.new_zeros(layer.num_layers * directions, x.shape[0], layer.hidden_size)
    return (zeros, zeros) if isinstance(layer, nn.LSTM) else (zeros,)


def fitted_state(state: State | None, x: Tensor) -> State | None:
    """`state` for the rows of `x`: of the first rows only, or with zeros for rows that are new."""
    if state is None:
        return None
    count = x.shape[0]
    return tuple(_fitted(part.to(x), count) for part in state)


def _fitted(part: Tensor, count: int) -> Tensor:
    have = part.shape[1]
    if have >= count:
        return part[:, :count].contiguous()
    return torch.cat([part, part.new_zeros(part.shape[0], count - have, part.shape[2])], dim=1)


def _in_one_piece(weights: Sequence[Tensor], layer: nn.LSTM | nn.GRU) -> list[Tensor]:
    """The same weights as parts of one tensor, laid out as cuDNN wants: matrices, then biases.

    Weights that lie anywhere are gathered by cuDNN at each call, with a warning.
    """
    each = 4 if layer.bias else 2  # of a layer and direction: two matrices, two biases
    order = sorted(range(len(weights)), key=lambda i: (i % each > 1, i))
    flat = torch.cat([weights[i].flatten() for i in order])
    parts = torch.split(flat, [weights[i].numel() for i in order])
    placed = dict(zip(order, parts, strict=True))
    return [placed[i].view_as(weight) for i, weight in enumerate(weights)]


def _weight_names(layer: nn.LSTM | nn.GRU) -> list[str]:
    """In the order in which torch's functions take them."""
    kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if layer.bias else [])]
    directions = ["", "_reverse"] if layer.bidirectional else [""]
    return [
        f"{kind}_l{number}{direction}"
        for number in range(layer.num_layers)
        for direction in directions
        for kind in kinds
    ]
