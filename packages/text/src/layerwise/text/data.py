"""`TextDataLoaders`: loaders for language models and classifiers, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.factories import (
    block_of_columns,
    refuse_settings,
    require_folders,
)
from layerwise.core.data.from_files import FromTable
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import ColReader, parent_label
from layerwise.core.data.source import get_text_files
from layerwise.core.data.split import ColSplitter, GrandparentSplitter, RandomSplitter
from layerwise.core.types import PathLike
from layerwise.text.blocks import TextBlock
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.sorted_loader import SortedDL

__all__ = ["TextDataLoaders"]

Columns = str | int | Sequence[str] | Sequence[int]


class TextDataLoaders(FromTable):
    """Loaders for texts: with their labels, or for a language model (`is_lm`).

    All methods take besides: `text_vocab`, the tokens by their numbers, learnt when None; `is_lm`;
    `tok_tfm`, the tokeniser, see `TextBlock`; `seq_len`, tokens of a row for a language model, of a
    chunk for a classifier; `backwards`, to read texts from their end; `kwargs`, settings of the
    loaders (`bs`, `val_bs`, `shuffle`, ...).
    """

    _loaders: ClassVar[tuple[type, ...]] = (LMDataLoader, SortedDL)

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        train: str = "train",
        valid: str = "valid",
        valid_pct: float | None = None,
        seed: int | None = None,
        vocab: Sequence[Any] | None = None,
        text_vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        tok_tfm: Any = None,
        seq_len: int = 72,
        splitter: Callable[[Any], Any] | None = None,
        backwards: bool = False,
        **kwargs: Any,
    ) -> DataLoaders:
        """From text files in folders named after labels, below those for training and validation.

        Args:
            path: where the folders are. Tokens are written to a folder beside it.
            train: name of the folder for training.
            valid: name of the folder for validation.
            valid_pct: a random share validates instead, and all texts below `path` are taken.
            seed: decides that share.
            vocab: the labels; found in the training split when None.
            text_vocab: see the class.
            is_lm: see the class.
            tok_tfm: see the class.
            seq_len: see the class.
            splitter: decides what validates, in place of the folders; all texts are taken.
            backwards: see the class.
            kwargs: see the class.

        Raises:
            FileNotFoundError: if there are no such folders; names those that there are.
        """
        refuse_settings(kwargs, cls._loaders, cls.from_folder)
        get_items: Callable[..., Any] = get_text_files
        if splitter is None and valid_pct is None:
            require_folders(Path(path), train, valid)
            splitter = GrandparentSplitter(train_name=train, valid_name=valid)
            get_items = partial(get_text_files, folders=[train, valid])
        elif splitter is None:
            splitter = RandomSplitter(valid_pct or 0.0, seed=seed)
        texts = TextBlock.from_folder(
            path, text_vocab, is_lm=is_lm, seq_len=seq_len, backwards=backwards, tok=tok_tfm
        )
        block = DataBlock(
            texts if is_lm else (texts, CategoryBlock(vocab=vocab)),
            get_items=get_items,
            splitter=splitter,
            get_y=None if is_lm else parent_label,
        )
        return cls.from_dblock(block, path, path=Path(path), **kwargs)

    @classmethod
    def from_df(
        cls,
        df: Any,
        path: PathLike = ".",
        valid_pct: float = 0.2,
        seed: int | None = None,
        text_col: Columns = 0,
        label_col: Columns = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        text_vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        valid_col: str | int | None = None,
        tok_tfm: Any = None,
        tok_text_col: str = "text",
        seq_len: int = 72,
        backwards: bool = False,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a frame of pandas with a column of texts and one, or several, of labels.

        Args:
            df: the frame; it stays as it is.
            path: where what belongs to the task is written.
            valid_pct: share that validates, unless `valid_col` says which rows do.
            seed: decides that share.
            text_col: column of the texts, or several that make up one text.
            label_col: column of the labels; several for several labels.
            label_delim: what parts the labels of one text.
            y_block: block of the target; by default one class, or several where the columns or
                `label_delim` say so.
            text_vocab: see the class.
            is_lm: see the class.
            valid_col: column that is true for rows that validate.
            tok_tfm: see the class.
            tok_text_col: name of the column for the tokens; it matters where the frame has one of
                that name that is needed, a label for example.
            seq_len: see the class.
            backwards: see the class.
            kwargs: see the class.
        """
        refuse_settings(kwargs, cls._loaders, cls.from_df)
        texts = TextBlock.from_df(
            text_col, text_vocab, is_lm=is_lm, seq_len=seq_len, backwards=backwards, tok=tok_tfm,
            tok_text_col=tok_text_col,
        )  # fmt: skip
        if y_block is None and not is_lm:
            y_block = block_of_columns(df, label_col, label_delim)
        block = DataBlock(
            texts if is_lm else (texts, y_block),
            get_x=ColReader(tok_text_col),
            get_y=None if is_lm else ColReader(label_col, label_delim=label_delim),
            splitter=RandomSplitter(valid_pct, seed=seed)
            if valid_col is None
            else ColSplitter(valid_col),
        )
        return cls.from_dblock(block, df, path=Path(path), **kwargs)
