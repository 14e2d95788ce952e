"""`RegexTokenizer`: English words and marks, without a library, as fast as words can be looked up.

Most words of a text have been there before. So each word is cut once, by `split_word`, and then
found in a dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from layerwise.text.tokenizers.words import split_word
from layerwise.text.tokens import text_spec_tok

__all__ = ["RegexTokenizer"]

_RUNS = re.compile(r"\s++|\S++")
# Marks that are not seen: controls, directions of writing, half characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]+"
)
_REMEMBERED = 1 << 17  # words: up to some 30 MB
_LONG = 64  # characters of words that are not worth remembering
_BLOCK = 1 << 20  # characters that are cut at once, so that a long text needs no copy of itself


class Cuts(dict[str, tuple[str, ...]]):
    """The tokens of each word, found by `cut` when it first comes up."""

    def __init__(self, cut: Callable[[str], list[str]]) -> None:
        super().__init__()
        self.cut = cut

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = tuple(self.cut(word))  # which the garbage collector passes over, unlike a list
        if len(word) <= _LONG:
            if len(self) >= _REMEMBERED:
                self.clear()  # the frequent ones are back at once
            self[word] = found
        return found

    def of(self, text: str) -> list[str]:
        """The tokens of what stands between the spaces of `text`."""
        return list(chain.from_iterable(map(self.__getitem__, text.split(" "))))


class RegexTokenizer:
    r"""Cuts English, and languages written like it, into words and marks.

    The tokens are those of spaCy's English rules for more than 99.9 % of ordinary text, at many
    times its speed. Other than there, white space is no token, but for line breaks; characters that
    cannot be seen (controls, marks of direction) are left out. For languages without spaces between
    words take `SubwordTokenizer`.

    Args:
        special_toks: words that stay whole, whatever marks they have; the special tokens of this
            library when None.

    Example:
        >>> list(RegexTokenizer()(["xxbos it isn't (really) well-known.\n\nBut e.g. :-)"]))
        [['xxbos', 'it', 'is', "n't", '(', 'really', ')', 'well', '-', 'known', '.', '\n\n', 'But',
          'e.g.', ':-)']]
    """

    def __init__(self, special_toks: Sequence[str] | None = None) -> None:
        self.special_toks = list(text_spec_tok if special_toks is None else special_toks)
        self._special = frozenset(self.special_toks)
        self.cuts = Cuts(self.cut)

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        of = self.cuts.of
        for text in items:
            if len(text) <= _BLOCK:
                yield of(text)
            else:
                yield list(chain.from_iterable(map(of, _blocks(text))))

    def cut(self, word: str) -> list[str]:
        """The tokens of what stands between two spaces; other white space may be in it."""
        if word in self._special:
            return [word]
        if word.isprintable():
            return split_word(word)
        word = _INVISIBLE.sub("", word)
        tokens: list[str] = []
        for run in _RUNS.findall(word):
            if not run.isspace():
                tokens += [run] if run in self._special else split_word(run)
            elif "\n" in run:
                tokens.append("\n" * run.count("\n"))
        return tokens

    def __getstate__(self) -> dict[str, object]:
        return {"special_toks": self.special_toks}

    def __setstate__(self, state: dict[str, list[str]]) -> None:
        RegexTokenizer.__init__(self, state["special_toks"])

    def __repr__(self) -> str:
        return "RegexTokenizer()"


def _blocks(text: str) -> Iterator[str]:
    """`text` in parts of about `_BLOCK` characters, cut at spaces."""
    start = 0
    while start < len(text):
        space = text.find(" ", start + _BLOCK)
        stop = len(text) if space < 0 else space
        yield text[start:stop]
        start = stop + 1
