"""What every encoder of text has in common: it reads tokens, remembers, and consists of groups.

Shapes: B batch, T tokens, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from layerwise.core.nn.module import Module
from layerwise.core.nn.walk import params

__all__ = [
    "Remembering",
    "TextEncoder",
    "encoder_clas_split",
    "encoder_lm_split",
]


class Remembering(Module):
    """Base of what reads a text in pieces, with what it read before in mind.

    Generation asks no more than this of whatever there is in a model.
    """

    def reset(self) -> None:
        """Forget what was read."""
        raise NotImplementedError

    def remember(self) -> None:
        """Keep in mind what is read from now on, until `reset()`."""

    def select_rows(self, rows: Tensor) -> None:
        """Let row i of the memory be what row `rows[i]` was, as a search does that drops rows."""
        raise NotImplementedError

    def kept_state(self) -> list[Any]:
        """What was read, as lists of tensors: with it a checkpoint goes on in the middle of a text.

        Empty where training keeps nothing from batch to batch.
        """
        return []

    def recall(self, state: Sequence[Any]) -> None:
        """Take up what `kept_state()` gave."""


class TextEncoder(Remembering):
    """Base of what reads token numbers: (B, T) to (B, T, D), with what it read before in mind.

    Language models, classifiers and generation ask no more of an encoder than this, so that an
    encoder of one's own works with all of them: `get_language_model(Mine, ..., config={...})`.

    Attributes:
        encoder: the embedding, whose weight a decoder may share.
        always_remembers: whether each call goes on where the last one ended, as recurrent layers
            do; others remember from `remember()` to `reset()`.
    """

    always_remembers: ClassVar[bool] = False
    encoder: nn.Embedding

    def forward(self, inp: Tensor, from_embeds: bool = False) -> Tensor:
        """(B, T, D) for (B, T) tokens, or for their embeddings (B, T, D) if `from_embeds`."""
        raise NotImplementedError

    def embedding_modules(self) -> Sequence[nn.Module]:
        """The first group of parameters."""
        return [self.encoder]

    def layer_groups(self) -> Sequence[Sequence[nn.Module]]:
        """The groups of parameters above it, from the input to the output."""
        raise NotImplementedError


class RecurrentEncoder(TextEncoder):
    """Base of layers of recurrent nets, whose states go on from call to call without gradient.

    Attributes:
        rnns: the layers, from the input to the output.
        hidden: the state of each, a tuple of (L, B, H) tensors; empty where nothing was read.
    """

    always_remembers: ClassVar[bool] = True
    rnns: nn.ModuleList
    hidden: list[tuple[Tensor, ...]]

    def reset(self) -> None:
        """Forget what was read."""
        self.hidden = []

    def select_rows(self, rows: Tensor) -> None:
        """Let row i of the state be what row `rows[i]` was."""
        self.hidden = [tuple(part[:, rows] for part in state) for state in self.hidden]

    def kept_state(self) -> list[Any]:
        """The states of all layers."""
        return [list(state) for state in self.hidden]

    def recall(self, state: Sequence[Any]) -> None:
        """Go on with such states."""
        self.hidden = [tuple(part) for part in state]

    def layer_groups(self) -> Sequence[Sequence[nn.Module]]:
        """One a layer."""
        return [[rnn] for rnn in self.rnns]


def encoder_lm_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a language model by layers, the embedding with the decoder at the end.

    The decoder shares the weight of the embedding, as a rule; what is new in another vocabulary is
    in the two of them, which are therefore trained first.

    Args:
        model: `SequentialRNN(encoder, decoder)`, see `get_language_model`.
    """
    parts: Any = model
    encoder: TextEncoder = parts[0]
    groups = [_params(group) for group in encoder.layer_groups()]
    return [*groups, _params([*encoder.embedding_modules(), parts[1]])]


def encoder_clas_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a text classifier: embedding, layers, head.

    Args:
        model: `SequentialRNN(SentenceEncoder(...), head)`, see `get_text_classifier`.
    """
    parts: Any = model
    encoder: TextEncoder = parts[0].module
    groups = [_params(group) for group in encoder.layer_groups()]
    return [_params(encoder.embedding_modules()), *groups, _params([parts[1]])]


def _params(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    return params(nn.ModuleList(modules))
