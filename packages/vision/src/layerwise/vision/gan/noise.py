"""Noise as an input: a tensor that is there and cannot be seen."""

from typing import Any, ClassVar

import torch

from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase

__all__ = ["InvisibleTensor", "generate_noise"]


class InvisibleTensor(TensorBase):
    """A tensor that draws nothing when it is shown, so that only what belongs to it is seen.

    Transforms of pictures leave it as it is, also where there is no picture beside it.

    Example:
        >>> InvisibleTensor(torch.zeros(3)).show(ctx="the axes")
        'the axes'
    """

    img_size: ClassVar[tuple[int, int]] = (1, 1)
    """What transforms that ask for the size of a picture find."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002 - as all methods `show`
        """The context as it is."""
        return ctx


def generate_noise(fn: Any, size: int = 100) -> InvisibleTensor:  # noqa: ARG001 - drawn from nothing
    """(size,) numbers of a standard normal distribution, whatever the item.

    As `get_x` of a `DataBlock` it turns every item into noise. Drawn with `generator()`: in a
    loader, noise depends on run, epoch and item alone, and each epoch has new noise.

    Args:
        fn: the item; not looked at.
        size: how many numbers.

    Example:
        >>> generate_noise("any.png", size=3).shape
        torch.Size([3])
    """
    return InvisibleTensor(torch.randn(size, generator=generator()))
