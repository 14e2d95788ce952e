"""Tensors by name as safetensors: a header of JSON, then the bytes of each tensor and nothing else.

The format is Hugging Face's safetensors (2022). Written here without a copy of the weights; read by
its own library, after checks of the header that it leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor

from layerwise.core.errors import BundleError
from layerwise.core.files.plain import from_json, to_json

__all__: list[str] = []

METADATA = "__metadata__"
_HEADER_BYTES = 16 << 20
_NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.complex64: "C64",
}
_SIZES = {name: dtype.itemsize for dtype, name in _NAMES.items()}


def tensors_to_parts(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """The safetensors file of `tensors`, in pieces that are to be written one after the other.

    The pieces are the tensors' own memory where they lie on the CPU without gaps, so write them
    before the tensors change. Tensors that share memory come back apart.

    Raises:
        BundleError: if the format has no place for one of them; says which.
    """
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    parts: list[bytes | memoryview] = []
    at = 0
    # Large elements first, so that each tensor starts at a multiple of its element's size.
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):
        part = _memory(name, tensors[name])
        header[name] = {
            "dtype": _NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [at, at + len(part)],
        }
        at += len(part)
        parts.append(part)
    text = to_json(header)
    text += b" " * (-len(text) % 8)
    if len(text) > _HEADER_BYTES:
        raise BundleError(f"the names of {len(tensors)} tensors take {len(text)} bytes")
    return [len(text).to_bytes(8, "little") + text, *parts]


def tensors_from_bytes(data: bytes) -> dict[str, Tensor]:
    """The tensors in the safetensors file `data`, each with memory of its own.

    Raises:
        BundleError: if it is damaged, or has anything that no writer would write.

    Example:
        >>> tensors_from_bytes(b"".join(tensors_to_parts({"mean": torch.ones(2)})))
        {'mean': tensor([1., 1.])}
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    check_header(data[:8], data[8 : 8 + header_bytes(data[:8])], len(data))
    try:
        return load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise BundleError(f"the tensors in it cannot be read: {error}") from error


def header_bytes(start: bytes) -> int:
    """The length of the header of the safetensors file that starts with these 8 bytes."""
    size = int.from_bytes(start, "little")
    if len(start) < 8 or size > _HEADER_BYTES:
        raise BundleError("it is no safetensors file; it starts with no such header")
    return size


def check_header(start: bytes, text: bytes, file_bytes: int) -> dict[str, Any]:
    """The header of a safetensors file, after checks that its library leaves out.

    Names are unique, shapes fit the bytes given to them, and together the tensors take each byte
    of the file once.
    """
    size = header_bytes(start)
    header = from_json(text)
    if len(text) != size or not isinstance(header, dict):
        raise BundleError("it is no safetensors file; its header is damaged")
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise BundleError("the metadata in its header are not texts")
    places = [_place(name, header[name]) for name in header if name != METADATA]
    ends = [(0, 0), *sorted(places), (file_bytes - 8 - size,) * 2]
    if any(end != start for (_, end), (start, _) in pairwise(ends)):
        raise BundleError("its tensors do not take each byte of the file once")
    return header


def _place(name: str, entry: Any) -> tuple[int, int]:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(start), int(end)]}:
            sizes = all(type(n) is int and 0 <= n < 1 << 48 for n in shape) and len(shape) <= 64
            known = len(entry) == 3 and dtype in _SIZES and 0 <= start <= end
            if sizes and known and prod(shape) * _SIZES[dtype] == end - start:
                return start, end
    raise BundleError(f"the tensor {name!r:.80} has a header that is damaged")


def _memory(name: str, tensor: Tensor) -> memoryview:
    """The bytes of `tensor`."""
    if name == METADATA:
        raise BundleError(f"no tensor can be named {METADATA!r} in a safetensors file")
    if tensor.dtype not in _NAMES or tensor.layout is not torch.strided or tensor.is_quantized:
        raise BundleError(
            f"the tensor {name!r} is {tensor.layout}, {tensor.dtype}, which a safetensors file "
            "cannot hold; make it dense, of a usual kind"
        )
    if tensor.is_meta:
        raise BundleError(f"the tensor {name!r} is on the device 'meta': it has no values to save")
    plain = tensor.detach().as_subclass(Tensor).resolve_conj().resolve_neg().cpu().contiguous()
    if not plain.numel():
        return memoryview(b"")
    return plain.reshape(-1).view(torch.uint8).numpy().data
