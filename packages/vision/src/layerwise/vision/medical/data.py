"""`DicomSegmentationDataLoaders`: loaders for a class at each pixel of DICOM files."""

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from layerwise.core.data.block import DataBlock
from layerwise.core.data.filtered import FilteredBase
from layerwise.core.data.loader import loader_options
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.split import RandomSplitter
from layerwise.core.errors import refuse_unknown
from layerwise.core.types import PathLike
from layerwise.vision.blocks import MaskBlock
from layerwise.vision.medical.blocks import DicomBlock, Windows

__all__ = ["DicomSegmentationDataLoaders"]


class DicomSegmentationDataLoaders(DataLoaders):
    """Loaders for DICOM files and their masks."""

    @classmethod
    def from_label_func(
        cls,
        path: PathLike,
        fnames: Sequence[PathLike],
        label_func: Callable[[Any], Any],
        valid_pct: float = 0.2,
        seed: int | None = None,
        codes: Sequence[str] | None = None,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        *,
        windows: Windows | None = None,
        hist: bool = False,
        **kwargs: Any,
    ) -> DataLoaders:
        """From a list of files and a function from each to its mask.

        Slices of one patient are alike: where there are several of each, build a `DataBlock` of
        `DicomBlock` and `MaskBlock` with a splitter by patient.

        Args:
            path: where what belongs to the task is written.
            fnames: the DICOM files.
            label_func: from the path of a file to the path of its mask, a picture of class codes;
                or to the codes themselves, an (H, W) array of bytes.
            valid_pct: share that validates.
            seed: decides that share.
            codes: name of each class, in the order of the codes.
            item_tfms: transforms on each sample.
            batch_tfms: transforms on each batch.
            windows: see `DicomBlock`.
            hist: see `DicomBlock`.
            kwargs: settings of the loaders (`bs`, ...).
        """
        takers = (cls.from_label_func, FilteredBase.dataloaders)
        own = {name for taker in takers for name in signature(taker).parameters}
        known = {*own, *loader_options(TfmdDL)} - {"self", "kwargs"}
        refuse_unknown("DicomSegmentationDataLoaders.from_label_func", set(kwargs) - known, known)
        block = DataBlock(
            (DicomBlock(windows, hist), MaskBlock(codes)),
            splitter=RandomSplitter(valid_pct, seed=seed),
            get_y=label_func,
            item_tfms=item_tfms,
            batch_tfms=batch_tfms,
        )
        return cls.from_dblock(block, fnames, path=Path(path), **kwargs)
