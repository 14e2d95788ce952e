"""`SentencePieceTokenizer`: parts of words, learnt from the texts; for any language."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Self

import numpy as np

from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.files.atomic import write_whole
from layerwise.core.types import PathLike
from layerwise.text.rules import Rule
from layerwise.text.tokens import text_spec_tok

__all__ = ["SentencePieceTokenizer", "SubwordTokenizer", "eu_langs"]

eu_langs: list[str] = [
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv",
    "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
]  # fmt: skip
"""Codes of the languages of the European Union, which are written with few characters."""

_TYPES = ("unigram", "bpe", "char", "word")
_SPACE = "▁"  # what SentencePiece writes for a space
_LEAST = 32  # the smallest vocabulary that is asked for unless the user says so


class SentencePieceTokenizer:
    """Parts of words that are frequent in the texts it was set up with.

    `setup` trains the model; `Tokenizer` and `parallel_tokenize` call it. The model is part of the
    tokeniser: it is exported with a learner, and `sp_model` takes one that is there already.

    Args:
        lang: the language, which decides how many of the rare characters are kept.
        special_toks: tokens that stay whole; the special tokens of this library when None.
        sp_model: a trained model: a path, or the bytes of the file.
        vocab_sz: how many parts to learn; when None a quarter of the number of distinct words, up
            to `max_vocab_sz`, and a multiple of 8.
        max_vocab_sz: see there; 30,000 as in the models of Kudo (2018).
        model_type: "unigram", "bpe", "char" or "word".
        char_coverage: the share of all characters that get into the vocabulary; 0.99999 for the
            languages of `eu_langs` and 0.9998 for others, which have many more, when None.
        cache_dir: a folder in which the trained model is kept as `spm.model` as well.

    Raises:
        ValueError: for a `model_type` that is unknown; of `setup`, if there is not enough text.
        MissingDependencyError: when it is first used, if sentencepiece is not there.

    Reference:
        Kudo, Richardson: SentencePiece (2018); Kudo: Subword Regularization (2018).
    """

    def __init__(
        self,
        lang: str = "en",
        special_toks: Sequence[str] | None = None,
        sp_model: PathLike | bytes | None = None,
        vocab_sz: int | None = None,
        max_vocab_sz: int = 30000,
        model_type: str = "unigram",
        char_coverage: float | None = None,
        cache_dir: PathLike | None = None,
    ) -> None:
        if model_type not in _TYPES:
            raise ValueError(
                f"model_type={model_type!r} is not known.{nearest(model_type, _TYPES)} "
                f"It is one of {', '.join(_TYPES)}"
            )
        self.lang = lang
        self.special_toks = list(text_spec_tok if special_toks is None else special_toks)
        self.sp_model = _model_bytes(sp_model)
        self.vocab_sz, self.max_vocab_sz, self.model_type = vocab_sz, max_vocab_sz, model_type
        usual = 0.99999 if lang in eu_langs else 0.9998
        self.char_coverage = usual if char_coverage is None else char_coverage
        self.cache_dir = cache_dir
        self._whole = {_SPACE + token: token for token in self.special_toks}

    def setup(self, items: Iterable[str], rules: Sequence[Rule] | None = None) -> None:
        """Train the model on texts, unless there is one.

        Args:
            items: the texts; read twice, so no iterator.
            rules: what is done to each before.
        """
        if self.sp_model is not None:
            return
        library = _sentencepiece()
        size = self.vocab_sz if self.vocab_sz is not None else self._quarter(items, rules)
        model = io.BytesIO()
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=_lines(items, rules),
                model_writer=model,
                vocab_size=size,
                model_type=self.model_type,
                character_coverage=self.char_coverage,
                user_defined_symbols=list(self._whole),
                unk_id=len(self._whole),
                pad_id=-1,
                bos_id=-1,
                eos_id=-1,
                hard_vocab_limit=False,
                max_sentence_length=1 << 20,
                minloglevel=2,
                num_threads=1,
            )
        except RuntimeError as error:
            raise ValueError(
                f"SentencePiece cannot learn {size} parts of these texts ({error}); give more text "
                "or a smaller vocab_sz"
            ) from error
        self.sp_model = model.getvalue()
        if self.cache_dir is not None:
            write_whole(Path(self.cache_dir) / "spm.model", [self.sp_model])

    def _quarter(self, items: Iterable[str], rules: Sequence[Rule] | None) -> int:
        words = {word for line in _lines(items, rules) for word in line.split()}
        wanted = min(len(words) // 4, self.max_vocab_sz)
        return max(_LEAST, -(-wanted // 8) * 8)

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        whole, cut = self._whole, self._processor.encode_as_pieces
        return ([whole.get(part, part) for part in cut(text)] for text in items)

    def decode(self, tokens: Iterable[str]) -> str:
        """The text of `tokens`."""
        special = frozenset(self.special_toks)
        parts = (_SPACE + token if token in special else token for token in tokens)
        return "".join(parts).replace(_SPACE, " ").strip()

    @cached_property
    def _processor(self) -> Any:
        if self.sp_model is None:
            raise ValueError(
                "this SentencePieceTokenizer has no model yet; call setup(texts), or pass sp_model="
            )
        return _sentencepiece().SentencePieceProcessor(model_proto=self.sp_model)

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one, the model as an array of bytes."""
        model = None if self.sp_model is None else np.frombuffer(self.sp_model, np.uint8)
        kept = ("lang", "special_toks", "vocab_sz", "max_vocab_sz", "model_type", "char_coverage")
        return {**{name: getattr(self, name) for name in kept}, "sp_model": model}

    @classmethod
    def from_settings(
        cls,
        *,
        sp_model: Any,
        lang: str,
        special_toks: list[str],
        vocab_sz: int | None,
        max_vocab_sz: int,
        model_type: str,
        char_coverage: float,
    ) -> Self:
        """What `settings` described; no path is among them, whoever wrote them."""
        model = None if sp_model is None else sp_model.tobytes()
        return cls(lang, special_toks, model, vocab_sz, max_vocab_sz, model_type, char_coverage)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_processor"}

    def __repr__(self) -> str:
        size = self.vocab_sz if self.sp_model is None else self._processor.get_piece_size()
        return f"SentencePieceTokenizer(lang={self.lang!r}, vocab_sz={size})"


SubwordTokenizer = SentencePieceTokenizer
"""The name that says what it does."""


def _model_bytes(model: PathLike | bytes | None) -> bytes | None:
    return model if model is None or isinstance(model, bytes) else Path(model).read_bytes()


def _lines(items: Iterable[str], rules: Sequence[Rule] | None) -> Iterator[str]:
    for text in items:
        yield reduce(lambda so_far, rule: rule(so_far), rules or (), text)


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "sentencepiece",
            needed_for="parts of words",
            install="sentencepiece",
        ) from error
    return sentencepiece
