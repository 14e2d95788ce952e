"""How batches of texts are shown: a row each, long texts cut after so many words.

Importing the package imports this module, so that whoever holds a `TensorText` has these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.display.generic import plot_top_losses, show_batch, show_results
from layerwise.core.display.titled import TitledStr
from layerwise.core.items import L
from layerwise.text.types import TensorText

__all__: list[str] = []

# Words of a text that are read at a glance; the table of a terminal shows fewer, a notebook all.
_WORDS = 150


@show_batch.register
def _(
    x: TensorText,
    y: object,
    samples: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
    trunc_at: int = _WORDS,
) -> Any:
    """Rows of a table with text and target; `trunc_at` words of each text."""
    as_table = show_batch.function_for(object, object)
    return as_table(x, y, _shortened(samples[:max_n], trunc_at), ctxs, max_n)


@show_results.register
def _(
    x: TensorText,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    ctxs: Sequence[Any] | None = None,
    max_n: int = 9,
    trunc_at: int = _WORDS,
) -> Any:
    """Rows of a table with text, target and prediction; `trunc_at` words of each text."""
    as_table = show_results.function_for(object, object)
    shown, predicted = _shortened(samples[:max_n], trunc_at), _shortened(outs[:max_n], trunc_at)
    return as_table(x, y, shown, predicted, ctxs, max_n)


@plot_top_losses.register
def _(
    x: TensorText,
    y: object,
    samples: Sequence[Any],
    outs: Sequence[Any],
    raws: Sequence[Any],
    losses: Sequence[Any],
    trunc_at: int = _WORDS,
) -> Any:
    """Rows of a table with text, target, prediction, its probability and the loss, worst first."""
    as_table = plot_top_losses.function_for(object, object)
    shown, predicted = _shortened(samples, trunc_at), _shortened(outs, trunc_at)
    return as_table(x, y, shown, predicted, raws, losses)


def _shortened(samples: Sequence[Any], words: int) -> L:
    """The samples, their texts cut after `words` words."""
    return L([_short(sample, words) for sample in samples])


def _short(member: Any, words: int) -> Any:
    if type(member) is tuple:
        return tuple(_short(each, words) for each in member)
    return member.truncate(words) if isinstance(member, TitledStr) else member
