"""Small builders: a tensor from anything array-like, and the few operations torch lacks."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import accumulate
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.torch_version import TorchVersion

from layerwise.core.items import L
from layerwise.core.nested import to_plain
from layerwise.core.types import DeviceLike, PathLike

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ArrayBase",
    "ArrayImage",
    "ArrayImageBW",
    "ArrayImageBase",
    "ArrayMask",
    "Chunks",
    "cat",
    "concat",
    "flatten_check",
    "interp_1d",
    "ismin_torch",
    "load_array",
    "logit",
    "make_cross_image",
    "notmax_torch",
    "np_func",
    "one_hot",
    "one_hot_decode",
    "pca",
    "save_array",
    "stack",
    "tensor",
    "tensored",
    "unsqueeze",
    "unsqueeze_",
]

# -- making tensors ------------------------------------------------------------------------


def tensor(
    x: Any,
    *rest: Any,
    dtype: torch.dtype | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of `x`: number, nested lists, array, tensor, picture, series or frame.

    Without a `dtype`, float64 becomes float32, the type models have; uint16 becomes float32 and
    larger unsigned integers int64, since torch can do little with them. The memory of arrays and
    tensors is shared where nothing has to change.

    Args:
        x: what to convert.
        *rest: further elements: `tensor(1, 2)` is `tensor([1, 2])`.
        dtype: type of the elements.
        device: where to put it, by default where `x` is.
        requires_grad: whether gradients are recorded.
        pin_memory: whether to use memory that a GPU copies faster from.

    Raises:
        TypeError: if there are no numbers in `x`.
        ValueError: if rows differ in length, or a number is too large.

    Example:
        >>> tensor(1, 2.5), tensor(np.arange(3, dtype="uint16")).dtype
        (tensor([1.0000, 2.5000]), torch.float32)
    """
    result = _as_tensor((x, *rest) if rest else x, dtype)
    if dtype is None and result.dtype is torch.float64:
        result = result.float()
    result = result.to(device=device, dtype=dtype)
    if requires_grad:
        result = result.detach().requires_grad_()
    return result.pin_memory() if pin_memory else result


def _as_tensor(x: Any, dtype: torch.dtype | None = None) -> Tensor:
    if isinstance(x, Tensor):
        return x
    if isinstance(x, np.ndarray):
        return _from_array(x)
    if isinstance(x, np.generic):
        return _from_array(np.asarray(x))
    if isinstance(x, Number):
        return torch.tensor(x, dtype=dtype)
    if isinstance(x, str | bytes) or x is None:
        raise TypeError(
            f"tensor got {type(x).__name__} {x!r:.40}; give numbers: turn labels into indices of "
            "a vocabulary and text into token numbers first"
        )
    if hasattr(x, "to_numpy"):
        return _from_array(np.asarray(x.to_numpy()))
    # Asked of the type: as an attribute of a picture, the interface copies all its pixels.
    if hasattr(type(x), "__array__") or hasattr(type(x), "__array_interface__"):
        return _from_array(np.array(x))
    if isinstance(x, Iterable):
        return _from_items(list(x), dtype)
    raise TypeError(
        f"tensor got {type(x).__name__}; give a number, a list, an array, a tensor, a picture, "
        "or a frame"
    )


def _from_items(items: list[Any], dtype: torch.dtype | None) -> Tensor:
    """Nested lists, of numbers or of whatever else makes a tensor."""
    inner: Any = items
    while isinstance(inner, list | tuple) and inner:
        inner = inner[0]
    if isinstance(inner, Number | list | tuple) and not isinstance(inner, np.generic):
        try:
            return torch.tensor(items, dtype=dtype)
        except ValueError as error:
            error.add_note("tensor needs rows of one length; pad them, or keep a list of tensors")
            raise
    parts = [_as_tensor(item, dtype) for item in items]
    shapes = sorted({tuple(part.shape) for part in parts})
    if len(shapes) > 1:
        raise ValueError(
            f"tensor got elements of several shapes: {shapes[:3]}; resize or pad them, or keep a "
            "list of tensors"
        )
    return torch.stack(parts)


