"""How pictures made of noise are shown: the pictures, and nothing of the noise.

Importing the package imports this module, so that whoever holds an `InvisibleTensor` has these.
"""

from collections.abc import Sequence
from typing import Any

from layerwise.core.display.generic import show_batch, show_results
from layerwise.core.tensors import TensorImage
from layerwise.vision.gan.noise import InvisibleTensor
from layerwise.vision.show import show_pictures

__all__: list[str] = []

Axes = Any  # of matplotlib, which is imported only when something is drawn


@show_batch.register
def _(
    x: InvisibleTensor,  # noqa: ARG001 - chooses the method
    y: TensorImage,  # noqa: ARG001
    samples: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The real pictures."""
    return show_pictures(samples, ctxs, max_n, nrows, ncols, figsize)


@show_results.register
def _(
    x: InvisibleTensor,  # noqa: ARG001
    y: TensorImage,  # noqa: ARG001
    samples: Sequence[Any],  # noqa: ARG001 - a real picture is no target of a generated one
    outs: Sequence[Any],
    ctxs: Sequence[Axes] | None = None,
    max_n: int = 9,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Axes]:
    """The generated pictures."""
    return show_pictures(outs, ctxs, max_n, nrows, ncols, figsize)
