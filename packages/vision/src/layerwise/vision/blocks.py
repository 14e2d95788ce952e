"""Blocks for pictures: how to open them, and what happens to every batch of them."""

from collections.abc import Sequence

from layerwise.core.data.block import TransformBlock
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.tensors import TensorMask
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.transform import Transform
from layerwise.vision.types import PILBase, PILImage, PILMask

__all__ = ["AddMaskCodes", "ImageBlock", "MaskBlock"]

# Files are opened and decoded: worth a process per core where there is enough to do.
_WORKERS = {"num_workers": None}


def ImageBlock(cls: type[PILBase] = PILImage) -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for pictures: opened as `cls`, as floats from 0 to 1 on the device.

    Args:
        cls: type of picture, for example `PILImageBW`.
    """
    return TransformBlock(type_tfms=cls.create, batch_tfms=IntToFloatTensor, dls_kwargs=_WORKERS)


class AddMaskCodes(Transform):
    """Masks know the names of their classes, for showing.

    Args:
        codes: name of each class, in the order of the codes.
    """

    def __init__(self, codes: Sequence[str] | None = None) -> None:
        super().__init__()
        self.codes = None if codes is None else list(codes)
        if self.codes is not None:
            self.vocab, self.c = self.codes, len(self.codes)

    def decodes(self, o: TensorMask) -> TensorMask:
        """The mask, with `codes` as its attribute."""
        if self.codes is None:
            return o
        return TensorMask(o.as_plain(), **{**vars(o), "codes": self.codes})


def MaskBlock(codes: Sequence[str] | None = None) -> TransformBlock:  # noqa: N802 - as all blocks
    """A block for masks: a class index for each pixel.

    Args:
        codes: name of each class, in the order of the codes.
    """
    to_mask = AddMaskCodes(codes)
    to_mask.loss_func = CrossEntropyLossFlat(axis=1)  # type: ignore[attr-defined]  # for the Learner
    return TransformBlock(
        type_tfms=PILMask.create,
        item_tfms=to_mask,
        batch_tfms=IntToFloatTensor,
        dls_kwargs=_WORKERS,
    )