def _from_array(x: NDArray[Any]) -> Tensor:
    if x.dtype.kind == "O":
        # What frames of several types, or with missing values, hand out.
        x = np.array(x.tolist())
    if x.dtype.kind not in "biufc":
        raise TypeError(
            f"tensor got an array of {x.dtype}; only numbers make a tensor. Encode the other "
            "columns first, or leave them out"
        )
    if x.dtype == np.uint16:
        x = x.astype(np.float32)
    elif x.dtype.kind == "u" and x.dtype.itemsize > 2:
        if x.size and x.max() > np.iinfo(np.int64).max:
            raise ValueError(f"tensor got {x.max()}, which is too large for int64; pass floats")
        x = x.astype(np.int64)
    elif x.dtype.kind == "f" and x.dtype.itemsize > 8:
        x = x.astype(np.float64)
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if not x.flags.writeable or any(stride < 0 for stride in x.strides):
        x = x.copy()
    return torch.from_numpy(x)


def tensored(xs: Iterable[Any]) -> L[Tensor]:
    """A tensor of each of `xs`.

    Example:
        >>> tensored([1, [2, 3]])
        (#2) [tensor(1), tensor([2, 3])]
    """
    return L([tensor(x) for x in xs])


def stack(xs: Iterable[Any], dim: int = 0) -> Tensor:
    """The tensors of `xs`, all of one shape, side by side on a new axis `dim`.

    Example:
        >>> stack([[1, 2], [3, 4]], dim=1)
        tensor([[1, 3],
                [2, 4]])
    """
    return torch.stack(list(tensored(xs)), dim)


def cat(xs: Iterable[Any], dim: int = 0) -> Tensor:
    """The tensors of `xs` joined on the axis `dim`.

    Example:
        >>> cat([[1, 2], [3]])
        tensor([1, 2, 3])
    """
    return torch.cat(list(tensored(xs)), dim)


def concat(*xs: Any) -> Any:
    """The collections `xs` joined: tensors, arrays, lists, tuples. The first gives the type.

    Example:
        >>> concat([1], (2, 3)), concat(torch.tensor([1]), torch.tensor([2]))
        ([1, 2, 3], tensor([1, 2]))
    """
    if not xs:
        return []
    if isinstance(xs[0], Tensor):
        return torch.cat(xs)
    if isinstance(xs[0], np.ndarray):
        return np.concatenate(xs)
    items = [item for x in xs for item in x]
    return type(xs[0])(items) if isinstance(xs[0], list | tuple) else items


class Chunks:
    """One sequence made of several, indexed across their borders without joining them all.

    Args:
        chunks: tensors, arrays, lists or tuples; may be anything that is indexed by numbers.
        lens: their lengths, where asking for them is slow.

    Example:
        >>> words = Chunks([["a", "b"], ["c"], ["d", "e"]])
        >>> words[3], words[1:4], len(words)
        ('d', ['b', 'c', 'd'], 5)
    """

    def __init__(self, chunks: Sequence[Any], lens: Sequence[int] | None = None) -> None:
        self.chunks = chunks
        sizes = [len(chunk) for chunk in chunks] if lens is None else list(lens)
        if len(sizes) != len(chunks):
            raise ValueError(f"{len(sizes)} lengths for {len(chunks)} chunks; give one per chunk")
        self.ends = list(accumulate(sizes))

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def __getitem__(self, i: int | slice) -> Any:
        """One element, or the elements of a slice as a collection of the kind of the chunks."""
        if isinstance(i, slice):
            return self._slice(*i.indices(len(self)))
        position = i + len(self) if i < 0 else i
        if not 0 <= position < len(self):
            raise IndexError(f"index {i} for chunks of {len(self)} elements")
        number, offset = self._locate(position)
        return self.chunks[number][offset]

    def _locate(self, position: int) -> tuple[int, int]:
        """The chunk that element `position` is in, and its place there."""
        number = bisect_right(self.ends, position)
        return number, position - (self.ends[number - 1] if number else 0)

    def _slice(self, start: int, stop: int, step: int) -> Any:
        if step < 0:
            raise ValueError(f"chunks are sliced forwards only, and step is {step}")
        if start >= stop:
            return self.chunks[0][:0] if len(self.chunks) else []
        number, offset = self._locate(start)
        parts = []
        left = stop - start
        while left > 0:
            part = self.chunks[number][offset : offset + left]
            if len(part):
                parts.append(part)
            left -= len(part)
            number, offset = number + 1, 0
        joined = parts[0] if len(parts) == 1 else concat(*parts)
        return joined[::step] if step > 1 else joined


# -- arrays that know what they are --------------------------------------------------------


