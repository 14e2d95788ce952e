"""The types of pieces of words, of their labels, and of words with labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerwise.core.display.titled import show_title
from layerwise.core.tensors import TensorBase
from layerwise.text.types import TensorText

__all__ = ["TaggedPieces", "TaggedWords", "TensorPieces", "TensorTags"]

NO_LABEL = -100
"""What stands where there is no label; losses leave it out."""


class TensorPieces(TensorText):
    """(T,) numbers of the pieces of words, or (B, T) those of several sentences, padded.

    A piece that begins a word has its number n, all others (the rest of words, special tokens,
    padding) its complement `~n`, which is negative: so a batch tells where words begin.
    """


class TensorTags(TensorBase):
    """(T,) or (B, T) labels of pieces; -100 for all that do not begin a word."""


@dataclass(frozen=True)
class TaggedPieces:
    """Pieces of a sentence and a label for each, on the way back to words.

    Attributes:
        pieces: (T,).
        tags: (T,) or more, what counts first.
    """

    pieces: TensorPieces
    tags: TensorTags


class TaggedWords(list[tuple[str, str]]):
    """Words with their labels; shown as `Ada/B-PER writes`.

    Example:
        >>> print(TaggedWords([("Ada", "B-PER"), ("writes", "O")]))
        Ada/B-PER writes
    """

    def __str__(self) -> str:
        return " ".join(word if label == "O" else f"{word}/{label}" for word, label in self)

    def to_answer(self, scores: Any = None, vocab: Any = None) -> dict[str, list[str]]:  # noqa: ARG002 - as all answers
        """What a server tells: the words, and as many labels.

        Example:
            >>> TaggedWords([("Ada", "B-PER"), ("writes", "O")]).to_answer()
            {'words': ['Ada', 'writes'], 'labels': ['B-PER', 'O']}
        """
        return {"words": [word for word, _ in self], "labels": [label for _, label in self]}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Show as a title, or as an entry in a table."""
        return show_title(str(self), ctx=ctx, **{"label": "labels", **kwargs})
