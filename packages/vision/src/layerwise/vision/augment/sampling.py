"""Reading pictures at other places: all maps that follow one another, one grid, one interpolation.

A map leads from places of the output to places of the input. Matrices are multiplied before they
meet a pixel; functions of the user are called on the grid. Points go the other way, by the exact
inverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from layerwise.core.errors import nearest
from layerwise.vision.augment.matrix import DIHEDRAL, Matrix, moved
from layerwise.vision.resample import PadMode

__all__ = ["Route", "Sampling"]

# B: pictures. C: channels. H, W: what is read. h, w: what comes out. N: points.

Size = tuple[int, int]  # height, width
CoordMap = Callable[[Tensor], Tensor]
"""From (B, h, w, 2) places of the output to as many places of the input, x and y from -1 to 1."""

Piece = slice | Tensor
"""Which pictures of a batch."""


class Sampling(NamedTuple):
    """How pictures are read between and beyond their pixels."""

    mode: str = "bilinear"
    pad_mode: str = PadMode.Reflection
    mode_mask: str = "nearest"
    align_corners: bool = True

    def checked(self) -> Sampling:
        """Itself.

        Raises:
            ValueError: if a mode has no such name; names the nearest.
        """
        for name, known in _KNOWN.items():
            given = getattr(self, name)
            if given not in known:
                raise ValueError(
                    f"{name}={given!r}; give one of {', '.join(known)}.{nearest(str(given), known)}"
                )
        return self


_MODES = ("bilinear", "nearest", "bicubic")
_KNOWN = {"mode": _MODES, "pad_mode": ("zeros", "border", "reflection"), "mode_mask": _MODES}


class Scratch:
    """Memory that is used again: fresh memory takes longer to come by than a grid to be made.

    (The system clears each page of it, and takes it back where several large pieces are given up
    at a time.)
    """

    def __init__(self) -> None:
        self._held: Tensor | None = None

    def of(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """A tensor of that shape, of any values; what was had before is overwritten."""
        count = math.prod(shape)
        if self._held is None or self._held.numel() < count or self._held.dtype != like.dtype:
            self._held = like.new_empty(count)
        return self._held[:count].view(shape)


class Route:
    """Maps in the order in which the transforms that made them follow one another.

    Args:
        maps: (B, 3, 3) matrices, and functions of coordinates.

    Example:
        >>> Route([torch.eye(3)[None] * 2, torch.eye(3)[None] * 2]).maps
        [tensor([[[4., 0., 0.],
                 [0., 4., 0.],
                 [0., 0., 4.]]])]
    """

    def __init__(self, maps: Sequence[Matrix | CoordMap]) -> None:
        self.maps: list[Matrix | CoordMap] = []
        for each in maps:
            before = self.maps[-1] if self.maps else None
            if isinstance(each, Tensor) and isinstance(before, Tensor):
                self.maps[-1] = _product(before, each)
            else:
                self.maps.append(each)

    @property
    def has_functions(self) -> bool:
        """Whether there are maps that are no matrices."""
        return not all(isinstance(each, Tensor) for each in self.maps)

    def of(self, piece: Piece) -> Route:
        """The route of some of the pictures; only for one without functions."""
        return Route([m[piece] for m in self.maps if isinstance(m, Tensor)])

    # -- the eight ways that need no interpolation -----------------------------------------

    def turns(self) -> list[int] | None:
        """For each picture which of the eight ways it lies in, where the route does no more."""
        matrix = self.maps[0] if len(self.maps) == 1 else None
        if not isinstance(matrix, Tensor) or matrix.device.type != "cpu":
            return None  # to look at it would make the device wait
        whole = matrix.round()
        is_whole = bool(((matrix - whole).abs() < 1e-12).all())
        ways = [_WAYS.get(tuple(each)) for each in whole.flatten(1).int().tolist()]
        return [w for w in ways if w is not None] if is_whole and None not in ways else None

    # -- pictures --------------------------------------------------------------------------

    def reductions(self, given: Size, made: Size) -> list[int] | None:
        """By which whole factor to average each picture first; None where by none.

        Interpolation looks at two pixels a side. Where pixels of the output are much farther apart,
        it would see some and miss others, and fine stripes would show as coarse ones (aliasing).
        """
        if self.has_functions or not self.maps or not isinstance(self.maps[0], Tensor):
            return None
        m = self.maps[0].detach().cpu()
        linear = m[:, :2, :2] - m[:, :2, 2:] * m[:, 2:, :2] / m[:, 2:, 2:]
        shrunk = torch.linalg.det(linear).abs() / m[:, 2, 2] ** 2
        shrunk = (shrunk * (given[0] * given[1] / (made[0] * made[1]))).sqrt()
        factors = (shrunk / 2 - 0.25).ceil().clamp(1, min(given)).long().tolist()
        return factors if max(factors, default=1) > 1 else None

    def read(
        self,
        x: Tensor,
        size: Size,
        mode: str,
        sampling: Sampling,
        reduce: int = 1,
        scratch: Scratch | None = None,
    ) -> Tensor:
        """(B, C, h, w) what `x` shows along the route.

        Args:
            x: (B, C, H, W) floats.
            size: h, w.
            mode: how it is interpolated.
            sampling: the rest.
            reduce: of `reductions`, one number for all.
            scratch: where the grid is made, used again by the next call; fresh memory if None.
        """
        given = (x.shape[-2], x.shape[-1])
        maps = self.maps
        if reduce > 1:
            x = functional.interpolate(
                x, size=tuple(math.ceil(side / reduce) for side in given), mode="area"
            )
            if sampling.align_corners:  # whose -1 and 1 are now the middles of other pixels
                fewer = to_middles(x.shape[-2:]) @ to_edges(given)
                maps = Route([fewer.expand(len(x), 3, 3), *maps]).maps
        grid = _grid(maps, len(x), size, x, sampling.align_corners, scratch)
        return functional.grid_sample(
            x, grid, mode, padding_mode=sampling.pad_mode, align_corners=sampling.align_corners
        )

    # -- points ----------------------------------------------------------------------------

    def move(
        self, points: Tensor, given: Size | None, made: Size | None, align_corners: bool
    ) -> Tensor:
        """(B, N, 2) where what was at `points` has gone to; -1 and 1 are edges of the pictures.

        Args:
            points: (B, N, 2) x, y.
            given: height and width of the pictures before, where known.
            made: and after.
            align_corners: whether the maps have -1 and 1 at the middles of the outermost pixels.
        """
        maps = self.maps
        if align_corners and given is not None and made is not None:
            ends = (to_edges(given), to_middles(made))
            before, after = (end.expand(len(points), 3, 3) for end in ends)
            maps = [before, *maps, after]
        places = points.double() if points.device.type != "mps" else points
        for each in Route(maps).maps:
            if isinstance(each, Tensor):
                places = moved(places, torch.linalg.inv(each))
            else:
                places = _undone(each, places)
        return places.to(points.dtype)


def _product(first: Matrix, second: Matrix) -> Matrix:
    if first.device != second.device:  # one of them is of a user's function
        target = first.device if first.device.type != "cpu" else second.device
        first, second = first.to(target), second.to(target)
    return first.to(second.dtype) @ second


def to_middles(size: Sequence[int]) -> Matrix:
    """(3, 3) from coordinates with 1 at the edge to those with 1 at the last pixel's middle."""
    height, width = (side / (side - 1) if side > 1 else 1.0 for side in size)
    return torch.diag(torch.tensor([width, height, 1.0], dtype=torch.float64))


