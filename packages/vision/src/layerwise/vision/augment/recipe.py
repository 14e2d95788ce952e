"""`aug_transforms`: a good set of augmentations for photographs, as one pass over each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from torch import Tensor

from layerwise.core.errors import names_nearest
from layerwise.core.items import listify
from layerwise.core.transforms.numeric import Normalize
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import Transform
from layerwise.vision.augment.color import Brightness, Contrast
from layerwise.vision.augment.crop_batch import RandomResizedCropGPU
from layerwise.vision.augment.geometry import Dihedral, Flip, Rotate, Warp, Zoom
from layerwise.vision.augment.hsv import plain_of, typed
from layerwise.vision.resample import PadMode

__all__ = ["aug_transforms", "norm_apply_denorm", "setup_aug_tfms"]

T = TypeVar("T", bound=Tensor)


def setup_aug_tfms(tfms: Iterable[Transform]) -> list[Transform]:
    """Transforms in their order, those that can do their work at once merged into one.

    A pipeline does the same with its transforms; this is for looking at it, and for calling them
    without one.

    Args:
        tfms: the transforms.

    Example:
        >>> [each.name for each in setup_aug_tfms([Brightness(), Rotate(), Flip()])]
        ['Rotate, Flip, Brightness']
    """
    return list(Pipeline(list(tfms)))


@names_nearest
def aug_transforms(
    mult: float = 1.0,
    do_flip: bool = True,
    flip_vert: bool = False,
    max_rotate: float = 10.0,
    min_zoom: float = 1.0,
    max_zoom: float = 1.1,
    max_lighting: float = 0.2,
    max_warp: float = 0.2,
    p_affine: float = 0.75,
    p_lighting: float = 0.75,
    xtra_tfms: Any = None,
    size: int | Sequence[int] | None = None,
    mode: str = "bilinear",
    pad_mode: str = PadMode.Reflection,
    align_corners: bool = True,
    batch: bool = False,
    min_scale: float = 1.0,
) -> list[Transform]:
    """Augmentations for photographs: flip, warp, turn, zoom, brightness, contrast, as one pass.

    The defaults suit objects that have an upper side and may stand anywhere.

    Args:
        mult: factor of `max_rotate`, `max_lighting` and `max_warp`.
        do_flip: mirror half of the pictures.
        flip_vert: all eight ways in which a square can lie: for pictures from above or through a
            microscope.
        max_rotate: greatest angle in degrees; 0 for none.
        min_zoom: least factor of the zoom.
        max_zoom: greatest factor; 1 for none.
        max_lighting: of brightness and contrast; 0 for none.
        max_warp: of the perspective; 0 for none.
        p_affine: probability of each of warp, turn and zoom, for each picture.
        p_lighting: probability of each of brightness and contrast.
        xtra_tfms: more transforms, put in their order.
        size: height and width of what comes out, or one number; validation is resized too.
        mode: how pictures are interpolated.
        pad_mode: what is beyond a picture, of `PadMode`.
        align_corners: where -1 and 1 are, see `AffineCoordTfm`.
        batch: draw once, for all pictures of a batch alike.
        min_scale: below 1, take a part of at least this share of the area of each picture first;
            it needs `size`.

    Raises:
        ValueError: if `min_scale` comes without a `size`.

    Example:
        >>> [each.name for each in aug_transforms()]
        ['Flip, Warp, Rotate, Zoom, Brightness, Contrast']
    """
    if min_scale != 1 and size is None:
        raise ValueError(f"min_scale={min_scale} takes a part of each picture; give its size= too")
    of_all: dict[str, Any] = {
        "mode": mode,
        "pad_mode": pad_mode,
        "align_corners": align_corners,
    }
    own = {**of_all, "size": size if min_scale == 1 else None, "batch": batch}
    lit: dict[str, Any] = {"max_lighting": mult * max_lighting, "p": p_lighting, "batch": batch}
    made: list[Transform] = []
    if min_scale != 1:
        made.append(RandomResizedCropGPU(size or 1, min_scale, ratio=(1, 1), **of_all))
    if do_flip:
        made.append(Dihedral(p=0.5, **own) if flip_vert else Flip(p=0.5, **own))
    if max_warp:
        made.append(Warp(mult * max_warp, p=p_affine, **own))
    if max_rotate:
        made.append(Rotate(mult * max_rotate, p=p_affine, **own))
    if min_zoom < 1 or max_zoom > 1:
        made.append(Zoom(min_zoom, max_zoom, p=p_affine, **own))
    if max_lighting:
        made += [Brightness(**lit), Contrast(**lit)]
    return setup_aug_tfms([*made, *listify(xtra_tfms)])


def norm_apply_denorm(x: T, f: Callable[[Tensor], Tensor], nrm: Normalize) -> T:
    """`f` applied to the normalised `x`, back from 0 to 1: for functions made for such values.

    Args:
        x: (B, C, H, W) from 0 to 1.
        f: from normalised pictures to as many.
        nrm: the normalisation.

    Example:
        >>> import torch
        >>> nrm = Normalize.from_stats([0.5], [0.25])
        >>> norm_apply_denorm(torch.full((1, 1, 1, 1), 0.75), lambda x: x * 0, nrm).item()
        0.5
    """
    normalised = nrm.normalize(plain_of(x))
    return typed(nrm.denormalize(f(normalised)).clamp(0, 1), x)
