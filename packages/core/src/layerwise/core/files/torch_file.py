"""Weights in files of `torch.save`, read without running any of it.

Such a file is a pickle: a program that a loader runs. Here the program is followed, as far as it
builds dicts, lists and tensors, and none of its calls is made: names stay names. A name that is not
known to be harmless means that the file is refused.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from layerwise.core.errors import BundleError

__all__: list[str] = []

_PICKLE_BYTES = 64 << 20
_STEPS = 1 << 19  # of a pickle; each takes up to 80 bytes. A tensor takes about 20 steps.
_OLD_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # files of torch before 1.6
_STORAGES = {
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}
_DTYPES = {str(d): d for d in (*_STORAGES.values(), torch.uint16, torch.uint32, torch.uint64)}
# What stands beside weights in files of trainers, optimizer states above all. It is left out.
_HARMLESS = {
    *("argparse.Namespace", "_codecs.encode", "builtins.set", "__builtin__.set"),
    *("collections.Counter", "collections.defaultdict", "builtins.dict", "__builtin__.dict"),
    *("fastcore.foundation.L", "fastai.torch_core.TensorBase", "fastcore.basics.fastuple"),
    *("numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar"),
    *("numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct"),
    *("numpy._core.multiarray._reconstruct", "torch.Size", "torch.device", "torch.Tensor"),
}


# What `zipfile` lets through, and what a damaged program stumbles over.
_DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RuntimeError, NotImplementedError, MemoryError, zipfile.BadZipFile, struct.error),
)


def read_torch_file(path: Path) -> tuple[dict[str, Tensor], bool]:
    """The tensors by name in a file of `torch.save`, and whether an optimizer's state is with them.

    The names are those of the entry "model" or "state_dict" if there is one.

    Raises:
        BundleError: if the file is of another kind, is damaged, or would run anything.
    """
    try:
        with path.open("rb") as f:
            start = f.read(len(_OLD_START))
            f.seek(0)
            if start.startswith(b"PK\3\4"):
                return _read_zip(f, path.stat().st_size)
            if start == _OLD_START:
                return _read_old(f)
    except BundleError:
        raise
    except _DAMAGE as error:
        raise BundleError(f"it is damaged: {error!r:.200}") from error
    raise BundleError(f"it is no file of torch.save; it starts with {start!r}")


def _read_zip(f: IO[bytes], size: int) -> tuple[dict[str, Tensor], bool]:
    with zipfile.ZipFile(f) as archive:
        infos = archive.infolist()
        members = {info.orig_filename: info for info in infos}
        if len(members) != len(infos) or sum(info.file_size for info in infos) > size:
            raise BundleError("its members overlap")
        if any(info.compress_type or info.flag_bits & ~0x808 for info in infos):
            raise BundleError("its members are packed or encrypted, which torch.save never does")
        programs = [name for name in members if name.endswith("/data.pkl")]
        if len(programs) != 1 or members[programs[0]].file_size > _PICKLE_BYTES:
            raise BundleError("it is a zip archive, and not one of torch.save")
        folder = programs[0].removesuffix("data.pkl")
        if f"{folder}constants.pkl" in members:
            raise BundleError("it is a TorchScript program, not weights")
        if f"{folder}byteorder" in members and archive.read(f"{folder}byteorder") != b"little":
            raise BundleError("its numbers are in the order of another kind of processor")
        program = BytesIO(archive.read(programs[0]))
        found, optimizer = _weights(_followed(program))
        if program.read(1):
            raise BundleError("it has more than one pickle in the place of one")

        def content(storage: _Storage) -> bytes:
            return archive.read(f"{folder}data/{storage.key}")

        return _tensors(found, content), optimizer


def _read_old(f: IO[bytes]) -> tuple[dict[str, Tensor], bool]:
    """The format before torch 1.6: five pickles, then each storage as its length and its bytes."""
    storages: dict[str, _Storage] = {}
    _, protocol, system = (_followed(f) for _ in range(3))
    found, optimizer = _weights(_followed(f, storages))
    keys = _followed(f)
    if protocol != 1001 or not isinstance(system, dict) or not system.get("little_endian"):
        raise BundleError("it is of a version of torch.save that is not known here")
    at: dict[str, int] = {}
    for key in keys:
        if int.from_bytes(f.read(8), "little") != storages[key].count:
            raise BundleError("it is damaged: its storages have other sizes than it says")
        at[key] = f.tell()
        f.seek(storages[key].size, 1)

    def content(storage: _Storage) -> bytes:
        f.seek(at[storage.key])
        return f.read(storage.size)

    return _tensors(found, content), optimizer


# -- tensors ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Storage:
    """Memory that tensors lie in: elements of one kind."""

    dtype: torch.dtype
    key: str
    count: int

    @property
    def size(self) -> int:
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class _View:
    """Where a tensor lies in its storage."""

    storage: _Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.storage, _Storage):
            raise BundleError("it is damaged: a tensor without a storage")
        numbers = (self.offset, *self.shape, *self.stride)
        if any(type(n) is not int or not 0 <= n < 1 << 48 for n in numbers):
            raise BundleError("it is damaged: a tensor of impossible shape")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        count, size = prod(self.shape), self.storage.size // self.dtype.itemsize
        if len(self.shape) > 64 or count > size or (count and last >= size):
            raise BundleError("it is damaged: a tensor reaches beyond its storage")


def _weights(value: Any) -> tuple[dict[str, _View], bool]:
    """The tensors by name that the file is about, and whether it has an optimizer's state."""
    if not isinstance(value, dict):
        raise BundleError(f"holds a {type(value).__name__.lstrip('_')}, not weights by name")
    optimizer = isinstance(value.get("opt"), dict)
    inner = next(
        (value[k] for k in ("model", "state_dict") if isinstance(value.get(k), dict)), value
    )
    found = {k: v for k, v in inner.items() if isinstance(v, _View) and type(k) is str}
    if not found:
        raise BundleError("it has no tensors by name")
    return found, optimizer


