"""What is to be done to one batch, drawn before anything is done: maps, then changes of colours.

Carrying it out reads each picture once. On the CPU that happens a few pictures at a time, so that
what is between (grid, logits) stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from layerwise.core.tensors import TensorBase, TensorImageBase, TensorMask, dress
from layerwise.core.transforms.transform import Transform
from layerwise.vision.augment.matrix import Matrix
from layerwise.vision.augment.sampling import CoordMap, Piece, Route, Sampling, Scratch, Size
from layerwise.vision.coords import TensorBBox, TensorPoint

__all__ = ["PerPicture", "Plan"]

T = TypeVar("T", bound=TensorImageBase)

# B: pictures, b: some of them. C: channels. H, W: what comes. h, w: what is made. N: points, boxes.

Change = Callable[[Tensor], Tensor]
"""Other (B, C, h, w) values in a space of colours, in place or not."""

Space = Callable[[Tensor, Change], Tensor]
"""Brings (B, C, h, w) pictures to a space of colours, calls what it is given, and brings them back;
it may write into what comes in."""

# Bytes of pictures at a time: more would leave the cache; with less, threads wait for each other
# more often.
_CACHED = 5_000_000


class PerPicture:
    """A change of colours that has numbers for each picture; so a few can be made at a time."""

    def of(self, piece: Piece) -> Self:
        """The same for some of the pictures."""
        raise NotImplementedError

    def then(self, after: Any) -> PerPicture | None:  # noqa: ARG002 - for those that can
        """One change that does what this and then `after` do; None where there is none."""
        return None

    def __call__(self, values: Tensor) -> Tensor:
        """(b, C, h, w) changed, in place or not."""
        raise NotImplementedError


class Plan:
    """The maps and changes that a row of transforms has drawn, in their order.

    Args:
        x: (B, C, H, W) the pictures that all is drawn for; (B, ...) of another kind where there
            are none.
        size: H, W; None where there are no pictures.

    Attributes:
        size: height and width of the pictures as they come to the next transform.
        sampling: how pictures are read; None while no transform has said so.
    """

    def __init__(self, x: Tensor, size: Size | None) -> None:
        self._x, self._given = x, size
        self.size = size
        self.sampling: Sampling | None = None
        self._first: list[Transform] = []
        self._maps: list[Matrix | CoordMap] = []
        self._changes: list[tuple[Space, Change]] = []
        self._is_resized = False

    # -- drawing ---------------------------------------------------------------------------

    def seen(self) -> Tensor:
        """(B, C, h, w) the pictures as they come to the next transform.

        They are not made before all is drawn: where an earlier one has changed their size, the
        shape is right and all values are 0.
        """
        if self.size is None or self.size == self._given:
            return self._x
        return self._x.new_zeros(()).expand(*self._x.shape[:-2], *self.size)

    def add_first(self, step: Transform) -> None:
        """Let `step` see pictures and masks before anything else."""
        self._first.append(step)

    def add_map(self, each: Matrix | CoordMap) -> None:
        """Read pictures along one more map: (B, 3, 3), or a function of coordinates."""
        self._maps.append(each)

    def resize(self, size: Size) -> None:
        """Let pictures come out at `size`, height and width."""
        self.size, self._is_resized = size, True

    def add_change(self, space: Space, change: Change) -> None:
        """Change the colours as seen in `space`."""
        self._changes.append((space, change))

    def drawn(self) -> Plan:
        """Itself, once all has been added."""
        count, self._x = len(self._x), self._x[:0]  # a batch that nobody keeps can go
        self._count = count
        self._route = Route(self._maps)
        self._turns = None if self._is_resized else self._route.turns()
        self._moves = self._is_resized or (bool(self._maps) and self._turns != [0] * count)
        self._read_as = self.sampling or Sampling()
        self._passes = [
            (space, _joined([change for _, change in group]))
            for space, group in groupby(self._changes, key=lambda each: each[0])
        ]
        return self

    # -- carrying it out -------------------------------------------------------------------

    def pictures(self, x: T) -> T:
        """(B, C, h, w) pictures as planned; `x` stays as it is."""
        return self._piece_by_piece(x, self._read_as.mode, self._passes)

    def masks(self, x: T) -> T:
        """(B, h, w) masks along the same maps, with the codes and type of number that they had."""
        return self._piece_by_piece(x, self._read_as.mode_mask, [])

    def points(self, x: TensorPoint) -> TensorPoint:
        """(B, N, 2) points, moved; beyond the picture too."""
        return x.moved(self._places(x, x.pairs()), **self._new_size(x)) if self._moves else x

    def boxes(self, x: TensorBBox) -> TensorBBox:
        """(B, N, 4) upright boxes about the moved ones, as far as they are within the picture."""
        if not self._moves:
            return x
        left, upper, right, lower = x.as_plain().unbind(-1)
        middle, centre = (left + right) / 2, (upper + lower) / 2
        # Corners, and the middles of the sides, which a user's map may bend outward.
        around = [
            (left, upper), (right, upper), (left, lower), (right, lower),
            (middle, upper), (middle, lower), (left, centre), (right, centre),
        ]  # fmt: skip
        pairs = torch.stack([torch.stack(pair, -1) for pair in around], -2)  # (B, N, 8, 2)
        found = self._places(x, pairs.flatten(1, 2)).view_as(pairs).clamp(-1, 1)
        corners = torch.stack([found.amin(-2), found.amax(-2)], -2)  # (B, N, 2, 2)
        return x.moved(corners.flatten(1, 2), **self._new_size(x))

    # -- pictures and masks ----------------------------------------------------------------

    def _piece_by_piece(self, x: T, mode: str, passes: Sequence[tuple[Space, Change]]) -> T:
        self._check(x)
        if not (self._first or self._moves or passes) or not len(x):
            return x
        plain = x.as_plain()
        result: Tensor | None = None
        scratch = Scratch()
        for piece, reduce in self._pieces(x, plain, mode):
            part = plain[piece]
            for step in self._first:
                part = step(dress(part, x)).as_plain()
            if self._moves:
                part = self._read(part, piece, mode, reduce, scratch)
            elif passes and part.data_ptr() == plain[piece].data_ptr():
                part = part.clone()  # whose batch stays as it is
            for space, change in passes:
                part = _changed(
                    part, space, change.of(piece) if isinstance(change, PerPicture) else change
                )
            if len(part) == len(plain) and reduce == 1:
                return dress(part, x)
            if result is None:
                result = part.new_empty((len(plain), *part.shape[1:]))
            result[piece] = part
        return x if result is None else dress(result, x)

    def _pieces(self, x: Any, plain: Tensor, mode: str) -> Iterator[tuple[Piece, int]]:
        """Which pictures are made together, and how far they are averaged before."""
        given = (plain.shape[-2], plain.shape[-1])
        made = self._made(given)
        step = len(plain)
        is_whole = self._route.has_functions or not all(
            isinstance(c, PerPicture) for _, c in self._passes
        )
        if plain.device.type == "cpu" and not plain.requires_grad and not is_whole:
            pixels = max(given[0] * given[1], made[0] * made[1])
            size = 4 * pixels * (plain[0].numel() // (given[0] * given[1]))
            step = max(1, _CACHED // max(1, size))
        factors = None
        if self._moves and not self._turns and mode != "nearest" and not isinstance(x, TensorMask):
            factors = self._route.reductions(given, made)
        if factors is None:
            for start in range(0, len(plain), step):
                yield slice(start, start + step), 1
            return
        for factor in sorted(set(factors)):
            alike = [i for i, each in enumerate(factors) if each == factor]
            for start in range(0, len(alike), step):
                yield torch.tensor(alike[start : start + step]), factor

    def _read(self, part: Tensor, piece: Piece, mode: str, reduce: int, scratch: Scratch) -> Tensor:
        """Some pictures or masks along the route, in the type of number that they had."""
        given = (part.shape[-2], part.shape[-1])
        if self._turns and isinstance(piece, slice) and _can_turn(self._turns, given):
            return _turned(part, self._turns[piece])
        floats = part if part.dtype in (torch.float32, torch.float64) else part.float()
        floats = floats if floats.ndim == 4 else floats[:, None]
        route = self._route if self._route.has_functions else self._route.of(piece)
        found = route.read(floats, self._made(given), mode, self._read_as, reduce, scratch)
        found = found if part.ndim == 4 else found[:, 0]
        if not part.is_floating_point() and mode != "nearest":
            found = found.round()
        return found.to(part.dtype)

    def _made(self, given: Size) -> Size:
        return self.size if self._is_resized and self.size is not None else given

    # -- points ----------------------------------------------------------------------------

    def _places(self, x: TensorPoint, pairs: Tensor) -> Tensor:
        self._check(x)
        if getattr(x, "in_pixels", False):
            raise ValueError(
                f"{type(x).__name__} in pixels cannot move with its pictures; PointScaler brings "
                "them to -1 to 1 first (PointBlock and BBoxBlock have it)"
            )
        return self._route.move(pairs, self._given, self.size, self._read_as.align_corners)

    def _new_size(self, x: TensorPoint) -> dict[str, Any]:
        if self.size is None or not self._is_resized or not hasattr(x, "img_size"):
            return {}
        return {"img_size": (self.size[1], self.size[0])}

    def _check(self, x: TensorBase) -> None:
        if len(x) != self._count:
            raise ValueError(
                f"{type(x).__name__} of {len(x)} items in a batch of {self._count} pictures; each "
                "member of a batch has one for each picture"
            )


def _changed(part: Tensor, space: Space, change: Change) -> Tensor:
    """Pictures with other colours; bytes are taken as shares of 255."""
    if part.dtype == torch.uint8:
        return space(part.float().div_(255), change).mul_(255).round_().to(torch.uint8)
    if part.dtype in (torch.float16, torch.bfloat16):
        return space(part.float(), change).to(part.dtype)
    if not part.is_floating_point():
        raise ValueError(
            f"colours of {str(part.dtype).removeprefix('torch.')} numbers; put IntToFloatTensor "
            "before (ImageBlock has it), so that they go from 0 to 1"
        )
    return space(part, change)


class _Row(PerPicture):
    """Changes one after the other."""

    def __init__(self, changes: Sequence[PerPicture]) -> None:
        self.changes = changes

    def of(self, piece: Piece) -> _Row:
        return _Row([change.of(piece) for change in self.changes])

    def __call__(self, values: Tensor) -> Tensor:
        return in_turn(self.changes)(values)


def _joined(changes: list[Change]) -> Change:
    """Changes in one space as one."""
    row: list[Change] = []
    for change in changes:
        before = row[-1] if row else None
        both = before.then(change) if isinstance(before, PerPicture) else None
        row[-1 if both is not None else len(row) :] = [change if both is None else both]
    parted = [change for change in row if isinstance(change, PerPicture)]
    if len(row) == 1:
        return row[0]
    if len(parted) == len(row):
        return _Row(parted)
    return in_turn(row)


def in_turn(changes: Sequence[Change]) -> Change:
    """Changes one after the other as one."""

    def changed(values: Tensor) -> Tensor:
        for change in changes:
            values = change(values)
        return values

    return changed


def _can_turn(turns: Sequence[int], size: Size) -> bool:
    return size[0] == size[1] or not {3, 5, 6, 7} & set(turns)


def _turned(part: Tensor, ways: Sequence[int]) -> Tensor:
    """(b, ..., H, W) each in its way, pixel by pixel."""
    result = torch.empty_like(part)
    for way in set(ways):
        which = torch.tensor([i for i, each in enumerate(ways) if each == way], device=part.device)
        result[which] = TensorImageBase(part[which]).dihedral(way).as_plain()
    return result
