"""Plain recurrent encoders, a GRU and an LSTM: what AWD-LSTM is to be compared with.

Shapes: B batch, T tokens, D width of the embedding, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.text.models.awd_lstm import start_embedding
from layerwise.text.models.dropout import RNNDropout
from layerwise.text.models.encoder import RecurrentEncoder
from layerwise.text.models.recurrence import State, fitted_state

__all__ = ["GRUEncoder", "LSTMEncoder", "recurrent_clas_config", "recurrent_lm_config"]


class _RecurrentEncoder(RecurrentEncoder):
    """Base of the two: layers of one kind, that go on where the last batch ended."""

    layer_type: ClassVar[type[nn.GRU] | type[nn.LSTM]]

    @names_nearest
    def __init__(
        self,
        vocab_sz: int,
        emb_sz: int = 400,
        n_hid: int = 400,
        n_layers: int = 2,
        pad_token: int = 1,
        hidden_p: float = 0.2,
        input_p: float = 0.2,
    ) -> None:
        if n_layers < 1:
            raise ValueError(f"{type(self).__name__} of {n_layers} layers; give one or more")
        self.emb_sz, self.n_layers, self.pad_token = emb_sz, n_layers, pad_token
        self.encoder = nn.Embedding(vocab_sz, emb_sz, padding_idx=pad_token)
        start_embedding(self.encoder)
        self.input_dp, self.hidden_dp = RNNDropout(input_p), RNNDropout(hidden_p)
        widths = [emb_sz, *[n_hid] * (n_layers - 1), emb_sz]
        self.rnns = nn.ModuleList(
            self.layer_type(n_in, n_out, batch_first=True) for n_in, n_out in pairwise(widths)
        )
        self.hidden: list[State] = []

    def forward(self, inp: Tensor, from_embeds: bool = False) -> Tensor:
        """(B, T, D) for (B, T) tokens, or for their embeddings (B, T, D) if `from_embeds`."""
        output: Tensor = self.input_dp(inp if from_embeds else self.encoder(inp))
        states: Sequence[State | None] = self.hidden or [None] * self.n_layers
        kept = []
        for i, (rnn, state) in enumerate(zip(self.rnns, states, strict=True)):
            if i:
                output = self.hidden_dp(output)
            output, last = rnn(output, _for_layer(fitted_state(state, output)))
            parts = last if isinstance(last, tuple) else (last,)
            kept.append(tuple(part.detach() for part in parts))
        self.hidden = kept
        return output


def _for_layer(state: State | None) -> Any:
    """As torch wants it: a GRU takes one tensor and not a tuple of one."""
    return state[0] if state is not None and len(state) == 1 else state


class GRUEncoder(_RecurrentEncoder):
    """Layers of GRU (Cho et al., 2014) that go on where the last batch ended: (B, T) to (B, T, D).

    Args:
        vocab_sz: V.
        emb_sz: D, width of the embedding and of the output.
        n_hid: width of the layers between.
        n_layers: number of layers.
        pad_token: the token of padding.
        hidden_p: share of features hidden between layers.
        input_p: share of features hidden behind the embedding.

    Example:
        >>> import torch
        >>> GRUEncoder(100, emb_sz=8)(torch.randint(100, (2, 5))).shape
        torch.Size([2, 5, 8])
    """

    layer_type = nn.GRU


class LSTMEncoder(_RecurrentEncoder):
    """Layers of LSTM (Hochreiter and Schmidhuber, 1997), without the dropouts of `AWD_LSTM`.

    Goes on where the last batch ended: (B, T) to (B, T, D).

    Args:
        vocab_sz: V.
        emb_sz: D, width of the embedding and of the output.
        n_hid: width of the layers between.
        n_layers: number of layers.
        pad_token: the token of padding.
        hidden_p: share of features hidden between layers.
        input_p: share of features hidden behind the embedding.

    Example:
        >>> import torch
        >>> LSTMEncoder(100, emb_sz=8)(torch.randint(100, (2, 5))).shape
        torch.Size([2, 5, 8])
    """

    layer_type = nn.LSTM


recurrent_lm_config: dict[str, Any] = {
    "emb_sz": 400, "n_hid": 400, "n_layers": 2, "pad_token": 1, "hidden_p": 0.2, "input_p": 0.2,
    "output_p": 0.1, "tie_weights": True, "out_bias": True,
}  # fmt: skip
"""Settings of a language model of either."""

recurrent_clas_config: dict[str, Any] = {
    "emb_sz": 400, "n_hid": 400, "n_layers": 2, "pad_token": 1, "hidden_p": 0.3, "input_p": 0.3,
    "output_p": 0.4,
}  # fmt: skip
"""Settings of a classifier of either."""
