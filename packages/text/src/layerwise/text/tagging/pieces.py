"""From words with labels to pieces with labels, and back.

A label stands at the first piece of its word, as Devlin et al. (2019) do; other pieces have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.display.titled import TitledStr
from layerwise.core.errors import DataError, nearest
from layerwise.core.transforms.transform import Transform
from layerwise.text.padding import pad_input
from layerwise.text.tagging.sentences import Sentence
from layerwise.text.tagging.types import (
    NO_LABEL,
    TaggedPieces,
    TaggedWords,
    TensorPieces,
    TensorTags,
)
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

__all__ = ["PadPieces", "TagPieces", "WordPieces"]

_WORDS = re.compile(r"\w+|[^\w\s]")


class WordPieces(Transform):
    """A sentence, or a text, to the numbers of its pieces.

    A text is cut where letters and marks meet, as sentences of CoNLL-2003 are.

    Args:
        tok: the tokeniser.
    """

    takes_text = True  # to a server

    encodes = Dispatch(unchanged)

    def __init__(self, tok: HuggingFaceTokenizer) -> None:
        super().__init__()
        self.tok = tok
        self._numbers = {token: i for i, token in enumerate(tok.vocab)}

    @property
    def vocab(self) -> list[str]:
        """The tokens by their numbers."""
        return self.tok.vocab

    @encodes.register
    def _(self, o: Sentence) -> TensorPieces:
        found = self.tok.pieces(o.words)
        numbers = torch.tensor([self._numbers[token] for token in found.tokens])
        first = torch.tensor(_begins(found.words))
        return TensorPieces(torch.where(first, numbers, ~numbers))

    @encodes.register
    def _(self, o: str) -> TensorPieces:
        words = _WORDS.findall(o)
        if not words:
            raise DataError(f"there is no word in {o!r:.60}; leave such texts out")
        return self(Sentence(words))  # type: ignore[no-any-return]  # the method above

    def decodes(self, o: TensorPieces) -> TitledStr:
        """The words, with spaces between."""
        return TitledStr(" ".join(_words_of(o, self.tok)))

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        return {"tok": self.tok}


class TagPieces(Transform):
    """The labels of a sentence to their numbers, one for each of its pieces.

    Args:
        tok: the tokeniser of the pieces.
        vocab: the labels by their numbers; those of the training split, in their order, when None.

    Raises:
        DataError: for a label that is not among them.
    """

    encodes = Dispatch(unchanged)

    def __init__(self, tok: HuggingFaceTokenizer, vocab: Sequence[str] | None = None) -> None:
        super().__init__()
        self.tok = tok
        self.vocab = None if vocab is None else list(vocab)

    @property
    def c(self) -> int:
        """How many labels there are."""
        return len(self.vocab or ())

    def setups(self, dsets: Any) -> None:
        """Learn which labels there are."""
        if self.vocab is None and dsets is not None:
            self.vocab = sorted({label for sentence in dsets for label in _labels_of(sentence)})

    @encodes.register
    def _(self, o: Sentence) -> TensorTags:
        words = self.tok.pieces(o.words).words
        labels = _labels_of(o)
        tags = torch.full((len(words),), NO_LABEL)
        for place, (is_first, word) in enumerate(zip(_begins(words), words, strict=True)):
            if is_first and word is not None:
                tags[place] = self._number(labels[word])
        return TensorTags(tags)

    def _number(self, label: str) -> int:
        vocab = self.vocab or []
        if label not in vocab:
            raise DataError(
                f"the label {label!r} is not among the {len(vocab)} of the training split."
                f"{nearest(label, vocab)} Give vocab= in full"
            )
        return vocab.index(label)

    def decodes(self, o: TaggedPieces) -> TaggedWords:
        """The words with their labels."""
        is_first = o.pieces.as_plain() >= 0
        numbers = o.tags.as_plain()[: len(is_first)][is_first].tolist()
        words = _words_of(o.pieces, self.tok)
        vocab = self.vocab or []
        return TaggedWords((w, vocab[n]) for w, n in zip(words, numbers, strict=True))

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        return {"tok": self.tok, "vocab": self.vocab}


class PadPieces(Transform):
    """Pieces and labels of a batch to one length; decoding puts them together again.

    Args:
        pad_idx: the token that fills up, at the end.

    Example:
        >>> pad = PadPieces(pad_idx=0)
        >>> one = TensorPieces([~2, 7, ~8, ~3]), TensorTags([-100, 1, -100, -100])
        >>> two = TensorPieces([~2, 9, ~3]), TensorTags([-100, 0, -100])
        >>> [x.tolist() for x in pad([one, two])[1]]
        [[-3, 9, -4, -1], [-100, 0, -100, -100]]
    """

    def __init__(self, pad_idx: int) -> None:
        super().__init__()
        self.pad_idx = pad_idx

    # Padding sees all samples of a batch; back, pieces say which labels count.
    def _apply(self, part: str, x: Any, split_idx: int | None, kwargs: dict[str, Any]) -> Any:  # noqa: ARG002 - as of the base
        return self._padded(x) if part == "encodes" else _together(x)

    def _padded(self, samples: Sequence[Any]) -> list[Any]:
        padded = pad_input(samples, ~self.pad_idx)
        has_tags = bool(samples) and isinstance(samples[0], tuple) and len(samples[0]) > 1
        return pad_input(padded, NO_LABEL, pad_fields=1) if has_tags else padded


def _together(sample: Any) -> Any:
    """A sample whose labels know their pieces."""
    if not isinstance(sample, tuple) or len(sample) < 2:
        return sample
    pieces, *others = sample
    tagged = [TaggedPieces(pieces, TensorTags(tags)) for tags in others]
    return (pieces, *tagged)


def _begins(words: Iterable[int | None]) -> list[bool]:
    """Whether each piece is the first of its word."""
    seen: set[int | None] = {None}
    found = []
    for word in words:
        found.append(word not in seen)
        seen.add(word)
    return found


def _labels_of(sentence: Any) -> Sequence[str]:
    if not isinstance(sentence, Sentence) or sentence.labels is None:
        raise DataError(f"{sentence!r:.80} has no labels; give Sentence(words, labels)")
    return sentence.labels


def _words_of(pieces: Tensor, tok: HuggingFaceTokenizer) -> list[str]:
    """The words that pieces (T,) are of, as far as the tokeniser can write them."""
    special = set(tok.special_tokens)
    words: list[list[str]] = []
    for number in pieces.tolist():
        token = tok.vocab[number if number >= 0 else ~number]
        if number >= 0:
            words.append([token])
        elif words and token not in special:
            words[-1].append(token)
    return [tok.decode(word).strip() or "".join(word) for word in words]
