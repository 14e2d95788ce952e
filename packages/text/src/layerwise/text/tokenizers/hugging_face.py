"""`HuggingFaceTokenizer`: a tokeniser of Hugging Face, with its own numbers for its tokens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.errors import MissingDependencyError
from layerwise.text.rules import Rule

__all__ = ["HuggingFaceTokenizer"]


class HuggingFaceTokenizer:
    """Tokens as a trained tokeniser of Hugging Face cuts them.

    It prepares texts itself, so no rules of ours come before or after it. With
    `Numericalize(tok.vocab)` tokens get the numbers that its model knows them by.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, a fast tokeniser of `transformers`, or the path or the
            contents of a `tokenizer.json`.
        add_special_tokens: add what the model expects at the ends, such as `[CLS]` and `[SEP]`.

    Raises:
        TypeError: for anything else, such as a slow tokeniser of `transformers`.
        MissingDependencyError: if the library tokenizers is not there.
    """

    default_rules: ClassVar[list[Rule]] = []
    default_post_rules: ClassVar[list[Rule]] = []

    def __init__(self, tokenizer: Any, *, add_special_tokens: bool = True) -> None:
        self._own = _rust_tokenizer(tokenizer)
        self.add_special_tokens = add_special_tokens

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        # One by one: threads of the library would not survive where processes are forked.
        for text in items:
            encoded = self._own.encode(text, add_special_tokens=self.add_special_tokens)
            yield list(encoded.tokens)

    @property
    def vocab(self) -> list[str]:
        """All tokens in the order of their numbers; numbers without a token are `xxfake`."""
        numbers = self._own.get_vocab(with_added_tokens=True)
        tokens = ["xxfake"] * (max(numbers.values(), default=-1) + 1)
        for token, number in numbers.items():
            tokens[number] = token
        return tokens

    def decode(self, tokens: Iterable[str]) -> str:
        """The text of `tokens`, without those that `add_special_tokens` added."""
        numbers = (self._own.token_to_id(token) for token in tokens)
        known = [number for number in numbers if number is not None]
        return str(self._own.decode(known, skip_special_tokens=True))

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one, the tokeniser as the contents of its file."""
        return {"tokenizer": self._own.to_str(), "add_special_tokens": self.add_special_tokens}

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (self.settings(),)

    def __repr__(self) -> str:
        kind = type(self._own.model).__name__
        return f"HuggingFaceTokenizer({kind}, {self._own.get_vocab_size()} tokens)"


def _made_again(settings: dict[str, Any]) -> HuggingFaceTokenizer:
    return HuggingFaceTokenizer(**settings)


def _rust_tokenizer(given: Any) -> Any:
    try:
        from tokenizers import Tokenizer
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "tokenizers",
            needed_for="tokenisers of Hugging Face",
            install="layerwise-text[transformers]",
        ) from error
    found = getattr(given, "backend_tokenizer", given)
    if isinstance(found, Tokenizer):
        # A copy, without the padding and cutting that calls of others may have switched on.
        copied = Tokenizer.from_str(found.to_str())
        copied.no_padding()
        copied.no_truncation()
        return copied
    if isinstance(given, str | os.PathLike):
        text = str(given)
        is_json = text.lstrip().startswith("{")
        return _rust_tokenizer(
            Tokenizer.from_str(text if is_json else Path(text).read_text("utf8"))
        )
    raise TypeError(
        f"{type(given).__name__} is no tokeniser that HuggingFaceTokenizer can use; give a "
        "tokenizers.Tokenizer, a fast tokeniser of transformers (one with `backend_tokenizer`), or "
        "the path of a tokenizer.json"
    )
