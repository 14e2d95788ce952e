"""AWD-LSTM: layers of LSTM with five kinds of dropout (Merity, Keskar and Socher, 2018).

Shapes: B batch, T tokens, D width of the embedding, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.text.models.dropout import EmbeddingDropout, RNNDropout, WeightDropout
from layerwise.text.models.encoder import RecurrentEncoder, encoder_clas_split, encoder_lm_split
from layerwise.text.models.recurrence import State, fitted_state

__all__ = [
    "AWD_LSTM",
    "awd_lstm_clas_config",
    "awd_lstm_clas_split",
    "awd_lstm_lm_config",
    "awd_lstm_lm_split",
]

_BOUND = 0.1  # of the embedding at the start, as in the paper


class AWD_LSTM(RecurrentEncoder):  # noqa: N801 - the name users know
    """Layers of LSTM under dropout, which go on where the last batch ended: (B, T) to (B, T, D).

    Of the paper's five dropouts four are here: of words (`embed_p`), of the input, of recurrent
    weights and between layers; the fifth, of the output, belongs to the decoder. The state is kept
    from call to call, without its gradient, until `reset()`; where a batch has fewer rows than the
    one before, the state of the first rows is used, and rows that are new start at zero.

    Args:
        vocab_sz: V.
        emb_sz: D, width of the embedding and of the output.
        n_hid: width of the layers between.
        n_layers: number of layers.
        pad_token: the token of padding; its embedding is zero and stays so.
        hidden_p: share of features hidden between layers.
        input_p: share of features hidden behind the embedding.
        embed_p: share of words hidden.
        weight_p: share of recurrent weights hidden.
        bidir: read in both directions, each with half of the width.

    Raises:
        ValueError: if there is no layer, or a width cannot be halved.

    Example:
        >>> import torch
        >>> model = AWD_LSTM(100, emb_sz=8, n_hid=12, n_layers=2)
        >>> model(torch.randint(100, (2, 5))).shape
        torch.Size([2, 5, 8])
    """

    @names_nearest
    def __init__(
        self,
        vocab_sz: int,
        emb_sz: int,
        n_hid: int,
        n_layers: int,
        pad_token: int = 1,
        hidden_p: float = 0.2,
        input_p: float = 0.6,
        embed_p: float = 0.1,
        weight_p: float = 0.5,
        bidir: bool = False,
    ) -> None:
        widths = [emb_sz, *[n_hid] * (n_layers - 1), emb_sz]
        if n_layers < 1 or (bidir and any(width % 2 for width in widths[1:])):
            raise ValueError(
                f"AWD_LSTM of {n_layers} layers with emb_sz={emb_sz}, n_hid={n_hid}, "
                f"bidir={bidir}; give one layer or more, and even widths for two directions"
            )
        self.emb_sz, self.n_hid, self.n_layers = emb_sz, n_hid, n_layers
        self.pad_token, self.bidir = pad_token, bidir
        self.encoder = nn.Embedding(vocab_sz, emb_sz, padding_idx=pad_token)
        self.encoder_dp = EmbeddingDropout(self.encoder, embed_p)
        self.rnns = nn.ModuleList(
            _layer(n_in, n_out, weight_p, bidir) for n_in, n_out in pairwise(widths)
        )
        start_embedding(self.encoder)
        self.input_dp = RNNDropout(input_p)
        self.hidden_dps = nn.ModuleList(RNNDropout(hidden_p) for _ in range(n_layers))
        self.hidden: list[State] = []

    def forward(self, inp: Tensor, from_embeds: bool = False) -> Tensor:
        """(B, T, D) for (B, T) tokens, or for their embeddings (B, T, D) if `from_embeds`."""
        output: Tensor = self.input_dp(inp if from_embeds else self.encoder_dp(inp))
        states: Sequence[State | None] = self.hidden or [None] * self.n_layers
        kept = []
        for i, (rnn, state) in enumerate(zip(self.rnns, states, strict=True)):
            if i:
                output = self.hidden_dps[i - 1](output)
            output, last = rnn(output, fitted_state(state, output))
            kept.append(tuple(part.detach() for part in last))
        self.hidden = kept
        return output


def _layer(n_in: int, n_out: int, weight_p: float, bidir: bool) -> WeightDropout:
    names = ["weight_hh_l0", "weight_hh_l0_reverse"] if bidir else ["weight_hh_l0"]
    hidden = n_out // 2 if bidir else n_out
    return WeightDropout(
        nn.LSTM(n_in, hidden, batch_first=True, bidirectional=bidir), weight_p, names
    )


def start_embedding(embedding: nn.Embedding) -> None:
    """Set rows between -0.1 and 0.1, and the one of padding to zero."""
    nn.init.uniform_(embedding.weight, -_BOUND, _BOUND)
    if embedding.padding_idx is not None:
        nn.init.zeros_(embedding.weight[embedding.padding_idx])


def awd_lstm_lm_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a language model of `AWD_LSTM`: each layer, then embedding and decoder."""
    return encoder_lm_split(model)


def awd_lstm_clas_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a classifier of `AWD_LSTM`: embedding, each layer, head."""
    return encoder_clas_split(model)


awd_lstm_lm_config: dict[str, Any] = {
    "emb_sz": 400, "n_hid": 1152, "n_layers": 3, "pad_token": 1, "bidir": False, "output_p": 0.1,
    "hidden_p": 0.15, "input_p": 0.25, "embed_p": 0.02, "weight_p": 0.2, "tie_weights": True,
    "out_bias": True,
}  # fmt: skip
"""Settings of a language model, those of the weights that fast.ai publishes among them."""

awd_lstm_clas_config: dict[str, Any] = {
    "emb_sz": 400, "n_hid": 1152, "n_layers": 3, "pad_token": 1, "bidir": False, "output_p": 0.4,
    "hidden_p": 0.3, "input_p": 0.4, "embed_p": 0.05, "weight_p": 0.5,
}  # fmt: skip
"""Settings of a classifier; more is hidden, since there are fewer texts with a label."""
