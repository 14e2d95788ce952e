"""A language model read step by step: what was read is remembered, so that a token costs one step.

Shapes: B rows, T tokens, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.text.models.encoder import Remembering

__all__: list[str] = []


@contextmanager
def reading(model: nn.Module) -> Iterator[Remembering]:
    """What remembers in `model`, which predicts and remembers inside, and has forgotten outside.

    Raises:
        TypeError: if there is nothing in the model that remembers.
    """
    encoder = next((m for m in model.modules() if isinstance(m, Remembering)), None)
    if encoder is None:
        raise TypeError(
            f"{type(model).__name__} has nothing in it that remembers (no TextEncoder); give a "
            "model of get_language_model, or the model of a language_model_learner"
        )
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    encoder.reset()
    encoder.remember()
    try:
        yield encoder
    finally:
        encoder.reset()
        for module, training in modes:
            module.training = training


def next_scores(model: nn.Module, rows: Sequence[Sequence[int]]) -> Tensor:
    """(B, V) scores of the token behind `rows`, B lists of as many tokens each."""
    device = next(model.parameters()).device
    # Here and not around the loop, whose caller goes on with its own work between two tokens.
    with torch.no_grad():
        out: Any = model(torch.tensor(rows, device=device))
    decoded: Tensor = out[0] if isinstance(out, tuple) else out
    return decoded[:, -1]


def as_prompts(tokens: Any) -> list[list[int]]:
    """A list of prompts from one or several, in lists or tensors.

    Raises:
        ValueError: if one of them is empty.
    """
    found = tokens.tolist() if isinstance(tokens, Tensor) else list(tokens)
    if not found or isinstance(found[0], int):
        found = [found]
    prompts = [row.tolist() if isinstance(row, Tensor) else list(row) for row in found]
    if not all(prompts):
        raise ValueError("an empty prompt; give one token or more, such as that of the beginning")
    return prompts
