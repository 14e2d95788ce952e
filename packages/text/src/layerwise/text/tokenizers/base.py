"""`BaseTokenizer`: texts cut at one character; and what every tokeniser is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

__all__ = ["BaseTokenizer", "TextTokenizer"]


@runtime_checkable
class TextTokenizer(Protocol):
    """Anything that turns texts into lists of tokens, one list for each text, in their order.

    One that has to learn first has a method `setup(items, rules)` as well, which
    `parallel_tokenize` and `Tokenizer` call with the texts; see `SubwordTokenizer`.
    """

    def __call__(self, items: Iterable[str], /) -> Iterable[list[str]]:
        """The tokens of each of `items`."""


class BaseTokenizer:
    """Tokens are what stands between one character and the next.

    Args:
        split_char: the character, or several in a row.

    Example:
        >>> list(BaseTokenizer()(["This is a text"]))
        [['This', 'is', 'a', 'text']]
    """

    def __init__(self, split_char: str = " ") -> None:
        if not split_char:
            raise ValueError("split_char='' parts nothing; give a character, such as ' '")
        self.split_char = split_char

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        return (text.split(self.split_char) for text in items)

    def __repr__(self) -> str:
        return f"BaseTokenizer(split_char={self.split_char!r})"
