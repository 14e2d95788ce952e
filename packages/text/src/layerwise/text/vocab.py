"""Vocabularies, and `Numericalize`: tokens to numbers and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from layerwise.core.items import L
from layerwise.core.transforms.transform import Transform
from layerwise.text.tokens import PAD, UNK, text_spec_tok
from layerwise.text.types import TensorText

__all__ = ["Numericalize", "make_vocab", "reverse_text"]

_FAKE = "xxfake"
_MULTIPLE = 8  # tensor cores want sizes that are multiples of 8


def make_vocab(
    count: Mapping[str, int],
    min_freq: int = 3,
    max_vocab: int = 60000,
    special_toks: Sequence[str] | None = None,
) -> list[str]:
    """The special tokens and then the most frequent ones, filled up with `xxfake`.

    The length is a multiple of 8, so that matrix products over the vocabulary are fast in half
    precision. Tokens that come equally often stand in the order of the alphabet: the vocabulary
    depends on the counts alone, and not on the order in which texts were read.

    Args:
        count: how often each token comes.
        min_freq: tokens that come less often are left out.
        max_vocab: how many tokens there are at most, special ones among them, fillings not.
        special_toks: what stands first; `text_spec_tok` when None.

    Example:
        >>> vocab = make_vocab({"the": 5, "cat": 3, "ox": 1}, min_freq=2)
        >>> vocab[:2], vocab[9:12], len(vocab)
        (['xxunk', 'xxpad'], ['the', 'cat', 'xxfake'], 16)
    """
    special = list(dict.fromkeys(text_spec_tok if special_toks is None else special_toks))
    taken = {*special, _FAKE}
    often = [(-n, token) for token, n in count.items() if n >= min_freq and token not in taken]
    often.sort()
    vocab = special + [token for _, token in often[: max(0, max_vocab - len(special))]]
    return vocab + [_FAKE] * (-len(vocab) % _MULTIPLE)


class Numericalize(Transform):
    """Tokens to their numbers in a vocabulary, and back.

    Unknown tokens become `xxunk`.

    Args:
        vocab: the tokens by number; when None they are learnt from the training split by
            `make_vocab`, or from the counts that a `Tokenizer` before it has.
        min_freq: see `make_vocab`.
        max_vocab: see `make_vocab`.
        special_toks: see `make_vocab`.

    Raises:
        TypeError: if a text was not cut into tokens before, or the vocabulary is no list of them.
        KeyError: for an unknown token, if the vocabulary given has no `xxunk`.

    Example:
        >>> to_numbers = Numericalize(min_freq=1)
        >>> to_numbers.setup([["the", "cat"], ["the", "dog"]])
        >>> to_numbers(["the", "ox"]), to_numbers.decode(to_numbers(["the", "ox"]))
        (TensorText([9, 0]), (#2) ['the', 'xxunk'])
    """

    def __init__(
        self,
        vocab: Sequence[str] | None = None,
        min_freq: int = 3,
        max_vocab: int = 60000,
        special_toks: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.min_freq, self.max_vocab = min_freq, max_vocab
        self.special_toks = None if special_toks is None else list(special_toks)
        self.vocab: list[str] | None = None
        self.o2i: Mapping[str, int] = {}
        if vocab is not None:
            self._take(vocab)

    def _take(self, vocab: Sequence[str]) -> None:
        self.vocab = list(vocab)
        odd = vocab if isinstance(vocab, str) else _first_other(self.vocab)
        if odd is not None:
            raise TypeError(
                f"a vocabulary is a list of tokens, each a text, and here is {odd!r:.60}; of "
                "loaders with labels it is the first of dls.vocab"
            )
        # Fillings that stand for nothing are found by no token.
        numbers = {token: i for i, token in enumerate(self.vocab) if token != _FAKE}
        unknown = numbers.get(UNK)
        self.o2i = numbers if unknown is None else _Known(numbers, unknown)

    def setups(self, dsets: Any) -> None:
        """Learn the vocabulary from lists of tokens, or from the counts of a `Tokenizer`."""
        if self.vocab is not None or dsets is None:
            return
        count = getattr(dsets, "counter", None)
        if count is None:
            count = Counter(chain.from_iterable(map(_tokens, dsets)))
        self._take(make_vocab(count, self.min_freq, self.max_vocab, self.special_toks))

    def encodes(self, o: object) -> TensorText:
        """(T,) the number of each token."""
        if self.vocab is None:
            raise ValueError(
                "Numericalize has no vocabulary yet; call setup on lists of tokens, or pass vocab="
            )
        tokens = _tokens(o)
        try:
            numbers = list(map(self.o2i.__getitem__, tokens))
        except KeyError as error:
            raise KeyError(
                f"the token {error.args[0]!r} is not in the vocabulary, which has no {UNK!r} to "
                "stand for it; was the text cut by another tokeniser than the one it belongs to?"
            ) from None
        return TensorText(torch.tensor(numbers, dtype=torch.long))

    def decodes(self, o: TensorText) -> L:
        """The tokens, without those that fill up."""
        vocab = self.vocab or []
        return L([vocab[i] for i in o.tolist() if vocab[i] != PAD])

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        names = ("vocab", "min_freq", "max_vocab", "special_toks")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        if self.vocab is None:
            return f"Numericalize(min_freq={self.min_freq}, max_vocab={self.max_vocab})"
        return f"Numericalize(vocab of {len(self.vocab)} tokens)"


def _first_other(vocab: Sequence[object]) -> object:
    """The first member that is no text; None where all are."""
    return next((member for member in vocab if not isinstance(member, str)), None)


class _Known(dict[str, int]):
    """Numbers by token; what is missing has the number of the unknown."""

    def __init__(self, numbers: Mapping[str, int], unknown: int) -> None:
        super().__init__(numbers)
        self.unknown = unknown

    def __missing__(self, token: str) -> int:
        return self.unknown

    def __reduce__(self) -> tuple[Any, ...]:
        return _Known, (dict(self), self.unknown)


def _tokens(o: Any) -> Iterable[str]:
    if isinstance(o, list | tuple):
        return o
    raise TypeError(
        f"{o!r:.60} is a {type(o).__name__} and not a list of tokens; put a Tokenizer before "
        "Numericalize, or split the text"
    )


def reverse_text(x: Tensor) -> Tensor:
    """(T,) the numbers of a text, last first: for models that read backwards.

    Example:
        >>> reverse_text(torch.tensor([1, 2, 3]))
        tensor([3, 2, 1])
    """
    return x.flip(0)
