"""Language models: an encoder and a decoder that may share the embedding's weight.

Shapes: B batch, T tokens, D features, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.nn.module import Module
from layerwise.core.settings import RemembersCall, built
from layerwise.text.models.archs import Arch, configured, text_arch
from layerwise.text.models.dropout import RNNDropout
from layerwise.text.models.encoder import TextEncoder

__all__ = ["LinearDecoder", "SequentialRNN", "get_language_model"]

_BOUND = 0.1


class SequentialRNN(RemembersCall, nn.Sequential):
    """`nn.Sequential` that forgets what its modules remember when it is told to.

    Example:
        >>> model = SequentialRNN(nn.Linear(2, 3), nn.ReLU())
        >>> model.reset()
    """

    def reset(self) -> None:
        """Call `reset()` of each module that has it."""
        for module in self:
            reset = getattr(module, "reset", None)
            if callable(reset):
                reset()

    def kept_state(self) -> list[Any]:
        """What each module has read, see `TextEncoder`; nothing of those that keep nothing."""
        return [m.kept_state() if isinstance(m, TextEncoder) else [] for m in self]

    def recall(self, state: Sequence[Any]) -> None:
        """Let each module take up what `kept_state()` gave of it."""
        for module, own in zip(self, state, strict=True):
            if isinstance(module, TextEncoder):
                module.recall(own)


class LinearDecoder(Module):
    """Scores of the next word: (B, T, n_hid) to (B, T, n_out), under dropout.

    Args:
        n_out: V.
        n_hid: D, features of the encoder.
        output_p: share of features hidden.
        tie_encoder: the embedding whose weight is used here too (Press and Wolf, 2017): words that
            mean the same are then also expected in the same places.
        bias: a number for each word that is added to its score.

    Raises:
        ValueError: if the embedding has another size.

    Example:
        >>> import torch
        >>> decoded, raw, dropped = LinearDecoder(10, 4)(torch.zeros(2, 3, 4))
        >>> decoded.shape
        torch.Size([2, 3, 10])
    """

    def __init__(
        self,
        n_out: int,
        n_hid: int,
        output_p: float = 0.1,
        tie_encoder: nn.Embedding | None = None,
        bias: bool = True,
    ) -> None:
        self.decoder = nn.Linear(n_hid, n_out, bias=bias)
        self.output_dp = RNNDropout(output_p)
        if bias:
            nn.init.zeros_(self.decoder.bias)
        if tie_encoder is None:
            nn.init.uniform_(self.decoder.weight, -_BOUND, _BOUND)
            return
        if tie_encoder.weight.shape != (n_out, n_hid):
            raise ValueError(
                f"an embedding of shape {tuple(tie_encoder.weight.shape)} for a decoder of shape "
                f"{(n_out, n_hid)}; give an encoder with the width of its embedding, or "
                "tie_weights=False"
            )
        self.decoder.weight = tie_encoder.weight

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: A002 - known name
        """Scores (B, T, V), and `input` before and after dropout, for penalties on activations."""
        dropped = self.output_dp(input)
        return self.decoder(dropped), input, dropped


@built
@names_nearest
def get_language_model(
    arch: Arch,
    vocab_sz: int,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
) -> SequentialRNN:
    """A language model: (B, T) tokens to scores (B, T, V), and activations (B, T, D) twice.

    Args:
        arch: an encoder, such as `AWD_LSTM` or `TextTransformer`, or its name in the registry.
        vocab_sz: V.
        config: settings that differ from those of the architecture: keywords of the encoder, and
            output_p, tie_weights and out_bias of the decoder.
        drop_mult: factor of all dropout, that is of each setting that ends in "_p".

    Raises:
        TypeError: for a setting that neither has; names the nearest.
        ValueError: if the architecture is not known.

    Example:
        >>> import torch
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> model = get_language_model(AWD_LSTM, 50, {"emb_sz": 6, "n_hid": 8}, drop_mult=0.5)
        >>> model(torch.randint(50, (2, 7)))[0].shape
        torch.Size([2, 7, 50])
    """
    known = text_arch(arch)
    own, outer = configured(known, known.lm_config, config, drop_mult, _OF_DECODER)
    encoder = known.encoder(vocab_sz, **own)
    decoder = LinearDecoder(
        vocab_sz,
        own["emb_sz"],
        output_p=outer["output_p"],
        tie_encoder=encoder.encoder if outer["tie_weights"] else None,
        bias=outer["out_bias"],
    )
    return SequentialRNN(encoder, decoder)


_OF_DECODER = ("output_p", "tie_weights", "out_bias")
