"""Where the tissue is: blurring, a mask from the blurred picture, its box, and crops of boxes.

Shapes: B pictures, H rows, W columns.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor

from layerwise.core.tensors import TensorBase
from layerwise.vision.medical.windows import Window, windowed

__all__ = ["crop_resize", "gauss_blur2d", "mask2bbox", "mask_from_blur", "uniform_blur2d"]


def uniform_blur2d(x: Tensor, s: int) -> Tensor:
    """Each pixel as the mean of the square of `s` x `s` around it; zeros lie outside.

    Args:
        x: (H, W) or (B, H, W) floats.
        s: side of the square.

    Example:
        >>> uniform_blur2d(torch.ones(3, 3), 3)[1]
        tensor([0.6667, 1.0000, 0.6667])
    """
    if s < 1:
        raise ValueError(f"s={s}; the side of a square is one pixel at least")
    return _separable(x, torch.full((s,), 1 / s), "constant")


def gauss_blur2d(x: Tensor, s: float, *, radius: int | None = None) -> Tensor:
    """`x` under a Gaussian of standard deviation `s`; the border is continued outside.

    Args:
        x: (H, W) or (B, H, W) floats.
        s: standard deviation in pixels.
        radius: pixels on either side that count. A quarter of `s` when None, which is nearly an
            even mean: what the thresholds of `mask_from_blur` were found with. Take `3 * s` for
            a Gaussian that deserves its name.

    Example:
        >>> gauss_blur2d(torch.ones(8, 8), 12.0).unique().round(decimals=4)
        tensor([1.])
    """
    if not s > 0:
        raise ValueError(f"s={s}; a standard deviation is positive")
    reach = int(s / 4) if radius is None else radius
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-(steps**2) / (2 * s * s))
    return _separable(x, weights / weights.sum(), "replicate")


def _separable(x: Tensor, weights: Tensor, border: str) -> Tensor:
    """(H, W) or (B, H, W) under `weights`, along rows and then along columns."""
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    if plain.ndim not in (2, 3):
        raise ValueError(
            f"pictures of shape {tuple(plain.shape)} to blur; give (H, W) or (B, H, W)"
        )
    kernel = weights.to(plain.device, torch.float32)
    size = kernel.numel()
    before, after = size // 2, size - 1 - size // 2
    done = plain.float().reshape(-1, 1, *plain.shape[-2:])  # (B, 1, H, W)
    done = F.pad(done, (before, after, before, after), mode=border)
    done = F.conv2d(done, kernel.view(1, 1, 1, -1))
    return F.conv2d(done, kernel.view(1, 1, -1, 1)).reshape(plain.shape)


def mask_from_blur(
    x: Tensor,
    window: Window,
    sigma: float = 0.3,
    thresh: float = 0.05,
    remove_max: bool = True,
) -> Tensor:
    """Where the blurred picture is bright: tissue, without table and air.

    Args:
        x: (H, W) or (B, H, W) Hounsfield units.
        window: (width, level) in which the tissue shows.
        sigma: standard deviation of the blur, as a share of the width of the picture.
        thresh: brightness, 0 to 1, above which a pixel counts.
        remove_max: leave out what is above the window (bone, metal).

    Returns:
        A mask of truth values, of the shape of `x`.
    """
    bright = windowed(x.as_plain() if isinstance(x, TensorBase) else x, *window)
    if remove_max:
        bright[bright == 1] = 0
    return gauss_blur2d(bright, sigma * x.shape[-1]) > thresh


def mask2bbox(mask: Tensor) -> Tensor:
    """The box that holds each mask.

    Args:
        mask: (H, W) or (B, H, W) truth values.

    Returns:
        (2, 2) or (2, 2, B): the first row and column, then the row and column behind the last, so
        that `lo, hi = mask2bbox(mask)` cut it out as `x[lo[0]:hi[0], lo[1]:hi[1]]`. The whole
        picture for an empty mask.

    Example:
        >>> mask = torch.zeros(5, 6, dtype=torch.bool)
        >>> mask[1:3, 2:6] = True
        >>> mask2bbox(mask).tolist()
        [[1, 2], [3, 6]]
    """
    plain = mask.as_plain() if isinstance(mask, TensorBase) else mask
    batch = plain[None] if plain.ndim == 2 else plain
    if batch.ndim != 3:
        raise ValueError(f"a mask of shape {tuple(plain.shape)}; give (H, W) or (B, H, W)")
    rows = _bounds(batch.bool().any(2))
    columns = _bounds(batch.bool().any(1))
    boxes = torch.stack([rows, columns], 1)  # (2, B) twice -> (2, 2, B)
    return boxes[..., 0] if plain.ndim == 2 else boxes


def _bounds(used: Tensor) -> Tensor:
    """(2, B) first place and the one behind the last of (B, L) truth values."""
    length = used.shape[1]
    first = used.byte().argmax(1)
    last = length - used.flip(1).byte().argmax(1)
    return torch.stack([first, last])


def crop_resize(x: Tensor, crops: Tensor, new_sz: int | Sequence[int]) -> Tensor:
    """The squares around boxes, brought to one size.

    Args:
        x: (B, H, W) pictures.
        crops: (2, 2, B) boxes, as `mask2bbox` finds them. Each is widened to a square as large as
            its longer side, or as fits, and moved into the picture.
        new_sz: of the result: one number, or (height, width).

    Returns:
        (B, 1, height, width) floats, by bilinear interpolation.

    Raises:
        ValueError: if there is not one box for each picture.

    Example:
        >>> crop_resize(torch.ones(1, 8, 8), torch.tensor([[[1], [2]], [[5], [4]]]), 4).shape
        torch.Size([1, 1, 4, 4])
    """
    plain = (x.as_plain() if isinstance(x, TensorBase) else x).float()
    if plain.ndim != 3 or tuple(crops.shape) != (2, 2, plain.shape[0]):
        raise ValueError(
            f"pictures of shape {tuple(plain.shape)} and boxes of {tuple(crops.shape)}; give "
            "(B, H, W) and (2, 2, B), as mask2bbox makes them of (B, H, W)"
        )
    size = (new_sz, new_sz) if isinstance(new_sz, int) else (new_sz[0], new_sz[1])
    limits = torch.tensor(plain.shape[-2:], device=plain.device).view(2, 1)
    low, high = crops.to(plain.device).float()  # (2, B) each
    side = torch.minimum((high - low).amax(0).expand(2, -1), limits)
    start = ((low + high - side) / 2).clamp(min=0)
    start = torch.minimum(start, limits - side)
    # From -1 to 1 over the picture: centre and half side of each square, columns first.
    centre = ((2 * start + side) / limits - 1).flip(0)
    half = (side / limits).flip(0)
    theta = torch.zeros(plain.shape[0], 2, 3, device=plain.device)
    theta[:, 0, 0], theta[:, 1, 1] = half[0], half[1]
    theta[:, :, 2] = centre.t()
    grid = F.affine_grid(theta, [plain.shape[0], 1, *size], align_corners=False)
    return F.grid_sample(plain[:, None], grid, padding_mode="border", align_corners=False)
