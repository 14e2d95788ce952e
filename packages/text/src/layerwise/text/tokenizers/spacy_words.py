"""`SpacyTokenizer`: words as the rules of spaCy cut them, for its many languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from layerwise.core.errors import MissingDependencyError
from layerwise.text.tokens import text_spec_tok

__all__ = ["SpacyTokenizer", "WordTokenizer"]


class SpacyTokenizer:
    """Words of one language by the rules of spaCy; no trained model is needed.

    Args:
        lang: the language, as in `spacy.blank`: "en", "de", "fr", ...
        special_toks: words that stay whole; the special tokens of this library when None.
        buf_sz: texts that spaCy gets at once.

    Raises:
        MissingDependencyError: when it is first used, if spaCy is not there.
        ValueError: when it is first used, if spaCy does not know the language.

    Example:
        >>> list(SpacyTokenizer()(["This isn't the easiest text."]))
        [['This', 'is', "n't", 'the', 'easiest', 'text', '.']]
    """

    def __init__(
        self, lang: str = "en", special_toks: Sequence[str] | None = None, buf_sz: int = 5000
    ) -> None:
        self.lang = lang
        self.special_toks = list(text_spec_tok if special_toks is None else special_toks)
        self.buf_sz = buf_sz

    def __call__(self, items: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each of `items`."""
        pipe = self._tokenizer.pipe(items, batch_size=self.buf_sz)
        return ([token.text for token in doc] for doc in pipe)

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            import spacy
        except (ImportError, OSError) as error:
            raise MissingDependencyError.of(
                "spacy", needed_for="tokens of SpacyTokenizer", install="spacy"
            ) from error
        try:
            tokenizer: Any = spacy.blank(self.lang).tokenizer
        except ImportError as error:  # spaCy's own kind for what is no language
            raise ValueError(
                f"spaCy has no language {self.lang!r}; give one of its codes, such as 'en' or 'de'"
            ) from error
        for word in self.special_toks:
            tokenizer.add_special_case(word, [{"ORTH": word}])
        return tokenizer

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_tokenizer"}

    def __repr__(self) -> str:
        return f"SpacyTokenizer(lang={self.lang!r})"


WordTokenizer = SpacyTokenizer
"""The name that says what it does."""
