"""`AudioDataLoaders`: loaders for clips and their labels, in one call, from the usual layouts."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from layerwise.audio.blocks import AudioBlock, SpecBlock
from layerwise.audio.config import AudioConfig, SpectrogramConfig
from layerwise.audio.files import get_audio_files
from layerwise.audio.spectrum import gives_spectrogram
from layerwise.core.data.block import (
    CategoryBlock,
    DataBlock,
    TransformBlock,
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
from layerwise.core.data.split import ColSplitter, GrandparentSplitter, RandomSplitter
from layerwise.core.items import listify
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike

__all__ = ["AudioDataLoaders"]

Labeller = Callable[[Any], Any]
Splitter = Callable[[Any], Any]
Spec = SpectrogramConfig | Transform | Literal["mel"] | None
Columns = str | int | Sequence[str] | Sequence[int]

# Of a frame: enough to tell the harmonics of a voice apart. Four frames begin in that time, since
# words change within 16 ms.
_SECONDS = 0.064


class AudioDataLoaders(FromNames):
    """Loaders for clips and their labels; batches are normalised mel spectrograms in dB.

    All methods take besides: `item_tfms` and `batch_tfms`, transforms on each clip and each batch,
    augmentation for example (a transform to spectrograms among the latter takes the place of that
    of `spectrogram`); `sample_rate`, to which files of another rate are resampled; `force_mono`,
    the mean of the channels; `crop_signal_to`, milliseconds of every clip, a random crop in
    training: without it clips are read whole, and those of one batch filled up to the longest;
    `cache_folder`, where resampled clips are kept; `spectrogram`, how spectrograms are made ("mel"
    is 64 mel bands in dB, a frame of 64 ms every 16 ms), None for batches of waveforms; `kwargs`,
    settings of the loaders (`bs`, `shuffle`, ...).
    """

    _pandas: ClassVar[str] = "layerwise-audio[tables]"

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
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
        spectrogram: Spec = "mel",
        **kwargs: Any,
    ) -> DataLoaders:
        """From folders named after labels, below folders for training and validation.

        Args:
            path: where the folders are.
            train: name of the folder for training.
            valid: name of the folder for validation.
            valid_pct: a random share validates instead, and all sounds below `path` are taken.
            seed: decides that share.
            vocab: the labels; found in the training split when None.
            item_tfms: see the class.
            batch_tfms: see the class.
            sample_rate: see the class.
            force_mono: see the class.
            crop_signal_to: see the class.
            cache_folder: see the class.
            spectrogram: see the class.
            kwargs: see the class.

        Raises:
            FileNotFoundError: if there are no such folders; names those that there are.
            DataError: if there is no sound in them.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_folder)
        get_items: Callable[..., Any] = get_audio_files
        if valid_pct is None:
            require_folders(Path(path), train, valid)
            splitter: Any = GrandparentSplitter(train_name=train, valid_name=valid)
            get_items = partial(get_audio_files, folders=[train, valid])
        else:
            splitter = RandomSplitter(valid_pct, seed=seed)
        clips = _clips(
            batch_tfms, spectrogram, cache_folder, sample_rate, force_mono, crop_signal_to
        )
        block = DataBlock(
            (clips, CategoryBlock(vocab=vocab)),
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
        splitter: Splitter | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
        spectrogram: Spec = "mel",
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a function of their paths.

        Args:
            path: where what belongs to the task is written.
            fnames: the files.
            label_func: from a path to its label.
            valid_pct: share that validates, unless `splitter` says which files do.
            seed: decides that share.
            splitter: from the files to positions for training and for validation, such as
                `FuncSplitter`.
            item_tfms: see the class.
            batch_tfms: see the class.
            sample_rate: see the class.
            force_mono: see the class.
            crop_signal_to: see the class.
            cache_folder: see the class.
            spectrogram: see the class.
            kwargs: see the class.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_path_func)
        clips = _clips(
            batch_tfms, spectrogram, cache_folder, sample_rate, force_mono, crop_signal_to
        )
        block = DataBlock(
            (clips, CategoryBlock),
            splitter=splitter or RandomSplitter(valid_pct, seed=seed),
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
        valid_fold: Any = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
        spectrogram: Spec = "mel",
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
            suff: what is put behind each name, for example ".wav".
            label_col: column of the labels; several for several labels.
            label_delim: what parts the labels of one clip.
            y_block: block of the target; by default one class, or several where the columns or
                `label_delim` say so.
            valid_col: column that is true for rows that validate, or the number of their fold.
            valid_fold: the value, or values, of `valid_col` that validate, where it holds folds.
            item_tfms: see the class.
            batch_tfms: see the class.
            sample_rate: see the class.
            force_mono: see the class.
            crop_signal_to: see the class.
            cache_folder: see the class.
            spectrogram: see the class.
            allow_outside: take file names that leave `path`.
            kwargs: see the class.

        Raises:
            ValueError: if `valid_fold` is given without the column of the folds.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_df)
        if valid_fold is not None and valid_col is None:
            raise ValueError(f"valid_fold={valid_fold!r} of which column? Give valid_col= too")
        start = Path(path) / folder if folder is not None else Path(path)
        if y_block is None:
            y_block = block_of_columns(df, label_col, label_delim)
        clips = _clips(
            batch_tfms, spectrogram, cache_folder, sample_rate, force_mono, crop_signal_to
        )
        block = DataBlock(
            (clips, y_block),
            splitter=RandomSplitter(valid_pct, seed=seed)
            if valid_col is None
            else ColSplitter(valid_col, on=valid_fold),
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
        splitter: Splitter | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        sample_rate: int | None = 16000,
        force_mono: bool = True,
        crop_signal_to: float | None = None,
        cache_folder: PathLike | None = None,
        spectrogram: Spec = "mel",
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a list of their labels.

        Args:
            path: where what belongs to the task is written.
            fnames: the files.
            labels: one for each file; lists of labels, or floats, are known for what they are.
            valid_pct: share that validates, unless `splitter` says which files do.
            seed: decides that share.
            y_block: block of the target; by default what the first label is.
            splitter: from pairs of a file and its label to positions for training and for
                validation.
            item_tfms: see the class.
            batch_tfms: see the class.
            sample_rate: see the class.
            force_mono: see the class.
            crop_signal_to: see the class.
            cache_folder: see the class.
            spectrogram: see the class.
            kwargs: see the class.

        Raises:
            ValueError: if the lists differ in length.
        """
        refuse_settings(kwargs, (TfmdDL,), cls.from_lists)
        if len(fnames) != len(labels):
            raise ValueError(f"{len(fnames)} files and {len(labels)} labels; give one for each")
        if y_block is None and len(labels):
            y_block = block_of_label(labels[0])
        clips = _clips(
            batch_tfms, spectrogram, cache_folder, sample_rate, force_mono, crop_signal_to
        )
        block = DataBlock.from_columns(
            (clips, y_block),
            splitter=splitter or RandomSplitter(valid_pct, seed=seed),
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, (fnames, labels), path=Path(path), **kwargs)


def _clips(
    batch_tfms: Any,
    spectrogram: Spec,
    cache_folder: PathLike | None,
    sample_rate: int | None,
    force_mono: bool,
    crop_signal_to: float | None,
) -> TransformBlock:
    """The block of the clips: with spectrograms of its own, unless the user's steps make some."""
    settings = (cache_folder, sample_rate, force_mono, crop_signal_to)
    if spectrogram is None or any(gives_spectrogram(step) for step in listify(batch_tfms)):
        return AudioBlock(*settings)
    made = _mel_for(sample_rate or 16000) if spectrogram == "mel" else spectrogram
    return SpecBlock(made, *settings)


def _mel_for(sample_rate: int) -> SpectrogramConfig:
    """Mel bands of frames whose length is a power of 2, as near to `_SECONDS` as there is one."""
    n_fft = 2 ** max(5, round(math.log2(_SECONDS * sample_rate)))
    return AudioConfig.BasicMelSpectrogram(n_fft=n_fft, hop_length=n_fft // 4, n_mels=64)
