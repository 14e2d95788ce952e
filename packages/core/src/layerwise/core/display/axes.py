"""Pictures on axes: grids of axes, and one picture or many drawn on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, isqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import Tensor

from layerwise.core.errors import MissingDependencyError
from layerwise.core.nested import batch_to_samples, to_cpu, to_np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "get_grid",
    "show_image",
    "show_image_batch",
    "show_images",
    "show_titled_image",
    "subplots",
]

Size = tuple[float, float]


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="figures", install="layerwise-core[plot]"
        ) from error
    return plt


# -- axes ----------------------------------------------------------------------------------


def subplots(
    nrows: int = 1,
    ncols: int = 1,
    figsize: Size | None = None,
    imsize: float = 3,
    suptitle: str | None = None,
    *,
    sharex: bool = False,
    sharey: bool = False,
    layout: Literal["constrained", "tight", "none"] | None = None,
) -> tuple[Any, NDArray[Any]]:
    """A new figure and its axes, (nrows, ncols) of them; of a single one, an array of length 1.

    Args:
        nrows: rows.
        ncols: columns.
        figsize: width and height in inches, instead of `imsize`.
        imsize: side of each axes in inches; 3 shows a thumbnail well.
        suptitle: title of the figure.
        sharex: one x-axis for all.
        sharey: one y-axis for all.
        layout: how matplotlib places the axes, by default as it is set.
    """
    if figsize is None:
        # Small axes leave no room above them, where the title of the figure goes.
        extra = 0.6 if suptitle is not None and imsize <= 2 else 0.0
        figsize = (ncols * imsize, nrows * imsize + extra)
    fig, axes = _pyplot().subplots(
        nrows,
        ncols,
        figsize=figsize,
        sharex=sharex,
        sharey=sharey,
        squeeze=False,
        layout=layout,
    )
    if suptitle is not None:
        fig.suptitle(suptitle)
    if 1 in (nrows, ncols):
        axes = axes.reshape(-1)
    return fig, axes


def get_grid(
    n: int,
    nrows: int | None = None,
    ncols: int | None = None,
    add_vert: float = 0,
    figsize: Size | None = None,
    double: bool = False,
    title: str | None = None,
    return_fig: bool = False,
    flatten: bool = True,
    *,
    imsize: float = 3,
    sharex: bool = False,
    sharey: bool = False,
) -> Any:
    """A grid with `n` axes, about square unless rows or columns are given; the rest is blank.

    Args:
        n: how many.
        nrows: rows, by default as many as `ncols` needs.
        ncols: columns, by default as many as `nrows` needs.
        add_vert: inches to add to the height, for long titles.
        figsize: width and height in inches, instead of `imsize`.
        double: two axes for each of the `n`, side by side.
        title: title of the figure.
        return_fig: return a pair of figure and axes.
        flatten: a list of the axes in use, instead of the whole array in its shape.
        imsize: side of each axes in inches.
        sharex: one x-axis for all.
        sharey: one y-axis for all.

    Raises:
        ValueError: if `n` is not positive, or the grid asked for is too small.
    """
    nrows, ncols = _grid_shape(n, nrows, ncols)
    if double:
        ncols, n = ncols * 2, n * 2
    if figsize is None:
        figsize = (ncols * imsize, nrows * imsize + add_vert)
    # Titles of several lines and that of the figure get the room they need, and no more.
    fig, axes = subplots(nrows, ncols, figsize, sharex=sharex, sharey=sharey, layout="constrained")
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    if title is not None:
        fig.suptitle(title, weight="bold", size=14)
    found = list(axes.flat[:n]) if flatten else axes
    return (fig, found) if return_fig else found


def _grid_shape(n: int, nrows: int | None, ncols: int | None) -> tuple[int, int]:
    if n < 1:
        raise ValueError(f"a grid of n={n} axes has nothing to show; give at least one")
    if nrows is None:
        nrows = ceil(n / ncols) if ncols else isqrt(n)
    if ncols is None:
        ncols = ceil(n / nrows)
    if nrows * ncols < n:
        raise ValueError(
            f"{nrows} rows of {ncols} hold no {n} pictures; give one of nrows and ncols, and the "
            "other is worked out"
        )
    return nrows, ncols


# -- pictures ------------------------------------------------------------------------------


def show_image(
    im: Any,
    ax: Any = None,
    figsize: Size | None = None,
    title: Any = None,
    ctx: Any = None,
    cmap: Any = None,
    **imshow: Any,
) -> Axes:
    """The axes that the picture `im` was drawn on, without ticks and frame.

    Colours out of range are clipped: to 0 and 1 for floats, to 0 and 255 for integers.

    Args:
        im: (H, W), (C, H, W) or (H, W, C) with C of 1, 3 or 4; a tensor on any device, an array
            or a PIL image. Where both orders are possible a tensor has its channels first.
        ax: axes to draw on, by default those of a new figure.
        figsize: width and height of the new figure in inches, by default after the picture.
        title: title of the axes.
        ctx: the same as `ax`, as the show methods call it.
        cmap: colour map for pictures of one channel.
        **imshow: passed to matplotlib's `imshow`, which refuses what it does not know.

    Raises:
        ValueError: if `im` is no picture.
    """
    pixels = _pixels(im)
    ax = ctx if ax is None else ax
    if ax is None:
        height, width = pixels.shape[:2]
        _, ax = _pyplot().subplots(figsize=figsize or (_inches(width), _inches(height)))
    ax.imshow(pixels, cmap=cmap, **imshow)
    if title is not None:
        ax.set_title(str(title))
    ax.axis("off")
    return ax  # type: ignore[no-any-return]  # contexts are of any type


def _inches(pixels: int) -> float:
    """Side of a figure: one inch for a digit of MNIST, five for a photo."""
    return min(5.0, max(1.0, pixels / 32))


_CHANNELS = (1, 3, 4)


def _pixels(im: Any) -> NDArray[Any]:
    """(H, W) or (H, W, 3 or 4), in a type and a range that matplotlib takes in silence."""
    found = np.asarray(to_np(im) if isinstance(im, Tensor) else im)
    if found.ndim == 3:
        can_be_first, can_be_last = found.shape[0] in _CHANNELS, found.shape[-1] in _CHANNELS
        if can_be_first and (isinstance(im, Tensor) or not can_be_last):
            found = np.moveaxis(found, 0, -1)
        elif not can_be_last:
            raise ValueError(_no_picture(im, found, "choose 1, 3 or 4 channels, as in im[:3]"))
        if found.shape[-1] == 1:
            found = found[..., 0]
    if found.ndim not in (2, 3):
        hint = "show_images(list(im)) shows a batch" if found.ndim == 4 else "give two axes"
        raise ValueError(_no_picture(im, found, hint))
    if found.dtype == np.float16:
        found = found.astype(np.float32)
    if found.ndim == 3:
        return _colours(found)
    return np.ma.masked_invalid(found) if found.dtype.kind == "f" else found


def _no_picture(im: Any, found: NDArray[Any], hint: str) -> str:
    return (
        f"show_image got {type(im).__name__} of shape {found.shape}; a picture is (H, W), "
        f"(C, H, W) or (H, W, C) with C of 1, 3 or 4; {hint}"
    )


def _colours(x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype.kind == "b":
        return x.astype(np.float32)
    if x.dtype.kind == "f":
        x = np.clip(np.nan_to_num(x, posinf=1, neginf=0), 0, 1)
    else:
        x = np.clip(x, 0, 255).astype(np.uint8)
    return x


def show_titled_image(o: Sequence[Any], **kwargs: Any) -> Axes:
    """The axes that the picture `o[0]` was drawn on, with `o[1]` as its title.

    Args:
        o: picture and label.
        **kwargs: see `show_image`.
    """
    return show_image(o[0], title=str(o[1]), **kwargs)


def show_images(
    ims: Iterable[Any],
    nrows: int = 1,
    ncols: int | None = None,
    titles: Sequence[Any] | None = None,
    suptitle: str | None = None,
    figsize: Size | None = None,
    imsize: float = 3,
    cmap: Any = None,
) -> None:
    """Nothing; the pictures `ims` are drawn in a grid on a new figure.

    Args:
        ims: pictures as `show_image` takes them; a batch of them is fine.
        nrows: rows.
        ncols: columns, by default as many as are needed.
        titles: one for each picture.
        suptitle: title of the figure.
        figsize: width and height in inches, instead of `imsize`.
        imsize: side of each picture in inches.
        cmap: colour map for pictures of one channel.

    Raises:
        ValueError: if the grid is too small, or there are not as many titles as pictures.
    """
    pictures = list(ims)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"{len(titles)} titles for {len(pictures)} pictures; give one for each")
    nrows, ncols = _grid_shape(len(pictures), nrows, ncols)
    _, axes = subplots(nrows, ncols, figsize, imsize, suptitle)
    for ax in axes.flat[len(pictures) :]:
        ax.set_axis_off()
    for picture, title, ax in zip(pictures, titles or [None] * len(pictures), axes.flat):  # noqa: B905 - the last row may have axes to spare
        show_image(picture, ax=ax, title=title, cmap=cmap)


def show_image_batch(
    b: Any,
    show: Callable[..., Any] = show_titled_image,
    items: int = 9,
    cols: int = 3,
    figsize: Size | None = None,
    **kwargs: Any,
) -> None:
    """Nothing; the first samples of the batch `b` are drawn in a grid on a new figure.

    Args:
        b: a batch, as a rule pictures and labels.
        show: called with each sample and `ax=`.
        items: how many samples at most.
        cols: columns.
        figsize: width and height in inches, by default 3 by 3 for each.
        **kwargs: passed to `show`.
    """
    samples = batch_to_samples(to_cpu(b), max_n=items)
    axes = get_grid(len(samples), ncols=min(cols, len(samples)), figsize=figsize)
    for sample, ax in zip(samples, axes, strict=True):
        show(sample, ax=ax, **kwargs)
