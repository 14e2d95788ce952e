"""Loaders for classifying and segmenting pictures, in one call, from the usual layouts."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.data.block import (
    CategoryBlock,
    DataBlock,
)
from layerwise.core.data.factories import (
    block_of_columns,
    block_of_label,
    refuse_settings,
    require_folders,
)
from layerwise.core.data.from_files import FromNames
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.readers import ColReader, parent_label
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import ColSplitter, GrandparentSplitter, RandomSplitter
from layerwise.core.types import PathLike
from layerwise.vision.blocks import ImageBlock, MaskBlock
from layerwise.vision.types import PILBase, PILImage

__all__ = ["ImageDataLoaders", "SegmentationDataLoaders"]

Labeller = Callable[[Any], Any]
Columns = str | int | Sequence[str] | Sequence[int]


class ImageDataLoaders(FromNames):
    """Loaders for pictures and their labels.

    All methods take besides: `item_tfms` and `batch_tfms`, transforms on each sample and each
    batch; `img_cls`, the type of picture; `kwargs`, settings of the loaders (`bs`, ...).
    """

    _pandas: ClassVar[str] = "layerwise-vision[tables]"

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        train: str = "train",
        valid: str = "valid",
        valid_pct: float | None = None,
        seed: int | None = None,
        vocab: Sequence[Any] | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: type[PILBase] = PILImage,
        **kwargs: Any,
    ) -> DataLoaders:
        """From folders named after labels, below folders for training and validation.

        Args:
            path: where the folders are.
            train: name of the folder for training.
            valid: name of the folder for validation.
            valid_pct: a random share validates instead, and all pictures below `path` are taken.
            seed: decides that share.
            vocab: the labels; found in the training split when None.
            item_tfms: see the class.
            batch_tfms: see the class.
            img_cls: see the class.
            kwargs: see the class.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_folder)
        get_items: Callable[..., Any] = get_image_files
        if valid_pct is None:
            require_folders(Path(path), train, valid)
            splitter: Any = GrandparentSplitter(train_name=train, valid_name=valid)
            get_items = partial(get_image_files, folders=[train, valid])
        else:
            splitter = RandomSplitter(valid_pct, seed=seed)
        block = DataBlock(
            (ImageBlock(img_cls), CategoryBlock(vocab=vocab)),
            get_items=get_items,
            splitter=splitter,
            get_y=parent_label,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, path, path=Path(path), **kwargs)

    @classmethod
    def from_path_func(
        cls,
        path: PathLike,
        fnames: Sequence[PathLike],
        label_func: Labeller,
        valid_pct: float = 0.2,
        seed: int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: type[PILBase] = PILImage,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a function of their paths.

        Args:
            path: where what belongs to the task is written.
            fnames: the files.
            label_func: from a path to its label.
            valid_pct: share that validates.
            seed: decides that share.
            item_tfms: see the class.
            batch_tfms: see the class.
            img_cls: see the class.
            kwargs: see the class.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_path_func)
        block = DataBlock(
            (ImageBlock(img_cls), CategoryBlock),
            splitter=RandomSplitter(valid_pct, seed=seed),
            get_y=label_func,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, fnames, path=Path(path), **kwargs)

    @classmethod
    def from_df(
        cls,
        df: Any,
        path: PathLike = ".",
        valid_pct: float = 0.2,
        seed: int | None = None,
        fn_col: Columns = 0,
        folder: str | None = None,
        suff: str = "",
        label_col: Columns = 1,
        label_delim: str | None = None,
        y_block: Any = None,
        valid_col: str | int | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: type[PILBase] = PILImage,
        allow_outside: bool = False,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a frame of pandas with a column of file names and one, or several, of labels.

        Args:
            df: the frame.
            path: what the file names start from.
            valid_pct: share that validates, unless `valid_col` says which rows do.
            seed: decides that share.
            fn_col: column of the file names.
            folder: a folder in `path` that they start from.
            suff: what is put behind each name, for example ".jpg".
            label_col: column of the labels; several for several labels.
            label_delim: what parts the labels of one picture.
            y_block: block of the target; by default one class, or several where the columns or
                `label_delim` say so.
            valid_col: column that is true for rows that validate.
            item_tfms: see the class.
            batch_tfms: see the class.
            img_cls: see the class.
            allow_outside: take file names that leave `path`.
            kwargs: see the class.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_df)
        start = Path(path) / folder if folder is not None else Path(path)
        if y_block is None:
            y_block = block_of_columns(df, label_col, label_delim)
        block = DataBlock(
            (ImageBlock(img_cls), y_block),
            splitter=RandomSplitter(valid_pct, seed=seed)
            if valid_col is None
            else ColSplitter(valid_col),
            get_x=ColReader(
                fn_col, pref=f"{start}{os.sep}", suff=suff, allow_outside=allow_outside
            ),
            get_y=ColReader(label_col, label_delim=label_delim),
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, df, path=Path(path), **kwargs)

    @classmethod
    def from_lists(
        cls,
        path: PathLike,
        fnames: Sequence[PathLike],
        labels: Sequence[Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        y_block: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: type[PILBase] = PILImage,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a list of their labels.

        Args:
            path: where what belongs to the task is written.
            fnames: the files.
            labels: one for each file; lists of labels, or floats, are known for what they are.
            valid_pct: share that validates.
            seed: decides that share.
            y_block: block of the target; by default what the first label is.
            item_tfms: see the class.
            batch_tfms: see the class.
            img_cls: see the class.
            kwargs: see the class.

        Raises:
            ValueError: if the lists differ in length.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_lists)
        if len(fnames) != len(labels):
            raise ValueError(f"{len(fnames)} files and {len(labels)} labels; give one for each")
        if y_block is None and len(labels):
            y_block = block_of_label(labels[0])
        block = DataBlock.from_columns(
            (ImageBlock(img_cls), y_block),
            splitter=RandomSplitter(valid_pct, seed=seed),
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, (fnames, labels), path=Path(path), **kwargs)


class SegmentationDataLoaders(DataLoaders):
    """Loaders for pictures and masks, in which each pixel has a class."""

    @classmethod
    def from_label_func(
        cls,
        path: PathLike,
        fnames: Sequence[PathLike],
        label_func: Labeller,
        valid_pct: float = 0.2,
        seed: int | None = None,
        codes: Sequence[str] | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        img_cls: type[PILBase] = PILImage,
        *,
        ignore_index: int | None = None,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a function from each to the file of its mask.

        Args:
            path: where what belongs to the task is written.
            fnames: the files of the pictures.
            label_func: from the path of a picture to that of its mask, or to the mask itself.
            valid_pct: share that validates.
            seed: decides that share.
            codes: name of each class, in the order of the codes in the masks.
            item_tfms: transforms on each sample.
            batch_tfms: transforms on each batch.
            img_cls: type of picture.
            ignore_index: a code that the loss leaves out, as `MaskBlock` takes it.
            kwargs: settings of the loaders (`bs`, ...).
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_label_func)
        block = DataBlock(
            (ImageBlock(img_cls), MaskBlock(codes, ignore_index=ignore_index)),
            splitter=RandomSplitter(valid_pct, seed=seed),
            get_y=label_func,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, fnames, path=Path(path), **kwargs)