def to_edges(size: Sequence[int]) -> Matrix:
    found: Matrix = torch.linalg.inv(to_middles(size))
    return found


def _grid(
    maps: Sequence[Matrix | CoordMap],
    count: int,
    size: Size,
    like: Tensor,
    align_corners: bool,
    scratch: Scratch | None,
) -> Tensor:
    """(B, h, w, 2) where each pixel is read."""
    last = maps[-1] if maps else None
    rest = list(maps[:-1]) if isinstance(last, Tensor) else list(maps)
    matrix = last if isinstance(last, Tensor) else torch.eye(3).expand(count, 3, 3)
    grid = _matrix_grid(matrix, size, like, align_corners, scratch)
    for each in reversed(rest):
        if isinstance(each, Tensor):
            grid = moved(grid.flatten(1, 2), each).view_as(grid)
        else:
            grid = _checked(each, grid)
    return grid


def _matrix_grid(
    matrix: Matrix, size: Size, like: Tensor, align_corners: bool, scratch: Scratch | None
) -> Tensor:
    """(B, h, w, 2), made of its columns and rows, x and y in planes of their own."""
    m = matrix.to(like.dtype).to(like.device, non_blocking=True)
    m = m.permute(1, 2, 0)[..., None, None]  # (3, 3, B, 1, 1)
    across, down = (_axis(side, like, align_corners) for side in (size[1], size[0]))
    columns, rows = m[:, 0] * across, m[:, 1] * down[:, None] + m[:, 2]
    again = None if m.requires_grad else scratch
    out = None if again is None else again.of((3, len(matrix), *size), like)
    planes = torch.add(columns, rows, out=out)  # (3, B, h, w)
    if matrix.device.type != "cpu" or bool((matrix[:, 2] != _LAST.to(matrix.dtype)).any()):
        planes = planes[:2] / planes[2] if out is None else planes[:2].div_(planes[2])
    return planes[:2].permute(1, 2, 3, 0)