class ArrayBase(np.ndarray[Any, Any]):
    """An array whose type says what it is, and survives operations.

    Example:
        >>> type(ArrayImage([[0, 1]]) + 1).__name__
        'ArrayImage'
    """

    def __new__(cls, x: Any) -> Self:
        """`x` (array, tensor, picture, nested lists; memory is shared where possible) as `cls`."""
        array = x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)
        return array.view(cls)


class ArrayImageBase(ArrayBase):
    """(H, W) or (H, W, C) picture of any kind."""

    _show_args: ClassVar[dict[str, Any]] = {"cmap": "viridis"}

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the picture on `ctx` (axes), a new figure when None. Returns the axes."""
        from layerwise.core.display.axes import show_image

        return show_image(self, ctx=ctx, **{**self._show_args, **kwargs})


class ArrayImage(ArrayImageBase):
    """(H, W, 3) colour picture."""


class ArrayImageBW(ArrayImage):
    """(H, W) picture in shades of grey."""

    _show_args: ClassVar[dict[str, Any]] = {"cmap": "Greys"}


class ArrayMask(ArrayImageBase):
    """(H, W) class index of each pixel."""

    _show_args: ClassVar[dict[str, Any]] = {
        "alpha": 0.5,
        "cmap": "tab20",
        "interpolation": "nearest",
    }


# -- small operations ----------------------------------------------------------------------


def unsqueeze(x: Tensor, dim: int = -1, n: int = 1) -> Tensor:
    """`x` with `n` new axes of length 1 at `dim`.

    Example:
        >>> unsqueeze(torch.zeros(2, 3), dim=0, n=2).shape
        torch.Size([1, 1, 2, 3])
    """
    for _ in range(n):
        x = x.unsqueeze(dim)
    return x


def unsqueeze_(x: Tensor, dim: int = -1, n: int = 1) -> Tensor:
    """`x` itself, changed to have `n` new axes of length 1 at `dim`.

    Example:
        >>> x = torch.zeros(2)
        >>> unsqueeze_(x, n=2) is x, x.shape
        (True, torch.Size([2, 1, 1]))
    """
    for _ in range(n):
        x.unsqueeze_(dim)
    return x


def one_hot(x: Tensor | Iterable[int] | int, c: int) -> Tensor:
    """(c,) uint8 with a one at each class index in `x`.

    Args:
        x: indices of classes, none of them to several.
        c: the number of classes.

    Raises:
        ValueError: if an index is not below `c`.

    Example:
        >>> one_hot([0, 2], c=4)
        tensor([1, 0, 1, 0], dtype=torch.uint8)
    """
    indices = torch.as_tensor(x if isinstance(x, Tensor | int) else list(x)).long().reshape(-1)
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < c:
        raise ValueError(
            f"one_hot got class indices from {int(indices.min())} to {int(indices.max())} for "
            f"c={c} classes; they go from 0 to {c - 1}"
        )
    result = torch.zeros(c, dtype=torch.uint8, device=indices.device)
    result[indices] = 1
    return result


def one_hot_decode(x: Iterable[Any], vocab: Sequence[Any] | None = None) -> L[Any]:
    """The indices at which `x` is one, or their entries in `vocab`.

    Example:
        >>> one_hot_decode([1, 0, 1], vocab=["cat", "dog", "owl"])
        (#2) ['cat', 'owl']
    """
    found = [i for i, value in enumerate(x) if value == 1]
    return L(found if vocab is None else [vocab[i] for i in found])


def logit(x: Tensor) -> Tensor:
    """The x-values whose sigmoid is `x`, kept 1e-7 away from 0 and 1 so that none is infinite.

    Example:
        >>> logit(torch.tensor([0.5, 1.0]))
        tensor([ 0.0000, 15.9424])
    """
    return torch.logit(x, eps=1e-7)


def flatten_check(inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    """Both as (N,) plain tensors, after a check that they have as many elements.

    Args:
        inp: predictions of any shape.
        targ: targets with as many elements.

    Raises:
        ValueError: if they do not have the same number of elements.

    Example:
        >>> a, b = flatten_check(torch.zeros(4, 1), torch.zeros(2, 2))
        >>> a.shape, b.shape
        (torch.Size([4]), torch.Size([4]))
    """
    if inp.numel() != targ.numel():
        raise ValueError(
            f"predictions of shape {tuple(inp.shape)} and targets of shape {tuple(targ.shape)} do "
            "not have the same number of elements; check what the model returns, and `axis`, which "
            "says where the classes are (axis=1 for masks, axis=-1 for (N, C))"
        )
    return to_plain(inp).reshape(-1), to_plain(targ).reshape(-1)


def make_cross_image(bw: bool = True) -> Tensor:
    """(5, 5) picture of a white cross, (3, 5, 5) with a red and a green bar if not `bw`.

    Example:
        >>> make_cross_image()[2]
        tensor([1., 1., 1., 1., 1.])
    """
    if bw:
        image = torch.zeros(5, 5)
        image[2, :] = image[:, 2] = 1
        return image
    image = torch.zeros(3, 5, 5)
    image[0, 2, :] = image[1, :, 2] = 1
    return image


def np_func(f: Callable[..., Any]) -> Callable[..., Tensor]:
    """`f`, which takes and returns arrays, as a function that takes and returns tensors.

    Example:
        >>> np_func(np.median)(torch.tensor([1.0, 5.0, 2.0]))
        tensor(2.)
    """

    @wraps(f)
    def with_tensors(*args: Any, **kwargs: Any) -> Tensor:
        arrays = [a.numpy(force=True) if isinstance(a, Tensor) else a for a in args]
        named = {k: v.numpy(force=True) if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        return tensor(f(*arrays, **named))

    return with_tensors


def interp_1d(x: Tensor, xp: Tensor, fp: Tensor) -> Tensor:
    """Values at `x` of the line through the points (`xp`, `fp`), as `numpy.interp` computes them.

    Args:
        x: any shape, where to look.
        xp: (N,) increasing positions; outside of them the first or last value holds.
        fp: (N,) values.

    Example:
        >>> interp_1d(torch.tensor([0.5, 9.0]), torch.tensor([0.0, 1.0]), torch.tensor([2.0, 4.0]))
        tensor([3., 4.])
    """
    if len(xp) != len(fp) or not len(xp):
        raise ValueError(f"{len(xp)} positions for {len(fp)} values; give as many, at least one")
    if len(xp) == 1:
        return fp[0].expand(x.shape).clone()
    right = torch.searchsorted(xp, x.contiguous(), right=True).clamp(1, len(xp) - 1)
    left = right - 1
    part = (x - xp[left]) / (xp[right] - xp[left])
    return torch.lerp(fp[left], fp[right], part.clamp(0, 1))


def pca(x: Tensor, k: int = 2) -> Tensor:
    """(N, k) the rows of `x` along the `k` directions in which they vary most.

    The sign of each direction is chosen such that its largest weight is positive.

    Args:
        x: (N, D) rows, float.
        k: directions, at most min(N, D); two are what a plane can show.

    Raises:
        ValueError: for more directions than there are.

    Example:
        >>> pca(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]), k=1).flatten()
        tensor([-2.,  0.,  2.])
    """
    if k > min(x.shape):
        raise ValueError(f"pca got k={k} for {tuple(x.shape)}; it can be {min(x.shape)} at most")
    centred = x - x.mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:k]  # (k, D)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    turned = directions * largest.sign()
    return torch.matmul(centred, turned.T)


# -- files, versions -----------------------------------------------------------------------


def save_array(path: PathLike, x: Any) -> Path:
    """Write the numbers of `x` as a `.npy` file; the path it went to, with that ending.

    Raises:
        TypeError: if `x` holds objects: they would need pickle, which can run code when read.
    """
    array = x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype.hasobject:
        raise TypeError(f"save_array writes numbers, and got an array of {array.dtype}")
    path = Path(path)
    path = path if path.suffix == ".npy" else path.with_name(f"{path.name}.npy")
    np.save(path, array, allow_pickle=False)
    return path


def load_array(path: PathLike) -> NDArray[Any]:
    """The array in a `.npy` file; nothing in the file is run.

    Raises:
        ValueError: if the file is no `.npy` file or holds objects.
    """
    with Path(path).open("rb") as file:
        found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return found


def ismin_torch(min_version: str) -> bool:
    """Whether the torch installed is `min_version` or later.

    Example:
        >>> ismin_torch("2.0"), ismin_torch("99")
        (True, False)
    """
    return bool(TorchVersion(str(torch.__version__)) >= _checked(min_version))


def notmax_torch(max_version: str) -> bool:
    """Whether the torch installed is earlier than `max_version`.

    Example:
        >>> notmax_torch("2.0"), notmax_torch("99")
        (False, True)
    """
    return bool(TorchVersion(str(torch.__version__)) < _checked(max_version))


def _checked(version: str) -> str:
    if not re.match(r"\d+(\.\d+)*", version):
        raise ValueError(f"{version!r} is no version; write it like '2.10' or '2.10.1'")
    return version
