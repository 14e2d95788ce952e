"""`TokenDataLoaders`: loaders for the labels of words, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from layerwise.core.data.block import DataBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import names_nearest
from layerwise.core.types import PathLike
from layerwise.text.tagging.blocks import TagBlock, TokenBlock
from layerwise.text.tagging.sentences import Sentence, read_conll
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

__all__ = ["TokenDataLoaders"]


class TokenDataLoaders(DataLoaders):
    """Loaders for sentences whose words have labels."""

    @classmethod
    @names_nearest
    def from_conll(
        cls,
        path: PathLike,
        train: str = "train.txt",
        valid: str = "valid.txt",
        *,
        tok_tfm: HuggingFaceTokenizer,
        vocab: Sequence[str] | None = None,
        word_col: int = 0,
        label_col: int = -1,
        delimiter: str | None = None,
        encoding: str = "utf8",
        bs: int = 64,
        **kwargs: Any,
    ) -> DataLoaders:
        """From files with a word and its label in each line, see `read_conll`.

        Args:
            path: the folder of the files.
            train: the file for training.
            valid: the file for validation.
            tok_tfm: the tokeniser of the model.
            vocab: the labels; those of the training file when None.
            word_col: column of the word.
            label_col: column of the label.
            delimiter: what parts columns.
            encoding: of the files.
            bs: sentences of a batch.
            kwargs: settings of the loaders.
        """
        columns: Any = (word_col, label_col, delimiter, encoding)
        first, second = (read_conll(Path(path) / name, *columns) for name in (train, valid))
        splitter = IndexSplitter(range(len(first), len(first) + len(second)))
        block = DataBlock((TokenBlock(tok_tfm), TagBlock(tok_tfm, vocab)), splitter=splitter)
        return cls.from_dblock(block, [*first, *second], path=Path(path), bs=bs, **kwargs)

    @classmethod
    @names_nearest
    def from_lists(
        cls,
        words: Iterable[Sequence[str]],
        labels: Iterable[Sequence[str]],
        *,
        tok_tfm: HuggingFaceTokenizer,
        vocab: Sequence[str] | None = None,
        valid_pct: float = 0.2,
        seed: int | None = None,
        path: PathLike = ".",
        bs: int = 64,
        **kwargs: Any,
    ) -> DataLoaders:
        """From the words of sentences, and as many labels of each.

        Args:
            words: those of each sentence.
            labels: those of each sentence.
            tok_tfm: the tokeniser of the model.
            vocab: the labels; those of the training split when None.
            valid_pct: share that validates.
            seed: decides that share.
            path: where what belongs to the task is written.
            bs: sentences of a batch.
            kwargs: settings of the loaders.

        Raises:
            ValueError: if there are not labels for each sentence; DataError, which is one too, if
                there is not one for each word.
        """
        sentences = [Sentence(list(w), list(own)) for w, own in zip(words, labels, strict=True)]
        block = DataBlock(
            (TokenBlock(tok_tfm), TagBlock(tok_tfm, vocab)),
            splitter=RandomSplitter(valid_pct, seed=seed),
        )
        return cls.from_dblock(block, sentences, path=Path(path), bs=bs, **kwargs)
