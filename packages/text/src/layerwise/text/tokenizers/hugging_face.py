"""`HuggingFaceTokenizer`: a tokeniser of Hugging Face, with its own numbers for its tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from layerwise.core.errors import MissingDependencyError
from layerwise.text.rules import Rule

__all__ = ["HuggingFaceTokenizer", "Pieces"]

_FAKE = "xxfake"
_FILES = ("tokenizer.json", "tokenizer_config.json")
# What tokenisers without a limit say their limit is; no text is so long.
_NO_LIMIT = 1 << 30


class Pieces(NamedTuple):
    """Words as pieces.

    Attributes:
        tokens: the pieces of all words in a row, special ones among them.
        words: for each piece the place of its word; None for special ones.
    """

    tokens: list[str]
    words: list[int | None]


class HuggingFaceTokenizer:
    """Tokens as a trained tokeniser of Hugging Face cuts them.

    It prepares texts itself, so no rules of ours come before or after it. A `TextBlock` with it
    takes its vocabulary and its padding, so that tokens have the numbers that its model knows.

    Args:
        tokenizer: a `tokenizers.Tokenizer`; a fast tokeniser of `transformers`; the path or the
            contents of a `tokenizer.json`; or the folder of a model, with that file in it.
        add_special_tokens: add what the model expects at the ends, such as `[CLS]` and `[SEP]`.
        max_len: tokens of a text at most, special ones among them, what is longer is cut at the
            end; as a tokeniser of `transformers`, or the folder, says when None. Texts of language
            models are never cut.
        pad_token: what fills up; that of the tokeniser when None, if it has one.

    Attributes:
        pad_idx: the number of the token that fills up; None where there is none.

    Raises:
        TypeError: for anything else, such as a slow tokeniser of `transformers`.
        ValueError: if `pad_token` is none of its tokens, or `max_len` leaves no room for a text.
        FileNotFoundError: if there is no such file.
        MissingDependencyError: if the library tokenizers is not there.
    """

    default_rules: ClassVar[list[Rule]] = []
    default_post_rules: ClassVar[list[Rule]] = []

    def __init__(
        self,
        tokenizer: Any,
        *,
        add_special_tokens: bool = True,
        max_len: int | None = None,
        pad_token: str | None = None,
    ) -> None:
        self._own, told = _rust_tokenizer(tokenizer)
        self.add_special_tokens = add_special_tokens
        self.max_len = told.get("max_len") if max_len is None else max_len
        self.pad_token = told.get("pad_token") if pad_token is None else pad_token
        self.pad_idx = self._number_of(self.pad_token)
        if self.max_len is not None:
            added = self._own.num_special_tokens_to_add(False) if add_special_tokens else 0
            if self.max_len <= added:
                raise ValueError(
                    f"max_len={self.max_len}, of which special tokens take {added}; give more"
                )
            self._own.enable_truncation(self.max_len)

    def _number_of(self, token: str | None) -> int | None:
        number: int | None = None if token is None else self._own.token_to_id(token)
        if token is not None and number is None:
            raise ValueError(
                f"pad_token={token!r} is none of the {len(self.vocab)} tokens; give one of them, "
                f"such as {', '.join(map(repr, self.special_tokens[:4])) or 'one that is rare'}"
            )
        return number

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        vocab = self.vocab
        # One by one: threads of the library would not survive where processes are forked.
        for text in items:
            encoded = self._own.encode(text, add_special_tokens=self.add_special_tokens)
            # By number: what is unknown is shown as it was written, and has no number then.
            yield [vocab[number] for number in encoded.ids]

    def pieces(self, words: Sequence[str]) -> Pieces:
        """The tokens of a text that has been cut into words, and which word each is of.

        They are those of the words with spaces between. A word of which nothing is left (it is
        empty, behind `max_len`, or of characters that the tokeniser drops) has none.
        """
        encoded = self._own.encode(" ".join(words), add_special_tokens=self.add_special_tokens)
        of_character = [i for i, word in enumerate(words) for _ in f"{word} "]
        found = [
            # By its last character: before the first there may be the space, which counts to it.
            None if is_special or start == stop else of_character[stop - 1]
            for (start, stop), is_special in zip(
                encoded.offsets, encoded.special_tokens_mask, strict=True
            )
        ]
        return Pieces([self.vocab[number] for number in encoded.ids], found)

    @cached_property
    def vocab(self) -> list[str]:
        """All tokens in the order of their numbers; numbers without a token are `xxfake`."""
        numbers = self._own.get_vocab(with_added_tokens=True)
        tokens = [_FAKE] * (max(numbers.values(), default=-1) + 1)
        for token, number in numbers.items():
            tokens[number] = token
        return tokens

    @cached_property
    def special_tokens(self) -> list[str]:
        """The tokens that stand for no text, such as `[CLS]` and `[PAD]`."""
        added = self._own.get_added_tokens_decoder()
        return [token.content for _, token in sorted(added.items()) if token.special]

    def decode(self, tokens: Iterable[str]) -> str:
        """The text of `tokens`, without those that `add_special_tokens` added."""
        numbers = (self._own.token_to_id(token) for token in tokens)
        known = [number for number in numbers if number is not None]
        return str(self._own.decode(known, skip_special_tokens=True))

    def uncut(self) -> HuggingFaceTokenizer:
        """One like this that cuts off nothing, for language models."""
        return self if self.max_len is None else _made_again({**self.settings(), "max_len": None})

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one, the tokeniser as the contents of its file."""
        whole = _copied(self._own)
        names = ("add_special_tokens", "max_len", "pad_token")
        return {"tokenizer": whole.to_str(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_settings(cls, tokenizer: str, **settings: Any) -> HuggingFaceTokenizer:
        """The tokeniser of `settings()`; a path, which no file of ours holds, is refused."""
        if not tokenizer.lstrip().startswith("{"):
            raise ValueError(f"{tokenizer!r:.80} are no contents of a tokenizer.json")
        return cls(tokenizer, **settings)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (self.settings(),)

    def __repr__(self) -> str:
        kind = type(self._own.model).__name__
        cut = "" if self.max_len is None else f", max_len={self.max_len}"
        return f"HuggingFaceTokenizer({kind}, {self._own.get_vocab_size()} tokens{cut})"


def _made_again(settings: dict[str, Any]) -> HuggingFaceTokenizer:
    return HuggingFaceTokenizer(**settings)


def _rust_tokenizer(given: Any) -> tuple[Any, dict[str, Any]]:
    """The tokeniser, and what is known besides of its padding and of the longest text."""
    try:
        from tokenizers import Tokenizer
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "tokenizers",
            needed_for="tokenisers of Hugging Face",
            install="layerwise-text[transformers]",
        ) from error
    if isinstance(given, Tokenizer):
        return _copied(given), _told_by(given)
    if isinstance(getattr(given, "backend_tokenizer", None), Tokenizer):
        told = {"pad_token": given.pad_token, "max_len": _limit(given.model_max_length)}
        return _copied(given.backend_tokenizer), told
    if isinstance(given, str | os.PathLike):
        text = str(given)
        if text.lstrip().startswith("{"):
            found = Tokenizer.from_str(text)
            return _copied(found), _told_by(found)
        return _of_path(Path(text))
    raise TypeError(
        f"{type(given).__name__} is no tokeniser that HuggingFaceTokenizer can use; give a "
        "tokenizers.Tokenizer, a fast tokeniser of transformers (one with `backend_tokenizer`), "
        "the path of a tokenizer.json, or the folder of a model"
    )


def _of_path(path: Path) -> tuple[Any, dict[str, Any]]:
    """Of a file, or of a folder whose other file says more."""
    from tokenizers import Tokenizer

    file = path / _FILES[0] if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no file {file}; give the path of a tokenizer.json, or a folder with one, as "
            "save_pretrained of a fast tokeniser writes it"
        )
    found = Tokenizer.from_str(file.read_text("utf8"))
    told = _told_by(found)
    beside = file.with_name(_FILES[1])
    if path.is_dir() and beside.is_file():
        config = json.loads(beside.read_text("utf8"))
        pad = config.get("pad_token")
        told["pad_token"] = pad.get("content") if isinstance(pad, dict) else pad
        told["max_len"] = _limit(config.get("model_max_length"))
    return _copied(found), told


def _told_by(tokenizer: Any) -> dict[str, Any]:
    """What a tokeniser that pads says of that; else the special token that is called so."""
    if tokenizer.padding is not None:
        return {"pad_token": tokenizer.padding["pad_token"]}
    known = ("[PAD]", "<pad>", "<|pad|>")
    named = [name for name in known if tokenizer.token_to_id(name) is not None]
    return {"pad_token": named[0] if named else None}


def _limit(told: Any) -> int | None:
    return int(told) if told is not None and told < _NO_LIMIT else None


def _copied(tokenizer: Any) -> Any:
    """A copy without the padding and cutting that calls of others may have switched on."""
    copied = type(tokenizer).from_str(tokenizer.to_str())
    copied.no_padding()
    copied.no_truncation()
    return copied