def _tensors(views: dict[str, _View], content: Callable[[_Storage], bytes]) -> dict[str, Tensor]:
    memory: dict[_Storage, bytearray] = {}
    found = {}
    for name, view in views.items():
        storage = view.storage
        if storage not in memory:
            memory[storage] = bytearray(content(storage))
            if len(memory[storage]) != storage.size:
                raise BundleError(f"it is damaged: the storage of {name!r:.80} is cut short")
        if storage.size == 0:
            found[name] = torch.empty(view.shape, dtype=view.dtype)
            continue
        flat = torch.frombuffer(memory[storage], dtype=view.dtype)
        found[name] = flat.as_strided(view.shape, view.stride, view.offset)
    return found


# -- the program -----------------------------------------------------------------------------


class _Name(str):
    """A class or function that the program names; it is not looked for."""

    __slots__ = ()


class _Object:
    """What a call that was not made would have given."""

    __slots__ = ()


def _followed(f: IO[bytes], storages: dict[str, _Storage] | None = None) -> Any:
    """What the pickle at this place of `f` builds, with no call made."""
    return _Machine({} if storages is None else storages).run(
        (op.name, arg) for op, arg, _ in pickletools.genops(f)
    )


class _Machine:
    """The stack on which a pickle builds its value."""

    def __init__(self, storages: dict[str, _Storage]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages = storages

    def run(self, program: Iterable[tuple[str, Any]]) -> Any:
        for step, (op, arg) in enumerate(program):
            if step == _STEPS:
                raise BundleError(f"it is a pickle of more than {_STEPS} steps")
            if op in _VALUES:
                self.stack.append(arg)
            elif op in _MAKERS:
                self.stack.append(_MAKERS[op]())
            elif op in _PLAIN:
                getattr(self, f"_{op.lower()}")(arg)
            elif op not in ("FRAME", "STOP") and not (op == "PROTO" and arg <= 5):
                raise BundleError(f"it is a pickle that does more than build weights ({op})")
        return self.stack.pop()

    def _since_mark(self) -> list[Any]:
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def _mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _binput(self, at: int) -> None:
        self.memo[at] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, at: int) -> None:
        self.stack.append(self.memo[at])

    _long_binget = _binget

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _last(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _tuple1(self, _: Any) -> None:
        self._last(1)

    def _tuple2(self, _: Any) -> None:
        self._last(2)

    def _tuple3(self, _: Any) -> None:
        self._last(3)

    def _append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    _additems = _appends

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: Any) -> None:
        self._update(self._since_mark())

    def _update(self, items: list[Any]) -> None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of a tuple goes as deep as the tuple does, without a limit.
            if isinstance(self.stack[-1], dict) and type(key) in (str, int, float, bool):
                self.stack[-1][key] = value

    def _global(self, names: str) -> None:
        self.stack.append(_named(names.replace(" ", ".")))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_named(f"{module}.{name}"))

    def _newobj(self, _: Any) -> None:
        del self.stack[-2:]
        self.stack.append(_Object())

    def _build(self, _: Any) -> None:
        self.stack.pop()  # attributes: those of an OrderedDict are versions of modules

    def _reduce(self, _: Any) -> None:
        args, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or not isinstance(args, tuple):
            raise BundleError("it is a pickle that does more than build weights (REDUCE)")
        self.stack.append(_made(name, args))

    def _binpersid(self, _: Any) -> None:
        kind, storage, key, _place, count, *rest = self.stack.pop()
        dtype = _STORAGES[storage.removeprefix("torch.").removeprefix("storage.")]
        counted = type(count) is int and 0 <= count < 1 << 48
        if kind != "storage" or type(key) is not str or not counted or rest not in ([], [None]):
            raise BundleError("it is damaged: a storage that is none")
        self.stack.append(self.storages.setdefault(key, _Storage(dtype, key, count)))


_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
    *("SHORT_BINSTRING", "BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
}
_MAKERS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": _Object,
}
_PLAIN = {name[1:].upper() for name in vars(_Machine) if name[0] == "_" and name[1] != "_"}
_PLAIN -= {"SINCE_MARK", "LAST", "EXTEND", "UPDATE"}


def _named(name: str) -> _Name:
    short = name.removeprefix("torch.").removeprefix("storage.")
    known = name in _HARMLESS or name in _DTYPES or name in _REBUILD
    if known or (name.startswith("torch.") and short in _STORAGES):
        return _Name(name)
    raise BundleError(
        f"it holds more than plain tensors: loading it as a pickle would get {name!r:.120} and may "
        "run it, so it is not read. If you trust who made it, save the weights alone from the "
        "program that wrote it: torch.save(model.state_dict(), ...)"
    )


def _made(name: _Name, args: tuple[Any, ...]) -> Any:
    """What a call gives, for those that make dicts and tensors."""
    make = _REBUILD.get(name)
    return _Object() if make is None else make(*args)


def _view(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> _View:
    return _View(storage, storage.dtype, offset, tuple(shape), tuple(stride))


def _view_of(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> _View:
    return _View(storage, _DTYPES[rest[2]], offset, tuple(shape), tuple(stride))


def _typed(function: Any, _kind: Any, args: Any, _state: Any) -> Any:
    return _made(function, args)


def _dict(*pairs: Any) -> dict[Any, Any]:
    return {key: value for key, value in (pairs[0] if pairs else ()) if type(key) is str}


_REBUILD: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dict,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_tensor_v3": _view_of,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._tensor._rebuild_from_type_v2": _typed,
}