def _axis(count: int, like: Tensor, align_corners: bool) -> Tensor:
    last = 1.0 if align_corners else 1 - 1 / count
    if count == 1:
        last = 0.0
    return torch.linspace(-last, last, count, dtype=like.dtype, device=like.device)


def _checked(function: CoordMap, grid: Tensor) -> Tensor:
    found = function(grid)
    if not isinstance(found, Tensor) or found.shape != grid.shape:
        shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(
            f"{name} returned {shown} for coordinates {tuple(grid.shape)}; it returns as many, "
            "each where the pixel is read"
        )
    plain: Tensor = found.as_subclass(Tensor)
    return plain


# -- the inverse of a user's map ---------------------------------------------------------------

_STEPS, _SMALL = 12, 1e-4


def _undone(function: CoordMap, points: Tensor) -> Tensor:
    """(B, N, 2) the places that `function` brings to `points`.

    By the function's own `inverse` where it has one; otherwise by Newton's method with differences.
    """
    own = getattr(function, "inverse", None)
    if own is not None:
        return _checked(own, points[:, None])[:, 0]
    across, down = points.new_tensor([_SMALL, 0.0]), points.new_tensor([0.0, _SMALL])
    found = points.clone()
    for _ in range(_STEPS):
        at = _checked(function, found[:, None])[:, 0]
        by_x = (_checked(function, (found + across)[:, None])[:, 0] - at) / _SMALL
        by_y = (_checked(function, (found + down)[:, None])[:, 0] - at) / _SMALL
        slope = torch.stack([by_x, by_y], -1)  # (B, N, 2, 2)
        # Where it is folded there is no way back: a least share keeps the step finite.
        det = torch.linalg.det(slope)
        det = torch.where(det.abs() < 1e-3, det.sign() * 1e-3 + (det == 0) * 1e-3, det)
        ahead = points - at
        step_x = slope[..., 1, 1] * ahead[..., 0] - slope[..., 0, 1] * ahead[..., 1]
        step_y = slope[..., 0, 0] * ahead[..., 1] - slope[..., 1, 0] * ahead[..., 0]
        step = torch.stack([step_x, step_y], -1) / det[..., None]
        found = found + step.clamp(-0.5, 0.5)
    return found


_LAST = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
_WAYS = {tuple(m.flatten().int().tolist()): way for way, m in enumerate(DIHEDRAL)}
