"""Classifiers of whole texts: read in chunks, pooled over time, then a perceptron.

From Howard and Ruder ("Universal Language Model Fine-tuning for Text Classification", 2018). What
comes out for a text depends on its tokens alone: not on the texts beside it in a batch, nor on how
much padding there is or on which side.

Shapes: B batch, T tokens of the longest text, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.nn.activations import SigmoidRange
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.nn.module import Module
from layerwise.core.settings import built
from layerwise.text.models.archs import Arch, configured, text_arch
from layerwise.text.models.encoder import TextEncoder
from layerwise.text.models.language_model import SequentialRNN

__all__ = [
    "PoolingLinearClassifier",
    "SentenceEncoder",
    "get_text_classifier",
    "masked_concat_pool",
]


class SentenceEncoder(Module):
    """Reads texts of any length chunk by chunk: (B, T) tokens to (B, K, D) and what is padding.

    Padding may stand on either side, and is not read: each text starts a chunk, and leaves the
    batch where it ends. No more than the last `max_len` tokens of a text are pooled, or have a
    gradient, so that memory does not grow with its length; what stands before reaches them through
    the state, which passes between chunks without its gradient. (A layer that reads backwards too
    sees the padding behind a text in its last chunk: `bidir` is for texts without.)

    Args:
        bptt: tokens of a chunk. An encoder that does not remember from call to call, such as a
            transformer, gets `max_len` tokens at a time instead.
        module: the encoder.
        pad_idx: the token of padding.
        max_len: tokens at the end of a text that count; all when None.

    Raises:
        ValueError: if `bptt` or `max_len` is less than one.

    Example:
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> encoder = SentenceEncoder(4, AWD_LSTM(50, emb_sz=6, n_hid=8, n_layers=1))
        >>> out, is_padding = encoder(torch.tensor([[2, 3, 4, 5, 6], [1, 1, 1, 7, 8]]))
        >>> out.shape, is_padding[1].tolist()
        (torch.Size([2, 5, 6]), [False, False, True, True, True])
    """

    def __init__(
        self, bptt: int, module: TextEncoder, pad_idx: int = 1, max_len: int | None = None
    ) -> None:
        if bptt < 1 or (max_len is not None and max_len < 1):
            raise ValueError(f"bptt={bptt} and max_len={max_len}; give numbers of tokens from 1")
        self.bptt, self.module, self.pad_idx, self.max_len = bptt, module, pad_idx, max_len

    def reset(self) -> None:
        """Let the encoder forget."""
        self.module.reset()

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:  # noqa: A002 - known name
        """Outputs (B, K, D) of the K tokens of chunks that count, and (B, K) which are padding.

        Each text begins with its first token. Tokens before the last `max_len` of a text count as
        padding.
        """
        tokens, lengths = _left_aligned(input, self.pad_idx)
        order = lengths.argsort(descending=True, stable=True)
        outputs, places = self._read(tokens[order], lengths[order].tolist())
        is_padding = places >= lengths[:, None]
        if self.max_len is not None:
            is_padding |= places < lengths[:, None] - self.max_len
        return outputs[order.argsort()], is_padding

    def _read(self, tokens: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
        """Outputs (B, K, D) and (K,) where they stand; of texts with the longest first."""
        longest = max(lengths[0], 1)
        step = self.bptt if self.module.always_remembers else self.max_len or longest
        self.module.reset()
        outputs, places = [], []
        for start in range(0, longest, step):
            stop = min(start + step, longest)
            reading = max(1, sum(length > start for length in lengths))
            counts = self.max_len is None or any(
                length - self.max_len < stop for length in lengths[:reading]
            )
            with torch.set_grad_enabled(torch.is_grad_enabled() and counts):
                output = self.module(tokens[:reading, start:stop])
            if counts:
                outputs.append(_with_rows(output, len(tokens)))
                places.append(torch.arange(start, stop, device=tokens.device))
        return torch.cat(outputs, dim=1), torch.cat(places)


def _with_rows(part: Tensor, count: int) -> Tensor:
    """`part` with rows of zeros up to `count`."""
    return F.pad(part, (0, 0, 0, 0, 0, count - len(part))) if len(part) < count else part


def _left_aligned(tokens: Tensor, pad_idx: int) -> tuple[Tensor, Tensor]:
    """(B, T) with padding at the end, and (B,) lengths; padding within a text counts as none."""
    is_word = tokens != pad_idx
    ordered = is_word.long().argsort(dim=1, descending=True, stable=True)
    return tokens.gather(1, ordered), is_word.sum(1)


def masked_concat_pool(
    output: Tensor,
    mask: Tensor,
    bptt: int | None = None,  # noqa: ARG001 - callers know it
) -> Tensor:
    """The last output of each text, the largest of each feature, and the mean: (B, 3 * D).

    Args:
        output: (B, T, D).
        mask: (B, T) whether it is padding, on any side; a text of nothing else becomes zeros.
        bptt: kept for callers who know it from fastai; the last token is found wherever it is.

    Example:
        >>> outputs = torch.tensor([[[1.0], [4.0], [1.0], [9.0]]])
        >>> masked_concat_pool(outputs, torch.tensor([[False, False, False, True]]))
        tensor([[1., 4., 2.]])
    """
    counts = ~mask
    lengths = counts.sum(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (places * counts).amax(1)  # (B,)
    zeroed = output.masked_fill(mask[:, :, None], 0)  # (B, T, D)
    mean = zeroed.sum(1) / lengths.clamp(min=1)[:, None]
    largest = output.masked_fill(mask[:, :, None], -torch.inf).amax(1)
    largest = largest.masked_fill((lengths == 0)[:, None], 0)
    return torch.cat([zeroed[torch.arange(len(output)), last], largest, mean], dim=1)


class PoolingLinearClassifier(Module):
    """Pools what `SentenceEncoder` gives, and decides: (B, T, D) and (B, T) to (B, C).

    Args:
        dims: features of each layer, from 3 * D to C.
        ps: share of features hidden before each linear layer.
        bptt: as of `masked_concat_pool`.
        y_range: (low, high) that outputs are squashed into; any number when None.

    Raises:
        ValueError: if there is not one share a layer.

    Example:
        >>> head = PoolingLinearClassifier([12, 5, 2], [0.2, 0.1], 72)
        >>> head((torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool)))[0].shape
        torch.Size([2, 2])
    """

    def __init__(
        self,
        dims: Sequence[int],
        ps: Sequence[float],
        bptt: int | None = None,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        if len(ps) != len(dims) - 1 or not ps:
            raise ValueError(
                f"{len(ps)} dropouts for {len(dims)} sizes, from the features to the classes; give "
                "one dropout fewer than sizes"
            )
        acts = [*(nn.ReLU() for _ in ps[1:]), None]
        sizes = zip(dims[:-1], dims[1:], ps, acts, strict=True)
        layers: list[nn.Module] = [LinBnDrop(i, o, p=p, act=act) for i, o, p, act in sizes]
        if y_range is not None:
            layers.append(SigmoidRange(*y_range))
        self.layers = nn.Sequential(*layers)
        self.bptt = bptt

    def forward(self, input: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:  # noqa: A002 - known name
        """(B, C), and twice the outputs that were pooled, for penalties on activations."""
        output, mask = input
        return self.layers(masked_concat_pool(output, mask, self.bptt)), output, output


@built
@names_nearest
def get_text_classifier(
    arch: Arch,
    vocab_sz: int,
    n_class: int,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    pad_idx: int = 1,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
) -> SequentialRNN:
    """A classifier of texts: (B, T) tokens to (B, C), and activations (B, T, D) twice.

    Args:
        arch: an encoder, such as `AWD_LSTM` or `TextTransformer`, or its name in the registry.
        vocab_sz: words of the vocabulary.
        n_class: C; one for a regression.
        seq_len: tokens of a chunk, see `SentenceEncoder`.
        config: settings that differ from those of the architecture: keywords of the encoder, and
            output_p, the share of pooled features hidden.
        drop_mult: factor of all dropout in the config.
        lin_ftrs: features of layers between; one of 50 when None.
        ps: shares of features hidden behind each of them; 0.1 each when None.
        pad_idx: the token of padding.
        max_len: tokens at the end of a text that are pooled and have a gradient; all when None.
        y_range: (low, high) that outputs are squashed into.

    Raises:
        TypeError: for a setting that is not known; names the nearest.
        ValueError: if the architecture is not known, or there is not one of `ps` a layer.

    Example:
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> model = get_text_classifier(AWD_LSTM, 50, 2, config={"emb_sz": 6, "n_hid": 8})
        >>> model(torch.randint(2, 50, (3, 7)))[0].shape
        torch.Size([3, 2])
    """
    known = text_arch(arch)
    own, outer = configured(known, known.clas_config, config, drop_mult, ("output_p",))
    lin_ftrs = [50] if lin_ftrs is None else list(lin_ftrs)
    ps = [0.1] * len(lin_ftrs) if ps is None else list(ps)
    dims = [3 * own["emb_sz"], *lin_ftrs, n_class]
    encoder = SentenceEncoder(seq_len, known.encoder(vocab_sz, **own), pad_idx, max_len)
    head = PoolingLinearClassifier(dims, [outer["output_p"], *ps], seq_len, y_range)
    return SequentialRNN(encoder, head)
