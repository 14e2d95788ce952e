"""How parameters are grouped for a step: buckets of equal treatment, tiles that fit the caches.

Elementwise work on a list longer than the caches pays for memory at each operation. On CPU a bucket
is therefore cut into tiles, and a whole recipe runs on one before the next; on other devices one
list of all tensors is fastest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch
from torch import Tensor

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.stats import Initial

__all__: list[str] = []

TILE = 262_144
"""Elements in a tile: the fastest of 2**15 to 2**20 on two cores with 1 MiB of L2 each.

Smaller ones lose to the cost of a call, larger ones to memory.
"""

_FUSED_DTYPES = frozenset({torch.float32, torch.float64, torch.float16, torch.bfloat16})


@dataclass(slots=True)
class Tile:
    """A list of tensors, or parts of tensors, that a recipe runs on at once.

    Args:
        first: index of its first piece among the pieces of the bucket.
        stop: one past its last piece.
        params: the pieces, as views of the parameters.
        states: the same pieces of each tensor state.
    """

    first: int
    stop: int
    params: list[Tensor]
    states: dict[str, TensorList]


@dataclass(slots=True)
class Bucket:
    """Parameters of one group, device, dtype, set of flags and step count: they step alike.

    Args:
        group: index of their parameter group.
        params: the parameters, smallest first.
        places: where each parameter is among all that are trained.
        states: the state of each parameter, as the optimizer keeps it.
        flags: their flags.
        strides: memory layout that gradients need.
        can_fuse: whether torch's fused kernels take them.
        cuts: for each parameter, the length of its pieces; None for one that is not cut.
        blocks: tiles, those that share a tensor side by side.
        whole: the list of all tensors as one tile.
    """

    group: int
    params: list[Tensor]
    places: list[int]
    states: list[dict[str, Any]]
    flags: dict[str, bool]
    strides: list[tuple[int, ...]]
    can_fuse: bool
    cuts: list[int | None] = field(default_factory=list)
    blocks: list[list[Tile]] = field(default_factory=list)
    whole: Tile = field(init=False)

    def align(self, grads: Sequence[Tensor | None]) -> list[Tensor]:
        """The gradients of this bucket out of those of all parameters, laid out like them."""
        own: list[Any] = [grads[place] for place in self.places]
        if [grad.stride() for grad in own] == self.strides:
            return own
        _refuse_sparse(own)
        return [_as(grad, param) for grad, param in zip(own, self.params, strict=True)]

    def pieces(self, grads: list[Tensor]) -> list[Tensor]:
        """Aligned gradients cut as the parameters are."""
        return _cut(grads, self.cuts)

    def numbers(self) -> dict[str, Any]:
        """The states that are numbers; one for all, since the parameters of a bucket step alike."""
        first = self.states[0]
        return {name: value for name, value in first.items() if not isinstance(value, Tensor)}

    def write_numbers(self, numbers: Mapping[str, Any]) -> None:
        """Set the states that are numbers."""
        for state in self.states:
            state.update(numbers)


def _refuse_sparse(grads: Sequence[Tensor]) -> None:
    for grad in grads:
        if grad.layout is not torch.strided:
            raise TypeError(
                f"a gradient of shape {tuple(grad.shape)} has layout {grad.layout}; the "
                "optimizers here take dense gradients, so use nn.Embedding(sparse=False), or "
                "OptimWrapper(opt=torch.optim.SparseAdam) for that parameter"
            )


def _as(tensor: Tensor, param: Tensor) -> Tensor:
    """`tensor` with the memory layout, dtype and device of `param`; itself where it has them."""
    if tensor.device == param.device and tensor.dtype == param.dtype:
        if tensor.stride() == param.stride():
            return tensor
        if tensor.is_contiguous() and param.is_contiguous():
            return tensor  # the strides differ only where a size is 1
    return torch.empty_like(param, requires_grad=False).copy_(tensor)


def _flat(tensor: Tensor) -> Tensor:
    """All elements in the order of memory, as a view; for tensors without gaps."""
    return tensor.detach().as_strided((tensor.numel(),), (1,))


def _cut(tensors: Sequence[Tensor], cuts: Sequence[int | None]) -> list[Tensor]:
    pieces: list[Tensor] = []
    for tensor, length in zip(tensors, cuts, strict=True):
        if length is None:
            pieces.append(tensor)
        else:
            pieces.extend(torch.split(_flat(tensor), length))
    return pieces


def _settle(state: dict[str, Any], param: Tensor, initial: Mapping[str, Initial]) -> bool:
    """Make missing states, bring others to their parameter; whether all have its shape."""
    like = True
    for name, first in initial.items():
        if name not in state and first is not None:
            state[name] = first(param.detach()) if callable(first) else first
        value = state.get(name)
        if isinstance(value, Tensor):
            if value.shape == param.shape:
                state[name] = _as(value, param)
            else:
                like = False
    return like


def make_buckets(
    rows: Sequence[tuple[int, Tensor, int]],
    states: Mapping[Tensor, dict[str, Any]],
    initial: Mapping[str, Initial],
    flags: Mapping[Tensor, dict[str, bool]],
    *,
    tile: int = TILE,
) -> list[Bucket]:
    """Buckets over the parameters of a step, with their states made and tiles laid out.

    Args:
        rows: group, parameter, and place among all that are trained.
        states: the state of each parameter; missing entries are filled in.
        initial: first values of the states that the recipe keeps.
        flags: flags of parameters that have any.
        tile: elements in a tile.
    """
    found: defaultdict[tuple[Any, ...], list[tuple[int, Tensor, int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[1].numel()):
        group, param, _ = row
        state = states[param]
        like = _settle(state, param, initial)
        numbers = tuple(item for item in state.items() if not isinstance(item[1], Tensor))
        own = tuple(sorted(flags.get(param, {}).items()))
        dense = torch.empty_like(param, device="meta").stride() == param.stride()
        found[group, param.device, param.dtype, dense and like, own, numbers].append(row)
    tensor_names = [name for name, first in initial.items() if callable(first)]
    buckets = []
    for (group, device, dtype, plain, own, _), members in found.items():
        params = [param for _, param, _ in members]
        bucket = Bucket(
            group=group,
            params=params,
            places=[place for _, _, place in members],
            states=[states[param] for param in params],
            flags={name: value for name, value in own if name != "force_train"},
            strides=[torch.empty_like(param, device="meta").stride() for param in params],
            can_fuse=plain and dtype in _FUSED_DTYPES and device.type in ("cpu", "cuda"),
        )
        _lay_tiles(bucket, tensor_names, tile if plain and device.type == "cpu" else None)
        buckets.append(bucket)
    return buckets


def _lay_tiles(bucket: Bucket, names: Sequence[str], size: int | None) -> None:
    """Fill `whole`, `cuts` and `blocks`; `size` None is one tile with everything."""
    whole_states = {name: [state[name] for state in bucket.states] for name in names}
    lists = {name: TensorList(tensors) for name, tensors in whole_states.items()}
    count = len(bucket.params)
    bucket.whole = Tile(0, count, bucket.params, lists)
    lengths = [param.numel() for param in bucket.params]
    if size is None or sum(lengths) <= size:
        bucket.cuts = [None] * count
        bucket.blocks = [[bucket.whole]]
        return
    bucket.cuts = [None if n <= size else ceil(n / ceil(n / size)) for n in lengths]
    params = _cut(bucket.params, bucket.cuts)
    states = {name: _cut(tensors, bucket.cuts) for name, tensors in whole_states.items()}
    owners = [
        index
        for index, (n, length) in enumerate(zip(lengths, bucket.cuts, strict=True))
        for _ in range(1 if length is None else ceil(n / length))
    ]

    def tile(first: int, stop: int) -> Tile:
        parts = {name: TensorList(pieces[first:stop]) for name, pieces in states.items()}
        return Tile(first, stop, params[first:stop], parts)

    bucket.blocks = _blocks([piece.numel() for piece in params], owners, bucket.cuts, size, tile)


def _blocks(
    lengths: Sequence[int], owners: Sequence[int], cuts: Sequence[int | None], size: int, tile: Any
) -> list[list[Tile]]:
    """Runs of small tensors as one tile each; the pieces of a cut tensor as tiles of one block."""
    blocks: list[list[Tile]] = []
    # Tensors come smallest first, so those that are not cut are at the front.
    whole = sum(cut is None for cut in cuts)
    first = 0
    while first < len(lengths):
        stop, total = first + 1, lengths[first]
        if cuts[owners[first]] is not None:
            while stop < len(lengths) and owners[stop] == owners[first]:
                stop += 1
            blocks.append([tile(at, at + 1) for at in range(first, stop)])
        else:
            while stop < whole and total + lengths[stop] <= size:
                total += lengths[stop]
                stop += 1
            blocks.append([tile(first, stop)])
        first = stop
    return blocks
