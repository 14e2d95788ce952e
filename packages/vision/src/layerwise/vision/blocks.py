"""Blocks for pictures and what lies on them: how to read it, and what every batch goes through."""

from collections.abc import Sequence
from typing import Any

from layerwise.core.data.block import TransformBlock
from layerwise.core.errors import names_nearest
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.tensors import TensorMask
from layerwise.core.transforms.category import MultiCategorize
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.transform import Transform
from layerwise.vision.boxes import BBoxLabeler, bb_pad
from layerwise.vision.coords import TensorBBox
from layerwise.vision.point_scaler import PointScaler, TensorPointCreate
from layerwise.vision.types import PILBase, PILImage, PILMask, Readable

__all__ = [
    "AddMaskCodes",
    "BBoxBlock",
    "BBoxLblBlock",
    "ImageBlock",
    "MaskBlock",
    "OpenMask",
    "PointBlock",
]

# Files are opened and decoded: worth processes of their own where there is enough to do.
_WORKERS = {"num_workers": None}


def ImageBlock(cls: type[PILBase] = PILImage) -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for pictures: opened as `cls`, as floats from 0 to 1 on the device.

    Args:
        cls: type of picture, for example `PILImageBW`.
    """
    return TransformBlock(type_tfms=cls.create, batch_tfms=IntToFloatTensor, dls_kwargs=_WORKERS)


class OpenMask(Transform):
    """Files, pictures and arrays to a `PILMask`; says which loss compares masks.

    Args:
        ignore_index: a code that the loss leaves out; none when None.

    Example:
        >>> import numpy as np
        >>> OpenMask(ignore_index=255)(np.zeros((4, 6), np.uint8))
        PILMask mode=L size=6x4
    """

    @names_nearest
    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        none = -100  # of torch, below all codes
        self.loss_func = CrossEntropyLossFlat(
            axis=1, ignore_index=none if ignore_index is None else ignore_index
        )

    def encodes(self, o: Readable) -> PILMask:
        """The mask, opened."""
        return PILMask.create(o)


class AddMaskCodes(Transform):
    """Masks know the names of their classes, for showing.

    Args:
        codes: name of each class, in the order of the codes.
    """

    def __init__(self, codes: Sequence[str] | None = None) -> None:
        super().__init__()
        # As text of Python's own, also where they are an array of numpy.
        self.codes = None if codes is None else [str(code) for code in codes]
        if self.codes is not None:
            self.vocab, self.c = self.codes, len(self.codes)

    def decodes(self, o: TensorMask) -> TensorMask:
        """The mask, with `codes` as its attribute."""
        if self.codes is None:
            return o
        return TensorMask(o.as_plain(), **{**vars(o), "codes": self.codes})


def MaskBlock(  # noqa: N802 - as all blocks
    codes: Sequence[str] | None = None, *, ignore_index: int | None = None
) -> TransformBlock:
    """A block for masks: a class index for each pixel.

    Args:
        codes: name of each class, in the order of the codes.
        ignore_index: a code that the loss leaves out, such as that of pixels without a class;
            none when None. Metrics take it as an argument of their own.

    Raises:
        ValueError: if it is not the index of a code, nor 255, which many masks use for it.

    Example:
        >>> block = MaskBlock(codes=["sky", "road", "Void"], ignore_index=2)
        >>> block.type_tfms[0].loss_func.func.ignore_index
        2
    """
    to_codes = AddMaskCodes(codes)
    if ignore_index is not None:
        _check_ignored(ignore_index, to_codes.codes)
    return TransformBlock(
        type_tfms=OpenMask(ignore_index),
        item_tfms=to_codes,
        batch_tfms=IntToFloatTensor,
        dls_kwargs=_WORKERS,
    )


def _check_ignored(ignore_index: int, codes: Sequence[str] | None) -> None:
    count = 256 if codes is None else len(codes)
    if not (0 <= ignore_index < count or ignore_index == 255):
        raise ValueError(
            f"ignore_index={ignore_index} for {count} codes; give the index of one, as in "
            "codes.index('Void'), or 255"
        )


def PointBlock() -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for points: rows of x, y in pixels of the picture, from -1 to 1 in a batch.

    As many points in each picture. A missing one is NaN twice: it moves along, is not drawn, and
    does not count in the loss, which is the mean squared error.

    Example:
        >>> type(PointBlock().type_tfms[0].loss_func).__name__
        'PointLossFlat'
    """
    return TransformBlock(type_tfms=TensorPointCreate(), item_tfms=PointScaler)


def BBoxBlock() -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for boxes: rows of left, upper, right, lower in pixels, from -1 to 1 in a batch.

    Pictures may have any number of boxes: a batch is padded with boxes of zeros.
    """
    return TransformBlock(
        type_tfms=TensorBBox.create, item_tfms=PointScaler, dls_kwargs={"before_batch": bb_pad}
    )


def BBoxLblBlock(vocab: Any = None, add_na: bool = True) -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for the label of each box, behind a `BBoxBlock`; n_inp=1 makes both targets.

    Args:
        vocab: the classes; learnt from the training split when None.
        add_na: index 0 is `#na#`, with which boxes are padded; without, 0 is a class as others
            are, and only the area of a box says that it is padding.
    """
    to_classes = MultiCategorize(vocab, add_na)
    return TransformBlock(type_tfms=to_classes, item_tfms=BBoxLabeler)
